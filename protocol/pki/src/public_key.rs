//! Public keys and the verification of signature values, through aws-lc.

use aws_lc_rs::signature::{self as aws, UnparsedPublicKey, VerificationAlgorithm};
use std::fmt;

use crate::algorithm::SignatureAlgorithm;
use crate::asn1::{self, Asn1Error};
use crate::digest::{Digest, DigestAlgorithm};
use crate::oid;

/// Longest `SubjectPublicKeyInfo` taken: RSA of 16384 bits needs about 2,100 bytes.
pub const MAX_SPKI_BYTES: usize = 4096;

/// The kind of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA; the modulus length in bits.
    Rsa(usize),
    /// NIST P-256 (`secp256r1`).
    P256,
    /// NIST P-384 (`secp384r1`).
    P384,
    /// NIST P-521 (`secp521r1`).
    P521,
    /// Any other key; nothing verifies with it.
    Unsupported,
}

impl KeyKind {
    /// Length of r and of s in bytes, `None` for keys without them.
    pub const fn ecdsa_half_len(self) -> Option<usize> {
        match self {
            Self::P256 => Some(32),
            Self::P384 => Some(48),
            Self::P521 => Some(66),
            Self::Rsa(_) | Self::Unsupported => None,
        }
    }
}

/// Why a signature value was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// This key, digest and padding together are not supported.
    #[error("algorithm {0:?} is not supported with this key")]
    UnsupportedAlgorithm(SignatureAlgorithm),
    /// The value does not fit the key and the bytes.
    #[error("signature value is not valid")]
    Invalid,
    /// An ECDSA value in XML form whose length fits no curve.
    #[error("ECDSA signature value is malformed")]
    MalformedEcdsa,
}

impl SignatureError {
    /// Fault code without prefix (wire.md 1.8).
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::UnsupportedAlgorithm(_) => "unsupported_algorithm",
            Self::Invalid | Self::MalformedEcdsa => "invalid_signature_value",
        }
    }
}

/// A public key from a `SubjectPublicKeyInfo`.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: KeyKind,
    spki: Box<[u8]>,
    bits: Box<[u8]>,
}

impl PublicKey {
    /// Reads a DER `SubjectPublicKeyInfo` (RFC 5280 4.1.2.7). Unknown kinds of key are read too, see
    /// [`KeyKind::Unsupported`].
    ///
    /// # Errors
    /// Bytes that are not such a structure or exceed [`MAX_SPKI_BYTES`].
    pub fn from_spki(der: &[u8]) -> Result<Self, Asn1Error> {
        if der.len() > MAX_SPKI_BYTES {
            return Err(Asn1Error::Limit("public key"));
        }
        let mut parts = asn1::only(der, asn1::SEQUENCE)?.inside();
        let mut algorithm = parts.expect(asn1::SEQUENCE)?.inside();
        let bits = parts.expect(asn1::BIT_STRING)?.octet_aligned_bits()?;
        parts.end()?;
        let kind = match algorithm.expect(asn1::OBJECT_IDENTIFIER)?.contents {
            oid::RSA_ENCRYPTION => KeyKind::Rsa(modulus_bits(bits)?),
            oid::EC_PUBLIC_KEY => match algorithm
                .optional(asn1::OBJECT_IDENTIFIER)?
                .map(|curve| curve.contents)
            {
                Some(oid::P256) => KeyKind::P256,
                Some(oid::P384) => KeyKind::P384,
                Some(oid::P521) => KeyKind::P521,
                _ => KeyKind::Unsupported,
            },
            _ => KeyKind::Unsupported,
        };
        Ok(Self {
            kind,
            spki: der.into(),
            bits: bits.into(),
        })
    }

