//! Writing the transport message (wire.md 2.2): the exact bytes of the reference.

use super::multipart::PartHeaders;
use super::{TransportError, mime};
use crate::rest::{BODY_CONTENT_TYPE, REQUEST_CONTENT_TYPE, RESPONSE_CONTENT_TYPE, to_http_value};

/// How many random bytes a boundary is made of.
pub const RANDOM_LENGTH: usize = 30;

/// The parts that end a message.
#[derive(Debug, Clone, Copy)]
pub struct Signature<'a> {
    /// Hash chain result and hash chain, of a batch signature only.
    pub hash_chain: Option<(&'a [u8], &'a [u8])>,
    /// The signature document.
    pub document: &'a [u8],
}

/// Writes parts into a buffer. Where a body is streamed, only what stands in front of it is written; the next call
/// closes it. The order of wire.md 2.2 is the caller's duty.
#[derive(Debug)]
pub struct Encoder {
    top: String,
    /// Boundary of the nested part, while it is open.
    attachments: Option<String>,
    in_part: bool,
}

impl Encoder {
    /// An encoder whose boundaries, `xtop` and `xatt` with 30 letters, are made of random bytes.
    #[must_use]
    pub fn new(random: &[u8; RANDOM_LENGTH]) -> Self {
        Self {
            top: boundary("xtop", random),
            attachments: None,
            in_part: false,
        }
    }

    /// `Content-Type` of the message.
    #[must_use]
    pub fn content_type(&self) -> String {
        multipart_mixed(&self.top)
    }

    /// An OCSP response of the authentication certificate's chain; only in requests, before the message.
    pub fn ocsp_response(&mut self, der: &[u8], out: &mut Vec<u8>) {
        self.part(mime::OCSP_RESPONSE, der, out);
    }

    /// The SOAP message with its original content type and part headers. `Content-Type` must be set.
    ///
    /// # Errors
    /// When a header cannot be written.
    pub fn soap(
        &mut self,
        headers: &PartHeaders,
        message: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), TransportError> {
        self.start(out);
        write_headers(headers, "content-type: ", out)?;
        out.extend_from_slice(message);
        Ok(())
    }

    /// The request part of a REST message.
    pub fn rest_request(&mut self, part: &[u8], out: &mut Vec<u8>) {
        self.part(REQUEST_CONTENT_TYPE, part, out);
    }

    /// The response part of a REST message.
    pub fn rest_response(&mut self, part: &[u8], out: &mut Vec<u8>) {
        self.part(RESPONSE_CONTENT_TYPE, part, out);
    }

    /// Opens the body of a REST message; the caller writes its bytes behind.
    pub fn start_rest_body(&mut self, out: &mut Vec<u8>) {
        self.part(BODY_CONTENT_TYPE, &[], out);
    }

    /// Opens an attachment; the caller writes its bytes behind. The first one opens the nested part.
    ///
    /// # Errors
    /// When a header cannot be written.
    pub fn start_attachment(
        &mut self,
        headers: &PartHeaders,
        out: &mut Vec<u8>,
    ) -> Result<(), TransportError> {
        let boundary = match self.attachments.take() {
            Some(boundary) => boundary,
            None => {
                let boundary = self.top.replacen("xtop", "xatt", 1);
                self.part(&multipart_mixed(&boundary), &[], out);
                boundary
            }
        };
        write_boundary(&boundary, out);
        self.attachments = Some(boundary);
        write_headers(headers, "content-type: ", out)
    }

    /// The signature, behind the hash chain parts that a batch signature needs. Closes the attachments.
    pub fn signature(&mut self, signature: Signature<'_>, out: &mut Vec<u8>) {
        if let Some((result, chain)) = signature.hash_chain {
            self.part(mime::HASH_CHAIN_RESULT, result, out);
            self.part(mime::HASH_CHAIN, chain, out);
        }
        self.part(mime::SIGNATURE, signature.document, out);
    }

    /// A SOAP fault in place of the signature. Closes the attachments.
    pub fn fault(&mut self, xml: &[u8], out: &mut Vec<u8>) {
        self.part(mime::FAULT, xml, out);
    }

    /// The closing boundary.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.end_attachments(out);
        write_closing(&self.top, out);
    }

    /// A whole part without headers other than its content type.
    fn part(&mut self, content_type: &str, body: &[u8], out: &mut Vec<u8>) {
        self.start(out);
        for piece in ["content-type: ", content_type, "\r\n\r\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
        out.extend_from_slice(body);
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        self.end_attachments(out);
        if self.in_part {
            write_boundary(&self.top, out);
        } else {
            write_first_boundary(&self.top, out);
            self.in_part = true;
        }
    }

    fn end_attachments(&mut self, out: &mut Vec<u8>) {
        if let Some(boundary) = self.attachments.take() {
            write_closing(&boundary, out);
        }
    }
}

/// Thirty letters of random bytes: a boundary for `multipart/related`, or the end of one.
#[must_use]
pub fn boundary_letters(random: &[u8; RANDOM_LENGTH]) -> String {
    boundary("", random)
}

