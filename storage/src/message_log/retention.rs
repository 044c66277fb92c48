//! Removing what need not be kept any longer, oldest first. Never what has no time-stamp yet.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::columns::Column;
use super::record::{LoggedRecord, SignatureRef};
use super::shared_signatures::WINDOW;
use super::writer::{Change, Deletion};
use super::{DatabaseError, LogError, MessageLog, ReadError, RecordId, codec};

/// Records removed by one write.
const STEP: usize = 500;

/// What a cleaning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Records removed.
    pub removed: u64,
    /// Records old enough but kept, because they wait for their time-stamp.
    pub kept_pending: u64,
}

/// Why cleaning stopped. What was removed so far was removed whole; the next cleaning goes on.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log cannot be written.
    #[error(transparent)]
    Write(#[from] LogError),
}

impl MessageLog {
    /// Removes the time-stamped records logged before `before`, with all that belongs to them, and gives the space
    /// back. The caller subtracts the days to keep from its clock, and keeps what is not archived yet.
    ///
    /// Blocks, for minutes in a large log: for a background thread. Records are logged meanwhile.
    ///
    /// # Errors
    /// [`CleanError`]; records already removed stay removed.
    pub fn clean(&self, before: OffsetDateTime) -> Result<Cleaned, CleanError> {
        let end = RecordId::first_at(before);
        let waiting = self.waiting_before(end)?;
        let mut cleaned = Cleaned {
            kept_pending: u64::try_from(waiting.records.len()).unwrap_or(u64::MAX),
            removed: 0,
        };
        let mut last_body = None;
        let mut from = RecordId::MIN;
        loop {
            let step = self.next_step(from, end, &waiting)?;
            let Some(last) = step.records.last() else { break };
            from = last.next();
            cleaned.removed += u64::try_from(step.records.len()).unwrap_or(u64::MAX);
            last_body = last_body.max(step.bodies.iter().map(|body| body.id).max());
            self.change(Change::Delete(Box::new(step)))?;
        }
        if cleaned.removed > 0 {
            self.remove_shared_parts(before, end, &waiting)?;
            self.give_space_back(end, last_body)?;
        }
        Ok(cleaned)
    }

    fn waiting_before(&self, end: RecordId) -> Result<Waiting, ReadError> {
        let mut waiting = Waiting::default();
        for pending in self.records().pending_entries()? {
            let pending = pending?;
            if pending.id >= end {
                break;
            }
            waiting.records.insert(pending.id);
            waiting.signatures.insert(pending.signature);
        }
        Ok(waiting)
    }

    fn next_step(&self, from: RecordId, end: RecordId, waiting: &Waiting) -> Result<Deletion, ReadError> {
        let mut step = Deletion::default();
        for record in self.records().range(from, end)? {
            let record = record?;
            if waiting.records.contains(&record.id) {
                continue;
            }
            add(&mut step, &record);
            if step.records.len() == STEP {
                break;
            }
        }
        Ok(step)
    }

    /// A time-stamp is younger than its records, so one older than `end` has only records that are gone. A signature
    /// document is at most [`WINDOW`] older than its records, so one older than that before `end` has only records
    /// that are gone or wait.
    fn remove_shared_parts(
        &self,
        before: OffsetDateTime,
        end: RecordId,
        waiting: &Waiting,
    ) -> Result<(), CleanError> {
        let mut deletion = Deletion::default();
        deletion.ranges.push((Column::TimeStamp, RecordId::MIN, end));
        let mut from = RecordId::MIN;
        let unshared = RecordId::first_at(before - WINDOW);
        for SignatureRef(kept) in waiting
            .signatures
            .iter()
            .filter(|SignatureRef(kept)| *kept < unshared)
        {
            deletion.ranges.push((Column::Signature, from, *kept));
            from = kept.next();
        }
        if from < unshared {
            deletion.ranges.push((Column::Signature, from, unshared));
        }
        Ok(self.change(Change::Delete(Box::new(deletion)))?)
    }

    /// RocksDB frees deleted space only when it compacts, which in a log without overwriting it has no other reason to.
    fn give_space_back(&self, end: RecordId, last_body: Option<u64>) -> Result<(), ReadError> {
        let db = &self.records().db;
        for column in [
            Column::Record,
            Column::Signature,
            Column::Stamp,
            Column::TimeStamp,
            Column::Pending,
        ] {
            db.compact_range_cf(column.of(db)?, Some(RecordId::MIN.to_key()), Some(end.to_key()));
        }
        db.compact_range_cf(Column::Index.of(db)?, None::<&[u8]>, None::<&[u8]>);
        if let Some(last) = last_body {
            let end = codec::chunk_key(last.saturating_add(1), 0);
            db.compact_range_cf(Column::Body.of(db)?, Some(codec::chunk_key(0, 0)), Some(end));
        }
        Ok(())
    }
}

/// What must stay though it is old.
#[derive(Debug, Default)]
struct Waiting {
    records: BTreeSet<RecordId>,
    signatures: BTreeSet<SignatureRef>,
}

fn add(step: &mut Deletion, record: &LoggedRecord) {
    step.records.push(record.id);
    step.index_keys
        .push(codec::index_key(&record.client, &record.query_id, record.id));
    step.bodies.extend(record.body);
}

impl From<DatabaseError> for CleanError {
    fn from(error: DatabaseError) -> Self {
        Self::Read(error.into())
    }
}
