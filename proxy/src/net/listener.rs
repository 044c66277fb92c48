//! Listening sockets: one per worker on the same port, the kernel spreads the connections (`SO_REUSEPORT`).

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use monoio::io::Canceller;
use monoio::net::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, Socket, Type};

use super::local::{Latch, Permit, Permits};
use super::turns::{Source, Turn, Turns};

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
        while let Some(permit) = until(drain, permits.acquire()).await {
            let Some((connection, _)) = self.accept(drain).await else {
                return;
            };
            serve(connection, permit);
        }
    }

    /// The same for callers of whom none shall be kept out by the others: connections are accepted at once, and those over
    /// the bound wait here until it is their source's turn. `turned_away` hears of each that is closed because too many
    /// wait.
    pub async fn serve_in_turns(
        self,
        drain: &Latch,
        turns: Turns<TcpStream>,
        source_of: impl Fn(IpAddr) -> Source,
        turned_away: impl Fn(Source),
        mut serve: impl FnMut(TcpStream, Turn<TcpStream>),
    ) {
        let accept = async {
            while let Some((connection, from)) = self.accept(drain).await {
                let source = source_of(from.ip().to_canonical());
                if let Some((source, connection)) = turns.arrive(source, connection) {
                    drop(connection);
                    turned_away(source);
                }
                // Where accepting never has to wait, others must come to their turn all the same.
                once_around().await;
            }
        };
        let (mut accept, mut admit) = (pin!(accept), pin!(admit(&turns, &mut serve)));
        std::future::poll_fn(|context| {
            let accepting = accept.as_mut().poll(context);
            match admit.as_mut().poll(context) {
                Poll::Ready(never) => match never {},
                Poll::Pending => accepting,
            }
        })
        .await;
        turns.clear();
    }

    /// Accepts the next connection, however long it takes; `None` once draining.
    async fn accept(&self, drain: &Latch) -> Option<(TcpStream, SocketAddr)> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.try_accept(drain).await? {
                Ok(accepted) => return Some(accepted),
                Err(error) if is_connection_error(&error) => {}
                Err(error) => {
                    tracing::warn!(address = %self.address, %error, ?pause, "cannot accept connections");
                    until(drain, monoio::time::sleep(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Accepts one connection, or `None` once draining. The accept is cancelled and awaited, never dropped: a
    /// connection accepted in that moment is served.
    async fn try_accept(&self, drain: &Latch) -> Option<io::Result<(TcpStream, SocketAddr)>> {
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
            Ok(accepted) => Some(Ok(accepted)),
            Err(_) if drain.is_set() => None,
            Err(error) => Some(Err(error)),
        }
    }
}

/// Serves whoever's turn it is, for ever.
async fn admit(turns: &Turns<TcpStream>, serve: &mut impl FnMut(TcpStream, Turn<TcpStream>)) -> Infallible {
    loop {
        let (connection, turn) = turns.next().await;
        serve(connection, turn);
    }
}

/// Lets the worker's other tasks go first, once.
async fn once_around() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
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
