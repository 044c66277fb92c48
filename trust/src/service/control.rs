//! How the services behave, for tests that need them to fail.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::Shared;

/// Longest delay that can be asked for.
const MAX_DELAY: Duration = Duration::from_secs(600);

/// How the services behave. `POST /control` replaces the parts that it names: `{"ocsp": {"mode": "unknown"}}`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// The OCSP responder.
    pub ocsp: OcspBehaviour,
    /// The time-stamping authority.
    pub tsa: TsaBehaviour,
}

/// How the OCSP responder behaves.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OcspBehaviour {
    /// What it tells.
    pub mode: OcspMode,
    /// Added to the time of day to give thisUpdate; negative makes stale responses.
    pub this_update_offset_seconds: i64,
    /// nextUpdate that long after thisUpdate; none by default.
    pub next_update_seconds: Option<i64>,
    /// Waits before it answers.
    pub delay_ms: u64,
}

/// What the OCSP responder tells.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OcspMode {
    /// The truth: good, revoked or unknown.
    #[default]
    Good,
    /// Everything is revoked.
    Revoked,
    /// Nothing is known.
    Unknown,
    /// It does not answer (HTTP 503).
    Unavailable,
}

/// How the time-stamping authority behaves.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TsaBehaviour {
    /// How it answers.
    pub mode: TsaMode,
    /// Added to the time of day to give genTime.
    pub gen_time_offset_seconds: i64,
    /// Waits before it answers.
    pub delay_ms: u64,
}

/// How the time-stamping authority answers.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TsaMode {
    /// With tokens.
    #[default]
    Granted,
    /// With refusals.
    Rejected,
    /// It does not answer (HTTP 503).
    Unavailable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    ocsp: Option<OcspBehaviour>,
    tsa: Option<TsaBehaviour>,
}

pub(super) async fn show(State(services): Shared) -> Response {
    json(*services.behaviour())
}

/// Any content type will do, so that a plain `curl -d` works.
pub(super) async fn change(State(services): Shared, body: Bytes) -> Response {
    let change: Change = match serde_json::from_slice(&body) {
        Ok(change) => change,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let mut behaviour = services.behaviour();
    behaviour.ocsp = change.ocsp.unwrap_or(behaviour.ocsp);
    behaviour.tsa = change.tsa.unwrap_or(behaviour.tsa);
    tracing::warn!(behaviour = ?*behaviour, "behaviour changed");
    json(*behaviour)
}

fn json(behaviour: Behaviour) -> Response {
    let text = serde_json::to_string(&behaviour).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// Waits as long as a behaviour asks, but no longer than [`MAX_DELAY`].
pub(super) async fn delay(milliseconds: u64) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds).min(MAX_DELAY)).await;
    }
}
