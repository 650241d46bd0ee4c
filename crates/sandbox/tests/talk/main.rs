//! Talking to the sandbox as a gateway does: sessions, every path, strictness, faults, journal.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, which may panic"
)]

mod answers;
mod client;
mod faults;
mod mapping;
mod protocol;
mod reviews;
mod strictness;
