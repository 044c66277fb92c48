//! Reading the transport message (wire.md 2.2): parts in their order, small ones whole, bodies as they come.

mod order;

use super::content_type::ContentType;
use super::multipart::{Multipart, PartHeaders, Raw};
use super::{Gathered, TransportError, mime};
use bytes::Bytes;
use order::{Expected, Placement};

/// What a small part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartKind {
    /// OCSP response, DER.
    OcspResponse,
    /// SOAP message; it may still turn out to be a fault.
    Soap,
    /// REST request part.
    RestRequest,
    /// REST response part.
    RestResponse,
    /// Hash chain result of a batch signature.
    HashChainResult,
    /// Hash chain of a batch signature.
    HashChain,
    /// Signature document.
    Signature,
    /// SOAP fault in place of the signature.
    Fault,
}

/// A part that is handed out whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmallPart {
    /// What it is.
    pub kind: PartKind,
    /// Its headers.
    pub headers: PartHeaders,
    /// Its body.
    pub bytes: Bytes,
}

/// What a streamed body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BodyKind {
    /// Body of a REST message.
    RestBody,
    /// Attachment of a SOAP message.
    Attachment,
}

/// A body that is streamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyPart {
    /// What it is.
    pub kind: BodyKind,
    /// N of `/attachmentN`, the name under which it is signed: from 1; a REST body is 1 (wire.md 2.3).
    pub number: usize,
    /// Its headers.
    pub headers: PartHeaders,
}

/// What the decoder met.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A small part, complete.
    Small(SmallPart),
    /// A body begins.
    BodyStart(BodyPart),
    /// Bytes of the body. They borrow from the chunk ([`super::range_within`]), except a few that turned out not to be
    /// a boundary.
    Data(&'a [u8]),
    /// The body is complete.
    BodyEnd,
    /// The closing boundary was met.
    End,
}

/// Bounds of what is kept in memory or must be remembered per message. The reference has none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// SOAP part, in bytes.
    pub soap: usize,
    /// REST request or response part, in bytes.
    pub rest: usize,
    /// One OCSP response, in bytes.
    pub ocsp_response: usize,
    /// Number of OCSP responses: the length of a certificate chain.
    pub ocsp_responses: usize,
    /// Hash chain result or hash chain, in bytes. A chain names every part of its message.
    pub hash_chain: usize,
    /// Signature document or fault, in bytes.
    pub signature: usize,
    /// Number of attachments.
    pub attachments: usize,
}

impl Limits {
    /// SOAP messages without attachments carry base64 documents in practice, so the SOAP part may be large; the
    /// others are ten times what was ever seen or more.
    pub const DEFAULT: Self = Self {
        soap: 32 * 1024 * 1024,
        rest: crate::rest::MAX_PART_LENGTH,
        ocsp_response: 64 * 1024,
        ocsp_responses: 16,
        hash_chain: 4 * 1024 * 1024,
        signature: 1024 * 1024,
        attachments: 10_000,
    };

