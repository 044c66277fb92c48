//! Headers of a REST part: `Name:Value` lines.

use super::{MAX_HEADERS, RestError};
use std::borrow::Cow;

/// Headers that never travel between servers; in a received part their presence is an error (wire.md 1.4).
pub const SKIPPED_HEADERS: [&str; 13] = [
    "transfer-encoding",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "upgrade",
    "connection",
    "user-agent",
    "host",
    "content-length",
    "server",
    "expect",
];

/// Whether `name` is one of [`SKIPPED_HEADERS`].
#[must_use]
pub fn is_skipped_header(name: &str) -> bool {
    SKIPPED_HEADERS
        .iter()
        .any(|skipped| name.eq_ignore_ascii_case(skipped))
}

/// One header, its name in the case in which it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Name, a token of RFC 9110 5.6.2.
    pub name: String,
    /// Value; each character up to U+00FF stands for one byte of the HTTP header ([`to_http_value`]).
    pub value: String,
}

impl Header {
    /// A header of ours.
    pub(super) fn new(name: &str, value: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            value: value.into(),
        }
    }

    /// A header as an HTTP message has it: the value's bytes are read as ISO-8859-1, as the reference does.
    ///
    /// # Errors
    /// When the name is no token or the value holds control characters other than a tab.
    pub(super) fn from_http(name: &str, value: &[u8]) -> Result<Self, RestError> {
        Self::checked(name, value.iter().map(|byte| char::from(*byte)).collect())
    }

    /// A line of a received part.
    pub(super) fn from_line(line: &str) -> Result<Self, RestError> {
        let (name, value) = line.split_once(':').ok_or(RestError::InvalidHeader)?;
        if is_skipped_header(name) {
            return Err(RestError::SkippedHeader(name.to_owned()));
        }
        Self::checked(name, value.to_owned())
    }

    fn checked(name: &str, value: String) -> Result<Self, RestError> {
        let is_token = !name.is_empty() && name.bytes().all(is_token_byte);
        let is_text = value
            .bytes()
            .all(|byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7F));
        if is_token && is_text {
            Ok(Self {
                name: name.to_owned(),
                value,
            })
        } else {
            Err(RestError::InvalidHeader)
        }
    }

    /// Whether this is the header `name`, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    pub(super) fn is_x_road(&self) -> bool {
        self.name
            .get(..7)
            .is_some_and(|start| start.eq_ignore_ascii_case("x-road-"))
    }

    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        for piece in [self.name.as_str(), ":", &self.value, "\r\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
    }
}

/// The bytes that a header value has in an HTTP message: ISO-8859-1 where every character fits, else UTF-8.
#[must_use]
pub fn to_http_value(value: &str) -> Cow<'_, [u8]> {
    if value.is_ascii() {
        return Cow::Borrowed(value.as_bytes());
    }
    let latin1: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    latin1.map_or(Cow::Borrowed(value.as_bytes()), Cow::Owned)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Collects headers up to the bound.
pub(super) fn collect(
    headers: impl Iterator<Item = Result<Header, RestError>>,
) -> Result<Vec<Header>, RestError> {
    let mut out = Vec::new();
    for header in headers {
        if out.len() >= MAX_HEADERS {
            return Err(RestError::TooLarge);
        }
        out.push(header?);
    }
    Ok(out)
}

/// The last value of the header `name`: with duplicates the last wins (wire.md 1.4).
pub(super) fn last<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .rev()
        .find(|header| header.is(name))
        .map(|header| header.value.as_str())
}

/// Lines of a part, ended by CR, LF or CRLF, the last one with or without an end.
pub(super) fn lines(part: &[u8]) -> Result<impl Iterator<Item = &str>, RestError> {
    if part.len() > super::MAX_PART_LENGTH {
        return Err(RestError::TooLarge);
    }
    let mut rest = std::str::from_utf8(part).map_err(|_| RestError::NotUtf8)?;
    Ok(std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, after) = rest.split_once(['\r', '\n']).unwrap_or((rest, ""));
        let ended_by_cr = rest.as_bytes().get(line.len()) == Some(&b'\r');
        rest = if ended_by_cr {
            after.strip_prefix('\n').unwrap_or(after)
        } else {
            after
        };
        Some(line)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_any_way() {
        let all: Vec<&str> = lines(b"a\r\nb\nc\rd\r\n\r\ne").unwrap().collect();
        assert_eq!(all, ["a", "b", "c", "d", "", "e"]);
        assert_eq!(lines(b"a\r\n").unwrap().collect::<Vec<_>>(), ["a"]);
        assert_eq!(lines(b"").unwrap().count(), 0);
    }

    #[test]
    fn header_bytes_are_latin1() {
        let header = Header::from_http("X", &[b'a', 0xE4]).unwrap();
        assert_eq!(header.value, "aä");
        assert_eq!(to_http_value(&header.value).as_ref(), [b'a', 0xE4]);
        assert_eq!(to_http_value("€").as_ref(), "€".as_bytes());
    }

    #[test]
    fn a_header_cannot_inject_another() {
        assert_eq!(Header::from_http("X", b"a\r\nY:b"), Err(RestError::InvalidHeader));
        assert_eq!(Header::from_http("X Y", b"a"), Err(RestError::InvalidHeader));
        assert_eq!(Header::from_line("a\u{0}:b"), Err(RestError::InvalidHeader));
        assert_eq!(
            Header::from_line("Host:x"),
            Err(RestError::SkippedHeader("Host".into()))
        );
        assert!(Header::from_line("Accept:x").is_ok());
    }
}
