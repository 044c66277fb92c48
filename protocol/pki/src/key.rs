//! Keys that sign: the call-back that a key elsewhere implements, and keys in memory.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self as aws, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _, RsaEncoding};
use std::fmt;
use zeroize::Zeroizing;

use crate::algorithm::SignatureAlgorithm;
use crate::asn1;
use crate::digest::DigestAlgorithm;
use crate::oid;
use crate::public_key::{KeyKind, PublicKey, spki};

/// Whatever makes a signature failed.
pub type SignerFailure = Box<dyn std::error::Error + Send + Sync>;

/// A key that signs, possibly in another process. One signer stands for one key and one algorithm.
pub trait Signer {
    /// The algorithm of every signature made.
    fn algorithm(&self) -> SignatureAlgorithm;

    /// DER of the key's `SubjectPublicKeyInfo`.
    fn public_key_spki(&self) -> &[u8];

    /// Signs a message; ECDSA values are DER.
    ///
    /// # Errors
    /// Whatever kept the key from signing.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailure>;
}

/// What kind of key to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeySpec {
    /// RSA, 2048 bits, exponent 65537.
    Rsa2048,
    /// RSA, 3072 bits.
    Rsa3072,
    /// RSA, 4096 bits.
    Rsa4096,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
}

/// A key could not be made, read or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The generator failed.
    #[error("key could not be generated")]
    Generate,
    /// Not a PKCS#8 key of a supported kind.
    #[error("not a PKCS#8 private key of a supported kind")]
    Malformed,
    /// The key cannot sign with this algorithm.
    #[error("key cannot sign with {0:?}")]
    UnsupportedAlgorithm(SignatureAlgorithm),
    /// The digest's length is not the algorithm's.
    #[error("digest has the wrong length")]
    WrongDigestLength,
    /// Signing failed.
    #[error("signing failed")]
    Sign,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair, KeyKind),
}

/// A private key in memory. It is not printed; the PKCS#8 copies that it hands out are overwritten when dropped.
pub struct SoftwareKey {
    pair: Pair,
    spki: Vec<u8>,
}

impl SoftwareKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`KeyError::Generate`]
    pub fn generate(spec: KeySpec) -> Result<Self, KeyError> {
        let rsa = |size| RsaKeyPair::generate(size).map(Pair::Rsa);
        let ecdsa = |kind| EcdsaKeyPair::generate(native_signing(kind)).map(|pair| Pair::Ecdsa(pair, kind));
        let pair = match spec {
            KeySpec::Rsa2048 => rsa(KeySize::Rsa2048),
            KeySpec::Rsa3072 => rsa(KeySize::Rsa3072),
            KeySpec::Rsa4096 => rsa(KeySize::Rsa4096),
            KeySpec::P256 => ecdsa(KeyKind::P256),
            KeySpec::P384 => ecdsa(KeyKind::P384),
            KeySpec::P521 => ecdsa(KeyKind::P521),
        };
        pair.map(Self::of).map_err(|_| KeyError::Generate)
    }

    /// Reads a PKCS#8 private key in DER (RFC 5958).
    ///
    /// # Errors
    /// [`KeyError::Malformed`]
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            return Ok(Self::of(Pair::Rsa(pair)));
        }
        let of_kind = |kind| {
            let pair = EcdsaKeyPair::from_pkcs8(native_signing(kind), der).ok()?;
            Some(Self::of(Pair::Ecdsa(pair, kind)))
        };
        [KeyKind::P256, KeyKind::P384, KeyKind::P521]
            .into_iter()
            .find_map(of_kind)
            .ok_or(KeyError::Malformed)
    }

    /// The private key as PKCS#8 in DER.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when the key cannot be encoded.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let encoded = match &self.pair {
            Pair::Rsa(pair) => {
                let der = pair.as_der().map_err(|_| KeyError::Malformed)?;
                Zeroizing::new(der.as_ref().to_vec())
            }
            Pair::Ecdsa(pair, _) => {
                let der = pair.to_pkcs8v1().map_err(|_| KeyError::Malformed)?;
                Zeroizing::new(der.as_ref().to_vec())
            }
        };
        Ok(encoded)
    }

    /// DER of the `SubjectPublicKeyInfo`.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// Whether it is an RSA key.
    pub fn is_rsa(&self) -> bool {
        matches!(self.pair, Pair::Rsa(_))
    }

    /// The usual algorithm of this kind of key with a digest: PKCS#1 for RSA, ECDSA for curves.
    pub fn algorithm_with(&self, digest: DigestAlgorithm) -> SignatureAlgorithm {
        match self.pair {
            Pair::Rsa(_) => SignatureAlgorithm::RsaPkcs1(digest),
            Pair::Ecdsa(..) => SignatureAlgorithm::Ecdsa(digest),
        }
    }

    /// Signs a message; ECDSA values are DER.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.sign_digest(algorithm, &algorithm.digest().digest(message))
    }

    /// Signs the digest of a message; ECDSA values are DER.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn sign_digest(&self, algorithm: SignatureAlgorithm, digest: &[u8]) -> Result<Vec<u8>, KeyError> {
        if digest.len() != algorithm.digest().output_len() {
            return Err(KeyError::WrongDigestLength);
        }
        match &self.pair {
            Pair::Rsa(pair) => sign_rsa(pair, algorithm, digest),
            Pair::Ecdsa(pair, kind) => sign_ecdsa(pair, *kind, algorithm, digest),
        }
    }

    /// A signer with this key and the usual algorithm of its kind, see [`Self::algorithm_with`].
    pub fn signer(&self, digest: DigestAlgorithm) -> SoftwareSigner<'_> {
        SoftwareSigner {
            key: self,
            algorithm: self.algorithm_with(digest),
        }
    }

    /// A signer with this key and any algorithm.
    pub fn signer_with(&self, algorithm: SignatureAlgorithm) -> SoftwareSigner<'_> {
        SoftwareSigner { key: self, algorithm }
    }

    fn of(pair: Pair) -> Self {
        let spki = match &pair {
            Pair::Rsa(pair) => spki(
                oid::RSA_ENCRYPTION,
                &asn1::element(asn1::NULL, &[]),
                pair.public_key().as_ref(),
            ),
            Pair::Ecdsa(pair, kind) => spki(
                oid::EC_PUBLIC_KEY,
                &asn1::object_identifier(curve_oid(*kind)),
                pair.public_key().as_ref(),
            ),
        };
        Self { pair, spki }
    }
}

