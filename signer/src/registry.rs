//! Keys with their certificates and certificate signing requests: what the tokens do not know.
//!
//! | Module | |
//! |---|---|
//! | `records` | what is known of a key |
//! | `file` | all of it on disk, and the state that everybody reads |

mod file;
mod records;

use std::collections::BTreeMap;

use signer_client::{CertificateSha256, SignerError};

pub use file::{RegistryError, RegistryFile};
pub use records::{CertificateRecord, CsrRecord, KeyRecord, sha256};

use crate::token::{Token, TokenKey};

/// Most certificates of a key, and most certificate signing requests.
pub const MAX_PER_KEY: usize = 64;

/// Every key, by id, and names of tokens.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Registry {
    /// Every key, by id.
    pub keys: BTreeMap<String, KeyRecord>,
    /// Names that people gave to tokens, by the tokens' ids.
    pub token_names: BTreeMap<String, String>,
}

impl Registry {
    /// A key.
    ///
    /// # Errors
    /// `KeyNotFound`.
    pub fn key(&self, id: &str) -> Result<&KeyRecord, SignerError> {
        self.keys
            .get(id)
            .ok_or_else(|| SignerError::KeyNotFound(id.to_owned()))
    }

    /// What people call the token: the name that they gave it, or its own.
    #[must_use]
    pub fn token_name<'a>(&'a self, token: &'a dyn Token) -> &'a str {
        self.token_names
            .get(token.id())
            .map_or_else(|| token.name(), String::as_str)
    }

    /// A key, to be changed.
    ///
    /// # Errors
    /// `KeyNotFound`.
    pub fn key_mut(&mut self, id: &str) -> Result<&mut KeyRecord, SignerError> {
        self.keys
            .get_mut(id)
            .ok_or_else(|| SignerError::KeyNotFound(id.to_owned()))
    }

    /// A certificate, to be changed.
    ///
    /// # Errors
    /// `CertificateNotFound`.
    pub fn certificate_mut(
        &mut self,
        name: CertificateSha256,
    ) -> Result<&mut CertificateRecord, SignerError> {
        let mut certificates = self.keys.values_mut().flat_map(|key| &mut key.certificates);
        certificates
            .find(|certificate| certificate.sha256() == name)
            .ok_or_else(|| SignerError::CertificateNotFound(name.to_string()))
    }

    /// Adds the keys that a token holds and the registry does not know: their record was lost in a crash.
    /// Returns how many.
    pub fn adopt(&mut self, token: &str, keys: Vec<TokenKey>) -> usize {
        let unknown: Vec<_> = keys
            .into_iter()
            .filter(|key| !self.keys.contains_key(&key.id))
            .collect();
        let count = unknown.len();
        self.keys.extend(
            unknown
                .into_iter()
                .map(|key| (key.id.clone(), KeyRecord::new(token, key))),
        );
        count
    }
}

#[cfg(test)]
mod tests {
    use signer_client::{KeyAlgorithm, KeyUsage};

    use super::*;

    pub(super) fn key(id: &str) -> TokenKey {
        TokenKey {
            id: id.to_owned(),
            label: String::new(),
            algorithm: KeyAlgorithm::EcP256,
            usage: KeyUsage::Signing,
            public_key: vec![1, 2, 3],
        }
    }

    #[test]
    fn adopts_only_unknown_keys() {
        let mut registry = Registry::default();
        assert_eq!(registry.adopt("0", vec![key("a")]), 1);
        assert_eq!(registry.adopt("0", vec![key("a"), key("b")]), 1);
        registry.key("b").unwrap();
        assert!(registry.key("c").is_err());
    }
}
