//! Asking the signer for a signature over the parts of a message (wire.md 3.3).

use std::sync::Arc;

use bytes::Bytes;
use protocol_message::identifier::ClientId;
use protocol_pki::digest::DigestAlgorithm;
use signer_client::{Blob, PartDigest, Request, SignMessage, SignedMessage, SignerError};
use time::OffsetDateTime;

use super::{PartDigests, SignatureParts};
use crate::snapshot::{SigningContext, Snapshot};
use crate::worker_state::WorkerState;

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The member has no certificate that is registered, valid and good by OCSP.
    #[error("Failed to get signing info for member '{0}': member has no suitable certificates")]
    NoCertificate(ClientId),
    /// The signer refused or did not answer.
    #[error("Cannot create signature: {0}")]
    Signer(#[from] SignerError),
}

/// What the member's messages are signed with now.
///
/// # Errors
/// [`SignError::NoCertificate`] when there is nothing.
pub fn context(
    snapshot: &Snapshot,
    client: &ClientId,
    at: OffsetDateTime,
) -> Result<Arc<SigningContext>, SignError> {
    snapshot
        .keys
        .signing(client, at)
        .cloned()
        .ok_or_else(|| SignError::NoCertificate(client.clone()))
}

/// Has the parts signed, together with whatever else waits for the same key.
///
/// # Errors
/// [`SignError::Signer`] with the signer's reason.
pub async fn sign(
    worker: &WorkerState,
    context: &SigningContext,
    parts: &PartDigests,
) -> Result<SignatureParts, SignError> {
    let request = SignMessage {
        certificate: context.certificate,
        intermediates: context.intermediates.clone(),
        ocsp_responses: context.ocsp_responses.clone(),
        parts: parts.as_slice().iter().map(to_signer).collect(),
    };
    let (reply, answer) = worker.signed.expect();
    let request = Request::SignMessage(request);
    worker.process.signer.submit_to(request, reply);
    let signed: SignedMessage = answer
        .await
        .unwrap_or(Err(SignerError::Disconnected))?
        .try_into()?;
    Ok(SignatureParts {
        document: bytes(&signed.signature_xml),
        hash_chain_result: signed.hash_chain_result.as_ref().map(bytes),
        hash_chain: signed.hash_chain.as_ref().map(bytes),
    })
}

fn to_signer(part: &protocol_signature::hash_chain::PartDigest) -> PartDigest {
    PartDigest {
        name: part.name.clone(),
        algorithm: algorithm(part.algorithm),
        digest: Blob::from(&part.digest[..]),
    }
}

const fn algorithm(algorithm: DigestAlgorithm) -> signer_client::DigestAlgorithm {
    use signer_client::DigestAlgorithm as Wire;
    match algorithm {
        DigestAlgorithm::Sha1 => Wire::Sha1,
        DigestAlgorithm::Sha224 => Wire::Sha224,
        DigestAlgorithm::Sha256 => Wire::Sha256,
        DigestAlgorithm::Sha384 => Wire::Sha384,
        DigestAlgorithm::Sha512 => Wire::Sha512,
    }
}

/// The blob's bytes, still shared.
fn bytes(blob: &Blob) -> Bytes {
    Bytes::from_owner(blob.clone())
}
