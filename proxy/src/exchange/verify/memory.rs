//! What one worker remembers.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use protocol_signature::verify::{VerifiedDocument, VerifiedSigner};

use super::verdict::{Place, Question};

/// Documents that a worker remembers: some seconds of batches of some peers. Their bytes are shared between workers.
const DOCUMENTS: NonZeroUsize = NonZeroUsize::new(256).expect("256 is not zero");

/// Signers that a worker remembers.
const SIGNERS: NonZeroUsize = NonZeroUsize::new(256).expect("256 is not zero");

/// Verdicts of one worker.
#[derive(Debug)]
pub(super) struct Memory {
    documents: LruCache<u64, Arc<Place>>,
    signers: LruCache<u64, Signer>,
}

#[derive(Debug)]
struct Signer {
    /// The global configuration by which it was verified.
    trust: u64,
    verified: VerifiedSigner,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            documents: LruCache::new(DOCUMENTS),
            signers: LruCache::new(SIGNERS),
        }
    }
}

impl Memory {
    /// The document and where it is remembered, if it is known to be good.
    pub(super) fn verdict(&mut self, question: &Question<'_>) -> Option<(Arc<Place>, VerifiedDocument)> {
        let place = self.documents.get(&question.hash)?;
        let known = place.answers(question).then(|| place.verdict(question.at))??;
        Some((Arc::clone(place), known))
    }

    pub(super) fn remember(&mut self, question: &Question<'_>, place: Arc<Place>) {
        self.documents.put(question.hash, place);
    }

    /// What was verified of a signer by this global configuration. The caller compares what it was verified of.
    pub(super) fn signer(&mut self, key: u64, trust: u64) -> Option<VerifiedSigner> {
        let signer = self.signers.get(&key)?;
        (signer.trust == trust).then(|| signer.verified.clone())
    }

    pub(super) fn remember_signer(&mut self, key: u64, trust: u64, verified: VerifiedSigner) {
        self.signers.put(key, Signer { trust, verified });
    }
}
