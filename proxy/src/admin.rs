//! The admin address: metrics and health, for the machines that watch this one.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /metrics` | OpenMetrics text, which Prometheus reads |
//! | `GET /health`, `GET /` | 200 when exchanges can succeed, else 503; JSON that names each check and what is amiss |
//! | `/maintenance?targetState=true` or `false`, from this machine | puts the health check's port into maintenance mode, or out of it |

mod health_check;
mod maintenance;

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol_message::identifier::ClientId;
use serde::Serialize;
use time::OffsetDateTime;

use crate::http::{Body, Handler, HttpError, Request, Responder, ResponseHead};
use crate::process::Process;
use crate::settings::Settings;
use crate::snapshot::Snapshot;

pub use health_check::HealthCheck;
pub use maintenance::Maintenance;

/// Media type of the metrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Media type that the reference gives the text about maintenance mode.
const JSON: &str = "application/json;charset=utf-8";

/// Answers on the admin address.
#[derive(Debug)]
pub struct Admin {
    process: Arc<Process>,
}

impl Admin {
    /// Speaks for this process.
    #[must_use]
    pub const fn new(process: Arc<Process>) -> Self {
        Self { process }
    }
}

impl Handler for Admin {
    async fn handle(
        &self,
        request: Request,
        _: &mut Body,
        responder: &mut Responder,
    ) -> Result<(), HttpError> {
        let (status, media_type, body) = self.answer(&request);
        let head = ResponseHead::new(status)
            .with("Content-Type", media_type)
            .with("Cache-Control", "no-store");
        responder.send_full(&head, body).await
    }
}

impl Admin {
    fn answer(&self, request: &Request) -> (u16, &'static str, String) {
        let target = &request.head.target;
        match (request.head.method.as_str(), target.path()) {
            ("GET" | "HEAD", "/metrics") => (
                200,
                OPEN_METRICS,
                metrics(&self.process, OffsetDateTime::now_utc()),
            ),
            ("GET" | "HEAD", "/" | "/health") => {
                let health = Health::of(&self.process, OffsetDateTime::now_utc());
                (health.http_status(), "application/json", health.to_json())
            }
            (_, "/maintenance") if maintenance::is_own(&request.peer) => {
                (200, JSON, self.maintain(target.query().unwrap_or_default()))
            }
            (_, "/maintenance") => (403, "text/plain", "from this machine only\n".to_owned()),
            (_, "/" | "/health" | "/metrics") => (405, "text/plain", "GET only\n".to_owned()),
            _ => (404, "text/plain", "see /health and /metrics\n".to_owned()),
        }
    }

    fn maintain(&self, query: &str) -> String {
        let has_port = self.process.settings.health_check().is_some();
        let mut said = self.process.maintenance.change(query, has_port);
        said.push('\n');
        said
    }
}

/// The metrics in text form, with what is measured at this moment.
#[must_use]
pub fn metrics(process: &Process, now: OffsetDateTime) -> String {
    let metrics = &process.metrics;
    metrics
        .spool_bytes
        .set(i64::try_from(process.spools.budget().used()).unwrap_or(i64::MAX));
    metrics
        .maintenance_mode
        .set(i64::from(process.maintenance.is_on()));
    // The log counts them; here they are only shown.
    let memory = process.log.memory().unwrap_or_else(|error| {
        tracing::warn!(%error, "the message log does not tell its memory");
        Default::default()
    });
    metrics.log.show(&process.log.figures(), memory);
    #[cfg(feature = "count-allocations")]
    {
        let memory = stats_alloc::INSTRUMENTED_SYSTEM.stats();
        let count = u64::try_from(memory.allocations + memory.reallocations).unwrap_or(u64::MAX);
        metrics
            .allocations
            .inner()
            .store(count, std::sync::atomic::Ordering::Relaxed);
    }
    let snapshot = process.current.take();
    // An absent configuration is as good as one that expires now.
    let expires = snapshot
        .globalconf
        .as_ref()
        .map(|conf| conf.expires_at().unwrap_or(now));
    let expires = expires.map_or(0.0, |at| at.unix_timestamp() as f64);
    metrics.global_configuration_expires.set(expires);
    metrics.render()
}