fn boundary(prefix: &str, random: &[u8; RANDOM_LENGTH]) -> String {
    let mut text = String::with_capacity(prefix.len() + RANDOM_LENGTH);
    text.push_str(prefix);
    text.extend(random.iter().map(|byte| letter(*byte)));
    text
}

/// One of 52 letters. The slight unevenness costs less than a bit of 30 times 5.7.
fn letter(byte: u8) -> char {
    let index = byte % 52;
    char::from(if index < 26 {
        b'a' + index
    } else {
        b'A' + (index - 26)
    })
}

fn multipart_mixed(boundary: &str) -> String {
    [mime::MULTIPART_MIXED, "; charset=UTF-8; boundary=", boundary].concat()
}

pub(super) fn write_first_boundary(boundary: &str, out: &mut Vec<u8>) {
    for piece in ["--", boundary, "\r\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
}

pub(super) fn write_boundary(boundary: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
    write_first_boundary(boundary, out);
}

pub(super) fn write_closing(boundary: &str, out: &mut Vec<u8>) {
    for piece in ["\r\n--", boundary, "--\r\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// Writes part headers and the empty line behind them. `content_type_name` is what stands in front of the content type.
pub(super) fn write_headers(
    headers: &PartHeaders,
    content_type_name: &str,
    out: &mut Vec<u8>,
) -> Result<(), TransportError> {
    let content_type = headers
        .content_type
        .iter()
        .map(|value| (content_type_name, "", &**value));
    let others = headers
        .others
        .iter()
        .map(|(name, value)| (name.as_str(), ": ", value.as_str()));
    for (name, colon, value) in content_type.chain(others) {
        let is_forbidden = |c: char| c.is_control() && c != '\t';
        if name.contains(is_forbidden) || value.contains(is_forbidden) {
            return Err(TransportError::InvalidHeader);
        }
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(colon.as_bytes());
        out.extend_from_slice(&to_http_value(value));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCD";

    fn encoder() -> Encoder {
        Encoder::new(&std::array::from_fn(|index| u8::try_from(index).unwrap()))
    }

    #[test]
    fn writes_a_rest_request() {
        let mut out = Vec::new();
        let mut encoder = encoder();
        assert_eq!(
            encoder.content_type(),
            format!("multipart/mixed; charset=UTF-8; boundary=xtop{LETTERS}")
        );
        encoder.ocsp_response(b"OCSP", &mut out);
        encoder.rest_request(b"GET\r\n", &mut out);
        encoder.start_rest_body(&mut out);
        out.extend_from_slice(b"body");
        encoder.signature(
            Signature {
                hash_chain: Some((b"R", b"C")),
                document: b"S",
            },
            &mut out,
        );
        encoder.finish(&mut out);
        let expected = "--T\r\ncontent-type: application/ocsp-response\r\n\r\nOCSP\r\n\
            --T\r\ncontent-type: application/x-road-rest-request\r\n\r\nGET\r\n\r\n\
            --T\r\ncontent-type: application/x-road-rest-body\r\n\r\nbody\r\n\
            --T\r\ncontent-type: application/hash-chain-result\r\n\r\nR\r\n\
            --T\r\ncontent-type: application/hash-chain\r\n\r\nC\r\n\
            --T\r\ncontent-type: signature/bdoc-1.0/ts\r\n\r\nS\r\n--T--\r\n";
        assert_eq!(
            String::from_utf8(out).unwrap(),
            expected.replace("--T", &format!("--xtop{LETTERS}"))
        );
    }

    #[test]
    fn nests_attachments() {
        let mut out = Vec::new();
        let mut encoder = encoder();
        let soap = PartHeaders {
            content_type: Some("text/xml; charset=UTF-8".into()),
            others: vec![("Content-ID".into(), "<root>".into())],
        };
        encoder.soap(&soap, b"<x/>", &mut out).unwrap();
        for body in [&b"one"[..], b"two"] {
            encoder
                .start_attachment(
                    &PartHeaders::with_content_type("application/octet-stream"),
                    &mut out,
                )
                .unwrap();
            out.extend_from_slice(body);
        }
        encoder.fault(b"<fault/>", &mut out);
        encoder.finish(&mut out);
        let expected = "--T\r\ncontent-type: text/xml; charset=UTF-8\r\nContent-ID: <root>\r\n\r\n<x/>\r\n\
            --T\r\ncontent-type: multipart/mixed; charset=UTF-8; boundary=xattL\r\n\r\n\r\n\
            --A\r\ncontent-type: application/octet-stream\r\n\r\none\r\n\
            --A\r\ncontent-type: application/octet-stream\r\n\r\ntwo\r\n--A--\r\n\r\n\
            --T\r\ncontent-type: text/xml;charset=UTF-8\r\n\r\n<fault/>\r\n--T--\r\n"
            .replace("--T", "--xtopL")
            .replace("--A", "--xattL")
            .replace("xtopL", &format!("xtop{LETTERS}"))
            .replace("xattL", &format!("xatt{LETTERS}"));
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_header_cannot_inject_another() {
        let mut out = Vec::new();
        let headers = PartHeaders {
            content_type: None,
            others: vec![("A".into(), "b\r\nC: d".into())],
        };
        assert_eq!(
            encoder().start_attachment(&headers, &mut out),
            Err(TransportError::InvalidHeader)
        );
    }
}
