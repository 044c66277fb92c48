//! The signed directory: which files make up a configuration, until when, and who says so (features.md 2.3).
//!
//! ```text
//! Content-Type: multipart/related; charset=UTF-8; boundary=O
//!
//! --O
//! Content-Type: multipart/mixed; charset=UTF-8; boundary=I
//!
//! --I                                   <- the signature covers from here
//! Expire-date: 2035-11-11T03:07:40Z
//! Version: 6
//!
//! --I
//! Content-identifier: SHARED-PARAMETERS; instance='DEV'
//! ...
//! --I--
//!                                       <- to here: the line end after --I-- is in, the next one is not
//! --O
//! Signature-Algorithm-Id: ...
//! ...
//! --O--
//! ```
//!
//! So the signature covers the body of the first outer part, neither more nor less, and in particular not its
//! `Content-Type`: which boundary separates the inner parts is not signed. Therefore the inner parts are read
//! strictly: a part that does not look like a file of a configuration refuses the whole directory.

mod contents;
mod mime;
mod write;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use protocol_pki::algorithm::SignatureAlgorithm;
use protocol_pki::certificate::Certificate;
use protocol_pki::digest::DigestAlgorithm;
use time::OffsetDateTime;

pub use contents::{Directory, DirectoryPart};
pub use mime::MimeError;
pub use write::{FilePart, UnsignedDirectory};

use mime::{Entity, Headers};

/// Largest signed directory that is read, in bytes; real ones have less than 2 KiB for each instance.
pub const MAX_DIRECTORY_BYTES: usize = 1024 * 1024;

/// Header with the type of a part.
const CONTENT_TYPE: &str = "content-type";
/// Header with the encoding of a part.
const CONTENT_TRANSFER_ENCODING: &str = "content-transfer-encoding";
/// Header with the URI of the signature algorithm.
const SIGNATURE_ALGORITHM_ID: &str = "signature-algorithm-id";
/// Header with the hash of the certificate that verifies the signature.
const VERIFICATION_CERTIFICATE_HASH: &str = "verification-certificate-hash";
/// Header and parameter with the URI of a digest algorithm.
const HASH_ALGORITHM_ID: &str = "hash-algorithm-id";

/// Why a signed directory cannot be trusted or understood.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Not the MIME structure that it should be.
    #[error("malformed signed directory")]
    Mime(#[from] MimeError),
    /// There is no signed part.
    #[error("signed directory has no signed data")]
    NoSignedData,
    /// There is no signature part.
    #[error("signed directory has no signature")]
    NoSignature,
    /// The signed data are empty, so that there is no expiration date.
    #[error("signed data have no first part with an expiration date")]
    NoExpireDate,
    /// A header is missing.
    #[error("header {0} is missing")]
    MissingHeader(&'static str),
    /// A header has another value than it must.
    #[error("header {header} has the wrong value {value:?}")]
    WrongHeader {
        /// Which header.
        header: &'static str,
        /// What it says.
        value: String,
    },
    /// A header lacks a parameter.
    #[error("header {header} lacks the parameter {parameter}")]
    MissingParameter {
        /// Which header.
        header: &'static str,
        /// Which parameter.
        parameter: &'static str,
    },
    /// The signature is not base64.
    #[error("signature is not base64")]
    SignatureNotBase64(#[source] base64::DecodeError),
    /// None of the source's certificates has the hash that the directory names.
    #[error("no verification certificate of this source has the hash {0}")]
    NoVerificationCertificate(String),
    /// The signature does not verify.
    #[error("signature of the directory is not valid")]
    BadSignature(#[source] protocol_pki::public_key::SignatureError),
    /// A digest or signature algorithm is unknown, or too weak.
    #[error("algorithm {0:?} is not accepted")]
    Algorithm(String),
    /// The configuration expired.
    #[error("configuration expired at {0}")]
    Expired(OffsetDateTime),
}

impl DirectoryError {
    /// Fault code (wire.md 1.8).
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        match self {
            Self::Mime(_) => "global_conf_parsing_downloaded_conf_directory_failure",
            Self::NoSignedData => "global_conf_missing_signed_data",
            Self::NoSignature | Self::BadSignature(_) => "global_conf_signature_verification_failure",
            Self::NoExpireDate => "global_conf_missing_signed_data_expiration_date",
            Self::MissingHeader(_) => "global_conf_header_field_missing",
            Self::WrongHeader { .. } | Self::Algorithm(_) => "global_conf_header_field_wrong_value",
            Self::MissingParameter { .. } => "global_conf_header_field_missing_parameter",
            Self::SignatureNotBase64(_) => "global_conf_signature_decode_failure",
            Self::NoVerificationCertificate(_) => "global_conf_missing_verification_cert",
            Self::Expired(_) => "global_conf_outdated",
        }
    }
}

/// Verifies a signed directory with one of its source's own certificates, then reads it.
///
/// Certificates of other sources must not be passed: whoever may sign for one instance may not for another.
///
/// # Errors
/// When the signature does not verify, the directory is malformed, or it expired before `now`.
pub fn verify(
    bytes: &[u8],
    certificates: &[Vec<u8>],
    now: OffsetDateTime,
) -> Result<Directory, DirectoryError> {
    let directory = parse(bytes)?.verify(certificates)?;
    match directory.expires_at < now {
        true => Err(DirectoryError::Expired(directory.expires_at)),
        false => Ok(directory),
    }
}

/// Takes a signed directory apart without believing it.
///
/// # Errors
/// When it is not two parts with the headers that they need.
pub fn parse(bytes: &[u8]) -> Result<UnverifiedDirectory<'_>, DirectoryError> {
    if bytes.len() > MAX_DIRECTORY_BYTES {
        return Err(MimeError::TooLarge.into());
    }
    let outer = Entity::parse(bytes)?;
    let mut parts = outer.parts()?.into_iter();
    let signed = parts.next().ok_or(DirectoryError::NoSignedData)?;
    let signature = parts.next().ok_or(DirectoryError::NoSignature)?;
    if parts.next().is_some() {
        return Err(MimeError::ExtraPart.into());
    }
    UnverifiedDirectory::new(signed, &signature)
}

/// A directory whose signature was not verified yet.
#[derive(Debug)]
pub struct UnverifiedDirectory<'a> {
    signed: Entity<'a>,
    algorithm: SignatureAlgorithm,
    certificate_hash: Vec<u8>,
    certificate_hash_algorithm: DigestAlgorithm,
    signature: Vec<u8>,
}

