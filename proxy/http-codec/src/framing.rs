//! Where a body ends and whether the connection outlives it (RFC 9112 6 and 9).

use crate::error::HeadError;
use crate::head::{Headers, RequestHead, ResponseHead, Version};

/// How a received body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is no body.
    Empty,
    /// So many bytes.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
    /// Everything until the peer closes (responses only).
    UntilClose,
}

/// How a body to be sent is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// No body and no framing header: `GET` requests, 204 and 304 responses.
    None,
    /// `Content-Length` of so many bytes.
    Known(u64),
    /// `Transfer-Encoding: chunked`; towards an HTTP/1.0 client delimited by closing.
    Chunked,
}

/// How the body of a request is delimited.
pub fn request_framing(head: &RequestHead) -> Result<BodyFraming, HeadError> {
    let length = content_length(&head.headers)?;
    match (transfer_chunked(&head.headers, head.version)?, length) {
        (true, Some(_)) => Err(HeadError::ConflictingFraming),
        (true, None) => Ok(BodyFraming::Chunked),
        (false, None | Some(0)) => Ok(BodyFraming::Empty),
        (false, Some(length)) => Ok(BodyFraming::Length(length)),
    }
}

/// How the body of a response is delimited; `to_head` when the request was `HEAD`.
pub fn response_framing(head: &ResponseHead, to_head: bool) -> Result<BodyFraming, HeadError> {
    let length = content_length(&head.headers)?;
    let chunked = transfer_chunked(&head.headers, head.version)?;
    if chunked && length.is_some() {
        return Err(HeadError::ConflictingFraming);
    }
    if to_head || has_no_body(head.status) || length == Some(0) {
        return Ok(BodyFraming::Empty);
    }
    Ok(match length {
        _ if chunked => BodyFraming::Chunked,
        Some(length) => BodyFraming::Length(length),
        None => BodyFraming::UntilClose,
    })
}

/// Statuses that never have a body (RFC 9110 6.4.1).
pub fn has_no_body(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

/// Whether the connection may serve another message after this one (RFC 9112 9.3).
pub fn keeps_alive(version: Version, headers: &Headers) -> bool {
    match version {
        _ if headers.has_token("connection", "close") => false,
        Version::Http11 => true,
        Version::Http10 => headers.has_token("connection", "keep-alive"),
    }
}

/// The only `Content-Length`: digits, once.
fn content_length(headers: &Headers) -> Result<Option<u64>, HeadError> {
    let mut values = headers.get_all("content-length");
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() || value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(HeadError::ContentLength);
    }
    let digits = std::str::from_utf8(value).map_err(|_| HeadError::ContentLength)?;
    digits.parse().map(Some).map_err(|_| HeadError::ContentLength)
}

/// Whether the only transfer coding is `chunked`; every other list is refused.
fn transfer_chunked(headers: &Headers, version: Version) -> Result<bool, HeadError> {
    let mut values = headers.get_all("transfer-encoding");
    let Some(value) = values.next() else {
        return Ok(false);
    };
    if version == Version::Http10 || values.next().is_some() {
        return Err(HeadError::ConflictingFraming);
    }
    if value.eq_ignore_ascii_case(b"chunked") {
        Ok(true)
    } else {
        Err(HeadError::TransferCoding)
    }
}
