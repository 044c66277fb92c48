//! The tokens that there are now, and what the registry learns from them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use signer_client::{DeviceInfo, SignerError};

use super::Service;
use crate::{
    certificates,
    registry::Registry,
    token::{Token, TokenCertificate, absent::AbsentToken, pkcs11::Devices},
};

/// The software token, and hardware tokens as they are found.
#[derive(Debug)]
pub(super) struct Tokens {
    software: Option<Arc<dyn Token>>,
    devices: Devices,
    /// Tokens that the registry knows and nobody has seen.
    absent: Mutex<HashMap<String, Arc<dyn Token>>>,
}

impl Tokens {
    pub(super) fn new(software: Option<Arc<dyn Token>>, devices: Devices) -> Self {
        Self {
            software,
            devices,
            absent: Mutex::default(),
        }
    }

    pub(super) fn software(&self) -> Option<&Arc<dyn Token>> {
        self.software.as_ref()
    }

    /// Those that were seen since the start.
    pub(super) fn seen(&self) -> Vec<Arc<dyn Token>> {
        self.software
            .iter()
            .cloned()
            .chain(self.devices.tokens())
            .collect()
    }

    /// Those that were seen, and those that have keys in the registry.
    pub(super) fn all(&self, registry: &Registry) -> Vec<Arc<dyn Token>> {
        let mut tokens = self.seen();
        for record in registry.keys.values() {
            if tokens.iter().all(|token| token.id() != record.token) {
                tokens.push(self.with_keys(&record.token));
            }
        }
        tokens
    }

    /// A token that has keys in the registry; it may never have been seen.
    pub(super) fn with_keys(&self, id: &str) -> Arc<dyn Token> {
        let mut absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = self.seen().into_iter().find(|token| token.id() == id) {
            absent.remove(id);
            return token;
        }
        let stand_in = || Arc::new(AbsentToken::new(id)) as Arc<dyn Token>;
        Arc::clone(absent.entry(id.to_owned()).or_insert_with(stand_in))
    }

    /// A token that was seen, or has keys in the registry.
    pub(super) fn find(&self, id: &str, registry: &Registry) -> Result<Arc<dyn Token>, SignerError> {
        let found = self.all(registry).into_iter().find(|token| token.id() == id);
        found.ok_or_else(|| SignerError::TokenNotFound(id.to_owned()))
    }

    pub(super) fn devices(&self) -> Vec<DeviceInfo> {
        self.devices.describe()
    }

    /// Looks for hardware tokens now. Whether that was done in time.
    pub(super) fn refresh(&self, patience: Duration) -> bool {
        self.devices.refresh(patience)
    }
}

impl Service {
    /// Makes the registry and the index know what tokens hold.
    pub(super) fn take_over_tokens(&self) {
        let seen = self.tokens.seen();
        seen.iter().for_each(|token| self.adopt_keys(token.as_ref()));
        let registry = self.registry.current();
        let is_seen = |id: &str| seen.iter().any(|token| token.id() == id);
        let unseen = registry.keys.values().any(|key| !is_seen(&key.token));
        self.tokens.devices.expect(unseen);
        self.rebuild_index();
    }

    /// Keys that others made on a hardware token have no record, nor has a key if the signer crashed between token and
    /// registry.
    fn adopt_keys(&self, token: &dyn Token) {
        let (keys, certificates) = (token.keys(), token.certificates());
        let registry = self.registry.current();
        let known = |certificate: &TokenCertificate| {
            let key = registry.keys.get(&certificate.key);
            key.is_none_or(|key| key.certificates.iter().any(|known| known.der == certificate.der))
        };
        let all_known = keys.iter().all(|key| registry.keys.contains_key(&key.id));
        if all_known && certificates.iter().all(known) {
            return;
        }
        let adopted = self.registry.change(|registry| {
            let keys = registry.adopt(token.id(), keys);
            Ok((keys, certificates::adopt(registry, token.id(), certificates)))
        });
        match adopted {
            Ok((keys, certificates)) => {
                tracing::warn!(
                    token = token.id(),
                    keys,
                    certificates,
                    "what the registry did not know was adopted"
                );
            }
            Err(error) => tracing::error!(token = token.id(), %error, "keys cannot be adopted"),
        }
    }
}
