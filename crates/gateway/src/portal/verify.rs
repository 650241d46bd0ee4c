//! Verifying a receipt in the browser. It is convenience, not proof: who serves the page could serve another.

use askama::Template;
use axum::extract::State;

use super::{Answer, Guest, Page, Shared, html};
use crate::app::App;

/// The page with the verifier.
#[derive(Template)]
#[template(path = "verify.html")]
pub(super) struct VerifyView {
    pub(super) p: Page,
    /// The log's own key.
    pub(super) key: String,
    /// All of the log's keys, for the command line.
    pub(super) keys: Vec<String>,
    /// Why there may be no good verdict; each names its message.
    pub(super) codes: [&'static str; 11],
}

/// The codes of `verify.js`.
pub(super) const WHY: [&str; 11] = [
    "empty",
    "too-long",
    "not-canonical",
    "proof",
    "key",
    "key-unknown",
    "signature",
    "not-in-log",
    "opening",
    "no-crypto",
    "fetch",
];

/// The page.
pub(crate) async fn show(State(app): Shared, guest: Guest) -> Answer {
    let key = app.store.log_keys().ed25519.to_string();
    html(&VerifyView {
        key,
        keys: keys(&app),
        codes: WHY,
        p: guest.page,
    })
}

/// The log's public keys, as `mingcha verify` takes them.
pub(super) fn keys(app: &App) -> Vec<String> {
    let keys = app.store.log_keys();
    std::iter::once(&keys.ed25519)
        .chain(&keys.sm2)
        .map(ToString::to_string)
        .collect()
}
