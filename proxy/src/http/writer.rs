//! Sending a message body, small pieces gathered into few writes.

use bytes::{BufMut, Bytes, BytesMut};

use super::codec::encode::{LAST_CHUNK, encode_chunk_size};
use super::error::HttpError;
use crate::net::stream::Writer;

/// Pieces up to this many bytes are copied together, larger ones are sent as they are.
const GATHER_LIMIT: usize = 16 * 1024;
/// Gathered bytes are sent once they are so many.
const FLUSH_SIZE: usize = 32 * 1024;
/// Room that a body of unknown length begins with, in bytes: for a message between security servers, 10 KiB of which are
/// its signature and its OCSP responses.
const CHUNKED_ROOM: usize = 16 * 1024;
/// Room that any other message begins with: for a head and a small body.
const SHORT_ROOM: usize = 2 * 1024;

/// How the body being sent is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteFraming {
    /// No message is begun.
    Idle,
    /// So many bytes are still to be written.
    Length(u64),
    Chunked,
    UntilClose,
    /// A body that is not sent: the response to `HEAD`.
    Discarded,
    /// The message is complete.
    Finished,
}

/// Sends the body of one message after another.
///
/// Small pieces wait to be sent together: call [`BodyWriter::flush`] before waiting for anything but more body.
#[derive(Debug)]
pub struct BodyWriter {
    writer: Writer,
    gathered: BytesMut,
    framing: WriteFraming,
}

impl BodyWriter {
    pub(crate) fn new(writer: Writer) -> Self {
        Self {
            writer,
            gathered: BytesMut::new(),
            framing: WriteFraming::Idle,
        }
    }

    /// Writes a piece of the body. Empty pieces are nothing.
    pub async fn write(&mut self, chunk: impl Into<Bytes>) -> Result<(), HttpError> {
        let chunk = chunk.into();
        if chunk.len() <= GATHER_LIMIT {
            return self.gather(&chunk).await;
        }
        if !self.begin_piece(chunk.len())? {
            return Ok(());
        }
        self.send(Some(chunk)).await?;
        self.end_piece().await
    }

    /// As [`Self::write`], of bytes that are only lent: they are copied in any case.
    pub async fn write_lent(&mut self, piece: &[u8]) -> Result<(), HttpError> {
        if piece.len() <= GATHER_LIMIT {
            self.gather(piece).await
        } else {
            self.write(Bytes::copy_from_slice(piece)).await
        }
    }

    async fn gather(&mut self, piece: &[u8]) -> Result<(), HttpError> {
        if piece.is_empty() || !self.begin_piece(piece.len())? {
            return Ok(());
        }
        self.gathered.extend_from_slice(piece);
        self.end_piece().await
    }

    /// Whether a piece of this length is to be sent.
    fn begin_piece(&mut self, length: usize) -> Result<bool, HttpError> {
        self.count(length)?;
        if self.framing == WriteFraming::Chunked {
            encode_chunk_size(length, &mut self.gathered);
        }
        Ok(self.framing != WriteFraming::Discarded)
    }

    async fn end_piece(&mut self) -> Result<(), HttpError> {
        if self.framing == WriteFraming::Chunked {
            self.gathered.put_slice(b"\r\n");
        }
        if self.gathered.len() >= FLUSH_SIZE {
            self.flush().await
        } else {
            Ok(())
        }
    }

    /// Sends what is gathered.
    pub async fn flush(&mut self) -> Result<(), HttpError> {
        if self.gathered.is_empty() {
            Ok(())
        } else {
            self.send(None).await
        }
    }

    /// Ends the body and sends all of it. [`HttpError::LengthMismatch`] when bytes of the announced length are
    /// missing. Nothing happens when it is ended already.
    pub async fn finish(&mut self) -> Result<(), HttpError> {
        match self.framing {
            WriteFraming::Finished => return Ok(()),
            WriteFraming::Idle => return Err(HttpError::OutOfOrder),
            WriteFraming::Length(1..) => return Err(HttpError::LengthMismatch),
            WriteFraming::Chunked => self.gathered.put_slice(LAST_CHUNK),
            WriteFraming::Length(0) | WriteFraming::UntilClose | WriteFraming::Discarded => {}
        }
        self.flush().await?;
        self.framing = WriteFraming::Finished;
        // An idle connection keeps no room.
        self.gathered = BytesMut::new();
        Ok(())
    }

    /// Whether the message is complete.
    pub fn is_finished(&self) -> bool {
        self.framing == WriteFraming::Finished
    }

    /// Whether writing failed or was abandoned in the middle.
    pub fn is_broken(&self) -> bool {
        self.writer.is_broken()
    }

    /// Begins a message: `encode` appends its head, which is sent together with the first of the body.
    pub(crate) fn begin(
        &mut self,
        framing: WriteFraming,
        encode: impl FnOnce(&mut BytesMut) -> Result<(), HttpError>,
    ) -> Result<(), HttpError> {
        if !matches!(self.framing, WriteFraming::Idle | WriteFraming::Finished) {
            return Err(HttpError::OutOfOrder);
        }
        self.gathered.reserve(match framing {
            WriteFraming::Chunked => CHUNKED_ROOM,
            _ => SHORT_ROOM,
        });
        encode(&mut self.gathered)?;
        self.framing = framing;
        Ok(())
    }

    /// Forgets the complete message before, so that a server can tell whether the next one is begun.
    pub(crate) fn reset(&mut self) {
        self.framing = WriteFraming::Idle;
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Keeps account of an announced length.
    fn count(&mut self, length: usize) -> Result<(), HttpError> {
        match &mut self.framing {
            WriteFraming::Idle | WriteFraming::Finished => Err(HttpError::OutOfOrder),
            WriteFraming::Length(left) => {
                let length = u64::try_from(length).unwrap_or(u64::MAX);
                *left = left.checked_sub(length).ok_or(HttpError::LengthMismatch)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn send(&mut self, chunk: Option<Bytes>) -> Result<(), HttpError> {
        let gathered = std::mem::take(&mut self.gathered);
        self.gathered = self.writer.write_all(gathered, chunk).await?;
        Ok(())
    }
}
