//! The OCSP responder.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use percent_encoding::percent_decode_str;
use protocol_pki::ocsp::{
    CertificateId, CertificateStatus, Request, ResponseStatus, SingleStatus, error_response,
};
use protocol_pki::pem::base64_decode;
use time::{Duration, OffsetDateTime};

use super::control::{OcspBehaviour, OcspMode, delay};
use super::{Services, Shared};

pub(super) async fn by_post(State(services): Shared, body: Bytes) -> Response {
    answer(&services, &body).await
}

/// The request is base64 in the path, percent-encoded or not (RFC 6960 A.1).
pub(super) async fn by_get(State(services): Shared, Path(request): Path<String>) -> Response {
    let text = percent_decode_str(&request).decode_utf8_lossy();
    answer(&services, &base64_decode(&text).unwrap_or_default()).await
}

async fn answer(services: &Services, request: &[u8]) -> Response {
    let behaviour = services.behaviour().ocsp;
    delay(behaviour.delay_ms).await;
    if behaviour.mode == OcspMode::Unavailable {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let body = match Request::from_der(request) {
        Ok(request) => respond(services, &behaviour, &request, OffsetDateTime::now_utc()),
        Err(error) => {
            tracing::warn!(%error, "OCSP request refused");
            error_response(ResponseStatus::MalformedRequest)
        }
    };
    ([(header::CONTENT_TYPE, "application/ocsp-response")], body).into_response()
}

fn respond(
    services: &Services,
    behaviour: &OcspBehaviour,
    request: &Request,
    now: OffsetDateTime,
) -> Vec<u8> {
    let offset = Duration::seconds(behaviour.this_update_offset_seconds);
    let this_update = now.checked_add(offset).unwrap_or(now);
    let next_update = behaviour
        .next_update_seconds
        .and_then(|seconds| this_update.checked_add(Duration::seconds(seconds)));
    let single = |certificate: &CertificateId| SingleStatus {
        status: status(services, behaviour.mode, certificate, this_update),
        certificate: certificate.clone(),
        this_update,
        next_update,
    };
    let singles: Vec<SingleStatus> = request.certificates().iter().map(single).collect();
    services
        .authority
        .ocsp_responses(&singles, now, request.nonce())
        .unwrap_or_else(|error| {
            tracing::error!(%error, "OCSP response could not be made");
            error_response(ResponseStatus::InternalError)
        })
}

fn status(
    services: &Services,
    mode: OcspMode,
    certificate: &CertificateId,
    now: OffsetDateTime,
) -> CertificateStatus {
    match mode {
        OcspMode::Good => services
            .ledger()
            .status(certificate, &services.authority.root().certificate),
        OcspMode::Revoked => CertificateStatus::Revoked { at: now },
        OcspMode::Unknown | OcspMode::Unavailable => CertificateStatus::Unknown,
    }
}
