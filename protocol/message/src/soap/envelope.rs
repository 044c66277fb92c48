//! Reading the envelope: one pass, a stack of what is open, no tree.

use super::fault::{FaultField, FaultFields};
use super::header::{Collector, Field, Group, TextField};
use super::xml::{Element, Node, Walker};
use super::{ParsedSoap, SoapError, SoapHeader, SoapMessage, names};
use std::ops::Range;

/// What the envelope holds.
#[derive(Debug)]
pub(super) enum Content {
    Message(Box<SoapMessage>),
    Fault(FaultFields),
}

impl Content {
    pub(super) fn into_parsed(self, bytes: &[u8]) -> ParsedSoap {
        match self {
            Self::Message(message) => ParsedSoap::Message(message),
            Self::Fault(fields) => ParsedSoap::Fault(fields.finish(bytes)),
        }
    }
}

/// Places in the document that inserting a request hash needs.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// The XML declaration.
    pub(super) declaration: Option<Range<usize>>,
    /// The first text in the header that is white space.
    pub(super) indentation: Option<Range<usize>>,
    /// Prefix with colon, attributes and end of the `id` element.
    pub(super) id: Option<(String, String, usize)>,
    /// An existing request hash, with the white space in front of it.
    pub(super) request_hash: Option<Range<usize>>,
}

/// Reads a whole document.
pub(super) fn read(text: &str) -> Result<(Content, Places), SoapError> {
    let mut walker = Walker::new(text)?;
    let mut envelope = Envelope::default();
    while let Some(node) = walker.next()? {
        envelope.take(node, walker.span())?;
    }
    envelope.places.declaration = declaration(text);
    let places = std::mem::take(&mut envelope.places);
    Ok((envelope.finish()?, places))
}

/// Where the XML declaration of a well-formed document stands, if it has one.
pub(super) fn declaration(text: &str) -> Option<Range<usize>> {
    let rest = text.strip_prefix("<?xml")?;
    let end = text
        .find("?>")
        .filter(|_| rest.starts_with([' ', '\t', '\r', '\n']))?;
    Some(0..end.saturating_add("?>".len()))
}

/// An element that is open.
#[derive(Debug)]
struct Open {
    slot: Slot,
    /// Its own text, without that of its children, if anyone needs it.
    text: Option<String>,
}

/// What an open element is.
#[derive(Debug)]
enum Slot {
    Envelope,
    Header,
    Body,
    Text(TextField),
    RequestHash(Option<String>),
    Group(Group),
    Part(&'static str),
    Fault,
    FaultField(FaultField),
    Ignored,
}

impl Slot {
    fn needs_text(&self) -> bool {
        matches!(
            self,
            Self::Text(_) | Self::RequestHash(_) | Self::Part(_) | Self::FaultField(_)
        )
    }
}

/// The state of one pass.
#[derive(Debug, Default)]
struct Envelope {
    open: Vec<Open>,
    header: Collector,
    header_seen: bool,
    body_seen: bool,
    body_child: Option<(Option<String>, String)>,
    fault: Option<FaultFields>,
    places: Places,
    /// White space directly before the current node.
    space: Option<Range<usize>>,
}

impl Envelope {
    fn take(&mut self, node: Node<'_>, span: Range<usize>) -> Result<(), SoapError> {
        match node {
            Node::Start(element) => self.start(&element, span),
            Node::End => self.end(span),
            Node::Text(text) => {
                self.text(&text, span);
                Ok(())
            }
            Node::Other => {
                self.space = None;
                Ok(())
            }
        }
    }

    fn start(&mut self, element: &Element<'_>, span: Range<usize>) -> Result<(), SoapError> {
        let slot = match self.open.last().map(|open| &open.slot) {
            None => root(element)?,
            Some(Slot::Envelope) => self.envelope_child(element)?,
            Some(Slot::Header) => self.header_child(element, &span)?,
            Some(Slot::Body) => self.body_child(element)?,
            Some(Slot::Group(group)) => group.part_of(element)?.map_or(Slot::Ignored, Slot::Part),
            Some(Slot::Fault) => FaultField::of(element).map_or(Slot::Ignored, Slot::FaultField),
            Some(Slot::FaultField(FaultField::Detail)) if element.local_name() == "faultDetail" => {
                Slot::FaultField(FaultField::FaultDetail)
            }
            Some(_) => Slot::Ignored,
        };
        let text = slot.needs_text().then(String::new);
        self.open.push(Open { slot, text });
        self.space = None;
        Ok(())
    }

