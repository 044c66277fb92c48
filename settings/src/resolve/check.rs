//! Whether a value is of the kind that its parameter wants.

use std::net::{IpAddr, SocketAddr};

use toml::Value as Toml;

use crate::error::SettingsError;
use crate::parameter::{Kind, Parameter, Value};

/// The value as typed structures expect it.
///
/// # Errors
/// [`SettingsError::OutOfBounds`] when it is of another kind or outside the bounds.
pub(crate) fn value(parameter: &Parameter, value: &Toml) -> Result<Toml, SettingsError> {
    let good = match parameter.kind {
        Kind::Any => Some(value.clone()),
        Kind::Switch => value.as_bool().map(Toml::from),
        Kind::Number(least, most) => number(value, least, most),
        Kind::Text | Kind::Path => value.as_str().map(Toml::from),
        Kind::Address => value.as_str().filter(|text| is::<IpAddr>(text)).map(Toml::from),
        Kind::Socket => value
            .as_str()
            .filter(|text| is::<SocketAddr>(text))
            .map(Toml::from),
        Kind::Choice(choices) => value
            .as_str()
            .filter(|text| choices.contains(text))
            .map(Toml::from),
        Kind::List => list(value),
        Kind::Numbers => value
            .as_array()
            .filter(|all| all.iter().all(Toml::is_integer))
            .map(|all| Toml::from(all.clone())),
    };
    good.ok_or_else(|| SettingsError::OutOfBounds {
        name: parameter.name(),
        value: value.to_string(),
        expected: expected(parameter),
    })
}

fn is<T: std::str::FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

fn number(value: &Toml, least: i64, most: i64) -> Option<Toml> {
    value
        .as_integer()
        .filter(|number| (least..=most).contains(number))
        .map(Toml::from)
}

/// An array of texts, or a text with commas.
fn list(value: &Toml) -> Option<Toml> {
    if let Some(text) = value.as_str() {
        let pieces = text.split(',').map(str::trim).filter(|piece| !piece.is_empty());
        return Some(pieces.map(str::to_owned).collect::<Vec<String>>().into());
    }
    value
        .as_array()
        .filter(|all| all.iter().all(Toml::is_str))
        .map(|all| all.clone().into())
}

/// What may stand there, in words.
#[must_use]
pub fn expected(parameter: &Parameter) -> String {
    match parameter.kind {
        Kind::Any => "anything".to_owned(),
        Kind::Switch => "true or false".to_owned(),
        Kind::Number(least, i64::MAX) => unit(&format!("a whole number, {least} or more"), parameter),
        Kind::Number(least, most) => unit(&format!("a whole number from {least} to {most}"), parameter),
        Kind::Text => "a text".to_owned(),
        Kind::Path => "a path".to_owned(),
        Kind::Address => "an IP address".to_owned(),
        Kind::Socket => "an address IP:PORT".to_owned(),
        Kind::Choice(choices) => format!("one of {}", choices.join(", ")),
        Kind::List => "a list of texts, or one text with commas".to_owned(),
        Kind::Numbers => "a list of whole numbers".to_owned(),
    }
}

fn unit(text: &str, parameter: &Parameter) -> String {
    if parameter.unit.is_empty() {
        text.to_owned()
    } else {
        format!("{text} ({})", parameter.unit)
    }
}

/// Refuses what is not the only possible value.
///
/// # Errors
/// [`SettingsError::OutOfBounds`] with the reason.
pub(super) fn is_default(
    parameter: &Parameter,
    value: &Toml,
    reason: &'static str,
) -> Result<(), SettingsError> {
    let (same, only) = match parameter.default {
        Value::Switch(only) => (value.as_bool() == Some(only), only.to_string()),
        Value::Number(only) => (value.as_integer() == Some(only), only.to_string()),
        Value::Text(only) => (value.as_str() == Some(only), only.to_owned()),
        Value::List(_) | Value::Unset => (false, "nothing".to_owned()),
    };
    if same {
        return Ok(());
    }
    Err(SettingsError::OutOfBounds {
        name: parameter.name(),
        value: value.to_string(),
        expected: format!("{only}, because {reason}"),
    })
}
