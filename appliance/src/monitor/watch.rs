//! When it is looked, and what becomes of what was seen.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use signer_client::Client;
use time::OffsetDateTime;

use super::plan::Plan;
use super::probe::{self, certificates, journal, machine, memory, message, proxy, release};
use super::server::{self, Told};
use super::status::{Facts, Stage, Status};
use super::verdict::{self, Finding, Stamps, Verdict};
use crate::paths::{self, Root};
use crate::provision::Outcome;
use crate::update::state::{State, Step};

/// Time between two looks until the first healthy one.
const AT_START: Duration = Duration::from_secs(2);
/// The request that need not be answered: its key signs a certificate itself meanwhile.
const INTERNAL: &str = "internal.pem";
/// Log lines that are part of the status; `GET /log` has more.
const LAST_ERRORS: usize = 10;

/// Looks from now on, in a thread that ends with the process.
///
/// # Errors
/// When there is no thread to be had.
pub fn start(root: Root, plan: Plan, status_file: PathBuf, told: Arc<Told>) -> io::Result<()> {
    let mut watch = Watch {
        signer: certificates::signer(&root),
        root,
        plan,
        seen: Seen::default(),
    };
    let look_for_ever = move || {
        loop {
            let status = watch.look();
            if let Err(error) = write(&status_file, &status) {
                tracing::warn!("{}: {error}", status_file.display());
            }
            told.tell(status);
            std::thread::sleep(watch.pause());
        }
    };
    let thread = std::thread::Builder::new().name("health".to_owned());
    thread.spawn(look_for_ever).map(drop)
}

struct Watch {
    root: Root,
    plan: Plan,
    signer: Client,
    seen: Seen,
}

/// What is kept from one look to the next.
#[derive(Default)]
struct Seen {
    verdict: Verdict,
    stamps: Stamps,
    was_healthy: bool,
    message: Option<(Instant, Result<(), String>)>,
}

impl Watch {
    fn pause(&self) -> Duration {
        if self.seen.was_healthy {
            self.plan.interval
        } else {
            AT_START
        }
    }

    fn look(&mut self) -> Status {
        let findings = self.findings();
        let now = OffsetDateTime::now_utc();
        let verdict = self.seen.verdict.next(findings, now);
        tell_change(&self.seen.verdict, &verdict);
        self.seen.was_healthy |= verdict.healthy;
        self.seen.verdict = verdict;
        self.status(now)
    }

    fn findings(&mut self) -> Vec<Finding> {
        let mut findings = machine::findings(&self.root);
        findings.extend(proxy::health(self.plan.proxy_admin));
        if let Some(until) = proxy::stamped_until(self.plan.proxy_admin) {
            self.seen.stamps.stamped(until);
        }
        // Without a subsystem that may send, only the parts are asked.
        if self.plan.client.is_some() {
            findings.push(Finding::new("message", self.message()));
            let stamped = self.seen.stamps.check(OffsetDateTime::now_utc());
            findings.push(Finding::new("message_time_stamp", stamped));
        }
        findings
    }

    /// Sends the message to itself, unless one succeeded less than an interval ago.
    fn message(&mut self) -> Result<(), String> {
        let interval = self.plan.interval;
        if let Some((at, Ok(()))) = &self.seen.message
            && at.elapsed() < interval
        {
            return Ok(());
        }
        let Some(client) = &self.plan.client else {
            return Ok(());
        };
        let result = message::send(&self.plan.client_proxy, client);
        if result.is_ok() {
            self.seen.stamps.message(OffsetDateTime::now_utc());
        }
        self.seen.message = Some((Instant::now(), result.clone()));
        result
    }

    fn status(&self, now: OffsetDateTime) -> Status {
        let root = &self.root;
        let provisioning: Option<Outcome> = probe::state(root.path(paths::PROVISION_STATE));
        let update: Option<serde_json::Value> = probe::state(root.path(paths::UPDATE_STATE));
        let requests = server::request_names(root);
        let facts = Facts {
            provisioned: self.plan.provisioned,
            updating: is_updating(update.as_ref()),
            synchronised: machine::is_synchronised(root),
            requests: requests.iter().any(|name| name != INTERNAL),
            healthy: self.seen.verdict.healthy,
            was_healthy: self.seen.was_healthy,
        };
        let id = provisioning
            .as_ref()
            .and_then(|outcome| outcome.appliance_id.clone());
        Status {
            id,
            version: release::version(root),
            slot: release::slot(root),
            addresses: machine::addresses(),
            stage: Stage::of(facts),
            health: self.seen.verdict.clone(),
            certificates: certificates::certificates(root, &self.signer),
            pcr11: release::pcr11(root),
            memory: memory::memory(root),
            requests,
            last_errors: journal::last(LAST_ERRORS),
            provisioning,
            update,
            written: verdict::told(now),
            uptime: uptime(),
            interval: self.pause().as_secs(),
        }
    }
}

fn is_updating(update: Option<&serde_json::Value>) -> bool {
    let state: Option<State> = update.and_then(|update| serde_json::from_value(update.clone()).ok());
    state.is_some_and(|state| matches!(state.step, Step::Installing | Step::Installed))
}

/// Seconds since the machine started, also those in which it slept.
#[must_use]
pub fn uptime() -> u64 {
    let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    since_boot.tv_sec.try_into().unwrap_or_default()
}

/// Each change of the verdict and of a failing check's reason is a line of the log.
fn tell_change(before: &Verdict, now: &Verdict) {
    for check in &now.checks {
        let old = before.checks.iter().find(|old| old.name == check.name);
        if old.is_some_and(|old| old.ok == check.ok && old.reason == check.reason) {
            continue;
        }
        match &check.reason {
            Some(reason) => tracing::warn!(check = check.name, "{reason}"),
            None if old.is_some_and(|old| !old.ok) => tracing::info!(check = check.name, "holds again"),
            None => {}
        }
    }
    if before.since != now.since {
        if now.healthy {
            tracing::info!("healthy");
        } else {
            tracing::warn!("not healthy");
        }
    }
}

/// Readers find the status before or this one, never a part.
fn write(path: &Path, status: &Status) -> io::Result<()> {
    let json = serde_json::to_vec_pretty(status)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("new");
    std::fs::write(&new, json)?;
    std::fs::rename(&new, path)
}
