//! PINs are entered and forgotten.

use std::sync::PoisonError;

use cryptoki::{
    error::RvError,
    session::{Session, UserType},
    types::AuthPin,
};
use signer_client::Pin;

use super::{Core, Open, Seat};
use crate::token::pkcs11::failure::{Failure, Remedy};

impl Core {
    /// Logs a new session in if somebody is logged in.
    pub(super) fn enter_known_pin(&self, session: &Session) -> Result<(), Failure> {
        if self.library.settings().sign_verify_pin {
            return Ok(());
        }
        let _one_at_a_time = self.entering.lock().unwrap_or_else(PoisonError::into_inner);
        let pin = self.state().pin.clone();
        pin.map_or(Ok(()), |pin| self.enter_pin(session, &pin))
    }

    /// A PIN that is refused is forgotten, so that it is not entered again: that would lock the token.
    fn enter_pin(&self, session: &Session, pin: &Pin) -> Result<(), Failure> {
        let entered = session.login(UserType::User, Some(&secret(pin)));
        match entered.map_err(Failure::from) {
            Err(failure) if failure.is(RvError::UserAlreadyLoggedIn) => Ok(()),
            Err(failure) if failure.remedy() == Remedy::RightPin => {
                if self.state().pin.take().is_some() {
                    tracing::error!(token = self.id, %failure, "the PIN does not open the token any more; log in again");
                }
                Err(failure)
            }
            other => other,
        }
    }

    /// Enters a PIN, keeps it if it is right, and looks at what the token holds.
    pub(in super::super) fn log_in(&self, seat: &mut Seat, pin: &Pin) -> Result<(), Failure> {
        self.in_session(seat, |open| {
            let _one_at_a_time = self.entering.lock().unwrap_or_else(PoisonError::into_inner);
            self.enter_pin(&open.session, pin)?;
            if self.library.settings().sign_verify_pin {
                leave(&open.session)?;
            }
            Ok(())
        })?;
        self.state().pin = Some(pin.clone());
        self.forget_handles();
        self.read_contents(seat)
    }

    /// Forgets the PIN and logs out.
    pub(in super::super) fn log_out(&self, seat: &mut Seat) -> Result<(), Failure> {
        self.state().pin = None;
        self.forget_handles();
        match self.in_session(seat, |open| leave(&open.session)) {
            // A token that is away is logged out.
            Err(failure) if failure.remedy() == Remedy::LookForToken => Ok(()),
            other => other,
        }
    }

    /// Works while somebody is logged in. Where each signature wants the PIN, it is entered and the token left again.
    pub(in super::super) fn logged_in<T>(
        &self,
        seat: &mut Seat,
        work: impl Fn(&mut Open) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let pin = self.state().pin.clone().ok_or(Failure::NoPin)?;
        if !self.library.settings().sign_verify_pin {
            return self.in_session(seat, work);
        }
        self.in_session(seat, |open| {
            self.enter_pin(&open.session, &pin)?;
            // Handles of private keys end with the login.
            open.handles.clear();
            let result = work(open);
            if let Err(failure) = leave(&open.session) {
                tracing::warn!(token = self.id, %failure, "cannot log out after a signature");
            }
            result
        })
    }
}

fn leave(session: &Session) -> Result<(), Failure> {
    match session.logout().map_err(Failure::from) {
        Err(failure) if failure.is(RvError::UserNotLoggedIn) => Ok(()),
        other => other,
    }
}

/// For the library: wiped when dropped.
pub(in super::super) fn secret(pin: &Pin) -> AuthPin {
    AuthPin::from(pin.reveal().to_owned())
}