impl fmt::Debug for SoftwareKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = PublicKey::from_spki(&self.spki).map(|key| key.kind());
        formatter
            .debug_struct("SoftwareKey")
            .field("kind", &kind)
            .finish_non_exhaustive()
    }
}

/// A [`SoftwareKey`] with the algorithm it signs with.
#[derive(Clone, Copy, Debug)]
pub struct SoftwareSigner<'a> {
    key: &'a SoftwareKey,
    algorithm: SignatureAlgorithm,
}

impl Signer for SoftwareSigner<'_> {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn public_key_spki(&self) -> &[u8] {
        self.key.spki_der()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailure> {
        self.key
            .sign(self.algorithm, message)
            .map_err(SignerFailure::from)
    }
}

const fn curve_oid(kind: KeyKind) -> &'static [u8] {
    match kind {
        KeyKind::P384 => oid::P384,
        KeyKind::P521 => oid::P521,
        _ => oid::P256,
    }
}

/// aws-lc ties a digest to each curve; this is the one as long as the curve's order.
fn native_signing(kind: KeyKind) -> &'static EcdsaSigningAlgorithm {
    match kind {
        KeyKind::P384 => &aws::ECDSA_P384_SHA384_ASN1_SIGNING,
        KeyKind::P521 => &aws::ECDSA_P521_SHA512_ASN1_SIGNING,
        _ => &aws::ECDSA_P256_SHA256_ASN1_SIGNING,
    }
}

const fn native_digest(kind: KeyKind) -> DigestAlgorithm {
    match kind {
        KeyKind::P384 => DigestAlgorithm::Sha384,
        KeyKind::P521 => DigestAlgorithm::Sha512,
        _ => DigestAlgorithm::Sha256,
    }
}

fn sign_rsa(pair: &RsaKeyPair, algorithm: SignatureAlgorithm, digest: &[u8]) -> Result<Vec<u8>, KeyError> {
    use DigestAlgorithm::{Sha256, Sha384, Sha512};
    let encoding: &'static dyn RsaEncoding = match algorithm {
        SignatureAlgorithm::RsaPkcs1(Sha256) => &aws::RSA_PKCS1_SHA256,
        SignatureAlgorithm::RsaPkcs1(Sha384) => &aws::RSA_PKCS1_SHA384,
        SignatureAlgorithm::RsaPkcs1(Sha512) => &aws::RSA_PKCS1_SHA512,
        SignatureAlgorithm::RsaPss(Sha256) => &aws::RSA_PSS_SHA256,
        SignatureAlgorithm::RsaPss(Sha384) => &aws::RSA_PSS_SHA384,
        SignatureAlgorithm::RsaPss(Sha512) => &aws::RSA_PSS_SHA512,
        _ => return Err(KeyError::UnsupportedAlgorithm(algorithm)),
    };
    let digest = imported(digest, algorithm.digest())?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign_digest(encoding, &digest, &mut signature)
        .map_err(|_| KeyError::Sign)?;
    Ok(signature)
}

