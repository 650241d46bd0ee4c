//! `mingcha source pause ID` and `resume ID`: an order in the data folder, which the running server follows.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use crate::{
    commands::Outcome,
    config::Config,
    error::StartError,
    source_files::{Order, lock_orders, orders_file, read_orders, write_orders},
};

/// Which source, and who says so.
#[derive(Debug, Args)]
pub struct OperatorArgs {
    /// The source's id.
    pub(super) id: String,
    /// Who orders it; the server seals it under this name.
    #[arg(long)]
    pub(super) by: String,
    /// The configuration file.
    #[arg(long, default_value = "/etc/mingcha/config.toml")]
    config: PathBuf,
    /// The data folder, where there is no configuration, as of `mingcha demo --data DIR`.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl OperatorArgs {
    /// Checks both names, and finds the data folder.
    pub(super) fn folder(&self) -> Result<PathBuf, StartError> {
        if !is_name(&self.by) || !is_name(&self.id) {
            return Err(StartError(
                "ID and --by: letters, digits, hyphens, dots, at most 48".into(),
            ));
        }
        if let Some(folder) = &self.data {
            return Ok(folder.clone());
        }
        let text = std::fs::read_to_string(&self.config)
            .map_err(|e| StartError(format!("{}: {e}", self.config.display())))?;
        let config = Config::parse(&text, std::env::vars())?;
        super::list::must_exist(&config.sources_folder, &self.id)?;
        Ok(config.data_folder)
    }
}

/// Whether a text can be a source's id or an operator's name.
pub(in crate::commands) fn is_name(text: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.len() <= 48 && text.chars().all(sound)
}

/// Writes the order.
///
/// # Errors
/// The name or the id is none, or the folder cannot be written.
pub fn run(args: &OperatorArgs, paused: bool) -> Outcome {
    let folder = args.folder()?;
    let _lock = lock_orders(&folder)?;
    let mut orders = read_orders(&folder)?;
    let by = args.by.clone();
    let before = orders.insert(args.id.clone(), Order { paused, by });
    let was_paused = before.is_some_and(|order| order.paused);
    if was_paused == paused {
        say!(
            "{}: nothing to do, it is {}",
            args.id,
            if paused { "paused" } else { "not paused" }
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    write_orders(&folder, &orders)?;
    say!(
        "{}: {} ({}). A running server follows within a second and seals it under the name {}",
        args.id,
        if paused {
            "to be paused"
        } else {
            "to be asked again"
        },
        orders_file(&folder).display(),
        args.by
    )?;
    Ok(ExitCode::SUCCESS)
}
