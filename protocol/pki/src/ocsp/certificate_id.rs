//! Which certificate a status is about (RFC 6960 4.1.1 `CertID`).

use crate::algorithm::{digest_identifier_der, read_digest_identifier};
use crate::asn1::{self, Asn1Error, Element};
use crate::certificate::{Certificate, to_decimal};
use crate::digest::DigestAlgorithm;

/// A certificate named by digests of its issuer's name and key, and its serial number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateId {
    digest: Option<DigestAlgorithm>,
    issuer_name_hash: Box<[u8]>,
    issuer_key_hash: Box<[u8]>,
    serial: Box<[u8]>,
}

impl CertificateId {
    /// The SHA-1 identifier, the only one that responses are matched by (wire.md 3.7).
    pub fn new(certificate: &Certificate, issuer: &Certificate) -> Self {
        let digest = DigestAlgorithm::Sha1;
        Self {
            digest: Some(digest),
            issuer_name_hash: digest.digest(certificate.issuer_der()).as_bytes().into(),
            issuer_key_hash: digest.digest(issuer.public_key().bits()).as_bytes().into(),
            serial: certificate.serial_bytes().into(),
        }
    }

    /// Whether the issuer's name and key are those of this certificate.
    pub fn has_issuer(&self, issuer: &Certificate) -> bool {
        self.digest.is_some_and(|digest| {
            digest.digest(issuer.subject_der()) == *self.issuer_name_hash
                && digest.digest(issuer.public_key().bits()) == *self.issuer_key_hash
        })
    }

    /// Contents octets of the serial number.
    pub fn serial_bytes(&self) -> &[u8] {
        &self.serial
    }

    /// The serial number in decimal.
    pub fn serial_decimal(&self) -> String {
        to_decimal(&self.serial)
    }

    pub(super) fn read(element: &Element<'_>) -> Result<Self, Asn1Error> {
        let mut parts = element.inside();
        let digest = read_digest_identifier(&parts.expect(asn1::SEQUENCE)?)?;
        let issuer_name_hash = parts.expect(asn1::OCTET_STRING)?.contents.into();
        let issuer_key_hash = parts.expect(asn1::OCTET_STRING)?.contents.into();
        let serial = parts.expect(asn1::INTEGER)?.contents.into();
        parts.end()?;
        Ok(Self {
            digest,
            issuer_name_hash,
            issuer_key_hash,
            serial,
        })
    }

    /// DER; an identifier with an unknown digest, which only reading makes, is written as SHA-1.
    pub(super) fn to_der(&self) -> Vec<u8> {
        asn1::sequence(&[
            &digest_identifier_der(self.digest.unwrap_or(DigestAlgorithm::Sha1)),
            &asn1::octet_string(&self.issuer_name_hash),
            &asn1::octet_string(&self.issuer_key_hash),
            &asn1::element(asn1::INTEGER, &self.serial),
        ])
    }
}
