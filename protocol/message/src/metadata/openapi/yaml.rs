//! Descriptions in YAML: read event by event, so that no alias is ever expanded.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::{DescriptionError, check_version, malformed, reduced};
use crate::text::edited;

pub(super) fn hide_servers(text: &str) -> Result<String, DescriptionError> {
    let found = read(text)?;
    if let Some(version) = &found.version {
        check_version(version)?;
    }
    let (mut replacements, mut expected) = (Vec::new(), Vec::new());
    for (url, span) in found.urls {
        match reduced(&url)? {
            Some(replacement) => {
                expected.push(serde_json::from_str(&replacement).map_err(malformed)?);
                replacements.push((span, replacement));
            }
            None => expected.push(Some(url)),
        }
    }
    let spans = in_bytes(text, replacements.iter().map(|(span, _)| span));
    let out = edited(text, spans.zip(replacements.iter().map(|(_, new)| new)));
    // What was cut out must be what was meant: a description with an address left in it is not given out.
    let again = read(&out)?.urls.into_iter().map(|(url, _)| url);
    if again.eq(expected.into_iter().flatten()) {
        Ok(out)
    } else {
        Err(malformed("the servers cannot be rewritten"))
    }
}

/// What a description says that matters here.
#[derive(Debug, Default)]
struct Found {
    /// The last version that it names; in quotes if it is a text.
    version: Option<String>,
    /// URLs of servers and where they stand, in characters.
    urls: Vec<(String, Range<usize>)>,
}

/// A collection that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// The top of a document.
    Top,
    /// The sequence of servers.
    Servers,
    /// One of them.
    Server,
    /// Any other.
    Other,
}

/// What a key of a mapping leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Key {
    Version,
    Servers,
    Url,
    #[default]
    Other,
}

/// Where the reading is.
#[derive(Debug, Default)]
struct Reading {
    /// Open collections; of a mapping whether it waits for a value, and of which key.
    open: Vec<(Open, bool, Option<Key>)>,
    found: Found,
}

fn read(text: &str) -> Result<Found, DescriptionError> {
    let mut reading = Reading::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(malformed)?;
        reading.take(&event, span)?;
    }
    Ok(reading.found)
}

impl Reading {
    fn take(&mut self, event: &Event<'_>, span: Span) -> Result<(), DescriptionError> {
        match event {
            Event::MappingStart(..) => {
                let kind = match self.place() {
                    Place::Root => Open::Top,
                    Place::Item(Open::Servers) => Open::Server,
                    _ => Open::Other,
                };
                self.open.push((kind, true, None));
            }
            Event::SequenceStart(..) => {
                let is_servers = self.place() == Place::Value(Open::Top, Key::Servers);
                let kind = if is_servers { Open::Servers } else { Open::Other };
                self.open.push((kind, false, None));
            }
            Event::MappingEnd | Event::SequenceEnd => {
                self.open.pop();
                self.ended(Key::Other);
            }
            Event::Scalar(value, style, ..) => self.scalar(value, *style, span)?,
            Event::Alias(_) => match self.place() {
                Place::Value(Open::Top, Key::Servers | Key::Version)
                | Place::Item(Open::Servers)
                | Place::Value(Open::Server, Key::Url) => {
                    return Err(malformed("servers are told by an alias"));
                }
                _ => self.ended(Key::Other),
            },
            _ => {}
        }
        Ok(())
    }

    fn scalar(&mut self, value: &str, style: ScalarStyle, span: Span) -> Result<(), DescriptionError> {
        let is_text = style != ScalarStyle::Plain || !is_other_type(value);
        let mut key = Key::Other;
        match self.place() {
            Place::Key(kind) => key = Key::of(kind, value),
            Place::Value(Open::Top, Key::Version) => {
                let quoted = is_text.then(|| format!("\"{value}\""));
                self.found.version = Some(quoted.unwrap_or_else(|| value.to_owned()));
            }
            Place::Value(Open::Server, Key::Url) if is_text => {
                if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
                    return Err(malformed("the URL of a server is a block"));
                }
                let range = span.start.index()..span.end.index();
                self.found.urls.push((value.to_owned(), range));
            }
            _ => {}
        }
        self.ended(key);
        Ok(())
    }

    /// What the next node is.
    fn place(&self) -> Place {
        match self.open.last() {
            None => Place::Root,
            Some((kind, false, _)) => Place::Item(*kind),
            Some((kind, true, None)) => Place::Key(*kind),
            Some((kind, true, Some(key))) => Place::Value(*kind, *key),
        }
    }

    /// A node ended; `key` is what it leads to if it was a key.
    fn ended(&mut self, key: Key) {
        if let Some((_, true, waiting)) = self.open.last_mut() {
            *waiting = match waiting {
                None => Some(key),
                Some(_) => None,
            };
        }
    }
}

/// What a node is in its collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Item(Open),
    Key(Open),
    Value(Open, Key),
}

