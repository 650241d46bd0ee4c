//! The public log, as tlog-tiles wants it: checkpoint, tiles, entry bundles.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use ledger::Tile;

use super::{Path, Problem, Shared};
use crate::error::Error;

/// The one log of today.
const LOG: &str = "0";

/// The published checkpoint; it advances every minute.
#[utoipa::path(get, path = "/log/{log}/checkpoint", params(("log" = String, Path)), responses((status = 200, body = String), (status = 404)), tag = "log")]
pub async fn checkpoint(State(app): Shared, Path(log): Path<String>) -> Result<Response, Problem> {
    if log != LOG {
        return Err(Error::NotFound.into());
    }
    let (_, text) = app.store.published().await?.ok_or(Error::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=5"),
    ];
    Ok((headers, text).into_response())
}

/// A tile of hashes or an entry bundle.
#[utoipa::path(get, path = "/log/{log}/tile/{*path}", params(("log" = String, Path), ("path" = String, Path)), responses((status = 200), (status = 404)), tag = "log")]
pub async fn tile(
    State(app): Shared,
    Path((log, path)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let tile = Tile::parse_path(&format!("tile/{path}")).map_err(|_| Error::NotFound)?;
    if log != LOG {
        return Err(Error::NotFound.into());
    }
    let bytes = app.store.tile(&tile).await?.ok_or(Error::NotFound)?;
    let age = if tile.is_full() {
        "public, max-age=31536000, immutable"
    } else {
        "public, max-age=60"
    };
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, age),
    ];
    Ok((headers, bytes).into_response())
}
