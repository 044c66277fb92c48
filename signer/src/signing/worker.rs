//! The thread of a key.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use protocol_pki::certificate::Certificate;
use protocol_signature::hash_chain::PartDigest;
use signer_client::{Blob, KeyAlgorithm, KeyFigures, Response, SignedBatch, SignedMessages, SignerError};
use time::OffsetDateTime;

use super::{
    batch::batches,
    job::{Job, MessagesJob, RawJob},
    message::{DIGEST, Signing},
};
use crate::{counters::KeyCounters, server::ticket, token::Token};

/// What bounds the work of a key.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most messages that share a signature; 1 where batches are not wanted.
    pub max_batch: usize,
    /// The most requests that wait.
    pub max_queue: usize,
    /// How long a request may wait.
    pub timeout: Duration,
}

/// The queue of a key. Its threads, as many as its token makes signatures at a time, start with the first request, and
/// end when the worker is dropped and the queue is empty.
#[derive(Debug)]
pub struct Worker {
    context: Context,
    threads: Mutex<Option<Running>>,
}

/// The queue, and who takes from it.
type Running = (flume::Sender<Job>, Vec<JoinHandle<()>>);

#[derive(Clone, Debug)]
struct Context {
    key: String,
    algorithm: KeyAlgorithm,
    token: Arc<dyn Token>,
    counters: Arc<KeyCounters>,
    limits: Limits,
}

impl Worker {
    /// The worker of a key of a token.
    #[must_use]
    pub fn new(
        key: String,
        algorithm: KeyAlgorithm,
        token: Arc<dyn Token>,
        counters: Arc<KeyCounters>,
        limits: Limits,
    ) -> Self {
        let max_batch = if token.batch_signing() {
            limits.max_batch
        } else {
            1
        };
        let limits = Limits { max_batch, ..limits };
        Self {
            context: Context {
                key,
                algorithm,
                token,
                counters,
                limits,
            },
            threads: Mutex::new(None),
        }
    }

    /// Queues a request; if the queue is full, it is answered so.
    pub fn submit(&self, job: Job) {
        let queue = match self.queue() {
            Ok(queue) => queue,
            Err(error) => {
                let error = SignerError::Internal(format!("no thread for the key: {error}"));
                return self.context.refuse(job, error);
            }
        };
        self.context.counters.queue(queue.len() + 1);
        if let Err(error) = queue.try_send(job) {
            self.context.counters.refused();
            self.context.refuse(error.into_inner(), SignerError::Busy);
        }
    }

    fn queue(&self) -> std::io::Result<flume::Sender<Job>> {
        let mut running = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((queue, _)) = &*running {
            return Ok(queue.clone());
        }
        let (queue, jobs) = flume::bounded(self.context.limits.max_queue);
        let name = format!("key-{}", self.context.key.get(..8).unwrap_or(&self.context.key));
        let start = |_| {
            let (context, jobs) = (self.context.clone(), jobs.clone());
            let thread = thread::Builder::new().name(name.clone());
            thread.spawn(move || context.run(&jobs))
        };
        let handles: std::io::Result<Vec<_>> =
            (0..self.context.token.parallel_signatures()).map(start).collect();
        *running = Some((queue.clone(), handles?));
        Ok(queue)
    }

    /// What the key has done, and how many requests wait for it.
    #[must_use]
    pub fn figures(&self) -> KeyFigures {
        let running = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = running.as_ref().map_or(0, |(queue, _)| queue.len());
        drop(running);
        self.context.counters.read(&self.context.key, waiting)
    }

    /// The counters, which outlive the worker when the key's token is exchanged.
    pub(crate) fn counters(&self) -> Arc<KeyCounters> {
        Arc::clone(&self.context.counters)
    }

    /// Waits until everything in the queue is answered.
    pub fn finish(&self) {
        let running = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((queue, handles)) = running {
            drop(queue);
            // A panic was reported by its own thread; its requests are answered by their tickets.
            handles.into_iter().for_each(|handle| drop(handle.join()));
        }
    }
}

impl Context {
    fn refuse(&self, job: Job, error: SignerError) {
        self.counters.failed(&error);
        match job {
            Job::Messages(MessagesJob { ticket, .. }) | Job::Raw(RawJob { ticket, .. }) => {
                ticket.answer(Err(error))
            }
        }
    }

    fn run(&self, jobs: &flume::Receiver<Job>) {
        let mut intermediates = Intermediates::default();
        while let Ok(first) = jobs.recv() {
            let mut messages = VecDeque::new();
            let mut count = self.take(first, &mut messages);
            while count < self.limits.max_batch
                && let Ok(next) = jobs.try_recv()
            {
                count += self.take(next, &mut messages);
            }
            while let Some(first) = messages.pop_front() {
                let alike = same_certificate(first, &mut messages);
                self.sign_messages(alike, &mut intermediates);
            }
        }
    }

