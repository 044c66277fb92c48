//! From the thread that writes a download to the worker that sends it.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};

use super::DownloadError;
use crate::http::ResponseHead;
use crate::slots::Slot;

/// Size of a piece.
const PIECE: usize = 64 * 1024;
/// Pieces that may wait for a slow client; the thread waits with the next.
const PIECES: usize = 4;

/// What comes from the thread.
#[derive(Debug)]
pub enum Piece {
    /// There is something to download.
    Start(Start),
    /// There is nothing; instead of [`Piece::Start`].
    Refused(DownloadError),
    /// Bytes of it.
    Data(Bytes),
    /// That was all. A download that ends without it broke off.
    End,
}

/// What a download is.
#[derive(Debug, PartialEq, Eq)]
pub struct Start {
    /// `Content-Type`.
    pub media_type: &'static str,
    /// `Content-Disposition`.
    pub disposition: String,
}

impl Start {
    /// The head of the answer.
    #[must_use]
    pub fn head(self) -> ResponseHead {
        ResponseHead::new(200)
            .with("Content-Type", self.media_type)
            .with("Content-Disposition", self.disposition)
    }
}

/// A download under way. Dropping it makes the thread end.
#[derive(Debug)]
pub struct Download(flume::Receiver<Piece>);

impl Download {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// [`DownloadError::Thread`]
    pub fn start<F>(slot: Slot, write: F) -> Result<Self, DownloadError>
    where
        F: FnOnce(Output) -> Result<(), DownloadError> + Send + 'static,
    {
        let (pieces, receiver) = flume::bounded(PIECES);
        let thread = std::thread::Builder::new().name("download".into());
        let work = move || {
            if let Err(refused) = write(Output {
                pieces: pieces.clone(),
            }) {
                let _ = pieces.send(Piece::Refused(refused));
            }
            drop(slot);
        };
        thread.spawn(work).map_err(DownloadError::Thread)?;
        Ok(Self(receiver))
    }

    /// The next piece; none after the thread ended.
    pub async fn next(&self) -> Option<Piece> {
        self.0.recv_async().await.ok()
    }
}

/// Where the thread writes, once it knows that there is something to write.
#[derive(Debug)]
pub struct Output {
    pieces: flume::Sender<Piece>,
}

impl Output {
    /// Begins the answer: from now on nothing can be refused, only broken off. `body` writes into what it is given.
    pub fn send(self, start: Start, body: impl FnOnce(PieceWriter) -> io::Result<PieceWriter>) {
        let writer = PieceWriter {
            pieces: self.pieces,
            gathered: BytesMut::with_capacity(PIECE),
        };
        if writer.pieces.send(Piece::Start(start)).is_err() {
            return;
        }
        if let Err(error) = body(writer).and_then(PieceWriter::end) {
            tracing::warn!(%error, "download broke off");
        }
    }
}

/// Gathers what is written into pieces, and waits while the client is behind.
#[derive(Debug)]
pub struct PieceWriter {
    pieces: flume::Sender<Piece>,
    gathered: BytesMut,
}

impl PieceWriter {
    fn end(mut self) -> io::Result<()> {
        self.hand_over()?;
        self.pieces.send(Piece::End).map_err(|_| gone())
    }

    fn hand_over(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.gathered, BytesMut::with_capacity(PIECE)).freeze();
        self.pieces.send(Piece::Data(piece)).map_err(|_| gone())
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the client is gone")
}

impl Write for PieceWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let room = PIECE.saturating_sub(self.gathered.len()).min(data.len());
        self.gathered
            .extend_from_slice(data.get(..room).unwrap_or_default());
        if self.gathered.len() >= PIECE {
            self.hand_over()?;
        }
        Ok(room)
    }

    /// Nothing: pieces go when they are full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl Download {
    /// The whole download, for tests.
    pub(super) fn collect(self) -> Result<(Start, Vec<u8>), Option<DownloadError>> {
        let start = match self.0.recv() {
            Ok(Piece::Start(start)) => start,
            Ok(Piece::Refused(error)) => return Err(Some(error)),
            _ => return Err(None),
        };
        let mut whole = Vec::new();
        loop {
            match self.0.recv() {
                Ok(Piece::Data(data)) => whole.extend_from_slice(&data),
                Ok(Piece::End) => return Ok((start, whole)),
                _ => return Err(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::slot;
    use super::*;

    fn start() -> Start {
        Start {
            media_type: "text/plain",
            disposition: "attachment".into(),
        }
    }

    #[test]
    fn pieces_are_bounded_and_whole() {
        let data: Vec<u8> = (0..=250).cycle().take(PIECE * 9 + 17).collect();
        let copy = data.clone();
        let download = Download::start(slot().unwrap(), move |out| {
            out.send(start(), |mut writer| {
                writer.write_all(&copy)?;
                Ok(writer)
            });
            Ok(())
        });
        let download = download.unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(download.0.len() <= PIECES);
        assert_eq!(download.collect().unwrap(), (start(), data));
    }

    #[test]
    fn a_download_that_breaks_off_has_no_end_and_a_client_that_goes_ends_the_thread() {
        let failing = Download::start(slot().unwrap(), |out| {
            out.send(start(), |_| Err(io::Error::other("damaged")));
            Ok(())
        });
        assert!(matches!(failing.unwrap().collect(), Err(None)));

        let (ended, end) = flume::bounded(1);
        let endless = Download::start(slot().unwrap(), move |out| {
            out.send(start(), |mut writer| {
                loop {
                    writer.write_all(&[0; 1000])?;
                }
            });
            ended.send(()).unwrap();
            Ok(())
        });
        drop(endless);
        end.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
    }
}
