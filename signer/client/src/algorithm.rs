//! Names of algorithms as they travel to the signer.
//!
//! They have their own types because their encoding is part of the protocol; they convert from and to those of
//! `protocol_pki`.

use protocol_pki::{algorithm as pki, digest as pki_digest};
use serde::{Deserialize, Serialize};

/// A digest algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum DigestAlgorithm {
    /// SHA-1: digests of old peers are carried, but nothing is signed with it.
    Sha1,
    /// SHA-224: carried, never signed with.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512, the digest of messages (wire.md 3.2).
    Sha512,
}

impl DigestAlgorithm {
    /// Length of a digest in bytes.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// How a signature is made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum SignatureAlgorithm {
    /// RSA with PKCS #1 v1.5 padding (RFC 8017 8.2).
    RsaPkcs1(DigestAlgorithm),
    /// RSA-PSS, salt as long as the digest (RFC 8017 8.1). TLS 1.3 wants it; messages are not signed with it.
    RsaPss(DigestAlgorithm),
    /// ECDSA; the signature value is ASN.1 DER.
    Ecdsa(DigestAlgorithm),
}

impl SignatureAlgorithm {
    /// The digest inside.
    #[must_use]
    pub const fn digest(self) -> DigestAlgorithm {
        match self {
            Self::RsaPkcs1(digest) | Self::RsaPss(digest) | Self::Ecdsa(digest) => digest,
        }
    }
}

/// What a key is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyAlgorithm {
    /// RSA, 2048 bits: the reference's default.
    Rsa2048,
    /// RSA, 3072 bits: the Estonian and Faroese default.
    Rsa3072,
    /// RSA, 4096 bits.
    Rsa4096,
    /// The curve P-256 (secp256r1).
    EcP256,
    /// The curve P-384 (secp384r1).
    EcP384,
    /// The curve P-521 (secp521r1).
    EcP521,
}

/// What a new key is to be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum KeyChoice {
    /// An RSA key as long as the signer's settings say.
    Rsa,
    /// An elliptic curve key on the curve that the signer's settings name.
    Ec,
    /// This.
    Exactly(KeyAlgorithm),
}

impl From<KeyAlgorithm> for KeyChoice {
    fn from(algorithm: KeyAlgorithm) -> Self {
        Self::Exactly(algorithm)
    }
}

impl KeyAlgorithm {
    /// Whether this is an RSA key (and not an elliptic curve key).
    #[must_use]
    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }

    /// The algorithm that signs messages with such a key (wire.md 3.2).
    #[must_use]
    pub const fn message_signature(self, digest: DigestAlgorithm) -> SignatureAlgorithm {
        if self.is_rsa() {
            SignatureAlgorithm::RsaPkcs1(digest)
        } else {
            SignatureAlgorithm::Ecdsa(digest)
        }
    }
}

impl From<pki_digest::DigestAlgorithm> for DigestAlgorithm {
    fn from(name: pki_digest::DigestAlgorithm) -> Self {
        match name {
            pki_digest::DigestAlgorithm::Sha1 => Self::Sha1,
            pki_digest::DigestAlgorithm::Sha224 => Self::Sha224,
            pki_digest::DigestAlgorithm::Sha256 => Self::Sha256,
            pki_digest::DigestAlgorithm::Sha384 => Self::Sha384,
            pki_digest::DigestAlgorithm::Sha512 => Self::Sha512,
        }
    }
}

impl From<DigestAlgorithm> for pki_digest::DigestAlgorithm {
    fn from(name: DigestAlgorithm) -> Self {
        match name {
            DigestAlgorithm::Sha1 => Self::Sha1,
            DigestAlgorithm::Sha224 => Self::Sha224,
            DigestAlgorithm::Sha256 => Self::Sha256,
            DigestAlgorithm::Sha384 => Self::Sha384,
            DigestAlgorithm::Sha512 => Self::Sha512,
        }
    }
}

impl From<pki::SignatureAlgorithm> for SignatureAlgorithm {
    fn from(name: pki::SignatureAlgorithm) -> Self {
        match name {
            pki::SignatureAlgorithm::RsaPkcs1(digest) => Self::RsaPkcs1(digest.into()),
            pki::SignatureAlgorithm::RsaPss(digest) => Self::RsaPss(digest.into()),
            pki::SignatureAlgorithm::Ecdsa(digest) => Self::Ecdsa(digest.into()),
        }
    }
}

impl From<SignatureAlgorithm> for pki::SignatureAlgorithm {
    fn from(name: SignatureAlgorithm) -> Self {
        match name {
            SignatureAlgorithm::RsaPkcs1(digest) => Self::RsaPkcs1(digest.into()),
            SignatureAlgorithm::RsaPss(digest) => Self::RsaPss(digest.into()),
            SignatureAlgorithm::Ecdsa(digest) => Self::Ecdsa(digest.into()),
        }
    }
}
