//! Copies an update's files onto the appliance's own volume and checks the copies on the way.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use protocol_pki::digest::hex;

use super::manifest::{Manifest, ManifestFile};

/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is longer or shorter than the manifest says.
    #[error("{name} has {found} bytes, the manifest says {expected}")]
    Size {
        /// Which file.
        name: String,
        /// What there is; one more than expected stands for everything above.
        found: u64,
        /// What was expected.
        expected: u64,
    },
    /// Its content is not what the manifest says.
    #[error("{name} has another SHA-256 than the manifest says")]
    Digest {
        /// Which file.
        name: String,
    },
}

/// Copies all files of a manifest into a folder, which is made anew.
///
/// # Errors
/// See [`CopyError`]; nothing is left then.
pub fn all(manifest: &Manifest, from: &Path, to: &Path) -> Result<(), CopyError> {
    let copied = fresh(to).and_then(|()| manifest.files.iter().try_for_each(|file| one(file, from, to)));
    if copied.is_err() {
        // Whatever stays is made anew the next time.
        let _ = fs::remove_dir_all(to);
    }
    copied
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> CopyError {
    let path = path.to_owned();
    move |source| CopyError::Io { path, source }
}

fn fresh(folder: &Path) -> Result<(), CopyError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(folder)(error)),
        _ => {}
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed(folder))
}

fn one(file: &ManifestFile, from: &Path, to: &Path) -> Result<(), CopyError> {
    let (source, target) = (from.join(&file.name), to.join(&file.name));
    let reader = File::open(&source).map_err(failed(&source))?;
    let writer = File::create_new(&target).map_err(failed(&target))?;
    // One byte more than expected is enough to know that there are too many.
    let (found, digest) = copy(reader.take(file.size.saturating_add(1)), &writer).map_err(failed(&source))?;
    writer.sync_all().map_err(failed(&target))?;
    if found != file.size {
        return Err(CopyError::Size {
            name: file.name.clone(),
            found,
            expected: file.size,
        });
    }
    if !digest.eq_ignore_ascii_case(&file.sha256) {
        return Err(CopyError::Digest {
            name: file.name.clone(),
        });
    }
    Ok(())
}

fn copy(mut reader: impl Read, mut writer: impl Write) -> io::Result<(u64, String)> {
    let mut context = Context::new(&SHA256);
    let mut piece = vec![0; PIECE];
    let mut length = 0_u64;
    loop {
        let count = reader.read(&mut piece)?;
        let read = piece.get(..count).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        context.update(read);
        writer.write_all(read)?;
        length = length.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
    let digest = context.finish();
    Ok((length, hex(digest.as_ref())))
}
