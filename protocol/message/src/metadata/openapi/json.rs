//! Descriptions in JSON.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{DescriptionError, check_version, malformed, reduced};
use crate::text::edited;
use crate::transport::range_within;

pub(super) fn hide_servers(text: &str) -> Result<String, DescriptionError> {
    let members: Members<'_> = serde_json::from_str(text).map_err(malformed)?;
    for version in members.named("openapi") {
        check_version(version.get())?;
    }
    let mut replacements = Vec::new();
    for servers in members
        .named("servers")
        .filter(|value| value.get().starts_with('['))
    {
        let servers: Vec<&RawValue> = serde_json::from_str(servers.get()).map_err(malformed)?;
        for server in servers.into_iter().filter(|value| value.get().starts_with('{')) {
            let server: Members<'_> = serde_json::from_str(server.get()).map_err(malformed)?;
            for url in server.named("url").filter(|value| value.get().starts_with('"')) {
                let value: String = serde_json::from_str(url.get()).map_err(malformed)?;
                let range = range_within(text.as_bytes(), url.get().as_bytes());
                if let Some(replacement) = reduced(&value)? {
                    let range = range.ok_or_else(|| malformed("a URL is elsewhere"))?;
                    replacements.push((range, replacement));
                }
            }
        }
    }
    Ok(edited(text, replacements))
}

/// The members of an object that matter here, in their order and with repetitions; none of a value that is no object.
#[derive(Debug, Default)]
struct Members<'t>(Vec<(&'static str, &'t RawValue)>);

/// Names of members that matter.
const NAMES: [&str; 3] = ["openapi", "servers", "url"];

impl<'t> Members<'t> {
    fn named(&self, name: &str) -> impl Iterator<Item = &'t RawValue> {
        self.0
            .iter()
            .filter(move |(found, _)| *found == name)
            .map(|(_, value)| *value)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::default();
        while let Some(name) = map.next_key::<String>()? {
            match NAMES.into_iter().find(|known| *known == name) {
                Some(known) => members.0.push((known, map.next_value()?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_urls_of_the_top_servers_change() {
        let text = r#"{ "openapi" : "3.0.1", "paths": {"servers": [{"url": "http://kept/x"}], "/a": 1.50},
  "servers": [ {"description": "\ud83d\ude00", "url": "https:\/\/inside:8080\/v2"},
    {"url": "https://{user}.example:{port}/{base}"}, {"url": "http://inside"}, {"url": null}, {}, 7,
    {"url": "mailto:x", "url": "/v3"} ], "x\u0073": [] }"#;
        let expected = text
            .replace(r#""https:\/\/inside:8080\/v2""#, r#""/v2""#)
            .replace(r#""http://inside""#, r#""""#)
            .replace(r#""mailto:x""#, "null");
        assert_eq!(hide_servers(text).unwrap(), expected);
        for same in [
            "{}",
            r#"{"servers": {"url": "http://x"}}"#,
            r#"{"servers": "http://x"}"#,
        ] {
            assert_eq!(hide_servers(same).unwrap(), same);
        }
    }

    #[test]
    fn a_member_may_be_written_with_escapes() {
        let text = r#"{"s\u0065rvers": [{"\u0075rl": "http://inside/v1"}]}"#;
        assert_eq!(
            hide_servers(text).unwrap(),
            text.replace("http://inside/v1", "/v1")
        );
    }

    #[test]
    fn other_versions_and_other_documents_are_refused() {
        let version = hide_servers(r#"{"openapi": "2.0"}"#).unwrap_err();
        assert!(
            version.to_string().ends_with("document is of version \"2.0\""),
            "{version}"
        );
        assert!(matches!(
            hide_servers(r#"{"openapi": 3.1}"#),
            Err(DescriptionError::Version(_))
        ));
        let url = hide_servers(r#"{"servers": [{"url": "http://a b/"}]}"#).unwrap_err();
        assert_eq!(url.to_string(), "Can't parse url string: http://a b/");
        for wrong in ["", "{", "[]", "<html/>", "{} {}", "{\"servers\": [}"] {
            assert!(
                matches!(hide_servers(wrong), Err(DescriptionError::Malformed(_))),
                "{wrong}"
            );
        }
        let deep = format!(
            "{{\"x\": {}{}, \"servers\": []}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        let _ = hide_servers(&deep);
    }
}
