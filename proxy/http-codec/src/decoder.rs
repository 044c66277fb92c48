//! The body decoder: a pure state machine that may be fed with any split of the bytes.

use bytes::{Buf, Bytes, BytesMut};

use super::framing::BodyFraming;
use super::parse::{HeadScanner, parse_trailers};
use super::{MAX_CHUNK_EXTENSIONS, MAX_CHUNK_LINE, MAX_TRAILER_LENGTH};
use crate::error::BodyError;
use crate::head::Headers;

/// What [`BodyDecoder::decode`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Body bytes, never empty, taken out of the buffer without copying.
    Data(Bytes),
    /// Everything usable is consumed; more bytes are needed.
    NeedMore,
    /// The body is complete; what is left in the buffer belongs to the next message.
    End,
}

#[derive(Debug)]
enum State {
    /// So many bytes are left.
    Length(u64),
    UntilClose,
    Chunked(Chunked),
    End,
}

/// Where in the chunked coding the next byte belongs.
#[derive(Debug)]
enum Chunked {
    Size { value: u64, digits: u8 },
    SizePadding { value: u64 },
    Extension { value: u64 },
    SizeLineFeed { value: u64 },
    Data { left: u64 },
    DataReturn,
    DataLineFeed,
    Trailers(HeadScanner),
}

/// Most hexadecimal digits of a chunk size: what fits 64 bits.
const MAX_SIZE_DIGITS: u8 = 16;

/// Cuts one message body out of a buffer.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
    line_length: usize,
    extensions: usize,
    trailers: Headers,
}

impl BodyDecoder {
    /// A decoder for a body of this framing.
    pub fn new(framing: BodyFraming) -> Self {
        let state = match framing {
            BodyFraming::Empty | BodyFraming::Length(0) => State::End,
            BodyFraming::Length(length) => State::Length(length),
            BodyFraming::Chunked => State::Chunked(Chunked::Size { value: 0, digits: 0 }),
            BodyFraming::UntilClose => State::UntilClose,
        };
        Self {
            state,
            line_length: 0,
            extensions: 0,
            trailers: Headers::new(),
        }
    }

    /// Whether the body is complete.
    pub fn is_end(&self) -> bool {
        matches!(self.state, State::End)
    }

    /// How many bytes are still to come, where that is known.
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Length(left) => Some(left),
            State::End => Some(0),
            _ => None,
        }
    }

    /// The trailer section of a chunked body, once it ended.
    pub fn trailers(&self) -> &Headers {
        &self.trailers
    }

    /// Takes the next piece of the body from the front of `buffer`.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Decoded, BodyError> {
        match &mut self.state {
            State::End => Ok(Decoded::End),
            _ if buffer.is_empty() => Ok(Decoded::NeedMore),
            State::UntilClose => Ok(Decoded::Data(buffer.split().freeze())),
            State::Length(left) => {
                let data = take(left, buffer);
                if *left == 0 {
                    self.state = State::End;
                }
                Ok(Decoded::Data(data))
            }
            State::Chunked(_) => self.decode_chunked(buffer),
        }
    }

    /// Tells that the peer closed: ends a body delimited by closing, and refuses any other incomplete one.
    pub fn end_of_input(&mut self) -> Result<(), BodyError> {
        match self.state {
            State::End => Ok(()),
            State::UntilClose => {
                self.state = State::End;
                Ok(())
            }
            _ => Err(BodyError::Truncated),
        }
    }

    fn decode_chunked(&mut self, buffer: &mut BytesMut) -> Result<Decoded, BodyError> {
        loop {
            let State::Chunked(chunked) = &mut self.state else {
                return Ok(Decoded::End);
            };
            match chunked {
                Chunked::Data { left } => {
                    if buffer.is_empty() {
                        return Ok(Decoded::NeedMore);
                    }
                    let data = take(left, buffer);
                    if *left == 0 {
                        *chunked = Chunked::DataReturn;
                    }
                    return Ok(Decoded::Data(data));
                }
                Chunked::Trailers(scanner) => {
                    let Some(length) = trailer_length(scanner, buffer)? else {
                        return Ok(Decoded::NeedMore);
                    };
                    let raw = buffer.split_to(length).freeze();
                    self.trailers = parse_trailers(&raw).map_err(|_| BodyError::Trailer)?;
                    self.state = State::End;
                    return Ok(Decoded::End);
                }
                _ => {
                    let Some(byte) = buffer.first().copied() else {
                        return Ok(Decoded::NeedMore);
                    };
                    buffer.advance(1);
                    self.step(byte)?;
                }
            }
        }
    }

    /// Advances through the framing between chunks by one byte.
    fn step(&mut self, byte: u8) -> Result<(), BodyError> {
        let State::Chunked(chunked) = &mut self.state else {
            return Ok(());
        };
        self.line_length += 1;
        if self.line_length > MAX_CHUNK_LINE {
            return Err(BodyError::Chunk("size line is too long"));
        }
        *chunked = match (&*chunked, byte) {
            (&Chunked::Size { value, digits }, _) if byte.is_ascii_hexdigit() => {
                if digits >= MAX_SIZE_DIGITS {
                    return Err(BodyError::Chunk("size is too large"));
                }
                Chunked::Size {
                    value: value << 4 | hex_value(byte),
                    digits: digits + 1,
                }
            }
            (&Chunked::Size { digits: 0, .. }, _) => return Err(BodyError::Chunk("size is missing")),
            (&(Chunked::Size { value, .. } | Chunked::SizePadding { value }), b' ' | b'\t') => {
                Chunked::SizePadding { value }
            }
            (&(Chunked::Size { value, .. } | Chunked::SizePadding { value }), b';') => {
                Chunked::Extension { value }
            }
            (
                &(Chunked::Size { value, .. }
                | Chunked::SizePadding { value }
                | Chunked::Extension { value }),
                b'\r',
            ) => Chunked::SizeLineFeed { value },
            (&Chunked::Extension { value }, b'\t' | b' '..=b'~' | 0x80..) => {
                self.extensions += 1;
                if self.extensions > MAX_CHUNK_EXTENSIONS {
                    return Err(BodyError::Chunk("too many extensions"));
                }
                Chunked::Extension { value }
            }
            (&Chunked::SizeLineFeed { value }, b'\n') => {
                self.line_length = 0;
                if value == 0 {
                    Chunked::Trailers(HeadScanner::default())
                } else {
                    Chunked::Data { left: value }
                }
            }
            (Chunked::DataReturn, b'\r') => Chunked::DataLineFeed,
            (Chunked::DataLineFeed, b'\n') => {
                self.line_length = 0;
                Chunked::Size { value: 0, digits: 0 }
            }
            (Chunked::DataReturn | Chunked::DataLineFeed, _) => {
                return Err(BodyError::Chunk("no line end after data"));
            }
            _ => return Err(BodyError::Chunk("forbidden byte in the size line")),
        };
        Ok(())
    }
}

/// Takes at most `left` bytes from the front.
fn take(left: &mut u64, buffer: &mut BytesMut) -> Bytes {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
    *left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
    buffer.split_to(length).freeze()
}

fn trailer_length(scanner: &mut HeadScanner, buffer: &BytesMut) -> Result<Option<usize>, BodyError> {
    let length = scanner.find_end(buffer).map_err(|_| BodyError::Trailer)?;
    if length.unwrap_or(buffer.len()) > MAX_TRAILER_LENGTH {
        return Err(BodyError::Trailer);
    }
    Ok(length)
}

fn hex_value(byte: u8) -> u64 {
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => byte.wrapping_sub(b'A').wrapping_add(10),
    };
    u64::from(digit)
}
