//! A key of the signer as whatever makes documents sees it.

use protocol_pki::{
    algorithm,
    key::{Signer, SignerFailure},
};

use crate::{Client, DigestAlgorithm, KeyInfo, KeySelector, SignatureAlgorithm};

/// A key in the signer: signs configurations, requests and certificates through [`protocol_pki::key::Signer`]. Every
/// signature is a blocking call.
#[derive(Clone, Debug)]
pub struct RemoteKey {
    client: Client,
    key: String,
    algorithm: SignatureAlgorithm,
    public_key: Vec<u8>,
}

impl RemoteKey {
    /// The key, with the usual algorithm of its kind (PKCS #1 for RSA, ECDSA for curves) and this digest.
    #[must_use]
    pub fn new(client: Client, key: &KeyInfo, digest: DigestAlgorithm) -> Self {
        let algorithm = key.algorithm.message_signature(digest);
        Self {
            client,
            key: key.id.clone(),
            algorithm,
            public_key: key.public_key.to_vec(),
        }
    }
}

impl Signer for RemoteKey {
    fn algorithm(&self) -> algorithm::SignatureAlgorithm {
        self.algorithm.into()
    }

    fn public_key_spki(&self) -> &[u8] {
        &self.public_key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailure> {
        let digest = self.algorithm().digest().digest(message);
        let key = KeySelector::Key(self.key.clone());
        Ok(self.client.sign_digest(key, self.algorithm, &digest)?.to_vec())
    }
}
