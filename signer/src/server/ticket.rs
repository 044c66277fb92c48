//! The right, and the duty, to answer one request.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use signer_client::{
    Blob, MAX_IN_FLIGHT, Outcome, SignerError,
    frame::{BatchReply, ServerFrame},
};

/// Most bytes of unanswered requests on one connection.
const MAX_BYTES_IN_FLIGHT: usize = 64 * 1024 * 1024;

/// Most bytes of hash chains in one frame; the rest of the batch goes into further frames.
const MAX_CHAIN_BYTES_IN_FRAME: usize = 1024 * 1024;

/// Where the answers of one connection are gathered.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: flume::Sender<Outgoing>,
    requests: AtomicUsize,
    bytes: AtomicUsize,
    dead: AtomicBool,
}

/// A frame for the writer. The permits are given back when it has been written.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) frame: ServerFrame,
    #[expect(dead_code, reason = "given back by being dropped")]
    permits: Vec<Permit>,
}

impl Outgoing {
    /// Answers with an error instead: the answer is too long for a frame.
    pub(crate) fn replace_with_error(&self, out: &mut Vec<u8>) {
        let ids: Vec<u64> = match &self.frame {
            ServerFrame::Reply { id, .. } => vec![*id],
            ServerFrame::Batch(batch) => batch.hash_chains.iter().map(|(id, _)| *id).collect(),
            ServerFrame::Hello { .. } | ServerFrame::Refused { .. } => Vec::new(),
        };
        for id in ids {
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
        self.put(frame, Vec::new());
    }

    fn put(&self, frame: ServerFrame, permits: Vec<Permit>) {
        // If the writer is gone, so is whoever asked.
        let _ = self.queue.send(Outgoing { frame, permits });
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
            outbox.put(ServerFrame::Reply { id: self.id, outcome }, vec![permit]);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.send(Err(SignerError::Internal("the request was given up".to_owned())));
    }
}

/// Answers the messages of a batch, each with its hash chain: one frame a connection, more if the chains are long.
pub fn answer_batch(signature_xml: &Blob, hash_chain_result: &Blob, answers: Vec<(Ticket, Blob)>) {
    let mut frames: Vec<Pending> = Vec::new();
    for (mut ticket, hash_chain) in answers {
        let Some(permit) = ticket.permit.take() else {
            continue;
        };
        let frame = match frames.iter_mut().find(|frame| frame.accepts(&permit)) {
            Some(frame) => frame,
            None => {
                frames.push(Pending::new(&permit));
                let Some(frame) = frames.last_mut() else { continue };
                frame
            }
        };
        frame.add(ticket.id, hash_chain, permit);
    }
    for Pending {
        outbox,
        hash_chains,
        permits,
        ..
    } in frames
    {
        let (signature_xml, hash_chain_result) = (signature_xml.clone(), hash_chain_result.clone());
        outbox.put(
            ServerFrame::Batch(BatchReply {
                signature_xml,
                hash_chain_result,
                hash_chains,
            }),
            permits,
        );
    }
}

struct Pending {
    outbox: Arc<Outbox>,
    hash_chains: Vec<(u64, Blob)>,
    permits: Vec<Permit>,
    bytes: usize,
}

impl Pending {
    fn new(permit: &Permit) -> Self {
        Self {
            outbox: Arc::clone(&permit.outbox),
            hash_chains: Vec::new(),
            permits: Vec::new(),
            bytes: 0,
        }
    }

    fn accepts(&self, permit: &Permit) -> bool {
        Arc::ptr_eq(&self.outbox, &permit.outbox) && self.bytes < MAX_CHAIN_BYTES_IN_FRAME
    }

    fn add(&mut self, id: u64, hash_chain: Blob, permit: Permit) {
        self.bytes += hash_chain.len();
        self.hash_chains.push((id, hash_chain));
        self.permits.push(permit);
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

    #[test]
    fn a_batch_goes_to_each_connection_in_frames_of_bounded_size() {
        let (first, to_first) = Outbox::new();
        let (second, to_second) = Outbox::new();
        let long = Blob::from(vec![b'x'; MAX_CHAIN_BYTES_IN_FRAME]);
        let short = Blob::from(vec![b'x']);
        let answers = vec![
            (Ticket::new(1, 1, &first), short.clone()),
            (Ticket::new(1, 1, &second), short.clone()),
            (Ticket::new(2, 1, &first), long),
            (Ticket::new(3, 1, &first), short.clone()),
        ];
        answer_batch(&short, &short, answers);
        let ids = |outgoing: flume::Receiver<Outgoing>| -> Vec<Vec<u64>> {
            let frames = outgoing.drain().map(|outgoing| match outgoing.frame {
                ServerFrame::Batch(batch) => batch.hash_chains.iter().map(|(id, _)| *id).collect(),
                _ => Vec::new(),
            });
            frames.collect()
        };
        assert_eq!(ids(to_first), [vec![1, 2], vec![3]]);
        assert_eq!(ids(to_second), [vec![1]]);
    }
}
