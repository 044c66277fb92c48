//! Connecting to the fastest of several addresses (wire.md 2.6): all at once, the first connected wins, and the
//! winner of a set of addresses is remembered and tried alone first.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use monoio::net::TcpStream;

/// How long a remembered winner may take to connect before the others are tried (wire.md 2.6).
pub const WINNER_LIMIT: Duration = Duration::from_millis(5000);
/// Least time for a selection that is repeated after a failure (wire.md 2.6).
pub const LEAST_REPEAT_LIMIT: Duration = Duration::from_millis(5000);
/// Usual time for which a winner is remembered (`client-fastest-connecting-ssl-uri-cache-period`).
pub const DEFAULT_MEMORY: Duration = Duration::from_secs(3600);
/// Sets of addresses whose winner is remembered.
const MAX_REMEMBERED: usize = 4096;
/// Addresses that are tried at once; more are refused.
pub const MAX_ADDRESSES: usize = 64;

/// Why no address could be connected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No address was given, or more than [`MAX_ADDRESSES`].
    #[error("no usable address to connect to")]
    NoAddress,
    /// None answered in time.
    #[error("connecting to {0} address(es) took too long")]
    TimedOut(usize),
    /// All failed; the last failure.
    #[error("cannot connect to {address}: {error}")]
    Failed {
        /// The address that failed last.
        address: SocketAddr,
        /// Its failure.
        error: io::Error,
    },
}

/// By set of addresses, sorted: the winner and when it won.
type Winners = HashMap<Box<[SocketAddr]>, (SocketAddr, Instant)>;

/// Selects connections and remembers winners, for one worker.
#[derive(Debug)]
pub struct Race {
    memory: Duration,
    winners: RefCell<Winners>,
}

impl Default for Race {
    fn default() -> Self {
        Self::new(DEFAULT_MEMORY)
    }
}

impl Race {
    /// A race that remembers its winners for so long.
    pub fn new(memory: Duration) -> Self {
        Self {
            memory,
            winners: RefCell::default(),
        }
    }

    /// Connects to the fastest of the addresses, within `limit`. When the caller then finds the peer wanting, it
    /// [forgets](Self::forget) the winner and repeats without that address, within [`repeat_limit`].
    pub async fn connect(
        &self,
        addresses: &[SocketAddr],
        limit: Duration,
    ) -> Result<(SocketAddr, TcpStream), ConnectError> {
        if let &[address] = addresses {
            return connect_first(&[address], limit).await;
        }
        let set = sorted(addresses);
        if let Some(winner) = self.winner(&set)
            && let Ok(connected) = connect_first(&[winner], WINNER_LIMIT.min(limit)).await
        {
            return Ok(connected);
        }
        let connected = connect_first(addresses, limit).await?;
        self.remember(set, connected.0);
        Ok(connected)
    }

    /// Forgets the winner of a set of addresses.
    pub fn forget(&self, addresses: &[SocketAddr]) {
        self.winners.borrow_mut().remove(&sorted(addresses));
    }

    /// The remembered winner of a set of addresses, which a caller may look for in its pool first.
    pub fn winner_of(&self, addresses: &[SocketAddr]) -> Option<SocketAddr> {
        match addresses {
            &[address] => Some(address),
            _ => self.winner(&sorted(addresses)),
        }
    }

    fn winner(&self, set: &[SocketAddr]) -> Option<SocketAddr> {
        let winners = self.winners.borrow();
        let (winner, since) = winners.get(set)?;
        (since.elapsed() < self.memory).then_some(*winner)
    }

    fn remember(&self, set: Box<[SocketAddr]>, winner: SocketAddr) {
        let mut winners = self.winners.borrow_mut();
        if winners.len() >= MAX_REMEMBERED {
            winners.clear();
        }
        winners.insert(set, (winner, Instant::now()));
    }
}

/// The time for a repeated selection: half of what was, but no less than [`LEAST_REPEAT_LIMIT`].
pub fn repeat_limit(limit: Duration) -> Duration {
    (limit / 2).max(LEAST_REPEAT_LIMIT)
}

fn sorted(addresses: &[SocketAddr]) -> Box<[SocketAddr]> {
    let mut set: Box<[_]> = addresses.into();
    set.sort_unstable();
    set
}

type Attempt = Pin<Box<dyn Future<Output = (SocketAddr, io::Result<TcpStream>)>>>;

/// Connects to all addresses at once and keeps the first connection, within `limit`.
pub async fn connect_first(
    addresses: &[SocketAddr],
    limit: Duration,
) -> Result<(SocketAddr, TcpStream), ConnectError> {
    if addresses.is_empty() || addresses.len() > MAX_ADDRESSES {
        return Err(ConnectError::NoAddress);
    }
    let mut attempts: Vec<Attempt> = addresses.iter().map(|address| attempt(*address)).collect();
    let mut last_failure = None;
    let first = poll_fn(|context| poll_attempts(&mut attempts, &mut last_failure, context));
    let connected = monoio::time::timeout(limit, first).await;
    match (connected, last_failure) {
        (Ok(Some(connected)), _) => Ok(connected),
        (Ok(None), Some((address, error))) => Err(ConnectError::Failed { address, error }),
        _ => Err(ConnectError::TimedOut(addresses.len())),
    }
}

fn attempt(address: SocketAddr) -> Attempt {
    Box::pin(async move { (address, TcpStream::connect_addr(address).await) })
}

/// The first connection, or `None` when all attempts failed.
fn poll_attempts(
    attempts: &mut Vec<Attempt>,
    last_failure: &mut Option<(SocketAddr, io::Error)>,
    context: &mut Context<'_>,
) -> Poll<Option<(SocketAddr, TcpStream)>> {
    let mut connected = None;
    attempts.retain_mut(|attempt| match attempt.as_mut().poll(context) {
        Poll::Pending => true,
        Poll::Ready((address, Ok(stream))) => {
            connected.get_or_insert((address, stream));
            false
        }
        Poll::Ready((address, Err(error))) => {
            *last_failure = Some((address, error));
            false
        }
    });
    match connected {
        None if !attempts.is_empty() => Poll::Pending,
        finished => Poll::Ready(finished),
    }
}
