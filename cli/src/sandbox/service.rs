//! The example information system of a sandbox: services to call, in all the shapes that matter.
//!
//! | Path | What it does |
//! |---|---|
//! | `/slow/…` | the same as `/rest/…`, for a service with a short time-out |
//! | `/rest`, `/rest/…` | answers with the request: its body if it has one, else a description in JSON |
//! | `/rest/bytes?size=N` | N bytes, streamed |
//! | `/rest/sink` | swallows a body, answers with its size and SHA-512 |
//! | `/rest/status/NNN` | answers with this status |
//! | `/rest/delay?ms=N` | answers after N milliseconds |
//! | `/api/…` | a small OpenAPI service, described by `/api/openapi.yaml` |
//! | `/soap` | SOAP operations, described by `/soap?wsdl` |
//!
//! Nothing is kept and no body is held in memory, except those of SOAP messages.

pub mod multipart;
mod pets;
mod rest;
mod soap;
mod stream;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

/// Answers at `listen` until the process is told to stop.
///
/// # Errors
/// When the address cannot be used.
pub fn run(listen: SocketAddr) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(listen).await?;
        axum::serve(listener, router())
            .with_graceful_shutdown(stopped())
            .await
    })
}

/// All services.
pub fn router() -> Router {
    Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/api/openapi.yaml", get(pets::description))
        .route("/api/pets", get(pets::list).post(pets::add))
        .route("/api/pets/{id}", get(pets::one).delete(pets::remove))
        .route("/soap", get(soap::description).post(soap::answer))
        .merge(rest_router("/rest"))
        .merge(rest_router("/slow"))
        .layer(DefaultBodyLimit::disable())
}

/// The REST services below `base`. Not nested, which would take `base` off the path that they tell.
fn rest_router(base: &str) -> Router {
    Router::new()
        .route(base, any(rest::echo))
        .route(&format!("{base}/{{*path}}"), any(rest::echo))
        .route(&format!("{base}/bytes"), any(rest::bytes))
        .route(&format!("{base}/sink"), any(rest::sink))
        .route(&format!("{base}/status/{{code}}"), any(rest::status))
        .route(&format!("{base}/delay"), any(rest::delay))
}

/// A value as the body of a response.
fn json(value: &serde_json::Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminate => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
