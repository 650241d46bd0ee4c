//! The API as a client meets it.

mod bad_body;
mod bad_input;
mod catalogue;
mod document;
mod history;
mod hostile;
mod kinds;
mod log;
mod repeat;
mod routes;
pub(crate) mod turns;
