//! The transport message and `multipart/related` (wire.md 2.2, 1.6), both with the boundary `xtop`.

use protocol_message::transport::{
    BodyKind, BodyPart, ContentType, Encoder, Event, Limits, PartHeaders, PartKind, RANDOM_LENGTH,
    RelatedDecoder, RelatedEncoder, Signature, SmallPart, TransportDecoder, TransportError,
};
use protocol_pki::digest::DigestAlgorithm;

const MIXED: &str = "multipart/mixed; boundary=xtop";
const RELATED: &str = "multipart/related; type=\"text/xml\"; boundary=xtop";

/// A part with all its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Small(SmallPart),
    Body(BodyPart, Vec<u8>),
}

/// The parts, and whether the closing boundary was met.
type Parts = Result<(Vec<Part>, bool), TransportError>;

/// Acceptable is what a server takes from another.
pub fn check(data: &[u8]) -> bool {
    let mixed = in_any_chunks(data, |size| mixed(MIXED, data, size));
    if let Ok((parts, _)) = &mixed {
        written_again_it_reads_the_same(data, parts);
    }
    let related = in_any_chunks(data, |size| related(data, size));
    if let Ok((parts, _)) = &related {
        related_reads_the_same_again(parts);
    }
    mixed.is_ok()
}

/// Asserts that the chunks make no difference.
fn in_any_chunks(data: &[u8], decode: impl Fn(usize) -> Parts) -> Parts {
    let whole = decode(data.len().max(1));
    for size in crate::chunk_sizes(data) {
        assert_eq!(decode(size), whole, "in chunks of {size}");
    }
    whole
}

fn mixed(content_type: &str, data: &[u8], size: usize) -> Parts {
    let mut decoder = TransportDecoder::new(content_type)?;
    let mut collected = Collected::default();
    for chunk in data.chunks(size) {
        let mut rest = chunk;
        while let Some(event) = decoder.next(&mut rest)? {
            collected.add(event);
        }
    }
    decoder.finish()?;
    Ok(collected.finish())
}

fn related(data: &[u8], size: usize) -> Parts {
    let mut decoder = RelatedDecoder::new(&ContentType::parse(RELATED)?, Limits::DEFAULT)?;
    let mut collected = Collected::default();
    for chunk in data.chunks(size) {
        let mut rest = chunk;
        while let Some(event) = decoder.next(&mut rest)? {
            collected.add(event);
        }
    }
    if let Some(event) = decoder.finish()? {
        collected.add(event);
    }
    Ok(collected.finish())
}

/// Gathers events, and asserts that they come in an order that makes sense.
#[derive(Default)]
struct Collected {
    parts: Vec<Part>,
    in_body: bool,
    ended: bool,
}

impl Collected {
    fn add(&mut self, event: Event<'_>) {
        assert!(!self.ended, "an event after the end");
        match event {
            Event::Small(part) => {
                assert!(!self.in_body, "a part within a body");
                self.parts.push(Part::Small(part));
            }
            Event::BodyStart(part) => {
                assert!(!self.in_body, "a body within a body");
                self.in_body = true;
                self.parts.push(Part::Body(part, Vec::new()));
            }
            Event::Data(data) => {
                assert!(
                    self.in_body && !data.is_empty(),
                    "data outside of a body, or none"
                );
                if let Some(Part::Body(_, bytes)) = self.parts.last_mut() {
                    bytes.extend_from_slice(data);
                }
            }
            Event::BodyEnd => {
                assert!(self.in_body, "the end of no body");
                self.in_body = false;
            }
            Event::End => self.ended = true,
        }
    }

    fn finish(self) -> (Vec<Part>, bool) {
        assert!(!self.in_body, "an accepted message ended within a body");
        (self.parts, self.ended)
    }
}

/// Writes the parts as a server would and asserts that a server reads what was written.
fn written_again_it_reads_the_same(data: &[u8], parts: &[Part]) {
    let Some((content_type, written)) = write(data, parts) else {
        return;
    };
    let again = mixed(&content_type, &written, crate::chunk_size(&written)).map(|(parts, _)| parts);
    let bare = |parts: &[Part]| parts.iter().map(without_lost_headers).collect::<Vec<_>>();
    assert_eq!(again.as_deref().map(bare), Ok(bare(parts)));
}

/// `None` for what a server never writes: half a hash chain, or headers that cannot be written.
fn write(data: &[u8], parts: &[Part]) -> Option<(String, Vec<u8>)> {
    // No input can hold a boundary that is made of its own digest.
    let digest = DigestAlgorithm::Sha512.digest(data);
    let random: &[u8; RANDOM_LENGTH] = digest.first_chunk()?;
    let mut encoder = Encoder::new(random);
    let (content_type, mut out) = (encoder.content_type(), Vec::new());
    let (mut result, mut chain) = (None, None);
    for part in parts {
        match part {
            Part::Small(part) => match part.kind {
                PartKind::OcspResponse => encoder.ocsp_response(&part.bytes, &mut out),
                PartKind::Soap => encoder.soap(&part.headers, &part.bytes, &mut out).ok()?,
                PartKind::RestRequest => encoder.rest_request(&part.bytes, &mut out),
                PartKind::RestResponse => encoder.rest_response(&part.bytes, &mut out),
                PartKind::HashChainResult => result = Some(&part.bytes[..]),
                PartKind::HashChain => chain = Some(&part.bytes[..]),
                PartKind::Signature if result.is_some() == chain.is_some() => {
                    let (hash_chain, document) = (result.take().zip(chain.take()), &part.bytes);
                    encoder.signature(Signature { hash_chain, document }, &mut out);
                }
                PartKind::Signature => return None,
                PartKind::Fault => encoder.fault(&part.bytes, &mut out),
            },
            Part::Body(part, bytes) => {
                match part.kind {
                    BodyKind::RestBody => encoder.start_rest_body(&mut out),
                    BodyKind::Attachment => {
                        encoder.start_attachment(&part.headers, &mut out).ok()?;
                    }
                }
                out.extend_from_slice(bytes);
            }
        }
    }
    if result.is_some() || chain.is_some() {
        return None;
    }
    encoder.finish(&mut out);
    Some((content_type, out))
}

/// Only SOAP parts and attachments keep their headers on the way.
fn without_lost_headers(part: &Part) -> Part {
    let mut part = part.clone();
    match &mut part {
        Part::Small(small) if small.kind != PartKind::Soap => small.headers = PartHeaders::default(),
        Part::Body(body, _) if body.kind == BodyKind::RestBody => {
            body.headers = PartHeaders::default();
        }
        _ => {}
    }
    part
}

/// The same for what goes to an information system: the original boundary is used again.
fn related_reads_the_same_again(parts: &[Part]) {
    let original =
        ContentType::parse(RELATED).and_then(|original| RelatedEncoder::new(&original, parts.len() > 1));
    let Ok(mut encoder) = original else {
        return;
    };
    let mut written = Vec::new();
    for part in parts {
        let (headers, bytes) = match part {
            Part::Small(part) => (&part.headers, &part.bytes[..]),
            Part::Body(part, bytes) => (&part.headers, &bytes[..]),
        };
        if encoder.start_part(headers, &mut written).is_err() {
            return;
        }
        written.extend_from_slice(bytes);
    }
    encoder.finish(&mut written);
    let again = related(&written, crate::chunk_size(&written)).map(|(parts, _)| parts);
    assert_eq!(again.as_deref(), Ok(parts));
}
