//! The one thread that writes: it takes whatever waits, writes it as one batch and syncs once for all of it.
//!
//! There is no timer. While the disk syncs one group, the next one gathers; a lone record waits for nobody.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reply::Reply;
use rocksdb::{DB, WriteBatch, WriteOptions};
use time::OffsetDateTime;
use tracing::{error, warn};

use super::archiving::{self, PreparedArchive};
use super::body::{BodyState, Chunk};
use super::codec::{self, References, Stamp, ToArchive};
use super::columns::Column;
use super::encryption::Seal;
use super::figures::Counters;
use super::id::{RecordId, Sequence, micros};
use super::record::{LoggedBody, Record, SignatureRef};
use super::shared_signatures::SharedSignatures;
use super::waiting::Share;
use super::{DatabaseError, LogError, LogReceipt, meta};

/// A group is closed when it has this many records and other changes; the last job may bring more.
const MAX_GROUP: usize = 1024;
/// A group is closed when it has this many bytes.
const MAX_GROUP_BYTES: usize = 4 << 20;
/// Chunks that are written at once where no record needs more: records do not wait for megabytes of somebody else's body.
const CHUNKS_AT_ONCE: usize = 8;
/// Bytes of the buffer for values that are kept for the next value.
const KEPT_BUFFER: usize = 64 << 10;
/// How often abandoned bodies are looked for while some body is being written.
const SWEEP: Duration = Duration::from_millis(500);

/// `failing_since` while time-stamping does not fail.
pub(super) const NOT_FAILING: i64 = i64::MIN;

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Job {
    /// Records that are written by one sync.
    Append(Vec<(Appended, Reply<Result<LogReceipt, LogError>>)>, Share),
    Change(Change, Reply<Result<(), LogError>>),
}

impl Job {
    /// Whether chunks of its records' bodies may wait still.
    fn has_chunks(&self) -> bool {
        let has_chunks = |record: &Record| record.body.as_ref().is_some_and(|body| body.sent > 0);
        matches!(self, Self::Append(records, _) if records.iter().any(|(appended, _)| has_chunks(&appended.record)))
    }

    /// Tells everybody who waits that nothing was written.
    pub(super) fn refuse(self, problem: &LogError) {
        match self {
            Self::Append(records, _) => {
                for (_, reply) in records {
                    reply.send(Err(problem.clone()));
                }
            }
            Self::Change(_, reply) => reply.send(Err(problem.clone())),
        }
    }

    /// Records, or one for another change, and their bytes.
    fn size(&self) -> (usize, usize) {
        match self {
            Self::Append(_, share) => (share.records(), share.bytes()),
            Self::Change(..) => (1, 0),
        }
    }
}

/// A record to write, its message encrypted if the log is.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) record: Record,
    pub(super) message_seal: Option<Seal>,
}

/// Any change but a new record.
#[derive(Debug)]
pub(super) enum Change {
    /// A record was time-stamped alone.
    StampSingle {
        id: RecordId,
        signed: SignatureRef,
        signature: Vec<u8>,
    },
    /// Records were time-stamped together.
    StampBatch {
        now: OffsetDateTime,
        token: Vec<u8>,
        hash_chain_result: Vec<u8>,
        chains: Vec<Bytes>,
        /// Each with the number of its hash chain.
        records: Vec<(RecordId, SignatureRef, u32)>,
    },
    /// Time-stamping began to fail, or ceased to.
    FailingSince(Option<OffsetDateTime>),
    /// Records and what belongs to them are removed.
    Delete(Box<Deletion>),
    /// An archive file is complete under its temporary name.
    PrepareArchive(Box<PreparedArchive>),
    /// It has its final name: its records are archived.
    FinishArchive(Box<PreparedArchive>),
    /// It was lost: its records will be archived anew.
    ForgetArchive { group: String },
}

/// Keys to remove, in the words of the cleaner.
#[derive(Debug, Default)]
pub(super) struct Deletion {
    pub(super) keys: Vec<(Column, Vec<u8>)>,
    /// From the first (included) to the last (excluded).
    pub(super) ranges: Vec<(Column, Vec<u8>, Vec<u8>)>,
}

/// Answers one waiter once the outcome of its group is known.
#[derive(Debug)]
enum Waiter {
    Record(RecordId, Reply<Result<LogReceipt, LogError>>),
    Change(Reply<Result<(), LogError>>),
}

impl Waiter {
    /// The only place where receipts are made, called only with the outcome of a synced write. A waiter that went
    /// away is no error: its record stays.
    fn answer(self, outcome: &Result<(), LogError>) {
        match self {
            Self::Record(id, reply) => {
                reply.send(outcome.clone().map(|()| LogReceipt::after_sync(id)));
            }
            Self::Change(reply) => {
                reply.send(outcome.clone());
            }
        }
    }
}

