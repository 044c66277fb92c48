//! The file that says which keys a member's archives are encrypted for (`archive-encryption-keys-config`).
//!
//! Lines `INSTANCE/CLASS/CODE = KEY`; a member may have several. `\=` is an equals sign in an identifier, `\#` a hash
//! sign; lines that begin with `#` are comments.

use std::collections::{BTreeMap, BTreeSet};

/// Keys by member.
pub(super) type Mapping = BTreeMap<String, BTreeSet<String>>;

/// Reads the mapping; lines that are none are told and left out, as the reference does.
pub(super) fn parse(text: &str) -> Mapping {
    let mut mapping = Mapping::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        match entry(line) {
            Some((member, key)) => {
                mapping.entry(member).or_default().insert(key);
            }
            None => tracing::warn!(
                line = index + 1,
                "this line maps no member to a key and is left out"
            ),
        }
    }
    mapping
}

fn entry(line: &str) -> Option<(String, String)> {
    let split = line
        .match_indices('=')
        .find(|(at, _)| !line.get(..*at).is_some_and(|before| before.ends_with('\\')))?;
    let member = line.get(..split.0)?.trim();
    let key = line.get(split.0 + 1..)?.trim();
    if member.is_empty() || key.is_empty() {
        return None;
    }
    Some((member.replace("\\=", "=").replace("\\#", "#"), key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_several_keys_and_escapes_are_undone() {
        let text = "# comment\n\nEE/GOV/1 = AAAA\nEE/GOV/1=BBBB\nEE/COM/a\\=b = = key of # b\n\\#EE/X/1 = C\nnonsense\n = D\nEE/X/2 =\n";
        let mapping = parse(text);
        let keys = |member: &str| {
            mapping
                .get(member)
                .map(|keys| keys.iter().cloned().collect::<Vec<_>>())
        };
        assert_eq!(keys("EE/GOV/1").unwrap(), ["AAAA", "BBBB"]);
        assert_eq!(keys("EE/COM/a=b").unwrap(), ["= key of # b"]);
        assert_eq!(keys("#EE/X/1").unwrap(), ["C"]);
        assert_eq!(mapping.len(), 3);
    }
}
