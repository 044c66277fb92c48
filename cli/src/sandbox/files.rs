//! Writing the files of a sandbox.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;

use crate::failure::{Failure, OrUnusable};

/// Makes a folder and those above it.
///
/// # Errors
/// When it cannot be made.
pub fn folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).or_unusable(|| format!("make the folder {}", path.display()))
}

/// Writes a file and the folders above it.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    folder(path.parent().unwrap_or_else(|| Path::new(".")))?;
    fs::write(path, content).or_unusable(|| format!("write {}", path.display()))
}

/// Writes settings as TOML.
///
/// # Errors
/// When they cannot be written.
pub fn write_toml(path: &Path, settings: &impl Serialize) -> Result<(), Failure> {
    let text = toml::to_string_pretty(settings).or_unusable(|| format!("write {}", path.display()))?;
    write(path, text)
}

/// Writes a file that only its owner may read.
///
/// # Errors
/// When it cannot be written.
pub fn write_secret(path: &Path, content: &[u8]) -> Result<(), Failure> {
    folder(path.parent().unwrap_or_else(|| Path::new(".")))?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    file.and_then(|mut file| file.write_all(content))
        .or_unusable(|| format!("write {}", path.display()))
}
