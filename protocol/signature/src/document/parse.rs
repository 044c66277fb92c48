//! Reads signature documents.

use protocol_pki::algorithm::SignatureAlgorithm;
use protocol_pki::certificate::Certificate;
use protocol_pki::digest::DigestAlgorithm;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uppsala::{Document, Element, NodeId};

use super::plain::Plain;
use super::reference::{Canonicalization, Reference, Target, digest_algorithm};
use super::{MAX_DOCUMENT_BYTES, MAX_REFERENCES, MAX_VALUES, XADES};
use crate::hash_chain::is_strong;
use crate::xml::{self, DS, XmlError};

/// Why bytes are not a signature document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Not an XML document within the bounds.
    #[error("signature document: {0}")]
    Xml(#[from] XmlError),
    /// Not the structure of a signature document.
    #[error("malformed signature document: {0}")]
    Malformed(&'static str),
    /// A signature, digest or canonicalisation algorithm that is unknown or too weak.
    #[error("algorithm {0} is not accepted")]
    Algorithm(String),
    /// An element cannot be canonicalised.
    #[error("cannot canonicalize: {0}")]
    Canonicalization(String),
    /// A certificate in the document cannot be read.
    #[error("certificate in the signature document cannot be read")]
    Certificate(#[source] protocol_pki::certificate::CertificateError),
    /// An OCSP response in the document cannot be read.
    #[error("OCSP response in the signature document cannot be read")]
    OcspResponse(#[source] protocol_pki::ocsp::OcspError),
}

impl DocumentError {
    /// The fault code (wire.md 1.8).
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::Xml(_) => "invalid_xml",
            _ => "malformed_signature",
        }
    }
}

/// What `xades:SigningCertificate` (or `V2`) says about the signing certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningCertificate {
    /// Algorithm of `digest`.
    pub algorithm: DigestAlgorithm,
    /// Digest of the certificate's DER.
    pub digest: Vec<u8>,
    /// The serial number in decimal, when it is given as text.
    pub serial: Option<String>,
}

/// A signature document that was read. Nothing in it is verified yet.
#[derive(Debug, Clone)]
pub struct SignatureDocument {
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) signed_info: Vec<u8>,
    pub(crate) signature_value: Vec<u8>,
    pub(crate) references: Vec<Reference>,
    pub(crate) certificate: Certificate,
    pub(crate) signing_certificate: Option<SigningCertificate>,
    pub(crate) signing_time: Option<OffsetDateTime>,
    pub(crate) intermediates: Vec<Certificate>,
    pub(crate) ocsp_responses: Vec<Vec<u8>>,
    pub(crate) time_stamp: Option<Vec<u8>>,
}

impl SignatureDocument {
    /// Reads a signature document of at most [`MAX_DOCUMENT_BYTES`].
    ///
    /// The root is `ds:Signature` or contains it. Elements are found by their literal prefixes `ds:` and `xades:` as
    /// well as by namespace, because that is how the reference finds them (wire.md 3.1). Every id is unique, there is
    /// one signature, and one of its references is to its own `xades:SignedProperties`.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let document = xml::parse(bytes, MAX_DOCUMENT_BYTES)?;
        Reader::new(&document, Plain::of(bytes))?.read()
    }

    /// The algorithm of the signature value.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The canonical `ds:SignedInfo`.
    #[must_use]
    pub fn signed_info(&self) -> &[u8] {
        &self.signed_info
    }

    /// The decoded signature value: what a single time-stamp covers (wire.md 4.2).
    #[must_use]
    pub fn signature_value(&self) -> &[u8] {
        &self.signature_value
    }

    /// The references, in their order.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// Whether the file `name` is signed directly.
    #[must_use]
    pub fn references_file(&self, name: &str) -> bool {
        self.file(name).is_some()
    }

    pub(crate) fn file(&self, name: &str) -> Option<&Reference> {
        self.references
            .iter()
            .find(|reference| matches!(&reference.target, Target::File(file) if file == name))
    }

    /// The certificate in `ds:KeyInfo`.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What the signed properties say about the signing certificate.
    #[must_use]
    pub fn signing_certificate(&self) -> Option<&SigningCertificate> {
        self.signing_certificate.as_ref()
    }

    /// When the signer says the signature was made.
    #[must_use]
    pub fn signing_time(&self) -> Option<OffsetDateTime> {
        self.signing_time
    }

    /// Intermediate certificates whose digests agree with their references.
    #[must_use]
    pub fn intermediates(&self) -> &[Certificate] {
        &self.intermediates
    }

    /// DER of the OCSP responses, at least one.
    #[must_use]
    pub fn ocsp_responses(&self) -> &[Vec<u8>] {
        &self.ocsp_responses
    }

    /// DER of the embedded time-stamp token, once there is one.
    #[must_use]
    pub fn time_stamp(&self) -> Option<&[u8]> {
        self.time_stamp.as_deref()
    }
}

