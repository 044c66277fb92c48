//! The time-stamping authority.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use protocol_pki::tsp::{Request, grant, reject};
use time::{Duration, OffsetDateTime};

use super::control::{TsaBehaviour, TsaMode, delay};
use super::{Services, Shared};

pub(super) async fn stamp(State(services): Shared, body: Bytes) -> Response {
    let behaviour = services.behaviour().tsa;
    delay(behaviour.delay_ms).await;
    let response = match behaviour.mode {
        TsaMode::Unavailable => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        TsaMode::Rejected => reject("refused on request"),
        TsaMode::Granted => answer(&services, &behaviour, &body, OffsetDateTime::now_utc()),
    };
    ([(header::CONTENT_TYPE, "application/timestamp-reply")], response).into_response()
}

fn answer(services: &Services, behaviour: &TsaBehaviour, body: &[u8], now: OffsetDateTime) -> Vec<u8> {
    let offset = Duration::seconds(behaviour.gen_time_offset_seconds);
    let gen_time = now.checked_add(offset).unwrap_or(now);
    let request = match Request::from_der(body) {
        Ok(request) => request,
        Err(error) => return reject(&error.to_string()),
    };
    match services.authority.stamp(&request, gen_time) {
        Ok(token) => grant(&token),
        Err(error) => {
            tracing::error!(%error, "time-stamp could not be made");
            reject("internal error")
        }
    }
}
