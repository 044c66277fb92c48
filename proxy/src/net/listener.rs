//! Listening sockets: one per worker on the same port, the kernel spreads the connections (`SO_REUSEPORT`).

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use monoio::io::Canceller;
use monoio::net::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, Socket, Type};

use super::local::{Latch, Permit, Permits};

/// Connections that the kernel holds before they are accepted.
pub const DEFAULT_BACKLOG: i32 = 1024;
/// First and longest pause after an accept that failed for want of resources.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A listening socket of one worker.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds and listens. Every worker binds the same address for itself. Call inside a worker.
    pub fn bind(address: SocketAddr, backlog: i32) -> io::Result<Self> {
        Self::bind_lingering(address, backlog, None)
    }

    /// The same, with `SO_LINGER` for its connections, which inherit it: how long closing one waits for what was sent to
    /// be received. Without, it does not wait, and the system goes on sending; zero throws away what was not sent.
    pub fn bind_lingering(address: SocketAddr, backlog: i32, linger: Option<Duration>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        if linger.is_some() {
            socket.set_linger(linger)?;
        }
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        let socket = TcpListener::from_std(socket.into())?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// The bound address, with the port that the kernel chose when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections until `drain` is set, then stops listening. While `permits` are all taken, further
    /// connections wait in the kernel. `serve` must not block: it spawns. The permit belongs to the connection.
    pub async fn serve(self, drain: &Latch, permits: Permits, mut serve: impl FnMut(TcpStream, Permit)) {
        let mut pause = FIRST_PAUSE;
        while let Some(permit) = until(drain, permits.acquire()).await {
            match self.accept(drain).await {
                None => return,
                Some(Ok(connection)) => {
                    pause = FIRST_PAUSE;
                    serve(connection, permit);
                }
                Some(Err(error)) if is_connection_error(&error) => {}
                Some(Err(error)) => {
                    tracing::warn!(address = %self.address, %error, ?pause, "cannot accept connections");
                    until(drain, monoio::time::sleep(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Accepts one connection, or `None` once draining. The accept is cancelled and awaited, never dropped: a
    /// connection accepted in that moment is served.
    async fn accept(&self, drain: &Latch) -> Option<io::Result<TcpStream>> {
        let canceller = Canceller::new();
        let mut accepting = pin!(self.socket.cancelable_accept(canceller.handle()));
        let mut draining = pin!(drain.wait());
        let mut canceller = Some(canceller);
        let accepted = std::future::poll_fn(|context| {
            if let Poll::Ready(accepted) = accepting.as_mut().poll(context) {
                return Poll::Ready(accepted);
            }
            if canceller.is_some() && draining.as_mut().poll(context).is_ready() {
                canceller.take().map(Canceller::cancel);
                return accepting.as_mut().poll(context);
            }
            Poll::Pending
        })
        .await;
        match accepted {
            Ok((connection, _)) => Some(Ok(connection)),
            Err(_) if drain.is_set() => None,
            Err(error) => Some(Err(error)),
        }
    }
}

/// The result of `work`, or `None` when `drain` is set first.
async fn until<T>(drain: &Latch, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut draining = pin!(drain.wait());
    std::future::poll_fn(|context| {
        if draining.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        work.as_mut().poll(context).map(Some)
    })
    .await
}

/// Failures of the accepted connection itself; everything else is a want of ours.
fn is_connection_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