/// Whether the canonical forms that are made from text are those that the library makes, as far as the document can be
/// read. For tests.
#[doc(hidden)]
#[must_use]
pub fn readers_agree(bytes: &[u8]) -> bool {
    let Ok(document) = xml::parse(bytes, MAX_DOCUMENT_BYTES) else {
        return true;
    };
    let read = |plain| {
        let read = Reader::new(&document, plain).and_then(|reader| reader.read());
        read.map(|read| (read.signed_info, read.references)).ok()
    };
    read(Plain::of(bytes)) == read(None)
}

/// Whether the canonical `SignedInfo` and `SignedProperties` of these bytes are made from text. For tests.
#[doc(hidden)]
#[must_use]
pub fn is_plain(bytes: &[u8]) -> bool {
    let made = |plain: Plain<'_>| {
        ["ds:SignedInfo", "xades:SignedProperties"]
            .iter()
            .all(|name| plain.canonical(name).is_some())
    };
    Plain::of(bytes).is_some_and(made)
}

/// Finds the parts of a document.
struct Reader<'d, 'a> {
    document: &'d Document<'a>,
    plain: Option<Plain<'a>>,
    elements: Vec<(String, NodeId)>,
    signature: NodeId,
    qualifying: NodeId,
    signed_properties: NodeId,
}

impl<'d, 'a> Reader<'d, 'a> {
    fn new(document: &'d Document<'a>, plain: Option<Plain<'a>>) -> Result<Self, DocumentError> {
        let mut elements = Vec::new();
        let mut signatures = Vec::new();
        let mut properties = Vec::new();
        let root = document.root();
        for id in document.descendants(root) {
            let Some(element) = document.element(id) else {
                continue;
            };
            if let Some(value) = xml::attribute(element, "Id") {
                elements.push((value.to_owned(), id));
            }
            if element.name.prefixed_name() == "ds:Signature" {
                signatures.push(id);
            }
            if xml::is(element, XADES, "QualifyingProperties") {
                properties.push(id);
            }
        }
        check_ids(&elements)?;
        let ([signature], [qualifying]) = (signatures.as_slice(), properties.as_slice()) else {
            return Err(DocumentError::Malformed(
                "there must be one ds:Signature with one QualifyingProperties",
            ));
        };
        let signed_properties = xml::child(document, *qualifying, XADES, "SignedProperties")
            .ok_or(DocumentError::Malformed("no SignedProperties"))?;
        let reader = Self {
            document,
            plain,
            elements,
            signature: *signature,
            qualifying: *qualifying,
            signed_properties,
        };
        reader.check_place()?;
        Ok(reader)
    }

    /// The properties must be those of this signature: in its own `ds:Object`, and naming it.
    fn check_place(&self) -> Result<(), DocumentError> {
        let signature = self.element(self.signature)?;
        let object = self
            .document
            .parent(self.qualifying)
            .ok_or(DocumentError::Malformed("no ds:Object"))?;
        let in_object = self.element(object)?.name.prefixed_name() == "ds:Object"
            && xml::is(self.element(object)?, DS, "Object")
            && self.document.parent(object) == Some(self.signature);
        if !in_object || !xml::is(signature, DS, "Signature") {
            return Err(DocumentError::Malformed(
                "QualifyingProperties are not in the signature's ds:Object",
            ));
        }
        let target = xml::attribute(self.element(self.qualifying)?, "Target");
        let id = xml::attribute(signature, "Id");
        match (target.map(|target| target.strip_prefix('#')), id) {
            (Some(target), Some(id)) if target != Some(id) => Err(DocumentError::Malformed(
                "QualifyingProperties are about another signature",
            )),
            _ => Ok(()),
        }
    }

