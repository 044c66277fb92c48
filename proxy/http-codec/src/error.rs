//! Why an HTTP message or connection failed, and the status that says so to the peer.

use std::io;

/// A message head that is refused, or does not fit its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The head exceeds [`crate::MAX_HEAD_LENGTH`] bytes.
    #[error("message head is longer than {} bytes", crate::MAX_HEAD_LENGTH)]
    TooLong,
    /// The request line alone exceeds [`crate::MAX_HEAD_LENGTH`] bytes.
    #[error("request target is too long")]
    TargetTooLong,
    /// More than [`crate::MAX_HEADER_COUNT`] header fields.
    #[error("more than {} header fields", crate::MAX_HEADER_COUNT)]
    TooManyHeaders,
    /// A line feed without a carriage return before it.
    #[error("line ends with a bare line feed")]
    BareLineFeed,
    /// Not the syntax of RFC 9112.
    #[error("malformed message head: {0}")]
    Malformed(&'static str),
    /// Neither HTTP/1.0 nor HTTP/1.1.
    #[error("unsupported HTTP version")]
    Version,
    /// The request target has none of the forms of RFC 9112 3.2.
    #[error("malformed request target")]
    Target,
    /// No `Host`, or several, in an HTTP/1.1 request (RFC 9112 3.2).
    #[error("request needs exactly one Host header field")]
    Host,
    /// `Content-Length` is given more than once or is no number (RFC 9112 6.3).
    #[error("invalid Content-Length")]
    ContentLength,
    /// `Content-Length` beside `Transfer-Encoding`, or the latter in HTTP/1.0 (RFC 9112 6.1).
    #[error("conflicting body framing")]
    ConflictingFraming,
    /// A transfer coding other than `chunked`.
    #[error("unsupported transfer coding")]
    TransferCoding,
    /// An expectation other than `100-continue`.
    #[error("unsupported expectation")]
    Expectation,
    /// `CONNECT` is not served.
    #[error("method CONNECT is not supported")]
    Connect,
    /// A response that a client must not get: 101, or too many interim ones.
    #[error("unexpected interim response")]
    Interim,
}

impl HeadError {
    /// The status code with which a server answers (RFC 9110 15.5, RFC 6585 5).
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLong | Self::TooManyHeaders => 431,
            Self::TargetTooLong => 414,
            Self::Version => 505,
            Self::TransferCoding | Self::Connect => 501,
            Self::Expectation => 417,
            _ => 400,
        }
    }
}

/// A message body that is cut, malformed or over its bounds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The connection ended before the body did.
    #[error("message body is cut short")]
    Truncated,
    /// Not the chunked coding of RFC 9112 7.1.
    #[error("malformed chunked coding: {0}")]
    Chunk(&'static str),
    /// The trailer section is malformed or over its bounds.
    #[error("malformed trailer section")]
    Trailer,
    /// The body is longer than the caller's limit, in bytes.
    #[error("message body is longer than {0} bytes")]
    TooLarge(usize),
    /// The response was sent before `100 Continue`: the peer will not send the body.
    #[error("request body was declined by an early response")]
    Declined,
    /// No byte came within the stall limit ([`io::ErrorKind::TimedOut`]), or the connection failed.
    #[error("reading the message body failed: {0}")]
    Io(#[from] io::Error),
}

/// A failed exchange on a connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The peer's head is refused.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The peer's body failed.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The peer closed the connection before a message began.
    #[error("connection closed by the peer")]
    Closed,
    /// A header field to be written has a forbidden byte in its name or value.
    #[error("header field {0:?} cannot be written")]
    InvalidHeader(String),
    /// A body shorter or longer than its announced length.
    #[error("body does not have its announced length")]
    LengthMismatch,
    /// Body bytes or an end without a head, or two heads.
    #[error("message parts written out of order")]
    OutOfOrder,
    /// Reading or writing failed, or stalled ([`io::ErrorKind::TimedOut`]).
    #[error("connection failed: {0}")]
    Io(#[from] io::Error),
}

impl HttpError {
    /// Whether a time limit ran out.
    pub fn is_timeout(&self) -> bool {
        let (Self::Io(error) | Self::Body(BodyError::Io(error))) = self else {
            return false;
        };
        error.kind() == io::ErrorKind::TimedOut
    }
}
