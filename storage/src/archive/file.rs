//! One archive file under way.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use protocol_signature::zip_stream::{Level, ZipStream};
use time::OffsetDateTime;

use super::openpgp::Recipients;
use super::sink::Sink;
use super::{ArchiveError, DigestAlgorithm, LINKING_INFO, LinkingInfo, MAX_CONTAINERS, group, local_time};
use crate::message_log::{ArchiveLink, LoggedRecord, PreparedArchive, RecordId, Records, container_name};

/// Bytes gathered before they go into the file.
const BUFFER: usize = 64 << 10;
/// Names of files that are not finished begin and end so.
pub(super) const TEMPORARY: (&str, &str) = ("tmp-mlog-", ".tmp");

/// An archive file that is being written under a temporary name, which goes if it is not finished.
#[derive(Debug)]
pub(super) struct ArchiveFile {
    temporary: Temporary,
    zip: ZipStream<Sink<BufWriter<File>>>,
    info: LinkingInfo,
    encrypted: bool,
    records: Vec<RecordId>,
    /// Bytes of the containers.
    size: u64,
    /// When the oldest and the youngest record were logged.
    times: Option<(OffsetDateTime, OffsetDateTime)>,
}

impl ArchiveFile {
    /// Begins the file that follows `previous`.
    pub(super) fn begin(
        folder: &Path,
        previous: ArchiveLink,
        algorithm: DigestAlgorithm,
        recipients: Option<Recipients>,
    ) -> Result<Self, ArchiveError> {
        let encrypted = recipients.is_some();
        let (temporary, file) = Temporary::make(folder)?;
        let file = BufWriter::with_capacity(BUFFER, file);
        let sink = Sink::new(file, recipients).map_err(ArchiveError::io(&temporary.path))?;
        Ok(Self {
            temporary,
            zip: ZipStream::new(sink),
            info: LinkingInfo::after(previous, algorithm),
            encrypted,
            records: Vec::new(),
            size: 0,
            times: None,
        })
    }

    /// Adds the container of a record.
    pub(super) fn add(&mut self, records: &Records, record: &LoggedRecord) -> Result<(), ArchiveError> {
        let failed = ArchiveError::io(&self.temporary.path);
        let name = container_name(record);
        let mut write = || {
            let entry = self.zip.entry(&name, record.time, Level::Zero)?;
            let mut digesting = self.info.algorithm.writer(entry);
            records.write_container(record, &mut digesting)?;
            let (entry, digest, size) = digesting.finish();
            entry.finish()?;
            Ok((digest, size))
        };
        let (digest, size) = write().map_err(failed)?;
        self.info.add(name, &digest);
        self.size = self.size.saturating_add(size);
        self.records.push(record.id);
        let (first, last) = self.times.unwrap_or((record.time, record.time));
        self.times = Some((first.min(record.time), last.max(record.time)));
        Ok(())
    }

    /// Whether the next container belongs into another file.
    pub(super) fn is_full(&self, max_size: u64) -> bool {
        self.size > max_size || self.records.len() >= MAX_CONTAINERS
    }

    /// Writes the linking information and syncs the file, which keeps its temporary name; gives the account of it, and
    /// what removes it if that is not taken.
    pub(super) fn finish(self, group: &str) -> Result<(PreparedArchive, Temporary), ArchiveError> {
        let Self {
            temporary,
            mut zip,
            info,
            times,
            ..
        } = self;
        let failed = ArchiveError::io(&temporary.path);
        let (first, last) = times.unwrap_or((OffsetDateTime::UNIX_EPOCH, OffsetDateTime::UNIX_EPOCH));
        let write = || {
            let mut entry = zip.entry(LINKING_INFO, last, Level::Zero)?;
            entry.write_all(info.render().as_bytes())?;
            entry.finish()?;
            zip.finish("")?.finish()?.into_inner()?.sync_all()
        };
        write().map_err(failed)?;
        let digest = info.last_digest().to_owned();
        let prepared = PreparedArchive {
            group: group.to_owned(),
            temporary: temporary.name.clone(),
            link: ArchiveLink {
                file: file_name(group, (first, last), &digest, self.encrypted),
                digest,
            },
            records: self.records,
        };
        Ok((prepared, temporary))
    }
}

fn file_name(
    group: &str,
    (first, last): (OffsetDateTime, OffsetDateTime),
    digest: &str,
    encrypted: bool,
) -> String {
    format!(
        "mlog-{}{}-{}-{:.16}.{}",
        group::file_prefix(group),
        local_time::stamp(first),
        local_time::stamp(last),
        digest,
        if encrypted { "zip.gpg" } else { "zip" }
    )
}

/// A file that is removed when its value is dropped.
#[derive(Debug)]
pub(super) struct Temporary {
    name: String,
    path: PathBuf,
    keep: bool,
}

impl Temporary {
    /// Readable by the server only: archives hold messages.
    fn make(folder: &Path) -> Result<(Self, File), ArchiveError> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let (begin, end) = TEMPORARY;
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("{begin}{}-{number}{end}", std::process::id());
        let path = folder.join(&name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o640);
        let file = options.open(&path).map_err(ArchiveError::io(&path))?;
        Ok((
            Self {
                name,
                path,
                keep: false,
            },
            file,
        ))
    }

    /// The log knows the file now: it stays.
    pub(super) fn keep(mut self) {
        self.keep = true;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_file(&self.path);
        }
    }
}
