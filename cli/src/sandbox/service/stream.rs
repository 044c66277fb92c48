//! Bodies of any size that cost no memory.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Bytes;
use axum::body::HttpBody;
use http_body::{Frame, SizeHint};

/// Bytes in one frame.
const CHUNK: usize = 64 * 1024;

/// A body of a given size: the letters a to z, over and over, which does not compress to nothing and is easy to check.
#[derive(Debug)]
pub(super) struct Pattern {
    left: u64,
    chunk: Bytes,
}

impl Pattern {
    pub(super) fn new(size: u64) -> Self {
        // A whole number of alphabets, so that frames join without a seam.
        let alphabets = CHUNK / 26;
        Self {
            left: size,
            chunk: b"abcdefghijklmnopqrstuvwxyz".repeat(alphabets).into(),
        }
    }
}

impl HttpBody for Pattern {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let length = usize::try_from(self.left).map_or(self.chunk.len(), |left| left.min(self.chunk.len()));
        self.left -= length as u64;
        Poll::Ready(Some(Ok(Frame::data(self.chunk.slice(..length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
