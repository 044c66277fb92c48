//! OCSP responses (RFC 6960 4.2), read without judging them.

use std::fmt;
use time::OffsetDateTime;

use super::{CertificateId, MAX_OCSP_BYTES, OcspError};
use crate::algorithm::SignatureAlgorithm;
use crate::asn1::{self, Asn1Error, Element, Reader};
use crate::certificate::Certificate;
use crate::digest::DigestAlgorithm;
use crate::name::DistinguishedName;
use crate::oid;

/// Most certificates read from one response.
const MAX_CERTIFICATES: usize = 16;

/// How the responder answered the request as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseStatus {
    /// There is a response.
    Successful,
    /// The request was not understood.
    MalformedRequest,
    /// The responder failed.
    InternalError,
    /// Ask later.
    TryLater,
    /// The request must be signed.
    SignatureRequired,
    /// The responder does not answer this.
    Unauthorized,
    /// Another number.
    Other(u32),
}

impl ResponseStatus {
    const fn of(number: u32) -> Self {
        match number {
            0 => Self::Successful,
            1 => Self::MalformedRequest,
            2 => Self::InternalError,
            3 => Self::TryLater,
            5 => Self::SignatureRequired,
            6 => Self::Unauthorized,
            other => Self::Other(other),
        }
    }

    /// The number in the message.
    pub const fn number(self) -> u32 {
        match self {
            Self::Successful => 0,
            Self::MalformedRequest => 1,
            Self::InternalError => 2,
            Self::TryLater => 3,
            Self::SignatureRequired => 5,
            Self::Unauthorized => 6,
            Self::Other(number) => number,
        }
    }
}

/// The status of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateStatus {
    /// Not revoked.
    Good,
    /// Revoked, for good or on hold.
    Revoked {
        /// Since when.
        at: OffsetDateTime,
    },
    /// The responder does not know it.
    Unknown,
}

/// Who signed a response.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Responder {
    Name(DistinguishedName),
    KeyHash(Box<[u8]>),
}

/// A successful basic response. Only its first single response is ever looked at (wire.md 3.7).
#[derive(Clone)]
pub struct Response {
    der: Box<[u8]>,
    tbs: Box<[u8]>,
    responder: Responder,
    produced_at: OffsetDateTime,
    certificate_id: CertificateId,
    status: CertificateStatus,
    this_update: OffsetDateTime,
    next_update: Option<OffsetDateTime>,
    algorithm: Option<SignatureAlgorithm>,
    signature: Box<[u8]>,
    certificates: Vec<Certificate>,
}

impl Response {
    /// Reads DER.
    ///
    /// # Errors
    /// [`OcspError`]: too long, malformed, not successful, of another type, or empty.
    pub fn from_der(der: &[u8]) -> Result<Self, OcspError> {
        if der.len() > MAX_OCSP_BYTES {
            return Err(OcspError::TooLong(der.len()));
        }
        let mut parts = asn1::only(der, asn1::SEQUENCE)?.inside();
        let status = ResponseStatus::of(parts.expect(asn1::ENUMERATED)?.small_number()?);
        if status != ResponseStatus::Successful {
            return Err(OcspError::NotSuccessful(status));
        }
        let wrapper = parts.expect(asn1::constructed(0))?;
        parts.end()?;
        let mut bytes = asn1::only(wrapper.contents, asn1::SEQUENCE)?.inside();
        if bytes.expect(asn1::OBJECT_IDENTIFIER)?.contents != oid::OCSP_BASIC {
            return Err(OcspError::UnsupportedType);
        }
        let basic = bytes.expect(asn1::OCTET_STRING)?.contents;
        bytes.end()?;
        read_basic(der, asn1::only(basic, asn1::SEQUENCE)?.inside())
    }

    /// The response as it came.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Which certificate the first single response is about.
    pub fn certificate_id(&self) -> &CertificateId {
        &self.certificate_id
    }

    /// Whether the first single response is about this certificate.
    pub fn applies_to(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        self.certificate_id == CertificateId::new(certificate, issuer)
    }

    /// The status told, not verified.
    pub fn certificate_status(&self) -> CertificateStatus {
        self.status
    }

    /// When the status was known to be right.
    pub fn this_update(&self) -> OffsetDateTime {
        self.this_update
    }

