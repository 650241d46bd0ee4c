//! The tests of this crate from outside, as one binary.

#![expect(clippy::unwrap_used, reason = "tests fail by panic")]

mod matrix;
mod model;
mod rules;
mod support;
