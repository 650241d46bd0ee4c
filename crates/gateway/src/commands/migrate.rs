//! `mingcha migrate`: brings the databases up to this program, and checks that it could serve.

use std::process::ExitCode;

use super::{Outcome, serve::DeploymentArgs};
use crate::start::World;

/// Migrates. Every start does so too; this is for those who want to do it before.
///
/// # Errors
/// What keeps the deployment from starting.
pub async fn run(args: &DeploymentArgs, world: &World) -> Outcome {
    let (config, _lock) = args.open()?;
    let app = args.app(config, world).await?;
    say!(
        "the databases are up to date; the log has {} entries",
        app.store.log_size().await?
    )?;
    Ok(ExitCode::SUCCESS)
}
