//! The response part (wire.md 1.4) and its consistency with the request (6.1).

use super::header::Header;
use super::lines::{Lines, LinesWriter};
use super::request::{CLIENT, MESSAGE_ID, REQUEST_HASH, REQUEST_ID};
use super::{RequestPart, RestError, is_skipped_header};
use crate::identifier::{ClientId, ServiceId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::ops::Range;

const SERVICE: &str = "x-road-service";

/// What the server proxy got from the provider.
#[derive(Debug, Clone, Copy)]
pub struct ResponseHead<'a> {
    /// HTTP status.
    pub status: u16,
    /// Reason phrase; may be empty.
    pub reason: &'a str,
}

/// A response: status and headers. Its bytes are kept as received, unlike those of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponsePart {
    status: u16,
    lines: Lines,
    reason: Range<usize>,
    client: Option<ClientId>,
    service: Option<ServiceId>,
    request_hash: Vec<u8>,
}

impl ResponsePart {
    /// Makes the part from a provider's HTTP response.
    ///
    /// * `provider_headers`: in received order;
    /// * `request_id`: from the HTTP header of the transport message, not from the request part;
    /// * `request_hash`: [`RequestPart::request_hash`].
    ///
    /// # Errors
    /// When a header of the provider is malformed.
    pub fn build<N: AsRef<str>, V: AsRef<[u8]>>(
        head: ResponseHead<'_>,
        provider_headers: impl IntoIterator<Item = (N, V)>,
        request: &RequestPart,
        request_id: &str,
        request_hash: &[u8],
    ) -> Result<Self, RestError> {
        let mut lines = LinesWriter::new();
        lines.line(&head.status.to_string());
        let reason = lines.line(&head.reason.replace(|c: char| c.is_control(), " "));
        let kept = provider_headers
            .into_iter()
            .filter(|(name, _)| travels(name.as_ref()));
        lines.http_headers(kept)?;
        lines.header(MESSAGE_ID, |out| out.push_str(request.message_id()));
        lines.header(CLIENT, |out| request.client().encode_into(out));
        lines.header(SERVICE, |out| request.service().encode_into(out));
        lines.header(REQUEST_ID, |out| out.push_str(request_id));
        lines.header(REQUEST_HASH, |out| STANDARD.encode_string(request_hash, out));
        Ok(Self {
            status: head.status,
            reason,
            lines: lines.finish(),
            client: Some(request.client().clone()),
            service: Some(request.service().clone()),
            request_hash: request_hash.to_vec(),
        })
    }

    /// Reads a received part.
    ///
    /// # Errors
    /// When the part is malformed, holds a header that must not travel, or lacks message id or request hash.
    pub fn parse(part: &[u8]) -> Result<Self, RestError> {
        Self::read(Bytes::copy_from_slice(part))
    }

    /// As [`Self::parse`], of bytes that are shared.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn read(part: Bytes) -> Result<Self, RestError> {
        let names = ["the status", "the reason"];
        let (lines, status, reason) = Lines::read(part, names, |line| Ok(parse_status(line)))?;
        let status = status?;
        let client = lines.last(CLIENT).map(ClientId::parse_encoded).transpose()?;
        let service = lines.last(SERVICE).map(ServiceId::parse_encoded).transpose()?;
        lines
            .last(MESSAGE_ID)
            .filter(|id| !id.is_empty())
            .ok_or(RestError::InvalidResponse("message id is missing"))?;
        let request_hash = STANDARD
            .decode(lines.last(REQUEST_HASH).unwrap_or_default())
            .ok()
            .filter(|hash| !hash.is_empty())
            .ok_or(RestError::InvalidResponse("request hash is missing or malformed"))?;
        Ok(Self {
            status,
            lines,
            reason,
            client,
            service,
            request_hash,
        })
    }

    /// The bytes of the part, as received or as built.
    #[must_use]
    pub fn to_bytes(&self) -> &Bytes {
        self.lines.bytes()
    }

    /// What the message log keeps when body logging is off: status, reason and `x-road-*` headers (wire.md 4.3).
    #[must_use]
    pub fn filtered(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.lines.bytes().len() + 64);
        for line in [self.status.to_string().as_str(), self.reason()] {
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        for header in self.headers().filter(Header::is_x_road) {
            header.write_to(&mut out);
        }
        out
    }

    /// Checks that this response answers `request`, whose hash is `expected_hash` (wire.md 6.1).
    ///
    /// # Errors
    /// [`RestError::Inconsistent`], naming what differs.
    pub fn check_consistency(&self, request: &RequestPart, expected_hash: &[u8]) -> Result<(), RestError> {
        let checks = [
            ("client", self.client.as_ref() == Some(request.client())),
            ("message id", self.message_id() == request.message_id()),
            ("service", self.service.as_ref() == Some(request.service())),
            ("request id", self.request_id() == request.request_id()),
            ("request hash", self.request_hash == expected_hash),
        ];
        match checks.iter().find(|(_, holds)| !holds) {
            Some((what, _)) => Err(RestError::Inconsistent(what)),
            None => Ok(()),
        }
    }

    /// HTTP status of the provider.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Reason phrase of the provider.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.lines.piece(self.reason.clone())
    }

    /// All headers in order; the information system gets every one of them.
    pub fn headers(&self) -> impl DoubleEndedIterator<Item = Header<'_>> {
        self.lines.headers()
    }

    /// All headers as an HTTP message has them, names and values ([`super::to_http_value`]) shared with the part.
    pub fn http_headers(&self) -> impl Iterator<Item = (Bytes, Bytes)> {
        self.lines.http_headers()
    }

    /// The last value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.lines.last(name)
    }

    /// `x-road-client`.
    #[must_use]
    pub fn client(&self) -> Option<&ClientId> {
        self.client.as_ref()
    }

    /// `x-road-service`.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceId> {
        self.service.as_ref()
    }

    /// `x-road-id`.
    #[must_use]
    pub fn message_id(&self) -> &str {
        self.lines.last(MESSAGE_ID).unwrap_or_default()
    }

    /// `x-road-request-id`.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.lines.last(REQUEST_ID)
    }

    /// `x-road-request-hash`, decoded.
    #[must_use]
    pub fn request_hash(&self) -> &[u8] {
        &self.request_hash
    }
}

