//! SOAP with attachments as information systems and providers speak it: `multipart/related` (wire.md 1.6).

use super::encoder::{write_boundary, write_closing, write_first_boundary, write_headers};
use super::message::{BodyKind, BodyPart, Event, Gathering, Limits, PartKind};
use super::multipart::{Event as Part, Multipart, PartHeaders};
use super::{ContentType, TransportError, essence_of, mime};

/// Reads `multipart/related`: the first part is the SOAP message, all others are attachments. Bodies are taken raw.
/// Works as [`super::TransportDecoder`] does.
#[derive(Debug)]
pub struct RelatedDecoder {
    parts: Multipart,
    soap: Option<Gathering>,
    attachments: usize,
    seen_soap: bool,
    limits: Limits,
}

impl RelatedDecoder {
    /// A decoder for a message with this content type.
    ///
    /// # Errors
    /// When it is not `multipart/related` with a boundary.
    pub fn new(content_type: &ContentType, limits: Limits) -> Result<Self, TransportError> {
        if !content_type.is(mime::MULTIPART_RELATED) {
            return Err(TransportError::InvalidContentType(
                content_type.essence().to_owned(),
            ));
        }
        Ok(Self {
            parts: Multipart::new(&content_type.boundary()?)?,
            soap: None,
            attachments: 0,
            seen_soap: false,
            limits,
        })
    }

    /// Gives the next event and moves `input` behind it; `None` when `input` is used up.
    ///
    /// # Errors
    /// When a part is malformed, too large, without content type, or when the first one is no SOAP message.
    pub fn next<'s, 'c: 's>(&'s mut self, input: &mut &'c [u8]) -> Result<Option<Event<'s>>, TransportError> {
        // The reader's data is borrowed only where the function ends, so the SOAP part is filled in a loop of its own.
        while self.soap.is_some() || !self.seen_soap {
            if let Some(event) = self.step_soap(input)? {
                return Ok(event);
            }
        }
        let (attachments, limit) = (&mut self.attachments, self.limits.attachments);
        Ok(match self.parts.next(input)? {
            None => None,
            Some(Part::PartStart(headers)) => Some(start_attachment(attachments, limit, headers)?),
            Some(Part::Data(data)) => Some(Event::Data(data)),
            Some(Part::PartEnd) => Some(Event::BodyEnd),
            Some(Part::End) => Some(Event::End),
        })
    }

    /// Ends the input. A message may end with a boundary that is not the closing one: some providers write so and the
    /// reference accepts it; then the last event may come here.
    ///
    /// # Errors
    /// [`TransportError::MissingSoap`] if there was no part at all, [`TransportError::Truncated`] if the message ends
    /// within a part.
    pub fn finish(&mut self) -> Result<Option<Event<'static>>, TransportError> {
        let mut event = None;
        if self.parts.finish().is_err() && !self.parts.is_at_part_start() {
            let mut line_end: &[u8] = b"\r\n";
            if self.parts.next(&mut line_end)? != Some(Part::PartEnd) {
                return Err(if self.seen_soap {
                    TransportError::Truncated
                } else {
                    TransportError::MissingSoap
                });
            }
            event = Some(self.take_soap().unwrap_or(Event::BodyEnd));
        }
        if self.seen_soap {
            Ok(event)
        } else {
            Err(TransportError::MissingSoap)
        }
    }

    fn take_soap(&mut self) -> Option<Event<'static>> {
        self.soap.take().map(|soap| Event::Small(soap.finish()))
    }

    /// One step within or before the SOAP part. `Some` ends [`Self::next`].
    #[allow(clippy::option_option, reason = "the inner one is the event, if there is one")]
    fn step_soap(&mut self, input: &mut &[u8]) -> Result<Option<Option<Event<'static>>>, TransportError> {
        let Some(part) = self.parts.next(input)? else {
            return Ok(Some(None));
        };
        match part {
            Part::PartStart(headers) => {
                check_soap_type(&headers)?;
                self.seen_soap = true;
                self.soap = Some(Gathering::new(PartKind::Soap, headers));
            }
            Part::Data(data) => {
                if let Some(soap) = &mut self.soap {
                    soap.append(data, None, &self.limits)?;
                }
            }
            Part::PartEnd => return Ok(Some(self.take_soap())),
            Part::End => return Ok(Some(Some(Event::End))),
        }
        Ok(None)
    }
}

fn start_attachment<'a>(
    attachments: &mut usize,
    limit: usize,
    headers: PartHeaders,
) -> Result<Event<'a>, TransportError> {
    if headers.content_type.is_none() {
        return Err(TransportError::MissingContentType);
    }
    *attachments = attachments.saturating_add(1);
    if *attachments > limit {
        return Err(TransportError::TooLarge {
            what: "number of attachments",
            limit,
        });
    }
    Ok(Event::BodyStart(BodyPart {
        kind: BodyKind::Attachment,
        number: *attachments,
        headers,
    }))
}

fn check_soap_type(headers: &PartHeaders) -> Result<(), TransportError> {
    let value = headers
        .content_type
        .as_deref()
        .ok_or(TransportError::MissingContentType)?;
    match essence_of(value)? {
        essence if essence == mime::TEXT_XML || essence == mime::XOP_XML => Ok(()),
        other => Err(TransportError::InvalidContentType(other.into_owned())),
    }
}

