//! What the signer has done since it started.

mod key;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub use key::KeyCounters;

/// The counters behind [`signer_client::Counters`].
#[derive(Debug, Default)]
pub struct Counters {
    batches: AtomicU64,
    messages: AtomicU64,
    signatures: AtomicU64,
    expired: AtomicU64,
    refused: AtomicU64,
    largest_batch: AtomicU64,
    longest_queue: AtomicU64,
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(feature = "count-allocations")]
fn allocations() -> u64 {
    let memory = stats_alloc::INSTRUMENTED_SYSTEM.stats();
    number(memory.allocations + memory.reallocations)
}

#[cfg(not(feature = "count-allocations"))]
const fn allocations() -> u64 {
    0
}

impl Counters {
    /// A batch of so many messages was signed.
    pub fn batch(&self, messages: usize) {
        self.batches.fetch_add(1, Relaxed);
        self.messages.fetch_add(number(messages), Relaxed);
        self.largest_batch.fetch_max(number(messages), Relaxed);
    }

    /// A token made a signature.
    pub fn signature(&self) {
        self.signatures.fetch_add(1, Relaxed);
    }

    /// A request had waited too long.
    pub fn expired(&self) {
        self.expired.fetch_add(1, Relaxed);
    }

    /// A request was refused because a queue was full.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// So many requests wait for one key.
    pub fn queue(&self, length: usize) {
        self.longest_queue.fetch_max(number(length), Relaxed);
    }

    /// The counters now.
    #[must_use]
    pub fn read(&self) -> signer_client::Counters {
        signer_client::Counters {
            batches: self.batches.load(Relaxed),
            messages: self.messages.load(Relaxed),
            signatures: self.signatures.load(Relaxed),
            expired: self.expired.load(Relaxed),
            refused: self.refused.load(Relaxed),
            largest_batch: self.largest_batch.load(Relaxed),
            longest_queue: self.longest_queue.load(Relaxed),
            allocations: allocations(),
        }
    }
}
