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
mod tests {
    use super::*;
    use std::time::Instant;

    const LONG: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(30);

    fn pool(seats: usize, hanging: usize) -> Pool<u32> {
        Pool::new("test", Limits { seats, hanging })
    }

    /// A call that hangs until the sender is dropped.
    fn hang(pool: &Pool<u32>) -> (flume::Sender<()>, Overdue) {
        let (release, released) = flume::bounded::<()>(0);
        let overdue = pool.run(SHORT, move |_| released.recv().is_ok()).unwrap_err();
        (release, overdue)
    }

    fn wait_until(mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < LONG, "waited in vain");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_seat_keeps_what_it_has_between_calls() {
        let pool = pool(1, 1);
        for expected in 1..=3 {
            let count = pool.run(LONG, |seat| {
                *seat += 1;
                *seat
            });
            assert_eq!(count, Ok(expected));
        }
    }

    #[test]
    fn as_many_calls_run_at_a_time_as_there_are_seats_and_no_more() {
        for seats in [1, 4] {
            let pool = Arc::new(pool(seats, 1));
            let running = Arc::new(Mutex::new((0_usize, 0_usize)));
            let callers: Vec<_> = (0..8)
                .map(|_| {
                    let (pool, running) = (Arc::clone(&pool), Arc::clone(&running));
                    thread::spawn(move || {
                        pool.run(LONG, move |_| {
                            let mut now = running.lock().unwrap();
                            now.0 += 1;
                            now.1 = now.1.max(now.0);
                            drop(now);
                            thread::sleep(SHORT);
                            running.lock().unwrap().0 -= 1;
                        })
                    })
                })
                .collect();
            for caller in callers {
                caller.join().unwrap().unwrap();
            }
            assert_eq!(running.lock().unwrap().1, seats);
        }
    }

    #[test]
    fn a_call_that_hangs_is_written_off_and_the_next_one_has_another_seat() {
        let pool = pool(1, 2);
        let (release, overdue) = hang(&pool);
        assert_eq!((overdue, pool.hanging()), (Overdue::TimedOut, 1));
        assert_eq!(pool.run(LONG, |_| 7), Ok(7));
        drop(release);
        wait_until(|| pool.hanging() == 0);
        assert_eq!(pool.run(LONG, |_| 8), Ok(8));
    }

    #[test]
    fn those_who_wait_behind_a_call_that_hangs_have_their_turn_when_it_is_written_off() {
        let pool = Arc::new(pool(1, 2));
        let (release, released) = flume::bounded::<()>(0);
        let first = thread::spawn({
            let pool = Arc::clone(&pool);
            move || pool.run(10 * SHORT, move |_| released.recv().is_ok())
        });
        wait_until(|| pool.shared.count().seats == 1 && pool.tasks.is_empty());
        assert_eq!(pool.run(LONG, |_| 7), Ok(7));
        assert_eq!(first.join().unwrap(), Err(Overdue::TimedOut));
        drop(release);
    }

    #[test]
    fn when_too_many_calls_hang_the_token_fails_at_once_until_one_comes_back() {
        let pool = pool(1, 2);
        let (first, _) = hang(&pool);
        let (second, _) = hang(&pool);
        let start = Instant::now();
        assert_eq!(pool.run(LONG, |_| 7), Err(Overdue::Hanging));
        assert!(start.elapsed() < LONG / 2);
        drop(first);
        wait_until(|| pool.hanging() == 1);
        assert_eq!(pool.run(LONG, |_| 8), Ok(8));
        drop(second);
    }

    #[test]
    fn a_call_that_panics_ends_its_seat_and_the_next_one_has_another() {
        let pool = pool(1, 1);
        let panicked = pool.run(LONG, |_| -> u32 { panic!("on purpose") });
        assert_eq!(panicked, Err(Overdue::NoThread));
        wait_until(|| pool.shared.count().seats == 0);
        assert_eq!(pool.run(LONG, |_| 7), Ok(7));
    }

    #[test]
    fn a_call_that_was_given_up_before_its_turn_is_never_made() {
        let pool = Arc::new(pool(1, 1));
        let (release, released) = flume::bounded::<()>(0);
        let busy = thread::spawn({
            let pool = Arc::clone(&pool);
            move || pool.run(LONG, move |_| released.recv().is_ok())
        });
        wait_until(|| pool.shared.count().seats == 1 && pool.tasks.is_empty());
        assert_eq!(pool.run(SHORT, |seat| *seat = 99), Err(Overdue::TimedOut));
        drop(release);
        busy.join().unwrap().unwrap();
        assert_eq!(pool.run(LONG, |seat| *seat), Ok(0));
    }
}
