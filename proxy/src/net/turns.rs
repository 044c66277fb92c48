//! Whose connection is served next when there are more than may be served at once: sources take turns, so that a storm
//! from one does not keep the others out.
//!
//! A source is an address that the global configuration names, or everybody else together: addresses are cheap to have, a
//! registration is not. The reference lets waiting connections take the same turns; here no source holds all slots
//! either, so that another one does not have to wait for the end of idle connections, and the room to wait in is bounded.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Connections that wait for their turn at most, for each listener and worker.
const WAITING_ROOM: usize = 1024;

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// An address of a server that is registered with the instance or a federated one.
    Known(IpAddr),
    /// Any other address.
    Unknown,
}

/// The slots of one listener, and who waits for them. Clones are the same slots.
#[derive(Debug)]
pub struct Turns<T>(Rc<RefCell<State<T>>>);

#[derive(Debug)]
struct State<T> {
    free: usize,
    /// How many slots one source may hold.
    share: usize,
    held: HashMap<Source, usize>,
    room: Room<T>,
    /// Who waits in [`Turns::next`]; there is one.
    usher: Option<Waker>,
}

/// Who waits.
#[derive(Debug)]
struct Room<T> {
    bound: usize,
    count: usize,
    queues: HashMap<Source, VecDeque<T>>,
    /// Sources with somebody waiting, the next one first.
    order: VecDeque<Source>,
}

/// A slot in use, given back when dropped.
#[derive(Debug)]
pub struct Turn<T> {
    turns: Turns<T>,
    source: Source,
}

impl<T> Clone for Turns<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Turns<T> {
    /// So many slots, of which one source may hold three quarters.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self::with_room(slots, WAITING_ROOM)
    }

    fn with_room(slots: usize, bound: usize) -> Self {
        Self(Rc::new(RefCell::new(State {
            free: slots,
            share: slots - slots / 4,
            held: HashMap::new(),
            room: Room {
                bound,
                count: 0,
                queues: HashMap::new(),
                order: VecDeque::new(),
            },
            usher: None,
        })))
    }

    /// Lets a connection wait for its turn. When the room is full, the latest of the source with most of them waiting has
    /// to go, and is given back.
    #[must_use]
    pub fn arrive(&self, source: Source, connection: T) -> Option<(Source, T)> {
        let (turned_away, usher) = {
            let mut state = self.0.borrow_mut();
            (state.room.enter(source, connection), state.usher.take())
        };
        usher.into_iter().for_each(Waker::wake);
        turned_away
    }

    /// Closes whatever waits: nobody is served any more.
    pub fn clear(&self) {
        let mut state = self.0.borrow_mut();
        (state.room.count, state.usher) = (0, None);
        state.room.queues.clear();
        state.room.order.clear();
    }

    /// The next connection and its slot, as soon as there are both. May be dropped at any time.
    pub async fn next(&self) -> (T, Turn<T>) {
        poll_fn(|context| {
            let mut state = self.0.borrow_mut();
            let Some((source, connection)) = state.admit() else {
                state.usher = Some(context.waker().clone());
                return Poll::Pending;
            };
            let turns = self.clone();
            Poll::Ready((connection, Turn { turns, source }))
        })
        .await
    }
}

impl<T> State<T> {
    /// The oldest connection of the source whose turn it is.
    fn admit(&mut self) -> Option<(Source, T)> {
        if self.free == 0 {
            return None;
        }
        let (held, share) = (&self.held, self.share);
        let has_share = |source: &Source| held.get(source).is_none_or(|slots| *slots < share);
        let (source, connection) = self.room.leave(has_share)?;
        *self.held.entry(source).or_default() += 1;
        self.free -= 1;
        Some((source, connection))
    }

    fn give_back(&mut self, source: Source) {
        self.free += 1;
        if let Some(slots) = self.held.get_mut(&source) {
            *slots -= 1;
            if *slots == 0 {
                self.held.remove(&source);
            }
        }
    }
}

impl<T> Room<T> {
    fn enter(&mut self, source: Source, connection: T) -> Option<(Source, T)> {
        let queue = self.queues.entry(source).or_default();
        if queue.is_empty() {
            self.order.push_back(source);
        }
        queue.push_back(connection);
        self.count += 1;
        if self.count > self.bound {
            self.turn_away()
        } else {
            None
        }
    }

