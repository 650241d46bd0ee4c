//! What a source can do to us: each behaviour against the real client, over real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stand outside of test functions"
)]

mod auth;
mod beside;
mod canary;
mod certificates;
mod connecting;
mod drops;
mod drops_bad;
mod drops_held;
mod drops_pushed;
mod envelope;
mod faults;
mod files;
mod front;
mod front_left;
mod front_lies;
mod front_mysql8;
mod front_mysql8_peer;
mod front_peer;
mod front_tls;
mod hedge;
mod images;
mod mapping;
mod matching;
mod reviews;
mod routing;
mod server;
mod signature;
mod subject;
mod tls;
mod unforeseen;
mod world;
