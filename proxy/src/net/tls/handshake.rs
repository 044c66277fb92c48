//! TLS handshakes: the bytes move on the worker, the cryptography on a few threads of its own.
//!
//! Our authentication key lives in another process and rustls asks for signatures synchronously, so a handshake step
//! may block for as long as that process takes. Each step therefore moves the rustls connection to a handshake
//! thread and back. Once the handshake is done everything happens on the worker.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use monoio::buf::{IoBuf, IoBufMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent};
use monoio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

use super::session::{TlsSession, take_ciphertext};
use super::verifier::PeerRefused;
use crate::net::stream::Stream;

/// Handshake steps that may wait for a thread; more are refused.
const QUEUE_BOUND: usize = 2048;
/// Size of a read during a handshake, in bytes.
const READ_SIZE: usize = 8 * 1024;
/// How long a refused peer may take to read why.
const LINGER: Duration = Duration::from_secs(1);
/// Reads for which a refused peer's further bytes are taken.
const LINGER_READS: usize = 16;

/// Why there is no TLS connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// Our [`super::PeerVerifier`] refused the peer's certificate.
    #[error("peer refused: {0}")]
    Refused(PeerRefused),
    /// The protocol failed, or the peer sent an alert.
    #[error("TLS handshake failed: {0}")]
    Tls(#[from] rustls::Error),
    /// The connection failed.
    #[error("connection failed during the TLS handshake: {0}")]
    Io(#[from] io::Error),
    /// The peer closed in the middle.
    #[error("connection closed during the TLS handshake")]
    Closed,
    /// The handshake took longer than it may.
    #[error("TLS handshake took too long")]
    TimedOut,
    /// More steps than the queue holds are waiting for a handshake thread, or these have ended.
    #[error("too many TLS handshakes at once")]
    Overloaded,
}

/// One step of a handshake, to be run where it may block.
struct Step {
    connection: Connection,
    ciphertext: BytesMut,
    reply: flume::Sender<StepDone>,
}

struct StepDone {
    connection: Connection,
    ciphertext: BytesMut,
    result: Result<(), rustls::Error>,
}

/// Threads on which handshakes may block. Clones share them; they end when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct HandshakePool {
    steps: flume::Sender<Step>,
}

impl HandshakePool {
    /// Starts so many threads, `name` saying whose handshakes they make, with this nice value.
    pub fn start(name: &str, threads: usize, nice: i32) -> io::Result<Self> {
        let (steps, queue) = flume::bounded(QUEUE_BOUND);
        for index in 0..threads.max(1) {
            let queue = queue.clone();
            std::thread::Builder::new()
                .name(format!("{name}-{index}"))
                .spawn(move || {
                    reply::yield_to_askers(nice);
                    run_steps(&queue);
                })?;
        }
        Ok(Self { steps })
    }

    async fn run(&self, connection: Connection, ciphertext: BytesMut) -> Result<StepDone, HandshakeError> {
        let (reply, done) = flume::bounded(1);
        let step = Step {
            connection,
            ciphertext,
            reply,
        };
        self.steps
            .try_send(step)
            .map_err(|_| HandshakeError::Overloaded)?;
        done.recv_async().await.map_err(|_| HandshakeError::Overloaded)
    }
}

fn run_steps(queue: &flume::Receiver<Step>) {
    for Step {
        mut connection,
        mut ciphertext,
        reply,
    } in queue
    {
        // The peer may be gone: who does not wait anymore needs no work done.
        if reply.is_disconnected() {
            continue;
        }
        let result = advance(&mut connection, &mut ciphertext);
        let _ = reply.send(StepDone {
            connection,
            ciphertext,
            result,
        });
    }
}

/// Feeds the handshake. What follows the handshake stays in `ciphertext`.
fn advance(connection: &mut Connection, ciphertext: &mut BytesMut) -> Result<(), rustls::Error> {
    while connection.is_handshaking() && !ciphertext.is_empty() {
        let taken = connection
            .read_tls(&mut &ciphertext[..])
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        ciphertext.advance(taken);
        connection.process_new_packets()?;
    }
    Ok(())
}

