//! Time-stamp requests (RFC 3161 2.4.1): ours have neither nonce nor certReq nor policy (wire.md 5.2).

use super::{Imprint, MAX_TSP_BYTES, TspError};
use crate::algorithm::{digest_identifier_der, read_digest_identifier};
use crate::asn1::{self, Element};
use crate::digest::Digest;

/// DER of a request to stamp this imprint.
pub fn request(imprint: &Imprint) -> Vec<u8> {
    asn1::sequence(&[&asn1::unsigned_integer(&[1]), &imprint_der(imprint)])
}

/// A request as an authority receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What to stamp.
    pub imprint: Imprint,
    /// Contents octets of the policy asked for.
    pub policy: Option<Vec<u8>>,
    /// Contents octets of the nonce to repeat.
    pub nonce: Option<Vec<u8>>,
    /// Whether the token shall hold the authority's certificate.
    pub wants_certificate: bool,
}

impl Request {
    /// Reads DER.
    ///
    /// # Errors
    /// [`TspError::TooLong`], [`TspError::Malformed`], [`TspError::UnsupportedDigest`]
    pub fn from_der(der: &[u8]) -> Result<Self, TspError> {
        if der.len() > MAX_TSP_BYTES {
            return Err(TspError::TooLong(der.len()));
        }
        let mut parts = asn1::only(der, asn1::SEQUENCE)?.inside();
        parts.expect(asn1::INTEGER)?;
        let imprint = read_imprint(&parts.expect(asn1::SEQUENCE)?)?;
        let policy = parts
            .optional(asn1::OBJECT_IDENTIFIER)?
            .map(|oid| oid.contents.to_vec());
        let nonce = parts
            .optional(asn1::INTEGER)?
            .map(|nonce| nonce.contents.to_vec());
        let wants_certificate = parts
            .optional(asn1::BOOLEAN)?
            .map_or(Ok(false), |flag| flag.boolean())?;
        Ok(Self {
            imprint,
            policy,
            nonce,
            wants_certificate,
        })
    }
}

pub(super) fn imprint_der(imprint: &Imprint) -> Vec<u8> {
    asn1::sequence(&[
        &digest_identifier_der(imprint.algorithm),
        &asn1::octet_string(&imprint.digest),
    ])
}

pub(super) fn read_imprint(element: &Element<'_>) -> Result<Imprint, TspError> {
    let mut parts = element.inside();
    let algorithm =
        read_digest_identifier(&parts.expect(asn1::SEQUENCE)?)?.ok_or(TspError::UnsupportedDigest)?;
    let value = parts.expect(asn1::OCTET_STRING)?.contents;
    parts.end()?;
    let digest = Digest::from_slice(value).filter(|digest| digest.len() == algorithm.output_len());
    Ok(Imprint {
        algorithm,
        digest: digest.ok_or(TspError::UnsupportedDigest)?,
    })
}
