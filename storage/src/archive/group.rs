//! Which records share an archive.

use protocol_message::identifier::ClientId;
use serde::Deserialize;

/// Characters of the group, with the hyphen behind it, in a file name.
const MAX_GROUP: usize = 200;

/// How records are distributed over archives (`archive-grouping`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grouping {
    /// All records in one chain.
    #[default]
    None,
    /// A chain for each member.
    Member,
    /// A chain for each subsystem.
    Subsystem,
}

impl Grouping {
    /// The group of a client's records; empty: no grouping.
    #[must_use]
    pub fn of(self, client: &ClientId) -> String {
        match self {
            Self::None => String::new(),
            Self::Member => client.member().to_string(),
            Self::Subsystem => client.to_string(),
        }
    }
}

/// The group in a file name, with a hyphen behind it. Without spaces, because linking information has the name between
/// spaces.
pub(super) fn file_prefix(group: &str) -> String {
    if group.is_empty() {
        return String::new();
    }
    let awkward = |character: char| {
        "\0\\<>/:|*?".contains(character) || character.is_control() || character.is_whitespace()
    };
    let escaped = group.chars().map(|c| if awkward(c) { '_' } else { c });
    escaped.chain(['-']).take(MAX_GROUP).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_members_or_subsystems_and_safe_in_file_names() {
        let client = ClientId::subsystem("EE", "GOV", "1", "sub/../x");
        assert_eq!(Grouping::None.of(&client), "");
        assert_eq!(Grouping::Member.of(&client), "EE/GOV/1");
        assert_eq!(file_prefix(""), "");
        assert_eq!(file_prefix("EE/GOV 1\n"), "EE_GOV_1_-");
        assert!(!file_prefix(&Grouping::Subsystem.of(&client)).contains('/'));
        assert_eq!(file_prefix(&"ä".repeat(300)).chars().count(), MAX_GROUP);
    }
}
