//! A hardware token.

mod calls;
mod keys;
mod presence;

use std::{sync::Arc, thread, time::Duration};

use cryptoki::session::UserType;
use signer_client::{
    DigestAlgorithm, HardwareInfo, KeyAlgorithm, KeyUsage, Pin, SignatureAlgorithm, SignerError, TokenKind,
    TokenStatus,
};

use super::{
    core::{Core, Seat, Seen, secret},
    failure::Failure,
    library::Library,
    mechanism::Order,
    pool::{Limits, Pool},
};
use crate::token::{Token, TokenCertificate, TokenKey};

/// Calls that may hang before the token counts as dead.
const MAX_HANGING_CALLS: usize = 8;
/// How long a login, a logout or a look at the token's contents may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long making a key may take: a smart card needs minutes for RSA of 4096 bits.
const KEY_PATIENCE: Duration = Duration::from_secs(300);
/// Longest label of a token (PKCS #11 3.2).
const MAX_LABEL_BYTES: usize = 32;

/// A token of a device. It stays what it is while it is away.
#[derive(Debug)]
pub(super) struct HardwareToken {
    core: Arc<Core>,
    name: String,
    pool: Pool<Seat>,
    /// Wakes who looks for tokens.
    missing: flume::Sender<super::Wake>,
}

impl HardwareToken {
    pub(super) fn new(
        id: String,
        library: Arc<Library>,
        seen: &Seen,
        missing: flume::Sender<super::Wake>,
    ) -> Self {
        let settings = library.settings();
        let name = match seen.label.as_str() {
            "" => format!("{}-{}", settings.name, seen.slot.id()),
            label => format!("{}-{label}", settings.name),
        };
        let limits = Limits {
            seats: settings.sessions,
            hanging: MAX_HANGING_CALLS,
        };
        let pool = Pool::new(&name, limits);
        let core = Arc::new(Core::new(id, library));
        let token = Self {
            core,
            name,
            pool,
            missing,
        };
        token.appear(seen.clone());
        token
    }
}

