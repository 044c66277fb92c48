//! X.509 certificates (RFC 5280), read once and shared.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use time::OffsetDateTime;

mod extensions;
mod parse;
mod serial;

pub use extensions::KeyUsage;
pub(crate) use extensions::read_dns_names;
pub(crate) use serial::to_decimal;

use crate::algorithm::SignatureAlgorithm;
use crate::asn1::Asn1Error;
use crate::digest::{Digest, DigestAlgorithm};
use crate::name::DistinguishedName;
use crate::oid;
use crate::pem;
use crate::public_key::{PublicKey, SignatureError};
use extensions::Extensions;

/// Longest certificate taken, in bytes.
pub const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

/// Bytes that are not a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// More than [`MAX_CERTIFICATE_BYTES`].
    #[error("certificate of {0} bytes is too long")]
    TooLong(usize),
    /// Not the ASN.1 of a certificate.
    #[error("malformed certificate: {0}")]
    Malformed(#[from] Asn1Error),
    /// An extension occurs twice.
    #[error("certificate has an extension twice")]
    RepeatedExtension,
    /// The algorithm in the signed part differs from the one outside.
    #[error("certificate names two different signature algorithms")]
    AlgorithmMismatch,
    /// Neither DER nor PEM text.
    #[error("not a certificate in DER or PEM")]
    UnknownEncoding,
}

impl CertificateError {
    /// Fault code without prefix (wire.md 1.8).
    pub const fn fault_code(&self) -> &'static str {
        "incorrect_certificate"
    }
}

/// A certificate. Cloning shares it; equality is that of the DER.
#[derive(Clone)]
pub struct Certificate(Arc<Parsed>);

struct Parsed {
    der: Box<[u8]>,
    tbs: Range<usize>,
    signature_algorithm: Option<SignatureAlgorithm>,
    signature: Box<[u8]>,
    serial: Box<[u8]>,
    issuer: DistinguishedName,
    subject: DistinguishedName,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    public_key: PublicKey,
    extensions: Extensions,
    sha256: Digest,
}