    /// Signs what is signed alone, puts messages to the others, drops what waited too long; how many messages were put.
    fn take(&self, job: Job, messages: &mut VecDeque<MessagesJob>) -> usize {
        match job {
            Job::Messages(job) if self.is_due(job.since, &job.ticket) => {
                let count = job.messages.len();
                messages.push_back(job);
                return count;
            }
            Job::Raw(job) if self.is_due(job.since, &job.ticket) => {
                self.sign_digest(job);
            }
            late => self.refuse(late, SignerError::TimedOut),
        }
        0
    }

    fn sign_digest(&self, job: RawJob) {
        self.counters.begun(job.since.elapsed());
        self.counters.signature();
        let value = self.token.sign_digest(&self.key, job.algorithm, &job.digest);
        match &value {
            Ok(_) => self.counters.digest(),
            Err(error) => self.counters.failed(error),
        }
        job.ticket
            .answer(value.map(|value| Response::Signature(value.into())));
    }

    fn is_due(&self, since: Instant, ticket: &ticket::Ticket) -> bool {
        let late = since.elapsed() >= self.limits.timeout;
        if late {
            self.counters.expired();
        }
        !late && !ticket.is_abandoned()
    }

    /// Signs the messages of these jobs, which have one certificate, in batches as large as allowed; then answers each
    /// job. A failure fails the jobs of its batch.
    fn sign_messages(&self, mut jobs: Vec<MessagesJob>, cache: &mut Intermediates) {
        // What is wrong with one job must not fail the others.
        while let Some(first) = jobs.first()
            && let Err(error) = cache.parse(&first.intermediates)
        {
            self.refuse_first(&mut jobs, error);
        }
        let Some(first) = jobs.first() else { return };
        let Ok(intermediates) = cache.parse(&first.intermediates) else {
            return;
        };
        jobs.iter()
            .for_each(|job| self.counters.begun(job.since.elapsed()));
        let ocsp_responses = first.ocsp_responses.iter().map(|response| response.to_vec());
        let (certificate, ocsp_responses) = (Arc::clone(&first.certificate), ocsp_responses.collect());
        let signing = Signing {
            key: self.algorithm,
            algorithm: self.token.message_signature(self.algorithm, DIGEST),
            certificate: &certificate,
            intermediates,
            ocsp_responses,
            at: OffsetDateTime::now_utc(),
        };
        let mut answers: Vec<_> = jobs.iter().map(|_| Ok(SignedMessages::default())).collect();
        for mut batch in batches(&mut jobs, self.limits.max_batch) {
            let signed = self.sign_batch(&signing, batch.take_messages());
            batch.divide(signed, &mut answers);
        }
        for (job, answer) in jobs.into_iter().zip(answers) {
            if let Err(error) = &answer {
                self.counters.failed(error);
            }
            job.ticket.answer(answer.map(Response::SignedMessages));
        }
    }

    fn sign_batch(
        &self,
        signing: &Signing<'_>,
        messages: Vec<Vec<PartDigest>>,
    ) -> Result<SignedBatch, SignerError> {
        let count = messages.len();
        let signed = signing.sign(messages, |algorithm, digest| {
            self.counters.signature();
            self.token.sign_digest(&self.key, algorithm, digest)
        });
        match &signed {
            Ok(_) => self.counters.batch(count),
            Err(error) => {
                tracing::warn!(key = self.key, messages = count, code = error.fault_code(), %error, "cannot sign");
            }
        }
        signed
    }

    fn refuse_first(&self, jobs: &mut Vec<MessagesJob>, error: SignerError) {
        self.counters.failed(&error);
        jobs.remove(0).ticket.answer(Err(error));
    }
}

/// The job, and those of the others that are signed with the same certificate.
fn same_certificate(first: MessagesJob, others: &mut VecDeque<MessagesJob>) -> Vec<MessagesJob> {
    let certificate = Arc::clone(&first.certificate);
    let (same, different) = std::mem::take(others)
        .into_iter()
        .partition::<Vec<_>, _>(|job| job.certificate.as_der() == certificate.as_der());
    *others = different.into();
    std::iter::once(first).chain(same).collect()
}

/// The intermediate certificates of the last batch: those of the next are nearly always the same.
#[derive(Default)]
struct Intermediates {
    der: Vec<Blob>,
    parsed: Vec<Certificate>,
}

impl Intermediates {
    fn parse(&mut self, der: &[Blob]) -> Result<&[Certificate], SignerError> {
        if self.der != der {
            let parsed: Result<Vec<_>, _> = der.iter().map(|der| Certificate::from_der(der)).collect();
            self.parsed = parsed
                .map_err(|error| SignerError::InvalidRequest(format!("intermediate certificate: {error}")))?;
            self.der = der.to_vec();
        }
        Ok(&self.parsed)
    }
}
