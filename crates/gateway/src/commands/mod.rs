//! The commands of `mingcha`. Each is thin: it reads its arguments, calls what does the work, and prints.

#[macro_use]
mod say;

#[cfg(feature = "demo")]
pub mod demo;
pub mod doctor;
pub mod inspect;
pub mod keys;
pub mod kind_check;
pub mod listen;
pub mod lock;
pub mod log_export;
pub mod migrate;
#[cfg(feature = "demo")]
pub mod sandbox;
pub mod serve;
pub mod source;
pub mod verify;

/// How a command ends.
pub type Outcome = Result<std::process::ExitCode, crate::error::StartError>;
