//! A streaming reader that gives namespaces, text and positions, and checks what the XML library leaves to its
//! caller: one root, declared prefixes, known entities, legal characters and names, distinct attributes, no DOCTYPE.

use super::{MAX_ATTRIBUTES, MAX_DEPTH, SoapError, names};
use crate::transport::range_within;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::{PrefixDeclaration, QName, ResolveResult};
use quick_xml::reader::NsReader;
use std::borrow::Cow;
use std::ops::Range;

/// Depth of the children of header and body; the root has depth 1.
const CHILD_DEPTH: usize = 3;

/// What the document consists of, for our purposes. An empty element gives a start and an end.
#[derive(Debug)]
pub(super) enum Node<'i> {
    Start(Element<'i>),
    End,
    /// Character data, CDATA or a resolved reference.
    Text(Cow<'i, str>),
    /// Comments and processing instructions.
    Other,
}

/// A start tag.
#[derive(Debug)]
pub(super) struct Element<'i> {
    /// Namespace name if it is one of ours ([`names::KNOWN`]), else empty.
    pub(super) namespace: &'static str,
    /// Any namespace name, kept for the children of header and body only.
    pub(super) full_namespace: Option<String>,
    tag: BytesStart<'i>,
    object_type: Option<String>,
}

impl Element<'_> {
    /// Whether the element has this name.
    pub(super) fn is(&self, namespace: &str, local_name: &str) -> bool {
        self.namespace == namespace && self.local_name() == local_name
    }

    pub(super) fn local_name(&self) -> &str {
        self.tag.name().local_name().into_inner()
    }

    /// The prefix with its colon, or nothing.
    pub(super) fn prefix(&self) -> String {
        self.tag
            .name()
            .prefix()
            .map_or_else(String::new, |prefix| format!("{}:", prefix.into_inner()))
    }

    /// The value of `objectType` in the namespace of identifiers.
    pub(super) fn object_type(&self) -> Option<&str> {
        self.object_type.as_deref()
    }

    /// The value of an attribute without namespace.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        self.tag
            .attributes()
            .flatten()
            .find(|attribute| attribute.key.0 == name)
            .and_then(|attribute| attribute.normalized_value(XmlVersion::Implicit1_0).ok())
            .map(Cow::into_owned)
    }

    /// The name with its prefix.
    pub(super) fn qualified_name(&self) -> &str {
        self.tag.name().into_inner()
    }

    /// Where in `text`, the document, the value of an attribute without namespace stands between its quotes.
    pub(super) fn attribute_span(&self, name: &str, text: &str) -> Option<Range<usize>> {
        let attributes = self.tag.attributes().flatten();
        let mut named = attributes.filter(|attribute| attribute.key.0 == name);
        let value = named.next()?.value;
        range_within(text.as_bytes(), value.as_bytes())
    }

    /// Every attribute but `except` as it stands in the document.
    pub(super) fn raw_attributes(&self, except: &str) -> String {
        let attributes = self
            .tag
            .attributes()
            .flatten()
            .filter(|attribute| attribute.key.0 != except);
        attributes
            .map(|Attribute { key, value }| format!(" {}={}", key.0, quoted(&value)))
            .collect()
    }
}

/// A raw attribute value between quotes that it does not contain.
fn quoted(raw: &str) -> String {
    let quote = if raw.contains('"') { '\'' } else { '"' };
    format!("{quote}{raw}{quote}")
}

/// The reader.
#[derive(Debug)]
pub(super) struct Walker<'i> {
    reader: NsReader<&'i [u8]>,
    depth: usize,
    root_seen: bool,
    span: Range<usize>,
}

impl<'i> Walker<'i> {
    pub(super) fn new(text: &'i str) -> Result<Self, SoapError> {
        check_characters(text)?;
        let mut reader = NsReader::from_str(text);
        let config = reader.config_mut();
        config.check_comments = true;
        config.expand_empty_elements = true;
        Ok(Self {
            reader,
            depth: 0,
            root_seen: false,
            span: 0..0,
        })
    }

    /// Where in the document the last node stands.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// A prefix that stands for a namespace where the last node stands.
    pub(super) fn prefix_of(&self, namespace: &str) -> Option<String> {
        let mut bindings = self.reader.resolver().bindings();
        bindings.find_map(|(declaration, bound)| match declaration {
            PrefixDeclaration::Named(prefix) if bound.0 == namespace => Some(prefix.to_owned()),
            _ => None,
        })
    }

