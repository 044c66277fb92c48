//! Threads beside the request path that end when they are told.

use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Running threads. Dropping it tells them to stop and does not wait.
#[derive(Debug)]
pub struct Background {
    stop: flume::Sender<()>,
    stopped: flume::Receiver<()>,
    threads: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    name: &'static str,
    thread: JoinHandle<()>,
    /// Ends with the thread.
    alive: flume::Receiver<()>,
}

impl Default for Background {
    fn default() -> Self {
        Self::new()
    }
}

impl Background {
    /// No thread yet.
    #[must_use]
    pub fn new() -> Self {
        let (stop, stopped) = flume::bounded(0);
        Self {
            stop,
            stopped,
            threads: Vec::new(),
        }
    }

    /// Starts a thread, which must return soon after `Stop` tells so.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn spawn(&mut self, name: &'static str, work: impl FnOnce(&Stop) + Send + 'static) -> io::Result<()> {
        let stop = Stop(self.stopped.clone());
        let (living, alive) = flume::bounded(0);
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            work(&stop);
            drop(living);
        })?;
        self.threads.push(Running { name, thread, alive });
        Ok(())
    }

    /// Tells the threads to stop and waits for them, `patience` for all together. Whether all have ended; one that has
    /// not is left behind, which is safe: what it writes is whole or not there.
    pub fn stop(self, patience: Duration) -> bool {
        drop(self.stop);
        let deadline = Instant::now() + patience;
        let mut all = true;
        for Running { name, thread, alive } in self.threads {
            let ended = alive.recv_deadline(deadline) == Err(flume::RecvTimeoutError::Disconnected);
            if ended {
                let _ = thread.join();
            } else {
                tracing::warn!(thread = name, "thread did not stop in time");
            }
            all &= ended;
        }
        all
    }
}

/// Tells a thread when to stop.
#[derive(Debug)]
pub struct Stop(flume::Receiver<()>);

impl Stop {
    /// Whether the thread shall stop.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.0.try_recv() == Err(flume::TryRecvError::Disconnected)
    }

    /// Sleeps for a time; false, early, when the thread shall stop.
    #[must_use]
    pub fn sleep(&self, time: Duration) -> bool {
        self.0.recv_timeout(time) == Err(flume::RecvTimeoutError::Timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_ends_when_told_and_a_stubborn_one_is_left_behind() {
        let mut background = Background::new();
        background
            .spawn("obedient", |stop| while stop.sleep(Duration::from_secs(60)) {})
            .unwrap();
        assert!(background.stop(Duration::from_secs(20)));

        let (_release, held) = flume::bounded::<()>(0);
        let mut background = Background::new();
        background
            .spawn("stubborn", move |_| assert!(held.recv().is_err()))
            .unwrap();
        assert!(!background.stop(Duration::from_millis(20)));
    }
}
