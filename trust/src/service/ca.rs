//! Certificates: issued, revoked, shown.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use protocol_pki::certificate::Certificate;
use protocol_pki::csr::CertificateRequest;
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::{Services, Shared};
use crate::authority::{AuthorityError, CERTIFICATE_VALIDITY, Terms, Usage};

/// Longest validity that can be asked for, in days.
const MAX_DAYS: u16 = 20 * 365;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RequestedUsage {
    Sign,
    Auth,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct SignQuery {
    usage: RequestedUsage,
    days: Option<u16>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RevokeQuery {
    serial: Option<String>,
    sha1: Option<String>,
}

/// No certificate was issued.
#[derive(Debug)]
enum NotIssued {
    /// The request is at fault.
    Refused(String),
    /// The authority is at fault.
    Failed(String),
}

pub(super) async fn sign(State(services): Shared, Query(query): Query<SignQuery>, body: Bytes) -> Response {
    let was_pem = body.starts_with(b"-----");
    let issued = tokio::task::spawn_blocking(move || issue(&services, query, &body)).await;
    match issued.unwrap_or_else(|error| Err(NotIssued::Failed(error.to_string()))) {
        Ok(certificate) if was_pem => pem(&certificate),
        Ok(certificate) => (
            [(header::CONTENT_TYPE, "application/pkix-cert")],
            certificate.as_der().to_vec(),
        )
            .into_response(),
        Err(NotIssued::Refused(reason)) => (StatusCode::BAD_REQUEST, format!("{reason}\n")).into_response(),
        Err(NotIssued::Failed(reason)) => failed(&reason),
    }
}

fn issue(services: &Services, query: SignQuery, body: &[u8]) -> Result<Certificate, NotIssued> {
    let request =
        CertificateRequest::from_der_or_pem(body).map_err(|error| NotIssued::Refused(error.to_string()))?;
    let usage = match query.usage {
        RequestedUsage::Sign => Usage::Sign,
        RequestedUsage::Auth => Usage::Auth,
    };
    let validity = query.days.map_or(CERTIFICATE_VALIDITY, |days| {
        Duration::days(days.min(MAX_DAYS).into())
    });
    let terms = Terms {
        at: OffsetDateTime::now_utc(),
        validity,
        ocsp_url: Some(&services.ocsp_url),
    };
    let certificate = services
        .authority
        .certify_request(&request, usage, &terms)
        .map_err(|error| match error {
            AuthorityError::Subject(_) => NotIssued::Refused(error.to_string()),
            _ => NotIssued::Failed(error.to_string()),
        })?;
    services
        .ledger()
        .issued(&certificate)
        .map_err(|error| NotIssued::Failed(error.to_string()))?;
    let (subject, serial) = (certificate.subject(), certificate.serial_decimal());
    tracing::info!(%subject, serial, ?usage, "certificate issued");
    Ok(certificate)
}

pub(super) async fn revoke(State(services): Shared, Query(query): Query<RevokeQuery>) -> Response {
    let Some(wanted) = query.serial.or(query.sha1) else {
        return (StatusCode::BAD_REQUEST, "serial or sha1 is missing\n").into_response();
    };
    let now = OffsetDateTime::now_utc();
    let revoked = tokio::task::spawn_blocking(move || services.ledger().revoke(&wanted, now)).await;
    match revoked {
        Ok(Ok(true)) => StatusCode::NO_CONTENT.into_response(),
        Ok(Ok(false)) => (StatusCode::NOT_FOUND, "no such certificate was issued\n").into_response(),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}

pub(super) async fn certificate(State(services): Shared, Path(file): Path<String>) -> Response {
    match file.as_str() {
        "ca.pem" => pem(&services.authority.root().certificate),
        "ocsp.pem" => pem(&services.authority.ocsp_responder().certificate),
        "tsa.pem" => pem(&services.authority.time_stamping().certificate),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn pem(certificate: &Certificate) -> Response {
    (
        [(header::CONTENT_TYPE, "application/x-pem-file")],
        certificate.to_pem(),
    )
        .into_response()
}

fn failed(error: &dyn std::fmt::Display) -> Response {
    tracing::error!(%error, "request failed");
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response()
}
