//! The portal as a browser without scripts meets it.

mod answers;
pub(crate) mod browser;
mod coverage;
mod elder;
mod forms;
mod genuine;
mod in_person;
mod journey;
mod notices;
mod pages;
mod turns;
