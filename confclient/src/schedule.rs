//! The two threads: one downloads the configuration, one refreshes OCSP responses. Both stop when told.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use time::OffsetDateTime;

use crate::client::{ConfigurationClient, Round};
use crate::error::{DownloadError, chain};
use crate::http::{Http, Tls};
use crate::ocsp::Refresher;
use crate::settings::Settings;
use crate::status::{Failure, InstanceFailure, Status, StatusFile};
use crate::store::Store;

/// Tells threads to stop, and lets them sleep until then.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Tells everybody to stop.
    pub fn stop(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Sleeps; true when told to stop.
    #[must_use]
    pub fn sleep(&self, time: Duration) -> bool {
        let stopped = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(stopped, time, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The running threads.
#[derive(Debug)]
pub struct Running {
    stop: Stop,
    threads: Vec<JoinHandle<()>>,
}

impl Running {
    /// Tells the threads to stop and waits for them: at most for the time limit of a running request.
    pub fn stop(self) {
        self.stop.stop();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread panicked");
            }
        }
    }
}

/// Starts the threads.
///
/// # Errors
/// When a thread cannot be started.
pub fn start(settings: &Settings) -> std::io::Result<Running> {
    let stop = Stop::default();
    let status = Arc::new(StatusFile::new(Some(settings.status_path())));
    let mut threads = vec![start_rounds(settings, stop.clone(), Arc::clone(&status))?];
    if let Some(socket) = &settings.ocsp.signer_socket {
        threads.push(start_ocsp(
            settings,
            signer_client::Client::connect(socket),
            stop.clone(),
            status,
        )?);
    }
    Ok(Running { stop, threads })
}

fn start_rounds(settings: &Settings, stop: Stop, status: Arc<StatusFile>) -> std::io::Result<JoinHandle<()>> {
    let tls = Tls::new(&settings.root_certificates, settings.verify_tls);
    let http = Http::new(&tls, settings.connect_timeout, settings.read_timeout);
    let store = Store::new(&settings.directory);
    let mut client = ConfigurationClient::new(&settings.anchor, store, http, settings.federations.clone());
    let mut delays = Delays::new(settings);
    thread::Builder::new()
        .name("globalconf".to_owned())
        .spawn(move || {
            loop {
                let outcome = client.round(OffsetDateTime::now_utc());
                let delay = delays.after(outcome.is_ok());
                report(&status, &outcome, delay);
                if stop.sleep(delay) {
                    return;
                }
            }
        })
}

fn start_ocsp(
    settings: &Settings,
    signer: signer_client::Client,
    stop: Stop,
    status: Arc<StatusFile>,
) -> std::io::Result<JoinHandle<()>> {
    let tls = Tls::new(&settings.root_certificates, settings.verify_tls);
    let http = Http::new(&tls, settings.ocsp.connect_timeout, settings.ocsp.read_timeout);
    let store = Store::new(&settings.directory);
    let poll = Duration::from_secs(settings.ocsp.poll_interval);
    let mut refresher = Refresher::new(signer, store, http, settings.ocsp.clone());
    thread::Builder::new().name("ocsp".to_owned()).spawn(move || {
        loop {
            let refreshed = refresher.refresh(OffsetDateTime::now_utc());
            if refreshed != status.get().ocsp {
                status.update(|status| status.ocsp = refreshed);
            }
            if stop.sleep(poll) {
                return;
            }
        }
    })
}

/// Time to the next round: the interval after a success, less after a failure, doubling.
#[derive(Debug)]
struct Delays {
    interval: Duration,
    first_retry: Duration,
    next_retry: Duration,
}

impl Delays {
    fn new(settings: &Settings) -> Self {
        let first_retry = Duration::from_secs(settings.retry_delay);
        Self {
            interval: settings.interval(),
            first_retry,
            next_retry: first_retry,
        }
    }

    fn after(&mut self, success: bool) -> Duration {
        if success {
            self.next_retry = self.first_retry;
            return self.interval;
        }
        let delay = self.next_retry.min(self.interval);
        self.next_retry = delay.saturating_mul(2);
        delay
    }
}

fn report(status: &StatusFile, outcome: &Result<Round, DownloadError>, delay: Duration) {
    let now = OffsetDateTime::now_utc();
    match outcome {
        Ok(round) => tracing::info!(
            url = round.own.url,
            version = round.own.version.number(),
            changed_files = round.own.changed_files(),
            federated = round.federated.len(),
            "downloaded the global configuration"
        ),
        Err(failed) => {
            tracing::error!(
                code = failed.fault_code(),
                error = chain(failed),
                "no new global configuration"
            );
        }
    }
    status.update(|status| {
        status.last_attempt = Some(now);
        status.next_refresh = Some(now + delay);
        match outcome {
            Ok(round) => succeeded(status, round, now),
            Err(failed) => status.last_error = Some(failure(failed)),
        }
    });
}

fn succeeded(status: &mut Status, round: &Round, now: OffsetDateTime) {
    status.instance = Some(round.own.instance.clone());
    status.last_success = Some(now);
    status.expires_at = round.loaded.expires_at();
    status.location = Some(round.own.url.clone());
    status.version = Some(round.own.version.number());
    status.last_error = None;
    let not_downloaded = round.federated.iter().filter_map(|(instance, outcome)| {
        let failed = outcome.as_ref().err()?;
        Some(InstanceFailure {
            instance: instance.clone(),
            failure: failure(failed),
        })
    });
    let not_loaded = round.loaded.problems().iter().map(|problem| InstanceFailure {
        instance: problem.instance.clone(),
        failure: Failure {
            code: problem.error.fault_code().to_owned(),
            message: chain(&problem.error),
        },
    });
    status.instance_errors = not_downloaded.chain(not_loaded).collect();
}

fn failure(failed: &DownloadError) -> Failure {
    Failure {
        code: failed.fault_code().to_owned(),
        message: chain(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_back_off_up_to_the_interval() {
        let settings = Settings {
            interval: 30,
            retry_delay: 4,
            ..Settings::from_text("").unwrap()
        };
        let mut delays = Delays::new(&settings);
        let seconds: Vec<u64> = [false, false, false, false, false, true, false]
            .map(|success| delays.after(success).as_secs())
            .into();
        assert_eq!(seconds, [4, 8, 16, 30, 30, 30, 4]);
    }

    #[test]
    fn sleeping_ends_when_told_to_stop() {
        let stop = Stop::default();
        assert!(!stop.sleep(Duration::from_millis(1)));
        let other = stop.clone();
        let sleeper = thread::spawn(move || other.sleep(Duration::from_secs(60)));
        stop.stop();
        assert!(sleeper.join().unwrap());
    }
}
