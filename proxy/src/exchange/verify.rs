//! Verifying a received message: the only place where a [`Verified`] is made (wire.md 3.5).

use std::cell::RefCell;
use std::num::NonZeroUsize;

use lru::LruCache;
use protocol_message::identifier::ClientId;
use protocol_pki::digest::{Digest, DigestAlgorithm};
use protocol_pki::profile::MemberName;
use protocol_signature::document::SignatureDocument;
use protocol_signature::hash_chain::Parts;
use protocol_signature::verify::{self, Evidence, VerifiedDocument, VerifyError};
use time::OffsetDateTime;

use super::{ExchangeError, Received};
use crate::metrics::SideMetrics;
use crate::snapshot::LoadedGlobalConf;

/// Signature documents whose verification a worker remembers.
const REMEMBERED_DOCUMENTS: NonZeroUsize = NonZeroUsize::new(1024).expect("1024 is not zero");

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

/// Verifies messages for one worker. The messages of a batch share one signature document; it is verified once and
/// remembered until its certificates or OCSP responses run out. The digests of each message are always checked.
#[derive(Debug)]
pub struct Verifier {
    documents: RefCell<LruCache<DocumentKey, VerifiedDocument>>,
    remembers: bool,
}

/// Which document, verified for whom, by which global configuration.
#[derive(Debug, PartialEq, Eq, Hash)]
struct DocumentKey {
    sha256: Digest,
    signer: MemberName,
    trust: u64,
}

impl Verifier {
    /// A verifier that has seen nothing yet, and that `remembers` verdicts or not.
    #[must_use]
    pub fn new(remembers: bool) -> Self {
        Self {
            documents: RefCell::new(LruCache::new(REMEMBERED_DOCUMENTS)),
            remembers,
        }
    }

    /// Verifies that `signer` signed every part of the message.
    ///
    /// # Errors
    /// [`ExchangeError::Verify`] with the reference's fault code.
    pub fn verify(
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
        let signer = member_name(signer);
        let document = self.document(&signature.document, &signer, globalconf, at, metrics)?;
        let unsigned_hash_chain = document
            .verify_message(&signer, at, &evidence)?
            .has_unsigned_hash_chain();
        Ok(Verified(if unsigned_hash_chain {
            without_hash_chain(received)
        } else {
            received
        }))
    }

    fn document(
        &self,
        bytes: &[u8],
        signer: &MemberName,
        globalconf: &LoadedGlobalConf,
        at: OffsetDateTime,
        metrics: &SideMetrics,
    ) -> Result<VerifiedDocument, VerifyError> {
        let key = DocumentKey {
            sha256: DigestAlgorithm::Sha256.digest(bytes),
            signer: signer.clone(),
            trust: globalconf.serial(),
        };
        if let Some(known) = self
            .documents
            .borrow_mut()
            .get(&key)
            .filter(|known| known.is_valid_at(at))
        {
            metrics.verification_cache_hits.inc();
            return Ok(known.clone());
        }
        metrics.verification_cache_misses.inc();
        let verified = verify::document(&SignatureDocument::parse(bytes)?, signer, at, &**globalconf)?;
        if self.remembers {
            self.documents.borrow_mut().put(key, verified.clone());
        }
        Ok(verified)
    }
}

/// Hash chain parts that the signature does not refer to prove nothing and are not kept (docs/adr/0003).
fn without_hash_chain(mut received: Received) -> Received {
    if let Some(signature) = &mut received.signature {
        signature.hash_chain_result = None;
        signature.hash_chain = None;
    }
    received
}

fn member_name(client: &ClientId) -> MemberName {
    MemberName {
        instance: client.instance.clone(),
        member_class: client.member_class.clone(),
        member_code: client.member_code.clone(),
    }
}