/// Whether exchanges can succeed.
#[derive(Debug, Serialize)]
pub struct Health {
    /// `ok` or `failing`.
    pub status: &'static str,
    /// Whether the health check's port is in maintenance mode, which has no part in `status`.
    pub maintenance: bool,
    /// Each condition.
    pub checks: Vec<Check>,
    /// Why certificates can't be used, also where another one is used instead.
    pub key_problems: Vec<String>,
}

/// One condition for exchanges to succeed.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What is checked.
    pub name: &'static str,
    /// Whether it holds.
    pub ok: bool,
    /// Why it does not, or what threatens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Check {
    fn of(name: &'static str, result: Result<(), String>) -> Self {
        Self {
            name,
            ok: result.is_ok(),
            reason: result.err(),
        }
    }
}

impl Health {
    /// Checks everything; asks nobody and waits for nothing.
    #[must_use]
    pub fn of(process: &Process, now: OffsetDateTime) -> Self {
        let snapshot = process.current.take();
        let valid = snapshot
            .valid_globalconf(now)
            .map(drop)
            .map_err(|error| error.to_string());
        let mut checks = vec![
            Check::of("global_configuration", valid),
            Check::of("server_configuration", server_configuration(&snapshot)),
            Check::of("signer", signer(process)),
            Check::of("authentication_key", authentication_key(&snapshot, now)),
            Check::of("signing_keys", signing_keys(&snapshot, now)),
            time_stamping(process, now),
        ];
        if process.settings.proxy.hsm_health_check_enabled {
            checks.push(Check::of("hsm", devices(&process.settings, &snapshot)));
        }
        let status = if checks.iter().all(|check| check.ok) {
            "ok"
        } else {
            "failing"
        };
        Self {
            status,
            maintenance: process.maintenance.is_on(),
            checks,
            key_problems: snapshot.keys.problems.clone(),
        }
    }

    /// 200, or 503 when something is amiss.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        if self.checks.iter().all(|check| check.ok) {
            200
        } else {
            503
        }
    }

    fn to_json(&self) -> String {
        // Strings and booleans always are JSON.
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }
}

fn server_configuration(snapshot: &Snapshot) -> Result<(), String> {
    let named = snapshot.server.server.as_ref().map(drop);
    named.ok_or_else(|| "the server configuration does not name this server".to_owned())
}

fn signer(process: &Process) -> Result<(), String> {
    let connected = process.signer.is_connected();
    connected
        .then_some(())
        .ok_or_else(|| "there is no connection with the signer".to_owned())
}

/// Whether every device of the signer works; asked for with `hsm-health-check-enabled`.
fn devices(settings: &Settings, snapshot: &Snapshot) -> Result<(), String> {
    if !settings.proxy.hsm_health_check_enabled || snapshot.device_problems.is_empty() {
        return Ok(());
    }
    Err(snapshot.device_problems.join("; "))
}

fn authentication_key(snapshot: &Snapshot, now: OffsetDateTime) -> Result<(), String> {
    let usable = snapshot.keys.authentication(now).map(drop);
    usable.ok_or_else(|| "no authentication certificate is registered, valid and good by OCSP".to_owned())
}

/// Every member with a registered client needs a key.
fn signing_keys(snapshot: &Snapshot, now: OffsetDateTime) -> Result<(), String> {
    let registered = snapshot
        .server
        .clients()
        .filter(|(_, client)| client.is_registered());
    let members: BTreeSet<ClientId> = registered.map(|(id, _)| id.member()).collect();
    let without = members
        .iter()
        .filter(|member| snapshot.keys.signing(member, now).is_none());
    let without: Vec<String> = without.map(ToString::to_string).collect();
    if without.is_empty() {
        return Ok(());
    }
    Err(format!(
        "no signing certificate is registered, valid and good by OCSP for {}",
        without.join(", ")
    ))
}

/// Failing time-stamps threaten, but stop exchanges only after the acceptable period (wire.md 5.2).
fn time_stamping(process: &Process, now: OffsetDateTime) -> Check {
    let policy = process.log.time_stamping_policy();
    let mut check = Check::of(
        "time_stamping",
        policy.check(now).map_err(|refusal| refusal.to_string()),
    );
    if let (None, Some(since)) = (&check.reason, policy.failing_since()) {
        check.reason = Some(format!("time-stamping has been failing since {since}"));
    }
    check
}

#[cfg(test)]
mod tests;
