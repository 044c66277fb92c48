//! Why records were not archived.

use std::io;
use std::path::PathBuf;

use super::openpgp::OpenPgpError;
use super::seal::SealError;
use crate::message_log::{LogError, ReadError};

/// Why archiving stopped. What is in complete archives stays there, the rest waits for the next run.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The message log cannot be read.
    #[error("the message log cannot be read for the archive")]
    Read(#[from] ReadError),
    /// The message log cannot be written.
    #[error("the message log cannot note what was archived")]
    Write(#[from] LogError),
    /// The archive folder or a file in it cannot be written.
    #[error("archive {}: {source}", path.display())]
    Io {
        /// Folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The complete archive cannot be sealed; it stays under its temporary name and is sealed and named by a later run.
    #[error("archive {} cannot be sealed: {source}", path.display())]
    Seal {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SealError,
    },
    /// The archive cannot be encrypted.
    #[error("the archive of group {group:?} cannot be encrypted: {source}")]
    Encryption {
        /// Which group; empty: no grouping.
        group: String,
        /// Why.
        source: OpenPgpError,
    },
}

impl ArchiveError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Io { path, source }
    }
}
