//! Sealing archive files with fs-verity: the kernel keeps a hash tree of a sealed file, lets nobody change it again, not even
//! root, and refuses to give out a block that is not as it was sealed (Documentation/filesystems/fsverity.rst of the kernel).
//!
//! A file is sealed when it is complete and durable and before it gets its name, so that whatever has the name of an archive
//! is sealed. It can still be moved and deleted; a copy is not sealed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use composefs_ioctls::fsverity::{
    EnableVerityError, MeasureVerityError, fs_ioc_enable_verity, fs_ioc_measure_verity,
};
use serde::Deserialize;

use super::file::TEMPORARY;

/// The kernel's number of SHA-256, and the size of blocks that every file system with fs-verity takes.
const SHA256: u8 = 1;
const BLOCK: u32 = 4096;

/// Whether archives are sealed (`[kiirtee] seal-archives`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sealing {
    /// Where the file system can.
    #[default]
    Auto,
    /// Always; where that can't be, nothing is archived.
    Required,
    /// Never.
    Off,
}

/// The fs-verity digest of a sealed file: what `fsverity digest FILE` computes for any copy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SealDigest(pub [u8; 32]);

impl fmt::Display for SealDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SealDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a file is not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file system has no fs-verity, or the kernel has none.
    #[error(
        "the file system has no fs-verity (ext4 with the feature `verity`, f2fs or btrfs, and a kernel with it)"
    )]
    Unsupported,
    /// It would have, but.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Seals files.
pub trait Sealer: fmt::Debug {
    /// Seals the file, which nobody has open for writing, durably; one that is sealed already stays as it is.
    ///
    /// # Errors
    /// [`SealError`]; the file is as it was.
    fn seal(&self, path: &Path) -> Result<SealDigest, SealError>;
}

/// The kernel's fs-verity.
#[derive(Debug, Clone, Copy)]
pub struct FsVerity;

impl Sealer for FsVerity {
    fn seal(&self, path: &Path) -> Result<SealDigest, SealError> {
        let file = File::open(path)?;
        match fs_ioc_enable_verity(&file, SHA256, BLOCK) {
            Ok(()) | Err(EnableVerityError::AlreadyEnabled) => {}
            Err(EnableVerityError::FilesystemNotSupported) => return Err(SealError::Unsupported),
            Err(EnableVerityError::Io(error)) => return Err(SealError::Io(error)),
            Err(other) => return Err(SealError::Io(io::Error::other(other))),
        }
        file.sync_all()?;
        let missing = || io::Error::other("the file is not sealed although the kernel said so");
        Ok(measure(&file)?.ok_or_else(missing)?)
    }
}

/// The digest that the kernel holds a file to; none if it is not sealed by us.
///
/// # Errors
/// When the kernel can't be asked.
pub fn measure(file: &File) -> io::Result<Option<SealDigest>> {
    match fs_ioc_measure_verity(file, SHA256) {
        Ok(digest) => Ok(Some(SealDigest(digest))),
        Err(MeasureVerityError::Io(error)) => Err(error),
        Err(_not_sealed) => Ok(None),
    }
}

/// Tries with a file of its own whether files in the folder can be sealed.
///
/// # Errors
/// [`SealError`]: why not.
pub fn try_in(folder: &Path, sealer: &dyn Sealer) -> Result<(), SealError> {
    let (begin, end) = TEMPORARY;
    // What a crash leaves is removed as an unfinished archive is.
    let path = folder.join(format!("{begin}seal-{}{end}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    let written = file.write_all(b"seal").and_then(|()| file.sync_all());
    drop(file);
    let sealed = written.map_err(SealError::Io).and_then(|()| sealer.seal(&path));
    fs::remove_file(&path)?;
    sealed.map(drop)
}
