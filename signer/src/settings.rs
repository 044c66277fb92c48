//! What the operator may set (`signer.toml`), typed.
//!
//! Names, defaults and bounds are in the table of the crate `settings`: the reference's `[signer]`, and our `[kiirtee]`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use settings::{Loaded, Preset, SettingsError, duration::seconds, parameter::Process, resolve::Ignored};
use signer_client::{DigestAlgorithm, KeyAlgorithm, KeyChoice};

/// The signer's settings.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Folders, sockets and bounds of our own.
    pub kiirtee: OwnSettings,
    /// Tokens and keys.
    pub signer: TokenSettings,
    /// What the file says in vain.
    #[serde(skip)]
    pub ignored: Vec<Ignored>,
}

/// `[kiirtee]`: folders, sockets and bounds of our own.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OwnSettings {
    /// The Unix socket to listen on.
    pub signer_socket: PathBuf,
    /// Where keys and certificates are kept.
    pub state_directory: PathBuf,
    /// Group (gid) that the socket is given to; by default that of the process.
    pub socket_gid: Option<u32>,
    /// Users (uids) that may ask everything, besides the signer's own.
    pub admin_uids: Vec<u32>,
    /// Users (uids) that may only read the status and sign.
    pub signing_uids: Vec<u32>,
    /// Users (uids) that may only read the status.
    pub reading_uids: Vec<u32>,
    /// A file with PINs, entered at start (see [`crate::auto_login`]).
    pub pin_file: Option<PathBuf>,
    /// Connections at the same time.
    pub max_connections: usize,
    /// Nice value of the process's threads.
    pub background_nice: i32,
    /// Whether waiting messages share a signature.
    pub batch_signing: bool,
    /// The most messages that share one.
    pub max_batch: usize,
    /// The most requests that wait for one key.
    pub max_queue: usize,
    /// How long a request may wait (wire.md 3.3).
    #[serde(with = "seconds")]
    pub signing_timeout: Duration,
    /// Memory in KiB that trying a PIN takes.
    kdf_memory: u32,
    /// Passes over it.
    kdf_passes: u32,
    /// Whether lines of the log are JSON objects.
    pub log_json: bool,
}

/// `[signer]`: tokens and keys.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TokenSettings {
    /// Whether new PINs must have ten characters of three classes (features.md 1.2, K8).
    pub enforce_token_pin_policy: bool,
    /// Bits of new RSA keys.
    key_length: KeyLength,
    /// Curve of new EC keys.
    key_named_curve: Curve,
    /// The file that describes hardware tokens.
    pub device_configuration_file: PathBuf,
    /// How often they are looked at.
    #[serde(with = "seconds")]
    pub module_manager_update_interval: Duration,
    /// Digest in signatures of certificate signing requests.
    csr_signature_digest_algorithm: Digest,
}

/// Lengths that tokens make.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "u32")]
struct KeyLength(KeyAlgorithm);

impl TryFrom<u32> for KeyLength {
    type Error = String;

    fn try_from(bits: u32) -> Result<Self, String> {
        match bits {
            2048 => Ok(Self(KeyAlgorithm::Rsa2048)),
            3072 => Ok(Self(KeyAlgorithm::Rsa3072)),
            4096 => Ok(Self(KeyAlgorithm::Rsa4096)),
            _ => Err(format!(
                "[signer] key-length is {bits}: expected 2048, 3072 or 4096"
            )),
        }
    }
}

/// Curves that tokens know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
enum Curve {
    #[serde(rename = "secp256r1")]
    P256,
    #[serde(rename = "secp384r1")]
    P384,
}

/// Digests that may stand in a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
enum Digest {
    #[serde(rename = "SHA-256")]
    Sha256,
    #[serde(rename = "SHA-384")]
    Sha384,
    #[serde(rename = "SHA-512")]
    Sha512,
}

