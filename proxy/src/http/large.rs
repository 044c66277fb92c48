//! Large bodies leave room for others: while exchanges come, the large bodies of a worker share a rate.
//!
//! A body of gigabytes would take all of its worker's core for as long as it lasts, and the threads that sign and log,
//! which small exchanges wait for several times each, are less urgent than a worker. So a large body waits for its turn,
//! before it is received or read from a file; who sends it waits as well, by the flow control of its connection. On a
//! server that nobody else uses it goes as fast as it can.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use monoio::time::Instant;

/// A body is large from here on, in bytes.
const LARGE: u64 = 1024 * 1024;
/// Exchanges come while the last one began no longer ago than this, in milliseconds.
const RECENT: u64 = 1000;
/// How often the beginning of an exchange is noted, in milliseconds: workers share the place.
const NOTED: u64 = 100;

/// When the process last began an exchange. Clones are the same.
#[derive(Debug, Clone)]
pub struct Traffic(Arc<(std::time::Instant, AtomicU64)>);

impl Default for Traffic {
    fn default() -> Self {
        Self(Arc::new((std::time::Instant::now(), AtomicU64::new(0))))
    }
}

impl Traffic {
    /// Notes that an exchange begins.
    pub fn note(&self) {
        let (now, (_, last)) = (self.now(), &*self.0);
        if now.saturating_sub(last.load(Ordering::Relaxed)) >= NOTED {
            last.store(now, Ordering::Relaxed);
        }
    }

    fn comes(&self) -> bool {
        self.now().saturating_sub(self.0.1.load(Ordering::Relaxed)) < RECENT
    }

    /// Milliseconds, counted so that no exchange is recent in the beginning.
    fn now(&self) -> u64 {
        let since = u64::try_from(self.0.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        since.saturating_add(RECENT)
    }
}

/// Whose turn it is on a worker.
#[derive(Debug)]
struct Turns {
    /// Bytes a second, more than 0.
    rate: u64,
    traffic: Traffic,
    /// When the next one has its turn.
    due: Cell<Instant>,
}

thread_local! {
    static TURNS: RefCell<Option<Rc<Turns>>> = const { RefCell::new(None) };
}

/// From now on the large bodies of this thread share so many bytes a second while exchanges come; 0 = as many as there are.
pub fn share(rate: u64, traffic: &Traffic) {
    let turns = (rate > 0).then(|| {
        Rc::new(Turns {
            rate,
            traffic: traffic.clone(),
            due: Cell::new(Instant::now()),
        })
    });
    TURNS.set(turns);
}

/// Waits for the turn of these bytes, where so many of their body went before.
pub async fn turn(before: u64, bytes: usize) {
    if before < LARGE {
        return;
    }
    let turns = TURNS.with_borrow(Option::clone);
    if let Some(wait) = turns.and_then(|turns| turns.take(bytes)) {
        monoio::time::sleep(wait).await;
    }
}

impl Turns {
    /// How long these bytes must wait; whoever comes next waits for them.
    fn take(&self, bytes: usize) -> Option<Duration> {
        if !self.traffic.comes() {
            return None;
        }
        let now = Instant::now();
        let due = self.due.get().max(now);
        self.due.set(due + self.time_of(bytes));
        Some(due - now).filter(|wait| !wait.is_zero())
    }

    fn time_of(&self, bytes: usize) -> Duration {
        let micros = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1_000_000) / self.rate;
        Duration::from_micros(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(traffic: &Traffic) -> Turns {
        Turns {
            rate: 1_000_000,
            traffic: traffic.clone(),
            due: Cell::new(Instant::now()),
        }
    }

    #[test]
    fn large_bodies_share_a_rate_while_exchanges_come() {
        let traffic = Traffic::default();
        let turns = turns(&traffic);
        traffic.note();
        assert_eq!(turns.take(500_000), None, "the first has its turn at once");
        let wait = turns.take(500_000).unwrap();
        assert!((400..=500).contains(&wait.as_millis()), "{wait:?}");
        let wait = turns.take(1).unwrap();
        assert!((900..=1000).contains(&wait.as_millis()), "{wait:?}");
    }

    #[test]
    fn a_large_body_alone_waits_for_nobody() {
        let turns = turns(&Traffic::default());
        assert!((0..100).all(|_| turns.take(1_000_000).is_none()));
    }
}
