//! Workers: one pinned thread per core, each with its own ring and everything it needs (design.md 4, threads).
//!
//! Nothing of a worker is `Send`: its tasks share with `Rc` and `RefCell`, and other threads reach it over channels
//! only (`flume::Receiver::recv_async`).

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};
use serde::Deserialize;

use crate::net::local::{Latch, Permits};

/// Entries of a ring's submission queue.
const RING_ENTRIES: u32 = 4096;

/// Which I/O driver workers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriverChoice {
    /// io_uring as well as the host has it, or epoll where the host refuses it.
    #[default]
    Auto,
    /// io_uring without options that new kernels have, to measure what these are worth; epoll where the host refuses it.
    Ring,
    /// epoll.
    Epoll,
}

/// The I/O driver of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// io_uring whose completions run when the worker asks for them (`SINGLE_ISSUER`, `DEFER_TASKRUN`).
    RingDeferred,
    /// io_uring.
    Ring,
    /// epoll.
    Epoll,
}

/// How workers are started.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// How many.
    pub count: usize,
    /// Whether each is pinned to a core.
    pub pin: bool,
    /// Which I/O driver.
    pub driver: DriverChoice,
    /// How long the tasks of a worker may go on once it drains.
    pub drain_limit: Duration,
}

impl Default for WorkerSettings {
    /// A pinned worker on each core that this process may use.
    fn default() -> Self {
        Self {
            count: allowed_cpus().len().max(1),
            pin: true,
            driver: DriverChoice::Auto,
            drain_limit: Duration::from_secs(30),
        }
    }
}

/// What a worker's code knows of its worker. Clones are the same worker.
#[derive(Debug, Clone)]
pub struct WorkerContext {
    /// Number of this worker, from 0.
    pub index: usize,
    /// How many workers there are.
    pub count: usize,
    /// The worker's I/O driver.
    pub driver: Driver,
    drain: Latch,
    tasks: Permits,
}

impl WorkerContext {
    /// Set when the worker shall take no new work and finish what it has.
    pub fn drain(&self) -> Latch {
        self.drain.clone()
    }

    /// Runs a task on this worker; draining waits for it.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let counted = self.tasks.try_acquire();
        monoio::spawn(async move {
            task.await;
            drop(counted);
        });
    }

    /// How many tasks are running.
    pub fn task_count(&self) -> usize {
        self.tasks.in_use()
    }
}

/// The running workers.
#[derive(Debug)]
pub struct Workers {
    threads: Vec<JoinHandle<io::Result<()>>>,
    drains: Vec<flume::Sender<()>>,
}

/// Starts workers. Each runs `start`, which must return when the worker's drain latch is set (listeners do); then
/// the worker's tasks have [`WorkerSettings::drain_limit`] to finish.
pub fn spawn<F, R>(settings: &WorkerSettings, start: F) -> io::Result<Workers>
where
    F: Fn(WorkerContext) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + 'static,
{
    let start = Arc::new(start);
    let cpus = allowed_cpus();
    let mut workers = Workers {
        threads: Vec::new(),
        drains: Vec::new(),
    };
    for index in 0..settings.count {
        let (drain, drained) = flume::bounded(1);
        let cpu = cpus
            .get(index % cpus.len().max(1))
            .copied()
            .filter(|_| settings.pin);
        let (start, settings) = (Arc::clone(&start), settings.clone());
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || run_worker(index, cpu, &settings, &drained, &*start))?;
        workers.threads.push(thread);
        workers.drains.push(drain);
    }
    Ok(workers)
}

impl Workers {
    /// Tells all workers to drain. May be called from any thread, and more than once.
    pub fn drain(&self) {
        for drain in &self.drains {
            let _ = drain.try_send(());
        }
    }

    /// Something that drains the workers from elsewhere, such as a signal handler's thread.
    pub fn drain_handle(&self) -> DrainHandle {
        DrainHandle {
            drains: self.drains.clone(),
        }
    }

