//! Message digests, their names in protocols and their computation.

use aws_lc_rs::digest as aws;
use std::fmt;
use std::ops::Deref;

use crate::{asn1, oid};

/// Longest digest in bytes (SHA-512).
pub const MAX_DIGEST_BYTES: usize = 64;

/// A digest algorithm that occurs in signatures, hash chains, OCSP or time-stamps (wire.md 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DigestAlgorithm {
    /// SHA-1: names certificates in OCSP and look-ups; too weak for new signatures.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512, the default of message signatures and time-stamps.
    Sha512,
}

impl DigestAlgorithm {
    /// Every algorithm known.
    pub const ALL: [Self; 5] = [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// The identifier in XML signatures and hash chains (RFC 9231 2.1).
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Sha1 => "http://www.w3.org/2000/09/xmldsig#sha1",
            Self::Sha224 => "http://www.w3.org/2001/04/xmldsig-more#sha224",
            Self::Sha256 => "http://www.w3.org/2001/04/xmlenc#sha256",
            Self::Sha384 => "http://www.w3.org/2001/04/xmldsig-more#sha384",
            Self::Sha512 => "http://www.w3.org/2001/04/xmlenc#sha512",
        }
    }

    /// The algorithm with this XML identifier, exact match.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.uri() == uri)
    }

    /// The usual name, as in headers and configuration: `SHA-512`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// The algorithm with this name; letter case does not matter and the dash may be missing (`sha512`).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| {
            let known = algorithm.name().bytes().filter(|byte| *byte != b'-');
            let given = name.bytes().filter(|byte| *byte != b'-');
            known
                .map(|byte| byte.to_ascii_lowercase())
                .eq(given.map(|byte| byte.to_ascii_lowercase()))
        })
    }

    /// Length of the digest in bytes.
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Whether collisions are practical, so that new evidence should not rest on it.
    pub const fn is_weak(self) -> bool {
        matches!(self, Self::Sha1)
    }

    /// The digest of a byte string.
    pub fn digest(self, bytes: &[u8]) -> Digest {
        Digest::copy_of(aws::digest(self.implementation(), bytes).as_ref())
    }

    /// A computation to be fed piece by piece.
    pub fn hasher(self) -> Hasher {
        Hasher {
            algorithm: self,
            context: aws::Context::new(self.implementation()),
        }
    }

    pub(crate) fn implementation(self) -> &'static aws::Algorithm {
        match self {
            Self::Sha1 => &aws::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => &aws::SHA224,
            Self::Sha256 => &aws::SHA256,
            Self::Sha384 => &aws::SHA384,
            Self::Sha512 => &aws::SHA512,
        }
    }

    /// The digest as RSA with PKCS #1 v1.5 padding signs it: a `DigestInfo` (RFC 8017 9.2). Hardware tokens want it
    /// ready made.
    pub fn info(self, digest: &[u8]) -> Vec<u8> {
        let null = asn1::element(asn1::NULL, &[]);
        let identifier = asn1::sequence(&[&asn1::object_identifier(self.oid()), &null]);
        asn1::sequence(&[&identifier, &asn1::octet_string(digest)])
    }

    /// Contents octets of the object identifier.
    pub(crate) const fn oid(self) -> &'static [u8] {
        match self {
            Self::Sha1 => oid::SHA1,
            Self::Sha224 => oid::SHA224,
            Self::Sha256 => oid::SHA256,
            Self::Sha384 => oid::SHA384,
            Self::Sha512 => oid::SHA512,
        }
    }

    pub(crate) fn from_oid(oid: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.oid() == oid)
    }
}

impl fmt::Display for DigestAlgorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A digest computation under way.
#[derive(Clone)]
pub struct Hasher {
    algorithm: DigestAlgorithm,
    context: aws::Context,
}

impl Hasher {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    /// The digest of all bytes added.
    pub fn finish(self) -> Digest {
        Digest::copy_of(self.context.finish().as_ref())
    }

    /// The algorithm computed.
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Hasher")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// A digest value: up to [`MAX_DIGEST_BYTES`] bytes, held in place.
#[derive(Clone, Copy)]
pub struct Digest {
    bytes: [u8; MAX_DIGEST_BYTES],
    length: usize,
}

impl Digest {
    /// A digest value that came from elsewhere; `None` when longer than any digest.
    pub fn from_slice(value: &[u8]) -> Option<Self> {
        (value.len() <= MAX_DIGEST_BYTES).then(|| Self::copy_of(value))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Lower-case hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hex(self)
    }

    fn copy_of(value: &[u8]) -> Self {
        let mut bytes = [0; MAX_DIGEST_BYTES];
        let length = value.len().min(MAX_DIGEST_BYTES);
        for (target, source) in bytes.iter_mut().zip(value) {
            *target = *source;
        }
        Self { bytes, length }
    }
}

/// Lower-case hexadecimal digits of bytes.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _infallible = write!(text, "{byte:02x}");
            text
        })
}

impl Deref for Digest {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl From<&[u8; MAX_DIGEST_BYTES]> for Digest {
    fn from(bytes: &[u8; MAX_DIGEST_BYTES]) -> Self {
        Self {
            bytes: *bytes,
            length: MAX_DIGEST_BYTES,
        }
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Digest {}

impl PartialEq<[u8]> for Digest {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_bytes() == other
    }
}

impl std::hash::Hash for Digest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl PartialOrd for Digest {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Digest {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_round_trips_through_its_names() {
        for algorithm in DigestAlgorithm::ALL {
            assert_eq!(DigestAlgorithm::from_uri(algorithm.uri()), Some(algorithm));
            assert_eq!(
                DigestAlgorithm::from_name(&algorithm.name().to_lowercase()),
                Some(algorithm)
            );
            assert_eq!(
                DigestAlgorithm::from_name(&algorithm.name().replace('-', "")),
                Some(algorithm)
            );
            assert_eq!(DigestAlgorithm::from_oid(algorithm.oid()), Some(algorithm));
            assert_eq!(algorithm.digest(b"x").len(), algorithm.output_len());
        }
        assert_eq!(DigestAlgorithm::from_name("SHA-3"), None);
    }

    #[test]
    fn pieces_give_the_digest_of_the_whole() {
        let mut hasher = DigestAlgorithm::Sha256.hasher();
        hasher.update(b"ab");
        hasher.update(b"c");
        let digest = hasher.finish();
        assert_eq!(digest, DigestAlgorithm::Sha256.digest(b"abc"));
        assert_eq!(
            digest.to_hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
