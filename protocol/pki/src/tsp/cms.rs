//! The parts of CMS signed data (RFC 5652 5) that a time-stamp token consists of, as borrowed elements.

use super::TspError;
use crate::asn1::{self, Element, Reader};
use crate::oid;

/// Content of type `id-signedData`, split at its fields.
#[derive(Debug)]
pub(super) struct SignedData<'a> {
    /// Encoded fields before the certificates: version, digest algorithms, content.
    pub(super) head: &'a [u8],
    /// Contents of the encapsulated OCTET STRING.
    pub(super) content: &'a [u8],
    /// Contents of `[0] IMPLICIT CertificateSet`.
    pub(super) certificates: Option<&'a [u8]>,
    /// Encoded fields after the certificates: revocation information and signers.
    pub(super) tail: &'a [u8],
    /// The signers.
    pub(super) signers: Element<'a>,
}

/// One `SignerInfo`.
#[derive(Debug)]
pub(super) struct SignerInfo<'a> {
    /// `issuerAndSerialNumber` or `[0] subjectKeyIdentifier`.
    pub(super) identifier: Element<'a>,
    pub(super) digest_algorithm: Element<'a>,
    /// `[0] IMPLICIT SET OF Attribute`.
    pub(super) signed_attributes: Option<Element<'a>>,
    pub(super) signature_algorithm: Element<'a>,
    pub(super) signature: &'a [u8],
}

impl<'a> SignedData<'a> {
    /// Reads a `ContentInfo` whose signed content is time-stamp information.
    pub(super) fn read(der: &'a [u8]) -> Result<Self, TspError> {
        let mut info = asn1::only(der, asn1::SEQUENCE)?.inside();
        if info.expect(asn1::OBJECT_IDENTIFIER)?.contents != oid::SIGNED_DATA {
            return Err(TspError::NotAToken);
        }
        let wrapper = info.expect(asn1::constructed(0))?;
        info.end()?;
        let fields = asn1::only(wrapper.contents, asn1::SEQUENCE)?;
        let mut parts = fields.inside();
        parts.expect(asn1::INTEGER)?;
        parts.expect(asn1::SET)?;
        let content = read_content(parts.expect(asn1::SEQUENCE)?.inside())?;
        let head_len = fields.contents.len() - parts.remaining();
        let certificates = parts.optional(asn1::constructed(0))?.map(|set| set.contents);
        let tail_from = fields.contents.len() - parts.remaining();
        parts.optional(asn1::constructed(1))?;
        let signers = parts.expect(asn1::SET)?;
        parts.end()?;
        Ok(Self {
            head: fields.contents.get(..head_len).unwrap_or_default(),
            content,
            certificates,
            tail: fields.contents.get(tail_from..).unwrap_or_default(),
            signers,
        })
    }

    /// The only signer.
    pub(super) fn signer(&self) -> Result<SignerInfo<'a>, TspError> {
        let mut reader = self.signers.inside();
        let mut count = 0;
        let mut only = None;
        while !reader.is_empty() {
            only = Some(reader.expect(asn1::SEQUENCE)?);
            count += 1;
        }
        match only {
            Some(signer) if count == 1 => SignerInfo::read(signer.inside()),
            _ => Err(TspError::SignerCount(count)),
        }
    }

    /// The `ContentInfo` with other contents of the certificate set.
    pub(super) fn with_certificates(&self, certificates: &[u8]) -> Vec<u8> {
        let set = asn1::element(asn1::constructed(0), certificates);
        content_info(&[self.head, &set, self.tail])
    }
}

impl<'a> SignerInfo<'a> {
    fn read(mut parts: Reader<'a>) -> Result<Self, TspError> {
        parts.expect(asn1::INTEGER)?;
        let identifier = parts.next()?;
        let digest_algorithm = parts.expect(asn1::SEQUENCE)?;
        let signed_attributes = parts.optional(asn1::constructed(0))?;
        let signature_algorithm = parts.expect(asn1::SEQUENCE)?;
        let signature = parts.expect(asn1::OCTET_STRING)?.contents;
        parts.optional(asn1::constructed(1))?;
        parts.end()?;
        Ok(Self {
            identifier,
            digest_algorithm,
            signed_attributes,
            signature_algorithm,
            signature,
        })
    }
}

/// `ContentInfo` around the encoded fields of signed data.
pub(super) fn content_info(fields: &[&[u8]]) -> Vec<u8> {
    let wrapper = asn1::element(asn1::constructed(0), &asn1::sequence(fields));
    asn1::sequence(&[&asn1::object_identifier(oid::SIGNED_DATA), &wrapper])
}

fn read_content(mut parts: Reader<'_>) -> Result<&[u8], TspError> {
    if parts.expect(asn1::OBJECT_IDENTIFIER)?.contents != oid::TST_INFO {
        return Err(TspError::NotAToken);
    }
    let wrapper = parts.optional(asn1::constructed(0))?.ok_or(TspError::NotAToken)?;
    parts.end()?;
    Ok(asn1::only(wrapper.contents, asn1::OCTET_STRING)?.contents)
}
