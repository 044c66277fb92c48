//! From bytes to text. As in the reference the byte order mark and the XML declaration decide; the `charset` of the
//! content type does not.

use super::SoapError;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::borrow::Cow;

/// How far the encoding is looked for in the XML declaration, in bytes.
const DECLARATION_LIMIT: usize = 256;

/// Decodes a document; a byte order mark is left out.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, SoapError> {
    let (encoding, mark) = match Encoding::for_bom(bytes) {
        Some(found) => found,
        None => (declared_encoding(bytes)?, 0),
    };
    let content = bytes.get(mark..).unwrap_or_default();
    let failed = || SoapError::Encoding(encoding.name().to_owned());
    if encoding == UTF_8 {
        return std::str::from_utf8(content)
            .map(Cow::Borrowed)
            .map_err(|_| failed());
    }
    encoding
        .decode_without_bom_handling_and_without_replacement(content)
        .ok_or_else(failed)
}

/// Whether the bytes are UTF-8, with or without a byte order mark.
pub(super) fn is_utf8(bytes: &[u8]) -> bool {
    match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding == UTF_8,
        None => declared_encoding(bytes).is_ok_and(|encoding| encoding == UTF_8),
    }
}

/// The encoding in the XML declaration, UTF-8 if there is none.
fn declared_encoding(bytes: &[u8]) -> Result<&'static Encoding, SoapError> {
    let Some(label) = declared_label(bytes) else {
        return Ok(UTF_8);
    };
    Encoding::for_label(label)
        .filter(|encoding| *encoding != UTF_16BE && *encoding != UTF_16LE)
        .ok_or_else(|| SoapError::Encoding(String::from_utf8_lossy(label).into_owned()))
}

/// The value of `encoding` in `<?xml ... ?>`. An instruction such as `<?xml-stylesheet ... ?>` is no declaration.
fn declared_label(bytes: &[u8]) -> Option<&[u8]> {
    let head = bytes
        .get(..bytes.len().min(DECLARATION_LIMIT))?
        .strip_prefix(b"<?xml")
        .filter(|head| head.first().is_some_and(u8::is_ascii_whitespace))?;
    let declaration = head.get(..memchr::memmem::find(head, b"?>")?)?;
    let name = memchr::memmem::find(declaration, b"encoding")?;
    let after = declaration.get(name.checked_add(b"encoding".len())?..)?;
    let value = after.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (quote, value) = value.split_first()?;
    value.get(..memchr::memchr(*quote, value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_and_declaration_decide() {
        assert_eq!(decode("ä".as_bytes()).unwrap(), "ä");
        assert_eq!(decode(b"\xEF\xBB\xBF<a/>").unwrap(), "<a/>");
        assert_eq!(decode(b"\xFF\xFE<\0a\0").unwrap(), "<a");
        let latin = b"<?xml version='1.0' encoding = 'ISO-8859-1'?><a>\xE4</a>";
        assert!(decode(latin).unwrap().ends_with("<a>ä</a>"));
        assert!(!is_utf8(latin));
        assert!(is_utf8(b"<?xml version=\"1.0\" encoding=\"utf-8\"?>"));
    }

    #[test]
    fn an_instruction_declares_no_encoding() {
        let text = "<?xml-stylesheet encoding='ISO-8859-1'?><a>ä</a>";
        assert!(is_utf8(text.as_bytes()));
        assert_eq!(decode(text.as_bytes()).unwrap(), text);
    }

    #[test]
    fn what_cannot_be_decoded_is_refused() {
        for wrong in [
            &b"\xE4"[..],
            b"\xEF\xBB\xBF\xE4",
            b"<?xml version='1.0' encoding='no-such'?>",
            b"<?xml version='1.0' encoding='UTF-16'?>",
            b"\xFF\xFE\x00\xD8",
        ] {
            assert!(matches!(decode(wrong), Err(SoapError::Encoding(_))), "{wrong:?}");
        }
    }
}
