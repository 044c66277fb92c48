//! What waits for a key.

use std::{sync::Arc, time::Instant};

use protocol_pki::certificate::Certificate;
use protocol_signature::{file_name, hash_chain::PartDigest};
use signer_client::{Blob, DigestAlgorithm, MAX_PARTS, SignMessage, SignatureAlgorithm, SignerError};

use crate::server::ticket::Ticket;

/// Most intermediate certificates and most OCSP responses of a message.
const MAX_VALUES: usize = protocol_signature::document::MAX_VALUES;

/// A request that a key must answer.
#[derive(Debug)]
pub enum Job {
    /// A message, which may share a signature.
    Message(MessageJob),
    /// A digest that is signed as it is.
    Raw(RawJob),
}

/// A message to be signed.
#[derive(Debug)]
pub struct MessageJob {
    /// The signing certificate.
    pub certificate: Arc<Certificate>,
    /// Certificates between it and its trust anchor, DER.
    pub intermediates: Vec<Blob>,
    /// OCSP responses, DER.
    pub ocsp_responses: Vec<Blob>,
    /// Digests of the parts: `/message.xml`, `/attachment1`, ...
    pub parts: Vec<PartDigest>,
    /// When it came.
    pub since: Instant,
    /// To answer it.
    pub ticket: Ticket,
}

/// A digest to be signed.
#[derive(Debug)]
pub struct RawJob {
    /// How.
    pub algorithm: SignatureAlgorithm,
    /// The digest.
    pub digest: Vec<u8>,
    /// When it came.
    pub since: Instant,
    /// To answer it.
    pub ticket: Ticket,
}

/// Checks what a client says about a message, so that it cannot spoil the batch of others.
///
/// # Errors
/// `InvalidRequest`.
pub fn check_message(message: &SignMessage) -> Result<Vec<PartDigest>, SignerError> {
    let invalid = |reason: &str| Err(SignerError::InvalidRequest(reason.to_owned()));
    if message.parts.is_empty() || message.parts.len() > MAX_PARTS {
        return invalid("a message has 1 to 10001 parts");
    }
    if message.intermediates.len() > MAX_VALUES || message.ocsp_responses.len() > MAX_VALUES {
        return invalid("too many intermediate certificates or OCSP responses");
    }
    message
        .parts
        .iter()
        .enumerate()
        .map(|(index, part)| check_part(index, part))
        .collect()
}

fn check_part(index: usize, part: &signer_client::PartDigest) -> Result<PartDigest, SignerError> {
    let expected = if index == 0 {
        file_name::MESSAGE.to_owned()
    } else {
        file_name::attachment(index)
    };
    if part.name != expected {
        return Err(SignerError::InvalidRequest(format!(
            "part {index} must be {expected}"
        )));
    }
    // The tree has the digest of the signature, and both are SHA-512 (wire.md 3.3, "Digest mismatch trap").
    if part.algorithm != DigestAlgorithm::Sha512 || part.digest.len() != part.algorithm.length() {
        return Err(SignerError::InvalidRequest(format!(
            "{expected} must have a SHA-512 digest"
        )));
    }
    Ok(PartDigest::new(
        part.name.as_str(),
        protocol_pki::digest::DigestAlgorithm::Sha512,
        &part.digest,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use signer_client::CertificateSha256;

    fn message(parts: &[(&str, usize)]) -> SignMessage {
        let part = |(name, length): &(&str, usize)| signer_client::PartDigest {
            name: (*name).to_owned(),
            algorithm: DigestAlgorithm::Sha512,
            digest: vec![1; *length].into(),
        };
        SignMessage {
            certificate: CertificateSha256([0; 32]),
            intermediates: Vec::new(),
            ocsp_responses: Vec::new(),
            parts: parts.iter().map(part).collect(),
        }
    }

    #[test]
    fn parts_are_named_in_order_and_digested_with_sha512() {
        assert!(check_message(&message(&[("/message.xml", 64)])).is_ok());
        assert!(check_message(&message(&[("/message.xml", 64), ("/attachment1", 64)])).is_ok());
        let wrong: [&[(&str, usize)]; 5] = [
            &[],
            &[("/attachment1", 64)],
            &[("/message.xml", 32)],
            &[("/message.xml", 64), ("/attachment2", 64)],
            &[("/message.xml", 64), ("/message.xml", 64)],
        ];
        for parts in wrong {
            assert!(check_message(&message(parts)).is_err(), "{parts:?}");
        }
        let mut weak = message(&[("/message.xml", 20)]);
        weak.parts[0].algorithm = DigestAlgorithm::Sha1;
        assert!(check_message(&weak).is_err());
    }
}
