//! JSON files that say what they are: `format` and `version` are checked before anything else in them is read.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::atomic_file::{self, History};

/// Why such a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum VersionedFileError {
    /// The file system failed.
    #[error("{path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not such a file.
    #[error("{path} is malformed")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// It was written by a newer signer, or is another kind of file.
    #[error("{path} has the unknown format {format} {version}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it says to be.
        format: String,
        /// Which version.
        version: u32,
    },
}

/// A kind of file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileKind {
    /// Its name for itself, the member `format`.
    pub format: &'static str,
    /// The only version that is read, and the one that is written.
    pub version: u32,
    /// A longer file is not read.
    pub max_bytes: u64,
    /// What becomes of the state before a change.
    pub history: History,
}

#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

impl FileKind {
    /// The file's content; `None` if it does not exist.
    pub(crate) fn read<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, VersionedFileError> {
        let text = atomic_file::read(path, self.max_bytes).map_err(|source| VersionedFileError::Io {
            path: path.to_owned(),
            source,
        })?;
        text.map(|text| self.parse(path, &text)).transpose()
    }

    fn parse<T: DeserializeOwned>(&self, path: &Path, text: &[u8]) -> Result<T, VersionedFileError> {
        let malformed = |source| VersionedFileError::Malformed {
            path: path.to_owned(),
            source,
        };
        let Head { format, version } = serde_json::from_slice(text).map_err(malformed)?;
        if format != self.format || version != self.version {
            return Err(VersionedFileError::Format {
                path: path.to_owned(),
                format,
                version,
            });
        }
        serde_json::from_slice(text).map_err(malformed)
    }

    /// Replaces the file's content, durably. `content` has the members `format` and `version` itself.
    pub(crate) fn write<T: Serialize>(&self, path: &Path, content: &T) -> Result<(), VersionedFileError> {
        let text = serde_json::to_vec_pretty(content).map_err(|source| VersionedFileError::Malformed {
            path: path.to_owned(),
            source,
        })?;
        atomic_file::write(path, &text, self.history).map_err(|source| VersionedFileError::Io {
            path: path.to_owned(),
            source,
        })
    }
}
