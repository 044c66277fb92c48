//! Threads that call a token, each with a session of its own.
//!
//! A call into a PKCS #11 library can hang, and nothing in this process can end it. So whoever wants something from a
//! token waits outside, for a while; the call is made by a *seat*. A seat whose call is overdue is written off and
//! another takes its place, until too many hang: then the token fails at once, without further threads, until one of
//! them comes back.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::Duration,
};

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const DONE: u8 = 2;
const ABANDONED: u8 = 3;

/// Why a call has no result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Overdue {
    /// It did not come back in time.
    #[error("the token did not answer in time")]
    TimedOut,
    /// Too many calls before it hang.
    #[error("calls to the token hang")]
    Hanging,
    /// No thread, or it panicked.
    #[error("no thread for the token")]
    NoThread,
}

/// The seats of a token. `S` is what a seat keeps between calls; it is made where it is used.
#[derive(Debug)]
pub(super) struct Pool<S> {
    shared: Arc<Shared<S>>,
    tasks: flume::Sender<Task<S>>,
}

#[derive(Debug)]
struct Shared<S> {
    name: String,
    tasks: flume::Receiver<Task<S>>,
    limits: Limits,
    count: Mutex<Count>,
}

/// How many threads a token may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Calls at the same time.
    pub(super) seats: usize,
    /// Calls that hang, beyond those.
    pub(super) hanging: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    seats: usize,
    hanging: usize,
    /// Calls that somebody waits for.
    wanted: usize,
}

struct Task<S> {
    progress: Arc<AtomicU8>,
    job: Box<dyn FnOnce(&mut S) + Send>,
}

impl<S> std::fmt::Debug for Task<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task")
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

impl<S: Default + 'static> Pool<S> {
    pub(super) fn new(name: &str, limits: Limits) -> Self {
        // Bounded by those who wait: each of them puts one task.
        let (tasks, receiver) = flume::unbounded();
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            tasks: receiver,
            limits,
            count: Mutex::default(),
        });
        Self { shared, tasks }
    }

    /// Calls that were written off and have not come back.
    pub(super) fn hanging(&self) -> usize {
        self.shared.count().hanging
    }

    /// Has a seat do the job, and waits for its result.
    pub(super) fn run<T: Send + 'static>(
        &self,
        patience: Duration,
        job: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, Overdue> {
        let _wanted = self.shared.want()?;
        let (reply, answer) = flume::bounded(1);
        let progress = Arc::new(AtomicU8::new(WAITING));
        let task = Task {
            progress: Arc::clone(&progress),
            // Whoever asked may have gone.
            job: Box::new(move |seat| drop(reply.send(job(seat)))),
        };
        // The receiver is in `shared`.
        let _ = self.tasks.send(task);
        match answer.recv_timeout(patience) {
            Ok(value) => Ok(value),
            Err(flume::RecvTimeoutError::Disconnected) => Err(Overdue::NoThread),
            Err(flume::RecvTimeoutError::Timeout) => {
                if progress.swap(ABANDONED, Ordering::AcqRel) == RUNNING {
                    self.shared.write_off();
                }
                // It may have come back in the last moment.
                answer.try_recv().map_err(|_| Overdue::TimedOut)
            }
        }
    }
}

/// Somebody waits for a call.
struct Wanted<'a, S>(&'a Shared<S>);

impl<S> Drop for Wanted<'_, S> {
    fn drop(&mut self) {
        self.0.count().wanted -= 1;
    }
}

/// A seat that panics is a seat less.
struct Counted<'a, S>(&'a Shared<S>);

impl<S> Drop for Counted<'_, S> {
    fn drop(&mut self) {
        if thread::panicking() {
            let mut count = self.0.count();
            count.seats = count.seats.saturating_sub(1);
        }
    }
}

impl<S> Shared<S> {
    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call that was written off has come back. Whether its seat may go on.
    fn came_back(&self) -> bool {
        let mut count = self.count();
        count.hanging -= 1;
        let goes_on = count.seats < self.limits.seats;
        if goes_on {
            count.seats += 1;
        }
        tracing::warn!(
            token = self.name,
            hanging = count.hanging,
            "an overdue call to the token came back"
        );
        goes_on
    }
}

impl<S: Default + 'static> Shared<S> {
    /// Somebody waits from now on.
    fn want(self: &Arc<Self>) -> Result<Wanted<'_, S>, Overdue> {
        let mut count = self.count();
        if count.hanging >= self.limits.hanging && count.seats == 0 {
            return Err(Overdue::Hanging);
        }
        count.wanted += 1;
        self.staff(&mut count);
        if count.seats == 0 {
            count.wanted -= 1;
            return Err(Overdue::NoThread);
        }
        drop(count);
        Ok(Wanted(self))
    }

    /// A running call is overdue; those who wait behind it get another seat.
    fn write_off(self: &Arc<Self>) {
        let mut count = self.count();
        count.seats -= 1;
        count.hanging += 1;
        tracing::error!(
            token = self.name,
            hanging = count.hanging,
            "a call to the token does not come back"
        );
        self.staff(&mut count);
    }

    /// Starts a seat if those that there are do not do.
    fn staff(self: &Arc<Self>, count: &mut Count) {
        let too_few = count.wanted > count.seats && count.seats < self.limits.seats;
        if !too_few || (count.hanging >= self.limits.hanging && count.seats == 0) {
            return;
        }
        let shared = Arc::clone(self);
        let started = thread::Builder::new()
            .name("token".to_owned())
            .spawn(move || shared.serve());
        match started {
            Ok(_) => count.seats += 1,
            Err(error) => tracing::error!(token = self.name, %error, "no thread for a token"),
        }
    }

    fn serve(self: Arc<Self>) {
        let _counted = Counted(&self);
        let mut seat = S::default();
        let begin = |progress: &AtomicU8| {
            progress
                .compare_exchange(WAITING, RUNNING, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        };
        let end = |progress: &AtomicU8| {
            progress
                .compare_exchange(RUNNING, DONE, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        };
        while let Ok(Task { progress, job }) = self.tasks.recv() {
            if !begin(&progress) {
                continue;
            }
            job(&mut seat);
            if !end(&progress) && !self.came_back() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
