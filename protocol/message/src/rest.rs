//! REST messages: the request and response parts that are signed and logged (wire.md 1.4), what identifies a
//! request in its response (6.1), and matching of paths with endpoints (6.2).

mod endpoint;
mod hash;
mod header;
mod lines;
mod request;
mod response;

pub use endpoint::{EndpointPath, EndpointPattern, MAX_PATTERN_LENGTH, PathError};
pub use hash::request_hash;
pub use header::{Header, SKIPPED_HEADERS, is_skipped_header, to_http_value};
pub use request::{Method, RequestPart};
pub use response::{ResponseHead, ResponsePart};

use crate::identifier::IdentifierError;

/// First segment of the path of a REST request: this alone tells REST from SOAP (wire.md 1.2).
pub const REST_PATH_PREFIX: &str = "/r1/";

/// Content type of the part that holds a request (wire.md 1.4).
pub const REQUEST_CONTENT_TYPE: &str = "application/x-road-rest-request";
/// Content type of the part that holds a response.
pub const RESPONSE_CONTENT_TYPE: &str = "application/x-road-rest-response";
/// Content type of the part that holds a body.
pub const BODY_CONTENT_TYPE: &str = "application/x-road-rest-body";

/// Largest request or response part that is read, in bytes. The reference has no limit (wire.md 6.4).
pub const MAX_PART_LENGTH: usize = 1024 * 1024;

/// Most header lines in a part.
pub const MAX_HEADERS: usize = 1000;

/// Why something is no REST message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestError {
    /// The part is longer than [`MAX_PART_LENGTH`] or has more than [`MAX_HEADERS`] headers.
    #[error("REST part is too large")]
    TooLarge,
    /// The part is not UTF-8.
    #[error("REST part is not UTF-8")]
    NotUtf8,
    /// A request or status line is missing.
    #[error("REST part ends before {0}")]
    MissingLine(&'static str),
    /// The verb is none of those that are carried.
    #[error("unknown verb '{0}'")]
    UnknownVerb(String),
    /// The path is not `/r1/instance/class/member/subsystem/service[/...]`, or holds characters that no URI can.
    #[error("invalid request URI")]
    InvalidPath,
    /// The protocol version in the path is not 1.
    #[error("unsupported protocol version '{0}'")]
    UnsupportedVersion(String),
    /// A header line is malformed.
    #[error("invalid header")]
    InvalidHeader,
    /// A header that must not travel is present in a part (wire.md 1.4).
    #[error("invalid header: {0}")]
    SkippedHeader(String),
    /// `X-Road-Client` is missing.
    #[error("client identifier is missing")]
    MissingClient,
    /// `X-Road-Id` is missing or empty.
    #[error("message id is missing")]
    MissingMessageId,
    /// The response says nothing about the request it answers.
    #[error("invalid REST response message: {0}")]
    InvalidResponse(&'static str),
    /// An identifier in the path or in a header is malformed.
    #[error("malformed identifier")]
    Identifier(#[from] IdentifierError),
    /// The response answers another request (wire.md 6.1).
    #[error("{0} in the response does not match the request")]
    Inconsistent(&'static str),
}

impl RestError {
    /// The fault code of this failure. What the reference does not tell apart is `internal_error` (wire.md 1.4).
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        match self {
            Self::MissingClient => "invalid_client_identifier",
            Self::Inconsistent(_) => "inconsistent_response",
            _ => "internal_error",
        }
    }
}
