//! HTTP/1.1 as it arrives on a connection (RFC 9112): heads, bodies and trailers, one message behind the other, read as a
//! server reads requests and as a client reads responses.

use bytes::{Bytes, BytesMut};
use proxy_http_codec::decoder::{BodyDecoder, Decoded};
use proxy_http_codec::encode::{ResponseFraming, encode_chunk_size, encode_request, encode_response};
use proxy_http_codec::framing::{BodyFraming, BodyLength, request_framing, response_framing};
use proxy_http_codec::head::{Headers, RequestHead, ResponseHead, Version};
use proxy_http_codec::parse::{HeadScanner, parse_request, parse_response};
use proxy_http_codec::{MAX_HEAD_LENGTH, MAX_HEADER_COUNT, MAX_TRAILER_LENGTH};

/// Acceptable are whole requests, or whole responses, and nothing behind them.
pub fn check(data: &[u8]) -> bool {
    let requests = in_any_chunks(data, Direction::Requests);
    let responses = in_any_chunks(data, Direction::Responses);
    let whole = |met: &Met| met.complete > 0 && met.failed.is_none();
    whole(&requests) || whole(&responses)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Requests,
    Responses,
}

/// What was met on a connection.
#[derive(Debug, PartialEq, Eq)]
struct Met {
    messages: Vec<Message>,
    /// How many of them were complete.
    complete: usize,
    /// Why the reading ended, if not at the end of a message.
    failed: Option<String>,
}

/// What was read of a message; the last one may be incomplete.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    /// As the codec writes it.
    head: Vec<u8>,
    framing: BodyFraming,
    body: Vec<u8>,
    trailers: Vec<(Bytes, Bytes)>,
}

/// Asserts that the chunks make no difference.
fn in_any_chunks(data: &[u8], direction: Direction) -> Met {
    let whole = read(data, data.len().max(1), direction);
    for size in crate::chunk_sizes(data) {
        assert_eq!(read(data, size, direction), whole, "in chunks of {size}");
    }
    whole
}

/// Reads what comes in chunks of `size` until the end of the connection.
fn read(data: &[u8], size: usize, direction: Direction) -> Met {
    let mut connection = Connection {
        direction,
        buffer: BytesMut::new(),
        state: State::default(),
        complete: 0,
        messages: Vec::new(),
    };
    let mut failed = None;
    for chunk in data.chunks(size) {
        connection.buffer.extend_from_slice(chunk);
        if failed.is_none() {
            failed = connection.advance().err();
        }
    }
    let failed = failed.or_else(|| connection.end());
    Met {
        messages: connection.messages,
        complete: connection.complete,
        failed,
    }
}

/// One end of a connection.
struct Connection {
    direction: Direction,
    buffer: BytesMut,
    state: State,
    complete: usize,
    messages: Vec<Message>,
}

/// What comes next.
enum State {
    Head(HeadScanner),
    /// The body, and what of it came so far in the coding of the connection.
    Body(BodyDecoder, usize),
}

impl Default for State {
    fn default() -> Self {
        Self::Head(HeadScanner::default())
    }
}

impl Connection {
    /// Reads as far as the buffer goes.
    fn advance(&mut self) -> Result<(), String> {
        loop {
            let more = match &mut self.state {
                State::Head(scanner) => {
                    let end = scanner
                        .find_end(&self.buffer)
                        .map_err(|error| error.to_string())?;
                    match end {
                        Some(end) => self.head(end)?,
                        None => {
                            assert!(self.buffer.len() < MAX_HEAD_LENGTH, "an unbounded head");
                            false
                        }
                    }
                }
                State::Body(..) => self.body()?,
            };
            if !more {
                return Ok(());
            }
        }
    }