    /// The kind of key.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// DER of the `SubjectPublicKeyInfo`.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// Contents of the key's BIT STRING, which key identifiers are digests of (RFC 6960 4.1.1).
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// Verifies a signature value over a message; ECDSA values are DER.
    ///
    /// # Errors
    /// [`SignatureError`]; RSA keys of 2048 to 8192 bits and the curves of [`KeyKind`] are supported.
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let method = self.method(algorithm)?;
        UnparsedPublicKey::new(method, &self.bits)
            .verify(message, signature)
            .map_err(|_| SignatureError::Invalid)
    }

    /// As [`Self::verify`], with the digest of the message instead of the message.
    ///
    /// # Errors
    /// As [`Self::verify`]; a digest of another length than the algorithm's is [`SignatureError::Invalid`].
    pub fn verify_digest(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &Digest,
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let method = self.method(algorithm)?;
        let digest = aws_lc_rs::digest::Digest::import_less_safe(digest, algorithm.digest().implementation())
            .map_err(|_| SignatureError::Invalid)?;
        UnparsedPublicKey::new(method, &self.bits)
            .verify_digest(&digest, signature)
            .map_err(|_| SignatureError::Invalid)
    }

    /// Verifies a signature value in its XML form, where ECDSA values are r and s concatenated (wire.md 3.2): halves of any
    /// equal width up to the curve's are taken, and DER values too, which the reference puts there for P-521.
    ///
    /// # Errors
    /// As [`Self::verify`]; [`SignatureError::MalformedEcdsa`] for an odd or excessive length.
    pub fn verify_xml(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        match (algorithm, self.kind.ecdsa_half_len()) {
            (SignatureAlgorithm::Ecdsa(_), Some(half)) => {
                self.verify(algorithm, message, &ecdsa_xml_to_der(signature, half)?)
            }
            _ => self.verify(algorithm, message, signature),
        }
    }

    fn method(
        &self,
        algorithm: SignatureAlgorithm,
    ) -> Result<&'static dyn VerificationAlgorithm, SignatureError> {
        use DigestAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512};
        use SignatureAlgorithm::{Ecdsa, RsaPkcs1, RsaPss};
        Ok(match (self.kind, algorithm) {
            (KeyKind::Rsa(_), RsaPkcs1(Sha1)) => &aws::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            (KeyKind::Rsa(_), RsaPkcs1(Sha256)) => &aws::RSA_PKCS1_2048_8192_SHA256,
            (KeyKind::Rsa(_), RsaPkcs1(Sha384)) => &aws::RSA_PKCS1_2048_8192_SHA384,
            (KeyKind::Rsa(_), RsaPkcs1(Sha512)) => &aws::RSA_PKCS1_2048_8192_SHA512,
            (KeyKind::Rsa(_), RsaPss(Sha256)) => &aws::RSA_PSS_2048_8192_SHA256,
            (KeyKind::Rsa(_), RsaPss(Sha384)) => &aws::RSA_PSS_2048_8192_SHA384,
            (KeyKind::Rsa(_), RsaPss(Sha512)) => &aws::RSA_PSS_2048_8192_SHA512,
            (KeyKind::P256, Ecdsa(Sha1)) => &aws::ECDSA_P256_SHA1_ASN1,
            (KeyKind::P256, Ecdsa(Sha256)) => &aws::ECDSA_P256_SHA256_ASN1,
            (KeyKind::P256, Ecdsa(Sha384)) => &aws::ECDSA_P256_SHA384_ASN1,
            (KeyKind::P256, Ecdsa(Sha512)) => &aws::ECDSA_P256_SHA512_ASN1,
            (KeyKind::P384, Ecdsa(Sha256)) => &aws::ECDSA_P384_SHA256_ASN1,
            (KeyKind::P384, Ecdsa(Sha384)) => &aws::ECDSA_P384_SHA384_ASN1,
            (KeyKind::P384, Ecdsa(Sha512)) => &aws::ECDSA_P384_SHA512_ASN1,
            (KeyKind::P521, Ecdsa(Sha1)) => &aws::ECDSA_P521_SHA1_ASN1,
            (KeyKind::P521, Ecdsa(Sha224)) => &aws::ECDSA_P521_SHA224_ASN1,
            (KeyKind::P521, Ecdsa(Sha256)) => &aws::ECDSA_P521_SHA256_ASN1,
            (KeyKind::P521, Ecdsa(Sha384)) => &aws::ECDSA_P521_SHA384_ASN1,
            (KeyKind::P521, Ecdsa(Sha512)) => &aws::ECDSA_P521_SHA512_ASN1,
            _ => return Err(SignatureError::UnsupportedAlgorithm(algorithm)),
        })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PublicKey")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Length in bits of the modulus of a PKCS#1 `RSAPublicKey`.
