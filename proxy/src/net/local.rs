//! What the tasks of one worker wait on. All of it is `!Send`: no atomics, no locks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Tasks waiting for one event, each under the number it registered with.
#[derive(Debug, Default)]
struct Waiters {
    next: Cell<u64>,
    wakers: RefCell<BTreeMap<u64, Waker>>,
}

impl Waiters {
    fn ticket(self: &Rc<Self>) -> Ticket {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        Ticket {
            waiters: Rc::clone(self),
            number,
        }
    }

    /// Each waiter looks for itself whether its event has come.
    fn wake_all(&self) {
        let all = std::mem::take(&mut *self.wakers.borrow_mut());
        all.into_values().for_each(Waker::wake);
    }
}

/// One waiter; forgets itself when dropped.
struct Ticket {
    waiters: Rc<Waiters>,
    number: u64,
}

impl Ticket {
    fn register(&self, waker: &Waker) {
        self.waiters
            .wakers
            .borrow_mut()
            .insert(self.number, waker.clone());
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.waiters.wakers.borrow_mut().remove(&self.number);
    }
}

/// A switch that is set once and then stays set: how a worker tells its tasks to drain.
#[derive(Debug, Clone, Default)]
pub struct Latch {
    set: Rc<Cell<bool>>,
    waiters: Rc<Waiters>,
}

impl Latch {
    /// An open latch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the latch and wakes all who wait.
    pub fn set(&self) {
        self.set.set(true);
        self.waiters.wake_all();
    }

    /// Whether the latch is set.
    pub fn is_set(&self) -> bool {
        self.set.get()
    }

    /// Returns when the latch is set. May be dropped at any time.
    pub async fn wait(&self) {
        let ticket = self.waiters.ticket();
        poll_fn(|context| {
            if self.is_set() {
                return Poll::Ready(());
            }
            ticket.register(context.waker());
            Poll::Pending
        })
        .await;
    }
}

/// A bounded number of permits, such as connections a listener may have open.
#[derive(Debug, Clone)]
pub struct Permits {
    left: Rc<Cell<usize>>,
    total: usize,
    waiters: Rc<Waiters>,
}

impl Permits {
    /// So many permits.
    pub fn new(total: usize) -> Self {
        Self {
            left: Rc::new(Cell::new(total)),
            total,
            waiters: Rc::default(),
        }
    }

    /// Takes a permit, waiting for one if there is none. May be dropped at any time.
    pub async fn acquire(&self) -> Permit {
        let ticket = self.waiters.ticket();
        poll_fn(|context| match self.try_acquire() {
            Some(permit) => Poll::Ready(permit),
            None => {
                ticket.register(context.waker());
                Poll::Pending
            }
        })
        .await
    }

    /// Takes a permit if there is one.
    pub fn try_acquire(&self) -> Option<Permit> {
        self.left.set(self.left.get().checked_sub(1)?);
        Some(Permit {
            permits: self.clone(),
        })
    }

    /// How many permits are taken.
    pub fn in_use(&self) -> usize {
        self.total - self.left.get()
    }

    /// Returns when no permit is taken. May be dropped at any time.
    pub async fn all_returned(&self) {
        let ticket = self.waiters.ticket();
        poll_fn(|context| {
            if self.in_use() == 0 {
                return Poll::Ready(());
            }
            ticket.register(context.waker());
            Poll::Pending
        })
        .await;
    }
}

/// A taken permit, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    permits: Permits,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let left = &self.permits.left;
        left.set(left.get() + 1);
        self.permits.waiters.wake_all();
    }
}

/// Mutual exclusion between tasks of one worker that may be held over an await.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lock {
    held: Rc<Cell<bool>>,
    waiters: Rc<Waiters>,
}

impl Lock {
    pub(crate) async fn acquire(&self) -> LockGuard {
        if let Some(guard) = self.try_acquire() {
            return guard;
        }
        let ticket = self.waiters.ticket();
        poll_fn(|context| match self.try_acquire() {
            Some(guard) => Poll::Ready(guard),
            None => {
                ticket.register(context.waker());
                Poll::Pending
            }
        })
        .await
    }

    pub(crate) fn try_acquire(&self) -> Option<LockGuard> {
        if self.held.replace(true) {
            return None;
        }
        Some(LockGuard { lock: self.clone() })
    }
}

/// Held until dropped.
#[derive(Debug)]
pub(crate) struct LockGuard {
    lock: Lock,
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        self.lock.held.set(false);
        self.lock.waiters.wake_all();
    }
}
