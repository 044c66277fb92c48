//! What can go wrong with the message log.

use std::path::PathBuf;
use std::sync::Arc;

use super::RecordId;
use super::encryption::SealError;
use super::encryption::key_check::KeyMismatch;
use crate::time_stamping::Refusal;

/// Why a record was not logged. The exchange must fail; nothing was acknowledged.
///
/// Cheap to clone: one failed write answers all who waited for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// Records could be written but no longer time-stamped.
    #[error(transparent)]
    TimeStamping(#[from] Refusal),
    /// More records wait than the queue holds: the disk is too slow for the load.
    #[error("the message log is overloaded: {waiting} records wait for the disk")]
    Overloaded {
        /// Length of the queue.
        waiting: usize,
    },
    /// A field is longer than the format allows.
    #[error("the {field} is too long to be logged: {length} bytes, at most {limit}")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Its length in bytes.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The body handed in with the record was written into another log.
    #[error("the body of the record was not written into this message log")]
    ForeignBody,
    /// The future of [`BodyWriter::append`](super::BodyWriter::append) was dropped before it was done.
    #[error("a part of the body was not written because writing it was cancelled")]
    BodyIncomplete,
    /// The message or body cannot be encrypted.
    #[error("the message cannot be encrypted for the message log")]
    Encryption(#[from] SealError),
    /// RocksDB did not write. Final: see [`LogError::Stopped`].
    #[error("the message log cannot be written")]
    Write(#[source] Arc<DatabaseError>),
    /// An earlier write failed, or the log is being closed: it takes no more records.
    #[error("the message log takes no more records, because a write failed or because it is being closed")]
    Stopped,
}

impl LogError {
    /// The fault code of the reference, without the side's prefix (wire.md 1.8, 5.2).
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::TimeStamping(refusal) => refusal.fault_code(),
            _ => "logging_failed",
        }
    }
}

/// Why a message log was not opened. Nothing was changed on the disk.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// RocksDB cannot open the directory; most often another process has it open.
    #[error("cannot open the message log in {}", directory.display())]
    Database {
        /// Which directory.
        directory: PathBuf,
        /// What RocksDB says.
        #[source]
        source: DatabaseError,
    },
    /// The log was written in a format that this version does not know.
    #[error("the message log in {} has format {found}, this version knows format {known}", directory.display())]
    Format {
        /// Which directory.
        directory: PathBuf,
        /// The version found, or why it could not be read.
        found: String,
        /// The version known.
        known: u32,
    },
    /// What is in the log cannot be read.
    #[error("the message log in {} is damaged", directory.display())]
    Damaged {
        /// Which directory.
        directory: PathBuf,
        /// What is damaged.
        #[source]
        source: ReadError,
    },
    /// The keys given are not those of the log.
    #[error("the message log in {} is encrypted: {source}", directory.display())]
    Keys {
        /// Which directory.
        directory: PathBuf,
        /// Which key.
        #[source]
        source: KeyMismatch,
    },
    /// The writer thread cannot be started, or the temporary directory of a reader cannot be made.
    #[error("cannot open the message log in {}", directory.display())]
    Io {
        /// Which directory.
        directory: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
}

impl OpenError {
    /// Whether a process has the log open, perhaps one that was killed and has not quite ended.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        let Self::Database {
            source: DatabaseError::Rocks(error),
            ..
        } = self
        else {
            return false;
        };
        // RocksDB tells its lock apart from other input and output by the text alone, which names the file whether another
        // process has it or this one.
        error.kind() == rocksdb::ErrorKind::IOError && error.as_ref().contains("/LOCK: ")
    }
}

/// What RocksDB says, or what is missing in it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DatabaseError {
    /// An error of RocksDB.
    #[error(transparent)]
    Rocks(#[from] rocksdb::Error),
    /// A column family is missing.
    #[error("the column family {0} is missing")]
    NoColumn(&'static str),
}

impl From<rocksdb::Error> for ReadError {
    fn from(error: rocksdb::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Why something could not be read from the log.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// RocksDB cannot read.
    #[error("the message log cannot be read")]
    Database(#[from] DatabaseError),
    /// A value does not follow the format.
    #[error("{what} of record {id} is damaged: {problem}")]
    Damaged {
        /// Which part.
        what: &'static str,
        /// Of which record.
        id: RecordId,
        /// What is wrong with it.
        problem: super::codec::CodecError,
    },
    /// Something that a record refers to is not there.
    #[error("{what} of record {id} is missing")]
    Missing {
        /// Which part.
        what: &'static str,
        /// Of which record.
        id: RecordId,
    },
    /// A message or body is encrypted with a key that was not given.
    #[error("{what} of record {id} is encrypted with the key {key:?}, which was not given")]
    Locked {
        /// Which part.
        what: &'static str,
        /// Of which record.
        id: RecordId,
        /// Id of the key.
        key: String,
    },
    /// A message or body was not encrypted with the key given, or was changed.
    #[error("{what} of record {id} cannot be decrypted with the key {key:?}: another key, or it was changed")]
    NotDecrypted {
        /// Which part.
        what: &'static str,
        /// Of which record.
        id: RecordId,
        /// Id of the key.
        key: String,
    },
    /// The body is larger than the caller wants to hold.
    #[error("the body of record {id} has {length} bytes, more than the {limit} asked for")]
    BodyTooLarge {
        /// Of which record.
        id: RecordId,
        /// Its length.
        length: u64,
        /// The caller's limit.
        limit: u64,
    },
    /// What the log keeps of a group's archives does not follow the format.
    #[error("the entry of the archives of group {group:?} is damaged: {problem}")]
    DamagedArchive {
        /// Which group; empty: no grouping.
        group: String,
        /// What is wrong with it.
        problem: super::codec::CodecError,
    },
    /// A key of a column family does not follow the format.
    #[error("a key of {column} is damaged")]
    Key {
        /// Which column family.
        column: &'static str,
    },
}
