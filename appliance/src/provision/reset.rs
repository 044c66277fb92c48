//! Factory reset: asked for by a file on the medium that names this appliance, so that one medium resets one appliance.
//!
//! The file goes before anything else happens: the reset happens once.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{self, Disk};
use crate::paths::{self, Root};

/// The file on the medium: the appliance's id as the console shows it.
pub const ON_MEDIUM: &str = "factory-reset";
const MAX_BYTES: usize = 256;

/// Why there is no reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// A file system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another appliance is named.
    #[error("{ON_MEDIUM} names {named:?}: expected {expected}, the id of this appliance")]
    Other {
        /// What the file says.
        named: String,
        /// The id.
        expected: String,
    },
    /// The power was lost when the file was being removed.
    #[error("{ON_MEDIUM} was there, and the power was lost: nothing was reset; expected the file once more")]
    Interrupted,
    /// Nobody would remember it over the restart.
    #[error("a factory reset needs UEFI firmware: expected {}", .0.display())]
    NoFirmware(PathBuf),
    /// The machine does not say who it is.
    #[error("this machine has no id: expected a UUID of the board or a machine id")]
    NoIdentity,
}

/// Whether the medium asks for a reset of this appliance. If so, the file is gone and [`paths::RESET_REQUEST`] is there.
///
/// # Errors
/// [`ResetError`]; nothing is reset then.
pub fn take_over(root: &Root, disk: &Disk, medium: &Path, id: Option<&str>) -> Result<bool, ResetError> {
    let on_medium = medium.join(ON_MEDIUM);
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| ResetError::Io { path, source }
    };
    let Some(bytes) = disk::read(&on_medium, MAX_BYTES).map_err(failed(&on_medium))? else {
        return Ok(false);
    };
    if disk::is_destroyed(&bytes) {
        disk.remove(&on_medium).map_err(failed(&on_medium))?;
        return Err(ResetError::Interrupted);
    }
    let named = String::from_utf8_lossy(&bytes).trim().to_ascii_lowercase();
    let expected = id.ok_or(ResetError::NoIdentity)?;
    if named != expected {
        let expected = expected.to_owned();
        return Err(ResetError::Other { named, expected });
    }
    let firmware = root.path(paths::FIRMWARE_VARIABLES);
    if !firmware.is_dir() {
        return Err(ResetError::NoFirmware(firmware));
    }
    disk.destroy(&on_medium).map_err(failed(&on_medium))?;
    let request = root.path(paths::RESET_REQUEST);
    disk.write(&request, b"", 0o600).map_err(failed(&request))?;
    Ok(true)
}
