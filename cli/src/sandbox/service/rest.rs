//! The REST services.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{Path, Query, Request};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use protocol_pki::digest::DigestAlgorithm;
use serde::Deserialize;
use serde_json::json as value;

use super::{json, stream::Pattern};

/// Longest delay that can be asked for.
const LONGEST_DELAY: Duration = Duration::from_secs(300);

/// Sends a body back as it comes in, without holding it; a request without a body gets a description of itself.
pub(super) async fn echo(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let described = [
        (HeaderName::from_static("x-echo-method"), parts.method.to_string()),
        (HeaderName::from_static("x-echo-path"), parts.uri.to_string()),
    ];
    if body.is_end_stream() {
        let seen = value!({
            "method": parts.method.as_str(),
            "path": parts.uri.path(),
            "query": parts.uri.query(),
            "headers": headers(&parts.headers),
        });
        return (described, json(&seen)).into_response();
    }
    let content_type = parts.headers.get(header::CONTENT_TYPE).cloned();
    let mut response = (described, body).into_response();
    if let Some(content_type) = content_type {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    response
}

/// Header names and values; of a header that came more than once, the last.
fn headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

#[derive(Debug, Deserialize)]
pub(super) struct Size {
    #[serde(default)]
    size: u64,
}

/// As many bytes as were asked for.
pub(super) async fn bytes(Query(Size { size }): Query<Size>) -> Response {
    let body = Body::new(Pattern::new(size));
    ([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response()
}

/// Swallows a body and tells its size and hash.
pub(super) async fn sink(mut body: Body) -> Response {
    let mut hasher = DigestAlgorithm::Sha512.hasher();
    let mut size = 0_u64;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let Some(data) = frame.data_ref() else { continue };
        size += data.len() as u64;
        hasher.update(data);
    }
    let digest: String = hasher.finish().iter().map(|byte| format!("{byte:02x}")).collect();
    json(&value!({"size": size, "sha512": digest}))
}

/// The status that was asked for.
pub(super) async fn status(Path(code): Path<u16>) -> Response {
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
    (code, json(&value!({"status": code.as_u16()}))).into_response()
}

#[derive(Debug, Deserialize)]
pub(super) struct Delay {
    #[serde(default)]
    ms: u64,
}

/// An answer that takes its time.
pub(super) async fn delay(Query(Delay { ms }): Query<Delay>) -> Response {
    tokio::time::sleep(Duration::from_millis(ms).min(LONGEST_DELAY)).await;
    json(&value!({"waited_ms": ms}))
}
