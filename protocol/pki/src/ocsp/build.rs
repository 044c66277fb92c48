//! Making responses, for responders.

use time::OffsetDateTime;

use super::{CertificateId, CertificateStatus, ResponseStatus};
use crate::asn1;
use crate::certificate::Certificate;
use crate::digest::DigestAlgorithm;
use crate::key::{Signer, SignerFailure};
use crate::oid;

/// How the responder names itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponderId {
    /// By the subject of its certificate.
    ByName,
    /// By SHA-1 of its public key.
    ByKeyHash,
}

/// The status of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleStatus {
    /// Which certificate.
    pub certificate: CertificateId,
    /// Its status.
    pub status: CertificateStatus,
    /// When the status was known to be right.
    pub this_update: OffsetDateTime,
    /// When newer information is due.
    pub next_update: Option<OffsetDateTime>,
}

/// A response that is no answer, only a status (RFC 6960 4.2.1).
pub fn error_response(status: ResponseStatus) -> Vec<u8> {
    let number = status.number().to_be_bytes();
    let number = number.last().copied().unwrap_or_default();
    asn1::sequence(&[&asn1::element(asn1::ENUMERATED, &[number])])
}

/// A signed response. `responder` is the signer's certificate, which is put into the response; `nonce` the value of the
/// request's nonce extension.
///
/// # Errors
/// Whatever kept the key from signing.
pub fn respond(
    singles: &[SingleStatus],
    produced_at: OffsetDateTime,
    nonce: Option<&[u8]>,
    responder: &Certificate,
    responder_id: ResponderId,
    signer: &dyn Signer,
) -> Result<Vec<u8>, SignerFailure> {
    let entries: Vec<u8> = singles.iter().flat_map(single_der).collect();
    let extensions = nonce.map(nonce_extension).unwrap_or_default();
    let tbs = asn1::sequence(&[
        &responder_der(responder, responder_id),
        &asn1::generalized_time(produced_at),
        &asn1::element(asn1::SEQUENCE, &entries),
        &extensions,
    ]);
    let signature = asn1::bit_string(&signer.sign(&tbs)?);
    let certificates = asn1::element(asn1::constructed(0), &asn1::sequence(&[responder.as_der()]));
    let basic = asn1::sequence(&[
        &tbs,
        &signer.algorithm().identifier_der(),
        &signature,
        &certificates,
    ]);
    let bytes = asn1::sequence(&[
        &asn1::object_identifier(oid::OCSP_BASIC),
        &asn1::octet_string(&basic),
    ]);
    let successful = asn1::element(asn1::ENUMERATED, &[0]);
    Ok(asn1::sequence(&[
        &successful,
        &asn1::element(asn1::constructed(0), &bytes),
    ]))
}

fn responder_der(responder: &Certificate, id: ResponderId) -> Vec<u8> {
    match id {
        ResponderId::ByName => asn1::element(asn1::constructed(1), responder.subject_der()),
        ResponderId::ByKeyHash => {
            let hash = DigestAlgorithm::Sha1.digest(responder.public_key().bits());
            asn1::element(asn1::constructed(2), &asn1::octet_string(&hash))
        }
    }
}

fn single_der(single: &SingleStatus) -> Vec<u8> {
    let status = match single.status {
        CertificateStatus::Good => asn1::element(asn1::primitive(0), &[]),
        CertificateStatus::Revoked { at } => asn1::element(asn1::constructed(1), &asn1::generalized_time(at)),
        CertificateStatus::Unknown => asn1::element(asn1::primitive(2), &[]),
    };
    let next_update = single
        .next_update
        .map(|at| asn1::element(asn1::constructed(0), &asn1::generalized_time(at)));
    asn1::sequence(&[
        &single.certificate.to_der(),
        &status,
        &asn1::generalized_time(single.this_update),
        &next_update.unwrap_or_default(),
    ])
}

fn nonce_extension(value: &[u8]) -> Vec<u8> {
    let extension = asn1::sequence(&[
        &asn1::object_identifier(oid::OCSP_NONCE),
        &asn1::octet_string(value),
    ]);
    asn1::element(asn1::constructed(1), &asn1::sequence(&[&extension]))
}
