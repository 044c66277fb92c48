//! Who is inside a PKCS #11 library.
//!
//! `C_Finalize` while another thread is inside is undefined (PKCS #11 5.4), so it waits until nobody is, and everybody
//! else until it is over. A library that must not lock by itself has room for one.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The way into a library.
#[derive(Debug)]
pub(super) struct Gate {
    /// How many may be inside at a time.
    room: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    inside: usize,
    closed: bool,
}

/// The right to be inside; given back when dropped.
#[derive(Debug)]
pub(super) struct Pass<'a>(&'a Gate);

/// Nobody is inside as long as this lives.
#[derive(Debug)]
pub(super) struct Closed<'a>(&'a Gate);

impl Gate {
    pub(super) const fn new(room: usize) -> Self {
        Self {
            room,
            state: Mutex::new(State {
                inside: 0,
                closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place. Callers bound the wait themselves: this runs on threads that may hang.
    pub(super) fn enter(&self) -> Pass<'_> {
        let full = |state: &mut State| state.closed || state.inside >= self.room;
        let state = self.changed.wait_while(self.state(), full);
        state.unwrap_or_else(PoisonError::into_inner).inside += 1;
        Pass(self)
    }

    /// Lets nobody in any more and waits until all are out; nothing changes if that takes longer than `patience`.
    pub(super) fn close(&self, patience: Duration) -> Option<Closed<'_>> {
        let mut state = self.state();
        state.closed = true;
        let occupied = |state: &mut State| state.inside > 0;
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, patience, occupied)
            .unwrap_or_else(PoisonError::into_inner);
        if state.inside == 0 {
            return Some(Closed(self));
        }
        state.closed = false;
        drop(state);
        self.changed.notify_all();
        None
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.state().inside -= 1;
        self.0.changed.notify_all();
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.state().closed = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Arc, thread, time::Instant};

    #[test]
    fn nobody_is_inside_while_it_is_closed_and_a_guest_who_stays_keeps_it_open() {
        let gate = Arc::new(Gate::new(2));
        let guest = gate.enter();
        assert!(gate.close(Duration::from_millis(20)).is_none());
        let second = gate.enter();
        drop((guest, second));
        let closed = gate.close(Duration::from_secs(5)).unwrap();
        let waiting = thread::spawn({
            let gate = Arc::clone(&gate);
            move || {
                drop(gate.enter());
                Instant::now()
            }
        });
        thread::sleep(Duration::from_millis(30));
        let opened = Instant::now();
        drop(closed);
        assert!(waiting.join().unwrap() >= opened);
    }
}