impl<'a> UnverifiedDirectory<'a> {
    fn new(signed: Entity<'a>, signature: &Entity<'_>) -> Result<Self, DirectoryError> {
        let headers = &signature.headers;
        require_base64_octets(headers)?;
        let (hash, hash_algorithm) = certificate_hash(headers)?;
        Ok(Self {
            signed,
            algorithm: signature_algorithm(require(headers, SIGNATURE_ALGORITHM_ID)?)?,
            certificate_hash: hash,
            certificate_hash_algorithm: hash_algorithm,
            signature: decode_base64(signature.body).map_err(DirectoryError::SignatureNotBase64)?,
        })
    }

    /// The bytes that the signature covers.
    #[must_use]
    pub fn signed_bytes(&self) -> &'a [u8] {
        self.signed.body
    }

    /// The signature value: ECDSA as ASN.1 DER.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The signature algorithm.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Verifies the signature with the certificate (of those given, DER) that the directory names by its hash, and
    /// reads the inner parts.
    ///
    /// # Errors
    /// When there is no such certificate, the signature is wrong, or the inner parts are malformed.
    pub fn verify(&self, certificates: &[Vec<u8>]) -> Result<Directory, DirectoryError> {
        self.named_certificate(certificates)?
            .verify(self.algorithm, self.signed_bytes(), &self.signature)
            .map_err(DirectoryError::BadSignature)?;
        contents::read(&self.signed)
    }

    /// Certificates that cannot be read are passed over: one of them must not keep the others from being used.
    fn named_certificate(&self, certificates: &[Vec<u8>]) -> Result<Certificate, DirectoryError> {
        let readable = certificates
            .iter()
            .filter_map(|bytes| Certificate::from_der_or_pem(bytes).ok());
        let hash = |certificate: &Certificate| self.certificate_hash_algorithm.digest(certificate.as_der());
        readable
            .into_iter()
            .find(|certificate| *hash(certificate) == *self.certificate_hash)
            .ok_or_else(|| {
                DirectoryError::NoVerificationCertificate(BASE64_STANDARD.encode(&self.certificate_hash))
            })
    }
}

fn certificate_hash(headers: &Headers) -> Result<(Vec<u8>, DigestAlgorithm), DirectoryError> {
    let (value, parameters) = mime::value_and_parameters(require(headers, VERIFICATION_CERTIFICATE_HASH)?);
    let algorithm = parameters
        .get(HASH_ALGORITHM_ID)
        .ok_or(DirectoryError::MissingParameter {
            header: VERIFICATION_CERTIFICATE_HASH,
            parameter: HASH_ALGORITHM_ID,
        })?;
    let hash = BASE64_STANDARD
        .decode(value)
        .map_err(|_undecodable| DirectoryError::WrongHeader {
            header: VERIFICATION_CERTIFICATE_HASH,
            value: value.to_owned(),
        })?;
    Ok((hash, digest_algorithm(algorithm)?))
}

/// A header that must be there and not be blank.
fn require<'h>(headers: &'h Headers, name: &'static str) -> Result<&'h str, DirectoryError> {
    headers
        .get(name)
        .filter(|value| !value.is_empty())
        .ok_or(DirectoryError::MissingHeader(name))
}

/// Type and encoding of a part are compared exactly, as the reference does (features.md 0.3, item 5).
fn require_base64_octets(headers: &Headers) -> Result<(), DirectoryError> {
    for (header, expected) in [
        (CONTENT_TYPE, "application/octet-stream"),
        (CONTENT_TRANSFER_ENCODING, "base64"),
    ] {
        let value = require(headers, header)?;
        if value != expected {
            return Err(DirectoryError::WrongHeader {
                header,
                value: value.to_owned(),
            });
        }
    }
    Ok(())
}

/// Digest algorithms that may vouch for a file or name a certificate: MD5 and SHA-1 may not.
fn digest_algorithm(uri: &str) -> Result<DigestAlgorithm, DirectoryError> {
    let known = DigestAlgorithm::from_uri(uri).filter(|algorithm| *algorithm != DigestAlgorithm::Sha1);
    known.ok_or_else(|| DirectoryError::Algorithm(uri.to_owned()))
}

fn signature_algorithm(uri: &str) -> Result<SignatureAlgorithm, DirectoryError> {
    let strong = |algorithm: &SignatureAlgorithm| algorithm.digest() != DigestAlgorithm::Sha1;
    SignatureAlgorithm::from_uri(uri)
        .filter(strong)
        .ok_or_else(|| DirectoryError::Algorithm(uri.to_owned()))
}

fn decode_base64(bytes: &[u8]) -> Result<Vec<u8>, base64::DecodeError> {
    let compact: Vec<u8> = bytes
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    BASE64_STANDARD.decode(compact)
}