/// Writes `multipart/related` anew with the boundary of the original message, so that the original content type fits
/// (wire.md 1.6: `x-original-content-type`).
///
/// The content types of parts are written as the reference writes them, in lower case and, in a message with
/// attachments, without a space behind the colon: tools look for exactly that (ecosystem.md 2.1).
#[derive(Debug)]
pub struct RelatedEncoder {
    boundary: String,
    content_type_name: &'static str,
    in_part: bool,
}

impl RelatedEncoder {
    /// An encoder for a message with the original content type, which has attachments or not.
    ///
    /// # Errors
    /// When it has no boundary.
    pub fn new(original: &ContentType, has_attachments: bool) -> Result<Self, TransportError> {
        let content_type_name = if has_attachments {
            "content-type:"
        } else {
            "content-type: "
        };
        Ok(Self {
            boundary: original.boundary()?.into_owned(),
            content_type_name,
            in_part: false,
        })
    }

    /// Opens a part, first the SOAP message, then the attachments; the caller writes its bytes behind.
    ///
    /// # Errors
    /// When a header cannot be written.
    pub fn start_part(&mut self, headers: &PartHeaders, out: &mut Vec<u8>) -> Result<(), TransportError> {
        if self.in_part {
            write_boundary(&self.boundary, out);
        } else {
            write_first_boundary(&self.boundary, out);
            self.in_part = true;
        }
        write_headers(headers, self.content_type_name, out)
    }

    /// The closing boundary.
    pub fn finish(self, out: &mut Vec<u8>) {
        write_closing(&self.boundary, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/related; type=\"text/xml\"; boundary=\"jetty 1\"";

    fn read(text: &str) -> Result<Vec<String>, TransportError> {
        let mut decoder = RelatedDecoder::new(&ContentType::parse(TYPE).unwrap(), Limits::DEFAULT)?;
        let mut met = Vec::new();
        for chunk in text.as_bytes().chunks(3) {
            let mut rest = chunk;
            while let Some(event) = decoder.next(&mut rest)? {
                match event {
                    Event::Small(part) => met.push(String::from_utf8(part.bytes.to_vec()).unwrap()),
                    Event::BodyStart(part) => met.push(format!("{}:", part.number)),
                    Event::Data(data) => met
                        .last_mut()
                        .unwrap()
                        .push_str(std::str::from_utf8(data).unwrap()),
                    Event::BodyEnd | Event::End => {}
                }
            }
        }
        if let Some(Event::Small(part)) = decoder.finish()? {
            met.push(String::from_utf8(part.bytes.to_vec()).unwrap());
        }
        Ok(met)
    }

    #[test]
    fn reads_what_it_writes() {
        let mut encoder = RelatedEncoder::new(&ContentType::parse(TYPE).unwrap(), true).unwrap();
        let mut out = Vec::new();
        for (content_type, body) in [("text/xml; charset=UTF-8", "<x/>"), ("a/b", "one"), ("a/b", "")] {
            encoder
                .start_part(&PartHeaders::with_content_type(content_type), &mut out)
                .unwrap();
            out.extend_from_slice(body.as_bytes());
        }
        encoder.finish(&mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.starts_with(
                "--jetty 1\r\ncontent-type:text/xml; charset=UTF-8\r\n\r\n<x/>\r\n--jetty 1\r\n"
            )
        );
        assert!(text.ends_with("\r\n\r\n\r\n--jetty 1--\r\n"));
        assert_eq!(read(&text).unwrap(), ["<x/>", "1:one", "2:"]);
    }

    #[test]
    fn a_lone_soap_part_has_a_space_behind_the_colon() {
        let mut encoder = RelatedEncoder::new(&ContentType::parse(TYPE).unwrap(), false).unwrap();
        let headers = PartHeaders {
            others: vec![("Content-ID".into(), "<a>".into())],
            ..PartHeaders::with_content_type("text/xml")
        };
        let mut out = Vec::new();
        encoder.start_part(&headers, &mut out).unwrap();
        assert_eq!(
            out,
            b"--jetty 1\r\ncontent-type: text/xml\r\nContent-ID: <a>\r\n\r\n"
        );
    }

    #[test]
    fn a_message_may_end_with_a_boundary() {
        let soap = "--jetty 1\r\nContent-Type: text/xml\r\n\r\n<x/>\r\n--jetty 1";
        let attachment = format!("{soap}\r\nContent-Type: a/b\r\n\r\none\r\n--jetty 1");
        for end in ["", "\r", "\r\n", "--", "--\r\n"] {
            assert_eq!(read(&format!("{soap}{end}")).unwrap(), ["<x/>"], "{end:?}");
            assert_eq!(
                read(&format!("{attachment}{end}")).unwrap(),
                ["<x/>", "1:one"],
                "{end:?}"
            );
        }
        for cut in ["\r\nContent-Type", "\r\nContent-Type: a/b\r\n\r\non"] {
            assert_eq!(
                read(&format!("{soap}{cut}")),
                Err(TransportError::Truncated),
                "{cut:?}"
            );
        }
    }

    #[test]
    fn the_first_part_must_be_soap() {
        let part = |header: &str| format!("--jetty 1\r\n{header}\r\n\r\n<x/>\r\n--jetty 1--\r\n");
        assert!(read(&part("Content-Type: application/xop+xml; type=x")).is_ok());
        assert_eq!(
            read(&part("Content-Type: text/plain")),
            Err(TransportError::InvalidContentType("text/plain".into()))
        );
        assert_eq!(read(&part("X: y")), Err(TransportError::MissingContentType));
        assert_eq!(read("").unwrap_err().fault_code(), "missing_soap");
        assert_eq!(read("--jetty 1--").unwrap_err().fault_code(), "missing_soap");
    }
}
