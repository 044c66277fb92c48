//! Removing what need not be kept any longer, oldest first. Never what has no time-stamp yet.

use std::collections::BTreeSet;

use rocksdb::{CompactOptions, IteratorMode, ReadOptions};
use time::OffsetDateTime;

use super::columns::Column;
use super::record::SignatureRef;
use super::shared_signatures::WINDOW;
use super::writer::{Change, Deletion};
use super::{DatabaseError, LogError, MessageLog, ReadError, RecordId, codec};

/// Records removed by one write.
const STEP: u64 = 5000;
/// Single keys removed by one write.
const KEYS: usize = 5000;
/// Ranges between kept records in which whole files are looked for; more are left to compaction.
const FILE_RANGES: usize = 1000;

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
        let mut bodies = Vec::new();
        let mut from = RecordId::MIN;
        while let Some(step) = self.next_step(from, end, &waiting)? {
            from = step.end;
            cleaned.removed += step.records;
            let deletion = step.deletion(&waiting);
            bodies.extend(step.bodies);
            self.change(Change::Delete(Box::new(deletion)))?;
        }
        if cleaned.removed > 0 {
            self.remove_index(end, &waiting)?;
            self.remove_shared_parts(before, end, &waiting)?;
            self.give_space_back(end, &waiting, &runs(bodies))?;
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

    /// The next records that go; `None`: no more.
    fn next_step(&self, from: RecordId, end: RecordId, waiting: &Waiting) -> Result<Option<Step>, ReadError> {
        let mut step = Step {
            begin: from,
            end: from,
            records: 0,
            bodies: Vec::new(),
        };
        for record in self.records().range_sealed(from, end)? {
            let record = record?;
            if waiting.records.contains(&record.id) {
                continue;
            }
            step.end = record.id.next();
            step.records += 1;
            step.bodies.extend(record.body.map(|body| body.id));
            if step.records == STEP {
                break;
            }
        }
        Ok(Some(step).filter(|step| step.records > 0))
    }

    /// Whole buckets where nothing in them is kept; from the others the entries of what is gone.
    fn remove_index(&self, end: RecordId, waiting: &Waiting) -> Result<(), CleanError> {
        let last = codec::bucket(end);
        let mut mixed: BTreeSet<u32> = waiting
            .records
            .range(..end)
            .map(|id| codec::bucket(*id))
            .collect();
        mixed.insert(last);
        let mut whole = Deletion::default();
        let mut from = 0;
        for bucket in &mixed {
            if from < *bucket {
                whole
                    .ranges
                    .push((Column::Index, bucket_key(from), bucket_key(*bucket)));
            }
            from = bucket.saturating_add(1);
        }
        self.change(Change::Delete(Box::new(whole)))?;
        mixed
            .into_iter()
            .try_for_each(|bucket| self.remove_index_entries(bucket, end, waiting))
    }

    fn remove_index_entries(&self, bucket: u32, end: RecordId, waiting: &Waiting) -> Result<(), CleanError> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(bucket_key(bucket));
        options.set_iterate_upper_bound(bucket_key(bucket.saturating_add(1)));
        let db = &self.records().db;
        let mut gone = Deletion::default();
        for entry in db.iterator_cf_opt(Column::Index.of(db)?, options, IteratorMode::Start) {
            let (key, _) = entry.map_err(DatabaseError::from)?;
            if codec::index_entry(&key).is_some_and(|(_, id)| id < end && !waiting.records.contains(&id)) {
                gone.keys.push((Column::Index, key.into_vec()));
            }
            if gone.keys.len() == KEYS {
                self.change(Change::Delete(Box::new(std::mem::take(&mut gone))))?;
            }
        }
        Ok(self.change(Change::Delete(Box::new(gone)))?)
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
            let ranges = ranges_between(kept, RecordId::MIN, end);
            deletion.ranges.extend(of_column(column, &ranges));
        }
        Ok(self.change(Change::Delete(Box::new(deletion)))?)
    }

    /// RocksDB frees deleted space only when it compacts, which in a log without overwriting it has no other reason to.
    /// Files of which nothing is kept go without being read; the rest is compacted beside the load, and beside what
    /// RocksDB itself finds to compact meanwhile.
    fn give_space_back(
        &self,
        end: RecordId,
        waiting: &Waiting,
        bodies: &[(u64, u64)],
    ) -> Result<(), ReadError> {
        let db = &self.records().db;
        let unshared = RecordId::first_at(end.time() - WINDOW);
        for (column, end, kept) in [
            (Column::Record, end, &waiting.records),
            (Column::Stamp, end, &waiting.records),
            (Column::TimeStamp, end, &waiting.time_stamps),
            (Column::Signature, unshared, &waiting.signatures),
        ] {
            for (from, to) in ranges_between(kept, RecordId::MIN, end).iter().take(FILE_RANGES) {
                self.drop_files(column, from.to_key(), before(*to).to_key())?;
            }
        }
        for (first, end) in bodies.iter().take(FILE_RANGES) {
            let last = codec::chunk_key(end.saturating_sub(1), u32::MAX);
            self.drop_files(Column::Body, codec::chunk_key(*first, 0), last)?;
        }
        let mut options = CompactOptions::default();
        options.set_exclusive_manual_compaction(false);
        let compact = |column: Column, from: &[u8], to: &[u8]| {
            db.compact_range_cf_opt(column.of(db)?, Some(from), Some(to), &options);
            Ok::<_, ReadError>(())
        };
        for column in [
            Column::Record,
            Column::Signature,
            Column::Stamp,
            Column::TimeStamp,
            Column::Pending,
            Column::ToArchive,
        ] {
            compact(column, &RecordId::MIN.to_key(), &end.to_key())?;
        }
        let next_bucket = codec::bucket(end).saturating_add(1);
        compact(Column::Index, &bucket_key(0), &bucket_key(next_bucket))?;
        if let Some((_, end)) = bodies.last() {
            compact(Column::Body, &codec::chunk_key(0, 0), &codec::chunk_key(*end, 0))?;
        }
        Ok(())
    }

    /// Removes the files that have nothing outside of these keys, both included.
    fn drop_files<K: AsRef<[u8]>>(&self, column: Column, first: K, last: K) -> Result<(), DatabaseError> {
        let db = &self.records().db;
        Ok(db.delete_file_in_range_cf(column.of(db)?, first, last)?)
    }
}

