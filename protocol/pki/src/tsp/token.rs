//! Time-stamp tokens: signed time-stamp information (RFC 3161 2.4.2).

use std::fmt;
use time::OffsetDateTime;

use super::cms::SignedData;
use super::request::read_imprint;
use super::{Imprint, MAX_TSP_BYTES, TspError, ber};
use crate::asn1::{self, Reader};
use crate::certificate::{Certificate, to_decimal};
use crate::oid;

/// A token, read but not verified.
#[derive(Clone, PartialEq, Eq)]
pub struct TimeStampToken {
    der: Box<[u8]>,
    imprint: Imprint,
    gen_time: OffsetDateTime,
    policy: String,
    serial: Box<[u8]>,
    nonce: Option<Box<[u8]>>,
}

impl TimeStampToken {
    /// Reads a token in BER or DER.
    ///
    /// # Errors
    /// [`TspError`]: too long, malformed, not a token, not one signer.
    pub fn parse(bytes: &[u8]) -> Result<Self, TspError> {
        if bytes.len() > MAX_TSP_BYTES {
            return Err(TspError::TooLong(bytes.len()));
        }
        let der = ber::to_der(bytes)?;
        let data = SignedData::read(&der)?;
        data.signer()?;
        let info = asn1::only(data.content, asn1::SEQUENCE)?.inside();
        Self::read_info(info, &der)
    }

    fn read_info(mut info: Reader<'_>, der: &[u8]) -> Result<Self, TspError> {
        info.expect(asn1::INTEGER)?;
        let policy = oid::dotted(info.expect(asn1::OBJECT_IDENTIFIER)?.contents);
        let imprint = read_imprint(&info.expect(asn1::SEQUENCE)?)?;
        let serial = info.expect(asn1::INTEGER)?.contents.into();
        let gen_time = info.expect(asn1::GENERALIZED_TIME)?.time()?;
        info.optional(asn1::SEQUENCE)?; // accuracy
        info.optional(asn1::BOOLEAN)?; // ordering
        let nonce = info.optional(asn1::INTEGER)?.map(|nonce| nonce.contents.into());
        Ok(Self {
            der: der.into(),
            imprint,
            gen_time,
            policy,
            serial,
            nonce,
        })
    }

    /// The token in DER (definite lengths; sets in the order in which they came).
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// When the token was made, to the precision that it tells.
    pub fn gen_time(&self) -> OffsetDateTime {
        self.gen_time
    }

    /// What was stamped.
    pub fn imprint(&self) -> &Imprint {
        &self.imprint
    }

    /// The policy in dotted form.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The token's serial number in decimal.
    pub fn serial_decimal(&self) -> String {
        to_decimal(&self.serial)
    }

    /// Contents octets of the nonce.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    /// The certificates in the token, those that cannot be read left out.
    pub fn certificates(&self) -> Vec<Certificate> {
        let set = SignedData::read(&self.der)
            .ok()
            .and_then(|data| data.certificates)
            .unwrap_or_default();
        let mut reader = Reader::new(set);
        let elements = std::iter::from_fn(|| reader.next().ok());
        elements
            .filter_map(|element| Certificate::from_der(element.whole).ok())
            .collect()
    }

    /// The token with a certificate put first into its certificate set, which the signature does not cover (wire.md 4.2: the
    /// request has no certReq, so the server adds the authority's certificate). Unchanged when it is there already.
    ///
    /// # Errors
    /// [`TspError::Malformed`]
    pub fn with_certificate(&self, certificate: &Certificate) -> Result<Self, TspError> {
        if self.certificates().contains(certificate) {
            return Ok(self.clone());
        }
        let data = SignedData::read(&self.der)?;
        let known = data.certificates.unwrap_or_default();
        let der = data.with_certificates(&[certificate.as_der(), known].concat());
        Ok(Self {
            der: der.into(),
            ..self.clone()
        })
    }
}

impl fmt::Debug for TimeStampToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TimeStampToken")
            .field("gen_time", &self.gen_time)
            .field("imprint", &self.imprint)
            .field("serial", &self.serial_decimal())
            .finish_non_exhaustive()
    }
}
