//! How much a worker takes on: exchanges over a bound are refused at once, in the words of the protocol, before anything
//! of their message is read.
//!
//! What waits takes memory and makes everybody wait longer, until nobody's answer comes in time. What is refused at once
//! costs a head and a fault, and who was refused may ask another server or come again. No source, an address, holds more
//! than three quarters of what there is: one that is slow on purpose does not keep out the others.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What one exchange may hold in memory: heads, a spool in each direction before it moves to a file, what is on its way
/// through TLS, and the parts of the transport message. In bytes.
const EXCHANGE_BYTES: u64 = 1024 * 1024;
/// The share of the memory that all exchanges together may hold: one of so many.
const MEMORY_SHARE: u64 = 4;
/// What is derived from memory is not below and not above this. The upper bound is a matter of time: what a worker can do
/// in about a second.
const DERIVED: (u64, u64) = (64, 512);
/// Memory that is reckoned with where the system does not tell how much there is, in bytes.
const UNKNOWN_MEMORY: u64 = 2 * 1024 * 1024 * 1024;
/// How often the log speaks of refusals.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What is let in at once, and who holds it. Clones are the same.
#[derive(Debug, Clone)]
pub struct Admission(Rc<State>);

#[derive(Debug)]
struct State {
    bound: usize,
    share: usize,
    taken: Cell<usize>,
    held: RefCell<HashMap<IpAddr, usize>>,
    told: Cell<Option<Instant>>,
    untold: Cell<u64>,
}

/// The right to be served, given back when dropped.
#[derive(Debug)]
pub struct Admitted {
    state: Rc<State>,
    source: IpAddr,
}

impl Admission {
    /// So many at once, of which one source may hold three quarters.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self(Rc::new(State {
            bound,
            share: bound - bound / 4,
            taken: Cell::new(0),
            held: RefCell::default(),
            told: Cell::default(),
            untold: Cell::default(),
        }))
    }

    /// Lets one in, or not; never waits.
    #[must_use]
    pub fn enter(&self, source: IpAddr) -> Option<Admitted> {
        let state = &self.0;
        if state.taken.get() >= state.bound {
            return None;
        }
        let mut held = state.held.borrow_mut();
        let by_source = held.entry(source).or_default();
        if *by_source >= state.share {
            return None;
        }
        *by_source += 1;
        state.taken.set(state.taken.get() + 1);
        let state = Rc::clone(state);
        Some(Admitted { state, source })
    }

    /// Says in the log that exchanges are refused, now and then: a line for each would cost more than the refusal.
    pub fn tell(&self, side: &'static str) {
        let state = &self.0;
        state.untold.set(state.untold.get() + 1);
        let now = Instant::now();
        let is_due = |told: Instant| now.saturating_duration_since(told) >= TELL_EVERY;
        if state.told.get().is_none_or(is_due) {
            state.told.set(Some(now));
            let refused = state.untold.take();
            tracing::warn!(side, refused, bound = state.bound, "too many at once: refused");
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let state = &self.state;
        state.taken.set(state.taken.get() - 1);
        let mut held = state.held.borrow_mut();
        if let Some(by_source) = held.get_mut(&self.source) {
            *by_source -= 1;
            if *by_source == 0 {
                held.remove(&self.source);
            }
        }
    }
}

/// Exchanges that each of so many workers may have under way in each half of the server, by the memory there is: that of
/// the machine, or of the control group where that is less.
#[must_use]
pub fn by_memory(workers: usize) -> usize {
    let memory = [machine_memory(), group_memory()].into_iter().flatten().min();
    derived(memory.unwrap_or(UNKNOWN_MEMORY), workers)
}

fn derived(memory: u64, workers: usize) -> usize {
    let halves = u64::try_from(workers.max(1))
        .unwrap_or(u64::MAX)
        .saturating_mul(2);
    let (least, most) = DERIVED;
    let exchanges = (memory / MEMORY_SHARE / EXCHANGE_BYTES / halves).clamp(least, most);
    usize::try_from(exchanges).unwrap_or(usize::MAX)
}

/// `MemTotal:  24000000 kB`
fn machine_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// A number, or `max`.
fn group_memory() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let file = format!("/sys/fs/cgroup{}/memory.max", path.trim_end_matches('/'));
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn no_more_than_the_bound_and_no_source_has_all_of_it() {
        let admission = Admission::new(4);
        let storm: Vec<_> = (0..10).map_while(|_| admission.enter(A)).collect();
        assert_eq!(storm.len(), 3, "three quarters");
        let other = admission.enter(B);
        assert!(other.is_some() && admission.enter(B).is_none(), "all are taken");
        drop(storm);
        assert!(admission.enter(A).is_some());
        drop(other);
        assert!(admission.0.held.borrow().is_empty() && admission.0.taken.get() == 0);
    }

    #[test]
    fn a_single_slot_is_a_slot() {
        let admission = Admission::new(1);
        let one = admission.enter(A);
        assert!(one.is_some() && admission.enter(A).is_none());
    }

    #[test]
    fn small_machines_take_on_less() {
        const GIGABYTE: u64 = 1024 * 1024 * 1024;
        assert_eq!(derived(2 * GIGABYTE, 2), 128);
        assert_eq!(derived(GIGABYTE / 4, 8), 64);
        assert_eq!(derived(64 * GIGABYTE, 4), 512);
        assert!(machine_memory().is_some_and(|bytes| bytes > GIGABYTE / 4));
    }
}
