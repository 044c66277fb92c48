//! Where the test vectors are, and a configuration directory on disk.
#![allow(
    dead_code,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "tests read files; not every test uses everything"
)]

use std::io;
use std::path::{Path, PathBuf};

use protocol_globalconf::Files;

/// A folder of the vectors; says so and gives nothing when they are absent.
pub(crate) fn vectors(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(folder);
    if !path.exists() {
        eprintln!("SKIPPED: no vectors at {}", path.display());
        return None;
    }
    Some(path)
}

/// A configuration directory on disk.
pub(crate) struct DiskFiles(pub(crate) PathBuf);

impl Files for DiskFiles {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(self.0.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
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