    fn head(&mut self, end: usize) -> Result<bool, String> {
        assert!(end <= self.buffer.len().min(MAX_HEAD_LENGTH), "a head of {end}");
        let raw = self.buffer.split_to(end).freeze();
        let (head, framing) = match self.direction {
            Direction::Requests => request(&raw)?,
            Direction::Responses => response(&raw)?,
        };
        self.messages.push(Message {
            head,
            framing,
            body: Vec::new(),
            trailers: Vec::new(),
        });
        self.state = State::Body(BodyDecoder::new(framing), 0);
        Ok(true)
    }

    /// Whether the body ended.
    fn body(&mut self) -> Result<bool, String> {
        let (State::Body(decoder, taken), Some(message)) = (&mut self.state, self.messages.last_mut()) else {
            return Ok(false);
        };
        loop {
            let before = self.buffer.len();
            let decoded = decoder
                .decode(&mut self.buffer)
                .map_err(|error| error.to_string())?;
            *taken += before - self.buffer.len();
            match decoded {
                Decoded::Data(data) => {
                    assert!(!data.is_empty(), "data without bytes");
                    message.body.extend_from_slice(&data);
                }
                Decoded::NeedMore => {
                    assert!(self.buffer.len() <= MAX_TRAILER_LENGTH, "an unbounded trailer");
                    return Ok(false);
                }
                Decoded::End => break,
            }
        }
        message.trailers = decoder.trailers().fields().to_vec();
        check_length(message, *taken);
        self.complete += 1;
        self.state = State::default();
        Ok(true)
    }

    /// The end of the connection: why it comes too early.
    fn end(&mut self) -> Option<String> {
        match &mut self.state {
            State::Head(_) if self.buffer.is_empty() => None,
            State::Head(_) => Some("a head is cut".to_owned()),
            State::Body(decoder, _) => match decoder.end_of_input() {
                Ok(()) => {
                    self.complete += 1;
                    None
                }
                Err(error) => Some(error.to_string()),
            },
        }
    }
}

/// A request's head, written again, and how its body is delimited.
fn request(raw: &Bytes) -> Result<(Vec<u8>, BodyFraming), String> {
    let head = parse_request(raw).map_err(|error| error.to_string())?;
    check_lines(raw, &head.headers);
    let framing = request_framing(&head).map_err(|error| error.to_string())?;
    check_framing(&head.headers, framing);
    let target = &head.target;
    assert!(
        target.path().starts_with('/') || matches!(target.path(), "*" | ""),
        "{target:?}"
    );
    let (_, _) = (target.query(), target.authority());
    let written = write_request(&head, framing);
    if head.version == Version::Http11 {
        let again = parse_request(&written);
        assert!(
            again.is_ok_and(|again| {
                again.method == head.method
                    && again.target == head.target
                    && without_framing(&again.headers) == without_framing(&head.headers)
                    && request_framing(&again) == Ok(framing)
            }),
            "{raw:?} written again"
        );
    }
    Ok((written.to_vec(), framing))
}

fn write_request(head: &RequestHead, framing: BodyFraming) -> Bytes {
    let mut out = BytesMut::new();
    let written = encode_request(head, announced(framing), &mut out);
    assert!(written.is_ok(), "{head:?} was read and cannot be written");
    out.freeze()
}

/// A response's head, written again, and how its body is delimited.
fn response(raw: &Bytes) -> Result<(Vec<u8>, BodyFraming), String> {
    let head = parse_response(raw).map_err(|error| error.to_string())?;
    check_lines(raw, &head.headers);
    let framing = response_framing(&head, false).map_err(|error| error.to_string())?;
    assert_eq!(response_framing(&head, true), Ok(BodyFraming::Empty));
    if framing != BodyFraming::Empty {
        check_framing(&head.headers, framing);
    }
    let written = write_response(&head, framing);
    let again = parse_response(&written);
    assert!(
        again.is_ok_and(|again| {
            again.status == head.status
                && again.reason == head.reason
                && without_framing(&again.headers) == without_framing(&head.headers)
        }),
        "{raw:?} written again"
    );
    Ok((written.to_vec(), framing))
}