    fn read(&self) -> Result<SignatureDocument, DocumentError> {
        let info = self.ds(self.signature, "SignedInfo")?;
        let canonicalization =
            Canonicalization::read(self.document, self.ds(info, "CanonicalizationMethod")?)?;
        Ok(SignatureDocument {
            algorithm: self.algorithm(info)?,
            references: self.references(info)?,
            signed_info: canonicalization.apply(self.document, self.plain.as_ref(), info)?,
            signature_value: self.base64(self.ds(self.signature, "SignatureValue")?)?,
            certificate: self.certificate()?,
            signing_certificate: self.signing_certificate()?,
            signing_time: self.signing_time()?,
            intermediates: self.intermediates()?,
            ocsp_responses: self.ocsp_responses()?,
            time_stamp: self.time_stamp()?,
        })
    }

    fn algorithm(&self, info: NodeId) -> Result<SignatureAlgorithm, DocumentError> {
        let method = self.element(self.ds(info, "SignatureMethod")?)?;
        let uri = xml::attribute(method, "Algorithm").ok_or(DocumentError::Malformed("SignatureMethod"))?;
        SignatureAlgorithm::from_uri(uri)
            .filter(|algorithm| is_strong(algorithm.digest()))
            .ok_or_else(|| DocumentError::Algorithm(uri.to_owned()))
    }

    fn references(&self, info: NodeId) -> Result<Vec<Reference>, DocumentError> {
        let ids = xml::children(self.document, info).filter(|(_, element)| xml::is(element, DS, "Reference"));
        let ids: Vec<NodeId> = ids.map(|(id, _)| id).take(MAX_REFERENCES + 1).collect();
        if ids.len() > MAX_REFERENCES {
            return Err(DocumentError::Malformed("too many references"));
        }
        let references = ids
            .into_iter()
            .map(|id| {
                Reference::read(
                    self.document,
                    self.plain.as_ref(),
                    id,
                    self.signed_properties,
                    &self.elements,
                )
            })
            .collect::<Result<Vec<_>, _>>()?;
        check_references(&references)?;
        Ok(references)
    }

    fn certificate(&self) -> Result<Certificate, DocumentError> {
        let info = self.ds(self.signature, "KeyInfo")?;
        let data = self.ds(info, "X509Data")?;
        read_certificate(&self.base64(self.ds(data, "X509Certificate")?)?)
    }

    fn signing_certificate(&self) -> Result<Option<SigningCertificate>, DocumentError> {
        let Some(properties) = self.xades(self.signed_properties, "SignedSignatureProperties") else {
            return Ok(None);
        };
        let v1 = self.xades(properties, "SigningCertificate");
        let Some(cert) = v1
            .or_else(|| self.xades(properties, "SigningCertificateV2"))
            .and_then(|certificates| self.xades(certificates, "Cert"))
        else {
            return Ok(None);
        };
        let (algorithm, digest) = self.certificate_digest(cert)?;
        let serial = self
            .xades(cert, "IssuerSerial")
            .and_then(|serial| xml::child(self.document, serial, DS, "X509SerialNumber"))
            .map(|serial| xml::text(self.document, serial).trim().to_owned());
        Ok(Some(SigningCertificate {
            algorithm,
            digest,
            serial,
        }))
    }

    fn signing_time(&self) -> Result<Option<OffsetDateTime>, DocumentError> {
        let time = self
            .xades(self.signed_properties, "SignedSignatureProperties")
            .and_then(|properties| self.xades(properties, "SigningTime"));
        let Some(time) = time else { return Ok(None) };
        OffsetDateTime::parse(xml::text(self.document, time).trim(), &Rfc3339)
            .map(Some)
            .map_err(|_| DocumentError::Malformed("SigningTime"))
    }

    /// Certificates that `CompleteCertificateRefs` names, each with the digest given there.
    fn intermediates(&self) -> Result<Vec<Certificate>, DocumentError> {
        let references = self
            .unsigned()
            .and_then(|unsigned| self.xades(unsigned, "CompleteCertificateRefs"))
            .and_then(|references| self.xades(references, "CertRefs"));
        let Some(references) = references else {
            return Ok(Vec::new());
        };
        let mut intermediates = Vec::new();
        for (id, element) in xml::children(self.document, references) {
            bounded(&intermediates)?;
            let uri = xml::attribute(element, "URI").and_then(|uri| uri.strip_prefix('#'));
            let id_of_value = uri.ok_or(DocumentError::Malformed("certificate reference without URI"))?;
            intermediates.push(self.intermediate(id, id_of_value)?);
        }
        Ok(intermediates)
    }