/// What is written together.
#[derive(Default)]
struct Group {
    batch: WriteBatch,
    waiters: Vec<Waiter>,
    records: u64,
}

pub(super) struct Writer {
    pub(super) db: Arc<DB>,
    pub(super) jobs: flume::Receiver<Job>,
    pub(super) chunks: flume::Receiver<Chunk>,
    pub(super) sequence: Sequence,
    pub(super) counters: Arc<Counters>,
    pub(super) failing_since: Arc<AtomicI64>,
    signatures: SharedSignatures,
    /// Bytes of the last group: the next one will have as many.
    last_bytes: usize,
    /// Where values are made.
    value: Vec<u8>,
    /// Where what is digested for the index is gathered.
    fields: Vec<u8>,
    /// Bodies whose records were not written yet.
    open_bodies: HashMap<u64, Weak<BodyState>>,
    swept: Instant,
    stopped: bool,
}

/// What made the writer wake.
enum Wake {
    Job(Job),
    Chunk(Chunk),
    Nothing,
    Closed,
}

impl Writer {
    pub(super) fn new(
        db: Arc<DB>,
        (jobs, chunks): (flume::Receiver<Job>, flume::Receiver<Chunk>),
        sequence: Sequence,
        counters: Arc<Counters>,
        failing_since: Arc<AtomicI64>,
    ) -> Self {
        Self {
            db,
            jobs,
            chunks,
            sequence,
            counters,
            failing_since,
            signatures: SharedSignatures::default(),
            last_bytes: 0,
            value: Vec::new(),
            fields: Vec::new(),
            open_bodies: HashMap::new(),
            swept: Instant::now(),
            stopped: false,
        }
    }

    /// Runs until every handle of the log is gone and every job is answered.
    pub(super) fn run(mut self) {
        loop {
            let first = match self.wait() {
                Wake::Closed => break,
                Wake::Nothing => None,
                Wake::Job(job) => Some(job),
                Wake::Chunk(chunk) => {
                    self.write_chunks(chunk);
                    None
                }
            };
            if let Some(job) = first {
                self.write_group(job);
            }
            self.sweep();
        }
        self.sweep_now();
    }

    fn wait(&self) -> Wake {
        if let Ok(job) = self.jobs.try_recv() {
            return Wake::Job(job);
        }
        let selector = flume::Selector::new()
            .recv(&self.jobs, |job| job.map_or(Wake::Closed, Wake::Job))
            .recv(&self.chunks, |chunk| chunk.map_or(Wake::Closed, Wake::Chunk));
        if self.open_bodies.is_empty() {
            return selector.wait();
        }
        selector.wait_timeout(SWEEP).unwrap_or(Wake::Nothing)
    }

    /// Chunks alone are written without a sync: the sync of their record comes after them in the same log of writes.
    fn write_chunks(&mut self, first: Chunk) {
        let mut batch = WriteBatch::default();
        let outcome = self
            .put_chunk(&mut batch, first)
            .and_then(|()| self.put_waiting_chunks(&mut batch, CHUNKS_AT_ONCE));
        let outcome = outcome.and_then(|()| self.write(batch, false));
        if let Err(problem) = outcome {
            self.stop(problem);
        }
    }

    fn write_group(&mut self, first: Job) {
        let started = Instant::now();
        let mut group = Group {
            batch: WriteBatch::with_capacity_bytes(self.last_bytes),
            ..Group::default()
        };
        let jobs = self.gather(first);
        let chunks = if jobs.iter().any(Job::has_chunks) {
            self.chunks.len()
        } else {
            CHUNKS_AT_ONCE
        };
        let outcome = self
            .put_waiting_chunks(&mut group.batch, chunks)
            .and_then(|()| self.put_jobs(&mut group, jobs))
            .and_then(|()| {
                let bytes = group.batch.size_in_bytes();
                let begun = Instant::now();
                self.write(std::mem::take(&mut group.batch), true)?;
                let sync = begun.elapsed();
                self.counters.group(group.records, bytes, sync, started.elapsed());
                self.last_bytes = bytes.min(MAX_GROUP_BYTES);
                Ok(())
            });
        let outcome = outcome.map_err(|problem| self.stop(problem));
        for waiter in group.waiters {
            waiter.answer(&outcome);
        }
    }

    /// Everything that waits, up to the bounds of a group. The bodies of these records are in the queue of chunks by
    /// now, because a body is finished before its record is handed in.
    fn gather(&self, first: Job) -> Vec<Job> {
        let (mut records, mut bytes) = first.size();
        let mut jobs = vec![first];
        while records < MAX_GROUP && bytes < MAX_GROUP_BYTES {
            let Ok(job) = self.jobs.try_recv() else { break };
            let (more, larger) = job.size();
            records += more;
            bytes += larger;
            jobs.push(job);
        }
        jobs
    }

