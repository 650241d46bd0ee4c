//! What a source can do to us: each behaviour against the real client, over real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stand outside of test functions"
)]

mod beside;
mod canary;
mod drops;
mod envelope;
mod faults;
mod files;
mod front;
mod images;
mod mapping;
mod matching;
mod reviews;
mod routing;
mod server;
mod subject;
mod world;
