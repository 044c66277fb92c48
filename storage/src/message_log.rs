//! The message log: every message that this server signed or verified, as evidence (wire.md 4.3).
//!
//! [`MessageLog::append`] hands a record to the one writer thread and gives back a channel on which a [`LogReceipt`]
//! arrives once the record is on the disk. All records that wait share one write and one sync. Bodies stream in
//! through a [`BodyWriter`] before their record. [`Records`] reads; [`MessageLogReader`] does so from another process.
//!
//! **Invariant:** a receipt is made in one place, after a write with sync succeeded. After a failed write none is
//! ever made again by this instance.

mod archiving;
mod body;
mod codec;
mod columns;
mod container;
mod encryption;
mod error;
mod figures;
mod id;
mod meta;
mod reader;
mod receipt;
mod record;
mod records;
mod retention;
mod shared_signatures;
mod upgrade;
mod waiting;
mod writer;

#[cfg(test)]
mod encrypted_tests;
#[cfg(test)]
mod format_tests;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use reply::Reply;
use rocksdb::DB;
use time::OffsetDateTime;

pub use archiving::{ArchiveLink, PreparedArchive};
pub use body::{Body, BodyWriter, CHUNK};
pub use codec::{CodecError, MAX_KEY_FIELD};
pub use container::{container_name, escape};
pub use encryption::key_check::KeyMismatch;
pub use encryption::{KeyError, LogKeys, MAX_KEY_ID, SealError};
pub use error::{DatabaseError, LogError, OpenError, ReadError};
pub use figures::{Figures, GROUP_BOUNDS, Histogram, Memory, SYNC_BOUNDS};
pub use id::RecordId;
pub use reader::{MessageLogReader, SETTLE_ATTEMPTS};
pub use receipt::LogReceipt;
pub use record::{
    BatchTimeStamp, ContainerParts, Direction, LoggedBody, LoggedRecord, MessageKind, PendingRecord, Record,
    SignatureEvidence, SignatureRef, TimeStampEvidence,
};
pub use records::Records;
pub use retention::{CleanError, Cleaned, Unarchived};

use crate::time_stamping::{Policy, Rules};
use encryption::Content;
use figures::Counters;
use id::{Sequence, from_micros, micros};
use waiting::{Share, Waiting};
use writer::{Appended, Change, Job, NOT_FAILING, Writer};

/// Version of the format that is on the crate's page.
pub const FORMAT_VERSION: u32 = 3;

/// Records that may wait for the disk; the next one is refused with [`LogError::Overloaded`].
pub const DEFAULT_QUEUE: usize = 4096;

/// Bytes of records that may wait for the disk, with their messages, signature documents and what remains of a body; the next
/// record is refused with [`LogError::Overloaded`].
pub const DEFAULT_QUEUE_BYTES: usize = 128 << 20;

/// Chunks of bodies that may wait for the disk; the next one makes its sender wait. 64 chunks are 4 MiB.
const CHUNK_QUEUE: usize = 64;

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Records that may wait for the disk, [`DEFAULT_QUEUE`].
    pub queue: usize,
    /// Bytes of records that may wait, [`DEFAULT_QUEUE_BYTES`]; a larger record is taken when no other waits.
    pub queue_bytes: usize,
    /// When messages are refused because time-stamping fails.
    pub time_stamping: Rules,
    /// Nice value of the writer's thread: under load, who makes records goes first, so that more of them share a sync.
    pub nice: i32,
    /// Keys of an encrypted log; `None`: nothing is encrypted.
    pub keys: Option<Arc<LogKeys>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            queue: DEFAULT_QUEUE,
            queue_bytes: DEFAULT_QUEUE_BYTES,
            time_stamping: Rules::default(),
            nice: 0,
            keys: None,
        }
    }
}

/// The message log of this server: one per process, handles are cheap to clone and may be used from any thread.
///
/// Dropping the last handle writes what waits, then ends the writer thread.
#[derive(Clone, Debug)]
pub struct MessageLog {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// `None` only while the log is being closed.
    jobs: Option<flume::Sender<Job>>,
    waiting: Arc<Waiting>,
    chunks: flume::Sender<body::Chunk>,
    records: Records,
    thread: Option<JoinHandle<()>>,
    rules: Rules,
    provider_configured: AtomicBool,
    failing_since: Arc<AtomicI64>,
    next_body: AtomicU64,
    counters: Arc<Counters>,
}

