//! `mingcha source accept ID FILE`: takes a drop that is held back because it is unlike the one before.

use std::process::ExitCode;

use clap::Args;

use super::pause::OperatorArgs;
use crate::{
    commands::Outcome,
    error::StartError,
    source_files::{Acceptance, acceptances_file, read_acceptances, read_drop_states, write_acceptances},
};

/// Which drop, and who says so.
#[derive(Debug, Args)]
pub struct AcceptArgs {
    #[command(flatten)]
    operator: OperatorArgs,
    /// The drop's name, as `mingcha source list` shows it.
    file: String,
}

/// Writes the acceptance.
///
/// # Errors
/// No drop of that name waits, or the folder cannot be written.
pub fn run(args: &AcceptArgs) -> Outcome {
    let folder = args.operator.folder()?;
    let id = &args.operator.id;
    let states = read_drop_states(&folder)?;
    let mut waiting = states.iter().filter(|state| state.source == *id);
    let waits = waiting.find_map(|state| state.waiting.as_ref().filter(|drop| drop.file == args.file));
    let Some(drop) = waits else {
        return Err(StartError(format!(
            "{id}: no drop {} waits; mingcha source list shows which do",
            args.file
        )));
    };
    let mut acceptances = read_acceptances(&folder)?;
    let acceptance = Acceptance {
        file: drop.file.clone(),
        digest: drop.digest.clone(),
        by: args.operator.by.clone(),
    };
    acceptances.insert(id.clone(), acceptance);
    write_acceptances(&folder, &acceptances)?;
    say!(
        "{id}: {} with {} rows is to be taken ({}). A running server seals it under the name {} and takes it within a minute",
        drop.file,
        drop.rows,
        acceptances_file(&folder).display(),
        args.operator.by
    )?;
    Ok(ExitCode::SUCCESS)
}
