//! What waits for a key.

use std::{sync::Arc, time::Instant};

use protocol_pki::{certificate::Certificate, digest::DigestAlgorithm};
use protocol_signature::{file_name, hash_chain::PartDigest};
use signer_client::{
    Blob, MAX_MESSAGES, MAX_PARTS, PartDigests, SignMessages, SignatureAlgorithm, SignerError,
};

use crate::server::ticket::Ticket;

/// Most intermediate certificates and most OCSP responses of a message.
const MAX_VALUES: usize = protocol_signature::document::MAX_VALUES;

/// A request that a key must answer.
#[derive(Debug)]
pub enum Job {
    /// Messages, which may share a signature.
    Messages(MessagesJob),
    /// A digest that is signed as it is.
    Raw(RawJob),
}

/// Messages to be signed.
#[derive(Debug)]
pub struct MessagesJob {
    /// The signing certificate.
    pub certificate: Arc<Certificate>,
    /// Certificates between it and its trust anchor, DER.
    pub intermediates: Vec<Blob>,
    /// OCSP responses, DER.
    pub ocsp_responses: Vec<Blob>,
    /// Digests of the parts of each message: `/message.xml`, `/attachment1`, ...
    pub messages: Vec<Vec<PartDigest>>,
    /// When they came.
    pub since: Instant,
    /// To answer them.
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

/// Checks what a client says about its messages, so that they cannot spoil the batch of others.
///
/// # Errors
/// `InvalidRequest`.
pub fn check_messages(request: &SignMessages) -> Result<Vec<Vec<PartDigest>>, SignerError> {
    let SignMessages {
        intermediates,
        ocsp_responses,
        messages,
        ..
    } = request;
    if messages.is_empty() || messages.len() > MAX_MESSAGES {
        return Err(invalid(format!(
            "1 to {MAX_MESSAGES} messages can be signed at once"
        )));
    }
    if intermediates.len() > MAX_VALUES || ocsp_responses.len() > MAX_VALUES {
        return Err(invalid(
            "too many intermediate certificates or OCSP responses".to_owned(),
        ));
    }
    let checked: Vec<_> = messages.iter().map(named_parts).collect::<Result<_, _>>()?;
    if checked.iter().map(Vec::len).sum::<usize>() > MAX_PARTS {
        return Err(invalid(format!("the messages have more than {MAX_PARTS} parts")));
    }
    Ok(checked)
}

/// The parts of a message with their names. The tree has the digest of the signature, and both are SHA-512 (wire.md 3.3,
/// "Digest mismatch trap").
fn named_parts(digests: &PartDigests) -> Result<Vec<PartDigest>, SignerError> {
    let digests = digests
        .split()
        .ok_or_else(|| invalid(format!("a message has SHA-512 digests of 1 to {MAX_PARTS} parts")))?;
    let part = |(number, digest): (usize, &[u8; PartDigests::LENGTH])| {
        PartDigest::new(file_name::part(number), DigestAlgorithm::Sha512, digest.into())
    };
    Ok(digests.enumerate().map(part).collect())
}

const fn invalid(reason: String) -> SignerError {
    SignerError::InvalidRequest(reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use signer_client::CertificateSha256;

    fn request(messages: &[&[usize]]) -> SignMessages {
        let message = |lengths: &&[usize]| {
            let digests: Vec<_> = lengths.iter().map(|length| vec![1; *length]).collect();
            PartDigests::new(digests.iter().map(Vec::as_slice))
        };
        SignMessages {
            certificate: CertificateSha256([0; 32]),
            intermediates: Vec::new(),
            ocsp_responses: Vec::new(),
            messages: messages.iter().map(message).collect(),
        }
    }

    #[test]
    fn parts_are_named_in_order() {
        let parts = check_messages(&request(&[&[64], &[64, 64, 64]])).unwrap();
        let names: Vec<Vec<&str>> = parts
            .iter()
            .map(|parts| parts.iter().map(|part| &*part.name).collect())
            .collect();
        assert_eq!(
            names,
            [
                vec!["/message.xml"],
                vec!["/message.xml", "/attachment1", "/attachment2"]
            ]
        );
    }

    #[test]
    fn what_is_no_message_or_too_much_is_refused() {
        let many = [64; MAX_PARTS];
        let wrong: [&[&[usize]]; 6] = [
            &[],
            &[&[]],
            &[&[32]],
            &[&[64], &[64, 20]],
            &[&many[..], &[64]],
            &[&[64][..]; MAX_MESSAGES + 1],
        ];
        for messages in wrong {
            assert!(check_messages(&request(messages)).is_err(), "{}", messages.len());
        }
        for right in [&[&many[..]][..], &[&[64][..]; MAX_MESSAGES]] {
            assert!(check_messages(&request(right)).is_ok(), "{}", right.len());
        }
    }
}