impl Certificate {
    /// Reads DER.
    ///
    /// # Errors
    /// [`CertificateError`]
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::TooLong(der.len()));
        }
        parse::certificate(der).map(|parsed| Self(Arc::new(parsed)))
    }

    /// Reads DER, PEM text, or bare base64 of DER. Global configurations hold each of them (wire.md 3.6).
    ///
    /// # Errors
    /// [`CertificateError`]
    pub fn from_der_or_pem(bytes: &[u8]) -> Result<Self, CertificateError> {
        if bytes.len() > 2 * MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::TooLong(bytes.len()));
        }
        if bytes.first() == Some(&crate::asn1::SEQUENCE) {
            return Self::from_der(bytes);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| CertificateError::UnknownEncoding)?;
        let der = pem::decode("CERTIFICATE", text)
            .or_else(|| pem::base64_decode(text))
            .ok_or(CertificateError::UnknownEncoding)?;
        if der.starts_with(b"-----BEGIN ") {
            return Self::from_der_or_pem_text(&der);
        }
        Self::from_der(&der)
    }

    fn from_der_or_pem_text(text: &[u8]) -> Result<Self, CertificateError> {
        let text = std::str::from_utf8(text).map_err(|_| CertificateError::UnknownEncoding)?;
        Self::from_der(&pem::decode("CERTIFICATE", text).ok_or(CertificateError::UnknownEncoding)?)
    }

    /// The certificate as it came.
    pub fn as_der(&self) -> &[u8] {
        &self.0.der
    }

    /// The certificate as PEM text.
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE", self.as_der())
    }

    /// DER of the subject name.
    pub fn subject_der(&self) -> &[u8] {
        self.0.subject.as_der()
    }

    /// DER of the issuer name.
    pub fn issuer_der(&self) -> &[u8] {
        self.0.issuer.as_der()
    }

    /// The subject name.
    pub fn subject(&self) -> &DistinguishedName {
        &self.0.subject
    }

    /// The issuer name.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.0.issuer
    }

    /// The issuer name as XAdES has it, see [`DistinguishedName::rfc2253`].
    pub fn issuer_rfc2253(&self) -> String {
        self.0.issuer.rfc2253()
    }

    /// Contents octets of the serial number: big-endian two's complement.
    pub fn serial_bytes(&self) -> &[u8] {
        &self.0.serial
    }

    /// The serial number in decimal.
    pub fn serial_decimal(&self) -> String {
        to_decimal(&self.0.serial)
    }

    /// First instant of validity.
    pub fn not_before(&self) -> OffsetDateTime {
        self.0.not_before
    }

    /// Last instant of validity.
    pub fn not_after(&self) -> OffsetDateTime {
        self.0.not_after
    }

    /// Whether the instant lies within the validity period, both ends included.
    pub fn is_valid_at(&self, at: OffsetDateTime) -> bool {
        self.0.not_before <= at && at <= self.0.not_after
    }

    /// The key usage extension, `None` when absent.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.0.extensions.key_usage
    }

    /// Whether this is a signing certificate: key usage nonRepudiation (wire.md 3.5 step 3).
    pub fn may_sign_messages(&self) -> bool {
        self.key_usage().is_some_and(KeyUsage::non_repudiation)
    }

    /// Whether this is an authentication certificate: extended key usage clientAuth, or else key usage digitalSignature,
    /// keyEncipherment or dataEncipherment (wire.md 2.7).
    pub fn may_authenticate(&self) -> bool {
        let by_key_usage = |usage: KeyUsage| {
            usage.digital_signature() || usage.key_encipherment() || usage.data_encipherment()
        };
        self.has_extended_key_usage(oid::CLIENT_AUTH) || self.key_usage().is_some_and(by_key_usage)
    }

    /// Whether it may sign certificates: basic constraints say CA, and key usage, if present, keyCertSign.
    pub fn may_sign_certificates(&self) -> bool {
        self.is_ca() && self.key_usage().is_none_or(KeyUsage::key_cert_sign)
    }

    /// Whether basic constraints say that it is a CA.
    pub fn is_ca(&self) -> bool {
        self.0.extensions.is_ca
    }

    /// How many intermediate CA certificates may follow this one, `None` without limit.
    pub fn path_length(&self) -> Option<u32> {
        self.0.extensions.path_length
    }

    /// Whether extended key usage OCSPSigning is present (RFC 6960 4.2.2.2).
    pub fn may_sign_ocsp(&self) -> bool {
        self.has_extended_key_usage(oid::OCSP_SIGNING)
    }

    /// Whether extended key usage timeStamping is present (RFC 3161 2.3).
    pub fn may_sign_time_stamps(&self) -> bool {
        self.has_extended_key_usage(oid::TIME_STAMPING)
    }

    fn has_extended_key_usage(&self, purpose: &[u8]) -> bool {
        self.0
            .extensions
            .extended_key_usage
            .iter()
            .any(|known| **known == *purpose)
    }

    /// Responder addresses of the authority information access extension, in order.
    pub fn ocsp_urls(&self) -> &[String] {
        &self.0.extensions.ocsp_urls
    }

    /// DNS names of the subject alternative name extension.
    pub fn dns_names(&self) -> &[String] {
        &self.0.extensions.dns_names
    }

    /// The subject key identifier extension.
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        self.0.extensions.subject_key_identifier.as_deref()
    }

    /// The key identifier of the authority key identifier extension.
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.0.extensions.authority_key_identifier.as_deref()
    }

    /// Whether a critical extension is present that nothing here understands; such a certificate verifies nowhere.
    pub fn has_unknown_critical_extension(&self) -> bool {
        self.0.extensions.unknown_critical
    }

    /// SHA-1 of the DER: OCSP cache, responses by hash.
    pub fn sha1(&self) -> Digest {
        DigestAlgorithm::Sha1.digest(self.as_der())
    }

    /// SHA-256 of the DER, computed once.
    pub fn sha256(&self) -> Digest {
        self.0.sha256
    }

    /// SHA-512 of the DER.
    pub fn sha512(&self) -> Digest {
        DigestAlgorithm::Sha512.digest(self.as_der())
    }

    /// The subject's public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// DER of the `SubjectPublicKeyInfo`.
    pub fn spki_der(&self) -> &[u8] {
        self.0.public_key.spki_der()
    }

    /// Verifies a signature value made with the subject's key, see [`PublicKey::verify`].
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        self.0.public_key.verify(algorithm, message, signature)
    }

    /// Verifies a signature value in its XML form, see [`PublicKey::verify_xml`].
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn verify_xml(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        self.0.public_key.verify_xml(algorithm, message, signature)
    }

    /// Verifies a signature value over a digest computed elsewhere, see [`PublicKey::verify_digest`].
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn verify_digest(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &Digest,
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        self.0.public_key.verify_digest(algorithm, digest, signature)
    }

    /// The algorithm that the issuer signed with, `None` when it is not supported.
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        self.0.signature_algorithm
    }

    /// Whether the issuer name is the other's subject name. Says nothing about the signature.
    pub fn names_issuer(&self, issuer: &Self) -> bool {
        self.0.issuer == issuer.0.subject
    }

    /// Whether subject and issuer name are equal.
    pub fn is_self_issued(&self) -> bool {
        self.names_issuer(self)
    }

    /// Whether the issuer's name and key made this certificate.
    pub fn is_issued_by(&self, issuer: &Self) -> bool {
        self.names_issuer(issuer) && self.verify_signed_with(&issuer.0.public_key).is_ok()
    }

    /// Verifies the signature on the certificate.
    ///
    /// # Errors
    /// [`SignatureError`]; an algorithm that is not known counts as invalid.
    pub fn verify_signed_with(&self, key: &PublicKey) -> Result<(), SignatureError> {
        let algorithm = self.0.signature_algorithm.ok_or(SignatureError::Invalid)?;
        let tbs = self.0.der.get(self.0.tbs.clone()).unwrap_or_default();
        key.verify(algorithm, tbs, &self.0.signature)
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.as_der() == other.as_der()
    }
}

impl Eq for Certificate {}

impl std::hash::Hash for Certificate {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.sha256.hash(state);
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Certificate({}, serial {})",
            self.0.subject,
            self.serial_decimal()
        )
    }
}
