//! `kiirtee-appliance reset`: asks the firmware to remember that the configuration partition is to be made anew, and starts
//! again. The evidence partition is never touched by a factory reset.
//!
//! The variable is that of systemd's factory reset. `systemd-repart` looks at it by itself in an initrd only, so the next start
//! runs it with `--factory-reset=yes` when the variable is there (`repart-factory-reset.service`). `--carried-out` removes it then:
//! systemd-repart does so only if it found a partition to remove, which after a loss of power in between it does not, and a variable
//! that stays would reset the appliance at every other start.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use crate::disk;
use crate::paths::{self, Root};

/// The variable and whose it is.
const VARIABLE: &str = "FactoryReset-8cf2644b-4b0b-428f-9387-6d876050dc67";
/// Kept without power, seen by the boot loader and by the running system (UEFI 2.10, 8.2).
const ATTRIBUTES: u32 = 0x1 | 0x2 | 0x4;
/// The most bytes of it that are of interest.
const MAX_BYTES: usize = 64;
/// What systemd reads as yes.
const VALUE: &str = "1\0";

/// Arguments of `kiirtee-appliance reset`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    root: Root,
    /// The reset is carried out: the firmware forgets it
    #[arg(long)]
    carried_out: bool,
    /// What tells the service manager
    #[arg(long, value_name = "PROGRAM", default_value = "/usr/bin/systemctl")]
    systemctl: PathBuf,
}

/// Why there is no reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// Nobody asked for it.
    #[error("no factory reset was asked for: expected {}", .0.display())]
    NotAsked(PathBuf),
    /// The firmware does not keep the variable.
    #[error("the firmware does not take {}: expected UEFI", path.display())]
    Firmware {
        /// The variable.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The firmware keeps the variable though the reset is carried out.
    #[error("the firmware does not forget {}", path.display())]
    Kept {
        /// The variable.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The service manager cannot be told.
    #[error("{} does not start", program.display())]
    Start {
        /// `systemctl`.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The service manager refuses.
    #[error("the service manager does not start the machine again: {0}")]
    Refused(ExitStatus),
}

/// Carries out `kiirtee-appliance reset`.
///
/// # Errors
/// See [`ResetError`].
pub fn run(arguments: &Arguments) -> Result<(), ResetError> {
    let path = arguments.root.path(paths::FIRMWARE_VARIABLES).join(VARIABLE);
    if arguments.carried_out {
        return forget(&path).map_err(|source| ResetError::Kept { path, source });
    }
    let request = arguments.root.path(paths::RESET_REQUEST);
    if !request.exists() {
        return Err(ResetError::NotAsked(request));
    }
    remember(&path).map_err(|source| ResetError::Firmware { path, source })?;
    tracing::warn!("factory reset: the configuration is made anew at the next start, which is now");
    let program = &arguments.systemctl;
    let told = Command::new(program).args(["--no-block", "reboot"]).status();
    match told {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(ResetError::Refused(status)),
        Err(source) => Err(ResetError::Start {
            program: program.clone(),
            source,
        }),
    }
}

/// One write, since each is the whole variable for the firmware; one that is there already cannot be written again.
fn remember(path: &Path) -> io::Result<()> {
    match disk::read(path, MAX_BYTES) {
        Ok(Some(present)) if present == variable() => Ok(()),
        _ => fs::write(path, variable()),
    }
}

/// Removes the variable, if there is one. The kernel marks variables that it does not know as immutable, against accidents.
fn forget(path: &Path) -> io::Result<()> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    // A folder that is not the firmware's knows no such mark.
    if let Ok(flags) = ioctl_getflags(&file)
        && flags.contains(IFlags::IMMUTABLE)
    {
        ioctl_setflags(&file, flags - IFlags::IMMUTABLE)?;
    }
    fs::remove_file(path)
}

/// Attributes and the value in UTF-16, as the kernel's file of the variable has them.
fn variable() -> Vec<u8> {
    let value = VALUE.encode_utf16().flat_map(u16::to_le_bytes);
    ATTRIBUTES.to_le_bytes().into_iter().chain(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_written_only_if_a_reset_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        let arguments = Arguments {
            root: root.clone(),
            carried_out: false,
            systemctl: "/bin/true".into(),
        };
        assert!(matches!(run(&arguments), Err(ResetError::NotAsked(_))));
        fs::create_dir_all(root.path(paths::RUN)).unwrap();
        fs::write(root.path(paths::RESET_REQUEST), "").unwrap();
        assert!(matches!(run(&arguments), Err(ResetError::Firmware { .. })));
        fs::create_dir_all(root.path(paths::FIRMWARE_VARIABLES)).unwrap();
        run(&arguments).unwrap();
        let written = fs::read(root.path(paths::FIRMWARE_VARIABLES).join(VARIABLE)).unwrap();
        assert_eq!(written, [7, 0, 0, 0, b'1', 0, 0, 0]);
        let path = root.path(paths::FIRMWARE_VARIABLES).join(VARIABLE);
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        run(&arguments).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
        let refusing = Arguments {
            systemctl: "/bin/false".into(),
            ..arguments
        };
        assert!(matches!(run(&refusing), Err(ResetError::Refused(_))));
        let carried_out = Arguments {
            carried_out: true,
            ..refusing
        };
        run(&carried_out).unwrap();
        assert!(!path.exists());
        run(&carried_out).unwrap();
    }
}
