//! The load itself: one loop over epoll a thread, no lock and no allocation shared between threads.
//!
//! - [`worker`]: the loop: which connection sends when
//! - [`slot`]: one connection's way through an exchange
//! - [`link`]: the socket, plain or TLS
//! - [`answer`]: reading an answer and judging it
//! - [`source`]: what is sent next
//! - [`recorder`]: what a thread has counted

mod answer;
mod link;
mod recorder;
mod slot;
mod source;
pub(crate) mod tls;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

pub(crate) use recorder::{Report, Tally, new_histogram};

use crate::plan::Plan;

/// The running threads.
#[derive(Debug)]
pub(crate) struct Engine {
    threads: Vec<JoinHandle<io::Result<()>>>,
    stop: Arc<AtomicBool>,
    /// What the threads report; it ends when all of them have.
    pub(crate) reports: Receiver<Report>,
}

/// When things happen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// The first request is sent.
    pub(crate) start: Instant,
    /// What is sent from here on counts.
    pub(crate) begin: Instant,
    /// Nothing is sent from here on; `None` when a count ends the run.
    pub(crate) end: Option<Instant>,
}

impl Engine {
    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(crate) fn start(plan: &Arc<Plan>, times: Times) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, reports) = channel();
        let mut engine = Self {
            threads: Vec::new(),
            stop,
            reports,
        };
        for index in 0..plan.threads.get() {
            let thread = engine.start_thread(index, plan, times, sender.clone())?;
            engine.threads.push(thread);
        }
        Ok(engine)
    }

    fn start_thread(
        &self,
        index: u32,
        plan: &Arc<Plan>,
        times: Times,
        reports: Sender<Report>,
    ) -> io::Result<JoinHandle<io::Result<()>>> {
        let (plan, stop) = (Arc::clone(plan), Arc::clone(&self.stop));
        std::thread::Builder::new()
            .name(format!("load-{index}"))
            .spawn(move || worker::run(index, &plan, times, &stop, reports))
    }

    /// Tells the threads to send nothing more.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for the threads.
    ///
    /// # Errors
    /// The first failure of one.
    pub(crate) fn join(self) -> io::Result<()> {
        let ended = self.threads.into_iter().map(|thread| {
            let ended = thread.join();
            ended.unwrap_or_else(|_| Err(io::Error::other("a thread of the load panicked")))
        });
        ended.collect()
    }
}
