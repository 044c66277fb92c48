//! What the signer has done, in all and with each key.

use serde::{Deserialize, Serialize};

/// What the signer has done since it started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Batches that were signed, a lone message counting as a batch of one.
    pub batches: u64,
    /// Messages that were signed.
    pub messages: u64,
    /// Signature operations of any kind.
    pub signatures: u64,
    /// Requests that were dropped because they had waited too long.
    pub expired: u64,
    /// Requests that were refused because a queue was full.
    pub refused: u64,
    /// The most messages in one batch.
    pub largest_batch: u64,
    /// The most messages that ever waited for one key.
    pub longest_queue: u64,
    /// Blocks of memory obtained or resized; 0 unless the signer was built to count them.
    pub allocations: u64,
}

impl Counters {
    /// Messages a batch on average; 0 before the first.
    #[must_use]
    pub fn mean_batch(&self) -> f64 {
        mean(self.messages, self.batches)
    }
}

/// What a key has done since the signer started.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct KeyFigures {
    /// The key's id.
    pub key: String,
    /// Messages that were signed.
    pub messages: u64,
    /// Batches that were signed, a lone message counting as a batch of one.
    pub batches: u64,
    /// The most messages in one batch.
    pub largest_batch: u64,
    /// Signatures over a digest as it is, such as those of TLS; those of certificate signing requests are not counted.
    pub digests: u64,
    /// Requests that wait now, each for one message or several.
    pub waiting: u64,
    /// The most requests that ever waited.
    pub longest_queue: u64,
    /// Requests whose signature was begun: those that `waited` counts.
    pub begun: u64,
    /// How long they waited for that together, in microseconds.
    pub waited: u64,
    /// The longest that one of them waited, in microseconds.
    pub longest_wait: u64,
    /// Requests that failed, by the fault code that they were answered with.
    pub failures: Vec<Failures>,
}

/// Requests that failed with the same fault.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failures {
    /// The fault code, without a prefix.
    pub code: String,
    /// How many.
    pub requests: u64,
}

impl KeyFigures {
    /// Messages a batch on average; 0 before the first.
    #[must_use]
    pub fn mean_batch(&self) -> f64 {
        mean(self.messages, self.batches)
    }

    /// How long a request waits on average until its signature is begun, in microseconds; 0 before the first.
    #[must_use]
    pub fn mean_wait(&self) -> f64 {
        mean(self.waited, self.begun)
    }
}

/// Counters stay far below 2^52, where f64 is exact.
fn mean(sum: u64, count: u64) -> f64 {
    if count == 0 {
        0.0
    } else {
        sum as f64 / count as f64
    }
}
