//! The right, and the duty, to answer one request.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use signer_client::{MAX_IN_FLIGHT, Outcome, SignerError, frame::ServerFrame};

/// Most bytes of unanswered requests on one connection.
const MAX_BYTES_IN_FLIGHT: usize = 64 * 1024 * 1024;

/// Where the answers of one connection are gathered.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: flume::Sender<Outgoing>,
    requests: AtomicUsize,
    bytes: AtomicUsize,
    dead: AtomicBool,
}

/// A frame for the writer. The permit is given back when it has been written.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) frame: ServerFrame,
    #[expect(dead_code, reason = "given back by being dropped")]
    permit: Option<Permit>,
}

impl Outgoing {
    /// Answers with an error instead: the answer is too long for a frame.
    pub(crate) fn replace_with_error(&self, out: &mut Vec<u8>) {
        if let ServerFrame::Reply { id, .. } = self.frame {
            let outcome = Err(SignerError::Internal("the answer is too long".to_owned()));
            // So short an answer can be encoded.
            let _ = signer_client::frame::encode(&ServerFrame::Reply { id, outcome }, out);
        }
    }
}

impl Outbox {
    pub(crate) fn new() -> (Arc<Self>, flume::Receiver<Outgoing>) {
        // Bounded by the permits.
        let (queue, outgoing) = flume::unbounded();
        let (requests, bytes, dead) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        (
            Arc::new(Self {
                queue,
                requests,
                bytes,
                dead,
            }),
            outgoing,
        )
    }

    /// Sends a frame that answers no request.
    pub(crate) fn send(&self, frame: ServerFrame) {
        self.put(frame, None);
    }

    fn put(&self, frame: ServerFrame, permit: Option<Permit>) {
        // If the writer is gone, so is whoever asked.
        let _ = self.queue.send(Outgoing { frame, permit });
    }

    pub(crate) fn is_full(&self) -> bool {
        self.requests.load(Ordering::Acquire) >= MAX_IN_FLIGHT
            || self.bytes.load(Ordering::Acquire) >= MAX_BYTES_IN_FLIGHT
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    /// Nobody reads the answers any more.
    pub(crate) fn kill(&self) {
        self.dead.store(true, Ordering::Release);
    }
}

/// A request's share of its connection's bounds.
#[derive(Debug)]
struct Permit {
    outbox: Arc<Outbox>,
    bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.outbox.requests.fetch_sub(1, Ordering::AcqRel);
        self.outbox.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// The right, and the duty, to answer one request. A ticket that is dropped answers with an error.
#[derive(Debug)]
pub struct Ticket {
    id: u64,
    permit: Option<Permit>,
}

impl Ticket {
    pub(crate) fn new(id: u64, bytes: usize, outbox: &Arc<Outbox>) -> Self {
        outbox.requests.fetch_add(1, Ordering::AcqRel);
        outbox.bytes.fetch_add(bytes, Ordering::AcqRel);
        Self {
            id,
            permit: Some(Permit {
                outbox: Arc::clone(outbox),
                bytes,
            }),
        }
    }

    /// Answers the request.
    pub fn answer(mut self, outcome: Outcome) {
        self.send(outcome);
    }

    /// Whether whoever asked has gone, so that the answer need not be made.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.permit.as_ref().is_none_or(|permit| permit.outbox.is_dead())
    }

    fn send(&mut self, outcome: Outcome) {
        if let Some(permit) = self.permit.take() {
            let outbox = Arc::clone(&permit.outbox);
            outbox.put(ServerFrame::Reply { id: self.id, outcome }, Some(permit));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.send(Err(SignerError::Internal("the request was given up".to_owned())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signer_client::Response;

    #[test]
    fn every_ticket_is_answered_once() {
        let (outbox, outgoing) = Outbox::new();
        Ticket::new(1, 10, &outbox).answer(Ok(Response::Done));
        drop(Ticket::new(2, 10, &outbox));
        assert_eq!(outbox.requests.load(Ordering::Relaxed), 2);
        let frames: Vec<_> = outgoing.drain().map(|outgoing| outgoing.frame).collect();
        assert!(matches!(
            &frames[..],
            [
                ServerFrame::Reply {
                    id: 1,
                    outcome: Ok(Response::Done)
                },
                ServerFrame::Reply {
                    id: 2,
                    outcome: Err(SignerError::Internal(_))
                },
            ]
        ));
        assert_eq!(outbox.requests.load(Ordering::Relaxed), 0);
        assert_eq!(outbox.bytes.load(Ordering::Relaxed), 0);
    }
}