/// Whether a header that a provider sent goes into the part. A provider's `x-road-service` does; ours follows it
/// and wins (wire.md 1.4).
fn travels(name: &str) -> bool {
    !is_skipped_header(name)
        && ![MESSAGE_ID, REQUEST_HASH, CLIENT, REQUEST_ID]
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own))
}

/// A status that an HTTP response can carry.
fn parse_status(line: &str) -> Result<u16, RestError> {
    line.parse()
        .ok()
        .filter(|status| (200..=599).contains(status) && line.len() == 3)
        .ok_or(RestError::InvalidResponse("malformed status"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> RequestPart {
        RequestPart::parse(
            b"GET\r\n/r1/EE/GOV/1/s%20x/c/p\r\nX-Road-Client:EE/GOV/2/\xC3\xA4\r\n"
                .map(|byte| if byte == 0xC3 || byte == 0xA4 { b'a' } else { byte })
                .iter()
                .chain(b"X-Road-Id:id-1\r\nx-road-request-id:r-1\r\n")
                .copied()
                .collect::<Vec<u8>>()
                .as_slice(),
        )
        .unwrap()
    }

    fn response(provider_headers: &[(&str, &str)]) -> ResponsePart {
        let request = request();
        let head = ResponseHead {
            status: 200,
            reason: "OK",
        };
        ResponsePart::build(
            head,
            provider_headers.iter().copied(),
            &request,
            "r-1",
            &request.request_hash(None),
        )
        .unwrap()
    }

    #[test]
    fn writes_the_form_of_the_reference() {
        let part = response(&[
            ("Content-Type", "text/plain"),
            ("Content-Length", "3"),
            ("Server", "x"),
            ("X-Road-Id", "forged"),
            ("X-Road-Client", "forged"),
            ("X-Road-Request-Id", "forged"),
            ("X-Road-Request-Hash", "forged"),
            ("X-Road-Service", "kept/but/not/the/last"),
        ]);
        let hash = STANDARD.encode(request().request_hash(None));
        assert_eq!(
            std::str::from_utf8(part.to_bytes()).unwrap(),
            format!(
                "200\r\nOK\r\nContent-Type:text/plain\r\nX-Road-Service:kept/but/not/the/last\r\nx-road-id:id-1\r\n\
                 x-road-client:EE/GOV/2/aa\r\nx-road-service:EE/GOV/1/s%20x/c\r\nx-road-request-id:r-1\r\n\
                 x-road-request-hash:{hash}\r\n"
            )
        );
        let parsed = ResponsePart::parse(part.to_bytes()).unwrap();
        assert_eq!(parsed, part);
        assert!(
            !String::from_utf8(parsed.filtered())
                .unwrap()
                .contains("Content-Type")
        );
    }

    #[test]
    fn a_response_answers_its_request_only() {
        let (request, hash) = (request(), request().request_hash(None));
        let part = response(&[]);
        assert_eq!(part.check_consistency(&request, &hash), Ok(()));
        assert_eq!(
            part.check_consistency(&request, &[0; 64]),
            Err(RestError::Inconsistent("request hash"))
        );
        let text = std::str::from_utf8(part.to_bytes()).unwrap();
        for (from, to, what) in [
            ("x-road-client:EE", "x-road-client:FI", "client"),
            ("id-1", "id-2", "message id"),
            ("s%20x/c", "s%20x/d", "service"),
            ("r-1", "r-2", "request id"),
        ] {
            let other = ResponsePart::parse(text.replace(from, to).as_bytes()).unwrap();
            let error = other.check_consistency(&request, &hash).unwrap_err();
            assert_eq!(error, RestError::Inconsistent(what));
            assert_eq!(error.fault_code(), "inconsistent_response");
        }
    }

    #[test]
    fn refuses_what_is_no_response() {
        let good = "200\r\nOK\r\nx-road-id:1\r\nx-road-request-hash:AA==\r\n";
        assert!(ResponsePart::parse(good.as_bytes()).is_ok());
        for bad in [
            "",
            "200\r\n",
            "abc\r\nOK\r\nx-road-id:1\r\nx-road-request-hash:AA==\r\n",
            "20\r\nOK\r\nx-road-id:1\r\nx-road-request-hash:AA==\r\n",
            "200\r\nOK\r\nx-road-id:1\r\n",
            "200\r\nOK\r\nx-road-id:\r\nx-road-request-hash:AA==\r\n",
            "200\r\nOK\r\nx-road-id:1\r\nx-road-request-hash:\r\n",
            "200\r\nOK\r\nx-road-id:1\r\nx-road-request-hash:AA==\r\nConnection:x\r\n",
        ] {
            assert!(ResponsePart::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
