//! What the system can do, one file per promise.

mod alike;
mod codes;
mod disagree;
pub(crate) mod drops;
pub(crate) mod ended;
mod erasure;
mod every_kind;
mod faults;
mod images;
mod levels;
mod limits;
mod ninth_kind;
mod others;
mod pre_checks;
mod proofs;
mod purposes;
mod records;
mod reports;
pub(crate) mod review_news;
mod review_repeats;
mod review_seal;
mod reviews;
pub(crate) mod routing;
mod sources;
mod together;
