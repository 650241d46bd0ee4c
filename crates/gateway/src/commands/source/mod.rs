//! `mingcha source`: what an operator does with sources: list them, check a file before it goes live, pause one, accept
//! a drop that is held back.

pub mod accept;
pub(super) mod ask;
pub mod check;
pub mod draft;
pub mod list;
mod offers;
pub mod pause;
pub(super) mod rehearsal;

use clap::{Args, Subcommand};

use super::Outcome;
use crate::start::World;

/// Sources.
#[derive(Debug, Args)]
pub struct SourceArgs {
    #[command(subcommand)]
    command: SourceCommand,
}

#[derive(Debug, Subcommand)]
enum SourceCommand {
    /// List every source with its papers, regions, freshness and state. The server may run.
    List(list::ListArgs),
    /// Check source files, and with `--ask` the endpoint behind one, before they go live.
    Check(check::CheckArgs),
    /// From a CSV file of records, write a first draft of a kind, a source and a test subject.
    Draft(draft::DraftArgs),
    /// Leave a source alone from now on; it answers `maintenance`, or another one stands in.
    Pause(pause::OperatorArgs),
    /// Ask a paused source again.
    Resume(pause::OperatorArgs),
    /// Take a file that is held back because it is unlike the one before.
    Accept(accept::AcceptArgs),
}

/// Runs one of them.
///
/// # Errors
/// A file or folder that cannot be read or written.
pub async fn run(args: SourceArgs, world: &World) -> Outcome {
    match args.command {
        SourceCommand::List(args) => list::run(&args, world),
        SourceCommand::Check(args) => check::run(&args, world).await,
        SourceCommand::Draft(args) => draft::run(&args, world),
        SourceCommand::Pause(args) => pause::run(&args, true),
        SourceCommand::Resume(args) => pause::run(&args, false),
        SourceCommand::Accept(args) => accept::run(&args),
    }
}
