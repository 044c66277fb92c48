//! `devices.toml`: the hardware tokens' libraries, with the names and meanings of the reference's `devices.ini`
//! (features.md K11).
//!
//! A section for each device, its name the *module type* of token ids:
//!
//! ```toml
//! [softhsm]
//! library = "/usr/lib/softhsm/libsofthsm2.so"
//! ```

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use cryptoki::mechanism::MechanismType;
use serde::Deserialize;

/// Most bytes of the file.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// The section that stands for the software token, as in the reference.
const SOFTWARE: &str = "softToken";
/// Signatures at a time that a token may be asked for.
const MAX_SESSIONS: usize = 64;
const SIGN_TIMEOUT_SECONDS: u64 = 20;
const MAX_SIGN_TIMEOUT_SECONDS: u64 = 600;
const TOKEN_ID_FORMAT: &str = "{moduleType}{slotIndex}{serialNumber}{label}";

/// Why the devices cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DeviceFileError {
    /// The file system failed.
    #[error("{path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not TOML, or not a table of tables.
    #[error("{path}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// A device is not described as it must be.
    #[error("{path}: device [{device}]: {reason}")]
    Device {
        /// The file.
        path: PathBuf,
        /// Its section.
        device: String,
        /// What is wrong.
        reason: String,
    },
}

/// What the file says.
#[derive(Clone, Debug)]
pub struct DeviceFile {
    /// Whether there is a software token (`[softToken] enabled`).
    pub software_token: bool,
    /// The devices that are enabled.
    pub devices: Vec<DeviceSettings>,
}

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
    pub(super) encrypt: Option<bool>,
    pub(super) verify: Option<bool>,
    pub(super) verify_recover: Option<bool>,
    pub(super) wrap: Option<bool>,
    pub(super) trusted: Option<bool>,
    pub(super) allowed_mechanisms: Vec<MechanismType>,
}

/// Attributes of new private keys; what is `None` is up to the token.
#[derive(Clone, Debug)]
pub struct PrivateKeyAttributes {
    pub(super) sensitive: Option<bool>,
    pub(super) decrypt: Option<bool>,
    pub(super) sign: Option<bool>,
    pub(super) sign_recover: Option<bool>,
    pub(super) unwrap: Option<bool>,
    pub(super) extractable: Option<bool>,
    pub(super) always_sensitive: Option<bool>,
    pub(super) never_extractable: Option<bool>,
    pub(super) wrap_with_trusted: Option<bool>,
    pub(super) allowed_mechanisms: Vec<MechanismType>,
}

/// A list, which may also be written as one text with commas.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum List<T> {
    Text(String),
    Items(Vec<T>),
}

impl<T: std::str::FromStr> List<T> {
    fn items(self) -> Result<Vec<T>, String> {
        match self {
            Self::Items(items) => Ok(items),
            Self::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| {
                    item.parse()
                        .map_err(|_| format!("{item} is not what is expected here"))
                })
                .collect(),
        }
    }
}

/// A section as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    enabled: Option<bool>,
    library: Option<PathBuf>,
    library_cant_create_os_threads: Option<bool>,
    os_locking_ok: Option<bool>,
    sign_verify_pin: Option<bool>,
    batch_signing_enabled: Option<bool>,
    read_only: Option<bool>,
    token_id_format: Option<String>,
    sign_mechanism: Option<String>,
    rsa_sign_mechanism: Option<String>,
    ec_sign_mechanism: Option<String>,
    slot_ids: Option<List<u64>>,
    pub_key_attribute_encrypt: Option<bool>,
    pub_key_attribute_verify: Option<bool>,
    pub_key_attribute_verify_recover: Option<bool>,
    pub_key_attribute_wrap: Option<bool>,
    pub_key_attribute_trusted: Option<bool>,
    pub_key_attribute_allowed_mechanisms: Option<List<String>>,
    priv_key_attribute_sensitive: Option<bool>,
    priv_key_attribute_decrypt: Option<bool>,
    priv_key_attribute_sign: Option<bool>,
    priv_key_attribute_sign_recover: Option<bool>,
    priv_key_attribute_unwrap: Option<bool>,
    priv_key_attribute_extractable: Option<bool>,
    priv_key_attribute_always_sensitive: Option<bool>,
    priv_key_attribute_never_extractable: Option<bool>,
    priv_key_attribute_wrap_with_trusted: Option<bool>,
    priv_key_attribute_allowed_mechanisms: Option<List<String>>,
    sessions: Option<usize>,
    sign_timeout: Option<u64>,
    developer_sign_delay_ms: Option<u64>,
}

