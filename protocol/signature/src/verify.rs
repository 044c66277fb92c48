//! Verifies signatures: the document against the global configuration, the message against the document (wire.md 3.5).
//!
//! What the reference leaves unchecked and this does not: docs/adr/0003-verification-gaps.md.

mod certificate;
mod error;
mod message;
mod signer;

pub use error::VerifyError;
pub use message::{Coverage, Evidence, VerifiedSignature};
pub use signer::VerifiedSigner;

use std::sync::Arc;

use protocol_pki::certificate::Certificate;
pub use protocol_pki::material::Material;
use protocol_pki::profile::MemberName;
use time::OffsetDateTime;

use crate::document::{Reference, SignatureDocument, Target};
use crate::file_name;
use crate::hash_chain::Parts;

/// A signature document whose signature, signer, certificate chain and OCSP responses are good. Cheap to clone and to
/// keep; good for its signer from the moment of verification until [`VerifiedDocument::valid_until`].
#[derive(Debug, Clone)]
pub struct VerifiedDocument(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// References to files; those within the document hold.
    references: Vec<Reference>,
    signer: VerifiedSigner,
    signing_time: Option<OffsetDateTime>,
    known_result: message::KnownResult,
}

/// The OCSP response that says the signing certificate is good.
#[derive(Debug, Clone)]
pub struct OcspEvidence {
    /// When the responder made the response.
    pub produced_at: OffsetDateTime,
    /// The responder's certificate.
    pub responder: Certificate,
}

/// All that one verification needs; see [`verify`].
#[derive(Debug, Clone, Copy)]
pub struct VerifyRequest<'a> {
    /// The signature document's bytes.
    pub document: &'a [u8],
    /// The hash chain result part, if one came.
    pub hash_chain_result: Option<&'a [u8]>,
    /// The hash chain part, if one came.
    pub hash_chain: Option<&'a [u8]>,
    /// The raw bytes of `/message.xml`, if at hand; see [`Evidence::message`].
    pub message: Option<&'a [u8]>,
    /// The parts of the message.
    pub parts: Parts<'a>,
    /// The member that the message names as its sender.
    pub signer: &'a MemberName,
    /// The moment to judge certificates at: now for messages, the time-stamp's time for containers.
    pub at: OffsetDateTime,
}

/// Verifies a message with its signature document.
///
/// # Errors
/// See [`VerifyError`].
pub fn verify(
    request: &VerifyRequest<'_>,
    material: &dyn Material,
) -> Result<VerifiedSignature, VerifyError> {
    let document = SignatureDocument::parse(request.document)?;
    let evidence = Evidence {
        hash_chain_result: request.hash_chain_result,
        hash_chain: request.hash_chain,
        message: request.message,
        parts: request.parts,
    };
    parsed(&document, request.signer, request.at, &evidence, material)
}

/// As [`verify`], for a document that was read already.
pub(crate) fn parsed(
    document: &SignatureDocument,
    signer: &MemberName,
    at: OffsetDateTime,
    evidence: &Evidence<'_>,
    material: &dyn Material,
) -> Result<VerifiedSignature, VerifyError> {
    // The reference follows the hash chain first, so its faults come first.
    if document.references_file(file_name::SIG_HASH_CHAIN_RESULT) {
        message::check(document.references(), evidence, &message::KnownResult::default())?;
    }
    self::document(document, signer, at, material)?.verify_message(signer, at, evidence)
}

/// Verifies a signature document: signer, signature value, references within the document, signing certificate,
/// certificate chain and OCSP responses. The message is not looked at.
///
/// # Errors
/// See [`VerifyError`].
pub fn document(
    document: &SignatureDocument,
    signer: &MemberName,
    at: OffsetDateTime,
    material: &dyn Material,
) -> Result<VerifiedDocument, VerifyError> {
    certificate::check_usage(document.certificate())?;
    let issuers = certificate::check_signer(document.certificate(), signer, material)?;
    check_signature(document)?;
    certificate::check_signing_certificate(document)?;
    let verified = certificate::check_chain(document, &issuers, at, material)?;
    let signer = VerifiedSigner::new(document, signer, at, verified);
    Ok(VerifiedDocument::new(document, signer))
}

