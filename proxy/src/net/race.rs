//! Connecting to the fastest of several addresses (wire.md 2.6).
//!
//! All are connected at once and the first one wins. An address that turns out to be no good is left out and the selection
//! repeated in less time. The winner of a set of addresses is remembered and tried alone first.

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

/// Remembers winners, for one worker.
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
    /// A race that remembers its winners for so long; with zero, not at all.
    pub fn new(memory: Duration) -> Self {
        Self {
            memory,
            winners: RefCell::default(),
        }
    }

    /// The remembered winner of a set of addresses, which a caller may look for in its pool first.
    pub fn winner_of(&self, addresses: &[SocketAddr]) -> Option<SocketAddr> {
        // Where there is no choice, nothing is remembered.
        (addresses.len() > 1).then(|| self.winner(&sorted(addresses)))?
    }

    /// Begins to look for an address that can be used; connecting to one may take `limit`.
    pub fn select(&self, addresses: &[SocketAddr], limit: Duration) -> Selection<'_> {
        let set = sorted(addresses);
        Selection {
            remembered: self.winner(&set),
            left: by_lot(addresses),
            race: self,
            set,
            limit,
        }
    }

    fn winner(&self, set: &[SocketAddr]) -> Option<SocketAddr> {
        let winners = self.winners.borrow();
        let (winner, since) = winners.get(set)?;
        (since.elapsed() < self.memory).then_some(*winner)
    }

    fn remember(&self, set: &[SocketAddr], winner: SocketAddr) {
        let mut winners = self.winners.borrow_mut();
        if winners.len() >= MAX_REMEMBERED {
            winners.clear();
        }
        winners.insert(set.into(), (winner, Instant::now()));
    }

    /// Forgets the winner, unless another exchange has found a better one since.
    fn forget(&self, set: &[SocketAddr], winner: SocketAddr) {
        let mut winners = self.winners.borrow_mut();
        if winners.get(set).is_some_and(|(known, _)| *known == winner) {
            winners.remove(set);
        }
    }
}

/// One exchange's search for an address that can be used.
#[derive(Debug)]
pub struct Selection<'a> {
    race: &'a Race,
    /// What a winner is remembered for.
    set: Box<[SocketAddr]>,
    /// What was not left out yet.
    left: Vec<SocketAddr>,
    /// The winner of an earlier exchange, while it has not failed.
    remembered: Option<SocketAddr>,
    limit: Duration,
}

impl Selection<'_> {
    /// Connects to the remembered winner, or else to the fastest of the addresses that are left. The caller says then
    /// whether the peer there is good ([`Self::keep`]) or not ([`Self::leave_out`]).
    ///
    /// # Errors
    /// [`ConnectError`] when none of them can be connected: there is nothing left to try.
    pub async fn connect(&mut self) -> Result<(SocketAddr, TcpStream), ConnectError> {
        if let Some(winner) = self.remembered {
            match connect_first(&[winner], WINNER_LIMIT).await {
                Ok(connected) => return Ok(connected),
                Err(error) => {
                    tracing::warn!(address = %winner, %error, "the fastest address of before is left out");
                    self.leave_out(winner);
                }
            }
        }
        connect_leaving_out(&mut self.left, self.limit).await
    }

    /// How long what follows on connecting may take, the TLS handshake above all.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        match self.remembered {
            Some(_) => WINNER_LIMIT,
            None => self.limit,
        }
    }

    /// The address is good; among several, it is remembered as the winner.
    pub fn keep(self, address: SocketAddr) {
        if self.set.len() > 1 && self.remembered.is_none() {
            self.race.remember(&self.set, address);
        }
    }

    /// The address is no good; whether others are left. After a remembered winner the selection begins with all the
    /// time there is, after any other it is repeated in half of it.
    pub fn leave_out(&mut self, address: SocketAddr) -> bool {
        self.left.retain(|left| *left != address);
        if self.remembered.take_if(|winner| *winner == address).is_some() {
            self.race.forget(&self.set, address);
        } else {
            self.limit = (self.limit / 2).max(LEAST_REPEAT_LIMIT);
        }
        !self.left.is_empty()
    }
}

fn sorted(addresses: &[SocketAddr]) -> Box<[SocketAddr]> {
    let mut set: Box<[_]> = addresses.into();
    set.sort_unstable();
    set
}

/// Begins with an address drawn by lot: where several connect at the same moment, the first one looked at wins.
fn by_lot(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut drawn = addresses.to_vec();
    let mut random = [0; 2];
    if drawn.len() > 1 && aws_lc_rs::rand::fill(&mut random).is_ok() {
        let start = usize::from(u16::from_ne_bytes(random)) % drawn.len();
        drawn.rotate_left(start);
    }
    drawn
}

type Attempt = Pin<Box<dyn Future<Output = (SocketAddr, io::Result<TcpStream>)>>>;

/// Connects to all addresses at once and keeps the first connection, within `limit`.
///
/// # Errors
/// [`ConnectError`] when none of them can be connected.
pub async fn connect_first(
    addresses: &[SocketAddr],
    limit: Duration,
) -> Result<(SocketAddr, TcpStream), ConnectError> {
    connect_leaving_out(&mut addresses.to_vec(), limit).await
}

/// The same; addresses that fail meanwhile are taken out.
async fn connect_leaving_out(
    addresses: &mut Vec<SocketAddr>,
    limit: Duration,
) -> Result<(SocketAddr, TcpStream), ConnectError> {
    let count = addresses.len();
    if addresses.is_empty() || count > MAX_ADDRESSES {
        return Err(ConnectError::NoAddress);
    }
    let mut attempts: Vec<Attempt> = addresses.iter().map(|address| attempt(*address)).collect();
    let mut failed = Vec::new();
    let first = poll_fn(|context| poll_attempts(&mut attempts, &mut failed, context));
    let connected = monoio::time::timeout(limit, first).await;
    addresses.retain(|address| failed.iter().all(|(failed, _)| failed != address));
    match (connected, failed.pop()) {
        (Ok(Some(connected)), _) => Ok(connected),
        (Ok(None), Some((address, error))) => Err(ConnectError::Failed { address, error }),
        _ => Err(ConnectError::TimedOut(count)),
    }
}

fn attempt(address: SocketAddr) -> Attempt {
    Box::pin(async move { (address, TcpStream::connect_addr(address).await) })
}

/// The first connection, or `None` when all attempts failed.
fn poll_attempts(
    attempts: &mut Vec<Attempt>,
    failed: &mut Vec<(SocketAddr, io::Error)>,
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
            failed.push((address, error));
            false
        }
    });
    match connected {
        None if !attempts.is_empty() => Poll::Pending,
        finished => Poll::Ready(finished),
    }
}