/// What is in a log that was opened.
struct Found {
    db: DB,
    last_id: RecordId,
    next_body: u64,
    /// Since when time-stamping fails, or [`NOT_FAILING`].
    failing_since: i64,
}

impl Found {
    /// Opens the database, or makes one. Bodies that nobody finished are removed.
    fn in_directory(
        directory: &Path,
        keys: Option<&LogKeys>,
        (options, cache): (&rocksdb::Options, &rocksdb::Cache),
    ) -> Result<Self, OpenError> {
        let failed = |source: DatabaseError| meta::database(directory, source);
        let db = DB::open_cf_descriptors(options, directory, columns::descriptors(cache))
            .map_err(|source| failed(source.into()))?;
        meta::check_format(&db, directory, true)?;
        let abandoned = meta::open_bodies(&db).map_err(failed)?;
        writer::remove_bodies(&db, &abandoned).map_err(failed)?;
        let next_body = meta::next_body(&db).map_err(failed)?;
        let last_id = meta::last_id(&db).map_err(failed)?;
        let fits = encryption::key_check::check(&db, keys, last_id).map_err(failed)?;
        fits.map_err(|source| OpenError::Keys {
            directory: directory.into(),
            source,
        })?;
        let failing_since = meta::failing_since(&db).map_err(failed)?.unwrap_or(NOT_FAILING);
        Ok(Self {
            db,
            last_id,
            next_body,
            failing_since,
        })
    }
}

impl MessageLog {
    /// Opens the log in a directory, or makes a new one, and starts its writer thread.
    ///
    /// Bodies that were being written when the last run ended are removed.
    ///
    /// # Errors
    /// [`OpenError`] if another process has it open, its format is unknown or it cannot be read.
    pub fn open(directory: &Path, settings: Settings) -> Result<Self, OpenError> {
        let cache = columns::cache();
        Self::open_with(directory, settings, (&columns::writer_options(&cache), &cache))
    }

