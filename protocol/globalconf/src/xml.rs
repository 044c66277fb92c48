//! A small bounded XML tree for configuration files, and helpers to write them.
//!
//! Configuration files are read as a whole and seldom, so a tree is simpler than events. No document type
//! definition is accepted, hence no entities but the five predefined ones.

pub(crate) mod identifier;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use quick_xml::NsReader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, NamespaceResolver, ResolveResult};

/// Namespace of the root elements.
pub(crate) const NS_XROAD: &str = "http://x-road.eu/xsd/xroad.xsd";
/// Namespace of identifier parts.
pub(crate) const NS_IDENTIFIERS: &str = "http://x-road.eu/xsd/identifiers";

/// Largest configuration file that is read, in bytes (a national instance has a few MiB).
pub(crate) const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;
/// Deepest nesting; the schemas need six levels, extensions may need some more.
const MAX_DEPTH: usize = 32;
/// Most elements in one file.
const MAX_ELEMENTS: usize = 2_000_000;

/// Why a configuration file is not the XML that it should be.
#[derive(Debug, thiserror::Error)]
pub enum XmlError {
    /// Not UTF-8.
    #[error("file is not UTF-8")]
    NotUtf8(#[from] std::str::Utf8Error),
    /// Not well-formed.
    #[error("XML is not well-formed")]
    Malformed(#[from] quick_xml::Error),
    /// A bound was exceeded.
    #[error("XML has too many {0}")]
    TooLarge(&'static str),
    /// A document type definition.
    #[error("document type definitions are not allowed")]
    DocumentType,
    /// A reference to an entity that is not predefined.
    #[error("unknown entity {0:?}")]
    UnknownEntity(String),
    /// More than one root element, text outside of it, or none.
    #[error("there must be exactly one root element")]
    NotOneRoot,
    /// The root element is another one.
    #[error("root element must be {0:?}")]
    WrongRoot(&'static str),
    /// A mandatory child is missing.
    #[error("element {parent:?} lacks {child:?}")]
    Missing {
        /// Element that lacks something.
        parent: String,
        /// What it lacks.
        child: &'static str,
    },
    /// An element that may occur once occurs again.
    #[error("element {parent:?} has more than one {child:?}")]
    Repeated {
        /// Element with the repetition.
        parent: String,
        /// The repeated element.
        child: &'static str,
    },
    /// The text of an element is not of its type.
    #[error("element {element:?} is not a valid {expected}")]
    BadValue {
        /// Element with the wrong text.
        element: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// An identifier points to no member or subsystem.
    #[error("no member or subsystem has the id {0:?}")]
    DanglingReference(String),
    /// Two members or subsystems share an identifier.
    #[error("the id {0:?} is used more than once")]
    DuplicateId(String),
    /// An identifier could not be built from its parts.
    #[error("identifier in {0:?} is not valid")]
    BadIdentifier(String),
}

impl From<quick_xml::name::NamespaceError> for XmlError {
    fn from(source: quick_xml::name::NamespaceError) -> Self {
        Self::Malformed(source.into())
    }
}

impl From<quick_xml::events::attributes::AttrError> for XmlError {
    fn from(source: quick_xml::events::attributes::AttrError) -> Self {
        Self::Malformed(source.into())
    }
}

/// Namespace of a name, as far as configuration files care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// No namespace: everything below the root.
    None,
    /// [`NS_XROAD`].
    XRoad,
    /// [`NS_IDENTIFIERS`].
    Identifiers,
    /// Any other: extensions, which readers ignore.
    Other,
}

/// One element with its text (all character data directly in it) and children.
#[derive(Debug)]
pub(crate) struct Element {
    space: Space,
    name: String,
    attributes: Vec<(Space, String, String)>,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// Parses a whole document and checks the name of its root element, which is in [`NS_XROAD`].
    pub(crate) fn parse_document(bytes: &[u8], root: &'static str) -> Result<Self, XmlError> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(XmlError::TooLarge("bytes"));
        }
        let text = std::str::from_utf8(bytes)?;
        let element = TreeBuilder::default().build(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        if element.space != Space::XRoad || element.name != root {
            return Err(XmlError::WrongRoot(root));
        }
        Ok(element)
    }

    /// Children without a namespace and with this name.
    pub(crate) fn all<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a Self> {
        self.all_in(Space::None, name)
    }

    fn all_in<'a>(&'a self, space: Space, name: &'static str) -> impl Iterator<Item = &'a Self> {
        self.children
            .iter()
            .filter(move |child| child.space == space && child.name == name)
    }

    /// The only child with this name, if there is one.
    pub(crate) fn optional(&self, name: &'static str) -> Result<Option<&Self>, XmlError> {
        self.optional_in(Space::None, name)
    }

    /// The same in a given namespace.
    pub(crate) fn optional_in(&self, space: Space, name: &'static str) -> Result<Option<&Self>, XmlError> {
        let mut found = self.all_in(space, name);
        let first = found.next();
        match found.next() {
            Some(_) => Err(XmlError::Repeated {
                parent: self.name.clone(),
                child: name,
            }),
            None => Ok(first),
        }
    }

    /// The only child with this name; missing is an error.
    pub(crate) fn required(&self, name: &'static str) -> Result<&Self, XmlError> {
        self.optional(name)?.ok_or_else(|| self.lacks(name))
    }

    /// Text of a mandatory child.
    pub(crate) fn required_text(&self, name: &'static str) -> Result<String, XmlError> {
        Ok(self.required(name)?.text.clone())
    }

    /// Text of an optional child.
    pub(crate) fn optional_text(&self, name: &'static str) -> Result<Option<String>, XmlError> {
        Ok(self.optional(name)?.map(|child| child.text.clone()))
    }

    /// Text of an optional child without white space around it; blank counts as absent.
    pub(crate) fn optional_trimmed(&self, name: &'static str) -> Result<Option<String>, XmlError> {
        let text = self.optional(name)?.map(|child| child.text.trim());
        Ok(text.filter(|text| !text.is_empty()).map(str::to_owned))
    }

    /// Bytes of all children with this name.
    pub(crate) fn all_base64(&self, name: &'static str) -> Result<Vec<Vec<u8>>, XmlError> {
        self.all(name).map(Self::base64).collect()
    }

    /// This element's text, as it stands.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// This element's text as `xs:base64Binary`.
    pub(crate) fn base64(&self) -> Result<Vec<u8>, XmlError> {
        let compact: String = self.text.split_ascii_whitespace().collect();
        BASE64_STANDARD
            .decode(compact)
            .map_err(|_undecodable| self.bad("base64 value"))
    }

    /// This element's text as a number of seconds or the like.
    pub(crate) fn number<N: std::str::FromStr>(&self) -> Result<N, XmlError> {
        self.text.trim().parse().map_err(|_unparsable| self.bad("number"))
    }

    /// This element's text as `xs:boolean`.
    pub(crate) fn boolean(&self) -> Result<bool, XmlError> {
        match self.text.trim() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(self.bad("boolean")),
        }
    }

    /// Value of an attribute.
    pub(crate) fn attribute(&self, space: Space, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(s, n, _)| *s == space && n == name)
            .map(|(_, _, value)| value.as_str())
    }

    /// The error for a text that is not of its type.
    pub(crate) fn bad(&self, expected: &'static str) -> XmlError {
        XmlError::BadValue {
            element: self.name.clone(),
            expected,
        }
    }

    /// The error for a missing child.
    pub(crate) fn lacks(&self, child: &'static str) -> XmlError {
        XmlError::Missing {
            parent: self.name.clone(),
            child,
        }
    }

    /// Name without prefix, for error messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

#[derive(Default)]
struct TreeBuilder {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl TreeBuilder {
    fn build(mut self, text: &str) -> Result<Element, XmlError> {
        let mut reader = NsReader::from_str(text);
        reader.config_mut().check_comments = true;
        loop {
            match reader.read_event()? {
                Event::Start(start) => self.open(reader.resolver(), &start)?,
                Event::Empty(start) => {
                    self.open(reader.resolver(), &start)?;
                    self.close()?;
                }
                Event::End(_) => self.close()?,
                Event::Text(text) => self.text(&text.xml10_content())?,
                Event::CData(data) => self.text(&data.xml10_content())?,
                Event::GeneralRef(reference) => self.reference(&reference)?,
                Event::DocType(_) => return Err(XmlError::DocumentType),
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
                Event::Eof => break,
            }
        }
        if !self.open.is_empty() {
            return Err(XmlError::NotOneRoot);
        }
        self.root.ok_or(XmlError::NotOneRoot)
    }

    fn open(&mut self, resolver: &NamespaceResolver, start: &BytesStart<'_>) -> Result<(), XmlError> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(XmlError::TooLarge("elements"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(XmlError::TooLarge("levels"));
        }
        let (resolved, local) = resolver.resolve_element(start.name());
        self.open.push(Element {
            space: space_of(&resolved),
            name: local.into_inner().to_owned(),
            attributes: attributes(resolver, start)?,
            text: String::new(),
            children: Vec::new(),
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), XmlError> {
        let element = self.open.pop().ok_or(XmlError::NotOneRoot)?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None if self.root.is_none() => self.root = Some(element),
            None => return Err(XmlError::NotOneRoot),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(XmlError::NotOneRoot),
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), XmlError> {
        if let Some(character) = reference.resolve_char_ref()? {
            return self.text(character.encode_utf8(&mut [0; 4]));
        }
        let name = reference.xml10_content();
        let text = resolve_predefined_entity(&name)
            .ok_or_else(|| XmlError::UnknownEntity(name.chars().take(40).collect()))?;
        self.text(text)
    }
}

fn attributes(
    resolver: &NamespaceResolver,
    start: &BytesStart<'_>,
) -> Result<Vec<(Space, String, String)>, XmlError> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute?;
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        let (resolved, local) = resolver.resolve_attribute(attribute.key);
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0)?;
        attributes.push((
            space_of(&resolved),
            local.into_inner().to_owned(),
            value.into_owned(),
        ));
    }
    Ok(attributes)
}

fn space_of(resolved: &ResolveResult<'_>) -> Space {
    match resolved {
        ResolveResult::Unbound => Space::None,
        ResolveResult::Bound(Namespace(NS_XROAD)) => Space::XRoad,
        ResolveResult::Bound(Namespace(NS_IDENTIFIERS)) => Space::Identifiers,
        ResolveResult::Bound(_) | ResolveResult::Unknown(_) => Space::Other,
    }
}

/// Writes an indented document, the way the reference's central server does.
#[derive(Debug)]
pub(crate) struct Writer {
    out: String,
    depth: usize,
}

impl Writer {
    /// Starts a document with the given root element in [`NS_XROAD`].
    pub(crate) fn document(root: &str) -> Self {
        let out = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\
             <ns3:{root} xmlns:ns2=\"{NS_IDENTIFIERS}\" xmlns:ns3=\"{NS_XROAD}\">\n"
        );
        Self { out, depth: 1 }
    }

    /// Ends the document.
    pub(crate) fn finish(mut self, root: &str) -> Vec<u8> {
        self.out.push_str(&format!("</ns3:{root}>\n"));
        self.out.into_bytes()
    }

    /// Writes an element with children; `attributes` is already escaped and starts with a space, or is empty.
    pub(crate) fn nested(&mut self, name: &str, attributes: &str, content: impl FnOnce(&mut Self)) {
        self.line(&format!("<{name}{attributes}>"));
        self.depth += 1;
        content(self);
        self.depth -= 1;
        self.line(&format!("</{name}>"));
    }

    /// Writes an element with text.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.line(&format!("<{name}>{}</{name}>", quick_xml::escape::escape(text)));
    }

    /// Writes an element with text if there is any.
    pub(crate) fn optional_text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// Writes an element with base64 text.
    pub(crate) fn base64(&mut self, name: &str, bytes: &[u8]) {
        self.text(name, &BASE64_STANDARD.encode(bytes));
    }

    fn line(&mut self, line: &str) {
        for _ in 0..self.depth {
            self.out.push_str("    ");
        }
        self.out.push_str(line);
        self.out.push('\n');
    }
}
