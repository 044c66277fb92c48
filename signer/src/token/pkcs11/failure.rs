//! What a PKCS #11 library says when it does not do what it is asked, and what helps.

use cryptoki::error::{Error, RvError};

/// A call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The library says why.
    #[error("{}", briefly(.0))]
    Library(#[source] Error),
    /// The token has no such private key.
    #[error("the key is not on the token")]
    NoKey,
    /// The token is in no slot.
    #[error("the token is away")]
    Away,
    /// No PIN is known.
    #[error("nobody is logged in")]
    NoPin,
    /// The library was not loaded or initialised.
    #[error("the library is not initialised")]
    NotLoaded,
    /// A call hangs inside, so the library cannot be initialised again.
    #[error("a call hangs in the library; it cannot be initialised again until it comes back")]
    Occupied,
    /// What the token tells makes no sense.
    #[error("{0}")]
    Nonsense(&'static str),
}

/// The library's own texts are paragraphs of the standard.
fn briefly(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("C_{function:?}: {code:?}"),
        other => other.to_string(),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

/// What helps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Remedy {
    /// Another session: this one was closed, by the token or by somebody else.
    NewSession,
    /// The PIN: the token has forgotten that somebody is logged in.
    Login,
    /// Looking for the key again.
    NewHandle,
    /// Another session, and if that does not help, the token is away.
    LookForToken,
    /// Another PIN.
    RightPin,
    /// Nothing that can be done from here.
    Nothing,
}

impl Failure {
    pub(super) const fn remedy(&self) -> Remedy {
        let Self::Library(Error::Pkcs11(code, _)) = self else {
            return match self {
                Self::Away | Self::NotLoaded => Remedy::LookForToken,
                _ => Remedy::Nothing,
            };
        };
        match code {
            RvError::SessionHandleInvalid | RvError::SessionClosed => Remedy::NewSession,
            RvError::UserNotLoggedIn => Remedy::Login,
            RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid => Remedy::NewHandle,
            RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SlotIdInvalid
            | RvError::CryptokiNotInitialized
            | RvError::DeviceError
            | RvError::GeneralError
            | RvError::FunctionFailed => Remedy::LookForToken,
            RvError::PinIncorrect
            | RvError::PinInvalid
            | RvError::PinLenRange
            | RvError::PinExpired
            | RvError::PinLocked => Remedy::RightPin,
            _ => Remedy::Nothing,
        }
    }

    pub(super) const fn is(&self, wanted: RvError) -> bool {
        // `RvError` has no constant comparison; the codes asked for are these.
        matches!(
            (self, wanted),
            (
                Self::Library(Error::Pkcs11(RvError::PinIncorrect, _)),
                RvError::PinIncorrect
            ) | (
                Self::Library(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)),
                RvError::UserAlreadyLoggedIn
            ) | (
                Self::Library(Error::Pkcs11(RvError::UserNotLoggedIn, _)),
                RvError::UserNotLoggedIn
            ) | (
                Self::Library(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)),
                RvError::CryptokiAlreadyInitialized
            )
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptoki::context::Function;

    #[test]
    fn each_failure_has_the_remedy_that_can_help_and_pins_are_never_tried_again() {
        let remedy = |code| Failure::Library(Error::Pkcs11(code, Function::Sign)).remedy();
        for (codes, expected) in [
            (
                vec![RvError::SessionHandleInvalid, RvError::SessionClosed],
                Remedy::NewSession,
            ),
            (
                vec![
                    RvError::DeviceRemoved,
                    RvError::TokenNotPresent,
                    RvError::DeviceError,
                    RvError::GeneralError,
                ],
                Remedy::LookForToken,
            ),
            (vec![RvError::UserNotLoggedIn], Remedy::Login),
            (
                vec![RvError::KeyHandleInvalid, RvError::ObjectHandleInvalid],
                Remedy::NewHandle,
            ),
            (
                vec![
                    RvError::PinIncorrect,
                    RvError::PinLocked,
                    RvError::PinExpired,
                    RvError::PinInvalid,
                ],
                Remedy::RightPin,
            ),
            (
                vec![
                    RvError::KeyTypeInconsistent,
                    RvError::MechanismInvalid,
                    RvError::DeviceMemory,
                ],
                Remedy::Nothing,
            ),
        ] {
            for code in codes {
                assert_eq!(remedy(code), expected, "{code:?}");
            }
        }
    }
}
