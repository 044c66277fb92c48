//! Frames: what travels, and how it is cut out of the byte stream.

use std::io::Read;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Outcome, PROTOCOL_VERSION, Request, SignerError};

/// The most bytes a frame's payload may have.
pub const MAX_FRAME: usize = 4 * 1024 * 1024;

/// The first four bytes of a client's greeting.
pub const MAGIC: [u8; 4] = *b"KSGN";

/// The most bytes of a peer's name in its greeting.
pub const MAX_PEER_NAME: usize = 128;

const LENGTH_BYTES: usize = 4;
const READ_CHUNK: usize = 64 * 1024;

/// A frame to the signer.
#[derive(Debug, Serialize, Deserialize)]
pub enum ClientFrame {
    /// The greeting.
    Hello {
        /// [`MAGIC`].
        magic: [u8; 4],
        /// [`PROTOCOL_VERSION`].
        version: u16,
        /// Which process this is, for the signer's log.
        peer: String,
    },
    /// A request.
    Request {
        /// Chosen by the client.
        id: u64,
        /// What is asked.
        body: Request,
    },
}

impl ClientFrame {
    /// The greeting of this crate's version.
    #[must_use]
    pub fn hello(peer: &str) -> Self {
        let peer = peer.chars().take(MAX_PEER_NAME / 4).collect();
        Self::Hello {
            magic: MAGIC,
            version: PROTOCOL_VERSION,
            peer,
        }
    }
}

/// The same as [`ClientFrame::Request`], encoded without owning the body.
#[derive(Serialize)]
enum BorrowedClientFrame<'a> {
    #[expect(
        dead_code,
        reason = "keeps the index of the variants in step with ClientFrame"
    )]
    Hello,
    Request {
        id: u64,
        body: &'a Request,
    },
}

/// A frame from the signer.
#[derive(Debug, Serialize, Deserialize)]
pub enum ServerFrame {
    /// The greeting is accepted.
    Hello {
        /// The version that the signer speaks.
        version: u16,
    },
    /// The greeting is refused, or the connection ends for the given reason.
    Refused {
        /// Why.
        reason: String,
    },
    /// The answer to one request.
    Reply {
        /// The request's id.
        id: u64,
        /// The answer.
        outcome: Outcome,
    },
}

/// Bytes that are not frames.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length is above [`MAX_FRAME`].
    #[error("a frame of {0} bytes is too long")]
    TooLong(usize),
    /// The length is 0.
    #[error("an empty frame")]
    Empty,
    /// The payload is not what was expected.
    #[error("the frame cannot be decoded")]
    Malformed(#[source] postcard::Error),
    /// There are bytes behind the payload's value.
    #[error("the frame has {0} bytes too many")]
    TrailingBytes(usize),
    /// The greeting is missing, repeated, or of another version.
    #[error("a greeting was expected, or one too many came")]
    Greeting,
    /// The value cannot be encoded.
    #[error("the frame cannot be encoded")]
    Unencodable(#[source] postcard::Error),
    /// The stream failed.
    #[error("the connection failed")]
    Io(#[from] std::io::Error),
    /// The stream ended, between frames or inside one.
    #[error("the connection ended")]
    Closed,
}

impl From<FrameError> for SignerError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(_) | FrameError::Closed => Self::Disconnected,
            FrameError::TooLong(_) => Self::InvalidRequest(error.to_string()),
            _ => Self::Protocol(error.to_string()),
        }
    }
}

/// Appends the frame to `out`.
///
/// # Errors
/// `TooLong` if the encoding exceeds [`MAX_FRAME`]; then `out` is as it was.
pub fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    let encoded = postcard::to_extend(value, Appender(out));
    let result = match encoded {
        Ok(_) => write_length(out, start),
        Err(error) => Err(FrameError::Unencodable(error)),
    };
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Appends a request's frame to `out`, without taking the request.
///
/// # Errors
/// As [`encode`].
pub fn encode_request(id: u64, body: &Request, out: &mut Vec<u8>) -> Result<(), FrameError> {
    encode(&BorrowedClientFrame::Request { id, body }, out)
}

struct Appender<'a>(&'a mut Vec<u8>);

impl Extend<u8> for Appender<'_> {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        self.0.extend(bytes);
    }
}

fn write_length(out: &mut [u8], start: usize) -> Result<(), FrameError> {
    let length = out.len().saturating_sub(start + LENGTH_BYTES);
    if length > MAX_FRAME {
        return Err(FrameError::TooLong(length));
    }
    let bytes = u32::try_from(length)
        .map_err(|_| FrameError::TooLong(length))?
        .to_le_bytes();
    if let Some(slot) = out.get_mut(start..start + LENGTH_BYTES) {
        slot.copy_from_slice(&bytes);
    }
    Ok(())
}

/// Decodes a payload, which must be one value and nothing else.
///
/// # Errors
/// `Malformed` or `TrailingBytes`.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, FrameError> {
    let (value, rest) = postcard::take_from_bytes(payload).map_err(FrameError::Malformed)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(FrameError::TrailingBytes(rest.len()))
    }
}

/// Cuts frames out of a byte stream. Holds at most one frame and one read more than was taken out.
#[derive(Default)]
pub struct FrameReader {
    /// Room for what is read. It is kept from read to read, because making it means to write every byte of it.
    buffer: zeroize::Zeroizing<Vec<u8>>,
    /// Where the next frame begins in `buffer`.
    start: usize,
    /// Where what was read ends in `buffer`.
    end: usize,
}

impl std::fmt::Debug for FrameReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameReader")
            .field("buffered", &self.buffered())
            .finish()
    }
}

impl FrameReader {
    /// Bytes that were read and not taken out.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Reads once from the stream, whatever it has.
    ///
    /// # Errors
    /// `Closed` at the end of the stream, `Io` otherwise (a time-out of the socket is `Io` and loses nothing).
    pub fn fill(&mut self, stream: &mut impl Read) -> Result<(), FrameError> {
        self.make_room();
        let room = self.buffer.get_mut(self.end..self.end + READ_CHUNK);
        match stream.read(room.unwrap_or_default())? {
            0 => Err(FrameError::Closed),
            read => {
                self.end += read.min(READ_CHUNK);
                Ok(())
            }
        }
    }

    /// Moves what is left to the front and makes room for one read behind it.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < self.end + READ_CHUNK {
            self.buffer.resize(self.end + READ_CHUNK, 0);
        }
    }

    /// The next complete payload, if there is one.
    ///
    /// # Errors
    /// `TooLong` or `Empty`: the stream cannot be used any more.
    pub fn next_payload(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let Some(length) = self.next_length()? else {
            return Ok(None);
        };
        let from = self.start + LENGTH_BYTES;
        if self.end < from + length {
            return Ok(None);
        }
        self.start = from + length;
        Ok(self.buffer.get(from..from + length))
    }

    fn next_length(&self) -> Result<Option<usize>, FrameError> {
        let head = self
            .buffer
            .get(self.start..self.end)
            .and_then(|rest| rest.first_chunk::<LENGTH_BYTES>());
        let Some(head) = head else { return Ok(None) };
        let length = usize::try_from(u32::from_le_bytes(*head)).unwrap_or(usize::MAX);
        match length {
            0 => Err(FrameError::Empty),
            1..=MAX_FRAME => Ok(Some(length)),
            _ => Err(FrameError::TooLong(length)),
        }
    }
}
