//! Security server clients: members and their subsystems.

use super::{
    IdentifierError, Reading, components, decoded, encode_into, join_encoded, non_empty, plain, typed,
    write_plain,
};
use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// A member, or one of its subsystems.
///
/// Identifiers go from snapshots into messages, look-ups and records with every exchange. So all components stand in one
/// shared text, and neither a clone nor the member of a subsystem copies any of it.
#[derive(Clone)]
pub struct ClientId {
    /// Components joined by `/`, nothing escaped. What follows the member code may belong to a subsystem of this member.
    text: Arc<str>,
    /// Where instance, member class and member code end in `text`.
    ends: [usize; 3],
    /// Whether the rest of `text` is the subsystem code of this client.
    has_subsystem: bool,
}

impl ClientId {
    /// A member without a subsystem. Components are taken as they are.
    pub fn for_member(
        instance: impl AsRef<str>,
        member_class: impl AsRef<str>,
        member_code: impl AsRef<str>,
    ) -> Self {
        let member = [instance.as_ref(), member_class.as_ref(), member_code.as_ref()];
        Self::from_parts(member, None)
    }

    /// A subsystem of a member. Components are taken as they are.
    pub fn subsystem(
        instance: impl AsRef<str>,
        member_class: impl AsRef<str>,
        member_code: impl AsRef<str>,
        subsystem_code: impl AsRef<str>,
    ) -> Self {
        let member = [instance.as_ref(), member_class.as_ref(), member_code.as_ref()];
        Self::from_parts(member, Some(subsystem_code.as_ref()))
    }

    /// A member by instance, class and code, or a subsystem of it. Components are taken as they are.
    #[must_use]
    pub fn from_parts(member: [&str; 3], subsystem_code: Option<&str>) -> Self {
        let [instance, member_class, member_code] = member;
        let text = match subsystem_code {
            Some(code) => [instance, member_class, member_code, code].join("/"),
            None => member.join("/"),
        };
        Self::over(Arc::from(text), member, subsystem_code.is_some())
    }

    /// A client over the text that its components are, joined by `/`.
    fn over(text: Arc<str>, member: [&str; 3], has_subsystem: bool) -> Self {
        let [instance, member_class, member_code] = member.map(str::len);
        let class_end = instance.saturating_add(1).saturating_add(member_class);
        Self {
            text,
            ends: [
                instance,
                class_end,
                class_end.saturating_add(1).saturating_add(member_code),
            ],
            has_subsystem,
        }
    }

    /// Checks components that came from outside.
    ///
    /// # Errors
    /// When a component is empty.
    pub fn new(member: [&str; 3], subsystem_code: Option<&str>) -> Result<Self, IdentifierError> {
        let [instance, member_class, member_code] = member;
        non_empty("instance", instance)?;
        non_empty("member class", member_class)?;
        non_empty("member code", member_code)?;
        if let Some(code) = subsystem_code {
            non_empty("subsystem code", code)?;
        }
        Ok(Self::from_parts(member, subsystem_code))
    }

    /// Instance identifier, e.g. `EE`.
    #[must_use]
    pub fn instance(&self) -> &str {
        let [end, ..] = self.ends;
        self.text.get(..end).unwrap_or_default()
    }

    /// Member class, e.g. `GOV`.
    #[must_use]
    pub fn member_class(&self) -> &str {
        let [start, end, _] = self.ends;
        self.text.get(start + 1..end).unwrap_or_default()
    }

    /// Member code, unique within the class.
    #[must_use]
    pub fn member_code(&self) -> &str {
        let [_, start, end] = self.ends;
        self.text.get(start + 1..end).unwrap_or_default()
    }

    /// Subsystem code; none for the member itself.
    #[must_use]
    pub fn subsystem_code(&self) -> Option<&str> {
        let [.., start] = self.ends;
        self.text.get(start + 1..).filter(|_| self.has_subsystem)
    }

    /// The member that this client is or belongs to.
    #[must_use]
    pub fn member(&self) -> Self {
        Self {
            has_subsystem: false,
            ..self.clone()
        }
    }

    /// A subsystem of the same member.
    #[must_use]
    pub fn with_subsystem(&self, code: &str) -> Self {
        Self::subsystem(self.instance(), self.member_class(), self.member_code(), code)
    }

    /// Whether both belong to the same member.
    #[must_use]
    pub fn same_member(&self, other: &Self) -> bool {
        self.ends == other.ends && self.member_text() == other.member_text()
    }

    fn member_text(&self) -> &str {
        let [.., end] = self.ends;
        self.text.get(..end).unwrap_or_default()
    }

    /// Reads the encoded form of `X-Road-Client`: three or four percent-encoded components (wire.md 1.4).
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

    /// Appends the encoded form.
    pub fn encode_into(&self, out: &mut String) {
        encode_into(self.parts(), out);
    }

    /// The form that the texts of faults use, `SUBSYSTEM:EE/GOV/1/s` or `MEMBER:EE/GOV/1`.
    #[must_use]
    pub fn to_typed(&self) -> String {
        typed(self.object_type(), self.parts())
    }

    /// What this names, in the words of identifiers in XML and JSON: `SUBSYSTEM` or `MEMBER`.
    #[must_use]
    pub const fn object_type(&self) -> &'static str {
        if self.has_subsystem { "SUBSYSTEM" } else { "MEMBER" }
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        [self.instance(), self.member_class(), self.member_code()]
            .into_iter()
            .chain(self.subsystem_code())
    }

    fn read(text: &str, read: Reading) -> Result<Self, IdentifierError> {
        let mut parts = components("client identifier", "3 or 4", 3..=4, text)?;
        let mut next = |component| read(component, parts.next().unwrap_or_default());
        let member = [next("instance")?, next("member class")?, next("member code")?];
        let subsystem = parts
            .next()
            .map(|code| read("subsystem code", code))
            .transpose()?;
        let escaped = member
            .iter()
            .chain(&subsystem)
            .any(|part| matches!(part, Cow::Owned(_)));
        let member = member.each_ref().map(|part| &**part);
        Ok(if escaped {
            Self::from_parts(member, subsystem.as_deref())
        } else {
            // What has no escapes is the text already.
            Self::over(Arc::from(text), member, subsystem.is_some())
        })
    }
}

impl PartialEq for ClientId {
    fn eq(&self, other: &Self) -> bool {
        self.same_member(other) && self.subsystem_code() == other.subsystem_code()
    }
}

impl Eq for ClientId {}

impl Hash for ClientId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.member_text().hash(state);
        self.subsystem_code().hash(state);
    }
}

impl Ord for ClientId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.parts().cmp(other.parts())
    }
}

impl PartialOrd for ClientId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({self})")
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
        Self::read(text, plain)
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
