//! Verifying a received message: the only place where a [`Verified`] is made (wire.md 3.5).
//!
//! | Module | What it remembers |
//! |---|---|
//! | `verdict` | one verdict: which document, by whom, by which global configuration |
//! | `memory` | verdicts and signers of one worker |
//! | `shared` | verdicts of all workers, and who is verifying what at this moment |

mod memory;
mod shared;
mod verdict;

#[cfg(test)]
mod tests;

pub use shared::SharedVerdicts;

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::Arc;

use protocol_message::identifier::ClientId;
use protocol_signature::document::SignatureDocument;
use protocol_signature::hash_chain::Parts;
use protocol_signature::verify::{self, Evidence, Material, VerifiedDocument, VerifyError};
use reply::Inbox;
use time::OffsetDateTime;

use super::{ExchangeError, Received};
use crate::metrics::SideMetrics;
use crate::snapshot::LoadedGlobalConf;
use memory::Memory;
use shared::Turn;
use verdict::{Place, Question, member_name};

/// Largest signature document that is remembered, in bytes. With an intermediate CA it has about 15 KiB.
const MAX_REMEMBERED_BYTES: usize = 64 * 1024;

/// A message whose signature holds: by whom it claims to be, over every part, at the moment of verification.
///
/// What forwards a received message takes this, and only [`Verifier::verify`] makes it.
#[derive(Debug)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The verified message.
    #[must_use]
    pub const fn get(&self) -> &T {
        &self.0
    }
}

/// Verifies messages for one worker. The messages of a batch share one signature document; it is verified once in the
/// process and remembered until its certificates or OCSP responses run out (docs/adr/0011). The digests of each message
/// are always checked.
#[derive(Debug)]
pub struct Verifier {
    memory: RefCell<Memory>,
    shared: Arc<SharedVerdicts>,
    /// Where the worker hears that another has finished.
    finished: Inbox<Infallible>,
    remembers: bool,
}

impl Verifier {
    /// A verifier that has seen nothing yet itself, beside others, that `remembers` verdicts or not, and hears in an inbox of
    /// the worker that another has finished.
    #[must_use]
    pub fn new(remembers: bool, shared: Arc<SharedVerdicts>, finished: Inbox<Infallible>) -> Self {
        Self {
            memory: RefCell::default(),
            shared,
            finished,
            remembers,
        }
    }

    /// Verifies that `signer` signed every part of the message.
    ///
    /// # Errors
    /// [`ExchangeError::Verify`] with the reference's fault code.
    pub async fn verify(
        &self,
        received: Received,
        signer: &ClientId,
        globalconf: &LoadedGlobalConf,
        at: OffsetDateTime,
        metrics: &SideMetrics,
    ) -> Result<Verified<Received>, ExchangeError> {
        let signature = received.require_signature("Message")?;
        let evidence = Evidence {
            hash_chain_result: signature.hash_chain_result.as_deref(),
            hash_chain: signature.hash_chain.as_deref(),
            message: received.message.as_ref().map(|part| &part.bytes[..]),
            parts: Parts::Received(received.digests.as_slice()),
        };
        let question = Question::new(&self.shared, &signature.document, signer, globalconf.serial(), at);
        let (document, place) = self.document(&question, &**globalconf, metrics).await?;
        // Who signed was compared when the document was verified or found again.
        let coverage = document.cover(document.signer(), at, &evidence)?;
        let received = if coverage.has_unsigned_hash_chain() {
            without_hash_chain(received)
        } else {
            received
        };
        Ok(Verified(match place {
            Some(place) => sharing_document(received, &place),
            None => received,
        }))
    }

    /// The document, verified for the signer of the question at its moment by its trust, and where it is remembered.
    async fn document(
        &self,
        question: &Question<'_>,
        material: &dyn Material,
        metrics: &SideMetrics,
    ) -> Result<(VerifiedDocument, Option<Arc<Place>>), VerifyError> {
        let verify_now = || Ok((self.verify_now(question, material, metrics)?, None));
        if !self.remembers || question.bytes.len() > MAX_REMEMBERED_BYTES {
            return verify_now();
        }
        let known = self.memory.borrow_mut().verdict(question);
        if let Some((place, known)) = known {
            metrics.verifications_cached.inc();
            return Ok((known, Some(place)));
        }
        let remember = |place: &Arc<Place>| self.memory.borrow_mut().remember(question, Arc::clone(place));
        match self.shared.turn(question, &self.finished) {
            Turn::Known(place, known) => {
                metrics.verifications_shared.inc();
                remember(&place);
                Ok((known, Some(place)))
            }
            Turn::Elsewhere(place, finished) => {
                // There is no answer: what it waits for is that it can't come any more.
                let _ = finished.await;
                let Some(known) = place.verdict(question.at) else {
                    return verify_now();
                };
                metrics.verifications_awaited.inc();
                remember(&place);
                Ok((known, Some(place)))
            }
            Turn::Ours(claim) => {
                let verified = self.verify_now(question, material, metrics)?;
                let place = claim.settle(verified.clone());
                remember(&place);
                Ok((verified, Some(place)))
            }
            Turn::Alone => verify_now(),
        }
    }

    /// Verifies the document; only what is known of its signer is not verified again.
    fn verify_now(
        &self,
        question: &Question<'_>,
        material: &dyn Material,
        metrics: &SideMetrics,
    ) -> Result<VerifiedDocument, VerifyError> {
        metrics.verifications_made.inc();
        let document = SignatureDocument::parse(question.bytes)?;
        let (signer, at) = (member_name(question.signer), question.at);
        if !self.remembers {
            return verify::document(&document, &signer, at, material);
        }
        let key = self.shared.signer_key(&document);
        let known = self.memory.borrow_mut().signer(key, question.trust);
        let known = known.filter(|known| known.vouches_for(&document, &signer, at));
        let counter = if known.is_some() {
            &metrics.signers_cached
        } else {
            &metrics.signers_verified
        };
        counter.inc();
        let verified = verify::document_by(known.as_ref(), &document, &signer, at, material)?;
        if known.is_none() {
            let signer = verified.verified_signer().clone();
            self.memory
                .borrow_mut()
                .remember_signer(key, question.trust, signer);
        }
        Ok(verified)
    }
}

/// The messages of a batch have one document in memory from here on: the log knows it again without comparing bytes, and
/// the buffer of the connection becomes free.
fn sharing_document(mut received: Received, place: &Place) -> Received {
    if let Some(signature) = &mut received.signature {
        signature.document = place.bytes().clone();
    }
    received
}

/// Hash chain parts that the signature does not refer to prove nothing and are not kept (docs/adr/0003).
fn without_hash_chain(mut received: Received) -> Received {
    if let Some(signature) = &mut received.signature {
        signature.hash_chain_result = None;
        signature.hash_chain = None;
    }
    received
}
