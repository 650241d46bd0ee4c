//! `mingcha keys rotate`: a new root key wraps every key from now on; the data itself is not touched.

use std::{path::Path, process::ExitCode};

use clap::{Args, Subcommand};
use crypto::RootKeys;
use domain::ids::DEPLOYMENT;

use super::{Outcome, serve::DeploymentArgs, source::pause::is_name};
use crate::{
    actions::{
        pause_sources::operator,
        seal_change::{no_effect, seal_change},
    },
    error::StartError,
    start::World,
};

/// Keys.
#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Add a root key and wrap every key under it. Stop the server first. It can be repeated after a crash.
    Rotate(RotateArgs),
}

/// Of which deployment, and who says so.
#[derive(Debug, Args)]
struct RotateArgs {
    #[command(flatten)]
    deployment: DeploymentArgs,
    /// Who orders it; it is sealed under this name.
    #[arg(long)]
    by: String,
}

/// Rotates the root key.
///
/// # Errors
/// The name is none, the keys are not in a file, the server runs, or a key cannot be wrapped anew.
pub async fn run(args: &KeysArgs, world: &World) -> Outcome {
    let KeysCommand::Rotate(args) = &args.command;
    if !is_name(&args.by) {
        return Err(StartError(
            "--by: letters, digits, hyphens, dots, at most 48".into(),
        ));
    }
    let (config, _lock) = args.deployment.open()?;
    let Some(path) = config.keys.strip_prefix("file:").map(str::to_owned) else {
        return Err(StartError(
            "keys rotate needs keys in a file; rotate a variable where it is kept".into(),
        ));
    };
    let now = world.clock.now().0;
    let keys = world
        .random
        .with(|rng| RootKeys::rotate(Path::new(&path), now, rng))?;
    say!("root key {} was added to {path}", keys.newest_root())?;
    let app = args.deployment.app(config, world).await?;
    let moved = app.store.rewrap_keys().await?;
    let about = format!("root key {} wraps from now on", keys.newest_root());
    let sealed = seal_change(&app, DEPLOYMENT, operator(&args.by), &about, no_effect()).await;
    sealed.map_err(|e| StartError(format!("the rotation cannot be sealed: {}", e.code())))?;
    say!("{moved} keys are wrapped under it")?;
    Ok(ExitCode::SUCCESS)
}
