//! A connection, plain or TLS, whose two directions work at the same time.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use monoio::buf::IoBuf;
use monoio::io::{AsyncWriteRent, OwnedWriteHalf, Splitable};
use monoio::net::TcpStream;
use monoio::time::Instant;

use super::local::Lock;
use super::read_pump::ReadPump;
use super::tls::TlsPeer;
use super::tls::session::{TlsReceiver, TlsSession};

/// First size of a read, in bytes: a head and a small body. An idle connection keeps as much.
const FIRST_READ_SIZE: usize = 2 * 1024;
/// Size to which reads grow while they come back full, in bytes.
const MAX_READ_SIZE: usize = 64 * 1024;
/// A read is not started into less room than this, in bytes.
const MIN_READ_SIZE: usize = 1024;

/// Silence after which the kernel asks whether the other end still is there. Some waits have no limit of their own
/// (wire.md 2.6): a machine that lost its power must not hold them for ever.
const PROBE_AFTER: Duration = Duration::from_secs(60);
/// How long it waits between two such questions.
const PROBE_INTERVAL: Duration = Duration::from_secs(15);
/// How many of them remain unanswered before the connection fails.
const PROBES: u32 = 4;

/// Who is at the other end.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The peer's address.
    pub address: SocketAddr,
    /// Our own address on this connection.
    pub local_address: SocketAddr,
    /// What the TLS handshake told, on a TLS connection.
    pub tls: Option<Rc<TlsPeer>>,
}

/// An open connection.
#[derive(Debug)]
pub struct Stream {
    /// The receiving direction.
    pub reader: Reader,
    /// The sending direction.
    pub writer: Writer,
    peer: Peer,
}

impl Stream {
    /// A connection without TLS. Turns Nagle's algorithm off.
    pub fn plain(tcp: TcpStream) -> io::Result<Self> {
        Self::assemble(tcp, None)
    }

    /// A connection whose handshake is done.
    pub(crate) fn tls(tcp: TcpStream, session: TlsSession, ciphertext: BytesMut) -> io::Result<Self> {
        Self::assemble(tcp, Some((Rc::new(session), ciphertext)))
    }

    fn assemble(tcp: TcpStream, tls: Option<(Rc<TlsSession>, BytesMut)>) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        tcp.set_tcp_keepalive(Some(PROBE_AFTER), Some(PROBE_INTERVAL), Some(PROBES))?;
        let (address, local_address) = (tcp.peer_addr()?, tcp.local_addr()?);
        let (read_half, write_half) = tcp.into_split();
        let session = tls.as_ref().map(|(session, _)| Rc::clone(session));
        let peer = Peer {
            address,
            local_address,
            tls: session.as_ref().map(|session| session.peer()),
        };
        let writer = Writer::new(write_half, session);
        let receiver = tls.map(|(session, ciphertext)| TlsReceiver::new(session, ciphertext, writer.clone()));
        let reader = Reader::new(ReadPump::new(read_half), receiver);
        Ok(Self { reader, writer, peer })
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The two directions and the peer.
    pub fn into_parts(self) -> (Reader, Writer, Peer) {
        (self.reader, self.writer, self.peer)
    }
}

/// The receiving direction: a buffer that is filled from the connection.
///
/// Waiting for a fill may be dropped at any time without losing a byte.
pub struct Reader {
    pump: ReadPump,
    tls: Option<TlsReceiver>,
    buffer: BytesMut,
    read_size: usize,
    ended: bool,
}

impl Reader {
    fn new(pump: ReadPump, tls: Option<TlsReceiver>) -> Self {
        Self {
            pump,
            tls,
            buffer: BytesMut::new(),
            read_size: FIRST_READ_SIZE,
            ended: false,
        }
    }

