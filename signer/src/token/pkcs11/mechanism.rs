//! How a token signs: what it is given, and what becomes of what it gives back.

use cryptoki::mechanism::{
    Mechanism, MechanismType,
    rsa::{PkcsMgfType, PkcsPssParams},
};
use protocol_pki::{digest, public_key::ecdsa_xml_to_der};
use signer_client::{DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm, SignerError};

/// A signature to be made.
#[derive(Debug)]
pub(super) struct Order {
    /// The digest of PSS; PKCS #1 v1.5 padding and ECDSA do not need to know it.
    pss: Option<PkcsPssParams>,
    /// What the token signs.
    pub(super) input: Vec<u8>,
    /// Length of r and of s, for ECDSA.
    half: Option<usize>,
}

impl Order {
    /// How a digest is signed with a key.
    ///
    /// # Errors
    /// `UnsupportedSignAlgorithm` for another kind of key, SHA-1 and SHA-224.
    pub(super) fn of(
        key: KeyAlgorithm,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Self, SignerError> {
        let unsupported = || SignerError::UnsupportedSignAlgorithm(format!("{algorithm:?} with {key:?}"));
        let (pss, input, half) = match (algorithm, curve_bytes(key)) {
            (SignatureAlgorithm::RsaPkcs1(name), None) if !is_weak(name) => {
                (None, digest::DigestAlgorithm::from(name).info(digest), None)
            }
            (SignatureAlgorithm::RsaPss(name), None) => {
                let parameters = pss(name).ok_or_else(unsupported)?;
                (Some(parameters), digest.to_vec(), None)
            }
            (SignatureAlgorithm::Ecdsa(name), Some(half)) if !is_weak(name) => {
                // Only the leftmost bits of a digest longer than the curve's order count (FIPS 186-5 6.4.1). Some
                // tokens refuse the rest. P-521's order is longer than any digest; the others end on a byte.
                let used = digest.get(..half).unwrap_or(digest);
                (None, used.to_vec(), Some(half))
            }
            _ => return Err(unsupported()),
        };
        Ok(Self { pss, input, half })
    }

    /// What the token is to do.
    pub(super) const fn mechanism(&self) -> Mechanism<'static> {
        match (self.pss, self.half) {
            (Some(parameters), _) => Mechanism::RsaPkcsPss(parameters),
            (None, None) => Mechanism::RsaPkcs,
            (None, Some(_)) => Mechanism::Ecdsa,
        }
    }

    /// The signature value as the signer's clients want it: ECDSA in DER. Tokens give `r||s` (PKCS #11 2.3.1).
    pub(super) fn finish(&self, value: Vec<u8>) -> Result<Vec<u8>, SignerError> {
        match self.half {
            None => Ok(value),
            Some(half) => ecdsa_xml_to_der(&value, half)
                .map_err(|_| SignerError::CannotSign("the token gave no ECDSA signature".to_owned())),
        }
    }
}

const fn is_weak(name: DigestAlgorithm) -> bool {
    matches!(name, DigestAlgorithm::Sha1 | DigestAlgorithm::Sha224)
}

const fn curve_bytes(key: KeyAlgorithm) -> Option<usize> {
    match key {
        KeyAlgorithm::EcP256 => Some(32),
        KeyAlgorithm::EcP384 => Some(48),
        KeyAlgorithm::EcP521 => Some(66),
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => None,
    }
}

/// Mask generation with the same digest, a salt as long as it.
fn pss(name: DigestAlgorithm) -> Option<PkcsPssParams> {
    let (hash_alg, mgf, length) = match name {
        DigestAlgorithm::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32),
        DigestAlgorithm::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48),
        DigestAlgorithm::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64),
        DigestAlgorithm::Sha1 | DigestAlgorithm::Sha224 => return None,
    };
    Some(PkcsPssParams {
        hash_alg,
        mgf,
        s_len: cryptoki::types::Ulong::new(length),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use signer_client::DigestAlgorithm::{Sha1, Sha512};

    #[test]
    fn keys_sign_only_what_is_for_their_kind_and_never_with_weak_digests() {
        use KeyAlgorithm::{EcP256, Rsa2048};
        use SignatureAlgorithm::{Ecdsa, RsaPkcs1, RsaPss};
        for (key, algorithm, right) in [
            (Rsa2048, RsaPkcs1(Sha512), true),
            (Rsa2048, RsaPss(Sha512), true),
            (Rsa2048, Ecdsa(Sha512), false),
            (Rsa2048, RsaPkcs1(Sha1), false),
            (Rsa2048, RsaPss(Sha1), false),
            (EcP256, Ecdsa(Sha512), true),
            (EcP256, Ecdsa(Sha1), false),
            (EcP256, RsaPkcs1(Sha512), false),
        ] {
            assert_eq!(
                Order::of(key, algorithm, &[1; 64]).is_ok(),
                right,
                "{key:?} {algorithm:?}"
            );
        }
    }

    #[test]
    fn ecdsa_signs_no_more_of_a_digest_than_the_curve_holds() {
        let input = |key| {
            Order::of(key, SignatureAlgorithm::Ecdsa(Sha512), &[1; 64])
                .unwrap()
                .input
                .len()
        };
        assert_eq!(input(KeyAlgorithm::EcP256), 32);
        assert_eq!(input(KeyAlgorithm::EcP384), 48);
        assert_eq!(input(KeyAlgorithm::EcP521), 64);
    }
}
