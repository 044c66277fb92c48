//! How many of something may run at once in the whole process.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A bound, to be kept in a `static`.
#[derive(Debug)]
pub struct Slots {
    taken: AtomicUsize,
    bound: usize,
}

/// The right to one, until it is dropped.
#[derive(Debug)]
pub struct Slot(&'static Slots);

impl Slots {
    /// So many at once.
    #[must_use]
    pub const fn new(bound: usize) -> Self {
        Self {
            taken: AtomicUsize::new(0),
            bound,
        }
    }

    /// Takes a slot, if one is free; never waits.
    pub fn take(&'static self) -> Option<Slot> {
        let slot = Slot(self);
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        (taken < self.bound).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_bound_at_once() {
        static SLOTS: Slots = Slots::new(2);
        let first = SLOTS.take();
        let second = SLOTS.take();
        assert!(first.is_some() && second.is_some() && SLOTS.take().is_none());
        drop(first);
        assert!(SLOTS.take().is_some());
    }
}