    /// Received bytes not taken yet. Take from the front, with `split_to`.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether received bytes are waiting in the buffer.
    pub fn has_buffered(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Appends received bytes to the buffer; `Ok(0)` is the peer's orderly end. A TLS connection that ends without
    /// `close_notify` fails with [`io::ErrorKind::UnexpectedEof`].
    pub fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Ok(0));
        }
        let filled = match &mut self.tls {
            None => poll_plain(&mut self.pump, &mut self.buffer, self.read_size, context),
            Some(tls) => tls.poll_fill(&mut self.pump, &mut self.buffer, self.read_size, context),
        };
        if let Poll::Ready(Ok(count)) = &filled {
            self.ended = *count == 0;
            self.adapt_read_size(*count);
        }
        filled
    }

    /// Appends received bytes to the buffer, waiting until `deadline` at most ([`io::ErrorKind::TimedOut`]).
    pub async fn fill_until(&mut self, deadline: Instant) -> io::Result<usize> {
        let mut timer = pin!(monoio::time::sleep_until(deadline));
        poll_fn(|context| {
            if let Poll::Ready(filled) = self.poll_fill(context) {
                return Poll::Ready(filled);
            }
            timer.as_mut().poll(context).map(|()| Err(timed_out()))
        })
        .await
    }

    /// Appends received bytes to the buffer, waiting for `limit` at most ([`io::ErrorKind::TimedOut`]).
    pub async fn fill_within(&mut self, limit: Duration) -> io::Result<usize> {
        self.fill_until(Instant::now() + limit).await
    }

    /// Looks without waiting whether a connection that should be silent still is: `false` once the peer closed,
    /// failed or sent something unasked.
    pub fn is_silent(&mut self) -> bool {
        let mut context = Context::from_waker(std::task::Waker::noop());
        self.buffer.is_empty() && self.poll_fill(&mut context).is_pending()
    }

    /// Grows while reads come back full, and goes back when they do not.
    fn adapt_read_size(&mut self, count: usize) {
        if count >= self.read_size {
            self.read_size = (self.read_size * 2).min(MAX_READ_SIZE);
        } else if count < self.read_size / 4 {
            self.read_size = (self.read_size / 2).max(FIRST_READ_SIZE);
        }
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("buffered", &self.buffer.len())
            .field("ended", &self.ended)
            .finish()
    }
}

/// Reads straight to the end of the buffer.
fn poll_plain(
    pump: &mut ReadPump,
    buffer: &mut BytesMut,
    read_size: usize,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let polled = pump.poll_read(context, || {
        let mut taken = std::mem::take(buffer);
        reserve(&mut taken, read_size);
        taken
    });
    polled.map(|(result, returned)| {
        *buffer = returned;
        result
    })
}

/// Makes room for a read of `size` bytes when little is left.
pub(crate) fn reserve(buffer: &mut BytesMut, size: usize) {
    if buffer.capacity() - buffer.len() < MIN_READ_SIZE.max(size / 2) {
        buffer.reserve(size);
    }
}

pub(crate) fn timed_out() -> io::Error {
    io::Error::from(io::ErrorKind::TimedOut)
}

/// The sending direction. Clones share it; each write is whole, none mixes into another.
#[derive(Clone)]
pub struct Writer {
    shared: Rc<WriterShared>,
}

struct WriterShared {
    lock: Lock,
    socket: RefCell<Option<OwnedWriteHalf<TcpStream>>>,
    tls: Option<Rc<TlsSession>>,
    /// Set while a write is under way, so that it stays set when that write is dropped or fails.
    broken: Cell<bool>,
    stall_limit: Cell<Duration>,
    /// Bytes that the kernel took.
    sent: Cell<u64>,
}

/// How long the peer may take nothing before a write fails, unless set otherwise.
const DEFAULT_STALL_LIMIT: Duration = Duration::from_secs(60);

impl Writer {
    fn new(socket: OwnedWriteHalf<TcpStream>, tls: Option<Rc<TlsSession>>) -> Self {
        let shared = WriterShared {
            lock: Lock::default(),
            socket: RefCell::new(Some(socket)),
            tls,
            broken: Cell::new(false),
            stall_limit: Cell::new(DEFAULT_STALL_LIMIT),
            sent: Cell::new(0),
        };
        Self {
            shared: Rc::new(shared),
        }
    }

    /// How long the peer may take nothing before a write fails with [`io::ErrorKind::TimedOut`].
    pub fn set_stall_limit(&self, limit: Duration) {
        self.shared.stall_limit.set(limit);
    }

