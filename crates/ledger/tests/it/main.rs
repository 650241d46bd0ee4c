//! The tests of the ledger, one module for each module of the crate, in one binary.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail like tests do"
)]

mod cbor;
mod independent;
mod notes;
mod openings;
mod receipts;
mod sample;
mod tiles;
mod tree;
mod vectors;
