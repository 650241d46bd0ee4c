//! Whether the program lives and can serve.

use axum::{extract::State, http::StatusCode};

use super::Shared;

/// The process answers.
#[utoipa::path(get, path = "/healthz", responses((status = 200)), tag = "operation")]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The database answers and the log can be written, as far as a read can tell.
#[utoipa::path(get, path = "/readyz", responses((status = 200), (status = 503)), tag = "operation")]
pub async fn readyz(State(app): Shared) -> (StatusCode, &'static str) {
    match app.store.log_size().await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
