//! Parsing of message heads over httparse, with the strictness that it leaves to its callers.

use std::mem::MaybeUninit;

use bytes::Bytes;

use super::{MAX_HEAD_LENGTH, MAX_HEADER_COUNT};
use crate::error::HeadError;
use crate::head::{Headers, Method, RequestHead, ResponseHead, Target, Version};

/// Finds the end of a head in a growing buffer without looking at a byte twice.
#[derive(Debug, Default)]
pub struct HeadScanner {
    /// Bytes already looked at.
    scanned: usize,
    /// Where the current line begins.
    line_start: usize,
    /// Complete lines seen, the request or status line included.
    lines: usize,
}

impl HeadScanner {
    /// The length of the head with its empty last line, or `None` when it is not complete yet.
    pub fn find_end(&mut self, buffer: &[u8]) -> Result<Option<usize>, HeadError> {
        while let Some(feed) = buffer
            .get(self.scanned..)
            .and_then(|rest| memchr::memchr(b'\n', rest))
        {
            let at = self.scanned + feed;
            // First the bound: a head that comes in small pieces never gets as far as to a line end behind it.
            if at >= MAX_HEAD_LENGTH {
                return Err(self.too_long());
            }
            let line = buffer.get(self.line_start..at).unwrap_or_default();
            let Some((b'\r', line)) = line.split_last() else {
                return Err(HeadError::BareLineFeed);
            };
            self.scanned = at + 1;
            self.line_start = at + 1;
            if line.is_empty() {
                return Ok(Some(at + 1));
            }
            self.lines += 1;
            if self.lines > MAX_HEADER_COUNT + 1 {
                return Err(HeadError::TooManyHeaders);
            }
        }
        self.scanned = buffer.len();
        if self.scanned >= MAX_HEAD_LENGTH {
            Err(self.too_long())
        } else {
            Ok(None)
        }
    }

    fn too_long(&self) -> HeadError {
        if self.lines == 0 {
            HeadError::TargetTooLong
        } else {
            HeadError::TooLong
        }
    }
}

/// Parses the complete head of a request, as delimited by [`HeadScanner`].
pub fn parse_request(raw: &Bytes) -> Result<RequestHead, HeadError> {
    let mut slots = [const { MaybeUninit::uninit() }; MAX_HEADER_COUNT];
    let mut parsed = httparse::Request::new(&mut []);
    let status =
        httparse::ParserConfig::default().parse_request_with_uninit_headers(&mut parsed, raw, &mut slots);
    require_complete(status, raw.len()).map_err(|error| explain_version(error, raw))?;
    let method = parsed.method.ok_or(HeadError::Malformed("no method"))?;
    let target = parsed.path.ok_or(HeadError::Malformed("no target"))?;
    if method == "CONNECT" {
        return Err(HeadError::Connect);
    }
    let head = RequestHead {
        method: Method::new(raw.slice_ref(method.as_bytes())),
        target: Target::parse(raw.slice_ref(target.as_bytes())).ok_or(HeadError::Target)?,
        version: version(parsed.version)?,
        headers: headers(raw, parsed.headers)?,
    };
    check_host(&head)?;
    Ok(head)
}

/// Parses the complete head of a response, as delimited by [`HeadScanner`].
pub fn parse_response(raw: &Bytes) -> Result<ResponseHead, HeadError> {
    let mut slots = [const { MaybeUninit::uninit() }; MAX_HEADER_COUNT];
    let mut parsed = httparse::Response::new(&mut []);
    let status =
        httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, raw, &mut slots);
    require_complete(status, raw.len())?;
    let code = parsed.code.ok_or(HeadError::Malformed("no status"))?;
    if code < 100 {
        return Err(HeadError::Malformed("status below 100"));
    }
    Ok(ResponseHead {
        status: code,
        reason: parsed
            .reason
            .map(|reason| Bytes::copy_from_slice(reason.as_bytes()))
            .unwrap_or_default(),
        version: version(parsed.version)?,
        headers: headers(raw, parsed.headers)?,
    })
}

/// Parses a trailer section with its empty last line.
pub(crate) fn parse_trailers(raw: &Bytes) -> Result<Headers, HeadError> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADER_COUNT];
    let status = httparse::parse_headers(raw, &mut slots);
    let Ok(httparse::Status::Complete((length, parsed))) = status else {
        return Err(HeadError::Malformed("trailer section"));
    };
    require_complete(Ok(httparse::Status::Complete(length)), raw.len())?;
    headers(raw, parsed)
}

/// httparse must agree with the scanner about where the head ends.
fn require_complete(status: httparse::Result<usize>, length: usize) -> Result<(), HeadError> {
    match status {
        Ok(httparse::Status::Complete(parsed)) if parsed == length => Ok(()),
        Ok(_) => Err(HeadError::Malformed("head ends early")),
        Err(httparse::Error::TooManyHeaders) => Err(HeadError::TooManyHeaders),
        Err(httparse::Error::Version) => Err(HeadError::Version),
        Err(httparse::Error::HeaderName) => Err(HeadError::Malformed("header name")),
        Err(httparse::Error::HeaderValue) => Err(HeadError::Malformed("header value")),
        Err(_) => Err(HeadError::Malformed("first line")),
    }
}

/// A first line without a version in its place is no request of another version.
fn explain_version(error: HeadError, raw: &[u8]) -> HeadError {
    let line = raw.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let third_word = line.splitn(3, |byte| *byte == b' ').nth(2).unwrap_or_default();
    match error {
        HeadError::Version if !third_word.starts_with(b"HTTP/") => HeadError::Malformed("first line"),
        error => error,
    }
}

fn version(minor: Option<u8>) -> Result<Version, HeadError> {
    match minor {
        Some(0) => Ok(Version::Http10),
        Some(1) => Ok(Version::Http11),
        _ => Err(HeadError::Version),
    }
}

/// Takes the fields over as slices of the head, white space around values removed.
fn headers(raw: &Bytes, parsed: &[httparse::Header<'_>]) -> Result<Headers, HeadError> {
    let mut headers = Headers::with_capacity(parsed.len());
    for field in parsed {
        if field.name.is_empty() {
            return Err(HeadError::Malformed("header name"));
        }
        let value = field.value.trim_ascii();
        let value = if value.is_empty() {
            Bytes::new()
        } else {
            raw.slice_ref(value)
        };
        headers.push(raw.slice_ref(field.name.as_bytes()), value);
    }
    Ok(headers)
}

/// RFC 9112 3.2: HTTP/1.1 needs exactly one `Host`; no version may have several.
fn check_host(head: &RequestHead) -> Result<(), HeadError> {
    match (head.headers.get_all("host").count(), head.version) {
        (1, _) | (0, Version::Http10) => Ok(()),
        _ => Err(HeadError::Host),
    }
}