    /// The next node; none at the end of the document.
    pub(super) fn next(&mut self) -> Result<Option<Node<'i>>, SoapError> {
        let start = self.position();
        let event = self.reader.read_event().map_err(not_well_formed)?;
        self.span = start..self.position();
        Ok(Some(match event {
            Event::Start(tag) | Event::Empty(tag) => Node::Start(self.start(tag)?),
            Event::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Node::End
            }
            Event::Text(text) => {
                let text = text.xml10_content();
                self.check_text(&text)?;
                Node::Text(text)
            }
            Event::CData(data) => {
                self.inside_root()?;
                Node::Text(data.xml10_content())
            }
            Event::GeneralRef(reference) => {
                self.inside_root()?;
                Node::Text(resolve(&reference)?)
            }
            Event::Comment(_) | Event::PI(_) => Node::Other,
            Event::Decl(declaration) => {
                check_declaration(&declaration, start)?;
                Node::Other
            }
            Event::DocType(_) => return Err(refused("DOCTYPE is not allowed")),
            Event::Eof => return self.end(),
        }))
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn start(&mut self, tag: BytesStart<'i>) -> Result<Element<'i>, SoapError> {
        if self.depth == 0 && self.root_seen {
            return Err(refused("more than one root element"));
        }
        if self.depth >= MAX_DEPTH {
            return Err(refused("elements are nested too deeply"));
        }
        self.root_seen = true;
        self.depth = self.depth.saturating_add(1);
        check_name(tag.name())?;
        let name = match self.reader.resolver().resolve_element(tag.name()).0 {
            ResolveResult::Bound(namespace) => namespace.0,
            ResolveResult::Unbound if tag.name().prefix().is_none() => "",
            _ => return Err(refused("undeclared namespace prefix")),
        };
        let namespace = names::KNOWN
            .into_iter()
            .find(|known| *known == name)
            .unwrap_or_default();
        let full_namespace = (self.depth == CHILD_DEPTH && !name.is_empty()).then(|| name.to_owned());
        let object_type = self.check_attributes(&tag)?;
        Ok(Element {
            namespace,
            full_namespace,
            tag,
            object_type,
        })
    }

    /// Checks all attributes; gives the `objectType` among them.
    fn check_attributes(&self, tag: &BytesStart<'i>) -> Result<Option<String>, SoapError> {
        let mut object_type = None;
        for (index, attribute) in tag.attributes().enumerate() {
            let attribute = attribute.map_err(not_well_formed)?;
            if index >= MAX_ATTRIBUTES {
                return Err(refused("too many attributes"));
            }
            check_name(attribute.key)?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(not_well_formed)?;
            if attribute.value.contains('<') || check_characters(&value).is_err() {
                return Err(refused("illegal character in an attribute"));
            }
            match self.reader.resolver().resolve_attribute(attribute.key) {
                (ResolveResult::Unknown(_), _) => return Err(refused("undeclared namespace prefix")),
                (ResolveResult::Bound(namespace), name)
                    if namespace.0 == names::IDENTIFIERS && name.into_inner() == names::OBJECT_TYPE =>
                {
                    object_type = Some(value.into_owned());
                }
                _ => {}
            }
        }
        Ok(object_type)
    }

    fn check_text(&self, text: &str) -> Result<(), SoapError> {
        if text.contains("]]>") {
            return Err(refused("']]>' in character data"));
        }
        let blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        if self.depth == 0 && !text.bytes().all(blank) {
            self.inside_root()
        } else {
            Ok(())
        }
    }

    fn inside_root(&self) -> Result<(), SoapError> {
        if self.depth == 0 {
            Err(refused("text outside the root element"))
        } else {
            Ok(())
        }
    }

    fn end(&self) -> Result<Option<Node<'i>>, SoapError> {
        if self.depth > 0 || !self.root_seen {
            return Err(refused("document ends too early"));
        }
        Ok(None)
    }
}

fn refused(reason: &str) -> SoapError {
    SoapError::NotWellFormed(reason.to_owned())
}

#[allow(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn not_well_formed(error: impl std::fmt::Display) -> SoapError {
    SoapError::NotWellFormed(error.to_string())
}

/// The declaration stands at the very start and names a known version.
fn check_declaration(declaration: &BytesDecl<'_>, start: usize) -> Result<(), SoapError> {
    if start != 0 {
        return Err(refused("XML declaration is not at the start"));
    }
    match declaration.version().map_err(not_well_formed)?.as_ref() {
        "1.0" | "1.1" => Ok(()),
        _ => Err(refused("unknown XML version")),
    }
}

