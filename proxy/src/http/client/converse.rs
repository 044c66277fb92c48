//! Sending a request and dealing with its response at the same time.
//!
//! A server may answer while it still takes the request, and stop taking it until somebody takes its answer. So neither
//! direction waits for the other.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use super::{Body, BodyLength, ClientConnection, ResponseReader};
use crate::http::error::HttpError;
use crate::http::head::{RequestHead, ResponseHead};
use crate::http::writer::BodyWriter;
use crate::net::stream::Writer;

/// How long to look for a response that explains why the server stopped taking the request.
const EXPLANATION_LIMIT: Duration = Duration::from_secs(2);
/// How long a server that has answered in full may take nothing of the rest of the request.
const REST_STALL_LIMIT: Duration = Duration::from_secs(2);

impl ClientConnection {
    /// Sends a request whose body `send` writes, while `receive` deals with the response as it comes.
    ///
    /// - A failure of `send` or `receive` ends both, but for a connection that breaks under `send`: the server may have
    ///   said why, so the response still decides.
    /// - A refusal (status of 400 or more) ends the sending.
    /// - When the response is complete, the rest of the request is sent for as long as the server takes it.
    ///
    /// The connection is reusable only if the whole request was sent.
    pub async fn converse<T, E: From<HttpError>>(
        &mut self,
        head: &RequestHead,
        length: BodyLength,
        send: impl AsyncFnOnce(&mut BodyWriter) -> Result<(), E>,
        receive: impl AsyncFnOnce(ResponseHead, &mut Body) -> Result<T, E>,
    ) -> Result<T, E> {
        self.start(head, length)?;
        let writer = self.out.writer().clone();
        let course = Course::new();
        let mut sending = pin!(course.send(&mut self.out, send));
        let mut receiving = pin!(course.receive(&mut self.responses, receive));
        let received = poll_fn(|context| {
            if course.is_sending()
                && let Poll::Ready(Err(error)) = sending.as_mut().poll(context)
            {
                return Poll::Ready(Err(error));
            }
            receiving.as_mut().poll(context)
        });
        let received = received.await?;
        if course.is_sending() {
            send_rest(sending, &writer).await;
        }
        Ok(received)
    }
}

/// What the two directions of an exchange know of each other.
struct Course<E> {
    /// Sending is over, whole or broken.
    sent: Cell<bool>,
    /// Why the connection broke while sending.
    broken: RefCell<Option<E>>,
    /// The response says that the rest of the request is not wanted.
    refused: Cell<bool>,
}

impl<E: From<HttpError>> Course<E> {
    fn new() -> Self {
        Self {
            sent: Cell::new(false),
            broken: RefCell::new(None),
            refused: Cell::new(false),
        }
    }

    fn is_sending(&self) -> bool {
        !self.sent.get() && !self.refused.get()
    }

    async fn send(
        &self,
        out: &mut BodyWriter,
        send: impl AsyncFnOnce(&mut BodyWriter) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut sent = send(&mut *out).await;
        if sent.is_ok() {
            sent = out.finish().await.map_err(E::from);
        }
        if let Err(error) = sent {
            if !out.is_broken() {
                return Err(error);
            }
            self.broken.replace(Some(error));
        }
        self.sent.set(true);
        Ok(())
    }

    async fn receive<T>(
        &self,
        responses: &mut ResponseReader,
        receive: impl AsyncFnOnce(ResponseHead, &mut Body) -> Result<T, E>,
    ) -> Result<T, E> {
        let give_up = self.give_up(responses.settings.response_limit);
        let head = match responses.read_head(give_up).await {
            Ok(head) => head,
            Err(error) => return Err(self.broken.take().unwrap_or_else(|| error.into())),
        };
        self.refused.set(head.status >= 400);
        receive(head, &mut responses.body).await
    }

    /// The time for the response to begin runs from the end of sending.
    async fn give_up(&self, limit: Option<Duration>) {
        // Whoever polls this has polled the sending just before: nothing needs to be woken.
        poll_fn(|_context| {
            if self.sent.get() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        let broken = self.broken.borrow().is_some();
        match limit {
            _ if broken => monoio::time::sleep(EXPLANATION_LIMIT).await,
            Some(limit) => monoio::time::sleep(limit).await,
            None => pending().await,
        }
    }
}

/// Sends the rest of a request that was answered, until it is sent, fails, or nothing is taken for a while.
async fn send_rest<E>(mut sending: Pin<&mut impl Future<Output = Result<(), E>>>, writer: &Writer) {
    loop {
        let before = writer.bytes_sent();
        let sent = monoio::time::timeout(REST_STALL_LIMIT, sending.as_mut());
        if sent.await.is_ok() || writer.bytes_sent() == before {
            return;
        }
    }
}
