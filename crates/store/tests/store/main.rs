//! The store, every case on SQLite and on PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stand outside of test functions"
)]

mod acts;
mod at_rest;
mod behind;
mod committer;
mod erasure;
mod failures;
mod forged_sessions;
mod history;
mod kept_answers;
mod nodes;
mod open;
mod people;
mod properties;
mod schema;
mod sessions;
mod starts;
mod tampering;
mod tiles;
#[path = "../engine/wire.rs"]
mod wire;
mod world;
