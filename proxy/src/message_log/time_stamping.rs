//! Time-stamps for logged messages: in rounds beside the request path, and at once for those who wait (wire.md 5.2).
//!
//! [`TimeStamper`] is the handle that requests hold; [`start`] runs two threads behind it. One obtains time-stamps:
//! a round each interval ([`schedule`]), and one whenever somebody asks by [`TimeStamper::stamp_now`], where all who
//! wait share one time-stamp. The other looks every [`LOOK`] whether time-stamping services are configured and tells the
//! message log, which refuses every record while there are none.
//!
//! | Room | Subject |
//! |---|---|
//! | [`schedule`] | when the next round is, and how many records it takes |
//! | [`stamper`] | one time-stamp: for one record, or for many over a hash tree |
//! | [`provider`] | asking a time-stamping service, and judging its answer |
//! | [`background`] | a thread that ends when it is told |

pub mod background;
pub mod error;
pub mod provider;
pub mod schedule;
pub mod stamper;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use storage::message_log::RecordId;
use storage::server_configuration::document::TimeStampingService;
use time::OffsetDateTime;

pub use background::{Background, Stop};
pub use error::{ProviderError, TimeStampError};

use crate::process::Process;
use schedule::{Outcome, Schedule};
use stamper::Stamper;

/// How often the threads look at the snapshot and at whether they shall stop: a changed server configuration takes
/// effect within a second.
pub const LOOK: Duration = Duration::from_millis(300);
/// How often the age of the oldest record without a time-stamp is measured.
const MEASURE: Duration = Duration::from_secs(5);
/// Requests that may wait; the next one waits to be let in.
const QUEUE: usize = 4096;

/// Asks for time-stamps at once. Clones ask the same thread.
#[derive(Debug, Clone)]
pub struct TimeStamper {
    requests: flume::Sender<Request>,
}

/// The other end of [`TimeStamper`], for [`start`].
#[derive(Debug)]
pub struct Requests(flume::Receiver<Request>);

/// Somebody waits for the time-stamps of records.
#[derive(Debug)]
struct Request {
    records: Vec<RecordId>,
    reply: flume::Sender<Result<(), TimeStampError>>,
}

impl TimeStamper {
    /// A handle, and the requests that come through it. They wait until [`start`] takes them.
    #[must_use]
    pub fn new() -> (Self, Requests) {
        let (requests, receiver) = flume::bounded(QUEUE);
        (Self { requests }, Requests(receiver))
    }

    /// Time-stamps a record that was just logged, together with others that wait; a record that has its time-stamp
    /// already is done. For `timestamp-immediately`.
    ///
    /// # Errors
    /// [`TimeStampError`]; the record stays logged and gets its time-stamp in a later round.
    pub async fn stamp_now(&self, record: RecordId) -> Result<(), TimeStampError> {
        let (request, answer) = Request::new(vec![record]);
        let sent = self.requests.send_async(request).await;
        sent.map_err(|_| TimeStampError::Stopped)?;
        answer.recv_async().await.unwrap_or(Err(TimeStampError::Stopped))
    }

    /// As [`TimeStamper::stamp_now`] for several records at once, from a thread that may block: `/asic?force`
    /// (wire.md 4.4).
    ///
    /// # Errors
    /// [`TimeStampError`]; also when one of the records does not exist.
    pub fn stamp_now_blocking(&self, records: Vec<RecordId>) -> Result<(), TimeStampError> {
        let (request, answer) = Request::new(records);
        self.requests.send(request).map_err(|_| TimeStampError::Stopped)?;
        answer.recv().unwrap_or(Err(TimeStampError::Stopped))
    }
}

impl Request {
    fn new(records: Vec<RecordId>) -> (Self, flume::Receiver<Result<(), TimeStampError>>) {
        let (reply, answer) = flume::bounded(1);
        (Self { records, reply }, answer)
    }
}

/// Starts time-stamping. When this returns, the message log knows whether time-stamping services are configured.
///
/// # Errors
/// When a thread can't be started.
pub fn start(process: &Arc<Process>, requests: Requests) -> io::Result<Background> {
    let mut background = Background::new();
    let mut lookout = Lookout::new(Arc::clone(process));
    lookout.look();
    let worker = Worker::new(Arc::clone(process), requests);
    background.spawn("time-stamping-lookout", move |stop| {
        while stop.sleep(LOOK) {
            lookout.look()
        }
    })?;
    background.spawn("time-stamping", move |stop| worker.run(stop))?;
    Ok(background)
}

/// Tells the message log about the configuration, and metrics about the log.
#[derive(Debug)]
struct Lookout {
    process: Arc<Process>,
    configured: Option<usize>,
    measured: Option<Instant>,
}

impl Lookout {
    const fn new(process: Arc<Process>) -> Self {
        Self {
            process,
            configured: None,
            measured: None,
        }
    }

    fn look(&mut self) {
        let services = self.process.current.take().server.time_stamping_services.len();
        self.process
            .log
            .set_time_stamping_provider_configured(services > 0);
        if self.configured.replace(services) != Some(services) {
            tell(services);
        }
        if self.measured.is_none_or(|at| at.elapsed() >= MEASURE) {
            self.measured = Some(Instant::now());
            self.measure();
        }
    }

    fn measure(&self) {
        let age = match self.process.log.records().pending(1) {
            Ok(oldest) => oldest.first().map_or(0.0, |oldest| {
                (OffsetDateTime::now_utc() - oldest.id.time())
                    .as_seconds_f64()
                    .max(0.0)
            }),
            Err(error) => return tracing::error!(%error, "records without time-stamp can't be read"),
        };
        self.process.metrics.oldest_unstamped_age.set(age);
    }
}