fn modulus_bits(key: &[u8]) -> Result<usize, Asn1Error> {
    let modulus = asn1::only(key, asn1::SEQUENCE)?
        .inside()
        .expect(asn1::INTEGER)?
        .contents;
    let first = modulus
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(modulus.len());
    let digits = modulus.get(first..).unwrap_or_default();
    let unused = digits
        .first()
        .map_or(0, |byte| usize::try_from(byte.leading_zeros()).unwrap_or(0));
    Ok(digits.len() * 8 - unused)
}

/// The `SubjectPublicKeyInfo` of an RSA key from its numbers, big-endian, as hardware tokens tell them.
pub fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = asn1::sequence(&[
        &asn1::unsigned_integer(modulus),
        &asn1::unsigned_integer(exponent),
    ]);
    spki(oid::RSA_ENCRYPTION, &asn1::element(asn1::NULL, &[]), &key)
}

/// The `SubjectPublicKeyInfo` of a key on an elliptic curve: the DER of the curve's name and the point, which hardware
/// tokens wrap into an OCTET STRING or do not.
pub fn ec_spki(curve: &[u8], point: &[u8]) -> Vec<u8> {
    let unwrapped = asn1::only(point, asn1::OCTET_STRING).map_or(point, |wrapped| wrapped.contents);
    spki(oid::EC_PUBLIC_KEY, curve, unwrapped)
}

/// The DER of a curve's name, as hardware tokens want it; `None` for keys without a curve.
pub fn curve_name(kind: KeyKind) -> Option<Vec<u8>> {
    let name = match kind {
        KeyKind::P256 => oid::P256,
        KeyKind::P384 => oid::P384,
        KeyKind::P521 => oid::P521,
        KeyKind::Rsa(_) | KeyKind::Unsupported => return None,
    };
    Some(asn1::object_identifier(name))
}

pub(crate) fn spki(algorithm: &[u8], parameters: &[u8], key: &[u8]) -> Vec<u8> {
    let identifier = asn1::sequence(&[&asn1::object_identifier(algorithm), parameters]);
    asn1::sequence(&[&identifier, &asn1::bit_string(key)])
}

/// DER of an ECDSA value in XML form; `half` is the curve's width. DER passes unchanged.
///
/// # Errors
/// [`SignatureError::MalformedEcdsa`] for an empty, odd or excessive length.
pub fn ecdsa_xml_to_der(signature: &[u8], half: usize) -> Result<Vec<u8>, SignatureError> {
    if is_der_pair(signature) && signature.len() != 2 * half {
        return Ok(signature.to_vec());
    }
    if signature.is_empty() || !signature.len().is_multiple_of(2) || signature.len() > 2 * half {
        return Err(SignatureError::MalformedEcdsa);
    }
    let (r, s) = signature.split_at(signature.len() / 2);
    Ok(asn1::sequence(&[
        &asn1::unsigned_integer(r),
        &asn1::unsigned_integer(s),
    ]))
}

/// The XML form of a DER ECDSA value, each half padded to the curve's width, which every verifier takes.
///
/// # Errors
/// [`SignatureError::MalformedEcdsa`] when the value is not DER of two integers of at most that width.
pub fn ecdsa_der_to_xml(signature: &[u8], half: usize) -> Result<Vec<u8>, SignatureError> {
    let malformed = |_| SignatureError::MalformedEcdsa;
    let mut parts = asn1::only(signature, asn1::SEQUENCE).map_err(malformed)?.inside();
    let mut value = Vec::with_capacity(2 * half);
    for _ in 0..2 {
        let integer = parts.expect(asn1::INTEGER).map_err(malformed)?.contents;
        let first = integer
            .iter()
            .position(|byte| *byte != 0)
            .unwrap_or(integer.len());
        let digits = integer.get(first..).unwrap_or_default();
        let padding = half
            .checked_sub(digits.len())
            .ok_or(SignatureError::MalformedEcdsa)?;
        value.extend(std::iter::repeat_n(0, padding));
        value.extend_from_slice(digits);
    }
    parts.end().map_err(malformed)?;
    Ok(value)
}

fn is_der_pair(signature: &[u8]) -> bool {
    let read = || {
        let mut parts = asn1::only(signature, asn1::SEQUENCE)?.inside();
        parts.expect(asn1::INTEGER)?;
        parts.expect(asn1::INTEGER)?;
        parts.end()
    };
    read().is_ok()
}
