//! Having a message signed and logged (wire.md 3.3, 4.3): what with, and by whom.

use std::sync::Arc;

use protocol_message::identifier::ClientId;
use signer_client::{Blob, SignedMessage, SignerError};
use time::OffsetDateTime;

use super::log::{self, Draft};
use super::{ExchangeError, PartDigests, SignatureParts};
use crate::sealing::{SealError, Sealed, Unsealed};
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

/// Has a message signed and logged, together with whatever else waits for the same key.
///
/// # Errors
/// [`ExchangeError::Sign`] with the signer's reason, [`ExchangeError::Log`].
pub async fn seal(
    worker: &WorkerState,
    context: Arc<SigningContext>,
    parts: &PartDigests,
    draft: Draft,
) -> Result<Sealed, ExchangeError> {
    let (reply, sealed) = worker.sealed.expect();
    let digests = parts.as_slice().iter().map(|part| &*part.digest);
    worker.to_seal.put(Unsealed {
        context,
        digests: signer_client::PartDigests::new(digests),
        draft,
        reply,
    });
    let sealed = sealed.await.unwrap_or(Err(SignerError::Disconnected.into()));
    let sealed = sealed.map_err(|error| match error {
        SealError::Signer(error) => ExchangeError::Sign(error.into()),
        SealError::Log(error) => ExchangeError::Log(error.into()),
    })?;
    log::stamp_at_once(&worker.process, &sealed.logged).await?;
    Ok(sealed)
}

impl From<SignedMessage> for SignatureParts {
    fn from(signed: SignedMessage) -> Self {
        Self {
            document: signed.signature_xml.into_bytes(),
            hash_chain_result: signed.hash_chain_result.map(Blob::into_bytes),
            hash_chain: signed.hash_chain.map(Blob::into_bytes),
        }
    }
}