    /// When newer information is due.
    pub fn next_update(&self) -> Option<OffsetDateTime> {
        self.next_update
    }

    /// When the response was signed.
    pub fn produced_at(&self) -> OffsetDateTime {
        self.produced_at
    }

    /// The certificates in the response.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Whether a certificate is the one that the response names as responder.
    pub(super) fn names_responder(&self, certificate: &Certificate) -> bool {
        match &self.responder {
            Responder::Name(name) => certificate.subject() == name,
            Responder::KeyHash(hash) => {
                DigestAlgorithm::Sha1.digest(certificate.public_key().bits()) == **hash
            }
        }
    }

    pub(super) fn is_signed_by(&self, certificate: &Certificate) -> bool {
        self.algorithm
            .is_some_and(|algorithm| certificate.verify(algorithm, &self.tbs, &self.signature).is_ok())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Response")
            .field("serial", &self.certificate_id.serial_decimal())
            .field("status", &self.status)
            .field("this_update", &self.this_update)
            .field("next_update", &self.next_update)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Response {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Response {}

fn read_basic(der: &[u8], mut parts: Reader<'_>) -> Result<Response, OcspError> {
    let tbs = parts.expect(asn1::SEQUENCE)?;
    let algorithm = SignatureAlgorithm::from_identifier(&parts.expect(asn1::SEQUENCE)?)?;
    let signature = parts.expect(asn1::BIT_STRING)?.octet_aligned_bits()?;
    let certificates = parts
        .optional(asn1::constructed(0))?
        .map_or(Ok(Vec::new()), |list| read_certificates(&list))?;
    parts.end()?;

    let mut data = tbs.inside();
    data.optional(asn1::constructed(0))?;
    let responder = read_responder(&data.next()?)?;
    let produced_at = data.expect(asn1::GENERALIZED_TIME)?.time()?;
    let mut singles = data.expect(asn1::SEQUENCE)?.inside();
    if singles.is_empty() {
        return Err(OcspError::Empty);
    }
    let mut single = singles.expect(asn1::SEQUENCE)?.inside();
    let certificate_id = CertificateId::read(&single.expect(asn1::SEQUENCE)?)?;
    let status = read_status(&single.next()?)?;
    let this_update = single.expect(asn1::GENERALIZED_TIME)?.time()?;
    let next_update = single.optional(asn1::constructed(0))?;
    let next_update = next_update
        .map(|wrapper| wrapper.inside().expect(asn1::GENERALIZED_TIME)?.time())
        .transpose()?;
    Ok(Response {
        der: der.into(),
        tbs: tbs.whole.into(),
        responder,
        produced_at,
        certificate_id,
        status,
        this_update,
        next_update,
        algorithm,
        signature: signature.into(),
        certificates,
    })
}

fn read_responder(element: &Element<'_>) -> Result<Responder, Asn1Error> {
    match element.tag {
        tag if tag == asn1::constructed(1) => {
            DistinguishedName::from_der(element.contents).map(Responder::Name)
        }
        tag if tag == asn1::constructed(2) => Ok(Responder::KeyHash(
            asn1::only(element.contents, asn1::OCTET_STRING)?.contents.into(),
        )),
        _ => Err(Asn1Error::Value("responder ID")),
    }
}

fn read_status(element: &Element<'_>) -> Result<CertificateStatus, Asn1Error> {
    match element.tag {
        tag if tag == asn1::primitive(0) => Ok(CertificateStatus::Good),
        tag if tag == asn1::constructed(1) => {
            let at = element.inside().expect(asn1::GENERALIZED_TIME)?.time()?;
            Ok(CertificateStatus::Revoked { at })
        }
        tag if tag == asn1::primitive(2) => Ok(CertificateStatus::Unknown),
        _ => Err(Asn1Error::Value("certificate status")),
    }
}

fn read_certificates(wrapper: &Element<'_>) -> Result<Vec<Certificate>, OcspError> {
    let mut list = asn1::only(wrapper.contents, asn1::SEQUENCE)?.inside();
    let mut certificates = Vec::new();
    while !list.is_empty() {
        if certificates.len() == MAX_CERTIFICATES {
            return Err(Asn1Error::Limit("certificates").into());
        }
        certificates.push(Certificate::from_der(list.expect(asn1::SEQUENCE)?.whole)?);
    }
    Ok(certificates)
}
