//! Streaming a body into the log while it passes through, before anyone knows its record.

use std::sync::Arc;

use bytes::Bytes;
use protocol_message::transport::Gathered;

use super::LogError;
use super::encryption::{Content, Seal, SealError, ValueKey};

/// Size of a stored chunk, and of what a body may have to travel with its record in one write.
pub const CHUNK: usize = 64 << 10;

/// Identity of a body. While a value of it lives outside the writer thread, the chunks are kept; when the last one
/// goes and no record took the body, the writer deletes what it wrote.
#[derive(Debug)]
pub(super) struct BodyState {
    pub(super) id: u64,
}

/// A chunk on its way to the writer thread.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) body: Arc<BodyState>,
    pub(super) number: u32,
    pub(super) bytes: Bytes,
}

/// Writes one body into the log, chunk by chunk, in bounded memory.
///
/// Nothing is synced here: the sync of the record covers the chunks, which lie before it in the log of writes.
/// Dropping the writer, or the [`Body`] that it became, without logging a record removes what was written.
#[derive(Debug)]
pub struct BodyWriter {
    state: Arc<BodyState>,
    chunks: flume::Sender<Chunk>,
    /// What does not fill a chunk yet.
    rest: Gathered,
    sent: u32,
    length: u64,
    sending: bool,
    /// Encrypts the chunks, if the log is encrypted; the error of making one is told with the next bytes.
    key: Option<Result<ValueKey, SealError>>,
}

impl BodyWriter {
    pub(super) fn new(
        id: u64,
        chunks: flume::Sender<Chunk>,
        key: Option<Result<ValueKey, SealError>>,
    ) -> Self {
        let state = Arc::new(BodyState { id });
        Self {
            state,
            chunks,
            rest: Gathered::new(),
            sent: 0,
            length: 0,
            sending: false,
            key,
        }
    }

    /// Takes the next bytes of the body; waits while the disk is behind.
    ///
    /// A future dropped half-way leaves a body that cannot be finished.
    ///
    /// # Errors
    /// [`LogError::Stopped`] if the log takes nothing any more; [`LogError::BodyIncomplete`] after a future dropped
    /// half-way.
    pub async fn append(&mut self, bytes: Bytes) -> Result<(), LogError> {
        if self.sending {
            return Err(LogError::BodyIncomplete);
        }
        for chunk in self.full_chunks(bytes)? {
            self.sending = true;
            self.chunks
                .send_async(chunk)
                .await
                .map_err(|_| LogError::Stopped)?;
            self.sending = false;
        }
        Ok(())
    }

    /// As [`BodyWriter::append`], for threads that may block.
    ///
    /// # Errors
    /// [`LogError::Stopped`] if the log takes nothing any more.
    pub fn append_blocking(&mut self, bytes: Bytes) -> Result<(), LogError> {
        for chunk in self.full_chunks(bytes)? {
            self.chunks.send(chunk).map_err(|_| LogError::Stopped)?;
        }
        Ok(())
    }

    /// Bytes taken so far.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The body, to be logged with its record.
    ///
    /// # Errors
    /// [`LogError::BodyIncomplete`] if a future of [`BodyWriter::append`] was dropped half-way.
    pub fn finish(self) -> Result<Body, LogError> {
        if self.sending {
            return Err(LogError::BodyIncomplete);
        }
        let key = self.key.transpose()?;
        let mut last = self.rest.into_bytes();
        if let Some(key) = key.as_ref().filter(|_| !last.is_empty()) {
            last = key.seal(Content::Chunk(self.sent), &last)?;
        }
        Ok(Body {
            seal: key.map(|key| key.seal_of().clone()),
            state: self.state,
            chunks: self.chunks,
            sent: self.sent,
            length: self.length,
            last,
        })
    }

    /// Buffers what does not fill a chunk; a body of less than a chunk is never sent but goes with its record.
    fn full_chunks(&mut self, bytes: Bytes) -> Result<Vec<Chunk>, LogError> {
        self.length = self
            .length
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let mut chunks = Vec::new();
        let mut rest = bytes;
        if !self.rest.is_empty() {
            let missing = CHUNK.saturating_sub(self.rest.len()).min(rest.len());
            self.rest.append(rest.split_to(missing));
            if self.rest.len() == CHUNK {
                let full = self.rest.take().into_bytes();
                chunks.push(self.chunk(full)?);
            }
        }
        while rest.len() >= CHUNK {
            let full = rest.split_to(CHUNK);
            chunks.push(self.chunk(full)?);
        }
        self.rest.append(rest);
        Ok(chunks)
    }

    fn chunk(&mut self, mut bytes: Bytes) -> Result<Chunk, LogError> {
        let number = self.sent;
        if let Some(key) = self.key.as_ref() {
            let key = key.as_ref().map_err(|error| *error)?;
            bytes = key.seal(Content::Chunk(number), &bytes)?;
        }
        self.sent = self.sent.saturating_add(1);
        Ok(Chunk {
            body: Arc::clone(&self.state),
            number,
            bytes,
        })
    }
}

/// A body that was taken whole and waits for its record.
#[derive(Debug)]
pub struct Body {
    pub(super) state: Arc<BodyState>,
    chunks: flume::Sender<Chunk>,
    /// Chunks sent to the writer.
    pub(super) sent: u32,
    pub(super) length: u64,
    /// What follows them, less than a chunk.
    pub(super) last: Bytes,
    /// How chunks and rest are encrypted.
    pub(super) seal: Option<Seal>,
}

impl Body {
    /// Bytes of the body.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn is_of(&self, chunks: &flume::Sender<Chunk>) -> bool {
        self.chunks.same_channel(chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(parts: &[usize]) -> (Vec<usize>, Body) {
        let (sender, receiver) = flume::unbounded();
        let mut writer = BodyWriter::new(1, sender, None);
        for part in parts {
            writer.append_blocking(Bytes::from(vec![7; *part])).unwrap();
        }
        let sizes = receiver.try_iter().map(|chunk| chunk.bytes.len()).collect();
        (sizes, writer.finish().unwrap())
    }

    #[test]
    fn sends_full_chunks_and_keeps_the_rest_for_the_record() {
        let (sizes, body) = write(&[10, CHUNK, CHUNK * 2, 3]);
        assert_eq!(sizes, [CHUNK, CHUNK, CHUNK]);
        assert_eq!(
            (body.sent, body.last.len(), body.length),
            (3, 13, (CHUNK * 3 + 13) as u64)
        );
    }

    #[test]
    fn a_small_body_is_never_sent() {
        let (sizes, body) = write(&[10, 20]);
        assert!(sizes.is_empty());
        assert_eq!((body.sent, body.last.len()), (0, 30));
    }

    #[test]
    fn a_cancelled_write_cannot_be_finished() {
        let (sender, _receiver) = flume::bounded(0);
        let mut writer = BodyWriter::new(1, sender, None);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        {
            let mut append = Box::pin(writer.append(Bytes::from(vec![0; CHUNK])));
            assert!(append.as_mut().poll(&mut context).is_pending());
        }
        assert!(matches!(writer.finish(), Err(LogError::BodyIncomplete)));
    }
}