impl DeviceFile {
    /// The software token and nothing else.
    #[must_use]
    pub const fn without_devices() -> Self {
        Self {
            software_token: true,
            devices: Vec::new(),
        }
    }

    /// Reads the file; if it does not exist, there are no devices.
    ///
    /// # Errors
    /// See [`DeviceFileError`].
    pub fn read(path: &Path) -> Result<Self, DeviceFileError> {
        let text = crate::atomic_file::read(path, MAX_FILE_BYTES).map_err(|source| DeviceFileError::Io {
            path: path.to_owned(),
            source,
        })?;
        let Some(text) = text else {
            return Ok(Self::without_devices());
        };
        let malformed = |reason: String| DeviceFileError::Malformed {
            path: path.to_owned(),
            reason,
        };
        let text = std::str::from_utf8(&text).map_err(|error| malformed(error.to_string()))?;
        let sections: BTreeMap<String, toml::Table> =
            toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let file = Self::of(sections).map_err(|(device, reason)| DeviceFileError::Device {
            path: path.to_owned(),
            device,
            reason,
        })?;
        Ok(file)
    }

    fn of(sections: BTreeMap<String, toml::Table>) -> Result<Self, (String, String)> {
        let mut file = Self::without_devices();
        for (name, table) in sections {
            let section = read_section(table).map_err(|reason| (name.clone(), reason))?;
            let enabled = section.enabled.unwrap_or(true);
            if name.eq_ignore_ascii_case(SOFTWARE) {
                file.software_token = enabled;
            } else if enabled {
                let device = DeviceSettings::of(&name, section).map_err(|reason| (name.clone(), reason))?;
                if let Some(other) = file.devices.iter().find(|other| other.library == device.library) {
                    let reason = format!(
                        "has the library of [{}]: one device with both slot_ids serves both",
                        other.name
                    );
                    return Err((name, reason));
                }
                file.devices.push(device);
            }
        }
        Ok(file)
    }
}

/// Names may have dashes, as all others here, or underscores, as in `devices.ini`.
fn read_section(table: toml::Table) -> Result<Section, String> {
    let table: toml::Table = table
        .into_iter()
        .map(|(key, value)| (key.replace('-', "_"), value))
        .collect();
    table
        .try_into()
        .map_err(|error: toml::de::Error| error.message().to_owned())
}

impl DeviceSettings {
    fn of(name: &str, section: Section) -> Result<Self, String> {
        let library = section.library.clone().unwrap_or_default();
        if library.as_os_str().is_empty() {
            return Err("library is missing: the path of the PKCS #11 library".to_owned());
        }
        let device = Self {
            name: name.to_owned(),
            library,
            library_cant_create_os_threads: section.library_cant_create_os_threads.unwrap_or(false),
            os_locking_ok: section.os_locking_ok.unwrap_or(true),
            sign_verify_pin: section.sign_verify_pin.unwrap_or(false),
            batch_signing_enabled: section.batch_signing_enabled.unwrap_or(true),
            read_only: section.read_only.unwrap_or(false),
            token_id_format: section
                .token_id_format
                .clone()
                .filter(|format| !format.trim().is_empty())
                .unwrap_or_else(|| TOKEN_ID_FORMAT.to_owned()),
            pss: is_pss(&section)?,
            slot_ids: section
                .slot_ids
                .clone()
                .map_or_else(|| Ok(Vec::new()), List::items)?,
            public_key: public_key(&section)?,
            private_key: private_key(&section)?,
            sessions: section.sessions.unwrap_or(1),
            sign_timeout: Duration::from_secs(section.sign_timeout.unwrap_or(SIGN_TIMEOUT_SECONDS)),
            developer_sign_delay: Duration::from_millis(section.developer_sign_delay_ms.unwrap_or(0)),
        };
        device.check()?;
        Ok(device)
    }

