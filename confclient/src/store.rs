//! The configuration directory on disk. Every file is replaced as a whole: written beside, synced, renamed.

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use protocol_globalconf::Files;
use protocol_globalconf::layout;

use crate::error::DownloadError;

/// Files that everybody on the host may read: nothing in them is secret.
const FILE_MODE: u32 = 0o644;

/// A configuration directory.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The directory at a path; it is made when something is stored.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Stores a file under its relative path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<(), DownloadError> {
        let path = self.root.join(path);
        write_atomically(&path, bytes).map_err(|source| DownloadError::Store { path, source })
    }

    /// Stores the code of the own instance, unless it is stored already.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_instance_identifier(&self, instance: &str) -> Result<(), DownloadError> {
        let path = self.root.join(layout::INSTANCE_IDENTIFIER_FILE);
        match fs::read(&path) {
            Ok(stored) if stored == instance.as_bytes() => Ok(()),
            _ => write_atomically(&path, instance.as_bytes()).map_err(DownloadError::StoreInstanceIdentifier),
        }
    }

    /// Removes the files of an instance that are not among those given, with their metadata.
    pub fn keep_files(&self, instance: &str, names: &HashSet<String>) {
        let directory = self.root.join(layout::directory_name(instance));
        for name in file_names(&directory).unwrap_or_default() {
            let described = name.strip_suffix(layout::METADATA_SUFFIX).unwrap_or(&name);
            if !names.contains(described) {
                remove(fs::remove_file(directory.join(&name)), &name);
            }
        }
    }

    /// Removes the directories of instances that are not among those given. What is no instance's stays.
    pub fn keep_instances(&self, instances: &HashSet<String>) {
        for name in self.directories().unwrap_or_default() {
            let directory = self.root.join(&name);
            let is_instance = directory.join(layout::SHARED_PARAMS_FILE).exists();
            let known =
                layout::instance_of_directory(&name).is_some_and(|instance| instances.contains(&instance));
            if is_instance && !known {
                remove(fs::remove_dir_all(directory), &name);
            }
        }
    }
}

impl Files for Store {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.root.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn directories(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                names.extend(entry.file_name().into_string());
            }
        }
        Ok(names)
    }
}

/// Replaces a file as a whole: a reader sees the old one or the new one, also after a crash.
///
/// # Errors
/// When it cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(directory)?;
    let mut file = tempfile::Builder::new()
        .prefix(".")
        .suffix(".tmp")
        .permissions(Permissions::from_mode(FILE_MODE))
        .tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_data()?;
    file.persist(path)?;
    File::open(directory)?.sync_all()
}

fn file_names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}

fn remove(removed: io::Result<()>, name: &str) {
    match removed {
        Ok(()) => tracing::info!(name, "removed what the configuration no longer has"),
        Err(error) => tracing::warn!(name, %error, "cannot remove what the configuration no longer has"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_removed_and_the_rest_stays() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path().join("globalconf"));
        store.write_instance_identifier("EE").unwrap();
        for path in [
            "EE/shared-params.xml",
            "EE/old.xml",
            "EE/old.xml.metadata",
            "FI/shared-params.xml",
            "x/notes",
        ] {
            store.write(path, b"x").unwrap();
        }
        store.keep_files("EE", &HashSet::from([layout::SHARED_PARAMS_FILE.to_owned()]));
        store.keep_instances(&HashSet::from(["EE".to_owned()]));
        assert_eq!(store.read("EE/shared-params.xml").unwrap().unwrap(), b"x");
        assert_eq!(store.read("EE/old.xml").unwrap(), None);
        assert_eq!(store.read("EE/old.xml.metadata").unwrap(), None);
        assert_eq!(store.read("FI/shared-params.xml").unwrap(), None);
        assert!(store.read("x/notes").unwrap().is_some());
        let mode = fs::metadata(directory.path().join("globalconf/instance-identifier"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, FILE_MODE);
    }
}
