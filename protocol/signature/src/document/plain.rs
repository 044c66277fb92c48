//! Canonical forms of elements of documents in our own layout, made from their text.
//!
//! Canonicalising by the library takes most of the time of reading a document. In a document as our template has it, with
//! namespaces declared on the root and nowhere else, the inclusive canonical form of an element is its text with these
//! namespaces repeated and empty elements written in full. Whatever is not exactly so is left to the library; tests compare
//! the two.

use super::template;

/// Text of a document that is in the layout as far as all its elements are concerned: it begins like ours, and there are no
/// other declarations of namespaces, attributes of the namespace `xml`, comments, CDATA sections or processing instructions.
pub(super) struct Plain<'a>(&'a str);

impl<'a> Plain<'a> {
    /// The text of a well-formed document, if it is in the layout.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let rest = std::str::from_utf8(bytes).ok()?.strip_prefix(template::HEADER)?;
        let rest = rest.strip_prefix('<')?.strip_prefix(template::ROOT)?;
        let rest = rest.strip_prefix(template::NAMESPACES)?.strip_prefix('>')?;
        let other = ["<!", "<?", "xmlns", "xml:"]
            .iter()
            .any(|other| rest.contains(other));
        (!other).then_some(Self(rest))
    }

    /// The inclusive canonical form of the only element with this qualified name, which must be in the document.
    pub(super) fn canonical(&self, name: &str) -> Option<Vec<u8>> {
        let (open, close) = (format!("<{name}"), format!("</{name}>"));
        let (before, rest) = self.0.split_once(&open)?;
        if rest.contains(&open) || before.contains(&open) {
            return None;
        }
        let (content, _) = rest.split_once(&close)?;
        let mut canonical = String::with_capacity(content.len() + 1024);
        canonical.push_str(&open);
        canonical.push_str(template::NAMESPACES);
        let mut content = attributes(content, &mut canonical)?.strip_prefix('>')?;
        canonical.push('>');
        while let Some((text, tag)) = content.split_once('<') {
            push_text(text, &mut canonical)?;
            content = push_tag(tag, &mut canonical)?;
        }
        push_text(content, &mut canonical)?;
        canonical.push_str(&close);
        Some(canonical.into_bytes())
    }
}

/// References that are written the same in canonical text.
const REFERENCES: [&str; 3] = ["&amp;", "&lt;", "&gt;"];

/// Text whose canonical form it is itself.
fn push_text(text: &str, out: &mut String) -> Option<()> {
    if text.bytes().any(|byte| matches!(byte, b'>' | b'\r')) {
        return None;
    }
    let mut references = text.match_indices('&').filter_map(|(at, _)| text.get(at..));
    if references.any(|from| !REFERENCES.iter().any(|known| from.starts_with(known))) {
        return None;
    }
    out.push_str(text);
    Some(())
}

/// A tag without its `<`; gives what follows it.
fn push_tag<'t>(tag: &'t str, out: &mut String) -> Option<&'t str> {
    let (end, named) = match tag.strip_prefix('/') {
        Some(named) => ("</", named),
        None => ("<", tag),
    };
    let length = named.bytes().position(|byte| !is_name(byte) && byte != b':')?;
    let (name, rest) = named.split_at_checked(length)?;
    out.push_str(end);
    out.push_str(name);
    if end == "</" {
        out.push('>');
        return rest.strip_prefix('>');
    }
    let rest = attributes(rest, out)?;
    out.push('>');
    if let Some(rest) = rest.strip_prefix("/>") {
        out.push_str("</");
        out.push_str(name);
        out.push('>');
        return Some(rest);
    }
    rest.strip_prefix('>')
}

/// Attributes without prefix, each after one space, in the order of their names; gives what follows them.
fn attributes<'t>(mut rest: &'t str, out: &mut String) -> Option<&'t str> {
    let mut last = "";
    while let Some(attribute) = rest.strip_prefix(' ') {
        let (name, value) = attribute.split_once("=\"")?;
        let (value, after) = value.split_once('"')?;
        let plain = |byte: u8| !matches!(byte, b'<' | b'&' | b'\t' | b'\n' | b'\r');
        if !name.bytes().all(is_name) || name <= last || !value.bytes().all(plain) {
            return None;
        }
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        out.push_str(value);
        out.push('"');
        (last, rest) = (name, after);
    }
    Some(rest)
}

/// Letters of names; those of ASCII are enough for us.
const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}