/// ECDSA takes the leftmost bits of a digest, as many as the curve's order has (FIPS 186-4 6.4), as a number. A digest that
/// is cut there or has zeros put before it therefore gives the same signature, so that any digest goes with any curve.
fn sign_ecdsa(
    pair: &EcdsaKeyPair,
    kind: KeyKind,
    algorithm: SignatureAlgorithm,
    digest: &[u8],
) -> Result<Vec<u8>, KeyError> {
    if !matches!(algorithm, SignatureAlgorithm::Ecdsa(_)) {
        return Err(KeyError::UnsupportedAlgorithm(algorithm));
    }
    let native = native_digest(kind);
    let kept = digest.get(..native.output_len()).unwrap_or(digest);
    let mut fitted = vec![0; native.output_len() - kept.len()];
    fitted.extend_from_slice(kept);
    let signature = pair
        .sign_digest(&imported(&fitted, native)?)
        .map_err(|_| KeyError::Sign)?;
    Ok(signature.as_ref().to_vec())
}

fn imported(digest: &[u8], algorithm: DigestAlgorithm) -> Result<aws_lc_rs::digest::Digest, KeyError> {
    aws_lc_rs::digest::Digest::import_less_safe(digest, algorithm.implementation())
        .map_err(|_| KeyError::WrongDigestLength)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::public_key::{SignatureError, ecdsa_der_to_xml, ecdsa_xml_to_der};

    const DIGESTS: [DigestAlgorithm; 3] = [
        DigestAlgorithm::Sha256,
        DigestAlgorithm::Sha384,
        DigestAlgorithm::Sha512,
    ];

    fn verifies(key: &SoftwareKey, algorithm: SignatureAlgorithm) {
        let public = PublicKey::from_spki(key.spki_der()).unwrap();
        let signature = key.sign(algorithm, b"message").unwrap();
        assert_eq!(
            public.verify(algorithm, b"message", &signature),
            Ok(()),
            "{algorithm:?}"
        );
        assert_eq!(
            public.verify(algorithm, b"massage", &signature),
            Err(SignatureError::Invalid)
        );
        let digest = algorithm.digest().digest(b"message");
        assert_eq!(public.verify_digest(algorithm, &digest, &signature), Ok(()));
        if let Some(half) = public.kind().ecdsa_half_len() {
            let raw = ecdsa_der_to_xml(&signature, half).unwrap();
            assert_eq!(raw.len(), 2 * half);
            assert_eq!(public.verify_xml(algorithm, b"message", &raw), Ok(()));
            assert!(public.verify_xml(algorithm, b"massage", &raw).is_err());
        }
    }

    #[test]
    fn curves_sign_with_every_digest() {
        for spec in [KeySpec::P256, KeySpec::P384, KeySpec::P521] {
            let key = SoftwareKey::generate(spec).unwrap();
            let key = SoftwareKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
            for digest in DIGESTS {
                verifies(&key, SignatureAlgorithm::Ecdsa(digest));
            }
            let wrong = SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha256);
            assert_eq!(key.sign(wrong, b"x"), Err(KeyError::UnsupportedAlgorithm(wrong)));
        }
    }

    #[test]
    fn rsa_signs_with_both_paddings() {
        let key = SoftwareKey::generate(KeySpec::Rsa2048).unwrap();
        let key = SoftwareKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
        for digest in DIGESTS {
            verifies(&key, SignatureAlgorithm::RsaPkcs1(digest));
            verifies(&key, SignatureAlgorithm::RsaPss(digest));
        }
        assert!(SoftwareKey::from_pkcs8(b"nonsense").is_err());
    }

    #[test]
    fn short_halves_of_the_reference_are_taken() {
        let raw = [1_u8, 2, 3, 4];
        assert_eq!(
            ecdsa_xml_to_der(&raw, 32).unwrap(),
            [0x30, 8, 2, 2, 1, 2, 2, 2, 3, 4]
        );
        assert_eq!(
            ecdsa_xml_to_der(&[1, 2, 3], 32),
            Err(SignatureError::MalformedEcdsa)
        );
        assert_eq!(ecdsa_xml_to_der(&[], 32), Err(SignatureError::MalformedEcdsa));
        assert_eq!(
            ecdsa_xml_to_der(&[1; 66], 32),
            Err(SignatureError::MalformedEcdsa)
        );
    }
}
