//! OCSP (RFC 6960): requests, responses, and their verification as wire.md 3.7 has it.

mod build;
mod certificate_id;
mod request;
mod response;
mod verify;

pub use build::{ResponderId, SingleStatus, error_response, respond};
pub use certificate_id::CertificateId;
pub use request::{Request, request};
pub use response::{CertificateStatus, Response, ResponseStatus};
pub use verify::{ConfiguredResponder, DEFAULT_FUTURE_TOLERANCE, Verified, VerifyContext};

use time::OffsetDateTime;

use crate::asn1::Asn1Error;

/// Longest OCSP response or request taken, in bytes.
pub const MAX_OCSP_BYTES: usize = 256 * 1024;

/// Why an OCSP response proves nothing good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OcspError {
    /// More than [`MAX_OCSP_BYTES`].
    #[error("OCSP message of {0} bytes is too long")]
    TooLong(usize),
    /// Not the ASN.1 of an OCSP message.
    #[error("malformed OCSP message: {0}")]
    Malformed(#[from] Asn1Error),
    /// A certificate in the response is malformed.
    #[error("OCSP response has a malformed certificate: {0}")]
    Certificate(#[from] crate::certificate::CertificateError),
    /// The responder answered with an error.
    #[error("OCSP responder answered {0:?}")]
    NotSuccessful(ResponseStatus),
    /// A response of another type than basic.
    #[error("OCSP response type is not supported")]
    UnsupportedType,
    /// The response has no single response.
    #[error("OCSP response is empty")]
    Empty,
    /// The first single response is for another certificate.
    #[error("OCSP response does not apply to certificate (serial number {serial})")]
    OtherCertificate {
        /// Serial number of the certificate asked about, in decimal.
        serial: String,
    },
    /// No certificate at hand is the responder's.
    #[error("could not find OCSP certificate for responder ID")]
    UnknownResponder,
    /// The signature is not the responder's.
    #[error("signature on OCSP response is not valid")]
    Signature,
    /// The responder may not answer for this authority.
    #[error("OCSP responder is not authorized for given CA")]
    NotAuthorized,
    /// Older than the freshness that is demanded.
    #[error("OCSP response is too old (thisUpdate: {this_update})")]
    TooOld {
        /// The response's thisUpdate.
        this_update: OffsetDateTime,
    },
    /// The announced newer response is overdue.
    #[error("OCSP nextUpdate is too old, atDate: {at} nextUpdate: {next_update}")]
    NextUpdatePassed {
        /// The instant of verification.
        at: OffsetDateTime,
        /// The response's nextUpdate.
        next_update: OffsetDateTime,
    },
    /// From further in the future than clocks may differ.
    #[error("OCSP response is from the future (thisUpdate: {this_update}, now: {at})")]
    FromTheFuture {
        /// The instant of verification.
        at: OffsetDateTime,
        /// The response's thisUpdate.
        this_update: OffsetDateTime,
    },
    /// The certificate is revoked or not known.
    #[error("OCSP response indicates certificate status is {0:?}")]
    NotGood(CertificateStatus),
}

impl OcspError {
    /// Fault code without prefix (wire.md 3.7).
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::NotGood(_) => "cert_validation",
            Self::TooLong(_) | Self::Malformed(_) | Self::Certificate(_) | Self::UnsupportedType => {
                "ocsp_response_parsing_failure"
            }
            _ => "incorrect_validation_info",
        }
    }
}
