//! The global configuration directory, read as the configuration client wrote it (features.md 2.7).

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use protocol_globalconf::Files;

/// Largest file read; a larger one is refused rather than loaded.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Files below a folder.
#[derive(Debug, Clone)]
pub struct Directory(PathBuf);

impl Directory {
    /// The files below `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self(root.to_owned())
    }

    /// Something that differs when any file was written, so that an unchanged directory is not read again.
    #[must_use]
    pub fn stamp(&self) -> Vec<(PathBuf, Option<SystemTime>, u64)> {
        let mut stamps = Vec::new();
        collect(&self.0, &mut stamps);
        stamps.sort();
        stamps
    }
}

/// Files of the folder and of its folders; the layout has no deeper ones.
fn collect(folder: &Path, stamps: &mut Vec<(PathBuf, Option<SystemTime>, u64)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            let files = std::fs::read_dir(entry.path()).into_iter().flatten().flatten();
            let files = files.filter_map(|file| Some((file.path(), file.metadata().ok()?)));
            stamps.extend(files.map(|(path, metadata)| (path, metadata.modified().ok(), metadata.len())));
        } else {
            stamps.push((entry.path(), metadata.modified().ok(), metadata.len()));
        }
    }
}

impl Files for Directory {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let path = self.0.join(path);
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() > MAX_FILE_BYTES => Err(io::ErrorKind::FileTooLarge.into()),
            Ok(_) => std::fs::read(&path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn directories(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                names.extend(entry.file_name().into_string());
            }
        }
        Ok(names)
    }
}
