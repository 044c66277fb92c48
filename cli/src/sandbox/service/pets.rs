//! A small service with an OpenAPI description, to show access rights for single endpoints.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json as value;

use super::json;

/// The description, as a security server's operator would import it.
pub(super) async fn description() -> Response {
    (
        [(header::CONTENT_TYPE, "application/yaml")],
        include_str!("openapi.yaml"),
    )
        .into_response()
}

pub(super) async fn list() -> Response {
    json(&value!([{"id": 1, "name": "Rex"}, {"id": 2, "name": "Miisu"}]))
}

pub(super) async fn one(Path(id): Path<u32>) -> Response {
    match id {
        1 => json(&value!({"id": 1, "name": "Rex"})),
        2 => json(&value!({"id": 2, "name": "Miisu"})),
        _ => (StatusCode::NOT_FOUND, json(&value!({"error": "no such pet"}))).into_response(),
    }
}

pub(super) async fn add() -> Response {
    (StatusCode::CREATED, json(&value!({"id": 3}))).into_response()
}

pub(super) async fn remove(Path(_): Path<u32>) -> Response {
    StatusCode::NO_CONTENT.into_response()
}