    fn envelope_child(&mut self, element: &Element<'_>) -> Result<Slot, SoapError> {
        let (seen, slot) = if element.is(names::ENVELOPE, "Header") {
            (&mut self.header_seen, Slot::Header)
        } else if element.is(names::ENVELOPE, "Body") {
            (&mut self.body_seen, Slot::Body)
        } else {
            return Ok(Slot::Ignored);
        };
        if std::mem::replace(seen, true) {
            return Err(SoapError::Envelope("more than one header or body"));
        }
        Ok(slot)
    }

    fn header_child(&mut self, element: &Element<'_>, span: &Range<usize>) -> Result<Slot, SoapError> {
        let Some(field) = Field::of(element) else {
            return Ok(Slot::Ignored);
        };
        self.header.check_new(field)?;
        Ok(match field {
            Field::Text(field) => {
                if field == TextField::Id {
                    let attributes = element.raw_attributes(names::ALGORITHM_ID);
                    self.places.id = Some((element.prefix(), attributes, span.end));
                }
                Slot::Text(field)
            }
            Field::RequestHash => {
                let start = self.space.as_ref().map_or(span.start, |space| space.start);
                self.places.request_hash = Some(start..span.end);
                Slot::RequestHash(element.attribute(names::ALGORITHM_ID))
            }
            Field::Group(field) => Slot::Group(Group::start(field, element)?),
        })
    }

    fn body_child(&mut self, element: &Element<'_>) -> Result<Slot, SoapError> {
        if element.is(names::ENVELOPE, "Fault") {
            self.fault.get_or_insert_default();
            return Ok(Slot::Fault);
        }
        if self.body_child.is_some() {
            return Err(SoapError::InvalidBody);
        }
        self.body_child = Some((element.full_namespace.clone(), element.local_name().to_owned()));
        Ok(Slot::Ignored)
    }

    fn text(&mut self, text: &str, span: Range<usize>) {
        let blank = text.trim_ascii().is_empty();
        let in_header = matches!(self.open.get(1).map(|open| &open.slot), Some(Slot::Header));
        if blank && in_header && self.places.indentation.is_none() {
            self.places.indentation = Some(span.clone());
        }
        self.space = blank.then_some(span);
        if let Some(Open {
            text: Some(value), ..
        }) = self.open.last_mut()
        {
            value.push_str(text);
        }
    }

    fn end(&mut self, span: Range<usize>) -> Result<(), SoapError> {
        self.space = None;
        let Some(Open { slot, text }) = self.open.pop() else {
            return Ok(());
        };
        let value = text.unwrap_or_default();
        match slot {
            Slot::Text(field) => {
                if let (TextField::Id, Some((_, _, end))) = (field, &mut self.places.id) {
                    *end = span.end;
                }
                self.header.set_text(field, value)
            }
            Slot::RequestHash(algorithm) => {
                if let Some(place) = &mut self.places.request_hash {
                    place.end = span.end;
                }
                self.header.set_request_hash(algorithm, value);
                Ok(())
            }
            Slot::Group(group) => self.header.set_group(&group),
            Slot::Part(part) => {
                if let Some(Open {
                    slot: Slot::Group(group),
                    ..
                }) = self.open.last_mut()
                {
                    group.set(part, value);
                }
                Ok(())
            }
            Slot::FaultField(field) => {
                self.fault.get_or_insert_default().set(field, value);
                Ok(())
            }
            Slot::Envelope | Slot::Header | Slot::Body | Slot::Fault | Slot::Ignored => Ok(()),
        }
    }

    /// A fault needs no header; a message needs header, body and one child that fits the service (wire.md 1.6).
    fn finish(self) -> Result<Content, SoapError> {
        if let Some(fault) = self.fault {
            return Ok(Content::Fault(fault));
        }
        if !self.header_seen {
            return Err(SoapError::MissingHeader);
        }
        let header: SoapHeader = self.header.finish()?;
        if !self.body_seen {
            return Err(SoapError::MissingBody);
        }
        let (body_namespace, body_name) = self.body_child.ok_or(SoapError::InvalidBody)?;
        if !body_name.starts_with(&*header.service.service_code) {
            return Err(SoapError::InconsistentHeaders);
        }
        Ok(Content::Message(Box::new(SoapMessage {
            header,
            body_namespace,
            body_name,
        })))
    }
}

fn root(element: &Element<'_>) -> Result<Slot, SoapError> {
    if element.is(names::ENVELOPE, "Envelope") {
        Ok(Slot::Envelope)
    } else {
        Err(SoapError::Envelope("envelope missing"))
    }
}
