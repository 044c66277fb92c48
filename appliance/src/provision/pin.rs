//! PINs from the medium: kept where only the service manager reads them, which hands them to the signer, and gone from the
//! medium after that.
//!
//! They are as safe as the configuration volume, which opens on this machine only (docs/adr/0015).

use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::disk::{self, Disk};
use crate::paths::Root;

/// The file with PINs on the medium: a line for each token, `token id:PIN`, or a PIN alone for the software token.
pub const ON_MEDIUM: &str = "pin";
/// Where they are kept; the unit of the signer asks for the file.
const FOLDER: &str = "var/lib/kiirtee/credentials";
const NAME: &str = "kiirtee-signer.pin";
/// The most bytes of PINs, as in the signer.
const MAX_BYTES: usize = 64 * 1024;

/// Why PINs were not taken over. They are still on the medium.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// A file system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing in the file.
    #[error("{ON_MEDIUM} is empty: expected a line with the PIN of the software token, or `token id:PIN`")]
    Empty,
}

/// Takes PINs from the medium over, if there are some. True if there were.
///
/// # Errors
/// [`PinError`]; the PINs are still on the medium then.
pub fn take_over(root: &Root, disk: &Disk, medium: &Path) -> Result<bool, PinError> {
    let on_medium = medium.join(ON_MEDIUM);
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| PinError::Io { path, source }
    };
    let Some(pins) = disk::read(&on_medium, MAX_BYTES).map_err(failed(&on_medium))? else {
        return Ok(false);
    };
    let pins = Zeroizing::new(pins);
    if disk::is_destroyed(&pins) {
        disk.remove(&on_medium).map_err(failed(&on_medium))?;
        return Ok(false);
    }
    if pins.iter().all(u8::is_ascii_whitespace) {
        return Err(PinError::Empty);
    }
    let folder = root.path(FOLDER);
    disk.folder(&folder, 0o700).map_err(failed(&folder))?;
    let kept = folder.join(NAME);
    disk.write(&kept, &pins, 0o600).map_err(failed(&kept))?;
    disk.destroy(&on_medium).map_err(failed(&on_medium))?;
    Ok(true)
}

/// Whether PINs are kept.
#[must_use]
pub fn are_kept(root: &Root) -> bool {
    root.path(FOLDER).join(NAME).is_file()
}
