//! Time-stamps (RFC 3161): requests, responses, tokens and their verification (wire.md 4.2, 4.5, 5.2).

pub mod ber;
mod build;
mod cms;
mod request;
mod response;
mod token;
mod verify;

pub use build::{TokenContents, grant, issue_token, reject};
pub use request::{Request, request};
pub use response::{Response, Status};
pub use token::TimeStampToken;

use time::OffsetDateTime;

use crate::asn1::Asn1Error;
use crate::certificate::CertificateError;
use crate::digest::{Digest, DigestAlgorithm};
use crate::public_key::SignatureError;

/// Longest time-stamp message taken, in bytes.
pub const MAX_TSP_BYTES: usize = 1024 * 1024;

/// The digest that is time-stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Imprint {
    /// Algorithm of the digest.
    pub algorithm: DigestAlgorithm,
    /// The digest.
    pub digest: Digest,
}

impl Imprint {
    /// The imprint of data.
    pub fn of(algorithm: DigestAlgorithm, data: &[u8]) -> Self {
        Self {
            algorithm,
            digest: algorithm.digest(data),
        }
    }
}

/// Why a time-stamp is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TspError {
    /// More than [`MAX_TSP_BYTES`].
    #[error("time-stamp message of {0} bytes is too long")]
    TooLong(usize),
    /// Not the ASN.1 of a time-stamp message.
    #[error("malformed time-stamp message: {0}")]
    Malformed(#[from] Asn1Error),
    /// The imprint's digest algorithm is not supported.
    #[error("time-stamp imprint algorithm is not supported")]
    UnsupportedDigest,
    /// The authority did not grant the request.
    #[error("TimeStampResp.status: {status:?}, .statusString: {text}")]
    NotGranted {
        /// What it said.
        status: Status,
        /// Its text, parts separated by commas.
        text: String,
    },
    /// Granted, but without a token.
    #[error("time-stamp response has no token")]
    NoToken,
    /// The token is not CMS signed data with time-stamp information in it.
    #[error("time-stamp token is not signed time-stamp information")]
    NotAToken,
    /// Not exactly one signer.
    #[error("time-stamp token has {0} signers instead of one")]
    SignerCount(usize),
    /// The token's imprint is not the digest of the stamped data.
    #[error("timestamp hashes do not match")]
    ImprintMismatch,
    /// The response has another nonce than the request.
    #[error("time-stamp nonce differs from that of the request")]
    NonceMismatch,
    /// No time-stamping authority's certificate is at hand.
    #[error("no TSP service providers are configured")]
    NoAuthorities,
    /// None of the authorities' certificates is the signer's.
    #[error("could not find TSP certificate for timestamp")]
    UnknownAuthority,
    /// The signed attributes are missing, or do not speak of this content.
    #[error("time-stamp signed attributes do not fit: {0}")]
    SignedAttributes(&'static str),
    /// The signature or digest algorithm is not supported.
    #[error("time-stamp signature algorithm is not supported")]
    UnsupportedAlgorithm,
    /// The signature value is not the authority's.
    #[error("failed to verify timestamp signer information: {0}")]
    Signature(#[from] SignatureError),
    /// The signer says that it signed outside the validity of its certificate.
    #[error("time-stamp signing time {0} is outside the validity of the signer's certificate")]
    SigningTime(OffsetDateTime),
    /// A certificate in the token is malformed.
    #[error("time-stamp token has a malformed certificate: {0}")]
    Certificate(#[from] CertificateError),
}

impl TspError {
    /// Fault code without prefix (wire.md 1.8, 4.5, 5.2).
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::TooLong(_) | Self::Malformed(_) | Self::UnsupportedDigest => {
                "mlog.reading_timestamp_response_failed"
            }
            Self::NotGranted { .. } => "mlog.timestamp_non_granted_response",
            Self::NoToken | Self::NotAToken | Self::SignerCount(_) | Self::Certificate(_) => {
                "mlog.timestamp_response_object_creation_failed"
            }
            Self::ImprintMismatch => "malformed_signature",
            Self::NonceMismatch => "mlog.timestamp_response_validation_failed",
            Self::NoAuthorities => "mlog.no_timestamping_provider_found",
            Self::UnknownAuthority => "mlog.tsp_certificate_not_found",
            Self::SignedAttributes(_)
            | Self::UnsupportedAlgorithm
            | Self::Signature(_)
            | Self::SigningTime(_) => "mlog.timestamp_signer_verification_failed",
        }
    }
}
