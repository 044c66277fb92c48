//! Descriptions of services as information systems give them, and taking addresses out of them (features.md 5): WSDL, and
//! OpenAPI in both notations.

use percent_encoding::percent_decode_str;
use protocol_message::metadata::openapi::{self, Notation};
use protocol_message::soap;
use saphyr_parser::{Event, Parser};

/// What stands in place of an address.
const HIDDEN: &str = "http://hidden.example/";

/// Acceptable is a WSDL or an OpenAPI description, in one notation or the other.
pub fn check(data: &[u8]) -> bool {
    let wsdl = soap::hide_endpoints(data, HIDDEN);
    if let Ok(hidden) = &wsdl {
        check_wsdl(data, hidden);
    }
    let json = openapi::hide_servers(data, Notation::Json);
    let yaml = openapi::hide_servers(data, Notation::Yaml);
    let text = std::str::from_utf8(data).unwrap_or_default();
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if let Ok(hidden) = &json {
        check_json(text, hidden);
    }
    if let Ok(hidden) = &yaml {
        check_yaml(text, hidden);
    }
    if let (Ok(json), Ok(yaml)) = (&json, &yaml) {
        assert_eq!(json, yaml, "JSON is YAML, too");
    }
    wsdl.is_ok() || json.is_ok() || yaml.is_ok()
}

/// Asserts that no address is left, and that the result does not depend on what takes its place.
fn check_wsdl(data: &[u8], hidden: &[u8]) {
    let again = soap::hide_endpoints(hidden, HIDDEN);
    assert_eq!(again.as_deref(), Ok(hidden), "hidden again");
    let text = String::from_utf8_lossy(hidden);
    let other = soap::hide_endpoints(data, "");
    assert!(other.is_ok(), "refused with another replacement");
    let other = other.unwrap_or_default();
    let other = String::from_utf8_lossy(&other);
    // Without the addresses both are the same, unless the description itself names our replacement.
    assert_eq!(text.replace(HIDDEN, ""), other.replace(HIDDEN, ""));
}

/// Asserts that the URLs of the top servers are paths, and that nothing else changed.
fn check_json(text: &str, hidden: &str) {
    let before = serde_json::from_str::<serde_json::Value>(text);
    let after = serde_json::from_str::<serde_json::Value>(hidden);
    let (Ok(mut before), Ok(mut after)) = (before, after) else {
        // Numbers and nesting beyond what a value can hold are passed on unread.
        return;
    };
    let servers = |document: &mut serde_json::Value| {
        let servers = document.get_mut("servers").map(serde_json::Value::take);
        servers.unwrap_or_default()
    };
    let (old, new) = (servers(&mut before), servers(&mut after));
    assert_eq!(before, after, "more than the servers changed");
    let all = |servers: &serde_json::Value| servers.as_array().cloned().unwrap_or_default();
    let (old, new) = (all(&old), all(&new));
    assert_eq!(old.len(), new.len());
    for (old, new) in old.iter().zip(&new) {
        if let Some(url) = old.get("url").and_then(|url| url.as_str()) {
            let new = new.get("url").unwrap_or(&serde_json::Value::Null);
            check_url(url, new.as_str());
        }
    }
}

/// Asserts that a reader of YAML meets the same, but for paths in place of URLs.
fn check_yaml(text: &str, hidden: &str) {
    let (before, after) = (events(text), events(hidden));
    assert_eq!(before.len(), after.len(), "{text:?} became {hidden:?}");
    for (before, after) in before.iter().zip(&after) {
        match (before, after) {
            (Event::Scalar(old, ..), Event::Scalar(new, ..)) if before != after => {
                check_url(old, (new != "null").then_some(new.as_ref()));
            }
            _ => assert_eq!(before, after),
        }
    }
}

fn events(text: &str) -> Vec<Event<'_>> {
    let events: Result<Vec<_>, _> = Parser::new_from_str(text).collect();
    assert!(events.is_ok(), "{text:?} was accepted and is no YAML");
    let events = events.unwrap_or_default();
    events.into_iter().map(|(event, _)| event).collect()
}

/// Asserts that a URL was reduced to its path, said in another way than the code does it.
fn check_url(url: &str, path: Option<&str>) {
    if url.contains('{') && url.contains('}') {
        assert_eq!(Some(url), path, "a URL with variables changed");
        return;
    }
    let Some(rest) = ["http://", "https://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
    else {
        return;
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let expected = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default();
    let expected = percent_decode_str(expected).decode_utf8_lossy();
    assert_eq!(path, Some(expected.as_ref()), "{url:?}");
}