    fn open_with(
        directory: &Path,
        settings: Settings,
        (options, cache): (&rocksdb::Options, &rocksdb::Cache),
    ) -> Result<Self, OpenError> {
        let found = Found::in_directory(directory, settings.keys.as_deref(), (options, cache))?;
        let db = Arc::new(found.db);
        // Bounded by `waiting`, and changes by the threads that wait for theirs.
        let (jobs, jobs_of_writer) = flume::unbounded();
        let waiting = Arc::new(Waiting::at_most(settings.queue, settings.queue_bytes));
        let (chunks, chunks_of_writer) = flume::bounded(CHUNK_QUEUE);
        let counters = Arc::new(Counters::default());
        let failing_since = Arc::new(AtomicI64::new(found.failing_since));
        let writer = Writer::new(
            Arc::clone(&db),
            (jobs_of_writer, chunks_of_writer),
            Sequence::after(found.last_id),
            Arc::clone(&counters),
            Arc::clone(&failing_since),
        );
        let thread = std::thread::Builder::new()
            .name("message-log".into())
            .spawn(move || {
                reply::yield_to_askers(settings.nice);
                writer.run();
            })
            .map_err(|source| OpenError::Io {
                directory: directory.into(),
                source,
            })?;
        let inner = Inner {
            jobs: Some(jobs),
            waiting,
            chunks,
            records: Records {
                db,
                keys: settings.keys,
                oldest_pending: Arc::default(),
            },
            thread: Some(thread),
            rules: settings.time_stamping,
            provider_configured: AtomicBool::new(false),
            failing_since,
            next_body: AtomicU64::new(found.next_body),
            counters,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Hands a record to the writer. The receipt, or why there is none, arrives on the channel: take it with `recv()`
    /// or `recv_async()`. A channel that ends without either means [`LogError::Stopped`]. Dropping the channel does
    /// not take the record back.
    ///
    /// Does not block. The time-stamping rule (wire.md 5.2) is checked here, at the record's own time.
    #[must_use = "the record is durable only when its receipt arrives"]
    pub fn append(&self, record: Record) -> reply::Receiver<Result<LogReceipt, LogError>> {
        let (reply, answer) = reply::channel();
        self.append_to(record, reply);
        answer
    }

    /// As [`Self::append`], with the receipt where the caller wants it.
    pub fn append_to(&self, record: Record, reply: Reply<Result<LogReceipt, LogError>>) {
        self.append_all([(record, reply)]);
    }

    /// As [`Self::append_to`], for records that are written by one sync.
    pub fn append_all(
        &self,
        records: impl IntoIterator<Item = (Record, Reply<Result<LogReceipt, LogError>>)>,
    ) {
        let mut accepted = Vec::new();
        let mut share = Share::none(Arc::clone(&self.inner.waiting));
        for (record, reply) in records {
            match self.accept(record, &mut share) {
                Ok(appended) => accepted.push((appended, reply)),
                Err(refused) => reply.send(Err(refused)),
            }
        }
        if !accepted.is_empty() {
            self.hand_over(Job::Append(accepted, share));
        }
    }

    fn accept(&self, record: Record, share: &mut Share) -> Result<Appended, LogError> {
        self.check(&record)?;
        share
            .grow(waiting::size(&record))
            .inspect_err(|_| self.inner.counters.refused())?;
        self.sealed(record)
    }

    /// Encrypts the message, if the log is encrypted, on the caller's thread: the writer serves all.
    fn sealed(&self, mut record: Record) -> Result<Appended, LogError> {
        let keys = self.inner.records.keys.as_deref();
        let Some(key) = keys.and_then(LogKeys::new_value).transpose()? else {
            return Ok(Appended {
                record,
                message_seal: None,
            });
        };
        record.message = key.seal(Content::Message, &record.message)?;
        Ok(Appended {
            record,
            message_seal: Some(key.seal_of().clone()),
        })
    }

    fn check(&self, record: &Record) -> Result<(), LogError> {
        self.time_stamping_policy().check(record.time)?;
        codec::check_lengths(record)?;
        match &record.body {
            Some(body) if !body.is_of(&self.inner.chunks) => Err(LogError::ForeignBody),
            _ => Ok(()),
        }
    }

    fn hand_over(&self, job: Job) {
        let Some(jobs) = &self.inner.jobs else { return };
        if let Err(flume::SendError(job)) = jobs.send(job) {
            job.refuse(&LogError::Stopped);
        }
    }

    /// Begins a body, to be finished and handed in with its record.
    #[must_use]
    pub fn body_writer(&self) -> BodyWriter {
        let id = self.inner.next_body.fetch_add(1, Ordering::Relaxed);
        let key = self.inner.records.keys.as_deref().and_then(LogKeys::new_value);
        BodyWriter::new(id, self.inner.chunks.clone(), key)
    }

    /// Reading.
    #[must_use]
    pub fn records(&self) -> &Records {
        &self.inner.records
    }

    /// Figures for metrics.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.inner.counters.figures(self.inner.waiting.records())
    }

    /// Memory that the log takes now, for metrics.
    ///
    /// # Errors
    /// [`DatabaseError`] if the database does not tell.
    pub fn memory(&self) -> Result<Memory, DatabaseError> {
        Memory::of(&self.inner.records.db)
    }

    /// The time-stamping rule as it stands.
    #[must_use]
    pub fn time_stamping_policy(&self) -> Policy {
        let since =
            Some(self.inner.failing_since.load(Ordering::Relaxed)).filter(|since| *since != NOT_FAILING);
        let mut policy = Policy::new(self.inner.rules, since.map(from_micros));
        policy.set_provider_configured(self.inner.provider_configured.load(Ordering::Relaxed));
        policy
    }

    /// Tells the time-stamping rule whether the server configuration names a time-stamping service. Until this is
    /// called with `true`, every record is refused.
    pub fn set_time_stamping_provider_configured(&self, configured: bool) {
        self.inner
            .provider_configured
            .store(configured, Ordering::Relaxed);
    }

    /// A round of time-stamping failed at `at`; kept over restarts. Blocks until it is durable.
    ///
    /// # Errors
    /// [`LogError`] if it cannot be written.
    pub fn time_stamping_failed(&self, at: OffsetDateTime) -> Result<(), LogError> {
        let mut policy = self.time_stamping_policy();
        let before = policy;
        policy.failed(at);
        self.keep_policy(before, policy)
    }

    /// A round of time-stamping succeeded. Blocks until it is durable.
    ///
    /// # Errors
    /// [`LogError`] if it cannot be written.
    pub fn time_stamping_succeeded(&self) -> Result<(), LogError> {
        let mut policy = self.time_stamping_policy();
        let before = policy;
        policy.succeeded();
        self.keep_policy(before, policy)
    }

    fn keep_policy(&self, before: Policy, after: Policy) -> Result<(), LogError> {
        if before == after {
            Ok(())
        } else {
            self.change(Change::FailingSince(after.failing_since()))
        }
    }

    /// A record was time-stamped alone: `signature` is its signature document with the embedded token (wire.md 4.2).
    /// Blocks until it is durable.
    ///
    /// # Errors
    /// [`MarkError::NotPending`] if the record has a time-stamp or does not exist.
    pub fn mark_time_stamped(&self, id: RecordId, signature: Vec<u8>) -> Result<(), MarkError> {
        let Some(signed) = self.records().waits_with(id)? else {
            return Err(MarkError::NotPending { id });
        };
        Ok(self.change(Change::StampSingle {
            id,
            signed,
            signature,
        })?)
    }

    /// Records were time-stamped together at `now`: the token and hash chain result are stored once, each record gets
    /// its hash chain (wire.md 4.2). Records that have got a time-stamp meanwhile keep theirs. Blocks until it is durable.
    ///
    /// # Errors
    /// [`MarkError`] if it cannot be written.
    pub fn mark_batch_time_stamped(&self, stamp: SharedTimeStamp) -> Result<(), MarkError> {
        let SharedTimeStamp {
            now,
            token,
            hash_chain_result,
            records: all,
        } = stamp;
        let waiting = self.records().waiting_among(all)?;
        let (chains, records) = numbered(waiting);
        Ok(self.change(Change::StampBatch {
            now,
            token,
            hash_chain_result,
            chains,
            records,
        })?)
    }

    /// Waits in line with the records; from threads that may block.
    fn change(&self, change: Change) -> Result<(), LogError> {
        let (reply, answer) = reply::channel();
        let jobs = self.inner.jobs.as_ref().ok_or(LogError::Stopped)?;
        jobs.send(Job::Change(change, reply))
            .map_err(|_| LogError::Stopped)?;
        answer.recv().unwrap_or(Err(LogError::Stopped))
    }
}

impl Drop for Inner {
    /// Ends the queue, so that the writer answers what is in it and ends.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A time-stamp over several records.
#[derive(Clone, Debug)]
pub struct SharedTimeStamp {
    /// When it was received.
    pub now: OffsetDateTime,
    /// `META-INF/timestamp.tst`, DER, with the certificate of the authority added.
    pub token: Vec<u8>,
    /// `ts-hashchainresult.xml`.
    pub hash_chain_result: Vec<u8>,
    /// Each record and its `ts-hashchain.xml`; those of records with the same signature document are stored once.
    pub records: Vec<(RecordId, Bytes)>,
}

/// Hash chains, each once, and the records with the numbers of theirs.
fn numbered(
    records: Vec<(RecordId, SignatureRef, Bytes)>,
) -> (Vec<Bytes>, Vec<(RecordId, SignatureRef, u32)>) {
    let (mut chains, mut known) = (Vec::<Bytes>::new(), HashMap::new());
    let mut number = |signed, chain: Bytes| {
        let next = u32::try_from(chains.len()).unwrap_or(u32::MAX);
        let (number, stored) = known.entry(signed).or_insert_with(|| (next, chain.clone()));
        if *stored == chain && *number != next {
            return *number;
        }
        chains.push(chain);
        next
    };
    let records = records
        .into_iter()
        .map(|(id, signed, chain)| (id, signed, number(signed, chain)))
        .collect();
    (chains, records)
}

/// Why a record was not marked as time-stamped.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// It has a time-stamp already, or was never logged.
    #[error("record {id} does not wait for a time-stamp")]
    NotPending {
        /// Which record.
        id: RecordId,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log cannot be written.
    #[error(transparent)]
    Write(#[from] LogError),
}

/// The smallest time difference that the log keeps apart, for callers that compare times: microseconds.
#[must_use]
pub fn as_logged(time: OffsetDateTime) -> OffsetDateTime {
    from_micros(micros(time))
}
