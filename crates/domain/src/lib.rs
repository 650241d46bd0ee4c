//! People, identifiers, record kinds, purposes, decisions and masks: plain types and pure rules.
//!
//! Nothing here reads a clock, draws a random number or opens a file; the core knows no record kind by name.

pub mod beside;
pub mod decision;
pub mod example;
pub mod identifiers;
pub mod ids;
pub mod kind;
pub mod lookup;
pub mod outcome;
pub mod purpose;
pub mod record;
pub mod requester;
pub mod review;
pub mod time;
pub mod words;
pub mod working_days;
