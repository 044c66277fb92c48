//! Security server clients: members and their subsystems.

use super::{IdentifierError, components, decoded, join_encoded, non_empty, plain, typed, write_plain};
use std::fmt;
use std::str::FromStr;

/// A member, or one of its subsystems.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    /// Instance identifier, e.g. `EE`.
    pub instance: String,
    /// Member class, e.g. `GOV`.
    pub member_class: String,
    /// Member code, unique within the class.
    pub member_code: String,
    /// Subsystem code; none for the member itself.
    pub subsystem_code: Option<String>,
}

impl ClientId {
    /// A member without a subsystem. Components are taken as they are.
    pub fn for_member(
        instance: impl Into<String>,
        member_class: impl Into<String>,
        member_code: impl Into<String>,
    ) -> Self {
        Self {
            instance: instance.into(),
            member_class: member_class.into(),
            member_code: member_code.into(),
            subsystem_code: None,
        }
    }

    /// A subsystem of a member. Components are taken as they are.
    pub fn subsystem(
        instance: impl Into<String>,
        member_class: impl Into<String>,
        member_code: impl Into<String>,
        subsystem_code: impl Into<String>,
    ) -> Self {
        Self {
            subsystem_code: Some(subsystem_code.into()),
            ..Self::for_member(instance, member_class, member_code)
        }
    }

    /// Checks components that came from outside.
    ///
    /// # Errors
    /// When a component is empty.
    pub fn new(
        instance: String,
        member_class: String,
        member_code: String,
        subsystem_code: Option<String>,
    ) -> Result<Self, IdentifierError> {
        Ok(Self {
            instance: non_empty("instance", instance)?,
            member_class: non_empty("member class", member_class)?,
            member_code: non_empty("member code", member_code)?,
            subsystem_code: subsystem_code
                .map(|code| non_empty("subsystem code", code))
                .transpose()?,
        })
    }

    /// The member that this client is or belongs to.
    #[must_use]
    pub fn member(&self) -> Self {
        Self {
            subsystem_code: None,
            ..self.clone()
        }
    }

    /// Whether both belong to the same member.
    #[must_use]
    pub fn same_member(&self, other: &Self) -> bool {
        self.instance == other.instance
            && self.member_class == other.member_class
            && self.member_code == other.member_code
    }

    /// Reads the encoded form of `X-Road-Client`: three or four percent-encoded components (wire.md 1.4).
    ///
    /// # Errors
    /// When the count or a component is wrong.
    pub fn parse_encoded(text: &str) -> Result<Self, IdentifierError> {
        Self::from_components(&components("client identifier", "3 or 4", 3..=4, text)?, decoded)
    }

    /// Writes the encoded form.
    #[must_use]
    pub fn to_encoded(&self) -> String {
        join_encoded(self.parts())
    }

    /// The form that the texts of faults use, `SUBSYSTEM:EE/GOV/1/s` or `MEMBER:EE/GOV/1`.
    #[must_use]
    pub fn to_typed(&self) -> String {
        typed(self.object_type(), self.parts())
    }

    /// What this names, in the words of identifiers in XML and JSON: `SUBSYSTEM` or `MEMBER`.
    #[must_use]
    pub const fn object_type(&self) -> &'static str {
        if self.subsystem_code.is_some() {
            "SUBSYSTEM"
        } else {
            "MEMBER"
        }
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        [&self.instance, &self.member_class, &self.member_code]
            .into_iter()
            .map(String::as_str)
            .chain(self.subsystem_code.as_deref())
    }

    fn from_components(
        parts: &[&str],
        read: fn(&'static str, &str) -> Result<String, IdentifierError>,
    ) -> Result<Self, IdentifierError> {
        let part = |index: usize| parts.get(index).copied().unwrap_or_default();
        Ok(Self {
            instance: read("instance", part(0))?,
            member_class: read("member class", part(1))?,
            member_code: read("member code", part(2))?,
            subsystem_code: parts
                .get(3)
                .map(|code| read("subsystem code", code))
                .transpose()?,
        })
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_plain(f, self.parts())
    }
}

impl FromStr for ClientId {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_components(&components("client identifier", "3 or 4", 3..=4, text)?, plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_encoded_form() {
        let client = ClientId::parse_encoded("EE/BUSINESS/consumer/s%2Fub").unwrap();
        assert_eq!(client, ClientId::subsystem("EE", "BUSINESS", "consumer", "s/ub"));
        assert_eq!(client.to_encoded(), "EE/BUSINESS/consumer/s%2Fub");
        assert_eq!(
            ClientId::parse_encoded("EE/GOV/1").unwrap(),
            ClientId::for_member("EE", "GOV", "1")
        );
        for wrong in [
            "",
            "EE",
            "EE/GOV",
            "EE/GOV/1/s/x",
            "EE//1",
            "EE/GOV/1/",
            "EE/GOV/%",
        ] {
            assert!(ClientId::parse_encoded(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_subsystem_belongs_to_its_member() {
        let subsystem: ClientId = "EE/GOV/1/s".parse().unwrap();
        assert_eq!(subsystem.member().to_string(), "EE/GOV/1");
        assert!(subsystem.same_member(&subsystem.member()));
        assert!(!subsystem.same_member(&ClientId::for_member("EE", "GOV", "2")));
    }

    #[test]
    fn the_plain_form_is_lossless() {
        let client = ClientId::subsystem("EE", "GOV", "1/2", "50%");
        assert_eq!(client.to_string(), "EE/GOV/1%2F2/50%25");
        assert_eq!(client.to_typed(), "SUBSYSTEM:EE/GOV/1/2/50%");
        assert_eq!(client.member().to_typed(), "MEMBER:EE/GOV/1/2");
        assert_eq!(client.to_string().parse::<ClientId>().unwrap(), client);
        let json = serde_json::to_string(&client).unwrap();
        assert_eq!(json, "\"EE/GOV/1%2F2/50%25\"");
        assert_eq!(serde_json::from_str::<ClientId>(&json).unwrap(), client);
    }
}