    fn turn_away(&mut self) -> Option<(Source, T)> {
        let longest = self.queues.iter().max_by_key(|(_, queue)| queue.len());
        let source = *longest?.0;
        let connection = self.queues.get_mut(&source)?.pop_back()?;
        self.took(source);
        Some((source, connection))
    }

    /// Takes from the first source that may go; it is the last one then.
    fn leave(&mut self, may_go: impl Fn(&Source) -> bool) -> Option<(Source, T)> {
        let index = self.order.iter().position(may_go)?;
        let source = self.order.remove(index)?;
        self.order.push_back(source);
        let connection = self.queues.get_mut(&source)?.pop_front()?;
        self.took(source);
        Some((source, connection))
    }

    /// Forgets a source of which nobody waits any more.
    fn took(&mut self, source: Source) {
        self.count -= 1;
        if self.queues.get(&source).is_some_and(VecDeque::is_empty) {
            self.queues.remove(&source);
            self.order.retain(|other| *other != source);
        }
    }
}

impl<T> Drop for Turn<T> {
    fn drop(&mut self) {
        let usher = {
            let mut state = self.turns.0.borrow_mut();
            state.give_back(self.source);
            state.usher.take()
        };
        usher.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const fn known(last: u8) -> Source {
        Source::Known(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, last)))
    }

    fn admit(turns: &Turns<u32>) -> Option<(Source, u32)> {
        turns.0.borrow_mut().admit()
    }

    #[test]
    fn sources_take_turns_and_each_keeps_its_order() {
        let turns = Turns::new(100);
        let (a, b, x) = (known(1), known(2), Source::Unknown);
        // The sequence of the reference's own case: two members, and strangers who count as one.
        for (number, source) in [(1, a), (2, x), (3, b), (4, x), (5, x), (6, x), (7, b)] {
            assert!(turns.arrive(source, number).is_none());
        }
        let order: Vec<u32> = std::iter::from_fn(|| admit(&turns)).map(|(_, n)| n).collect();
        assert_eq!(order, [1, 2, 3, 4, 7, 5, 6]);
    }

    #[test]
    fn no_source_holds_every_slot_and_all_slots_are_given_back() {
        let turns = Turns::new(4);
        for number in 0..10 {
            assert!(turns.arrive(Source::Unknown, number).is_none());
        }
        let storm: Vec<_> = std::iter::from_fn(|| admit(&turns)).collect();
        assert_eq!(storm.len(), 3, "three quarters");
        assert!(turns.arrive(known(1), 100).is_none());
        assert_eq!(admit(&turns), Some((known(1), 100)), "before those that wait");
        assert!(turns.arrive(known(1), 101).is_none());
        assert_eq!(admit(&turns), None, "no slot is free");
        turns.0.borrow_mut().give_back(Source::Unknown);
        assert_eq!(
            admit(&turns),
            Some((Source::Unknown, 3)),
            "its turn, within its share"
        );
        for source in [Source::Unknown; 3].into_iter().chain([known(1)]) {
            turns.0.borrow_mut().give_back(source);
        }
        assert_eq!(turns.0.borrow().free, 4);
        assert!(turns.0.borrow().held.is_empty());
    }

    #[test]
    fn a_full_room_turns_away_the_latest_of_those_who_are_most() {
        let turns = Turns::with_room(1, 4);
        assert!(turns.arrive(known(1), 1).is_none());
        for number in 10..13 {
            assert!(turns.arrive(Source::Unknown, number).is_none());
        }
        assert_eq!(turns.arrive(Source::Unknown, 13), Some((Source::Unknown, 13)));
        assert_eq!(turns.arrive(known(2), 2), Some((Source::Unknown, 12)));
        assert_eq!(admit(&turns), Some((known(1), 1)));
    }

    #[test]
    fn one_slot_serves_one_source_after_the_other() {
        let turns = Turns::new(1);
        assert!(turns.arrive(Source::Unknown, 1).is_none());
        assert_eq!(admit(&turns), Some((Source::Unknown, 1)));
        let unbounded = Turns::new(usize::MAX);
        assert!(unbounded.arrive(Source::Unknown, 1).is_none());
        assert!(admit(&unbounded).is_some());
    }
}
