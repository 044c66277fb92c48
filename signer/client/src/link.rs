//! The connection behind a client: one thread writes, one reads and reconnects.

use std::{
    collections::HashMap,
    io::{self, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use reply::Reply;
use zeroize::Zeroize;

use crate::{
    MAX_IN_FLIGHT, Outcome, PROTOCOL_VERSION, Request, Settings, SignerError,
    frame::{self, ClientFrame, FrameError, FrameReader, ServerFrame},
};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// How often requests that wait too long are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);
/// A signer that does not read for this long is taken for dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes that are gathered before they are written.
const WRITE_BUFFER: usize = 256 * 1024;

/// A request on its way to the writer.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) request: Request,
    pub(crate) reply: Reply<Outcome>,
}

/// What the threads of a client share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) connected: AtomicBool,
    closed: AtomicBool,
    link: Mutex<Link>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Link {
    stream: Option<Arc<UnixStream>>,
    waiting: HashMap<u64, Waiting>,
    next_id: u64,
}

#[derive(Debug)]
struct Waiting {
    reply: Reply<Outcome>,
    since: Instant,
}

impl Shared {
    fn link(&self) -> MutexGuard<'_, Link> {
        // No code that holds the lock can panic halfway through a change.
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection and the threads.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.disconnect();
    }

    pub(crate) fn wait_until_connected(&self, patience: Duration) -> bool {
        let (link, _) = self
            .changed
            .wait_timeout_while(self.link(), patience, |link| link.stream.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        link.stream.is_some()
    }

    fn pause(&self, pause: Duration) {
        let closed = |_: &mut Link| !self.closed.load(Ordering::Acquire);
        drop(self.changed.wait_timeout_while(self.link(), pause, closed));
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn install(&self, stream: Arc<UnixStream>) {
        self.link().stream = Some(stream);
        self.connected.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    /// Drops the connection and fails every request that waits for an answer.
    fn disconnect(&self) {
        self.connected.store(false, Ordering::Release);
        let mut link = self.link();
        if let Some(stream) = link.stream.take() {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        let waiting = std::mem::take(&mut link.waiting);
        drop(link);
        self.changed.notify_all();
        for (_, waiting) in waiting {
            waiting.reply.send(Err(SignerError::Disconnected));
        }
    }

    fn resolve(&self, id: u64, outcome: Outcome) {
        let waiting = self.link().waiting.remove(&id);
        if let Some(waiting) = waiting {
            waiting.reply.send(outcome);
        }
    }

    fn sweep(&self, timeout: Duration) {
        let now = Instant::now();
        let late = |waiting: &Waiting| now.saturating_duration_since(waiting.since) >= timeout;
        let expired: Vec<_> = self
            .link()
            .waiting
            .extract_if(|_, waiting| late(waiting))
            .collect();
        for (_, waiting) in expired {
            waiting.reply.send(Err(SignerError::TimedOut));
        }
    }
}

/// Connects, if it goes at once, and starts the two threads.
pub(crate) fn start(settings: Settings, submissions: flume::Receiver<Submission>) -> Arc<Shared> {
    let shared = Arc::new(Shared::default());
    let first = connect(&settings).ok();
    if let Some((stream, _)) = &first {
        shared.install(Arc::clone(stream));
    }
    let for_writer = Arc::clone(&shared);
    thread::spawn(move || write_requests(&for_writer, &submissions));
    let for_reader = Arc::clone(&shared);
    thread::spawn(move || keep_connected(&for_reader, &settings, first));
    shared
}

type Connection = (Arc<UnixStream>, FrameReader);

fn connect(settings: &Settings) -> Result<Connection, FrameError> {
    let stream = UnixStream::connect(&settings.path)?;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    stream.set_read_timeout(Some(HELLO_TIMEOUT))?;
    let mut hello = Vec::new();
    frame::encode(&ClientFrame::hello(&settings.peer), &mut hello)?;
    (&stream).write_all(&hello)?;
    let mut reader = FrameReader::default();
    read_hello(&stream, &mut reader)?;
    stream.set_read_timeout(Some(SWEEP_INTERVAL))?;
    Ok((Arc::new(stream), reader))
}

fn read_hello(mut stream: &UnixStream, reader: &mut FrameReader) -> Result<(), FrameError> {
    loop {
        if let Some(payload) = reader.next_payload()? {
            return match frame::decode(payload)? {
                ServerFrame::Hello {
                    version: PROTOCOL_VERSION,
                } => Ok(()),
                _ => Err(FrameError::Closed),
            };
        }
        reader.fill(&mut stream)?;
    }
}

fn keep_connected(shared: &Shared, settings: &Settings, first: Option<Connection>) {
    let mut connection = first;
    let mut pause = FIRST_PAUSE;
    while !shared.is_closed() {
        if let Some((stream, reader)) = connection.take() {
            pause = FIRST_PAUSE;
            // Whatever ended it, the remedy is to connect again.
            let _ = read_answers(shared, &stream, reader, settings.timeout);
            shared.disconnect();
        }
        shared.pause(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
        connection = connect(settings).ok();
        if let Some((stream, _)) = &connection {
            shared.install(Arc::clone(stream));
        }
    }
    shared.disconnect();
}

fn read_answers(
    shared: &Shared,
    stream: &UnixStream,
    mut reader: FrameReader,
    timeout: Duration,
) -> Result<(), FrameError> {
    let mut stream = stream;
    let mut swept = Instant::now();
    loop {
        while let Some(payload) = reader.next_payload()? {
            dispatch(shared, frame::decode(payload)?)?;
        }
        match reader.fill(&mut stream) {
            Err(FrameError::Io(error)) if is_timeout(&error) => {}
            other => other?,
        }
        if swept.elapsed() >= SWEEP_INTERVAL {
            shared.sweep(timeout);
            swept = Instant::now();
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

fn dispatch(shared: &Shared, frame: ServerFrame) -> Result<(), FrameError> {
    match frame {
        ServerFrame::Reply { id, outcome } => shared.resolve(id, outcome),
        ServerFrame::Hello { .. } | ServerFrame::Refused { .. } => return Err(FrameError::Closed),
    }
    Ok(())
}

fn write_requests(shared: &Shared, submissions: &flume::Receiver<Submission>) {
    let mut out = Vec::new();
    while let Ok(first) = submissions.recv() {
        let mut secret = add(shared, first, &mut out);
        while out.len() < WRITE_BUFFER
            && let Ok(next) = submissions.try_recv()
        {
            secret |= add(shared, next, &mut out);
        }
        flush(shared, &out);
        if secret {
            out.zeroize();
        }
        out.clear();
    }
    shared.close();
}

/// Registers the request and appends its frame; says whether the frame holds a secret.
fn add(shared: &Shared, Submission { request, reply }: Submission, out: &mut Vec<u8>) -> bool {
    let secret = request.has_secret();
    if secret {
        // Growing would leave a copy of the PIN behind.
        out.reserve(4096);
    }
    let Some(id) = register(shared, reply) else {
        return false;
    };
    if let Err(error) = frame::encode_request(id, &request, out) {
        shared.resolve(id, Err(error.into()));
    }
    secret
}

/// The id under which the answer is waited for; a request that can't be sent is answered at once.
fn register(shared: &Shared, reply: Reply<Outcome>) -> Option<u64> {
    let mut link = shared.link();
    let refused = match () {
        () if link.stream.is_none() => SignerError::Disconnected,
        () if link.waiting.len() >= MAX_IN_FLIGHT => SignerError::Busy,
        () => {
            link.next_id += 1;
            let (id, since) = (link.next_id, Instant::now());
            link.waiting.insert(id, Waiting { reply, since });
            return Some(id);
        }
    };
    drop(link);
    reply.send(Err(refused));
    None
}

fn flush(shared: &Shared, out: &[u8]) {
    let stream = shared.link().stream.clone();
    let written = match &stream {
        Some(stream) => stream.as_ref().write_all(out),
        None => Ok(()),
    };
    if written.is_err()
        && let Some(stream) = stream
    {
        // The reader notices and fails what waits.
        let _ = stream.shutdown(Shutdown::Both);
    }
}
