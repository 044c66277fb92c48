//! Opens the root under dm-verity.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command_line::Table;
use crate::{BootError, devices};

/// Makes the volume, or finds that the kernel has made it. Gives its device.
///
/// # Errors
/// When a partition is missing or the device mapper refuses.
pub(crate) fn open(table: &Table) -> Result<PathBuf, BootError> {
    // The first volume of the device mapper; the kernel makes this node, and nobody is there to make one with its name.
    let device = Path::new("/dev/dm-0");
    if device.exists() {
        return Ok(device.to_owned());
    }
    let targets = with_devices(&table.targets)?;
    let arguments = [
        "create",
        &table.name,
        "--readonly",
        "--noudevsync",
        "--noudevrules",
        "--table",
        &targets,
    ];
    let output = Command::new("/usr/bin/dmsetup").args(arguments).output();
    let output = output.map_err(BootError::kernel("start dmsetup"))?;
    if output.status.success() {
        return Ok(device.to_owned());
    }
    Err(BootError::DeviceMapper(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}

fn with_devices(targets: &str) -> Result<String, BootError> {
    let words: Result<Vec<String>, BootError> = targets
        .split(' ')
        .map(|word| match word.strip_prefix("PARTUUID=") {
            Some(identifier) => Ok(devices::partition(identifier)?.display().to_string()),
            None => Ok(word.to_owned()),
        })
        .collect();
    Ok(words?.join(" "))
}
