//! The static files: one stylesheet, one script for polish, the verifier for the browser, the icon. Embedded.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use super::{Answer, Failed};
use crate::{app::hex, error::Error};

/// Name, content type, content.
const FILES: [(&str, &str, &str); 4] = [
    (
        "portal.css",
        "text/css; charset=utf-8",
        include_str!("../../static/portal.css"),
    ),
    (
        "portal.js",
        "text/javascript; charset=utf-8",
        include_str!("../../static/portal.js"),
    ),
    (
        "verify.js",
        "text/javascript; charset=utf-8",
        include_str!("../../static/verify.js"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("../../static/icon.svg")),
];

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (name, _, content) in FILES {
        hash.update(name);
        hash.update(content);
    }
    hex(&hash.finalize()[..6])
});

/// The digest of all of them, which stands in their addresses.
#[must_use]
pub(crate) fn version() -> &'static str {
    &VERSION
}

/// One file. Its address changes with its content, so that it may be kept for long.
pub(crate) async fn file(Path(name): Path<String>) -> Answer {
    let (_, content_type, content) = FILES
        .into_iter()
        .find(|(n, ..)| *n == name)
        .ok_or(Error::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    let response: Response = (headers, content).into_response();
    Ok::<_, Failed>(response)
}
