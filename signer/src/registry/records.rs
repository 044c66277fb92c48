//! What is known of a key.

use serde::{Deserialize, Serialize};
use signer_client::{CertificateSha256, CertificateStatus, KeyAlgorithm, KeyUsage};

use crate::{base64_text, token::TokenKey};

/// A key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Its id.
    pub id: String,
    /// Its token's id.
    pub token: String,
    /// A name for people.
    pub label: String,
    /// What it is for.
    pub usage: KeyUsage,
    /// What it is.
    pub algorithm: KeyAlgorithm,
    /// SubjectPublicKeyInfo, DER.
    #[serde(with = "base64_text")]
    pub public_key: Vec<u8>,
    /// Its certificates.
    pub certificates: Vec<CertificateRecord>,
    /// Its certificate signing requests without a certificate.
    pub csrs: Vec<CsrRecord>,
}

impl KeyRecord {
    /// The record of a key that was just made.
    #[must_use]
    pub fn new(token: &str, key: TokenKey) -> Self {
        let TokenKey {
            id,
            label,
            algorithm,
            usage,
            public_key,
        } = key;
        let token = token.to_owned();
        Self {
            id,
            token,
            label,
            usage,
            algorithm,
            public_key,
            certificates: Vec::new(),
            csrs: Vec::new(),
        }
    }
}

/// A certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRecord {
    /// DER.
    #[serde(with = "base64_text", rename = "certificate")]
    pub der: Vec<u8>,
    /// Where it is in its registration.
    pub status: CertificateStatus,
    /// Whether it may be used.
    pub active: bool,
    /// The security server client that it speaks for.
    pub client: Option<String>,
}

impl CertificateRecord {
    /// How it is named in requests.
    #[must_use]
    pub fn sha256(&self) -> CertificateSha256 {
        sha256(&self.der)
    }
}

/// How a certificate is named in requests.
#[must_use]
pub fn sha256(der: &[u8]) -> CertificateSha256 {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    let mut hash = [0; 32];
    hash.iter_mut()
        .zip(digest.as_ref())
        .for_each(|(to, from)| *to = *from);
    CertificateSha256(hash)
}

/// A certificate signing request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsrRecord {
    /// Its id.
    pub id: String,
    /// Its subject.
    pub subject: String,
    /// The security server client that the certificate shall speak for.
    pub client: Option<String>,
}
