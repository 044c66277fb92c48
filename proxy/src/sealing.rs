//! Sealing: a message is signed, and logged with its signature, in one go for all that wait (wire.md 3.3, 4.3).
//!
//! A worker hands over what is to be signed and what is to be logged, and gets back the signature and the proof that both
//! are durable. In between, one thread keeps a line of messages for each signing certificate. **A batch is what gathered
//! while the batch before it was signed and written**: there is no timer, a lone message waits for nobody, and the busier
//! the server, the more messages share a signature, a write and a sync. A line whose token is slow does not hold up another.
//!
//! Workers are woken when everything is done, not in between, and once for many messages ([`reply::Inbox`]).

mod line;
mod sealer;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::thread::JoinHandle;

use reply::Reply;
use signer_client::{PartDigests, SignerError};
use storage::message_log::{LogError, LogReceipt, MessageLog};

use crate::exchange::SignatureParts;
use crate::exchange::log::Draft;
use crate::snapshot::SigningContext;
use sealer::{Event, Sealer};

/// Messages that may wait to be sealed; the next one is refused with [`SignerError::Busy`].
pub const MAX_WAITING: usize = 16 * 1024;

/// Why a message is not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// There is no signature.
    #[error("Cannot create signature: {0}")]
    Signer(#[from] SignerError),
    /// The message is not in the log.
    #[error("{0}")]
    Log(#[from] LogError),
}

/// A signed message that is in the log.
#[derive(Debug)]
pub struct Sealed {
    /// Its signature.
    pub signature: SignatureParts,
    /// The proof that it is in the log.
    pub logged: LogReceipt,
}

/// What a message gets.
pub type Outcome = Result<Sealed, SealError>;

/// A message that is to be sealed.
#[derive(Debug)]
pub struct Unsealed {
    /// What it is signed with.
    pub context: Arc<SigningContext>,
    /// The digests of its parts.
    pub digests: PartDigests,
    /// What is logged besides the signature.
    pub draft: Draft,
    /// Who waits.
    pub reply: Reply<Outcome>,
}

/// The thread that seals.
#[derive(Debug)]
pub struct Sealing {
    events: flume::Sender<Event>,
    thread: Option<JoinHandle<()>>,
}

impl Sealing {
    /// Starts the thread, with this nice value.
    ///
    /// # Errors
    /// When the system has no thread.
    pub fn start(
        signer: signer_client::Client,
        log: MessageLog,
        metrics: crate::metrics::SealingMetrics,
        nice: i32,
    ) -> std::io::Result<Self> {
        // Bounded by what may wait: the thread itself sends into it and must never block.
        let (events, incoming) = flume::unbounded();
        let sealer = Sealer::new(signer, log, metrics, (events.clone(), incoming));
        let thread = std::thread::Builder::new()
            .name("sealing".to_owned())
            .spawn(move || {
                reply::yield_to_askers(nice);
                sealer.run();
            })?;
        Ok(Self {
            events,
            thread: Some(thread),
        })
    }

    /// Has messages sealed. Does not block.
    pub fn seal(&self, messages: Vec<Unsealed>) {
        if self.events.len() >= MAX_WAITING {
            return refuse(messages);
        }
        // If the thread is gone, the messages are dropped, and with them the replies.
        let _ = self.events.send(Event::Seal(messages));
    }
}

fn refuse(messages: Vec<Unsealed>) {
    for message in messages {
        message.reply.send(Err(SignerError::Busy.into()));
    }
}

impl Drop for Sealing {
    fn drop(&mut self) {
        // What was handed over before is sealed first.
        let _ = self.events.send(Event::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic was reported by its own thread.
            let _ = thread.join();
        }
    }
}