/// Some records that go together.
struct Step {
    begin: RecordId,
    /// Excluded.
    end: RecordId,
    records: u64,
    bodies: Vec<u64>,
}

impl Step {
    /// What is removed of them, but for the index and what they share with others.
    fn deletion(&self, waiting: &Waiting) -> Deletion {
        let ranges = ranges_between(&waiting.records, self.begin, self.end);
        let mut deletion = Deletion::default();
        for column in [Column::Record, Column::Stamp, Column::ToArchive] {
            deletion.ranges.extend(of_column(column, &ranges));
        }
        for (from, to) in runs(self.bodies.clone()) {
            let key = |body| codec::chunk_key(body, 0).to_vec();
            deletion.ranges.push((Column::Body, key(from), key(to)));
        }
        deletion
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
fn ranges_between(kept: &BTreeSet<RecordId>, first: RecordId, end: RecordId) -> Vec<(RecordId, RecordId)> {
    let mut ranges = Vec::new();
    let mut from = first;
    for kept in kept.range(first..end) {
        ranges.push((from, *kept));
        from = kept.next();
    }
    ranges.push((from, end));
    ranges.retain(|(from, to)| from < to);
    ranges
}

fn of_column(
    column: Column,
    ranges: &[(RecordId, RecordId)],
) -> impl Iterator<Item = (Column, Vec<u8>, Vec<u8>)> + '_ {
    let key = |id: RecordId| id.to_key().to_vec();
    ranges
        .iter()
        .map(move |(from, to)| (column, key(*from), key(*to)))
}

/// Runs of neighbours among numbers, the second of each excluded.
fn runs(mut numbers: Vec<u64>) -> Vec<(u64, u64)> {
    numbers.sort_unstable();
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, end)) if *end >= number => *end = number.saturating_add(1),
            _ => runs.push((number, number.saturating_add(1))),
        }
    }
    runs
}

/// The id before.
fn before(id: RecordId) -> RecordId {
    RecordId::new(id.get().saturating_sub(1))
}

fn bucket_key(bucket: u32) -> Vec<u8> {
    bucket.to_be_bytes().to_vec()
}

impl From<DatabaseError> for CleanError {
    fn from(error: DatabaseError) -> Self {
        Self::Read(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_one_run() {
        assert_eq!(runs(vec![5, 1, 2, 9, 3, 3]), [(1, 4), (5, 6), (9, 10)]);
        assert_eq!(runs(Vec::new()), []);
    }

    #[test]
    fn ranges_leave_out_what_is_kept() {
        let id = RecordId::new;
        let kept = [id(2), id(3), id(9)].into();
        assert_eq!(
            ranges_between(&kept, id(1), id(9)),
            [(id(1), id(2)), (id(4), id(9))]
        );
    }
}
