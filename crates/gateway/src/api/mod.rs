//! The API under `/v1`: JSON in, JSON out, RFC 9457 problems. Every handler is thin and calls an action.

pub mod account;
pub mod body;
pub mod catalogue;
pub mod changes;
pub mod coverage;
pub mod health;
pub mod history;
pub mod images;
pub mod log;
pub mod lookups;
pub(crate) mod meters;
pub mod problem;
pub mod problems;
pub mod request;
pub mod reviews;
pub mod turns;

pub use body::{Body, Written};
pub use problem::Problem;
pub use request::{
    Arrived, Asking, Bearer, BearerWithPerson, Entering, Path, ProvenBearer, Query, to_the_end, trace,
};

/// The application as handlers get it.
pub type Shared = axum::extract::State<std::sync::Arc<crate::app::App>>;