impl Token for HardwareToken {
    fn id(&self) -> &str {
        &self.core.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> TokenKind {
        TokenKind::Pkcs11
    }

    fn batch_signing(&self) -> bool {
        self.core.library.settings().batch_signing_enabled
    }

    fn parallel_signatures(&self) -> usize {
        self.core.library.settings().sessions
    }

    fn message_signature(&self, key: KeyAlgorithm, digest: DigestAlgorithm) -> SignatureAlgorithm {
        if key.is_rsa() && self.core.library.settings().pss {
            SignatureAlgorithm::RsaPss(digest)
        } else {
            key.message_signature(digest)
        }
    }

    fn status(&self) -> TokenStatus {
        let state = self.core.state();
        if state.slot.is_none() || self.pool.hanging() >= MAX_HANGING_CALLS {
            TokenStatus::NotAvailable
        } else if state.is_logged_in() {
            TokenStatus::LoggedIn
        } else if state.seen.as_ref().is_some_and(|seen| seen.is_blank) {
            TokenStatus::NotInitialized
        } else {
            TokenStatus::LoggedOut
        }
    }

    fn hardware(&self) -> Option<HardwareInfo> {
        let settings = self.core.library.settings();
        let read_only = self.core.is_read_only();
        let hanging_calls = self.pool.hanging();
        let state = self.core.state();
        let seen = state.seen.as_ref()?;
        Some(HardwareInfo {
            device: settings.name.clone(),
            slot: seen.slot.id(),
            label: seen.label.clone(),
            serial_number: seen.serial_number.clone(),
            model: seen.model.clone(),
            read_only,
            pin: seen.pin,
            sessions: settings.sessions,
            hanging_calls,
        })
    }

    fn initialize(&self, _: &Pin) -> Result<(), SignerError> {
        if self.status() == TokenStatus::NotInitialized {
            return Err(SignerError::InvalidRequest(
                "a hardware token is initialised with the PIN of its security officer".to_owned(),
            ));
        }
        Err(SignerError::TokenAlreadyInitialized(self.id().to_owned()))
    }

    fn initialize_hardware(&self, label: &str, officer_pin: &Pin, pin: &Pin) -> Result<(), SignerError> {
        self.check_writable()?;
        match self.status() {
            TokenStatus::NotInitialized => {}
            TokenStatus::NotAvailable => return Err(SignerError::TokenNotAvailable(self.id().to_owned())),
            _ => return Err(SignerError::TokenAlreadyInitialized(self.id().to_owned())),
        }
        if label.is_empty() || label.len() > MAX_LABEL_BYTES {
            return Err(SignerError::InvalidRequest(
                "a label has 1 to 32 bytes".to_owned(),
            ));
        }
        let has_label = self
            .core
            .state()
            .seen
            .as_ref()
            .is_some_and(|seen| !seen.label.is_empty());
        let (label, officer_pin, pin) = (label.to_owned(), officer_pin.clone(), pin.clone());
        self.call_or(KEY_PATIENCE, SignerError::LoginFailed, move |core, seat| {
            let slot = core.state().slot.ok_or(Failure::Away)?;
            if !has_label {
                *seat = Seat::default();
                core.library
                    .call(|library, _| Ok(library.init_token(slot, &secret(&officer_pin), &label)?))?;
            }
            core.in_session(seat, |open| {
                open.session.login(UserType::So, Some(&secret(&officer_pin)))?;
                let set = open.session.init_pin(&secret(&pin));
                open.session.logout()?;
                Ok(set?)
            })
        })
    }

    fn login(&self, pin: &Pin) -> Result<(), SignerError> {
        if self.status() == TokenStatus::NotInitialized {
            return Err(SignerError::TokenNotInitialized(self.id().to_owned()));
        }
        if self.check_pin(pin)? {
            return Ok(());
        }
        let pin = pin.clone();
        self.call_or(PATIENCE, SignerError::LoginFailed, move |core, seat| {
            core.log_in(seat, &pin)
        })
    }

    fn logout(&self) -> Result<(), SignerError> {
        if self.core.state().slot.is_none() {
            self.core.state().pin = None;
            return Ok(());
        }
        self.call_or(PATIENCE, SignerError::LogoutFailed, Core::log_out)
    }

    fn change_pin(&self, old: &Pin, new: &Pin) -> Result<(), SignerError> {
        self.check_writable()?;
        let (old, new) = (old.clone(), new.clone());
        self.call_or(PATIENCE, SignerError::PinPolicyFailure, move |core, seat| {
            core.in_session(seat, |open| {
                Ok(open.session.set_pin(&secret(&old), &secret(&new))?)
            })?;
            let mut state = core.state();
            if state.is_logged_in() {
                state.pin = Some(new);
            }
            Ok(())
        })
    }

    fn keys(&self) -> Vec<TokenKey> {
        self.core.state().contents.keys.clone()
    }

    fn certificates(&self) -> Vec<TokenCertificate> {
        self.core.state().contents.certificates.clone()
    }

    fn generate_key(
        &self,
        label: &str,
        algorithm: KeyAlgorithm,
        usage: KeyUsage,
    ) -> Result<TokenKey, SignerError> {
        self.make_key(label, algorithm, usage)
    }

    fn delete_key(&self, id: &str) -> Result<(), SignerError> {
        self.remove_key(id)
    }

    fn delete_certificate(&self, der: &[u8]) -> Result<(), SignerError> {
        self.remove_certificate(der)
    }

    fn sign_digest(
        &self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, SignerError> {
        let kind = {
            let state = self.core.state();
            let found = state.contents.keys.iter().find(|found| found.id == key);
            found.map(|key| key.algorithm)
        };
        if self.status() == TokenStatus::LoggedOut {
            return Err(SignerError::TokenNotActive(self.id().to_owned()));
        }
        let kind = kind.ok_or_else(|| SignerError::KeyNotAvailable(key.to_owned()))?;
        let order = Arc::new(Order::of(kind, algorithm, digest)?);
        let (wanted, asked) = (key.to_owned(), Arc::clone(&order));
        let settings = self.core.library.settings();
        let delay = settings.developer_sign_delay;
        let value = self.call(settings.sign_timeout, move |core, seat| {
            core.logged_in(seat, |open| {
                let handle = open.private_key(&wanted)?;
                thread::sleep(delay);
                Ok(open.session.sign(&asked.mechanism(), handle, &asked.input)?)
            })
        });
        let value = value.map_err(|error| match error {
            SignerError::KeyNotAvailable(_) => SignerError::KeyNotAvailable(key.to_owned()),
            other => other,
        })?;
        order.finish(value)
    }
}