/// As [`document`], with what is known of its signer by the same `material`: when that vouches for the signer of this
/// document, neither the certificate's chain nor its OCSP responses are verified again. The verdict is the same.
///
/// # Errors
/// See [`VerifyError`].
pub fn document_by(
    known: Option<&VerifiedSigner>,
    document: &SignatureDocument,
    signer: &MemberName,
    at: OffsetDateTime,
    material: &dyn Material,
) -> Result<VerifiedDocument, VerifyError> {
    let Some(known) = known.filter(|known| known.vouches_for(document, signer, at)) else {
        return self::document(document, signer, at, material);
    };
    check_signature(document)?;
    certificate::check_signing_certificate(document)?;
    Ok(VerifiedDocument::new(document, known.clone()))
}

/// The signature value over the canonical `SignedInfo`, and the references that the document itself resolves.
fn check_signature(document: &SignatureDocument) -> Result<(), VerifyError> {
    document
        .certificate()
        .verify_xml(
            document.algorithm(),
            document.signed_info(),
            document.signature_value(),
        )
        .map_err(VerifyError::SignatureValue)?;
    if document.references().iter().all(Reference::holds_in_document) {
        Ok(())
    } else {
        Err(VerifyError::Reference(
            "an element of the signature document".to_owned(),
        ))
    }
}

impl VerifiedDocument {
    fn new(document: &SignatureDocument, signer: VerifiedSigner) -> Self {
        let files = document.references().iter();
        let files = files.filter(|reference| matches!(reference.target, Target::File(_)));
        Self(Arc::new(Inner {
            references: files.cloned().collect(),
            signer,
            signing_time: document.signing_time(),
            known_result: message::KnownResult::default(),
        }))
    }

    /// Verifies the parts of a message against this document: references or hash chain, and nothing left over.
    ///
    /// # Errors
    /// [`VerifyError::Signer`] when the message names another signer, [`VerifyError::Outdated`] when `at` is not in
    /// the document's validity, and the faults of references and hash chains.
    pub fn verify_message(
        &self,
        signer: &MemberName,
        at: OffsetDateTime,
        evidence: &Evidence<'_>,
    ) -> Result<VerifiedSignature, VerifyError> {
        Ok(VerifiedSignature {
            document: self.clone(),
            coverage: self.cover(signer, at, evidence)?,
            covered: message::all(evidence.parts).to_vec(),
        })
    }

    /// As [`VerifiedDocument::verify_message`], for who needs no copy of what is proven.
    ///
    /// # Errors
    /// As [`VerifiedDocument::verify_message`].
    pub fn cover(
        &self,
        signer: &MemberName,
        at: OffsetDateTime,
        evidence: &Evidence<'_>,
    ) -> Result<Coverage, VerifyError> {
        if signer != self.signer() {
            return Err(VerifyError::signer(self.signer(), signer));
        }
        if !self.is_valid_at(at) {
            return Err(VerifyError::Outdated {
                valid_until: self.valid_until(),
            });
        }
        message::check(&self.0.references, evidence, &self.0.known_result)
    }

    /// The member that signed.
    #[must_use]
    pub fn signer(&self) -> &MemberName {
        self.0.signer.member()
    }

    /// What was verified of the signer; other documents of the same signer need not have it verified again
    /// ([`document_by`]).
    #[must_use]
    pub fn verified_signer(&self) -> &VerifiedSigner {
        &self.0.signer
    }

    /// The certificate of the signing key.
    #[must_use]
    pub fn signing_certificate(&self) -> &Certificate {
        self.0.signer.certificate()
    }

    /// When the signer says the signature was made. No proof: see the time-stamp.
    #[must_use]
    pub fn signing_time(&self) -> Option<OffsetDateTime> {
        self.0.signing_time
    }

    /// The OCSP response for the signing certificate.
    #[must_use]
    pub fn ocsp(&self) -> &OcspEvidence {
        self.0.signer.ocsp()
    }

    /// The last moment for which this verification holds: the first to end of the certificates' validity and the
    /// OCSP responses' goodness.
    #[must_use]
    pub fn valid_until(&self) -> OffsetDateTime {
        self.0.signer.valid_until()
    }

    /// Whether this verification holds at `at`. It never holds before the moment that its signer was verified for.
    #[must_use]
    pub fn is_valid_at(&self, at: OffsetDateTime) -> bool {
        self.0.signer.is_valid_at(at)
    }
}
