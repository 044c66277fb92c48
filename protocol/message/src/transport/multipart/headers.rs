//! Header blocks of parts.

use std::borrow::Cow;

use crate::rest::{BODY_CONTENT_TYPE, REQUEST_CONTENT_TYPE, RESPONSE_CONTENT_TYPE};
use crate::transport::{TransportError, mime};

/// Most header lines of a part (the reference's parser has the same limit).
pub const MAX_HEADERS: usize = 1000;
/// Longest header line in bytes (the reference's parser has the same limit).
pub const MAX_HEADER_LINE: usize = 10_000;
/// Largest header block of a part in bytes.
pub const MAX_HEADER_BLOCK: usize = 64 * 1024;

/// What the content type of a part is unless an information system chose it.
const USUAL: [&str; 10] = [
    mime::OCSP_RESPONSE,
    REQUEST_CONTENT_TYPE,
    RESPONSE_CONTENT_TYPE,
    BODY_CONTENT_TYPE,
    mime::HASH_CHAIN_RESULT,
    mime::HASH_CHAIN,
    mime::SIGNATURE,
    mime::TEXT_XML,
    mime::TEXT_XML_UTF8,
    mime::FAULT,
];

/// The headers of a part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartHeaders {
    /// Value of `Content-Type`, the last one if there are several.
    pub content_type: Option<Cow<'static, str>>,
    /// All other headers in order, names as received.
    pub others: Vec<(String, String)>,
}

impl PartHeaders {
    /// Headers with a content type only.
    pub fn with_content_type(content_type: impl Into<Cow<'static, str>>) -> Self {
        Self {
            content_type: Some(content_type.into()),
            others: Vec::new(),
        }
    }

    /// The first value of a header other than `Content-Type`, its name in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.others
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Reads the block that nearly every part of the transport message has: nothing but one of the usual content types.
    /// Gives it, and what follows behind its empty line.
    fn parse_usual(input: &[u8]) -> Option<(Self, &[u8])> {
        const NAME: &[u8] = b"content-type:";
        let (name, rest) = input.split_at_checked(NAME.len())?;
        if !name.eq_ignore_ascii_case(NAME) {
            return None;
        }
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let (value, rest) = rest.split_at(memchr::memchr(b'\r', rest)?);
        let rest = rest.strip_prefix(b"\r\n\r\n")?;
        let usual = USUAL.into_iter().find(|usual| usual.as_bytes() == value)?;
        Some((Self::with_content_type(usual), rest))
    }

    fn parse(block: &[u8]) -> Result<Self, TransportError> {
        let mut headers = Self::default();
        for line in unfold(block)? {
            let (name, value) = line.split_once(':').ok_or(TransportError::MalformedHeader)?;
            let name = name.trim_end_matches([' ', '\t']);
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(TransportError::MalformedHeader);
            }
            let value = value.trim_matches([' ', '\t']).to_owned();
            if name.eq_ignore_ascii_case("content-type") {
                headers.content_type = Some(value.into());
            } else {
                headers.others.push((name.to_owned(), value));
            }
        }
        Ok(headers)
    }
}

/// Lines as ISO-8859-1 text; a line that starts with white space continues the one before (RFC 5322 2.2.3).
fn unfold(block: &[u8]) -> Result<Vec<String>, TransportError> {
    let mut lines: Vec<String> = Vec::new();
    for line in block.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        if line
            .iter()
            .any(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7F)
        {
            return Err(TransportError::MalformedHeader);
        }
        let text = line.iter().map(|byte| char::from(*byte));
        match lines
            .last_mut()
            .filter(|_| line.starts_with(b" ") || line.starts_with(b"\t"))
        {
            Some(last) => last.extend(text),
            None => lines.push(text.collect()),
        }
    }
    Ok(lines)
}

/// A header block that is still being received.
#[derive(Debug, Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    line_start: usize,
    lines: usize,
}