    fn check(&self) -> Result<(), String> {
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
    pub(super) fn token_id(&self, slot: u64, serial_number: &str, label: &str) -> String {
        let text = self
            .token_id_format
            .replace("{moduleType}", &self.name)
            .replace("{slotIndex}", &slot.to_string())
            .replace("{serialNumber}", serial_number.trim())
            .replace("{label}", label.trim());
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn is_pss(section: &Section) -> Result<bool, String> {
    if let Some(other) = section
        .ec_sign_mechanism
        .as_deref()
        .filter(|name| *name != "CKM_ECDSA")
    {
        return Err(format!("ec_sign_mechanism is {other}: expected CKM_ECDSA"));
    }
    let rsa = section
        .rsa_sign_mechanism
        .as_deref()
        .or(section.sign_mechanism.as_deref());
    match rsa.map(str::trim) {
        None | Some("" | "CKM_RSA_PKCS") => Ok(false),
        Some("CKM_RSA_PKCS_PSS") => Ok(true),
        Some(other) => Err(format!(
            "sign_mechanism is {other}: expected CKM_RSA_PKCS or CKM_RSA_PKCS_PSS"
        )),
    }
}

/// Defaults as in the reference: what its earlier versions always set.
fn public_key(section: &Section) -> Result<PublicKeyAttributes, String> {
    Ok(PublicKeyAttributes {
        encrypt: section.pub_key_attribute_encrypt.or(Some(true)),
        verify: section.pub_key_attribute_verify.or(Some(true)),
        verify_recover: section.pub_key_attribute_verify_recover,
        wrap: section.pub_key_attribute_wrap,
        trusted: section.pub_key_attribute_trusted,
        allowed_mechanisms: mechanisms(section.pub_key_attribute_allowed_mechanisms.clone())?,
    })
}

fn private_key(section: &Section) -> Result<PrivateKeyAttributes, String> {
    Ok(PrivateKeyAttributes {
        sensitive: section.priv_key_attribute_sensitive.or(Some(true)),
        decrypt: section.priv_key_attribute_decrypt.or(Some(true)),
        sign: section.priv_key_attribute_sign.or(Some(true)),
        sign_recover: section.priv_key_attribute_sign_recover,
        unwrap: section.priv_key_attribute_unwrap,
        extractable: section.priv_key_attribute_extractable,
        always_sensitive: section.priv_key_attribute_always_sensitive,
        never_extractable: section.priv_key_attribute_never_extractable,
        wrap_with_trusted: section.priv_key_attribute_wrap_with_trusted,
        allowed_mechanisms: mechanisms(section.priv_key_attribute_allowed_mechanisms.clone())?,
    })
}

fn mechanisms(names: Option<List<String>>) -> Result<Vec<MechanismType>, String> {
    let names = names.map_or_else(|| Ok(Vec::new()), List::items)?;
    names.iter().map(|name| mechanism(name.trim())).collect()
}

fn mechanism(name: &str) -> Result<MechanismType, String> {
    Ok(match name {
        "CKM_RSA_PKCS" => MechanismType::RSA_PKCS,
        "CKM_SHA256_RSA_PKCS" => MechanismType::SHA256_RSA_PKCS,
        "CKM_SHA384_RSA_PKCS" => MechanismType::SHA384_RSA_PKCS,
        "CKM_SHA512_RSA_PKCS" => MechanismType::SHA512_RSA_PKCS,
        "CKM_RSA_PKCS_PSS" => MechanismType::RSA_PKCS_PSS,
        "CKM_SHA256_RSA_PKCS_PSS" => MechanismType::SHA256_RSA_PKCS_PSS,
        "CKM_SHA384_RSA_PKCS_PSS" => MechanismType::SHA384_RSA_PKCS_PSS,
        "CKM_SHA512_RSA_PKCS_PSS" => MechanismType::SHA512_RSA_PKCS_PSS,
        "CKM_ECDSA" => MechanismType::ECDSA,
        "CKM_ECDSA_SHA256" => MechanismType::ECDSA_SHA256,
        "CKM_ECDSA_SHA384" => MechanismType::ECDSA_SHA384,
        "CKM_ECDSA_SHA512" => MechanismType::ECDSA_SHA512,
        _ => return Err(format!("{name} is not a mechanism that keys can be limited to")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<DeviceFile, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        DeviceFile::read(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_devices_ini_says_means_the_same_here() {
        let file = read(
            "[hsm_fips]\nlibrary = '/usr/local/lib/libcs_pkcs11_R2.so'\ntoken_id_format = '{moduleType}{label}'\n\
             sign_mechanism = 'CKM_RSA_PKCS_PSS'\npub_key_attribute_encrypt = false\n\
             priv_key_attribute_allowed_mechanisms = 'CKM_RSA_PKCS_PSS, CKM_SHA512_RSA_PKCS_PSS'\n\
             slot_ids = '1123, 2342'\nread_only = true\nsign_verify_pin = true\nbatch_signing_enabled = false\n\
             [off]\nenabled = false\n[softToken]\nenabled = false\n",
        )
        .unwrap();
        assert!(!file.software_token);
        let [device] = file.devices.as_slice() else {
            panic!("{file:?}")
        };
        assert!(device.pss && device.read_only && device.sign_verify_pin && !device.batch_signing_enabled);
        assert_eq!(device.slot_ids, [1123, 2342]);
        assert_eq!(device.public_key.encrypt, Some(false));
        assert_eq!(
            device.private_key.allowed_mechanisms,
            [MechanismType::RSA_PKCS_PSS, MechanismType::SHA512_RSA_PKCS_PSS]
        );
        // As the reference makes ids: "hsm_fipssign" in hexadecimal digits.
        assert_eq!(device.token_id(7, "123 ", "sign  "), "68736d5f666970737369676e");
    }

    #[test]
    fn a_library_is_enough_and_dashes_do_as_well_as_underscores() {
        let file =
            read("[a]\nlibrary = 'a.so'\n[b]\nlibrary = 'b.so'\nslot-ids = [3]\nsign-timeout = 5\n").unwrap();
        let [a, b] = file.devices.as_slice() else {
            panic!("{file:?}")
        };
        assert!(file.software_token && a.os_locking_ok && a.batch_signing_enabled && !a.pss);
        assert_eq!((a.sessions, a.sign_timeout), (1, Duration::from_secs(20)));
        assert_eq!(
            (a.public_key.encrypt, a.private_key.sensitive),
            (Some(true), Some(true))
        );
        assert_eq!(
            (b.slot_ids.as_slice(), b.sign_timeout),
            ([3].as_slice(), Duration::from_secs(5))
        );
        assert!(
            DeviceFile::read(Path::new("/nonexistent/devices.toml"))
                .unwrap()
                .devices
                .is_empty()
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_the_device_and_what_was_expected() {
        for (text, said) in [
            ("library = 'a.so'", "expected a map"),
            ("[a]\n", "[a]: library is missing"),
            (
                "[a]\nlibrary = 'a.so'\nlibary = 'b'",
                "unknown field `libary`, expected one of",
            ),
            ("[a]\nlibrary = 'a.so'\nread_only = 'yes'", "expected a boolean"),
            (
                "[a]\nlibrary = 'a.so'\nsign_mechanism = 'CKM_MD5'",
                "expected CKM_RSA_PKCS or",
            ),
            (
                "[a]\nlibrary = 'a.so'\nec_sign_mechanism = 'CKM_RSA_PKCS'",
                "expected CKM_ECDSA",
            ),
            (
                "[a]\nlibrary = 'a.so'\nslot_ids = '1, two'",
                "two is not what is expected",
            ),
            (
                "[a]\nlibrary = 'a.so'\npub_key_attribute_allowed_mechanisms = 'CKM_RC4'",
                "CKM_RC4",
            ),
            ("[a]\nlibrary = 'a.so'\nsessions = 0", "expected 1 to 64"),
            (
                "[a]\nlibrary = 'a.so'\nsessions = 2\nsign_verify_pin = true",
                "ends them all",
            ),
            (
                "[a]\nlibrary = 'a.so'\nsessions = 2\nos_locking_ok = false",
                "one call at a time",
            ),
            ("[a]\nlibrary = 'a.so'\nsign_timeout = 0", "expected 1 to 600 s"),
            (
                "[a]\nlibrary = 'a.so'\n[b]\nlibrary = 'a.so'",
                "[b]: has the library of [a]",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
