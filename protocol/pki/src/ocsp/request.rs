//! OCSP requests (RFC 6960 4.1): ours are unsigned, with one SHA-1 identifier and no nonce (wire.md 5.1).

use super::{CertificateId, MAX_OCSP_BYTES, OcspError};
use crate::asn1::{self, Asn1Error, Element};
use crate::certificate::Certificate;
use crate::oid;

/// Most certificates asked about in one request.
const MAX_REQUESTED: usize = 64;

/// DER of a request for the status of one certificate.
pub fn request(certificate: &Certificate, issuer: &Certificate) -> Vec<u8> {
    let single = asn1::sequence(&[&CertificateId::new(certificate, issuer).to_der()]);
    let list = asn1::sequence(&[&single]);
    asn1::sequence(&[&asn1::sequence(&[&list])])
}

/// A request as a responder receives it. A signature on it is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    certificates: Vec<CertificateId>,
    nonce: Option<Vec<u8>>,
}

impl Request {
    /// Reads DER.
    ///
    /// # Errors
    /// [`OcspError::TooLong`] and [`OcspError::Malformed`]
    pub fn from_der(der: &[u8]) -> Result<Self, OcspError> {
        if der.len() > MAX_OCSP_BYTES {
            return Err(OcspError::TooLong(der.len()));
        }
        let mut parts = asn1::only(der, asn1::SEQUENCE)?
            .inside()
            .expect(asn1::SEQUENCE)?
            .inside();
        parts.optional(asn1::constructed(0))?;
        parts.optional(asn1::constructed(1))?;
        let mut list = parts.expect(asn1::SEQUENCE)?.inside();
        let mut certificates = Vec::new();
        while !list.is_empty() {
            if certificates.len() == MAX_REQUESTED {
                return Err(Asn1Error::Limit("request list").into());
            }
            let single = list.expect(asn1::SEQUENCE)?;
            certificates.push(CertificateId::read(&single.inside().expect(asn1::SEQUENCE)?)?);
        }
        let extensions = parts.optional(asn1::constructed(2))?;
        let nonce = extensions
            .map(|wrapper| read_nonce(&wrapper))
            .transpose()?
            .flatten();
        Ok(Self { certificates, nonce })
    }

    /// The certificates asked about.
    pub fn certificates(&self) -> &[CertificateId] {
        &self.certificates
    }

    /// Value of the nonce extension (RFC 9654), to be put into the response as it is.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }
}

fn read_nonce(wrapper: &Element<'_>) -> Result<Option<Vec<u8>>, Asn1Error> {
    let mut extensions = asn1::only(wrapper.contents, asn1::SEQUENCE)?.inside();
    while !extensions.is_empty() {
        let mut parts = extensions.expect(asn1::SEQUENCE)?.inside();
        let id = parts.expect(asn1::OBJECT_IDENTIFIER)?;
        parts.optional(asn1::BOOLEAN)?;
        let value = parts.expect(asn1::OCTET_STRING)?;
        if id.contents == oid::OCSP_NONCE {
            return Ok(Some(value.contents.to_vec()));
        }
    }
    Ok(None)
}