    fn put_jobs(&mut self, group: &mut Group, jobs: Vec<Job>) -> Result<(), DatabaseError> {
        let mut outcome = Ok(());
        for job in jobs {
            match job {
                Job::Append(records, _waited) => {
                    for (appended, reply) in records {
                        let id = self.sequence.next(appended.record.time);
                        group.waiters.push(Waiter::Record(id, reply));
                        group.records += 1;
                        outcome = outcome.and_then(|()| self.put_record(&mut group.batch, id, &appended));
                    }
                }
                Job::Change(change, reply) => {
                    group.waiters.push(Waiter::Change(reply));
                    outcome = outcome.and_then(|()| self.put_change(&mut group.batch, change));
                }
            }
        }
        outcome
    }

    fn put_record(
        &mut self,
        batch: &mut WriteBatch,
        id: RecordId,
        Appended { record, message_seal }: &Appended,
    ) -> Result<(), DatabaseError> {
        let signature = self.put_signature(batch, id, record)?;
        let body = self.put_body(batch, record)?;
        let SignatureRef(signature_id) = signature;
        let references = References {
            signature,
            body,
            message_seal: message_seal.as_ref(),
        };
        self.value = codec::encode_record(record, references, std::mem::take(&mut self.value));
        batch.put_cf(Column::Record.of(&self.db)?, id.to_key(), &self.value);
        self.value.shrink_to(KEPT_BUFFER);
        batch.put_cf(Column::Pending.of(&self.db)?, id.to_key(), signature_id.to_key());
        let digest = codec::index_digest(&record.client, &record.query_id, &mut self.fields);
        batch.put_cf(Column::Index.of(&self.db)?, codec::index_key(digest, id), []);
        Ok(())
    }

    fn put_signature(
        &mut self,
        batch: &mut WriteBatch,
        id: RecordId,
        record: &Record,
    ) -> Result<SignatureRef, DatabaseError> {
        if let Some(known) = self
            .signatures
            .find(id, &record.signature, record.hash_chain_result.as_ref())
        {
            return Ok(known);
        }
        let value = codec::encode_signature(&record.signature, record.hash_chain_result.as_deref());
        batch.put_cf(Column::Signature.of(&self.db)?, id.to_key(), value);
        Ok(self
            .signatures
            .remember(id, &record.signature, record.hash_chain_result.as_ref()))
    }

    fn put_body(
        &mut self,
        batch: &mut WriteBatch,
        record: &Record,
    ) -> Result<Option<LoggedBody>, DatabaseError> {
        let Some(body) = &record.body else { return Ok(None) };
        let id = body.state.id;
        let mut chunks = body.sent;
        if !body.last.is_empty() {
            batch.put_cf(
                Column::Body.of(&self.db)?,
                codec::chunk_key(id, chunks),
                &body.last,
            );
            chunks = chunks.saturating_add(1);
        }
        if self.open_bodies.remove(&id).is_some() {
            batch.delete_cf(Column::Meta.of(&self.db)?, codec::open_body_key(id));
        }
        Ok(Some(LoggedBody {
            length: body.length,
            id,
            chunks,
        }))
    }

    /// As many chunks as wait now, but not more than `most`; those that come meanwhile belong to later records.
    fn put_waiting_chunks(&mut self, batch: &mut WriteBatch, most: usize) -> Result<(), DatabaseError> {
        for _ in 0..self.chunks.len().min(most) {
            let Ok(chunk) = self.chunks.try_recv() else { break };
            self.put_chunk(batch, chunk)?;
        }
        Ok(())
    }

    fn put_chunk(&mut self, batch: &mut WriteBatch, chunk: Chunk) -> Result<(), DatabaseError> {
        let id = chunk.body.id;
        if let Entry::Vacant(unknown) = self.open_bodies.entry(id) {
            unknown.insert(Arc::downgrade(&chunk.body));
            batch.put_cf(Column::Meta.of(&self.db)?, codec::open_body_key(id), []);
        }
        batch.put_cf(
            Column::Body.of(&self.db)?,
            codec::chunk_key(id, chunk.number),
            &chunk.bytes,
        );
        Ok(())
    }

