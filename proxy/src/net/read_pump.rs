//! The reading side of a TCP connection, safe to stop waiting for at any time.
//!
//! A completion-based read that is dropped loses the bytes that the kernel had already taken for it. So the read is
//! never dropped: one future per connection owns the socket and runs one read after the other, callers merely poll
//! it. A caller whose time is up just stops polling; the next caller gets that read's result.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use monoio::buf::IoBufMut;
use monoio::io::{AsyncReadRent, OwnedReadHalf};
use monoio::net::TcpStream;

/// What lies between the callers and the future that reads.
enum Mail {
    Empty,
    /// Read to the end of this buffer.
    Request(BytesMut),
    Done(io::Result<usize>, BytesMut),
}

/// Reads from a socket into owned buffers.
pub(crate) struct ReadPump {
    mail: Rc<RefCell<Mail>>,
    reading: Pin<Box<dyn Future<Output = ()>>>,
    pending: bool,
}

impl ReadPump {
    pub(crate) fn new(socket: OwnedReadHalf<TcpStream>) -> Self {
        let mail = Rc::new(RefCell::new(Mail::Empty));
        Self {
            reading: Box::pin(read_requests(socket, Rc::clone(&mail))),
            mail,
            pending: false,
        }
    }

    /// Whether a read is under way, and with it the buffer given away.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending
    }

    /// Appends to the buffer that `buffer` gives when no read is under way. Zero bytes mean the peer's end.
    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: impl FnOnce() -> BytesMut,
    ) -> Poll<(io::Result<usize>, BytesMut)> {
        if !self.pending {
            self.pending = true;
            self.mail.replace(Mail::Request(buffer()));
        }
        // The future never ends.
        let _ = self.reading.as_mut().poll(context);
        match self.mail.replace(Mail::Empty) {
            Mail::Done(result, buffer) => {
                self.pending = false;
                Poll::Ready((result, buffer))
            }
            other => {
                self.mail.replace(other);
                Poll::Pending
            }
        }
    }
}

async fn read_requests(mut socket: OwnedReadHalf<TcpStream>, mail: Rc<RefCell<Mail>>) {
    loop {
        let buffer = std::future::poll_fn(|_| take_request(&mail)).await;
        let (start, end) = (buffer.len(), buffer.capacity());
        let (result, spare) = socket.read(buffer.slice_mut(start..end)).await;
        mail.replace(Mail::Done(result, spare.into_inner()));
    }
}

/// Needs no waker: who posts a request polls afterwards.
fn take_request(mail: &RefCell<Mail>) -> Poll<BytesMut> {
    match mail.replace(Mail::Empty) {
        Mail::Request(buffer) => Poll::Ready(buffer),
        other => {
            mail.replace(other);
            Poll::Pending
        }
    }
}