/// Resolves `&name;` and `&#number;`. There are no other entities because there is no DOCTYPE.
fn resolve<'i>(reference: &BytesRef<'i>) -> Result<Cow<'i, str>, SoapError> {
    if let Some(character) = reference.resolve_char_ref().map_err(not_well_formed)? {
        let text = character.to_string();
        check_characters(&text)?;
        return Ok(Cow::Owned(text));
    }
    resolve_predefined_entity(reference)
        .map(Cow::Borrowed)
        .ok_or_else(|| refused("undeclared entity"))
}

/// Characters that XML 1.0 cannot hold (XML 1.0 2.2).
fn check_characters(text: &str) -> Result<(), SoapError> {
    let bytes = text.as_bytes();
    let control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
    let non_character = |at: usize| bytes.get(at.saturating_add(2)).is_some_and(|last| *last >= 0xBE);
    if bytes.iter().any(|byte| control(*byte))
        || memchr::memmem::find_iter(bytes, b"\xEF\xBF").any(non_character)
    {
        return Err(refused("illegal character"));
    }
    Ok(())
}

/// A name with at most one colon, of characters that a name can hold (XML 1.0 2.3, Namespaces 4).
fn check_name(name: QName<'_>) -> Result<(), SoapError> {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.')
            && part
                .bytes()
                .all(|byte| byte >= 0x80 || byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    let valid = match name.0.split_once(':') {
        Some((prefix, local)) => is_part(prefix) && is_part(local),
        None => is_part(name.0),
    };
    if valid {
        Ok(())
    } else {
        Err(refused("malformed name"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(text: &str) -> Result<String, SoapError> {
        let mut walker = Walker::new(text)?;
        let mut out = String::new();
        while let Some(node) = walker.next()? {
            match node {
                Node::Start(element) => out += &format!("<{{{}}}{}", element.namespace, element.local_name()),
                Node::End => out += ">",
                Node::Text(text) => out += &text,
                Node::Other => out += "!",
            }
        }
        Ok(out)
    }

    #[test]
    fn gives_namespaces_and_text() {
        let text = "<?xml version='1.0'?>\n<a xmlns='http://x-road.eu/xsd/xroad.xsd' xmlns:p='v'><!--c--><p:b q='1'/>x&lt;&#65;&#x42;<![CDATA[<&]]>\r\n</a>\n";
        assert_eq!(
            walk(text).unwrap(),
            "!\n<{http://x-road.eu/xsd/xroad.xsd}a!<{}b>x<AB<&\n>\n"
        );
    }

    #[test]
    fn refuses_what_is_not_well_formed() {
        for wrong in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a/>text",
            "&lt;<a/>",
            "<![CDATA[x]]><a/>",
            "<p:a/>",
            "<a p:b='1'/>",
            "<a b='1' b='2'/>",
            "<a b=1/>",
            "<a b/>",
            "<a b='<'/>",
            "<a b='&x;'/>",
            "<a b='&#0;'/>",
            "<a>&x;</a>",
            "<a>&#0;</a>",
            "<a>&#xFFFE;</a>",
            "<a>& </a>",
            "<a>]]></a>",
            "<a>\u{1}</a>",
            "<a>\u{FFFF}</a>",
            "<a><!-- -- --></a>",
            "<1a/>",
            "<a!/>",
            "<a:b:c xmlns:a='u'/>",
            " <?xml version='1.0'?><a/>",
            "<?xml version='2.0'?><a/>",
            "<!DOCTYPE a><a/>",
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        ] {
            assert!(walk(wrong).is_err(), "{wrong}: {:?}", walk(wrong));
        }
        let deep = "<a>".repeat(MAX_DEPTH + 1) + &"</a>".repeat(MAX_DEPTH + 1);
        assert!(walk(&deep).is_err());
        assert!(walk(&deep[3..deep.len() - 4]).is_ok());
        let many = |count: usize| {
            let attributes: String = (0..count).map(|n| format!(" a{n}='1'")).collect();
            format!("<a{attributes}/>")
        };
        assert!(walk(&many(MAX_ATTRIBUTES)).is_ok());
        assert!(walk(&many(MAX_ATTRIBUTES + 1)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn hostile_documents_never_panic(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "<", ">", "/", "a", ":", "xmlns", "=", "'", "\"", "&", ";", "#", "x", "1", "<!--", "-->", "<![CDATA[",
                "]]>", "<?", "?>", "<!DOCTYPE", " ", "\r\n", "ä", "<a>", "</a>", "<p:a xmlns:p='u'>",
            ]), 0..30)
        ) {
            let _ = walk(&pieces.concat());
        }
    }
}