    /// Waits until all workers have ended; the first failure to start one.
    pub fn join(self) -> io::Result<()> {
        // Our own senders go first: a worker ends by being told, not by our going away.
        let Self { threads, drains } = self;
        let ended: Vec<_> = threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("worker panicked")))
            })
            .collect();
        drop(drains);
        ended.into_iter().collect()
    }
}

/// Tells workers to drain.
#[derive(Debug, Clone)]
pub struct DrainHandle {
    drains: Vec<flume::Sender<()>>,
}

impl DrainHandle {
    /// Tells all workers to drain.
    pub fn drain(&self) {
        for drain in &self.drains {
            let _ = drain.try_send(());
        }
    }
}

fn run_worker<F, R>(
    index: usize,
    cpu: Option<usize>,
    settings: &WorkerSettings,
    drained: &flume::Receiver<()>,
    start: &F,
) -> io::Result<()>
where
    F: Fn(WorkerContext) -> R,
    R: Future<Output = ()> + 'static,
{
    if let Some(cpu) = cpu
        && let Err(error) = monoio::utils::bind_to_cpu_set([cpu])
    {
        tracing::warn!(index, cpu, %error, "worker is not pinned");
    }
    run_on_driver(settings.driver, async |driver| {
        tracing::info!(index, cpu, ?driver, "worker runs");
        let context = WorkerContext {
            index,
            count: settings.count,
            driver,
            drain: Latch::new(),
            tasks: Permits::new(usize::MAX),
        };
        monoio::spawn(pass_on(drained.clone(), context.drain()));
        start(context.clone()).await;
        let rest = monoio::time::timeout(settings.drain_limit, context.tasks.all_returned()).await;
        if rest.is_err() {
            tracing::warn!(
                index,
                tasks = context.task_count(),
                "tasks were cut when draining took too long"
            );
        }
    })
}

/// Turns the message from another thread into the worker's own latch.
async fn pass_on(drained: flume::Receiver<()>, drain: Latch) {
    let _ = drained.recv_async().await;
    drain.set();
}

/// Runs on the best driver that the host allows.
fn run_on_driver(choice: DriverChoice, work: impl AsyncFnOnce(Driver)) -> io::Result<()> {
    let ring = match choice {
        DriverChoice::Auto => deferred_ring().or_else(plain_ring),
        DriverChoice::Ring => plain_ring(),
        DriverChoice::Epoll => None,
    };
    if let Some((mut runtime, driver)) = ring {
        runtime.block_on(work(driver));
        return Ok(());
    }
    let mut runtime = RuntimeBuilder::<LegacyDriver>::new()
        .with_entries(RING_ENTRIES)
        .enable_timer()
        .build()?;
    runtime.block_on(work(Driver::Epoll));
    Ok(())
}

type RingRuntime = monoio::Runtime<monoio::time::TimeDriver<IoUringDriver>>;

fn deferred_ring() -> Option<(RingRuntime, Driver)> {
    let refused = |error| tracing::info!(%error, "io_uring without deferred task runs");
    ring(true)
        .map_err(refused)
        .ok()
        .map(|runtime| (runtime, Driver::RingDeferred))
}

fn plain_ring() -> Option<(RingRuntime, Driver)> {
    let refused = |error| tracing::warn!(%error, "io_uring is refused by this host, using epoll");
    ring(false)
        .map_err(refused)
        .ok()
        .map(|runtime| (runtime, Driver::Ring))
}

fn ring(deferred: bool) -> io::Result<RingRuntime> {
    if !monoio::utils::detect_uring() {
        return Err(io::Error::from(io::ErrorKind::Unsupported));
    }
    let mut builder = io_uring::IoUring::builder();
    if deferred {
        builder.setup_single_issuer().setup_defer_taskrun();
    }
    RuntimeBuilder::<IoUringDriver>::new()
        .uring_builder(builder)
        .with_entries(RING_ENTRIES)
        .enable_timer()
        .build()
}

/// The processors that this process may use, in order.
fn allowed_cpus() -> Vec<usize> {
    let Ok(set) = rustix::thread::sched_getaffinity(None) else {
        return vec![0];
    };
    (0..rustix::thread::CpuSet::MAX_CPU)
        .filter(|cpu| set.is_set(*cpu))
        .collect()
}
