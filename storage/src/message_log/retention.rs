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
    /// Records old enough but kept, because they are in no archive.
    pub kept_unarchived: u64,
}

/// What cleaning does with time-stamped records that are in no archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unarchived {
    /// Keeps them: there is an archive that they will go into.
    Keep,
    /// Removes them: nothing is archived.
    Remove,
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
    /// back. The caller subtracts the days to keep from its clock.
    ///
    /// Blocks, for minutes in a large log: for a background thread. Records are logged meanwhile.
    ///
    /// # Errors
    /// [`CleanError`]; records already removed stay removed.
    pub fn clean(&self, before: OffsetDateTime, unarchived: Unarchived) -> Result<Cleaned, CleanError> {
        let end = RecordId::first_at(before);
        let mut waiting = self.waiting_before(end)?;
        let kept_pending = count(&waiting.records);
        if unarchived == Unarchived::Keep {
            self.add_unarchived(end, &mut waiting)?;
        }
        let mut cleaned = Cleaned {
            removed: 0,
            kept_pending,
            kept_unarchived: count(&waiting.records) - kept_pending,
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
            let SignatureRef(signature) = pending.signature;
            waiting.signatures.insert(signature);
        }
        Ok(waiting)
    }

    fn add_unarchived(&self, end: RecordId, waiting: &mut Waiting) -> Result<(), ReadError> {
        for entry in self.records().to_archive_entries()? {
            let (id, entry) = entry?;
            if id >= end {
                break;
            }
            let SignatureRef(signature) = entry.signature;
            waiting.records.insert(id);
            waiting.signatures.insert(signature);
            waiting.time_stamps.extend(entry.time_stamp);
        }
        Ok(())
    }

    fn next_step(&self, from: RecordId, end: RecordId, waiting: &Waiting) -> Result<Deletion, ReadError> {
        let mut step = Deletion::default();
        for record in self.records().range_sealed(from, end)? {
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

    /// A time-stamp is younger than its records, so one older than `end` has only records that are gone or kept. A signature
    /// document is at most [`WINDOW`] older than its records, so one older than that before `end` has only records
    /// that are gone or kept.
    fn remove_shared_parts(
        &self,
        before: OffsetDateTime,
        end: RecordId,
        waiting: &Waiting,
    ) -> Result<(), CleanError> {
        let mut deletion = Deletion::default();
        let unshared = RecordId::first_at(before - WINDOW);
        for (column, end, kept) in [
            (Column::TimeStamp, end, &waiting.time_stamps),
            (Column::Signature, unshared, &waiting.signatures),
        ] {
            let ranges = ranges_between(kept, end).into_iter();
            deletion
                .ranges
                .extend(ranges.map(|(from, to)| (column, from, to)));
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
            Column::ToArchive,
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
    signatures: BTreeSet<RecordId>,
    time_stamps: BTreeSet<RecordId>,
}

fn count(ids: &BTreeSet<RecordId>) -> u64 {
    u64::try_from(ids.len()).unwrap_or(u64::MAX)
}

/// The ranges from the first id to `end` (excluded) that leave out what is kept.
fn ranges_between(kept: &BTreeSet<RecordId>, end: RecordId) -> Vec<(RecordId, RecordId)> {
    let mut ranges = Vec::new();
    let mut from = RecordId::MIN;
    for kept in kept.range(..end) {
        ranges.push((from, *kept));
        from = kept.next();
    }
    ranges.push((from, end));
    ranges.retain(|(from, to)| from < to);
    ranges
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
