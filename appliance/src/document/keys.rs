//! `[server]`: the keys of the security server and the subjects of their certificates.

use protocol_pki::name::DistinguishedName;
use serde::Deserialize;
use signer_client::{KeyChoice, NameAttribute};

use super::{DocumentError, refuse};

const SECTION: &str = "server";
/// The most attributes of a subject and bytes of each.
const MAX_ATTRIBUTES: usize = 32;
const MAX_VALUE_BYTES: usize = 1024;

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Keys {
    /// Whom the signing certificate names.
    pub signing_subject: Subject,
    /// Whom the authentication certificate names.
    pub authentication_subject: Subject,
    /// What the signing key is. Authentication and internal keys are RSA, which every peer takes.
    #[serde(default)]
    pub key_algorithm: KeyKind,
    /// The token of the signing key: `"0"`, the software token, or the id of a hardware token.
    #[serde(default = "software_token")]
    pub token: String,
}

fn software_token() -> String {
    "0".to_owned()
}

/// What a new key is; its length or curve is in the settings of the signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// RSA.
    #[default]
    Rsa,
    /// On an elliptic curve.
    Ec,
}

impl From<KeyKind> for KeyChoice {
    fn from(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Rsa => Self::Rsa,
            KeyKind::Ec => Self::Ec,
        }
    }
}

/// A distinguished name: attributes such as `C=EE`, from the outermost to the innermost.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Subject {
    attributes: Vec<NameAttribute>,
    name: DistinguishedName,
}

impl Subject {
    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> &[NameAttribute] {
        &self.attributes
    }

    /// The name as certificates have it.
    #[must_use]
    pub const fn name(&self) -> &DistinguishedName {
        &self.name
    }
}

impl TryFrom<Vec<String>> for Subject {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        if !(1..=MAX_ATTRIBUTES).contains(&texts.len()) {
            return Err(format!(
                "a subject of {} attributes: expected 1 to 32, such as [\"C=EE\", \"O=GOV\", \"CN=70000001\"]",
                texts.len()
            ));
        }
        let attributes: Result<Vec<_>, String> = texts.iter().map(|text| attribute(text)).collect();
        let attributes = attributes?;
        let pairs: Vec<(&str, &str)> = attributes
            .iter()
            .map(|attribute| (attribute.kind.as_str(), attribute.value.as_str()))
            .collect();
        let name = DistinguishedName::build(&pairs).map_err(|unknown| {
            format!("{unknown}: expected C, O, OU, CN, serialNumber or another of them, or a dotted id")
        })?;
        Ok(Self { attributes, name })
    }
}

fn attribute(text: &str) -> Result<NameAttribute, String> {
    match text.split_once('=') {
        Some((kind, value)) if (1..=MAX_VALUE_BYTES).contains(&value.len()) && !kind.is_empty() => {
            Ok(NameAttribute::new(kind, value))
        }
        _ => Err(format!(
            "{text:?} is no attribute of a name: expected KIND=VALUE such as \"CN=70000001\""
        )),
    }
}

impl Keys {
    pub(super) fn check(&self) -> Result<(), DocumentError> {
        let id = &self.token;
        let is_hardware = id.len() >= 8
            && id.len() <= 64
            && id.len().is_multiple_of(2)
            && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if id == "0" || is_hardware {
            return Ok(());
        }
        let expected =
            "\"0\" (the software token), or the id of a hardware token: 8 to 64 hexadecimal digits";
        refuse(SECTION, "token", id, expected)
    }
}