impl Block {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes bytes up to the empty line; gives the headers when it was met.
    pub(super) fn feed(&mut self, input: &mut &[u8]) -> Result<Option<PartHeaders>, TransportError> {
        if let Some((headers, rest)) = PartHeaders::parse_usual(input).filter(|_| self.is_empty()) {
            *input = rest;
            return Ok(Some(headers));
        }
        while let Some(end) = memchr::memchr(b'\n', input) {
            let (line, rest) = input.split_at(end.saturating_add(1));
            self.push(line)?;
            *input = rest;
            let complete = self.bytes.get(self.line_start..).unwrap_or_default();
            if matches!(complete, b"\n" | b"\r\n") {
                let headers = PartHeaders::parse(&self.bytes);
                *self = Self::default();
                return headers.map(Some);
            }
            self.end_line()?;
        }
        self.push(input)?;
        *input = &[];
        Ok(None)
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        self.bytes.extend_from_slice(bytes);
        bounded(
            "part header line",
            self.bytes.len().saturating_sub(self.line_start),
            MAX_HEADER_LINE,
        )?;
        bounded("part header", self.bytes.len(), MAX_HEADER_BLOCK)
    }

    fn end_line(&mut self) -> Result<(), TransportError> {
        self.line_start = self.bytes.len();
        self.lines = self.lines.saturating_add(1);
        bounded("number of part headers", self.lines, MAX_HEADERS)
    }
}

fn bounded(what: &'static str, size: usize, limit: usize) -> Result<(), TransportError> {
    if size > limit {
        Err(TransportError::TooLarge { what, limit })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PartHeaders, TransportError> {
        let mut block = Block::default();
        let mut input = text.as_bytes();
        block.feed(&mut input).map(|headers| headers.expect("complete"))
    }

    #[test]
    fn reads_folded_headers_with_any_line_end() {
        let headers =
            parse("content-type:text/xml;\r\n\tcharset=UTF-8\nX-A :  b \r\nX-A: c\r\n\r\n").unwrap();
        assert_eq!(headers.content_type.as_deref(), Some("text/xml;\tcharset=UTF-8"));
        assert_eq!(headers.get("x-a"), Some("b"));
        assert_eq!(headers.others.len(), 2);
        assert_eq!(parse("\r\n").unwrap(), PartHeaders::default());
    }

    proptest::proptest! {
        #[test]
        fn a_usual_block_is_read_as_any_other_is(
            name in "[Cc]ontent-[Tt]ype",
            before in "[ \t]{0,2}",
            value in proptest::sample::select(&USUAL[..]),
            after in "[ \t;]{0,1}",
            end in "\r?\n\r?\n|\r\n",
            cut in 0_usize..40,
        ) {
            let text = format!("{name}:{before}{value}{after}{end}body");
            let at_once = parse_with_rest(&[text.as_bytes()]);
            let (one, two) = text.as_bytes().split_at(cut.min(text.len()));
            proptest::prop_assert_eq!(&at_once, &parse_with_rest(&[one, two]));
            if let (Ok(Some(headers)), _) = &at_once {
                proptest::prop_assert_eq!(headers, &PartHeaders::parse(text.strip_suffix("body").unwrap().as_bytes()).unwrap());
            }
        }
    }

    /// The headers of a block that comes in pieces, and how many bytes are left behind it.
    fn parse_with_rest(pieces: &[&[u8]]) -> (Result<Option<PartHeaders>, TransportError>, usize) {
        let (mut block, mut headers, mut left) = (Block::default(), Ok(None), 0);
        for piece in pieces {
            let mut input = *piece;
            if matches!(headers, Ok(None)) {
                headers = block.feed(&mut input);
            }
            left += input.len();
        }
        (headers, left)
    }

    #[test]
    fn refuses_what_is_no_header() {
        for wrong in [
            "abc\r\n\r\n",
            ":x\r\n\r\n",
            "a b: c\r\n\r\n",
            "a: b\u{1}\r\n\r\n",
            " a b\r\n\r\n",
        ] {
            assert_eq!(parse(wrong), Err(TransportError::MalformedHeader), "{wrong:?}");
        }
    }

    #[test]
    fn bounds_lines_and_blocks() {
        let too_large = |text: String| matches!(parse(&text), Err(TransportError::TooLarge { .. }));
        assert!(!too_large(format!(
            "a: {}\r\n\r\n",
            "x".repeat(MAX_HEADER_LINE - 10)
        )));
        assert!(too_large(format!("a: {}\r\n\r\n", "x".repeat(MAX_HEADER_LINE))));
        assert!(too_large("a: b\r\n".repeat(MAX_HEADERS + 1) + "\r\n"));
        assert!(too_large(
            format!("a: {}\r\n", "x".repeat(9000)).repeat(8) + "\r\n"
        ));
    }
}
