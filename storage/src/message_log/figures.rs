//! How the log is doing, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counted by the writer, read by anyone.
#[derive(Debug, Default)]
pub(super) struct Counters {
    records: AtomicU64,
    groups: AtomicU64,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Counters {
    pub(super) fn group(&self, records: u64, bytes: usize, took: Duration) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.bytes
            .fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.nanoseconds.fetch_add(
            u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
    }

    pub(super) fn figures(&self, waiting: usize) -> Figures {
        Figures {
            records: self.records.load(Ordering::Relaxed),
            syncs: self.groups.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            time: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
            waiting,
        }
    }
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
}