    fn of(&self, kind: PartKind) -> (&'static str, usize) {
        match kind {
            PartKind::OcspResponse => ("OCSP response", self.ocsp_response),
            PartKind::Soap => ("SOAP part", self.soap),
            PartKind::RestRequest | PartKind::RestResponse => ("REST part", self.rest),
            PartKind::HashChainResult | PartKind::HashChain => ("hash chain", self.hash_chain),
            PartKind::Signature => ("signature", self.signature),
            PartKind::Fault => ("fault", self.signature),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Reads a transport message. Feed it every chunk until it gives no event, then the next one; at the end call
/// [`TransportDecoder::finish`].
#[derive(Debug)]
pub struct TransportDecoder {
    outer: Multipart,
    expected: Expected,
    current: Current,
    limits: Limits,
    ocsp_responses: usize,
    attachments: usize,
}

/// The part that is being read.
#[derive(Debug)]
enum Current {
    None,
    Small(Gathering),
    RestBody,
    Attachments(Box<Multipart>),
}

/// A small part, as far as it has come.
#[derive(Debug)]
pub(super) struct Gathering {
    kind: PartKind,
    headers: PartHeaders,
    bytes: Gathered,
}

impl Gathering {
    pub(super) const fn new(kind: PartKind, headers: PartHeaders) -> Self {
        Self {
            kind,
            headers,
            bytes: Gathered::new(),
        }
    }

    /// Takes the next bytes; they are shared with `chunk` where they lie in it.
    pub(super) fn append(
        &mut self,
        data: &[u8],
        chunk: Option<&Bytes>,
        limits: &Limits,
    ) -> Result<(), TransportError> {
        let (what, limit) = limits.of(self.kind);
        if self.bytes.len().saturating_add(data.len()) > limit {
            return Err(TransportError::TooLarge { what, limit });
        }
        self.bytes.append_lent(data, chunk);
        Ok(())
    }

    pub(super) fn finish(self) -> SmallPart {
        SmallPart {
            kind: self.kind,
            headers: self.headers,
            bytes: self.bytes.into_bytes(),
        }
    }
}

impl TransportDecoder {
    /// A decoder for a message with this `Content-Type`, with the default bounds.
    ///
    /// # Errors
    /// When the content type is not `multipart/mixed` with a boundary. A `text/xml` response is a fault and not for
    /// this decoder (wire.md 2.4).
    pub fn new(content_type: &str) -> Result<Self, TransportError> {
        Self::with_limits(content_type, Limits::DEFAULT)
    }

    /// As [`Self::new`], with other bounds.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_limits(content_type: &str, limits: Limits) -> Result<Self, TransportError> {
        let content_type = ContentType::parse(content_type)?;
        if !content_type.is(mime::MULTIPART_MIXED) {
            return Err(TransportError::InvalidContentType(
                content_type.essence().to_owned(),
            ));
        }
        Ok(Self {
            outer: Multipart::new(&content_type.boundary()?)?,
            expected: Expected::Ocsp,
            current: Current::None,
            limits,
            ocsp_responses: 0,
            attachments: 0,
        })
    }

    /// Gives the next event and moves `input` behind it; `None` when `input` is used up.
    ///
    /// # Errors
    /// When a part is malformed, too large or not in its place. The decoder must not be used afterwards.
    pub fn next<'s, 'c: 's>(&'s mut self, input: &mut &'c [u8]) -> Result<Option<Event<'s>>, TransportError> {
        self.next_within(None, input)
    }

    /// As [`Self::next`], of what is left of a chunk that can be shared: small parts are slices of it, where they lie in
    /// it whole. A part that is kept keeps its chunk.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn next_of<'s, 'c: 's>(
        &'s mut self,
        chunk: &Bytes,
        input: &mut &'c [u8],
    ) -> Result<Option<Event<'s>>, TransportError> {
        self.next_within(Some(chunk), input)
    }