impl Key {
    fn of(kind: Open, name: &str) -> Self {
        match (kind, name) {
            (Open::Top, "openapi") => Self::Version,
            (Open::Top, "servers") => Self::Servers,
            (Open::Server, "url") => Self::Url,
            _ => Self::Other,
        }
    }
}

/// Whether a plain scalar is nothing, a truth value or a number (YAML 1.2 10.3.2) and so no text.
fn is_other_type(value: &str) -> bool {
    let named = [
        "", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE",
    ];
    named.contains(&value)
        || (value.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
            && value.parse::<f64>().is_ok())
}

/// Ranges in characters as ranges in bytes; they come in their order.
fn in_bytes<'r>(
    text: &str,
    ranges: impl Iterator<Item = &'r Range<usize>>,
) -> impl Iterator<Item = Range<usize>> {
    let mut places = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .enumerate();
    let mut byte_of = move |character: usize| {
        let place = places.find(|(index, _)| *index >= character);
        place.map_or(usize::MAX, |(_, at)| at)
    };
    ranges.map(move |range| {
        let start = byte_of(range.start);
        let end = if range.is_empty() {
            start
        } else {
            byte_of(range.end)
        };
        // The parser counts the white space behind a quote to the scalar.
        let scalar = text.get(start..end).unwrap_or_default().trim_end();
        start..start.saturating_add(scalar.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_urls_of_the_top_servers_change() {
        let text = "# õ kept\nopenapi: 3.0.1\nx: &s [1, 2]\nservers:\n- url: http://inside/v1/cats  # kept\n  description: |\n    url: http://kept\n\
            - { description: \"õ\", url: 'https://inside/''v2' }\n- url: \"http://inside\"\n- url: https://{user}.x:{port}/\n- url:\n- url: null\n\
            -\n  ? url\n  : http://inside/v3\n  ? [a, b]\n  : url\n- *s\n\
            paths:\n  servers:\n  - url: http://kept\n  /a:\n    url: http://kept\n";
        let text = text.replace("- *s\n", "");
        let expected = text
            .replace("http://inside/v1/cats", "\"/v1/cats\"")
            .replace("'https://inside/''v2'", "\"/'v2\"")
            .replace("\"http://inside\"", "\"\"")
            .replace(": http://inside/v3", ": \"/v3\"");
        assert_eq!(hide_servers(&text).unwrap(), expected);
    }

    #[test]
    fn json_and_documents_without_servers_are_yaml_too() {
        let json = "{\"openapi\": \"3.1.0\", \"servers\": [{\"url\": \"http://inside/a%20b\"}]}";
        assert_eq!(
            hide_servers(json).unwrap(),
            json.replace("http://inside/a%20b", "/a b")
        );
        for same in [
            "",
            "a: b\n",
            "text",
            "- a\n",
            "servers: http://kept\n",
            "---\na: b\n---\nc: d\n",
        ] {
            assert_eq!(hide_servers(same).unwrap(), same);
        }
        let two = "servers:\n- url: http://inside/1\n---\nservers:\n- url: http://inside/2\n";
        assert_eq!(
            hide_servers(two).unwrap(),
            two.replace("http://inside/1", "\"/1\"")
                .replace("http://inside/2", "\"/2\"")
        );
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for wrong in [
            "x: &u http://inside\nservers:\n- url: *u\n",
            "x: &u {url: 'http://inside'}\nservers:\n- *u\n",
            "x: &u [{url: 'http://inside'}]\nservers: *u\n",
            "servers:\n- url: |\n    http://inside\n",
            "servers: [",
            "a: b: c",
            "- url: &u http://inside\n  x: *v\n",
            "servers:\n- url: &u http://inside\n  x: *u\n",
        ] {
            assert!(
                matches!(hide_servers(wrong), Err(DescriptionError::Malformed(_))),
                "{wrong}"
            );
        }
        for old in [
            "openapi: 2.0.0\n",
            "openapi: 3.1\n",
            "openapi: \"2.0\"\n",
            "openapi:\n",
        ] {
            assert!(
                matches!(hide_servers(old), Err(DescriptionError::Version(_))),
                "{old}"
            );
        }
        let url = hide_servers("servers:\n- url: http://a b/\n").unwrap_err();
        assert_eq!(url, DescriptionError::Url("http://a b/".into()));
    }

    #[test]
    fn aliases_are_never_expanded() {
        let mut laughs = String::from("a0: &a0 [x, x]\n");
        for n in 1..40 {
            laughs.push_str(&format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1));
        }
        assert_eq!(hide_servers(&laughs).unwrap(), laughs);
    }

    proptest::proptest! {
        #[test]
        fn hostile_descriptions_never_panic_and_keep_no_address(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "servers", ":", " ", "\n", "- ", "url", "http://inside", "{", "}", "[", "]", ",", "'", "\"", "&a ", "*a", "|", ">",
                "#", "? ", "openapi: 3.0.0\n", "servers:\n- url: ", "  ", "\t", "õ", "---\n", "!t ", "%",
            ]), 0..25)
        ) {
            let _ = hide_servers(&pieces.concat());
        }
    }
}
