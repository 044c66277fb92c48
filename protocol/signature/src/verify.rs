//! Verifies signatures: the document against the global configuration, the message against the document (wire.md 3.5).
//!
//! What the reference leaves unchecked and this does not: docs/adr/0003-verification-gaps.md.

mod certificate;
mod error;
mod message;

pub use error::VerifyError;
pub use message::{Evidence, VerifiedSignature};

use std::sync::Arc;

use protocol_pki::certificate::Certificate;
pub use protocol_pki::material::Material;
use protocol_pki::profile::MemberName;
use time::OffsetDateTime;

use crate::document::{Reference, SignatureDocument};
use crate::file_name;
use crate::hash_chain::Parts;

/// A signature document whose signature, signer, certificate chain and OCSP responses are good. Cheap to clone and to
/// keep; good for its signer from the moment of verification until [`VerifiedDocument::valid_until`].
#[derive(Debug, Clone)]
pub struct VerifiedDocument(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    references: Vec<Reference>,
    certificate: Certificate,
    signer: MemberName,
    signing_time: Option<OffsetDateTime>,
    verified_at: OffsetDateTime,
    valid_until: OffsetDateTime,
    ocsp: OcspEvidence,
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
        message::check(document.references(), evidence)?;
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
    Ok(VerifiedDocument(Arc::new(Inner {
        references: document.references().to_vec(),
        certificate: document.certificate().clone(),
        signer: signer.clone(),
        signing_time: document.signing_time(),
        verified_at: at,
        valid_until: verified.valid_until,
        ocsp: verified.ocsp,
    })))
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
        if *signer != self.0.signer {
            return Err(VerifyError::signer(&self.0.signer, signer));
        }
        if !self.is_valid_at(at) {
            return Err(VerifyError::Outdated {
                valid_until: self.0.valid_until,
            });
        }
        let coverage = message::check(&self.0.references, evidence)?;
        Ok(VerifiedSignature {
            document: self.clone(),
            coverage,
        })
    }

    /// The member that signed.
    #[must_use]
    pub fn signer(&self) -> &MemberName {
        &self.0.signer
    }

    /// The certificate of the signing key.
    #[must_use]
    pub fn signing_certificate(&self) -> &Certificate {
        &self.0.certificate
    }

    /// When the signer says the signature was made. No proof: see the time-stamp.
    #[must_use]
    pub fn signing_time(&self) -> Option<OffsetDateTime> {
        self.0.signing_time
    }

    /// The OCSP response for the signing certificate.
    #[must_use]
    pub fn ocsp(&self) -> &OcspEvidence {
        &self.0.ocsp
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
}
