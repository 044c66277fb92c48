//! Verifies containers: the time-stamp first, then the signature at the time-stamp's time (wire.md 4.5).

use protocol_pki::certificate::Certificate;
use protocol_pki::profile::MemberName;
use protocol_pki::tsp::{TimeStampToken, TspError};
use time::OffsetDateTime;

use super::{AsicError, Container};
use crate::document::{DocumentError, SignatureDocument};
use crate::file_name::{MESSAGE, SIGNATURE, TS_HASH_CHAIN};
use crate::hash_chain::{self, Chain, HashChainError, PartDigest, Parts, is_strong};
use crate::time_stamp::ALGORITHM;
use crate::verify::{self, Evidence, Material, VerifiedSignature, VerifyError};

/// Why a container proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum VerifyContainerError {
    /// An entry is missing.
    #[error(transparent)]
    Container(#[from] AsicError),
    /// The signature document cannot be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The container has no time-stamp.
    #[error("the container has no time-stamp")]
    NoTimeStamp,
    /// The hash chain of the time-stamp does not cover the signature document.
    #[error("failed to verify time-stamp hash chain")]
    TimeStampHashChain(#[source] HashChainError),
    /// The time-stamp token cannot be read or is not by an approved time-stamping authority over this data.
    #[error("time-stamp")]
    TimeStamp(#[source] TspError),
    /// The signature does not prove the message.
    #[error(transparent)]
    Signature(#[from] VerifyError),
}

impl VerifyContainerError {
    /// The fault code (wire.md 1.8, 7.1).
    #[must_use]
    pub fn fault_code(&self) -> String {
        match self {
            Self::Container(error) => error.fault_code().to_owned(),
            Self::Document(error) => error.fault_code().to_owned(),
            Self::NoTimeStamp => "asic_timestamp_not_found".to_owned(),
            Self::TimeStampHashChain(_) => "malformed_signature".to_owned(),
            Self::TimeStamp(error) => error.fault_code().to_owned(),
            Self::Signature(error) => error.fault_code(),
        }
    }
}

/// A container whose time-stamp and signature are good.
#[derive(Debug, Clone)]
pub struct VerifiedContainer {
    signature: VerifiedSignature,
    time_stamp_time: OffsetDateTime,
    tsa_certificate: Certificate,
    is_batch_time_stamp: bool,
}

impl VerifiedContainer {
    /// The verified signature: signer, certificate, parts that are covered and parts that are not there.
    #[must_use]
    pub fn signature(&self) -> &VerifiedSignature {
        &self.signature
    }

    /// When the time-stamp was made: the moment that the signature was verified for.
    #[must_use]
    pub fn time_stamp_time(&self) -> OffsetDateTime {
        self.time_stamp_time
    }

    /// Certificate of the time-stamping authority.
    #[must_use]
    pub fn tsa_certificate(&self) -> &Certificate {
        &self.tsa_certificate
    }

    /// Whether the time-stamp covers several signature documents.
    #[must_use]
    pub fn is_batch_time_stamp(&self) -> bool {
        self.is_batch_time_stamp
    }

    /// Attachments that were signed and are not in the container: their digests are proven, their content is not here.
    #[must_use]
    pub fn unverified_attachments(&self) -> &[PartDigest] {
        self.signature.absent()
    }
}

/// Verifies a container. `signer` is the member that the message names: the client of a request, the provider of a
/// response.
///
/// # Errors
/// See [`VerifyContainerError`].
pub fn verify(
    container: &Container,
    signer: &MemberName,
    material: &dyn Material,
) -> Result<VerifiedContainer, VerifyContainerError> {
    let document = SignatureDocument::parse(container.signature())?;
    let stamp = verify_time_stamp(container, &document, material)?;
    let parts = parts(container);
    let evidence = Evidence {
        hash_chain_result: container.hash_chain().map(|(result, _)| result),
        hash_chain: container.hash_chain().map(|(_, chain)| chain),
        message: Some(container.message()),
        parts: Parts::Contained(&parts),
    };
    let signature = verify::parsed(&document, signer, stamp.time, &evidence, material)?;
    Ok(VerifiedContainer {
        signature,
        time_stamp_time: stamp.time,
        tsa_certificate: stamp.tsa,
        is_batch_time_stamp: stamp.is_batch,
    })
}

fn parts(container: &Container) -> Vec<PartDigest> {
    let message = PartDigest::of(MESSAGE, ALGORITHM, container.message());
    let attachments = container
        .attachments()
        .iter()
        .map(|attachment| attachment.digest.clone());
    std::iter::once(message).chain(attachments).collect()
}

struct Stamp {
    time: OffsetDateTime,
    tsa: Certificate,
    is_batch: bool,
}

fn verify_time_stamp(
    container: &Container,
    document: &SignatureDocument,
    material: &dyn Material,
) -> Result<Stamp, VerifyContainerError> {
    let batch = container.batch_time_stamp()?;
    let (token, stamped) = match &batch {
        Some(stamp) => {
            verify_chain(container, stamp.result, stamp.chain)?;
            (stamp.token, stamp.result)
        }
        None => (
            document.time_stamp().ok_or(VerifyContainerError::NoTimeStamp)?,
            document.signature_value(),
        ),
    };
    let token = TimeStampToken::parse(token).map_err(VerifyContainerError::TimeStamp)?;
    if !is_strong(token.imprint().algorithm) {
        return Err(VerifyContainerError::TimeStamp(TspError::UnsupportedDigest));
    }
    let tsa = token
        .verify_data(stamped, &material.tsa_certificates())
        .map_err(VerifyContainerError::TimeStamp)?;
    Ok(Stamp {
        time: token.gen_time(),
        tsa,
        is_batch: batch.is_some(),
    })
}

/// The chain of a batch time-stamp must cover the signature document as it is.
fn verify_chain(container: &Container, result: &[u8], chain: &[u8]) -> Result<(), VerifyContainerError> {
    let signature = [PartDigest::of(SIGNATURE, ALGORITHM, container.signature())];
    hash_chain::verify(
        result,
        Chain {
            name: TS_HASH_CHAIN,
            xml: chain,
        },
        Parts::Contained(&signature),
    )
    .map(|_| ())
    .map_err(VerifyContainerError::TimeStampHashChain)
}