/// Accepts a TLS connection as its server, within `limit`.
pub async fn accept(
    tcp: TcpStream,
    config: Arc<ServerConfig>,
    pool: &HandshakePool,
    limit: Duration,
) -> Result<Stream, HandshakeError> {
    let connection = ServerConnection::new(config)?;
    within(limit, handshake(tcp, connection.into(), pool)).await
}

/// Opens a TLS connection as its client, within `limit`. The name is the key of session resumption; it is sent (SNI)
/// when it is a host name.
pub async fn connect(
    tcp: TcpStream,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    pool: &HandshakePool,
    limit: Duration,
) -> Result<Stream, HandshakeError> {
    let connection = ClientConnection::new(config, name)?;
    within(limit, handshake(tcp, connection.into(), pool)).await
}

async fn within(
    limit: Duration,
    handshake: impl Future<Output = Result<Stream, HandshakeError>>,
) -> Result<Stream, HandshakeError> {
    monoio::time::timeout(limit, handshake)
        .await
        .unwrap_or(Err(HandshakeError::TimedOut))
}

async fn handshake(
    mut tcp: TcpStream,
    mut connection: Connection,
    pool: &HandshakePool,
) -> Result<Stream, HandshakeError> {
    tcp.set_nodelay(true)?;
    let mut ciphertext = BytesMut::new();
    loop {
        send_pending(&mut tcp, &mut connection).await?;
        if !connection.is_handshaking() {
            return Ok(Stream::tls(tcp, TlsSession::new(connection), ciphertext)?);
        }
        ciphertext = receive(&mut tcp, ciphertext).await?;
        let done = pool.run(connection, ciphertext).await?;
        (connection, ciphertext) = (done.connection, done.ciphertext);
        if let Err(error) = done.result {
            // The alert tells the peer why; whether it arrives changes nothing here.
            if send_pending(&mut tcp, &mut connection).await.is_ok() {
                let _ = monoio::time::timeout(LINGER, let_it_read(tcp)).await;
            }
            return Err(refusal(error));
        }
    }
}

async fn send_pending(tcp: &mut TcpStream, connection: &mut Connection) -> io::Result<()> {
    let mut pending = Vec::new();
    take_ciphertext(connection, &mut pending)?;
    let mut sent = 0;
    while sent < pending.len() {
        let (result, rest) = tcp.write(pending.slice(sent..)).await;
        pending = rest.into_inner();
        match result? {
            0 => return Err(io::Error::from(io::ErrorKind::WriteZero)),
            count => sent += count,
        }
    }
    Ok(())
}

/// Closing while the peer still sends would reset the connection, and the alert could be lost: Java sends the rest of
/// its flight before it reads.
async fn let_it_read(mut tcp: TcpStream) {
    let _ = tcp.shutdown().await;
    let mut buffer = BytesMut::new();
    for _ in 0..LINGER_READS {
        buffer.clear();
        match receive(&mut tcp, buffer).await {
            Ok(received) => buffer = received,
            Err(_) => return,
        }
    }
}

async fn receive(tcp: &mut TcpStream, mut buffer: BytesMut) -> Result<BytesMut, HandshakeError> {
    buffer.reserve(READ_SIZE);
    let (start, end) = (buffer.len(), buffer.capacity());
    let (result, rest) = tcp.read(buffer.slice_mut(start..end)).await;
    match result? {
        0 => Err(HandshakeError::Closed),
        _ => Ok(rest.into_inner()),
    }
}

/// Finds our own verifier's words in what rustls reports.
fn refusal(error: rustls::Error) -> HandshakeError {
    if let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = &error
        && let Some(refused) = other.0.downcast_ref::<PeerRefused>()
    {
        return HandshakeError::Refused(refused.clone());
    }
    HandshakeError::Tls(error)
}
