//! Percent-encoding of path segments, strict both ways (RFC 3986 3.3, wire.md 1.4).

use std::borrow::Cow;

/// Why a text is not a percent-encoded path segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    /// `%` is not followed by two hexadecimal digits.
    #[error("incomplete or invalid percent-encoding")]
    Escape,
    /// A character that a path segment cannot hold unescaped (including every non-ASCII one).
    #[error("character not allowed in a path segment")]
    Character,
    /// The decoded bytes are not UTF-8.
    #[error("decoded bytes are not UTF-8")]
    NotUtf8,
}

/// Decodes one path segment: `pchar` only, `+` is literal, the result must be UTF-8.
///
/// # Errors
/// When a character is not a `pchar`, an escape is incomplete or the result is not UTF-8.
pub fn decode_segment(segment: &str) -> Result<Cow<'_, str>, PercentError> {
    decode(segment, false)
}

/// Decodes a whole path; `/` stays, `%2F` becomes `/` as well.
///
/// # Errors
/// As [`decode_segment`].
pub fn decode_path(path: &str) -> Result<Cow<'_, str>, PercentError> {
    decode(path, true)
}

fn decode(text: &str, separators: bool) -> Result<Cow<'_, str>, PercentError> {
    if text.bytes().all(|byte| is_unescaped(byte, separators)) {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = bytes.next().and_then(hex_value).ok_or(PercentError::Escape)?;
            let low = bytes.next().and_then(hex_value).ok_or(PercentError::Escape)?;
            out.push(high << 4 | low);
        } else if is_unescaped(byte, separators) {
            out.push(byte);
        } else {
            return Err(PercentError::Character);
        }
    }
    String::from_utf8(out)
        .map(Cow::Owned)
        .map_err(|_| PercentError::NotUtf8)
}

fn is_unescaped(byte: u8, separators: bool) -> bool {
    is_pchar(byte) || (separators && byte == b'/')
}

/// `pchar` without escapes (RFC 3986 3.3): unreserved, sub-delims, `:` and `@`.
fn is_pchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

fn hex_value(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// Appends one encoded path segment: every byte that is not a `pchar` becomes `%XX` with upper-case digits.
pub fn encode_segment_into(segment: &str, out: &mut String) {
    for byte in segment.bytes() {
        if is_pchar(byte) {
            out.push(char::from(byte));
        } else {
            push_escape(byte, out);
        }
    }
}

/// Encodes one path segment ([`encode_segment_into`]).
#[must_use]
pub fn encode_segment(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    encode_segment_into(segment, &mut out);
    out
}

fn push_escape(byte: u8, out: &mut String) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    out.push('%');
    for digit in [byte >> 4, byte & 0x0F] {
        out.extend(DIGITS.get(usize::from(digit)));
    }
}

/// Escapes the two characters that would make the plain form ambiguous.
pub(super) fn escape_plain(component: &str) -> Cow<'_, str> {
    if component.contains(['/', '%']) {
        Cow::Owned(component.replace('%', "%25").replace('/', "%2F"))
    } else {
        Cow::Borrowed(component)
    }
}

/// Reverses [`escape_plain`]; any other `%` is literal.
pub(super) fn unescape_plain(component: &str) -> Cow<'_, str> {
    if component.contains('%') {
        Cow::Owned(
            component
                .replace("%2F", "/")
                .replace("%2f", "/")
                .replace("%25", "%"),
        )
    } else {
        Cow::Borrowed(component)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_segments_strictly() {
        assert_eq!(decode_segment("s%2Fub").unwrap(), "s/ub");
        assert_eq!(decode_segment("%C3%B6%c3%a4%C3%A5").unwrap(), "öäå");
        assert_eq!(decode_segment("a+b").unwrap(), "a+b");
        assert_eq!(decode_segment("a/b"), Err(PercentError::Character));
        assert_eq!(decode_segment("a b"), Err(PercentError::Character));
        assert_eq!(decode_segment("ö"), Err(PercentError::Character));
        for incomplete in ["%", "%2", "a%zz", "%2%2F"] {
            assert_eq!(
                decode_segment(incomplete),
                Err(PercentError::Escape),
                "{incomplete}"
            );
        }
        assert_eq!(decode_segment("%FF"), Err(PercentError::NotUtf8));
    }

    #[test]
    fn encodes_what_a_segment_cannot_hold() {
        assert_eq!(encode_segment("a/b ö%+:@"), "a%2Fb%20%C3%B6%25+:@");
    }

    #[test]
    fn plain_escapes_are_lossless() {
        for text in ["a/b", "%2F", "%252F", "100%", "%%2f25"] {
            assert_eq!(unescape_plain(&escape_plain(text)), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn encode_then_decode_gives_the_text_back(text in ".*") {
            let encoded = encode_segment(&text);
            proptest::prop_assert_eq!(decode_segment(&encoded).unwrap(), text.as_str());
            let escaped = escape_plain(&text);
            proptest::prop_assert_eq!(unescape_plain(&escaped), text.as_str());
        }

        #[test]
        fn decoding_never_panics(text in "[%0-9a-fA-F/ -~ö]{0,40}") {
            let _ = decode_segment(&text);
            let _ = decode_path(&text);
        }
    }
}
