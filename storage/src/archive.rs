//! Archives: zip files of containers that prove in which order they were written (wire.md 4.6, features.md 7.5).
//!
//! Time-stamped records leave the message log in files `mlog-[<group>-]<first>-<last>-<digest>.zip`, `first` and `last`
//! being times of records in the local time zone. Each holds one container a record and, as its last entry,
//! `linkinginfo`: the digest and name of the file before it, the digest algorithm, and a digest for each container that
//! covers all before it. So files that follow one another are a chain of digests, one chain a group.
//!
//! [`run()`] archives what waits; [`verify()`] checks a file and [`Folder`] a chain of files. A file may be encrypted for the
//! operators or members that [`openpgp::Keyring`] names, and then ends in `.gpg`; [`Sink`] encrypts. Where the file system
//! can, the kernel lets nobody change a file any more ([`seal`]).
//!
//! **Invariant:** every record is in exactly one file of its group's chain, whenever the process is killed; see
//! [`crate::message_log`], which keeps the account.

mod digest;
mod error;
mod file;
mod folder;
mod group;
mod linking_info;
mod local_time;
pub mod openpgp;
mod run;
pub mod seal;
mod sink;
mod verify;

pub use digest::DigestAlgorithm;
pub use error::ArchiveError;
pub use folder::{ChainReport, Folder, is_archive_name};
pub use group::Grouping;
pub use linking_info::{LinkingInfo, LinkingInfoError, MAX_LINKING_INFO};
pub use run::{Archived, ArchivedFile, Settings, run};
pub use sink::Sink;
pub use verify::{FileReport, Problem, for_each_container, verify};

/// Name of the entry that ends an archive.
pub const LINKING_INFO: &str = "linkinginfo";
/// Size of the containers in a file above which the next file is begun (`archive-max-filesize`).
pub const DEFAULT_MAX_FILE_SIZE: u64 = 33_554_432;
/// Records archived before the account is settled (`archive-transaction-batch`).
pub const DEFAULT_BATCH: usize = 10_000;
/// Containers in one file at most, whatever their size: zip files end at 65,535 entries.
pub const MAX_CONTAINERS: usize = 60_000;
