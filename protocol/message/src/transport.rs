//! The multipart message between security servers (wire.md 2.2), and `multipart/related` between an information
//! system and its security server (1.6).
//!
//! Everything here is pushed: a decoder is fed chunks as they arrive and gives events that borrow from them; an encoder
//! appends the bytes that stand around streamed bodies to a buffer. A gigabyte attachment and a fuzz target use the same
//! code.
//!
//! ```
//! use protocol_message::transport::{Event, TransportDecoder};
//! # fn demo(chunks: &[&[u8]]) -> Result<(), protocol_message::transport::TransportError> {
//! let mut decoder = TransportDecoder::new("multipart/mixed; charset=UTF-8; boundary=xtopabc")?;
//! for chunk in chunks {
//!     let mut rest: &[u8] = chunk;
//!     while let Some(event) = decoder.next(&mut rest)? {
//!         match event {
//!             Event::Small(part) => println!("{:?}: {} bytes", part.kind, part.bytes.len()),
//!             Event::BodyStart(body) => println!("body {}", body.number),
//!             Event::Data(bytes) => println!("{} bytes of it", bytes.len()),
//!             Event::BodyEnd | Event::End => {}
//!         }
//!     }
//! }
//! decoder.finish()
//! # }
//! ```

use bytes::Bytes;

mod content_type;
mod encoder;
mod gathered;
mod message;
pub mod multipart;
mod related;

pub use content_type::{ContentType, MAX_BOUNDARY_LENGTH, MAX_CONTENT_TYPE_LENGTH, essence_of, is_of};
pub use encoder::{Encoder, RANDOM_LENGTH, Signature, boundary_letters};
pub use gathered::Gathered;
pub use message::{BodyKind, BodyPart, Event, Limits, PartKind, SmallPart, TransportDecoder};
pub use multipart::PartHeaders;
pub use related::{RelatedDecoder, RelatedEncoder};

/// `Content-Type` essences (wire.md 2.2).
pub mod mime {
    /// SOAP 1.1, and SOAP faults.
    pub const TEXT_XML: &str = "text/xml";
    /// SOAP 1.1 as this side writes it.
    pub const TEXT_XML_UTF8: &str = "text/xml; charset=UTF-8";
    /// SOAP with MTOM.
    pub const XOP_XML: &str = "application/xop+xml";
    /// SOAP with attachments as information systems send it.
    pub const MULTIPART_RELATED: &str = "multipart/related";
    /// The transport message, and its nested attachments.
    pub const MULTIPART_MIXED: &str = "multipart/mixed";
    /// An OCSP response, DER.
    pub const OCSP_RESPONSE: &str = "application/ocsp-response";
    /// The hash chain result of a batch signature.
    pub const HASH_CHAIN_RESULT: &str = "application/hash-chain-result";
    /// This message's hash chain of a batch signature.
    pub const HASH_CHAIN: &str = "application/hash-chain";
    /// The signature document.
    pub const SIGNATURE: &str = "signature/bdoc-1.0/ts";
    /// A SOAP fault in place of the signature.
    pub const FAULT: &str = "text/xml;charset=UTF-8";
}

/// HTTP headers of the transport message (wire.md 2.1).
pub mod header {
    /// Digest algorithm of the parts, by name: `SHA-512`.
    pub const HASH_ALGORITHM: &str = "x-hash-algorithm";
    /// Version of the sending server, a semantic version.
    pub const PROXY_VERSION: &str = "x-proxy-version";
    /// Content type of the information system's message.
    pub const ORIGINAL_CONTENT_TYPE: &str = "x-original-content-type";
    /// `SOAPAction` of the information system's message.
    pub const ORIGINAL_SOAP_ACTION: &str = "x-original-soapaction";
    /// UUID of the exchange.
    pub const REQUEST_ID: &str = "x-road-request-id";
    /// `REST`, or absent for SOAP.
    pub const MESSAGE_TYPE: &str = "x-road-message-type";
}

/// Why bytes are no transport message or no SOAP message with attachments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// A content type is malformed or not the one expected.
    #[error("invalid content type: {0}")]
    InvalidContentType(String),
    /// A part that must have a content type has none.
    #[error("could not get content type for part")]
    MissingContentType,
    /// A multipart content type has no usable boundary.
    #[error("multipart content type is missing required boundary: {0}")]
    MissingBoundary(String),
    /// Something other than a signature or a fault stands in the signature's place.
    #[error("received invalid content type instead of signature: {0}")]
    NotASignature(String),
    /// A part follows the signature or the fault.
    #[error("extra content ({0}) after signature")]
    ExtraContent(String),
    /// A header line of a part is malformed.
    #[error("malformed part header")]
    MalformedHeader,
    /// A boundary is followed by something that is no end of line.
    #[error("malformed boundary line")]
    MalformedBoundary,
    /// A SOAP message with attachments has no part at all.
    #[error("request does not contain SOAP message")]
    MissingSoap,
    /// The message ended before its closing boundary.
    #[error("message ended unexpectedly")]
    Truncated,
    /// A bound is exceeded.
    #[error("{what} exceeds {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it may be.
        limit: usize,
    },
    /// A part's name or value cannot be written as a header.
    #[error("invalid character in a header")]
    InvalidHeader,
}

impl TransportError {
    /// The fault code of this failure.
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        match self {
            Self::InvalidContentType(_)
            | Self::MissingContentType
            | Self::MissingBoundary(_)
            | Self::NotASignature(_) => "invalid_content_type",
            Self::ExtraContent(_) => "invalid_message",
            Self::MissingSoap => "missing_soap",
            Self::Truncated => "io_error",
            Self::MalformedHeader | Self::MalformedBoundary | Self::TooLarge { .. } | Self::InvalidHeader => {
                "mime_parsing_failed"
            }
        }
    }
}

/// Where `data` lies within `chunk`, if it borrows from it: for callers that own the chunk and pass slices of it on
/// without copying. A few bytes that turned out not to be a boundary lie elsewhere.
#[must_use]
pub fn range_within(chunk: &[u8], data: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = data.as_ptr().addr().checked_sub(chunk.as_ptr().addr())?;
    let end = start.checked_add(data.len())?;
    (end <= chunk.len()).then_some(start..end)
}

/// `data` to keep: a slice of `chunk` if it borrows from it ([`range_within`]), else a copy.
#[must_use]
pub fn kept(chunk: &Bytes, data: &[u8]) -> Bytes {
    match range_within(chunk, data) {
        Some(range) => chunk.slice(range),
        None => Bytes::copy_from_slice(data),
    }
}
