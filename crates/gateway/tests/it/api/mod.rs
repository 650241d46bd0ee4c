//! The API as a client meets it.

mod bad_body;
mod bad_input;
mod catalogue;
mod document;
mod history;
mod hostile;
mod kinds;
pub(crate) mod late;
mod log;
mod repeat;
mod routes;
pub(crate) mod turns;
