//! How much waits for the disk, and how much may.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{LogError, Record};

/// What waits: counted by who hands records in, taken off by the writer. Records and not what they come in, as a worker
/// hands over hundreds together.
#[derive(Debug)]
pub(super) struct Waiting {
    records: AtomicUsize,
    bytes: AtomicUsize,
    most_records: usize,
    most_bytes: usize,
}

impl Waiting {
    pub(super) const fn at_most(most_records: usize, most_bytes: usize) -> Self {
        Self {
            records: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            most_records,
            most_bytes,
        }
    }

    pub(super) fn records(&self) -> usize {
        self.records.load(Ordering::Relaxed)
    }
}

/// The share of the records of one job. It ends when it is dropped: when they were written, or refused.
#[derive(Debug)]
pub(super) struct Share {
    of: Arc<Waiting>,
    records: usize,
    bytes: usize,
}

impl Share {
    pub(super) const fn none(of: Arc<Waiting>) -> Self {
        Self {
            of,
            records: 0,
            bytes: 0,
        }
    }

    pub(super) const fn records(&self) -> usize {
        self.records
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// One more record of so many bytes, if it fits; where nothing waits, a record of any size does.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), LogError> {
        let records = self.of.records.fetch_add(1, Ordering::Relaxed);
        let before = self.of.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.records += 1;
        self.bytes += bytes;
        let fits = records == 0 || before.saturating_add(bytes) <= self.of.most_bytes;
        if records < self.of.most_records && fits {
            return Ok(());
        }
        self.shrink(1, bytes);
        Err(LogError::Overloaded { waiting: records })
    }

    fn shrink(&mut self, records: usize, bytes: usize) {
        self.records -= records;
        self.bytes -= bytes;
        self.of.records.fetch_sub(records, Ordering::Relaxed);
        self.of.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink(self.records, self.bytes);
    }
}

/// Memory of a record: a signature document counts with each, though those of a batch may have it in common.
pub(super) fn size(record: &Record) -> usize {
    let rest = record.body.as_ref().map_or(0, |body| body.last.len());
    let chain = record.hash_chain.as_ref().map_or(0, bytes::Bytes::len);
    record.message.len() + record.signature.len() + chain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused_at(share: &mut Share, bytes: usize) -> Option<usize> {
        match share.grow(bytes) {
            Ok(()) => None,
            Err(LogError::Overloaded { waiting }) => Some(waiting),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn records_fit_up_to_their_number_whatever_they_come_in() {
        let waiting = Arc::new(Waiting::at_most(3, 100));
        let (mut one, mut other) = (
            Share::none(Arc::clone(&waiting)),
            Share::none(Arc::clone(&waiting)),
        );
        assert_eq!(refused_at(&mut one, 1), None);
        assert_eq!(refused_at(&mut one, 1), None);
        assert_eq!(refused_at(&mut other, 1), None);
        assert_eq!(refused_at(&mut other, 1), Some(3));
        assert_eq!((one.records(), other.records(), waiting.records()), (2, 1, 3));
        drop(one);
        assert_eq!(waiting.records(), 1);
        assert_eq!(refused_at(&mut other, 1), None);
    }

    #[test]
    fn records_fit_up_to_their_bytes_but_one_alone_always_does() {
        let waiting = Arc::new(Waiting::at_most(10, 100));
        let (mut one, mut other) = (
            Share::none(Arc::clone(&waiting)),
            Share::none(Arc::clone(&waiting)),
        );
        assert_eq!(refused_at(&mut one, 60), None);
        assert_eq!(refused_at(&mut other, 41), Some(1));
        assert_eq!(refused_at(&mut other, 40), None);
        drop((one, other));
        let mut huge = Share::none(Arc::clone(&waiting));
        assert_eq!(refused_at(&mut huge, 1000), None);
        assert_eq!(refused_at(&mut huge, 0), Some(1));
        drop(huge);
        assert_eq!(waiting.bytes.load(Ordering::Relaxed), 0);
    }
}