    /// How many bytes were sent, those of TLS included: what changes while the peer takes something.
    pub fn bytes_sent(&self) -> u64 {
        self.shared.sent.get()
    }

    /// Whether a write failed or was abandoned: nothing more can be sent.
    pub fn is_broken(&self) -> bool {
        self.shared.broken.get()
    }

    /// Sends all of `first`, which is given back empty for its room, and all of `second`.
    pub async fn write_all(&self, first: BytesMut, second: Option<Bytes>) -> io::Result<BytesMut> {
        let _guard = self.shared.lock.acquire().await;
        let mut socket = self.take_socket()?;
        let mut first = self.send(&mut socket, first, second).await?;
        self.put_back(socket);
        first.clear();
        Ok(first)
    }

    /// Sends what the TLS session has to say by itself (tickets, key updates, alerts), unless a write that is under
    /// way does it anyway.
    pub(crate) async fn flush_session(&self) -> io::Result<()> {
        let Some(session) = &self.shared.tls else {
            return Ok(());
        };
        let _guard = self.shared.lock.acquire().await;
        let mut socket = self.take_socket()?;
        self.send_ciphertext(&mut socket, session).await?;
        self.put_back(socket);
        Ok(())
    }

    /// Ends the sending direction in order: `close_notify`, then the end of the TCP stream.
    pub async fn close(&self) -> io::Result<()> {
        let _guard = self.shared.lock.acquire().await;
        let mut socket = self.take_socket()?;
        if let Some(session) = &self.shared.tls {
            session.send_close_notify();
            self.send_ciphertext(&mut socket, session).await?;
        }
        // The connection stays marked as broken: nothing may follow.
        socket.shutdown().await
    }

    /// Takes the socket for a write and marks the connection as broken until the write is whole.
    fn take_socket(&self) -> io::Result<OwnedWriteHalf<TcpStream>> {
        if self.shared.broken.replace(true) {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        self.shared
            .socket
            .take()
            .ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))
    }

    /// After a whole write: the connection is good again.
    fn put_back(&self, socket: OwnedWriteHalf<TcpStream>) {
        self.shared.socket.replace(Some(socket));
        self.shared.broken.set(false);
    }

    async fn send(
        &self,
        socket: &mut OwnedWriteHalf<TcpStream>,
        first: BytesMut,
        second: Option<Bytes>,
    ) -> io::Result<BytesMut> {
        if let Some(session) = &self.shared.tls {
            session.accept_plaintext(&first, second.as_deref())?;
            self.send_ciphertext(socket, session).await?;
            return Ok(first);
        }
        let first = self.send_raw(socket, first).await?;
        if let Some(second) = second {
            self.send_raw(socket, second).await?;
        }
        Ok(first)
    }

    /// Sends until the session has nothing more, including what other tasks made it say meanwhile.
    async fn send_ciphertext(
        &self,
        socket: &mut OwnedWriteHalf<TcpStream>,
        session: &TlsSession,
    ) -> io::Result<()> {
        let mut ciphertext = Vec::new();
        loop {
            session.take_ciphertext(&mut ciphertext)?;
            if ciphertext.is_empty() {
                return Ok(());
            }
            ciphertext = self.send_raw(socket, ciphertext).await?;
            ciphertext.clear();
        }
    }

    /// Sends a whole buffer and gives it back.
    async fn send_raw<B: IoBuf>(
        &self,
        socket: &mut OwnedWriteHalf<TcpStream>,
        mut buffer: B,
    ) -> io::Result<B> {
        let length = buffer.bytes_init();
        let mut sent = 0;
        while sent < length {
            let write = socket.write(buffer.slice(sent..));
            // On a time-out the kernel keeps the buffer; the connection is broken, so nobody misses it.
            let stalled = monoio::time::timeout(self.shared.stall_limit.get(), write).await;
            let (result, rest) = stalled.map_err(|_| timed_out())?;
            buffer = rest.into_inner();
            match result? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                count => {
                    sent += count;
                    self.shared
                        .sent
                        .set(self.shared.sent.get().wrapping_add(count as u64));
                }
            }
        }
        Ok(buffer)
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("broken", &self.is_broken())
            .finish()
    }
}
