//! The program `mingcha`: configuration, actions, API, portal, jobs and commands over the other crates.

pub mod actions;
pub mod api;
pub mod app;
pub mod commands;
pub mod config;
pub mod embedded;
pub mod error;
pub mod evidence;
pub mod jobs;
pub mod limits;
pub mod messenger;
pub mod notices;
pub mod panics;
#[cfg(feature = "planted")]
pub mod planted;
pub mod portal;
pub mod router;
pub mod source_files;
pub mod start;
pub mod turns;
