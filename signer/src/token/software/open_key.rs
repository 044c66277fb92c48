//! A private key in memory, and what it may sign.

use protocol_pki::{
    algorithm::SignatureAlgorithm as PkiAlgorithm,
    key::{KeyError, SoftwareKey},
};
use signer_client::{KeyAlgorithm, KeyUsage, SignatureAlgorithm, SignerError};
use zeroize::Zeroizing;

use crate::algorithms;

/// A private key that can sign.
#[derive(Debug)]
pub(super) struct OpenKey {
    usage: KeyUsage,
    key: SoftwareKey,
}

impl OpenKey {
    pub(super) fn generate(algorithm: KeyAlgorithm, usage: KeyUsage) -> Result<Self, KeyError> {
        Ok(Self {
            usage,
            key: SoftwareKey::generate(algorithms::key_spec(algorithm))?,
        })
    }

    pub(super) fn from_pkcs8(usage: KeyUsage, pkcs8: &[u8]) -> Result<Self, KeyError> {
        Ok(Self {
            usage,
            key: SoftwareKey::from_pkcs8(pkcs8)?,
        })
    }

    pub(super) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.key.to_pkcs8()
    }

    /// SubjectPublicKeyInfo, DER.
    pub(super) fn public_key(&self) -> &[u8] {
        self.key.spki_der()
    }

    pub(super) fn sign_digest(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, SignerError> {
        // PSS is for TLS 1.3: software tokens refuse it for messages (wire.md 3.2).
        let is_pss = matches!(algorithm, SignatureAlgorithm::RsaPss(_));
        let name = PkiAlgorithm::from(algorithm);
        if (is_pss && self.usage != KeyUsage::Authentication) || name.digest().is_weak() {
            return Err(unsupported(algorithm));
        }
        self.key.sign_digest(name, digest).map_err(|error| match error {
            KeyError::UnsupportedAlgorithm(_) => unsupported(algorithm),
            other => SignerError::CannotSign(other.to_string()),
        })
    }
}

fn unsupported(algorithm: SignatureAlgorithm) -> SignerError {
    SignerError::UnsupportedSignAlgorithm(format!("{algorithm:?} with this key"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol_pki::public_key::PublicKey;
    use signer_client::DigestAlgorithm::{Sha1, Sha256, Sha512};

    fn signs(key: &OpenKey, algorithm: SignatureAlgorithm) -> Result<(), SignerError> {
        let pki_algorithm = PkiAlgorithm::from(algorithm);
        let signature = key.sign_digest(algorithm, &pki_algorithm.digest().digest(b"data"))?;
        PublicKey::from_spki(key.public_key())
            .unwrap()
            .verify(pki_algorithm, b"data", &signature)
            .unwrap();
        Ok(())
    }

    #[test]
    fn pss_is_for_authentication_keys_only() {
        let authentication = OpenKey::generate(KeyAlgorithm::Rsa2048, KeyUsage::Authentication).unwrap();
        let signing = OpenKey::from_pkcs8(KeyUsage::Signing, &authentication.to_pkcs8().unwrap()).unwrap();
        assert_eq!(signing.public_key(), authentication.public_key());
        signs(&authentication, SignatureAlgorithm::RsaPss(Sha256)).unwrap();
        signs(&authentication, SignatureAlgorithm::RsaPkcs1(Sha256)).unwrap();
        signs(&signing, SignatureAlgorithm::RsaPkcs1(Sha512)).unwrap();
        let refused = signs(&signing, SignatureAlgorithm::RsaPss(Sha256));
        assert!(matches!(refused, Err(SignerError::UnsupportedSignAlgorithm(_))));
    }

    #[test]
    fn refuses_weak_digests_and_foreign_algorithms() {
        let key = OpenKey::generate(KeyAlgorithm::EcP256, KeyUsage::Authentication).unwrap();
        signs(&key, SignatureAlgorithm::Ecdsa(Sha512)).unwrap();
        for algorithm in [
            SignatureAlgorithm::Ecdsa(Sha1),
            SignatureAlgorithm::RsaPkcs1(Sha256),
        ] {
            assert!(matches!(
                signs(&key, algorithm),
                Err(SignerError::UnsupportedSignAlgorithm(_))
            ));
        }
        assert!(
            key.sign_digest(SignatureAlgorithm::Ecdsa(Sha256), &[0; 31])
                .is_err()
        );
    }
}
