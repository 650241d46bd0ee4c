//! What the crate promises, seen from outside.

mod codes;
mod common;
mod envelope;
mod key_ring;
mod session;
mod session_time;
mod vectors;