impl TokenSettings {
    /// What a new key is, when it is not said exactly.
    #[must_use]
    pub const fn key(&self, choice: KeyChoice) -> KeyAlgorithm {
        match (choice, self.key_named_curve) {
            (KeyChoice::Exactly(algorithm), _) => algorithm,
            (KeyChoice::Rsa, _) => self.key_length.0,
            (KeyChoice::Ec, Curve::P256) => KeyAlgorithm::EcP256,
            (KeyChoice::Ec, Curve::P384) => KeyAlgorithm::EcP384,
        }
    }

    /// The digest in signatures of certificate signing requests.
    #[must_use]
    pub const fn csr_digest(&self) -> DigestAlgorithm {
        match self.csr_signature_digest_algorithm {
            Digest::Sha256 => DigestAlgorithm::Sha256,
            Digest::Sha384 => DigestAlgorithm::Sha384,
            Digest::Sha512 => DigestAlgorithm::Sha512,
        }
    }
}

/// The cost of trying a PIN: Argon2id (RFC 9106). Used when a PIN is set; an existing token keeps its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SoftwareTokenSettings {
    /// Memory in KiB.
    pub kdf_memory_kib: u32,
    /// Passes over the memory.
    pub kdf_passes: u32,
}

impl OwnSettings {
    /// The cost of trying a PIN.
    #[must_use]
    pub const fn kdf(&self) -> SoftwareTokenSettings {
        SoftwareTokenSettings {
            kdf_memory_kib: self.kdf_memory,
            kdf_passes: self.kdf_passes,
        }
    }
}

impl Settings {
    /// Reads and checks the settings; `preset` wins over what the file names.
    ///
    /// # Errors
    /// [`SettingsError`] names the file, the setting and what was expected.
    pub fn read(path: &Path, preset: Option<Preset>) -> Result<Self, SettingsError> {
        Self::from_loaded(settings::load(path, Process::Signer, preset)?)
    }

    fn from_loaded(loaded: Loaded) -> Result<Self, SettingsError> {
        let ignored = loaded.ignored.clone();
        let settings: Self = loaded.typed()?;
        Ok(Self { ignored, ..settings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, preset: Option<Preset>) -> Result<Settings, SettingsError> {
        Settings::from_loaded(settings::resolve(text, Process::Signer, preset)?)
    }

    #[test]
    fn nothing_said_is_enough_and_a_preset_asks_for_better_pins() {
        let settings = read("", None).unwrap();
        assert_eq!(settings.kiirtee.max_batch, 256);
        assert_eq!(settings.kiirtee.signing_timeout, Duration::from_secs(60));
        assert!(settings.kiirtee.batch_signing && !settings.signer.enforce_token_pin_policy);
        let finland = read("", Some(Preset::Fi)).unwrap();
        assert!(finland.signer.enforce_token_pin_policy);
        assert_eq!(settings.signer.key(KeyChoice::Rsa), KeyAlgorithm::Rsa2048);
        assert_eq!(finland.signer.key(KeyChoice::Rsa), KeyAlgorithm::Rsa3072);
        assert_eq!(finland.signer.key(KeyChoice::Ec), KeyAlgorithm::EcP256);
        assert_eq!(
            finland.signer.key(KeyAlgorithm::EcP384.into()),
            KeyAlgorithm::EcP384
        );
        assert_eq!(finland.signer.csr_digest(), DigestAlgorithm::Sha256);
        let odd = read("[signer]\nkey-length = 2500", None).unwrap_err();
        assert!(odd.to_string().contains("2048, 3072 or 4096"), "{odd}");
    }

    #[test]
    fn unknown_names_and_values_out_of_range_are_refused() {
        for wrong in [
            "max-conections = 3",
            "max-connections = 0",
            "max-batch = 5000",
            "kdf-passes = 1",
            "admin-uids = ['root']",
        ] {
            assert!(read(&format!("[kiirtee]\n{wrong}\n"), None).is_err(), "{wrong}");
        }
        for right in [
            "max-connections = 3",
            "max-batch = 50",
            "kdf-passes = 2",
            "admin-uids = [0]",
        ] {
            read(&format!("[kiirtee]\n{right}\n"), None).unwrap();
        }
    }
}
