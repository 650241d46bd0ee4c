//! `mingcha log export DIR`: the public log as files, in the layout of tlog-tiles, for anybody's tools.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use ledger::{
    Tile,
    tile::{new_bundles, new_tiles},
};

use super::{Outcome, serve::DeploymentArgs};
use crate::{app::App, error::StartError, start::World};

/// The log.
#[derive(Debug, Args)]
pub struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// Write checkpoint, tiles and entries into a folder. Nothing in them is personal.
    Export {
        /// The folder; it must not exist yet.
        folder: PathBuf,
        #[command(flatten)]
        deployment: DeploymentArgs,
    },
}

/// Exports the log of a deployment that is not running.
///
/// # Errors
/// The folder exists or cannot be written, or the log cannot be read.
pub async fn run(args: &LogArgs, world: &World) -> Outcome {
    let LogCommand::Export { folder, deployment } = &args.command;
    let (config, _lock) = deployment.open()?;
    let app = deployment.app_to_look(config, world).await?;
    let (size, files) = export(&app, folder).await?;
    say!(
        "{size} entries in {files} files; the log's key is {}",
        app.store.log_keys().ed25519
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the published log below `folder`; how many entries and files.
///
/// # Errors
/// The folder exists or cannot be written, or the log cannot be read.
pub async fn export(app: &App, folder: &Path) -> Result<(u64, usize), StartError> {
    std::fs::create_dir(folder).map_err(|e| StartError(format!("{}: {e}", folder.display())))?;
    app.store.publish_checkpoint().await?;
    let published = app.store.published().await?;
    let (size, checkpoint) = published.ok_or_else(|| StartError("nothing is published yet".into()))?;
    let tiles: Vec<Tile> = new_tiles(0, size).chain(new_bundles(0, size)).collect();
    for tile in &tiles {
        let bytes = app.store.tile(tile).await?;
        let bytes = bytes.ok_or_else(|| StartError(format!("{} is missing", tile.path())))?;
        let path = folder.join(tile.path());
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, bytes)?;
    }
    std::fs::write(folder.join("checkpoint"), checkpoint)?;
    Ok((size, tiles.len() + 1))
}
