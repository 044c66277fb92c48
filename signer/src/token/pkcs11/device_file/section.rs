//! A section of `devices.toml` as it is written, and what it means.

use std::{path::PathBuf, time::Duration};

use cryptoki::mechanism::MechanismType;
use serde::Deserialize;

use super::settings::{DeviceSettings, PrivateKeyAttributes, PublicKeyAttributes};

const SIGN_TIMEOUT_SECONDS: u64 = 20;
const TOKEN_ID_FORMAT: &str = "{moduleType}{slotIndex}{serialNumber}{label}";

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
pub(super) struct Section {
    pub(super) enabled: Option<bool>,
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

/// Names may have dashes, as all others here, or underscores, as in `devices.ini`.
pub(super) fn read_section(table: toml::Table) -> Result<Section, String> {
    let table: toml::Table = table
        .into_iter()
        .map(|(key, value)| (key.replace('-', "_"), value))
        .collect();
    table
        .try_into()
        .map_err(|error: toml::de::Error| error.message().to_owned())
}

impl Section {
    /// The device that it describes.
    pub(super) fn device(self, name: &str) -> Result<DeviceSettings, String> {
        let section = self;
        let library = section.library.clone().unwrap_or_default();
        if library.as_os_str().is_empty() {
            return Err("library is missing: the path of the PKCS #11 library".to_owned());
        }
        let device = DeviceSettings {
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
