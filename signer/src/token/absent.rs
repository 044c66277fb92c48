//! A token that has keys in the registry, but was not seen since the signer started.

use signer_client::{KeyAlgorithm, KeyUsage, Pin, SignatureAlgorithm, SignerError, TokenKind, TokenStatus};

use super::{Token, TokenKey};

/// Refuses everything: its device may bring the real one.
#[derive(Debug)]
pub struct AbsentToken {
    id: String,
    name: String,
}

impl AbsentToken {
    /// The token with this id, which says its name in hexadecimal digits.
    #[must_use]
    pub fn new(id: &str) -> Self {
        let pairs = (0..id.len()).step_by(2);
        let bytes: Option<Vec<u8>> = pairs
            .map(|at| u8::from_str_radix(id.get(at..at + 2)?, 16).ok())
            .collect();
        let name = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        Self {
            id: id.to_owned(),
            name: name.unwrap_or_else(|| id.to_owned()),
        }
    }

    fn absent<T>(&self) -> Result<T, SignerError> {
        Err(SignerError::TokenNotAvailable(self.id.clone()))
    }
}

impl Token for AbsentToken {
    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> TokenKind {
        TokenKind::Pkcs11
    }

    fn batch_signing(&self) -> bool {
        true
    }

    fn status(&self) -> TokenStatus {
        TokenStatus::NotAvailable
    }

    fn initialize(&self, _: &Pin) -> Result<(), SignerError> {
        self.absent()
    }

    fn login(&self, _: &Pin) -> Result<(), SignerError> {
        self.absent()
    }

    fn logout(&self) -> Result<(), SignerError> {
        Ok(())
    }

    fn change_pin(&self, _: &Pin, _: &Pin) -> Result<(), SignerError> {
        self.absent()
    }

    fn keys(&self) -> Vec<TokenKey> {
        Vec::new()
    }

    fn generate_key(&self, _: &str, _: KeyAlgorithm, _: KeyUsage) -> Result<TokenKey, SignerError> {
        self.absent()
    }

    fn delete_key(&self, _: &str) -> Result<(), SignerError> {
        self.absent()
    }

    fn sign_digest(&self, _: &str, _: SignatureAlgorithm, _: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.absent()
    }
}
