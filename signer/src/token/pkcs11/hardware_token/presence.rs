//! What its device tells the token: that it is there or away, and that it should look again.

use signer_client::{Pin, PinState, TokenStatus};

use super::{HardwareToken, PATIENCE};
use crate::token::{Token, pkcs11::core::Seen};

impl HardwareToken {
    /// It is in a slot.
    pub(in crate::token::pkcs11) fn appear(&self, seen: Seen) {
        let mut state = self.core.state();
        state.slot = Some(seen.slot);
        state.seen = Some(seen);
    }

    /// It is in no slot.
    pub(in crate::token::pkcs11) fn vanish(&self) {
        if self.core.state().slot.take().is_some() {
            tracing::warn!(token = self.name, "the token is away");
            self.core.forget_handles();
        }
    }

    /// Whether its device should look for it: somebody was logged in, and it is away or behaves so.
    pub(in crate::token::pkcs11) fn is_missed(&self) -> bool {
        let state = self.core.state();
        state.is_logged_in() && (state.slot.is_none() || self.core.is_suspect())
    }

    /// Whether it works for somebody now.
    pub(in crate::token::pkcs11) fn is_in_use(&self) -> bool {
        let state = self.core.state();
        state.is_logged_in() && state.slot.is_some() && !self.core.is_suspect()
    }

    /// What changes when keys come or go, for comparison.
    pub(in crate::token::pkcs11) fn summary(&self) -> (TokenStatus, Vec<String>, usize) {
        let keys = self.keys().into_iter().map(|key| key.id).collect();
        (self.status(), keys, self.core.state().contents.certificates.len())
    }

    /// Looks at what the token holds, or logs in with the PIN file, once.
    pub(in crate::token::pkcs11) fn refresh(&self, pin: impl FnOnce(&str) -> Option<Pin>) {
        let mut state = self.core.state();
        if state.is_logged_in() {
            drop(state);
            if let Err(error) = self.call(PATIENCE, |core, seat| core.read_contents(seat)) {
                tracing::warn!(token = self.name, code = error.fault_code(), %error, "the token cannot be read");
            }
            return;
        }
        let blank = state.seen.as_ref().is_none_or(|seen| seen.is_blank);
        if blank || std::mem::replace(&mut state.pin_file_asked, true) {
            return;
        }
        let pin_state = state.seen.as_ref().map(|seen| seen.pin);
        drop(state);
        let Some(pin) = pin(self.id()) else { return };
        if matches!(pin_state, Some(PinState::FinalTry | PinState::Locked)) {
            tracing::error!(
                token = self.name,
                "one more wrong PIN would lock the token, or it is locked: the PIN file is not used"
            );
            return;
        }
        match self.login(&pin) {
            Ok(()) => tracing::info!(token = self.name, "logged in with the PIN file"),
            Err(error) => {
                tracing::error!(token = self.name, code = error.fault_code(), %error, "the PIN file");
            }
        }
    }
}
