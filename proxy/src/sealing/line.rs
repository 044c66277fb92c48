//! The messages that wait for one signing certificate.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use signer_client::{DEFAULT_TIMEOUT, MAX_MESSAGES, MAX_PARTS, SignerError};

use super::Unsealed;

/// How long a message may wait for its turn: as long as the signer's answer may take (wire.md 3.3).
const PATIENCE: Duration = DEFAULT_TIMEOUT;

/// A line. At most one batch of it is being sealed.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: VecDeque<(Instant, Unsealed)>,
    is_busy: bool,
}

impl Line {
    /// Puts a message at the end.
    pub(super) fn push(&mut self, message: Unsealed) {
        self.waiting.push_back((Instant::now(), message));
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits and nothing is being sealed.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.is_busy
    }

    /// The batch under way is done.
    pub(super) const fn done(&mut self) {
        self.is_busy = false;
    }

    /// The next batch, with how long each message has waited: everything that waits, within the bounds of a request to
    /// the signer. Empty while a batch is under way.
    pub(super) fn next_batch(&mut self, now: Instant) -> Vec<(Duration, Unsealed)> {
        let mut batch = Vec::new();
        if self.is_busy {
            return batch;
        }
        let mut parts = 0;
        while let Some((since, message)) = self.waiting.pop_front() {
            let waited = now.saturating_duration_since(since);
            if waited >= PATIENCE {
                message.reply.send(Err(SignerError::TimedOut.into()));
                continue;
            }
            parts += message.digests.len();
            let is_full = batch.len() >= MAX_MESSAGES || parts > MAX_PARTS;
            if is_full && !batch.is_empty() {
                self.waiting.push_front((since, message));
                break;
            }
            batch.push((waited, message));
        }
        self.is_busy = !batch.is_empty();
        batch
    }
}
