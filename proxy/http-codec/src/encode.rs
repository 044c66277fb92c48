//! Writing of message heads and chunk framing.

use bytes::{BufMut, BytesMut};

use super::date::HttpDate;
use super::framing::BodyLength;
use crate::error::HttpError;
use crate::head::{Headers, RequestHead, ResponseHead};

/// The end of a chunked body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// The interim response that asks for the request body.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Appends a request head. On an error `out` is left as it was.
pub fn encode_request(head: &RequestHead, length: BodyLength, out: &mut BytesMut) -> Result<(), HttpError> {
    let start = out.len();
    let target = head.target.as_str().as_bytes();
    if !is_token(head.method.as_str().as_bytes())
        || target.is_empty()
        || target.iter().any(|byte| *byte <= b' ')
    {
        return Err(HttpError::InvalidHeader("request line".to_owned()));
    }
    out.put_slice(head.method.as_str().as_bytes());
    out.put_u8(b' ');
    out.put_slice(target);
    out.put_slice(b" HTTP/1.1\r\n");
    let written = encode_fields(&head.headers, length, out);
    undo_on_error(written, start, out)
}

/// What a response's head says besides its given fields.
#[derive(Debug, Clone, Copy)]
pub struct ResponseFraming {
    /// The framing header to write.
    pub length: BodyLength,
    /// Whether to write `Connection: close`.
    pub close: bool,
    /// Whether to write `Connection: keep-alive`, which an HTTP/1.0 client needs.
    pub keep_alive: bool,
    /// The time for the `Date` field, where the head does not have one.
    pub date: Option<HttpDate>,
}

/// Appends a response head. On an error `out` is left as it was.
pub fn encode_response(
    head: &ResponseHead,
    framing: ResponseFraming,
    out: &mut BytesMut,
) -> Result<(), HttpError> {
    let start = out.len();
    if !(100..1000).contains(&head.status) || !is_field_value(&head.reason) {
        return Err(HttpError::InvalidHeader("status line".to_owned()));
    }
    out.put_slice(b"HTTP/1.1 ");
    put_decimal(u64::from(head.status), out);
    out.put_u8(b' ');
    out.put_slice(&head.reason);
    out.put_slice(b"\r\n");
    if framing.close && !head.headers.has_token("connection", "close") {
        out.put_slice(b"Connection: close\r\n");
    } else if framing.keep_alive {
        out.put_slice(b"Connection: keep-alive\r\n");
    }
    if let Some(date) = framing.date.filter(|_| !head.headers.contains("date")) {
        out.put_slice(b"Date: ");
        out.put_slice(date.as_bytes());
        out.put_slice(b"\r\n");
    }
    let written = encode_fields(&head.headers, framing.length, out);
    undo_on_error(written, start, out)
}

/// Appends the line that opens a chunk of `length` bytes.
pub fn encode_chunk_size(length: usize, out: &mut BytesMut) {
    let mut digits = [0_u8; 16];
    let mut rest = length;
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b"0123456789abcdef".get(rest & 0xf).copied().unwrap_or(b'0');
        rest >>= 4;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.put_slice(digits.get(digits.len() - used..).unwrap_or_default());
    out.put_slice(b"\r\n");
}

fn undo_on_error(written: Result<(), HttpError>, start: usize, out: &mut BytesMut) -> Result<(), HttpError> {
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn encode_fields(headers: &Headers, length: BodyLength, out: &mut BytesMut) -> Result<(), HttpError> {
    for (name, value) in headers.fields() {
        if is_framing(name) {
            continue;
        }
        if !is_token(name) || !is_field_value(value) {
            return Err(HttpError::InvalidHeader(
                String::from_utf8_lossy(name).into_owned(),
            ));
        }
        out.put_slice(name);
        out.put_slice(b": ");
        out.put_slice(value);
        out.put_slice(b"\r\n");
    }
    match length {
        BodyLength::None => {}
        BodyLength::Known(length) => {
            out.put_slice(b"Content-Length: ");
            put_decimal(length, out);
            out.put_slice(b"\r\n");
        }
        BodyLength::Chunked => out.put_slice(b"Transfer-Encoding: chunked\r\n"),
    }
    out.put_slice(b"\r\n");
    Ok(())
}

/// Fields that only [`BodyLength`] may write.
fn is_framing(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"transfer-encoding")
}

/// RFC 9110 5.6.2
fn is_token(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// RFC 9110 5.5: no control characters but the tab.
fn is_field_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f))
}

fn put_decimal(value: u64, out: &mut BytesMut) {
    let mut digits = [0_u8; 20];
    let mut rest = value;
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.put_slice(digits.get(digits.len() - used..).unwrap_or_default());
}
