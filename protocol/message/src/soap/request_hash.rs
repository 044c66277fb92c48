//! Writing a provider's response anew with the hash of its request (wire.md 1.7).
//!
//! The reference serialises the document anew; we cut and insert in the text, so that comments, CDATA, namespace
//! declarations and white space stay as they are. The bytes differ from the reference's in insignificant things (empty
//! elements, processing instructions); they are signed after this, so nothing depends on them.

use super::envelope::{self, Content, Places};
use super::{REQUEST_HASH_ALGORITHM, SoapError, SoapMessage, charset, names};
use crate::fault::Fault;
use crate::rest::request_hash as sha512_of_part;
use crate::transport::{ContentType, mime};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// A provider's response, ready to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recoded {
    /// A message, always in UTF-8 whatever the provider's encoding was.
    Message {
        /// The bytes to sign and send, under [`ContentType::with_utf8_charset`].
        bytes: Vec<u8>,
        /// What is in them, the request hash included.
        message: Box<SoapMessage>,
    },
    /// A SOAP fault; it is relayed as it is, unsigned (wire.md 2.4).
    Fault(Fault),
}

/// The hash of a SOAP message: SHA-512 of the bytes of the SOAP part alone.
#[must_use]
pub fn message_hash(soap_part: &[u8]) -> [u8; 64] {
    sha512_of_part(soap_part, None)
}

/// Parses a provider's response and writes it anew: an XML declaration for UTF-8 first, an existing `requestHash`
/// dropped, and the hash of the request, [`message_hash`], behind the `id` element.
///
/// # Errors
/// As [`super::parse`].
pub fn with_request_hash(
    bytes: &[u8],
    content_type: &ContentType,
    request_hash: &[u8],
) -> Result<Recoded, SoapError> {
    if !content_type.is(mime::TEXT_XML) && !content_type.is(mime::XOP_XML) {
        return Err(SoapError::InvalidContentType(content_type.essence().to_owned()));
    }
    let text = charset::decode(bytes)?;
    let (content, places) = envelope::read(&text)?;
    let mut message = match content {
        Content::Fault(fields) => return Ok(Recoded::Fault(fields.finish(bytes))),
        Content::Message(message) => message,
    };
    let value = STANDARD.encode(request_hash);
    let bytes = insert(&text, &places, &value).into_bytes();
    message.header.request_hash = Some(super::RequestHash {
        algorithm: Some(REQUEST_HASH_ALGORITHM.to_owned()),
        value,
    });
    Ok(Recoded::Message { bytes, message })
}

/// Copies the document, leaving out the declaration and an existing hash, and putting the new one behind `id`.
fn insert(text: &str, places: &Places, value: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(512));
    out.push_str(DECLARATION);
    let body_start = places.declaration.as_ref().map_or(0, |range| range.end);
    let (id_end, element) = match &places.id {
        Some((prefix, attributes, end)) => (*end, hash_element(text, places, prefix, attributes, value)),
        None => (body_start, String::new()),
    };
    let old = places.request_hash.clone().unwrap_or(id_end..id_end);
    let mut cuts = [(id_end, id_end, element.as_str()), (old.start, old.end, "")];
    cuts.sort_by_key(|(start, ..)| *start);
    let mut from = body_start;
    for (index, (start, end, inserted)) in cuts.into_iter().enumerate() {
        let kept = text.get(from..start).unwrap_or_default();
        out.push_str(if index == 0 {
            kept.trim_start_matches(['\r', '\n', '\t', ' '])
        } else {
            kept
        });
        out.push_str(inserted);
        from = end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// The element with the prefix and the attributes of `id`, behind the header's indentation.
fn hash_element(text: &str, places: &Places, prefix: &str, attributes: &str, value: &str) -> String {
    let indentation = places
        .indentation
        .clone()
        .and_then(|range| text.get(range))
        .unwrap_or_default();
    let (name, algorithm) = (names::REQUEST_HASH, names::ALGORITHM_ID);
    let mut out = String::from(indentation);
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "<{prefix}{name}{attributes} {algorithm}=\"{REQUEST_HASH_ALGORITHM}\">{value}</{prefix}{name}>"
    );
    out
}