    fn put_change(&mut self, batch: &mut WriteBatch, change: Change) -> Result<(), DatabaseError> {
        match change {
            Change::StampSingle {
                id,
                signed,
                signature,
            } => self.put_stamp(batch, id, signed, &Stamp::Single(signature)),
            Change::StampBatch {
                now,
                token,
                hash_chain_result,
                chains,
                records,
            } => {
                let shared = self.sequence.next(now);
                let column = Column::TimeStamp.of(&self.db)?;
                let value = codec::encode_time_stamp(&token, &hash_chain_result);
                batch.put_cf(column, shared.to_key(), value);
                for (number, chain) in (0..).zip(&chains) {
                    batch.put_cf(
                        column,
                        codec::chain_key(shared, number),
                        codec::encode_chain(chain),
                    );
                }
                records.into_iter().try_for_each(|(id, signed, chain)| {
                    self.put_stamp(batch, id, signed, &Stamp::Shared(shared, chain))
                })
            }
            Change::FailingSince(since) => self.put_failing_since(batch, since),
            Change::Delete(deletion) => self.put_deletion(batch, &deletion),
            Change::PrepareArchive(archive) => archive.put_prepared(&self.db, batch),
            Change::FinishArchive(archive) => archive.put_finished(&self.db, batch),
            Change::ForgetArchive { group } => archiving::put_forgotten(&self.db, batch, &group),
        }
    }

    fn put_stamp(
        &self,
        batch: &mut WriteBatch,
        id: RecordId,
        signed: SignatureRef,
        stamp: &Stamp,
    ) -> Result<(), DatabaseError> {
        batch.put_cf(Column::Stamp.of(&self.db)?, id.to_key(), stamp.encode());
        // Each key of this column is put once and deleted once: the two vanish together when a memtable is flushed.
        batch.single_delete_cf(Column::Pending.of(&self.db)?, id.to_key());
        let waits = ToArchive::new(signed, stamp);
        batch.put_cf(Column::ToArchive.of(&self.db)?, id.to_key(), waits.encode());
        Ok(())
    }

    fn put_failing_since(
        &self,
        batch: &mut WriteBatch,
        since: Option<OffsetDateTime>,
    ) -> Result<(), DatabaseError> {
        let meta = Column::Meta.of(&self.db)?;
        match since {
            Some(since) => batch.put_cf(meta, meta::FAILING_SINCE, micros(since).to_le_bytes()),
            None => batch.delete_cf(meta, meta::FAILING_SINCE),
        }
        self.failing_since
            .store(since.map_or(NOT_FAILING, micros), Ordering::Relaxed);
        Ok(())
    }

    fn put_deletion(&self, batch: &mut WriteBatch, deletion: &Deletion) -> Result<(), DatabaseError> {
        let db = &self.db;
        for (column, key) in &deletion.keys {
            batch.delete_cf(column.of(db)?, key);
        }
        for (column, from, to) in &deletion.ranges {
            batch.delete_range_cf(column.of(db)?, from, to);
        }
        batch.put_cf(
            Column::Meta.of(db)?,
            meta::LAST_ID,
            self.sequence.last().get().to_le_bytes(),
        );
        Ok(())
    }

    fn write(&self, batch: WriteBatch, sync: bool) -> Result<(), DatabaseError> {
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.db.write_opt(batch, &options).map_err(DatabaseError::from)
    }

    /// After a failed write nobody knows what is on the disk, so nothing is acknowledged any more: jobs that wait and
    /// jobs that come are answered with an error until the last handle is gone.
    fn stop(&mut self, problem: DatabaseError) -> LogError {
        error!(error = %problem, "the message log cannot be written; it takes no more records");
        self.stopped = true;
        // Whoever writes a body is told at once, not when the queue is full.
        (_, self.chunks) = flume::bounded(0);
        LogError::Write(Arc::new(problem))
    }

    fn sweep(&mut self) {
        if self.stopped {
            self.refuse_the_rest();
        } else if !self.open_bodies.is_empty() && self.swept.elapsed() >= SWEEP {
            self.swept = Instant::now();
            self.sweep_now();
        }
    }

    fn refuse_the_rest(&self) {
        self.jobs.iter().for_each(|job| job.refuse(&LogError::Stopped));
    }

    /// Removes bodies that nobody holds any more. A chunk in the queue holds its body, so none comes after this.
    fn sweep_now(&mut self) {
        let abandoned: Vec<u64> = self
            .open_bodies
            .iter()
            .filter(|(_, open)| open.strong_count() == 0)
            .map(|(id, _)| *id)
            .collect();
        if abandoned.is_empty() || self.stopped {
            return;
        }
        if let Err(problem) = remove_bodies(&self.db, &abandoned) {
            warn!(error = %problem, "abandoned bodies could not be removed; they are when the log is opened again");
        }
        for id in abandoned {
            self.open_bodies.remove(&id);
        }
    }
}

/// Removes chunks and markers of bodies that never got a record.
pub(super) fn remove_bodies(db: &DB, bodies: &[u64]) -> Result<(), DatabaseError> {
    let mut batch = WriteBatch::default();
    for id in bodies {
        let end = codec::chunk_key(id.saturating_add(1), 0);
        batch.delete_range_cf(Column::Body.of(db)?, codec::chunk_key(*id, 0), end);
        batch.delete_cf(Column::Meta.of(db)?, codec::open_body_key(*id));
    }
    db.write(batch)?;
    Ok(())
}
