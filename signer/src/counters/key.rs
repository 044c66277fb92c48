//! What one key has done since the signer started.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use signer_client::{Failures, KeyFigures, SignerError};

use super::{Counters, number};

/// The counters behind [`KeyFigures`]. What they count is counted for all keys too.
#[derive(Debug)]
pub struct KeyCounters {
    all: Arc<Counters>,
    batches: AtomicU64,
    messages: AtomicU64,
    largest_batch: AtomicU64,
    digests: AtomicU64,
    longest_queue: AtomicU64,
    begun: AtomicU64,
    waited: AtomicU64,
    longest_wait: AtomicU64,
    /// Locked by failures and by who reads.
    failures: Mutex<BTreeMap<&'static str, u64>>,
}

impl KeyCounters {
    /// Counters of a key that has done nothing; `all` are those of all keys.
    #[must_use]
    pub fn new(all: &Arc<Counters>) -> Self {
        Self {
            all: Arc::clone(all),
            batches: AtomicU64::default(),
            messages: AtomicU64::default(),
            largest_batch: AtomicU64::default(),
            digests: AtomicU64::default(),
            longest_queue: AtomicU64::default(),
            begun: AtomicU64::default(),
            waited: AtomicU64::default(),
            longest_wait: AtomicU64::default(),
            failures: Mutex::default(),
        }
    }

    /// A batch of so many messages was signed.
    pub fn batch(&self, messages: usize) {
        self.all.batch(messages);
        self.batches.fetch_add(1, Relaxed);
        self.messages.fetch_add(number(messages), Relaxed);
        self.largest_batch.fetch_max(number(messages), Relaxed);
    }

    /// The token was asked for a signature.
    pub fn signature(&self) {
        self.all.signature();
    }

    /// A digest was signed as it was.
    pub fn digest(&self) {
        self.digests.fetch_add(1, Relaxed);
    }

    /// So many requests wait.
    pub fn queue(&self, length: usize) {
        self.all.queue(length);
        self.longest_queue.fetch_max(number(length), Relaxed);
    }

    /// The signature of a request is begun; it waited so long.
    pub fn begun(&self, waited: Duration) {
        let waited = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.begun.fetch_add(1, Relaxed);
        self.waited.fetch_add(waited, Relaxed);
        self.longest_wait.fetch_max(waited, Relaxed);
    }

    /// A request was answered with an error.
    pub fn failed(&self, error: &SignerError) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        *failures.entry(error.fault_code()).or_default() += 1;
    }

    /// A request had waited too long; it is also counted as failed.
    pub fn expired(&self) {
        self.all.expired();
    }

    /// A request was refused because the queue was full; it is also counted as failed.
    pub fn refused(&self) {
        self.all.refused();
    }

    /// The counters now, of the key with this id, for which so many requests wait.
    #[must_use]
    pub fn read(&self, key: &str, waiting: usize) -> KeyFigures {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = failures.iter().map(|(code, requests)| Failures {
            code: (*code).to_owned(),
            requests: *requests,
        });
        KeyFigures {
            key: key.to_owned(),
            messages: self.messages.load(Relaxed),
            batches: self.batches.load(Relaxed),
            largest_batch: self.largest_batch.load(Relaxed),
            digests: self.digests.load(Relaxed),
            waiting: number(waiting),
            longest_queue: self.longest_queue.load(Relaxed),
            begun: self.begun.load(Relaxed),
            waited: self.waited.load(Relaxed),
            longest_wait: self.longest_wait.load(Relaxed),
            failures: failures.collect(),
        }
    }
}
