//! The references of a signature, resolved as far as the document itself can.

use bergshamra_c14n::{C14nMode, canonicalize_doc};
use bergshamra_xml::NodeSet;
use protocol_pki::digest::DigestAlgorithm;
use uppsala::{Document, NodeId};

use super::DocumentError;
use super::plain::Plain;
use crate::hash_chain::is_strong;
use crate::xml;

/// One `ds:Reference`: a digest that is signed, and what it is the digest of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Algorithm of the digest; SHA-2 of 256 bits or more.
    pub algorithm: DigestAlgorithm,
    /// The digest that is signed.
    pub digest: Vec<u8>,
    /// What was digested.
    pub target: Target,
}

/// What a reference points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The document's `xades:SignedProperties`, in canonical form.
    SignedProperties(Vec<u8>),
    /// Another element of the document, in canonical form. It says nothing about the message.
    Element(Vec<u8>),
    /// A part of the message or the hash chain result, by name, digested as it is.
    File(String),
}

impl Reference {
    /// Whether a reference within the document has the right digest. One to a file has it nowhere yet.
    pub(crate) fn holds_in_document(&self) -> bool {
        match &self.target {
            Target::SignedProperties(bytes) | Target::Element(bytes) => {
                self.algorithm.digest(bytes).as_ref() == self.digest.as_slice()
            }
            Target::File(_) => true,
        }
    }

    /// Reads one `ds:Reference`. `signed_properties` is the element that may speak for the signature.
    pub(super) fn read(
        document: &Document<'_>,
        plain: Option<&Plain<'_>>,
        element: NodeId,
        signed_properties: NodeId,
        elements: &[(String, NodeId)],
    ) -> Result<Self, DocumentError> {
        let attributes = document
            .element(element)
            .ok_or(DocumentError::Malformed("reference"))?;
        let uri =
            xml::attribute(attributes, "URI").ok_or(DocumentError::Malformed("reference without URI"))?;
        let method = xml::child(document, element, xml::DS, "DigestMethod");
        let algorithm = digest_algorithm(document, method)?;
        let digest = xml::child(document, element, xml::DS, "DigestValue")
            .and_then(|id| xml::decode_base64(&xml::text(document, id)))
            .ok_or(DocumentError::Malformed("reference without digest value"))?;
        let transforms = xml::child(document, element, xml::DS, "Transforms");
        let target = match uri.strip_prefix('#') {
            Some(id) => in_document(document, plain, id, transforms, signed_properties, elements)?,
            None if uri.is_empty() || transforms.is_some() => {
                return Err(DocumentError::Malformed("reference to a transformed part"));
            }
            None => Target::File(uri.to_owned()),
        };
        Ok(Self {
            algorithm,
            digest,
            target,
        })
    }
}

fn in_document(
    document: &Document<'_>,
    plain: Option<&Plain<'_>>,
    id: &str,
    transforms: Option<NodeId>,
    signed_properties: NodeId,
    elements: &[(String, NodeId)],
) -> Result<Target, DocumentError> {
    let (_, element) = elements
        .iter()
        .find(|(known, _)| known == id)
        .ok_or(DocumentError::Malformed(
            "reference to an element that is not there",
        ))?;
    let form = match transforms {
        Some(transforms) => Canonicalization::of_transforms(document, transforms)?,
        None => Canonicalization::inclusive(),
    };
    let bytes = form.apply(document, plain, *element)?;
    Ok(if *element == signed_properties {
        Target::SignedProperties(bytes)
    } else {
        Target::Element(bytes)
    })
}

/// The algorithm of a `ds:DigestMethod`, when it is strong enough.
pub(super) fn digest_algorithm(
    document: &Document<'_>,
    method: Option<NodeId>,
) -> Result<DigestAlgorithm, DocumentError> {
    let uri = method
        .and_then(|id| document.element(id))
        .and_then(|element| xml::attribute(element, "Algorithm"))
        .ok_or(DocumentError::Malformed("digest method without algorithm"))?;
    DigestAlgorithm::from_uri(uri)
        .filter(|algorithm| is_strong(*algorithm))
        .ok_or_else(|| DocumentError::Algorithm(uri.to_owned()))
}

/// A canonicalisation method with its parameters.
pub(super) struct Canonicalization {
    mode: C14nMode,
    prefixes: Vec<String>,
}

impl Canonicalization {
    const fn inclusive() -> Self {
        Self {
            mode: C14nMode::Inclusive,
            prefixes: Vec::new(),
        }
    }

    /// Reads a `ds:CanonicalizationMethod` or `ds:Transform`.
    pub(super) fn read(document: &Document<'_>, element: NodeId) -> Result<Self, DocumentError> {
        let uri = document
            .element(element)
            .and_then(|element| xml::attribute(element, "Algorithm"))
            .ok_or(DocumentError::Malformed("canonicalization without algorithm"))?;
        let mode = C14nMode::from_uri(uri)
            .filter(|mode| !mode.with_comments())
            .ok_or_else(|| DocumentError::Algorithm(uri.to_owned()))?;
        let prefixes = xml::child(document, element, mode.uri(), "InclusiveNamespaces")
            .and_then(|id| document.element(id))
            .and_then(|element| xml::attribute(element, "PrefixList"))
            .map(|list| list.split_ascii_whitespace().map(str::to_owned).collect())
            .unwrap_or_default();
        Ok(Self { mode, prefixes })
    }

    /// The one canonicalisation that a reference within the document may ask for.
    fn of_transforms(document: &Document<'_>, transforms: NodeId) -> Result<Self, DocumentError> {
        let mut transforms = xml::children(document, transforms);
        match (transforms.next(), transforms.next()) {
            (Some((id, element)), None) if xml::is(element, xml::DS, "Transform") => Self::read(document, id),
            _ => Err(DocumentError::Malformed(
                "a reference may have one transform, a canonicalization",
            )),
        }
    }

    /// The canonical form of an element within the document.
    pub(super) fn apply(
        &self,
        document: &Document<'_>,
        plain: Option<&Plain<'_>>,
        element: NodeId,
    ) -> Result<Vec<u8>, DocumentError> {
        if let (Some(plain), C14nMode::Inclusive) = (plain, self.mode)
            && let Some(name) = document
                .element(element)
                .map(|element| element.name.prefixed_name())
            && let Some(canonical) = plain.canonical(&name)
        {
            return Ok(canonical);
        }
        let nodes = NodeSet::tree_without_comments(element, document);
        canonicalize_doc(document, self.mode, Some(&nodes), &self.prefixes)
            .map_err(|error| DocumentError::Canonicalization(error.to_string()))
    }
}
