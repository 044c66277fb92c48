//! SOAP messages (wire.md 1.6, 1.7): reading the header by streaming, inserting the request hash, comparing request
//! and response.
//!
//! The bytes of a request are never changed: what the information system sent is signed, logged and delivered. Only the
//! response of a provider is written anew, by [`with_request_hash`].

mod action;
mod charset;
mod consistency;
mod envelope;
mod fault;
mod filtered;
mod header;
mod metadata;
mod names;
mod request_hash;
mod wsdl;
mod xml;

pub use action::validate_soap_action;
pub use consistency::{check_consistency, check_request_hash};
pub use filtered::filtered_message;
pub use header::{RequestHash, SoapHeader};
pub use metadata::{WsdlQuery, methods_response, wsdl_query, wsdl_response};
pub use request_hash::{Recoded, message_hash, with_request_hash};
pub use wsdl::hide_endpoints;

use crate::fault::Fault;
use crate::identifier::{ClientId, IdentifierError};
use crate::transport::{ContentType, mime};

/// Deepest nesting of elements that is read. The reference has no limit.
pub const MAX_DEPTH: usize = 1000;

/// Most attributes of an element, namespace declarations included. The reference allows 10000.
pub const MAX_ATTRIBUTES: usize = 256;

/// The URI of SHA-512, the only request hash algorithm that is written; what a response names is ignored (wire.md 1.7).
pub const REQUEST_HASH_ALGORITHM: &str = "http://www.w3.org/2001/04/xmlenc#sha512";

/// A parsed SOAP part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedSoap {
    /// A message with an X-Road header.
    Message(Box<SoapMessage>),
    /// A SOAP fault, of a peer or of a provider.
    Fault(Fault),
}

/// What is known of a message besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoapMessage {
    /// The header fields.
    pub header: SoapHeader,
    /// Namespace of the body's only child.
    pub body_namespace: Option<String>,
    /// Local name of the body's only child: starts with the service code.
    pub body_name: String,
}

impl SoapMessage {
    /// Whether this is a response: the name of the body's child ends with `Response` (wire.md 1.6).
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.body_name.ends_with("Response")
    }

    /// Who signs this message: the client of a request, the provider of a response.
    #[must_use]
    pub fn signer(&self) -> &ClientId {
        if self.is_response() {
            &self.header.service.provider
        } else {
            &self.header.client
        }
    }
}

/// Why bytes are no SOAP message, or not the one expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SoapError {
    /// Neither `text/xml` nor `application/xop+xml`.
    #[error("invalid content type: {0}")]
    InvalidContentType(String),
    /// The encoding is unknown, or the bytes are not in it.
    #[error("SOAP message cannot be decoded as {0}")]
    Encoding(String),
    /// Not well-formed XML, or something that is refused, such as DOCTYPE.
    #[error("SOAP message is not well-formed: {0}")]
    NotWellFormed(String),
    /// The root element is no SOAP 1.1 envelope, or has two headers or bodies.
    #[error("malformed SOAP message: {0}")]
    Envelope(&'static str),
    /// There is no header.
    #[error("malformed SOAP message: header missing")]
    MissingHeader,
    /// A mandatory header field is missing.
    #[error("required field '{0}' is missing")]
    MissingHeaderField(&'static str),
    /// A header field occurs twice.
    #[error("SOAP header contains duplicate field '{0}'")]
    DuplicateHeaderField(&'static str),
    /// The `objectType` of an identifier is missing or unexpected.
    #[error("{0}")]
    ObjectType(String),
    /// An identifier in the header is incomplete.
    #[error("malformed identifier in the SOAP header")]
    Identifier(#[from] IdentifierError),
    /// The protocol version does not start with `4.`.
    #[error("invalid protocol version (supported: 4.x, provided: {0})")]
    ProtocolVersion(String),
    /// There is no body.
    #[error("malformed SOAP message: body missing")]
    MissingBody,
    /// The body has no child, or more than one.
    #[error("malformed SOAP message: body must have exactly one child element")]
    InvalidBody,
    /// The name of the body's child does not start with the service code.
    #[error("malformed SOAP message: service code does not match in header and body")]
    InconsistentHeaders,
    /// The response does not answer the request (wire.md 6.1).
    #[error("field '{0}' does not match in request and response")]
    InconsistentResponse(&'static str),
    /// The request hash is missing in the response or does not match (wire.md 6.1).
    #[error("request hash {0}")]
    RequestHash(&'static str),
    /// `SOAPAction` is no quoted URI.
    #[error("malformed SOAPAction header")]
    SoapAction,
}

impl SoapError {
    /// The fault code of this failure.
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        match self {
            Self::InvalidContentType(_) => "invalid_content_type",
            Self::Encoding(_) | Self::NotWellFormed(_) | Self::Envelope(_) => "invalid_soap",
            Self::MissingHeader => "missing_header",
            Self::MissingHeaderField(_) => "missing_header_field",
            Self::DuplicateHeaderField(_) => "duplicate_header_field",
            Self::ObjectType(_) => "invalid_xml",
            Self::Identifier(error) => error.fault_code(),
            Self::ProtocolVersion(_) => "invalid_protocol_version",
            Self::MissingBody => "missing_body",
            Self::InvalidBody => "invalid_body",
            Self::InconsistentHeaders => "inconsistent_headers",
            Self::InconsistentResponse(_) | Self::RequestHash(_) => "inconsistent_response",
            Self::SoapAction => "invalid_soap_action",
        }
    }
}

/// Reads a SOAP part. The whole document is checked for well-formedness; only the header, and of the body the name of
/// its child or a fault, is kept.
///
/// # Errors
/// See [`SoapError`].
pub fn parse(bytes: &[u8], content_type: &ContentType) -> Result<ParsedSoap, SoapError> {
    if !content_type.is(mime::TEXT_XML) && !content_type.is(mime::XOP_XML) {
        return Err(SoapError::InvalidContentType(content_type.essence().to_owned()));
    }
    let text = charset::decode(bytes)?;
    let (content, _) = envelope::read(&text)?;
    Ok(content.into_parsed(bytes))
}

#[cfg(test)]
mod tests;