    fn next_within<'s, 'c: 's>(
        &'s mut self,
        chunk: Option<&Bytes>,
        input: &mut &'c [u8],
    ) -> Result<Option<Event<'s>>, TransportError> {
        Ok(match self.step(chunk, input)? {
            None => None,
            Some(Step::Event(event)) => Some(event),
            Some(Step::Input(data)) => Some(Event::Data(data)),
            Some(Step::OuterHeld(range)) => Some(Event::Data(self.outer.held(range))),
            Some(Step::InnerHeld(range)) => Some(Event::Data(match &self.current {
                Current::Attachments(inner) => inner.held(range),
                _ => &[],
            })),
        })
    }

    /// Checks that the message is complete.
    ///
    /// # Errors
    /// [`TransportError::Truncated`] if the closing boundary was not met.
    pub fn finish(&self) -> Result<(), TransportError> {
        self.outer.finish()
    }

    /// Whether a signature or a fault was met, so that nothing may follow.
    #[must_use]
    pub fn is_signed_or_faulted(&self) -> bool {
        self.expected == Expected::Nothing
    }

    fn step<'c>(
        &mut self,
        chunk: Option<&Bytes>,
        input: &mut &'c [u8],
    ) -> Result<Option<Step<'c>>, TransportError> {
        loop {
            let Some(raw) = self.outer.poll(input)? else {
                return Ok(None);
            };
            let step = match raw {
                Raw::PartStart(headers) => self.start_part(headers)?,
                Raw::Data => self.take_data(chunk, input)?,
                Raw::PartEnd => self.end_part()?,
                Raw::End => Some(Step::Event(Event::End)),
            };
            if step.is_some() {
                return Ok(step);
            }
        }
    }

    fn start_part<'c>(&mut self, headers: PartHeaders) -> Result<Option<Step<'c>>, TransportError> {
        let (placement, next) = self.expected.place(&headers)?;
        self.expected = next;
        match placement {
            Placement::Small(kind) => {
                self.count_ocsp_responses(kind)?;
                self.current = Current::Small(Gathering::new(kind, headers));
                Ok(None)
            }
            Placement::RestBody => {
                self.current = Current::RestBody;
                let body = BodyPart {
                    kind: BodyKind::RestBody,
                    number: 1,
                    headers,
                };
                Ok(Some(Step::Event(Event::BodyStart(body))))
            }
            Placement::Attachments(boundary) => {
                self.current = Current::Attachments(Box::new(Multipart::new(&boundary)?));
                Ok(None)
            }
        }
    }

    fn count_ocsp_responses(&mut self, kind: PartKind) -> Result<(), TransportError> {
        self.ocsp_responses = self
            .ocsp_responses
            .saturating_add(usize::from(kind == PartKind::OcspResponse));
        let limit = self.limits.ocsp_responses;
        if self.ocsp_responses > limit {
            return Err(TransportError::TooLarge {
                what: "number of OCSP responses",
                limit,
            });
        }
        Ok(())
    }

    fn end_part<'c>(&mut self) -> Result<Option<Step<'c>>, TransportError> {
        Ok(match std::mem::replace(&mut self.current, Current::None) {
            Current::Small(part) => Some(Step::Event(Event::Small(part.finish()))),
            Current::RestBody => Some(Step::Event(Event::BodyEnd)),
            Current::Attachments(inner) => {
                inner.finish()?;
                None
            }
            Current::None => None,
        })
    }

    /// Data of the outer part is ready.
    fn take_data<'c>(
        &mut self,
        chunk: Option<&Bytes>,
        input: &mut &'c [u8],
    ) -> Result<Option<Step<'c>>, TransportError> {
        match &mut self.current {
            Current::None => {
                let length = self.outer.data(input).len();
                self.outer.consume(input, length);
                Ok(None)
            }
            Current::Small(part) => {
                let data = self.outer.data(input);
                part.append(data, chunk, &self.limits)?;
                let length = data.len();
                self.outer.consume(input, length);
                Ok(None)
            }
            Current::RestBody => {
                let length = self.outer.data(input).len();
                Ok(Some(take(&mut self.outer, input, length)))
            }
            Current::Attachments(_) => self.take_nested(input),
        }
    }

    /// Data of the nested multipart part is ready: the inner reader takes from it what it needs for one event.
    fn take_nested<'c>(&mut self, input: &mut &'c [u8]) -> Result<Option<Step<'c>>, TransportError> {
        let Current::Attachments(inner) = &mut self.current else {
            return Ok(None);
        };
        let available = self.outer.data(input);
        let mut rest = available;
        let raw = inner.poll(&mut rest)?;
        let used = available.len().saturating_sub(rest.len());
        let ready = inner.data(rest).len();
        let in_input = inner.data_is_in_input();
        self.outer.consume(input, used);
        match raw {
            None | Some(Raw::End) => Ok(None),
            Some(Raw::PartEnd) => Ok(Some(Step::Event(Event::BodyEnd))),
            Some(Raw::PartStart(headers)) => self.start_attachment(headers).map(Some),
            Some(Raw::Data) if in_input => {
                inner.consume(&mut &[][..], ready);
                Ok(Some(take(&mut self.outer, input, ready)))
            }
            Some(Raw::Data) => {
                let from = inner.released();
                inner.consume(&mut &[][..], ready);
                Ok(Some(Step::InnerHeld(from..from.saturating_add(ready))))
            }
        }
    }

    fn start_attachment<'c>(&mut self, headers: PartHeaders) -> Result<Step<'c>, TransportError> {
        self.attachments = self.attachments.saturating_add(1);
        let limit = self.limits.attachments;
        if self.attachments > limit {
            return Err(TransportError::TooLarge {
                what: "number of attachments",
                limit,
            });
        }
        let body = BodyPart {
            kind: BodyKind::Attachment,
            number: self.attachments,
            headers,
        };
        Ok(Step::Event(Event::BodyStart(body)))
    }
}

/// An event whose data is still to be borrowed.
enum Step<'c> {
    Event(Event<'c>),
    Input(&'c [u8]),
    OuterHeld(std::ops::Range<usize>),
    InnerHeld(std::ops::Range<usize>),
}

/// Takes `length` bytes of a reader's ready data.
fn take<'c>(reader: &mut Multipart, input: &mut &'c [u8], length: usize) -> Step<'c> {
    let step = if reader.data_is_in_input() {
        Step::Input(input.get(..length).unwrap_or_default())
    } else {
        let from = reader.released();
        Step::OuterHeld(from..from.saturating_add(length))
    };
    reader.consume(input, length);
    step
}

#[cfg(test)]
mod tests;
