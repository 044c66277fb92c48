//! Making and removing keys and certificates on the token.

use cryptoki::mechanism::Mechanism;
use signer_client::{KeyAlgorithm, KeyUsage, SignerError};

use super::{HardwareToken, KEY_PATIENCE, PATIENCE};
use crate::token::{
    Token, TokenKey,
    pkcs11::{new_key, objects},
    random_id,
};

impl HardwareToken {
    /// Makes a key and reads back what the token made of it.
    pub(super) fn make_key(
        &self,
        label: &str,
        algorithm: KeyAlgorithm,
        usage: KeyUsage,
    ) -> Result<TokenKey, SignerError> {
        let failed = SignerError::FailedToGeneratePrivateKey;
        self.check_writable()?;
        let id = random_id().map_err(|error| failed(error.to_string()))?;
        let (wanted, label) = (id.clone(), label.to_owned());
        self.call_or(KEY_PATIENCE, failed, move |core, seat| {
            let bytes = objects::id_bytes(&wanted)?;
            let settings = core.library.settings();
            let (public, private) = new_key::templates(
                (&bytes, &label, algorithm),
                &settings.public_key,
                &settings.private_key,
            )?;
            let mechanism = if algorithm.is_rsa() {
                Mechanism::RsaPkcsKeyPairGen
            } else {
                Mechanism::EccKeyPairGen
            };
            core.logged_in(seat, |open| {
                Ok(open.session.generate_key_pair(&mechanism, &public, &private)?)
            })?;
            core.read_contents(seat)
        })?;
        let mut state = self.core.state();
        let made = state.contents.keys.iter_mut().find(|key| key.id == id);
        let made = made.ok_or_else(|| {
            SignerError::FailedToGeneratePrivateKey("the token does not show the new key".to_owned())
        })?;
        made.usage = usage;
        Ok(made.clone())
    }

    /// Removes a key and all that goes with it. That it was not there is no error.
    pub(super) fn remove_key(&self, id: &str) -> Result<(), SignerError> {
        self.check_writable()?;
        let wanted = id.to_owned();
        self.call_or(PATIENCE, SignerError::FailedToDeleteKey, move |core, seat| {
            let found = core.logged_in(seat, |open| objects::delete_key(&open.session, &wanted))?;
            if !found {
                tracing::warn!(key = wanted, token = core.id, "the key was not on the token");
            }
            core.forget_handles();
            core.state().contents.keys.retain(|key| key.id != wanted);
            core.read_contents(seat)
        })
    }

    /// Removes a certificate, if the token has it.
    pub(super) fn remove_certificate(&self, der: &[u8]) -> Result<(), SignerError> {
        let on_token = self
            .certificates()
            .iter()
            .any(|certificate| certificate.der == der);
        if !on_token {
            return Ok(());
        }
        self.check_writable()?;
        let der = der.to_vec();
        self.call_or(PATIENCE, SignerError::Internal, move |core, seat| {
            core.logged_in(seat, |open| objects::delete_certificate(&open.session, &der))?;
            core.read_contents(seat)
        })
    }
}
