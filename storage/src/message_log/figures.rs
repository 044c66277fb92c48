//! How the log is doing, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rocksdb::{DB, properties};

use super::DatabaseError;
use super::columns::Column;

/// Upper bounds of the buckets in which groups are counted by their records; larger ones follow in a last bucket.
pub const GROUP_BOUNDS: [u64; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/// The same of synced writes by their time, in microseconds.
pub const SYNC_BOUNDS: [u64; 9] = [100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 250_000];

/// Counts by size.
#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; 10],
    sum: AtomicU64,
}

impl Buckets {
    fn count(&self, bounds: &[u64; 9], size: u64) {
        let at = bounds.partition_point(|bound| *bound < size);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(size, Ordering::Relaxed);
    }

    fn read(&self) -> Histogram {
        Histogram {
            counts: self.counts.each_ref().map(|count| count.load(Ordering::Relaxed)),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

/// How many there were of each size, not cumulated, those above the last bound last; and the sum of all sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// One for each bound and one for what is above.
    pub counts: [u64; 10],
    /// In the unit of the bounds.
    pub sum: u64,
}

/// Counted by the writer, read by anyone.
#[derive(Debug, Default)]
pub(super) struct Counters {
    records: AtomicU64,
    groups: AtomicU64,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
    sizes: Buckets,
    syncs: Buckets,
    refused: AtomicU64,
}

impl Counters {
    /// A group was written and synced, which took `sync` of the time `took` since it was begun.
    pub(super) fn group(&self, records: u64, bytes: usize, sync: Duration, took: Duration) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(number(bytes), Ordering::Relaxed);
        self.nanoseconds
            .fetch_add(number(took.as_nanos()), Ordering::Relaxed);
        if records > 0 {
            self.sizes.count(&GROUP_BOUNDS, records);
        }
        self.syncs.count(&SYNC_BOUNDS, number(sync.as_micros()));
    }

    /// A record was refused because too many wait.
    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn figures(&self, waiting: usize) -> Figures {
        Figures {
            records: self.records.load(Ordering::Relaxed),
            syncs: self.groups.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            time: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
            waiting,
            refused: self.refused.load(Ordering::Relaxed),
            group_sizes: self.sizes.read(),
            sync_micros: self.syncs.read(),
        }
    }
}

fn number(value: impl TryInto<u64>) -> u64 {
    value.try_into().unwrap_or(u64::MAX)
}

/// Figures since the log was opened. `records / syncs` is the mean size of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Records made durable.
    pub records: u64,
    /// Synced writes: groups of records and of other changes.
    pub syncs: u64,
    /// Bytes written by them.
    pub bytes: u64,
    /// Time spent in gathering, writing and syncing them.
    pub time: Duration,
    /// Records waiting now.
    pub waiting: usize,
    /// Records refused because too many waited.
    pub refused: u64,
    /// Groups with records, by their number of records; the bounds are [`GROUP_BOUNDS`].
    pub group_sizes: Histogram,
    /// Synced writes by their time in microseconds; the bounds are [`SYNC_BOUNDS`].
    pub sync_micros: Histogram,
}

/// Memory of the log in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What was logged and is not in table files yet.
    pub memtables: u64,
    /// Blocks of table files, with their indexes.
    pub blocks: u64,
    /// What is kept of open files beside the blocks.
    pub tables: u64,
}

impl Memory {
    pub(super) fn of(db: &DB) -> Result<Self, DatabaseError> {
        let mut memory = Self::default();
        for column in Column::ALL {
            let column = column.of(db)?;
            let read = |name| Ok::<_, DatabaseError>(db.property_int_value_cf(column, name)?.unwrap_or(0));
            memory.memtables += read(properties::CUR_SIZE_ALL_MEM_TABLES)?;
            memory.tables += read(properties::ESTIMATE_TABLE_READERS_MEM)?;
            // One cache for all columns.
            memory.blocks = read(properties::BLOCK_CACHE_USAGE)?;
        }
        Ok(memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_counted_by_size_and_the_largest_beyond_the_last_bound() {
        let counters = Counters::default();
        for records in [0, 1, 3, 4, 1000] {
            counters.group(records, 10, Duration::from_micros(150), Duration::from_millis(1));
        }
        let figures = counters.figures(0);
        assert_eq!(figures.group_sizes.counts, [1, 0, 2, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(figures.group_sizes.sum, 1008);
        assert_eq!(figures.sync_micros.counts, [0, 5, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!((figures.records, figures.syncs), (1008, 5));
    }
}
