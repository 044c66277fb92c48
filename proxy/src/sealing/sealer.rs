//! The thread: hands batches to the signer, and what comes back to the message log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reply::Reply;
use signer_client::{
    CertificateSha256, Client, Request, Response, SignMessages, SignedMessage, SignedMessages, SignerError,
};
use storage::message_log::{LogError, LogReceipt, MessageLog, Record};

use super::line::Line;
use super::{MAX_WAITING, Sealed, Unsealed};
use crate::exchange::SignatureParts;
use crate::metrics::SealingMetrics;

/// What the thread is woken by.
#[derive(Debug)]
pub(super) enum Event {
    /// Messages are to be sealed.
    Seal(Vec<Unsealed>),
    /// The signer has answered.
    Signed(Batch, Result<SignedMessages, SignerError>),
    /// Every message of the batch has its outcome.
    Done(CertificateSha256),
    /// Nothing more is to be sealed.
    Stop,
}

/// Messages that are sealed together.
#[derive(Debug)]
pub(super) struct Batch {
    certificate: CertificateSha256,
    messages: Vec<Unsealed>,
    since: Instant,
}

pub(super) struct Sealer {
    signer: Client,
    log: MessageLog,
    metrics: SealingMetrics,
    events: flume::Receiver<Event>,
    /// For events of our own making.
    to_self: flume::Sender<Event>,
    lines: HashMap<CertificateSha256, Line>,
    is_stopping: bool,
}

impl Sealer {
    pub(super) fn new(
        signer: Client,
        log: MessageLog,
        metrics: SealingMetrics,
        (to_self, events): (flume::Sender<Event>, flume::Receiver<Event>),
    ) -> Self {
        Self {
            signer,
            log,
            metrics,
            events,
            to_self,
            lines: HashMap::new(),
            is_stopping: false,
        }
    }

    /// Runs until it is stopped and everything is sealed.
    pub(super) fn run(mut self) {
        while !(self.is_stopping && self.lines.is_empty()) {
            let Ok(first) = self.events.recv() else { return };
            self.take(first);
            // Everything that has happened, before anything is begun: the more gathers, the larger the batches.
            for _ in 0..self.events.len() {
                let Ok(next) = self.events.try_recv() else { break };
                self.take(next);
            }
            self.begin_batches();
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Seal(messages) if self.waiting() >= MAX_WAITING => super::refuse(messages),
            Event::Seal(messages) => {
                for message in messages {
                    let line = self.lines.entry(message.context.certificate).or_default();
                    line.push(message);
                }
            }
            Event::Signed(batch, signed) => self.log(batch, signed),
            Event::Done(certificate) => {
                if let Some(line) = self.lines.get_mut(&certificate) {
                    line.done();
                }
            }
            Event::Stop => self.is_stopping = true,
        }
    }

    fn waiting(&self) -> usize {
        self.lines.values().map(Line::len).sum()
    }

    /// Begins the next batch of every line that has none under way, and forgets lines that are idle.
    fn begin_batches(&mut self) {
        let now = Instant::now();
        let mut batches = Vec::new();
        self.lines.retain(|certificate, line| {
            let messages = line.next_batch(now);
            if !messages.is_empty() {
                batches.push((*certificate, messages));
            }
            !line.is_idle()
        });
        for (certificate, waited) in batches {
            self.sign(certificate, waited, now);
        }
    }

    fn sign(&self, certificate: CertificateSha256, waited: Vec<(Duration, Unsealed)>, since: Instant) {
        self.metrics.batch(waited.iter().map(|(waited, _)| *waited));
        let messages: Vec<Unsealed> = waited.into_iter().map(|(_, message)| message).collect();
        // All have the same certificate; the newest evidence is that of the last.
        let Some(last) = messages.last() else { return };
        let request = Request::SignMessages(SignMessages {
            certificate,
            intermediates: last.context.intermediates.clone(),
            ocsp_responses: last.context.ocsp_responses.clone(),
            messages: messages.iter().map(|message| message.digests.clone()).collect(),
        });
        let batch = Batch {
            certificate,
            messages,
            since,
        };
        let to_self = self.to_self.clone();
        let reply = Reply::then(move |answer: Option<signer_client::Outcome>| {
            let answer = answer.unwrap_or(Err(SignerError::Disconnected));
            let signed = answer.and_then(|response: Response| response.try_into());
            // If the thread is gone, so is whoever waits.
            let _ = to_self.send(Event::Signed(batch, signed));
        });
        self.signer.submit_to(request, reply);
    }

    /// Hands the signed messages to the message log, to be written by one sync.
    fn log(&self, batch: Batch, signed: Result<SignedMessages, SignerError>) {
        self.metrics.signed(batch.since.elapsed());
        let done = Arc::new(Done {
            certificate: batch.certificate,
            events: self.to_self.clone(),
        });
        let mut signed = match signed {
            Ok(signed) => signed.into_messages(),
            Err(error) => {
                for message in batch.messages {
                    message.reply.send(Err(error.clone().into()));
                }
                return;
            }
        };
        let mut records = Vec::with_capacity(batch.messages.len());
        for message in batch.messages {
            match signed.next() {
                Some(signed) => records.push(self.record(message, signed, &done)),
                None => {
                    let missing = "a message has no signature".to_owned();
                    message.reply.send(Err(SignerError::Protocol(missing).into()));
                }
            }
        }
        self.log.append_all(records);
    }

    fn record(
        &self,
        message: Unsealed,
        signed: SignedMessage,
        done: &Arc<Done>,
    ) -> (Record, Reply<Result<LogReceipt, LogError>>) {
        let signature = SignatureParts::from(signed);
        let record = message.draft.signed(&signature);
        let (reply, done) = (message.reply, Arc::clone(done));
        let continuation = move |logged: Option<Result<LogReceipt, LogError>>| {
            let logged = logged.unwrap_or(Err(LogError::Stopped));
            reply.send(
                logged
                    .map(|logged| Sealed { signature, logged })
                    .map_err(Into::into),
            );
            drop(done);
        };
        (record, Reply::then(continuation))
    }
}

/// Tells, when the last message of a batch has its outcome, that the next batch may begin.
#[derive(Debug)]
struct Done {
    certificate: CertificateSha256,
    events: flume::Sender<Event>,
}

impl Drop for Done {
    fn drop(&mut self) {
        let _ = self.events.send(Event::Done(self.certificate));
    }
}