fn tell(services: usize) {
    if services == 0 {
        tracing::error!(
            "no time-stamping service is configured: every message is refused until there is one"
        );
    } else {
        tracing::info!(services, "time-stamping services configured");
    }
}

/// Obtains time-stamps.
#[derive(Debug)]
struct Worker {
    process: Arc<Process>,
    requests: flume::Receiver<Request>,
    stamper: Stamper,
}

impl Worker {
    fn new(process: Arc<Process>, requests: Requests) -> Self {
        Self {
            stamper: Stamper::new(&process.settings.message_log),
            process,
            requests: requests.0,
        }
    }

    /// Until told to stop; a round under way is finished.
    fn run(self, stop: &Stop) {
        let mut schedule = self.schedule();
        let mut services = self.services();
        while !stop.is_told() {
            let patience = if services.is_empty() {
                LOOK
            } else {
                schedule.patience(LOOK)
            };
            self.serve_requests(&mut schedule, patience);
            let now_configured = self.services();
            if services != now_configured {
                schedule.services_changed();
                services = now_configured;
            }
            if !services.is_empty() {
                self.regular_round(&mut schedule);
            }
        }
    }

    /// A run that ended while time-stamping failed goes on as it ended.
    fn schedule(&self) -> Schedule {
        let failing = self.process.log.time_stamping_policy().failing_since().is_some();
        Schedule::new(&self.process.settings, failing, Instant::now())
    }

    fn services(&self) -> Vec<TimeStampingService> {
        self.process.current.take().server.time_stamping_services.clone()
    }

    /// Waits a moment for requests; all that wait share one time-stamp.
    fn serve_requests(&self, schedule: &mut Schedule, patience: Duration) {
        let Ok(first) = self.requests.recv_timeout(patience) else {
            return;
        };
        let limit = self.process.settings.message_log.timestamp_records_limit;
        let mut waiting = vec![first];
        waiting.extend(self.requests.try_iter().take(limit.saturating_sub(1)));
        let records: Vec<RecordId> = waiting
            .iter()
            .flat_map(|request| &request.records)
            .copied()
            .collect();
        let (unknown, result) = self.stamp_asked(&records, schedule);
        for Request { records, reply } in waiting {
            let missing = records.into_iter().find(|record| unknown.contains(record));
            let answer =
                missing.map_or_else(|| result.clone(), |record| Err(TimeStampError::NoRecord(record)));
            let _ = reply.send(answer);
        }
    }

    /// Records that do not exist, and what became of the others.
    fn stamp_asked(
        &self,
        records: &[RecordId],
        schedule: &mut Schedule,
    ) -> (Vec<RecordId>, Result<(), TimeStampError>) {
        let (pending, unknown) = match self.stamper.waiting(&self.process.log, records) {
            Ok(found) => found,
            Err(error) => return (Vec::new(), Err(error)),
        };
        if pending.is_empty() {
            return (unknown, Ok(()));
        }
        let result = self.stamper.stamp(&self.process, &pending);
        match &result {
            Ok(()) => {
                self.succeeded();
                // What failed before is tried at once, not after the delay.
                schedule.stamped_on_request();
            }
            Err(error) => {
                self.failed(error, pending.len());
                schedule.after(Outcome::Failed, Instant::now());
            }
        }
        (unknown, result)
    }

    fn regular_round(&self, schedule: &mut Schedule) {
        let interval = self
            .process
            .current
            .take()
            .globalconf
            .as_ref()
            .map(|conf| conf.time_stamping_interval_seconds());
        let Some(limit) = schedule.due(interval, Instant::now()) else {
            return;
        };
        let outcome = self.round(limit);
        schedule.after(outcome, Instant::now());
    }

    fn round(&self, limit: usize) -> Outcome {
        let began = OffsetDateTime::now_utc();
        let records = match self.process.log.records().pending(limit) {
            Ok(records) => records,
            Err(error) => {
                self.failed(&error.into(), 0);
                return Outcome::Failed;
            }
        };
        // Nothing waits, so nothing is amiss; else an old failure would stop a server that has no work.
        let result = if records.is_empty() {
            Ok(())
        } else {
            self.stamper.stamp(&self.process, &records)
        };
        match result {
            Ok(()) => {
                self.succeeded();
                let full = records.len() >= limit;
                if !full {
                    // Whatever was acknowledged before the round was in it, or had its time-stamp.
                    let until = (began - OffsetDateTime::UNIX_EPOCH).as_seconds_f64();
                    self.process.metrics.stamped_until.set(until);
                }
                Outcome::Stamped { full }
            }
            Err(error) => {
                self.failed(&error, records.len());
                Outcome::Failed
            }
        }
    }

    fn succeeded(&self) {
        if let Err(error) = self.process.log.time_stamping_succeeded() {
            tracing::error!(%error, "success of time-stamping can't be kept");
        }
    }

    fn failed(&self, error: &TimeStampError, records: usize) {
        tracing::error!(%error, code = error.fault_code(), records, "time-stamping failed");
        self.process.metrics.time_stamp_failures.inc();
        // Without a service nothing was tried: the missing service is what stops the server.
        if matches!(error, TimeStampError::NoProvider) {
            return;
        }
        if let Err(error) = self.process.log.time_stamping_failed(OffsetDateTime::now_utc()) {
            tracing::error!(%error, "failure of time-stamping can't be kept");
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
