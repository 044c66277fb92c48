//! How a device is used.

use std::{path::PathBuf, time::Duration};

use cryptoki::mechanism::MechanismType;

/// Signatures at a time that a token may be asked for.
const MAX_SESSIONS: usize = 64;
const MAX_SIGN_TIMEOUT_SECONDS: u64 = 600;

/// A device.
#[derive(Clone, Debug)]
pub struct DeviceSettings {
    /// The name of its section.
    pub name: String,
    /// The PKCS #11 library.
    pub library: PathBuf,
    /// The library must not start threads.
    pub library_cant_create_os_threads: bool,
    /// The library may lock by itself; else it is called by one thread at a time.
    pub os_locking_ok: bool,
    /// Log in before each signature, and out after it.
    pub sign_verify_pin: bool,
    /// Waiting messages may share a signature.
    pub batch_signing_enabled: bool,
    /// Keys are neither made nor destroyed.
    pub read_only: bool,
    /// How token ids are made.
    pub token_id_format: String,
    /// Whether RSA keys sign messages with PSS.
    pub pss: bool,
    /// The slots to look at; all if there are none.
    pub slot_ids: Vec<u64>,
    /// Attributes of new public keys.
    pub public_key: PublicKeyAttributes,
    /// Attributes of new private keys.
    pub private_key: PrivateKeyAttributes,
    /// Signatures at a time, each in a session of its own.
    pub sessions: usize,
    /// How long a signature may take.
    pub sign_timeout: Duration,
    /// How much longer each signature takes than it must: for load tests.
    pub developer_sign_delay: Duration,
}

/// Attributes of new public keys; what is `None` is up to the token.
#[derive(Clone, Debug)]
pub struct PublicKeyAttributes {
    pub(in super::super) encrypt: Option<bool>,
    pub(in super::super) verify: Option<bool>,
    pub(in super::super) verify_recover: Option<bool>,
    pub(in super::super) wrap: Option<bool>,
    pub(in super::super) trusted: Option<bool>,
    pub(in super::super) allowed_mechanisms: Vec<MechanismType>,
}

/// Attributes of new private keys; what is `None` is up to the token.
#[derive(Clone, Debug)]
pub struct PrivateKeyAttributes {
    pub(in super::super) sensitive: Option<bool>,
    pub(in super::super) decrypt: Option<bool>,
    pub(in super::super) sign: Option<bool>,
    pub(in super::super) sign_recover: Option<bool>,
    pub(in super::super) unwrap: Option<bool>,
    pub(in super::super) extractable: Option<bool>,
    pub(in super::super) always_sensitive: Option<bool>,
    pub(in super::super) never_extractable: Option<bool>,
    pub(in super::super) wrap_with_trusted: Option<bool>,
    pub(in super::super) allowed_mechanisms: Vec<MechanismType>,
}

impl DeviceSettings {
    /// What cannot be meant.
    pub(super) fn check(&self) -> Result<(), String> {
        if !(1..=MAX_SESSIONS).contains(&self.sessions) {
            return Err(format!(
                "sessions is {}: expected 1 to {MAX_SESSIONS}",
                self.sessions
            ));
        }
        if !(1..=MAX_SIGN_TIMEOUT_SECONDS).contains(&self.sign_timeout.as_secs()) {
            return Err(format!(
                "sign_timeout is {}: expected 1 to {MAX_SIGN_TIMEOUT_SECONDS} s",
                self.sign_timeout.as_secs()
            ));
        }
        if self.sessions > 1 && self.sign_verify_pin {
            return Err("sessions is over 1, but with sign_verify_pin a logout ends them all".to_owned());
        }
        if self.sessions > 1 && !self.os_locking_ok {
            return Err(
                "sessions is over 1, but without os_locking_ok there is one call at a time".to_owned(),
            );
        }
        Ok(())
    }

    /// The id of a token: the format filled in, as hexadecimal digits, as in the reference.
    pub(in super::super) fn token_id(&self, slot: u64, serial_number: &str, label: &str) -> String {
        let text = self
            .token_id_format
            .replace("{moduleType}", &self.name)
            .replace("{slotIndex}", &slot.to_string())
            .replace("{serialNumber}", serial_number.trim())
            .replace("{label}", label.trim());
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }
}
