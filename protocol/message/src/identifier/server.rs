//! Security servers, global groups and represented parties.

use super::{
    ClientId, IdentifierError, Reading, components, decoded, join_encoded, plain, typed, write_plain,
};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A security server, named by its owner and a code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecurityServerId {
    /// Instance identifier.
    pub instance: String,
    /// Member class of the owner.
    pub member_class: String,
    /// Member code of the owner.
    pub member_code: String,
    /// Server code, unique within the owner.
    pub server_code: String,
}

impl SecurityServerId {
    /// A security server. Components are taken as they are.
    pub fn new(
        instance: impl Into<String>,
        member_class: impl Into<String>,
        member_code: impl Into<String>,
        server_code: impl Into<String>,
    ) -> Self {
        Self {
            instance: instance.into(),
            member_class: member_class.into(),
            member_code: member_code.into(),
            server_code: server_code.into(),
        }
    }

    /// The member that owns the server.
    #[must_use]
    pub fn owner(&self) -> ClientId {
        ClientId::for_member(&self.instance, &self.member_class, &self.member_code)
    }

    /// Reads the encoded form of `X-Road-Security-Server`: exactly four components (wire.md 1.4).
    ///
    /// # Errors
    /// When the count or a component is wrong.
    pub fn parse_encoded(text: &str) -> Result<Self, IdentifierError> {
        Self::read(text, decoded)
    }

    /// Writes the encoded form.
    #[must_use]
    pub fn to_encoded(&self) -> String {
        join_encoded(self.parts())
    }

    /// The form that the texts of faults use, `SERVER:EE/GOV/1/s1`.
    #[must_use]
    pub fn to_typed(&self) -> String {
        typed("SERVER", self.parts())
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        [
            &self.instance,
            &self.member_class,
            &self.member_code,
            &self.server_code,
        ]
        .into_iter()
        .map(String::as_str)
    }

    fn read(text: &str, read: Reading) -> Result<Self, IdentifierError> {
        let mut parts = components("security server identifier", "4", 4..=4, text)?;
        let mut next = |component| read(component, parts.next().unwrap_or_default());
        Ok(Self {
            instance: next("instance")?.into_owned(),
            member_class: next("member class")?.into_owned(),
            member_code: next("member code")?.into_owned(),
            server_code: next("server code")?.into_owned(),
        })
    }
}

impl fmt::Display for SecurityServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_plain(f, self.parts())
    }
}

impl FromStr for SecurityServerId {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(text, plain)
    }
}

/// A group of members and subsystems, kept by the instance's governing agency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlobalGroupId {
    /// Instance identifier.
    pub instance: String,
    /// Group code, unique within the instance.
    pub group_code: String,
}

impl fmt::Display for GlobalGroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_plain(f, [self.instance.as_str(), &self.group_code])
    }
}

impl FromStr for GlobalGroupId {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = components("global group identifier", "2", 2..=2, text)?;
        let mut next = |component| plain(component, parts.next().unwrap_or_default());
        Ok(Self {
            instance: next("instance")?.into_owned(),
            group_code: next("group code")?.into_owned(),
        })
    }
}

/// The party on whose behalf a client acts (protocol extension for third party representation); never
/// interpreted, only compared and recorded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepresentedParty {
    /// Class of the party.
    pub class: Option<String>,
    /// Code of the party; may be empty in a SOAP header.
    pub code: String,
}

impl RepresentedParty {
    /// Reads the encoded form of `X-Road-Represented-Party`: `[class/]code`.
    ///
    /// # Errors
    /// When there are more than two components or one of them is empty or malformed.
    pub fn parse_encoded(text: &str) -> Result<Self, IdentifierError> {
        Self::read(text, decoded)
    }

    /// Writes the encoded form.
    #[must_use]
    pub fn to_encoded(&self) -> String {
        join_encoded(self.parts())
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        self.class
            .as_deref()
            .into_iter()
            .chain(std::iter::once(self.code.as_str()))
    }

    fn read(text: &str, read: Reading) -> Result<Self, IdentifierError> {
        let mut parts = components("represented party", "1 or 2", 1..=2, text)?;
        let (first, second) = (parts.next().unwrap_or_default(), parts.next());
        let class = second.map(|_| read("party class", first)).transpose()?;
        Ok(Self {
            class: class.map(Cow::into_owned),
            code: read("party code", second.unwrap_or(first))?.into_owned(),
        })
    }
}

impl fmt::Display for RepresentedParty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_plain(f, self.parts())
    }
}

impl FromStr for RepresentedParty {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(text, plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_exactly_four_components() {
        let server = SecurityServerId::parse_encoded("EE/GOV/1/ss%2F1").unwrap();
        assert_eq!(server, SecurityServerId::new("EE", "GOV", "1", "ss/1"));
        assert_eq!(server.to_encoded(), "EE/GOV/1/ss%2F1");
        assert_eq!(server.owner().to_string(), "EE/GOV/1");
        assert_eq!(server.to_string().parse::<SecurityServerId>().unwrap(), server);
        assert!(SecurityServerId::parse_encoded("EE/GOV/1").is_err());
        assert!(SecurityServerId::parse_encoded("EE/GOV/1/a/b").is_err());
    }

    #[test]
    fn a_represented_party_may_have_a_class() {
        let with_class = RepresentedParty {
            class: Some("COM".into()),
            code: "99".into(),
        };
        assert_eq!(RepresentedParty::parse_encoded("COM/99").unwrap(), with_class);
        assert_eq!(with_class.to_string(), "COM/99");
        assert_eq!(RepresentedParty::parse_encoded("99").unwrap().class, None);
        assert!(RepresentedParty::parse_encoded("a/b/c").is_err());
        assert!(RepresentedParty::parse_encoded("").is_err());
    }

    #[test]
    fn a_group_belongs_to_an_instance() {
        let group: GlobalGroupId = "EE/security-server-owners".parse().unwrap();
        assert_eq!(group.group_code, "security-server-owners");
        assert_eq!(group.to_string(), "EE/security-server-owners");
    }
}
