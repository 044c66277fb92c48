//! Headers of a REST part: `Name:Value` lines.

use super::RestError;
use bytes::Bytes;
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

/// One header of a part, its name in the case in which it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Name, a token of RFC 9110 5.6.2.
    pub name: &'a str,
    /// Value; each character up to U+00FF stands for one byte of the HTTP header ([`to_http_value`]).
    pub value: &'a str,
}

impl<'a> Header<'a> {
    /// A line of a received part.
    pub(super) fn from_line(line: &'a str) -> Result<Self, RestError> {
        let (name, value) = line.split_once(':').ok_or(RestError::InvalidHeader)?;
        if is_skipped_header(name) {
            return Err(RestError::SkippedHeader(name.to_owned()));
        }
        check(name, value.as_bytes())?;
        Ok(Self { name, value })
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
        for piece in [self.name, ":", self.value, "\r\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
    }
}

/// The name must be a token, and the value hold no control characters other than a tab.
pub(super) fn check(name: &str, value: &[u8]) -> Result<(), RestError> {
    let is_token = !name.is_empty() && name.bytes().all(is_token_byte);
    let is_text = value
        .iter()
        .all(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7F));
    if is_token && is_text {
        Ok(())
    } else {
        Err(RestError::InvalidHeader)
    }
}

/// A header as an HTTP message has it, still shared with the part that it stands in.
pub(super) fn shared(part: &Bytes, header: Header<'_>) -> (Bytes, Bytes) {
    let value = match to_http_value(header.value) {
        Cow::Borrowed(value) => part.slice_ref(value),
        Cow::Owned(value) => value.into(),
    };
    (part.slice_ref(header.name.as_bytes()), value)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_bytes_that_are_latin1_go_back_as_they_came() {
        assert_eq!(to_http_value("aä").as_ref(), [b'a', 0xE4]);
        assert_eq!(to_http_value("€").as_ref(), "€".as_bytes());
    }

    #[test]
    fn a_header_of_a_part_must_be_one_that_travels() {
        assert_eq!(Header::from_line("a\u{0}:b"), Err(RestError::InvalidHeader));
        assert_eq!(
            Header::from_line("Host:x"),
            Err(RestError::SkippedHeader("Host".into()))
        );
        assert!(Header::from_line("Accept:x").is_ok());
    }
}
