//! How a token is asked, and what its refusals mean.

use std::{sync::Arc, time::Duration};

use signer_client::{Pin, SignerError};

use super::HardwareToken;
use crate::token::{
    Token,
    pkcs11::{
        Wake,
        core::{Core, Seat},
        failure::{Failure, Remedy},
        pool::Overdue,
    },
};

impl HardwareToken {
    /// A call by one of the seats.
    pub(super) fn call<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl FnOnce(&Core, &mut Seat) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, SignerError> {
        self.call_or(patience, SignerError::CannotSign, work)
    }

    /// The same; what is told of a failure that has no fault of its own is up to `otherwise`.
    pub(super) fn call_or<T: Send + 'static>(
        &self,
        patience: Duration,
        otherwise: impl FnOnce(String) -> SignerError,
        work: impl FnOnce(&Core, &mut Seat) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, SignerError> {
        if self.core.state().slot.is_none() {
            return Err(SignerError::TokenNotAvailable(self.id().to_owned()));
        }
        let core = Arc::clone(&self.core);
        match self.pool.run(patience, move |seat| work(&core, seat)) {
            Ok(result) => result.map_err(|failure| self.refused(failure, otherwise)),
            Err(Overdue::TimedOut) => Err(SignerError::TimedOut),
            Err(overdue) => {
                tracing::error!(token = self.name, %overdue, "the token is not asked");
                Err(SignerError::TokenNotAvailable(self.id().to_owned()))
            }
        }
    }

    fn refused(&self, failure: Failure, otherwise: impl FnOnce(String) -> SignerError) -> SignerError {
        let id = || self.id().to_owned();
        match (failure.remedy(), &failure) {
            (Remedy::LookForToken, _) => {
                tracing::warn!(token = self.name, %failure, "the token does not work; looking for it");
                // Full: it is being looked for already.
                let _ = self.missing.try_send(Wake::Look);
                SignerError::TokenNotAvailable(id())
            }
            (_, Failure::NoPin) | (Remedy::Login, _) => SignerError::TokenNotActive(id()),
            (_, Failure::NoKey) => {
                self.core.suspect();
                let _ = self.missing.try_send(Wake::Look);
                SignerError::KeyNotAvailable(id())
            }
            (Remedy::RightPin, failure) if failure.is(cryptoki::error::RvError::PinIncorrect) => {
                SignerError::PinIncorrect
            }
            (Remedy::RightPin, failure) => SignerError::LoginFailed(failure.to_string()),
            (_, failure) => otherwise(failure.to_string()),
        }
    }

    /// Whether keys and PINs may be changed.
    pub(super) fn check_writable(&self) -> Result<(), SignerError> {
        if self.core.is_read_only() {
            return Err(SignerError::TokenReadOnly(self.id().to_owned()));
        }
        Ok(())
    }

    /// Whether this PIN is the one that somebody is logged in with; a wrong one is refused.
    pub(super) fn check_pin(&self, pin: &Pin) -> Result<bool, SignerError> {
        let state = self.core.state();
        let Some(known) = &state.pin else { return Ok(false) };
        // The token itself does not check a PIN while somebody is logged in.
        aws_lc_rs::constant_time::verify_slices_are_equal(known.reveal().as_bytes(), pin.reveal().as_bytes())
            .map(|()| true)
            .map_err(|_| SignerError::PinIncorrect)
    }
}
