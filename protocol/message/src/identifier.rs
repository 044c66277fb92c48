//! Identifiers of members, subsystems, services, security servers and groups.
//!
//! Three written forms exist:
//! * *plain*: components joined by `/`, as in logs and in our own configuration ([`std::fmt::Display`],
//!   [`std::str::FromStr`], serde). A `/` or `%` inside a component is written `%2F` or `%25`, so that the form is lossless;
//! * *encoded*: percent-encoded components joined by `/`, as in `X-Road-Client` and REST paths (wire.md 1.4);
//! * *XML*: elements of the SOAP header ([`crate::soap`]).
//!
//! In the texts of faults the reference names the kind as well: `SERVER:EE/GOV/1/s1` (`to_typed`).

mod client;
pub mod percent;
mod server;
mod service;

pub use client::ClientId;
pub use server::{GlobalGroupId, RepresentedParty, SecurityServerId};
pub use service::ServiceId;

use std::borrow::Cow;
use std::fmt;

/// Why a text is no identifier. All of them are `internal_error` on the wire (wire.md 1.4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Too few or too many components for this kind of identifier.
    #[error("{kind} has {found} components, expected {expected}")]
    ComponentCount {
        /// What was being read.
        kind: &'static str,
        /// How many components the kind allows.
        expected: &'static str,
        /// How many there were.
        found: usize,
    },
    /// A component that must have a value is empty.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// A component is not properly percent-encoded.
    #[error("malformed percent-encoding in {component}")]
    Percent {
        /// The component in question.
        component: &'static str,
        /// What was wrong with it.
        source: percent::PercentError,
    },
}

impl IdentifierError {
    /// The fault code of a malformed identifier.
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        "internal_error"
    }
}

/// How a component of a written form becomes its value, or what is wrong with it.
type Reading = for<'a> fn(&'static str, &'a str) -> Result<Cow<'a, str>, IdentifierError>;

/// A mandatory component: any text but the empty one.
fn non_empty<T: AsRef<str>>(component: &'static str, value: T) -> Result<T, IdentifierError> {
    if value.as_ref().is_empty() {
        Err(IdentifierError::Empty(component))
    } else {
        Ok(value)
    }
}

/// A mandatory percent-encoded component.
fn decoded<'a>(component: &'static str, value: &'a str) -> Result<Cow<'a, str>, IdentifierError> {
    let value =
        percent::decode_segment(value).map_err(|source| IdentifierError::Percent { component, source })?;
    non_empty(component, value)
}

/// A mandatory component of the plain form.
fn plain<'a>(component: &'static str, value: &'a str) -> Result<Cow<'a, str>, IdentifierError> {
    non_empty(component, percent::unescape_plain(value))
}

/// Splits into as many components as are allowed; `expected` names the counts for the error.
fn components<'a>(
    kind: &'static str,
    expected: &'static str,
    allowed: std::ops::RangeInclusive<usize>,
    text: &'a str,
) -> Result<impl Iterator<Item = &'a str>, IdentifierError> {
    check_count(kind, expected, allowed, text)?;
    Ok(text.split('/'))
}

fn check_count(
    kind: &'static str,
    expected: &'static str,
    allowed: std::ops::RangeInclusive<usize>,
    text: &str,
) -> Result<(), IdentifierError> {
    let found = memchr::memchr_iter(b'/', text.as_bytes())
        .count()
        .saturating_add(1);
    if allowed.contains(&found) {
        Ok(())
    } else {
        Err(IdentifierError::ComponentCount {
            kind,
            expected,
            found,
        })
    }
}

/// Writes components in the plain form.
fn write_plain<'a>(f: &mut fmt::Formatter<'_>, parts: impl IntoIterator<Item = &'a str>) -> fmt::Result {
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            f.write_str("/")?;
        }
        f.write_str(&percent::escape_plain(part))?;
    }
    Ok(())
}

/// Joins components in the encoded form.
fn join_encoded<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    encode_into(parts, &mut out);
    out
}

/// Appends components in the encoded form.
fn encode_into<'a>(parts: impl IntoIterator<Item = &'a str>, out: &mut String) {
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            out.push('/');
        }
        percent::encode_segment_into(part, out);
    }
}

/// Writes the form that the texts of faults use: the kind and the components as they are, nothing escaped.
fn typed<'a>(kind: &str, parts: impl Iterator<Item = &'a str>) -> String {
    format!("{kind}:{}", parts.collect::<Vec<_>>().join("/"))
}

/// Whether a component has characters that no registry should let in: they separate, escape, or can't be seen. Messages
/// with them pass, as in the reference.
fn is_doubtful(component: &str) -> bool {
    component.contains(|letter: char| letter.is_control() || "%:;/\\\u{200b}\u{feff}".contains(letter))
}

macro_rules! doubtful {
    ($($type:ty),+) => {$(
        impl $type {
            /// Whether a component has characters that separate, escape, or can't be seen.
            #[must_use]
            pub fn is_doubtful(&self) -> bool {
                self.parts().any(is_doubtful)
            }
        }
    )+};
}
doubtful!(ClientId, ServiceId, SecurityServerId);

/// Implements serde as the plain text form.
macro_rules! serde_as_text {
    ($($type:ty),+) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
serde_as_text!(
    ClientId,
    ServiceId,
    SecurityServerId,
    GlobalGroupId,
    RepresentedParty
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn doubtful_characters_are_found_in_every_component() {
        let service = |text: &str| ServiceId::parse_encoded(text).unwrap().is_doubtful();
        for fine in [
            "T/C/CO%20DE/sub/s",
            "%C3%B5/G-1/1.0_a/'(x)+/s",
            "T/C/1/sub/s%2C%3D%3F",
        ] {
            assert!(!service(fine), "{fine}");
        }
        for doubtful in [
            "T%2FX/C/1/sub/s",
            "T/C;1/1/sub/s",
            "T/C/1%5C2/sub/s",
            "T/C/1/su%25b/s",
            "T/C/1/sub/s%E2%80%8B",
            "T/C/1/sub/%EF%BB%BFs",
            "T/C/1/sub/s%C2%85",
        ] {
            assert!(service(doubtful), "{doubtful}");
        }
        assert!(ClientId::parse_encoded("T/C/1%092").unwrap().is_doubtful());
        assert!(!ClientId::parse_encoded("T/C/1%202").unwrap().is_doubtful());
        assert!(
            SecurityServerId::parse_encoded("T/C/1/ss:1")
                .unwrap()
                .is_doubtful()
        );
        assert!(
            !SecurityServerId::parse_encoded("T/C/1/ss1")
                .unwrap()
                .is_doubtful()
        );
    }
}
