//! The client: one connection, any number of threads.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use reply::Reply;

use crate::{
    Outcome, Request, Response, SignerError,
    link::{self, Shared, Submission},
};

/// How long an answer is waited for (wire.md 3.3).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Requests that may wait to be written.
pub(crate) const QUEUE_CAPACITY: usize = 8_192;

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The signer's socket.
    pub path: PathBuf,
    /// Which process this is, for the signer's log.
    pub peer: String,
    /// How long an answer is waited for.
    pub timeout: Duration,
}

impl Settings {
    /// The defaults for this socket.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        let peer = std::env::args().next().unwrap_or_default();
        let peer = Path::new(&peer)
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        Self {
            path: path.as_ref().to_owned(),
            peer: peer.unwrap_or_default(),
            timeout: DEFAULT_TIMEOUT,
        }
    }
}

/// A connection to the signer that many threads share; clones are the same connection. It reconnects by itself, with
/// a growing pause, until the last clone is dropped. While there is no connection, requests fail at once with
/// [`SignerError::Disconnected`].
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    queue: flume::Sender<Submission>,
    shared: Arc<Shared>,
    timeout: Duration,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Client {
    /// A client of the signer at this socket. The first connection is tried before this returns; if it fails, the
    /// client goes on trying.
    #[must_use]
    pub fn connect(path: impl AsRef<Path>) -> Self {
        Self::with_settings(Settings::new(path))
    }

    /// The same with other settings than the default.
    #[must_use]
    pub fn with_settings(settings: Settings) -> Self {
        let timeout = settings.timeout;
        let (queue, submissions) = flume::bounded(QUEUE_CAPACITY);
        let shared = link::start(settings, submissions);
        Self {
            inner: Arc::new(Inner {
                queue,
                shared,
                timeout,
            }),
        }
    }

    #[cfg(feature = "test-util")]
    pub(crate) fn from_queue(queue: flume::Sender<Submission>) -> Self {
        let shared = Arc::new(Shared::default());
        shared.connected.store(true, Ordering::Release);
        Self {
            inner: Arc::new(Inner {
                queue,
                shared,
                timeout: DEFAULT_TIMEOUT,
            }),
        }
    }

    /// Whether there is a connection now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.inner.shared.connected.load(Ordering::Acquire)
    }

    /// Waits until there is a connection; false if there is none after `patience`.
    #[must_use]
    pub fn wait_until_connected(&self, patience: Duration) -> bool {
        self.inner.shared.wait_until_connected(patience)
    }

    /// Sends the request and gives the place where its answer will arrive: exactly one, within the time limit of the
    /// settings, an error if need be. Costs one queue push; never blocks. The receiver may be dropped.
    pub fn submit(&self, request: Request) -> reply::Receiver<Outcome> {
        let (reply, receiver) = reply::channel();
        self.submit_to(request, reply);
        receiver
    }

    /// As [`Self::submit`], with the answer where the caller wants it.
    pub fn submit_to(&self, request: Request, reply: Reply<Outcome>) {
        if !self.is_connected() {
            return reply.send(Err(SignerError::Disconnected));
        }
        let refused = match self.inner.queue.try_send(Submission { request, reply }) {
            Ok(()) => return,
            Err(refused) => refused,
        };
        let error = match &refused {
            flume::TrySendError::Full(_) => SignerError::Busy,
            flume::TrySendError::Disconnected(_) => SignerError::Disconnected,
        };
        refused.into_inner().reply.send(Err(error));
    }

    /// Sends the request and waits for its answer.
    ///
    /// # Errors
    /// What the signer answers, `Disconnected`, `Busy`, or `TimedOut` after the time limit.
    pub fn call(&self, request: Request) -> Result<Response, SignerError> {
        match self.submit(request).recv_timeout(self.inner.timeout) {
            Ok(outcome) => outcome,
            Err(flume::RecvTimeoutError::Timeout) => Err(SignerError::TimedOut),
            Err(flume::RecvTimeoutError::Disconnected) => Err(SignerError::Disconnected),
        }
    }
}