    fn intermediate(&self, reference: NodeId, id: &str) -> Result<Certificate, DocumentError> {
        let (_, value) = (self.elements.iter())
            .find(|(known, _)| known == id)
            .ok_or(DocumentError::Malformed("referenced certificate is not there"))?;
        let certificate = read_certificate(&self.base64(*value)?)?;
        let (algorithm, digest) = self.certificate_digest(reference)?;
        if algorithm.digest(certificate.as_der()).as_ref() != digest.as_slice() {
            return Err(DocumentError::Malformed("certificate digest does not match"));
        }
        Ok(certificate)
    }

    fn certificate_digest(&self, cert: NodeId) -> Result<(DigestAlgorithm, Vec<u8>), DocumentError> {
        let digest = self
            .xades(cert, "CertDigest")
            .ok_or(DocumentError::Malformed("no CertDigest"))?;
        let algorithm = digest_algorithm(
            self.document,
            xml::child(self.document, digest, DS, "DigestMethod"),
        )?;
        Ok((algorithm, self.base64(self.ds(digest, "DigestValue")?)?))
    }

    fn ocsp_responses(&self) -> Result<Vec<Vec<u8>>, DocumentError> {
        let values = self
            .unsigned()
            .and_then(|unsigned| self.xades(unsigned, "RevocationValues"))
            .and_then(|values| self.xades(values, "OCSPValues"));
        let mut responses = Vec::new();
        if let Some(values) = values {
            for (id, element) in xml::children(self.document, values) {
                bounded(&responses)?;
                if xml::is(element, XADES, "EncapsulatedOCSPValue") {
                    responses.push(self.base64(id)?);
                }
            }
        }
        if responses.is_empty() {
            return Err(DocumentError::Malformed("no OCSP response"));
        }
        Ok(responses)
    }

    /// The token, which old documents have directly in `xades:SignatureTimeStamp`.
    fn time_stamp(&self) -> Result<Option<Vec<u8>>, DocumentError> {
        let Some(stamp) = self
            .unsigned()
            .and_then(|unsigned| self.xades(unsigned, "SignatureTimeStamp"))
        else {
            return Ok(None);
        };
        self.base64(self.xades(stamp, "EncapsulatedTimeStamp").unwrap_or(stamp))
            .map(Some)
    }

    fn unsigned(&self) -> Option<NodeId> {
        let properties = self.xades(self.qualifying, "UnsignedProperties")?;
        self.xades(properties, "UnsignedSignatureProperties")
    }

    fn element(&self, id: NodeId) -> Result<&'d Element<'a>, DocumentError> {
        self.document
            .element(id)
            .ok_or(DocumentError::Malformed("not an element"))
    }

    fn ds(&self, parent: NodeId, local: &'static str) -> Result<NodeId, DocumentError> {
        xml::child(self.document, parent, DS, local).ok_or(DocumentError::Malformed(local))
    }

    fn xades(&self, parent: NodeId, local: &str) -> Option<NodeId> {
        xml::child(self.document, parent, XADES, local)
    }

    fn base64(&self, id: NodeId) -> Result<Vec<u8>, DocumentError> {
        xml::decode_base64(&xml::text(self.document, id)).ok_or(DocumentError::Malformed("not base64"))
    }
}

fn check_ids(elements: &[(String, NodeId)]) -> Result<(), DocumentError> {
    let mut ids: Vec<&str> = elements.iter().map(|(id, _)| id.as_str()).collect();
    ids.sort_unstable();
    let twice = ids
        .windows(2)
        .any(|pair| matches!(pair, [left, right] if left == right));
    if twice {
        Err(DocumentError::Malformed("an Id is used twice"))
    } else {
        Ok(())
    }
}

/// The signed properties must be signed, and no file twice.
fn check_references(references: &[Reference]) -> Result<(), DocumentError> {
    let signed = references
        .iter()
        .any(|reference| matches!(reference.target, Target::SignedProperties(_)));
    if !signed {
        return Err(DocumentError::Malformed("SignedProperties are not signed"));
    }
    let mut files: Vec<&str> = Vec::new();
    for reference in references {
        if let Target::File(file) = &reference.target {
            if files.contains(&file.as_str()) {
                return Err(DocumentError::Malformed("a file is referenced twice"));
            }
            files.push(file);
        }
    }
    Ok(())
}

fn bounded<T>(values: &[T]) -> Result<(), DocumentError> {
    if values.len() < MAX_VALUES {
        Ok(())
    } else {
        Err(DocumentError::Malformed("too many certificates or responses"))
    }
}

fn read_certificate(der: &[u8]) -> Result<Certificate, DocumentError> {
    Certificate::from_der(der).map_err(DocumentError::Certificate)
}
