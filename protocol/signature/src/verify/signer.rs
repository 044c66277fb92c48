//! What was verified of a signer, apart from any document: certificate, chain, OCSP responses.

use std::sync::Arc;

use protocol_pki::certificate::Certificate;
use protocol_pki::profile::MemberName;
use time::OffsetDateTime;

use super::OcspEvidence;
use super::certificate::VerifiedChain;
use crate::document::SignatureDocument;

/// A signer whose certificate is for signing, names the member, has a chain to an anchor and good OCSP responses, all by one
/// [`super::Material`]. Cheap to clone and to keep; good from the moment of verification until
/// [`VerifiedSigner::valid_until`], and with that material only.
#[derive(Debug, Clone)]
pub struct VerifiedSigner(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    member: MemberName,
    certificate: Certificate,
    /// All that the document brought, as the chain and its proof depend on all.
    intermediates: Vec<Certificate>,
    ocsp_responses: Vec<Vec<u8>>,
    verified_at: OffsetDateTime,
    valid_until: OffsetDateTime,
    ocsp: OcspEvidence,
}

impl VerifiedSigner {
    pub(super) fn new(
        document: &SignatureDocument,
        member: &MemberName,
        verified_at: OffsetDateTime,
        verified: VerifiedChain,
    ) -> Self {
        Self(Arc::new(Inner {
            member: member.clone(),
            certificate: document.certificate().clone(),
            intermediates: document.intermediates().to_vec(),
            ocsp_responses: document.ocsp_responses().to_vec(),
            verified_at,
            valid_until: verified.valid_until,
            ocsp: verified.ocsp,
        }))
    }

    /// Whether verifying the document's signer at `at`, by the same material, would say the same: the same member and,
    /// byte for byte, the same certificates and OCSP responses.
    #[must_use]
    pub fn vouches_for(&self, document: &SignatureDocument, member: &MemberName, at: OffsetDateTime) -> bool {
        let known = &*self.0;
        self.is_valid_at(at)
            && known.member == *member
            && known.certificate == *document.certificate()
            && known.intermediates == document.intermediates()
            && known.ocsp_responses == document.ocsp_responses()
    }

    /// The member.
    #[must_use]
    pub fn member(&self) -> &MemberName {
        &self.0.member
    }

    /// The last moment for which this verification holds: the first to end of the certificates' validity and the
    /// OCSP responses' goodness.
    #[must_use]
    pub fn valid_until(&self) -> OffsetDateTime {
        self.0.valid_until
    }

    /// Whether this verification holds at `at`. It never holds before the moment that it was made for.
    #[must_use]
    pub fn is_valid_at(&self, at: OffsetDateTime) -> bool {
        (self.0.verified_at..=self.0.valid_until).contains(&at)
    }

    pub(super) fn certificate(&self) -> &Certificate {
        &self.0.certificate
    }

    pub(super) fn ocsp(&self) -> &OcspEvidence {
        &self.0.ocsp
    }
}