fn write_response(head: &ResponseHead, framing: BodyFraming) -> Bytes {
    let framing = ResponseFraming {
        length: announced(framing),
        close: false,
        keep_alive: false,
        date: None,
    };
    let mut out = BytesMut::new();
    let written = encode_response(head, framing, &mut out);
    assert!(written.is_ok(), "{head:?} was read and cannot be written");
    out.freeze()
}

fn announced(framing: BodyFraming) -> BodyLength {
    match framing {
        BodyFraming::Length(length) => BodyLength::Known(length),
        BodyFraming::Chunked => BodyLength::Chunked,
        BodyFraming::Empty | BodyFraming::UntilClose => BodyLength::None,
    }
}

fn without_framing(headers: &Headers) -> Headers {
    let mut headers = headers.clone();
    headers.remove("content-length");
    headers.remove("transfer-encoding");
    headers
}

/// Asserts that any reader would cut this accepted head into the same lines, each of them one field.
fn check_lines(raw: &[u8], headers: &Headers) {
    let lone = |at: usize, byte: u8| match byte {
        b'\r' => raw.get(at + 1) != Some(&b'\n'),
        b'\n' => at.checked_sub(1).and_then(|before| raw.get(before)) != Some(&b'\r'),
        byte => byte == 0,
    };
    assert!(
        !raw.iter().enumerate().any(|(at, byte)| lone(at, *byte)),
        "{raw:?} has a lone line end or a zero"
    );
    let lines = raw.split(|byte| *byte == b'\n').count();
    // The first line, the empty line, and what is behind the last line end.
    assert_eq!(headers.len() + 3, lines, "{raw:?}");
    assert!(headers.len() <= MAX_HEADER_COUNT);
}

/// Asserts that there is one way to say where the body ends: what two readers may disagree about lets one request hide in
/// another.
fn check_framing(headers: &Headers, framing: BodyFraming) {
    let lengths: Vec<_> = headers.get_all("content-length").collect();
    let codings: Vec<_> = headers.get_all("transfer-encoding").collect();
    let digits = |value: &[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    assert!(
        lengths.len() + codings.len() <= 1,
        "{lengths:?} and {codings:?} are {framing:?}"
    );
    match framing {
        BodyFraming::Length(_) => assert!(lengths.iter().any(|value| digits(value))),
        BodyFraming::Chunked => assert!(
            codings
                .iter()
                .any(|coding| coding.eq_ignore_ascii_case(b"chunked"))
        ),
        BodyFraming::Empty | BodyFraming::UntilClose => assert!(codings.is_empty()),
    }
}

/// Asserts that a complete message has taken from the connection what it says, and that a chunked body reads the same when
/// it is written again.
fn check_length(message: &Message, taken: usize) {
    match message.framing {
        // Ends with the connection only, and so not here.
        BodyFraming::UntilClose => assert_ne!(message.framing, BodyFraming::UntilClose),
        BodyFraming::Empty => assert_eq!((taken, message.body.len()), (0, 0)),
        BodyFraming::Length(length) => {
            assert_eq!(u64::try_from(taken), Ok(length));
            assert_eq!(taken, message.body.len());
        }
        BodyFraming::Chunked => {
            assert!(taken > message.body.len(), "chunks without a size");
            assert_eq!(rechunked(&message.body), message.body);
        }
    }
}

/// The body, written in chunks and read again.
fn rechunked(body: &[u8]) -> Vec<u8> {
    let mut written = BytesMut::new();
    for chunk in body.chunks(crate::chunk_size(body)).chain([&[][..]]) {
        encode_chunk_size(chunk.len(), &mut written);
        written.extend_from_slice(chunk);
        written.extend_from_slice(b"\r\n");
    }
    let (mut decoder, mut read) = (BodyDecoder::new(BodyFraming::Chunked), Vec::new());
    while let Ok(Decoded::Data(data)) = decoder.decode(&mut written) {
        read.extend_from_slice(&data);
    }
    assert!(decoder.is_end() && written.is_empty());
    read
}
