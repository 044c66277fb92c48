//! From DER to the fields of a certificate (RFC 5280 4.1).

use super::extensions::Extensions;
use super::serial::MAX_SERIAL_BYTES;
use super::{CertificateError, Parsed};
use crate::algorithm::SignatureAlgorithm;
use crate::asn1::{self, Asn1Error, Reader};
use crate::digest::DigestAlgorithm;
use crate::name::DistinguishedName;
use crate::public_key::PublicKey;

pub(super) fn certificate(der: &[u8]) -> Result<Parsed, CertificateError> {
    let outer = asn1::only(der, asn1::SEQUENCE)?;
    let mut parts = outer.inside();
    let tbs = parts.expect(asn1::SEQUENCE)?;
    let algorithm = parts.expect(asn1::SEQUENCE)?;
    let signature = parts.expect(asn1::BIT_STRING)?.octet_aligned_bits()?;
    parts.end()?;

    let mut fields = tbs.inside();
    fields.optional(asn1::constructed(0))?; // Version: extensions are read wherever they occur.
    let serial = fields.expect(asn1::INTEGER)?.contents;
    if serial.is_empty() || serial.len() > MAX_SERIAL_BYTES {
        return Err(Asn1Error::Limit("serial number").into());
    }
    if fields.expect(asn1::SEQUENCE)?.whole != algorithm.whole {
        return Err(CertificateError::AlgorithmMismatch);
    }
    let issuer = DistinguishedName::from_der(fields.expect(asn1::SEQUENCE)?.whole)?;
    let mut validity = fields.expect(asn1::SEQUENCE)?.inside();
    let (not_before, not_after) = (validity.next()?.time()?, validity.next()?.time()?);
    let subject = DistinguishedName::from_der(fields.expect(asn1::SEQUENCE)?.whole)?;
    let public_key = PublicKey::from_spki(fields.expect(asn1::SEQUENCE)?.whole)?;
    let extensions = read_extensions(fields)?;

    let tbs_start = outer.whole.len() - outer.contents.len();
    Ok(Parsed {
        der: der.into(),
        tbs: tbs_start..tbs_start + tbs.whole.len(),
        signature_algorithm: SignatureAlgorithm::from_identifier(&algorithm)?,
        signature: signature.into(),
        serial: serial.into(),
        issuer,
        subject,
        not_before,
        not_after,
        public_key,
        extensions,
        sha256: DigestAlgorithm::Sha256.digest(der),
    })
}

fn read_extensions(mut fields: Reader<'_>) -> Result<Extensions, CertificateError> {
    fields.optional(asn1::primitive(1))?;
    fields.optional(asn1::primitive(2))?;
    let extensions = match fields.optional(asn1::constructed(3))? {
        Some(wrapper) => Extensions::read(&asn1::only(wrapper.contents, asn1::SEQUENCE)?)?,
        None => Extensions::default(),
    };
    fields.end()?;
    Ok(extensions)
}
