//! Reading XML from outside: bounded, without document type declarations, by qualified name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uppsala::{Document, Element, NodeId, NodeKind, Parser};

/// Namespace of XML digital signatures.
pub(crate) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

/// Deepest nesting of elements. Signature documents need 11.
const MAX_DEPTH: u32 = 32;

/// Why bytes are not an XML document that is looked at further.
#[derive(Debug, thiserror::Error)]
pub enum XmlError {
    /// The document is larger than its bound.
    #[error("{length} bytes, at most {limit} are read")]
    TooLarge {
        /// Length of the document in bytes.
        length: usize,
        /// The bound in bytes.
        limit: usize,
    },
    /// The document is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8(#[from] std::str::Utf8Error),
    /// The document is not well-formed, is nested too deeply or has a document type declaration.
    #[error("not well-formed: {0}")]
    NotWellFormed(String),
    /// The document has no element.
    #[error("no element")]
    Empty,
}

/// Reads a document of at most `limit` bytes. Document type declarations are refused.
pub(crate) fn parse(bytes: &[u8], limit: usize) -> Result<Document<'_>, XmlError> {
    if bytes.len() > limit {
        return Err(XmlError::TooLarge {
            length: bytes.len(),
            limit,
        });
    }
    let text = std::str::from_utf8(bytes)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Parser::new()
        .with_forbid_dtd(true)
        .with_forbid_entities(true)
        .with_max_depth(MAX_DEPTH)
        .parse(text)
        .map_err(|error| XmlError::NotWellFormed(error.to_string()))
}

/// The document's root element.
pub(crate) fn root<'d, 'a>(document: &'d Document<'a>) -> Result<(NodeId, &'d Element<'a>), XmlError> {
    let id = document.document_element().ok_or(XmlError::Empty)?;
    let element = document.element(id).ok_or(XmlError::Empty)?;
    Ok((id, element))
}

/// Child elements in document order; text, comments and processing instructions are passed over.
pub(crate) fn children<'d, 'a>(
    document: &'d Document<'a>,
    parent: NodeId,
) -> impl Iterator<Item = (NodeId, &'d Element<'a>)> {
    document
        .children_iter(parent)
        .filter_map(move |id| Some((id, document.element(id)?)))
}

/// The first child element with this namespace and local name.
pub(crate) fn child(document: &Document<'_>, parent: NodeId, namespace: &str, local: &str) -> Option<NodeId> {
    children(document, parent)
        .find(|(_, element)| is(element, namespace, local))
        .map(|(id, _)| id)
}

/// Whether the element has this namespace and local name.
pub(crate) fn is(element: &Element<'_>, namespace: &str, local: &str) -> bool {
    element.name.local_name == local && element.name.namespace_uri.as_deref() == Some(namespace)
}

/// The element's own text: its text and CDATA children, one after the other.
pub(crate) fn text(document: &Document<'_>, element: NodeId) -> String {
    let mut text = String::new();
    for id in document.children_iter(element) {
        if let Some(NodeKind::Text(part) | NodeKind::CData(part)) = document.node_kind(id) {
            text.push_str(part);
        }
    }
    text
}

/// Decodes base64 that may be wrapped. Everything else is strict, so that one value has one text but for white space.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(compact).ok()
}

/// Encodes base64 on one line.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Appends base64 on one line.
pub(crate) fn append_base64(bytes: &[u8], out: &mut String) {
    STANDARD.encode_string(bytes, out);
}

/// The value of attribute `name`, which has no namespace.
pub(crate) fn attribute<'e>(element: &'e Element<'_>, name: &str) -> Option<&'e str> {
    element
        .attributes
        .iter()
        .find(|attribute| attribute.name.namespace_uri.is_none() && attribute.name.local_name == name)
        .map(|attribute| attribute.value.as_ref())
}
