//! Noticing that the information system has gone while its answer is being waited for.
//!
//! A provider may take as long as an operator lets it. Nobody needs its answer when who asked has gone: the exchange
//! ends then, and what it holds is free again.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use crate::exchange::ExchangeError;
use crate::http::Body;

/// The information system that asked, once its request is received to its end.
#[derive(Default)]
pub(super) struct Asker<'b>(Cell<Option<&'b mut Body>>);

impl<'b> Asker<'b> {
    /// The request is received: from now on the asker merely waits.
    pub(super) fn waits(&self, body: &'b mut Body) {
        self.0.set(Some(body));
    }

    /// Runs an exchange unless the asker, while it waits, goes away. It is pinned already because it is large: what is
    /// handed over by value is copied.
    pub(super) async fn unless_hung_up<T>(
        &self,
        mut exchange: Pin<&mut impl Future<Output = Result<T, ExchangeError>>>,
    ) -> Result<T, ExchangeError> {
        let mut gone = pin!(self.gone());
        poll_fn(|context| {
            if let Poll::Ready(ended) = exchange.as_mut().poll(context) {
                return Poll::Ready(ended);
            }
            gone.as_mut().poll(context).map(|()| Err(ExchangeError::HungUp))
        })
        .await
    }

    async fn gone(&self) {
        // Needs no waker: it is the exchange that says when the asker waits, and it is polled before.
        let body = poll_fn(|_| self.0.take().map_or(Poll::Pending, Poll::Ready)).await;
        body.gone().await;
    }
}
