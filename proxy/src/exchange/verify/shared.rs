//! What all workers remember together, so that a document is verified once in the process (docs/adr/0011).
//!
//! A worker looks here only when its own memory knows nothing: about once for each batch. Nobody waits for a lock: who finds
//! one taken tries a few dozen times, which takes less than a microsecond, and then verifies for itself as if there were no
//! others. Under the lock there is one look-up of a number; bytes are compared, copied and freed outside.

use std::convert::Infallible;
use std::hash::{BuildHasher, Hasher};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, TryLockError};

use lru::{DefaultHasher, LruCache};
use protocol_signature::document::SignatureDocument;
use protocol_signature::verify::VerifiedDocument;
use reply::{Answer, Inbox};

use super::verdict::{Finish, Place, Question};

/// Pieces that the memory is cut into, so that workers seldom meet; a power of two.
const SHARDS: usize = 64;

/// Documents that each piece remembers: 1024 in all, of at most 64 MiB, of about 10 MiB as a rule.
const DOCUMENTS_IN_A_SHARD: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// How often a lock that is taken is tried.
const TRIES: usize = 64;

type Shard = LruCache<u64, Arc<Place>>;

/// Verdicts of all workers.
#[derive(Debug)]
pub struct SharedVerdicts {
    hasher: DefaultHasher,
    shards: Vec<Mutex<Shard>>,
}

impl Default for SharedVerdicts {
    fn default() -> Self {
        let shard = || Mutex::new(LruCache::new(DOCUMENTS_IN_A_SHARD));
        Self {
            hasher: DefaultHasher::default(),
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
        }
    }
}

/// Whose turn it is to verify a document.
#[derive(Debug)]
pub(super) enum Turn<'a> {
    /// Nobody's: it is known to be good.
    Known(Arc<Place>, VerifiedDocument),
    /// Another worker's, which is at it, and what ends when it has finished.
    Elsewhere(Arc<Place>, Answer<Infallible>),
    /// Ours, and others may wait for us.
    Ours(Claim<'a>),
    /// Ours, and nobody will hear of it.
    Alone,
}

/// The duty to verify a document and to say what came of it. Dropped, it says that nothing came of it: what is refused is
/// not remembered, and who waits for it judges for itself.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    shared: &'a SharedVerdicts,
    key: u64,
    place: Arc<Place>,
    /// Whether the document was found good, so that the place stays.
    pub(super) settled: bool,
    _finish: Finish,
}

impl SharedVerdicts {
    /// The key of a document.
    pub(super) fn document_key(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    /// The key of what a document's signer is verified by.
    pub(super) fn signer_key(&self, document: &SignatureDocument) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(document.certificate().as_der());
        for certificate in document.intermediates() {
            hasher.write(certificate.as_der());
        }
        for response in document.ocsp_responses() {
            hasher.write(response);
        }
        hasher.finish()
    }

    /// Whose turn it is; if it is another worker's, `inbox` hears of its end.
    pub(super) fn turn(&self, question: &Question<'_>, inbox: &Inbox<Infallible>) -> Turn<'_> {
        let Some(found) = self.look(question.hash, |shard| shard.get(&question.hash).cloned()) else {
            return Turn::Alone;
        };
        if let Some(turn) = found.as_ref().and_then(|place| existing(place, question, inbox)) {
            return turn;
        }
        let (place, finish) = Place::new(question);
        let place = Arc::new(place);
        let entered = self.look(question.hash, |shard| {
            let now = shard.peek(&question.hash);
            if now.map(Arc::as_ptr) != found.as_ref().map(Arc::as_ptr) {
                return Err(now.cloned());
            }
            // What falls out is given back, to be freed when the lock is free again.
            Ok(shard.push(question.hash, Arc::clone(&place)))
        });
        match entered {
            Some(Ok(_fallen_out)) => Turn::Ours(Claim {
                shared: self,
                key: question.hash,
                place,
                settled: false,
                _finish: finish,
            }),
            // Somebody was quicker.
            Some(Err(Some(other))) => existing(&other, question, inbox).unwrap_or(Turn::Alone),
            Some(Err(None)) | None => Turn::Alone,
        }
    }

    /// Looks at the piece that has `key`, unless another worker does for too long.
    pub(super) fn look<T>(&self, key: u64, look: impl FnOnce(&mut Shard) -> T) -> Option<T> {
        let number = usize::try_from(key % SHARDS as u64).ok()?;
        let shard = self.shards.get(number)?;
        for _ in 0..TRIES {
            match shard.try_lock() {
                Ok(mut shard) => return Some(look(&mut shard)),
                Err(TryLockError::Poisoned(poisoned)) => return Some(look(&mut poisoned.into_inner())),
                Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
            }
        }
        None
    }

    /// How many places there are.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        let shards = 0..SHARDS as u64;
        shards.filter_map(|key| self.look(key, |shard| shard.len())).sum()
    }

    /// Forgets a place of which nothing came, unless another has taken it already.
    fn forget(&self, key: u64, place: &Arc<Place>) {
        let _freed = self.look(key, |shard| {
            let same = shard.peek(&key).is_some_and(|known| Arc::ptr_eq(known, place));
            same.then(|| shard.pop(&key))
        });
    }
}

/// What a place that was found says to the question, if anything.
fn existing<'a>(place: &Arc<Place>, question: &Question<'_>, inbox: &Inbox<Infallible>) -> Option<Turn<'a>> {
    if !place.answers(question) {
        return None;
    }
    let known = || Some(Turn::Known(Arc::clone(place), place.verdict(question.at)?));
    let elsewhere = || Some(Turn::Elsewhere(Arc::clone(place), place.finished(inbox)?));
    // Once more at the end: a verdict that comes in between must not be missed.
    known().or_else(elsewhere).or_else(known)
}

impl Claim<'_> {
    /// Says that the document is good.
    pub(super) fn settle(mut self, verified: VerifiedDocument) -> Arc<Place> {
        self.place.settle(verified);
        self.settled = true;
        Arc::clone(&self.place)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.shared.forget(self.key, &self.place);
        }
    }
}
