//! Writing a signed directory, byte for byte as the reference's central server does.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use protocol_pki::algorithm::SignatureAlgorithm;
use protocol_pki::digest::DigestAlgorithm;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use crate::Version;

/// How files are hashed and the certificate is named, as the reference's central server does by default.
const HASH_ALGORITHM: DigestAlgorithm = DigestAlgorithm::Sha512;

const EXPIRE_DATE_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// One file for a directory.
#[derive(Debug, Clone, Copy)]
pub struct FilePart<'a> {
    /// What it is, for example `SHARED-PARAMETERS`.
    pub content_identifier: &'a str,
    /// Path and query of its URL.
    pub location: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A directory that waits for its signature.
#[derive(Debug, Clone)]
pub struct UnsignedDirectory {
    boundary: String,
    signed: String,
}

impl UnsignedDirectory {
    /// Builds the part that is signed. The boundary must be random (20 alphanumerics, say): 1 to 70 characters.
    #[must_use]
    pub fn new(
        instance: &str,
        version: Version,
        expires_at: OffsetDateTime,
        parts: &[FilePart<'_>],
        boundary: String,
    ) -> Self {
        let expires_at = expires_at.to_offset(UtcOffset::UTC);
        let expire_date = expires_at.format(EXPIRE_DATE_FORMAT).unwrap_or_default();
        let mut signed = format!("--{boundary}\r\nExpire-date: {expire_date}\r\nVersion: {version}\r\n\r\n");
        for part in parts {
            signed.push_str(&format!(
                "--{boundary}\r\n\
                 Content-type: application/octet-stream\r\n\
                 Content-transfer-encoding: base64\r\n\
                 Content-identifier: {}; instance='{instance}'\r\n\
                 Content-location: {}\r\n\
                 Hash-algorithm-id: {}\r\n\r\n{}\r\n",
                part.content_identifier,
                part.location,
                HASH_ALGORITHM.uri(),
                BASE64_STANDARD.encode(HASH_ALGORITHM.digest(part.bytes)),
            ));
        }
        signed.push_str(&format!("--{boundary}--\r\n"));
        Self { boundary, signed }
    }

    /// The bytes to sign.
    #[must_use]
    pub fn signed_bytes(&self) -> &[u8] {
        self.signed.as_bytes()
    }

    /// Puts directory and signature (ECDSA as ASN.1 DER) together. The boundary must be another random one.
    #[must_use]
    pub fn finish(
        &self,
        algorithm: SignatureAlgorithm,
        signature: &[u8],
        verification_certificate: &[u8],
        boundary: &str,
    ) -> Vec<u8> {
        let certificate_hash = BASE64_STANDARD.encode(HASH_ALGORITHM.digest(verification_certificate));
        format!(
            "Content-Type: multipart/related; charset=UTF-8; boundary={boundary}\r\n\r\n\
             --{boundary}\r\n\
             Content-Type: multipart/mixed; charset=UTF-8; boundary={}\r\n\r\n\
             {}\r\n\
             --{boundary}\r\n\
             Content-Type: application/octet-stream\r\n\
             Content-Transfer-Encoding: base64\r\n\
             Signature-Algorithm-Id: {}\r\n\
             Verification-certificate-hash: {certificate_hash}; hash-algorithm-id=\"{}\"\r\n\r\n\
             {}\r\n\
             --{boundary}--\r\n",
            self.boundary,
            self.signed,
            algorithm.uri(),
            HASH_ALGORITHM.uri(),
            BASE64_STANDARD.encode(signature),
        )
        .into_bytes()
    }
}
