//! `mingcha sandbox`: the simulated authorities alone, for integrators who run a gateway of their own against them.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use crypto::Suite;
use sandbox::Sandbox;

use super::{Outcome, listen};
use crate::{error::StartError, start::World};

/// Play the authorities on this machine.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Where to listen; on this machine only.
    #[arg(long, default_value = "127.0.0.1:8701")]
    listen: SocketAddr,
    /// Where to write the source files by which a gateway finds it; they hold keys made at this start.
    #[arg(long, value_name = "DIR")]
    write_sources: PathBuf,
    /// Where to write the journal of requests.
    #[arg(long)]
    journal: Option<PathBuf>,
    /// Cryptography: `gm` or `intl`.
    #[arg(long, default_value = "gm")]
    suite: Suite,
    /// Add so many computed people with a vehicle each.
    #[arg(long, default_value_t = 0)]
    crowd: u64,
}

/// Runs the sandbox.
///
/// # Errors
/// It cannot listen or write the source files.
pub async fn run(args: SandboxArgs, world: &World) -> Outcome {
    if !args.listen.ip().is_loopback() {
        return Err(StartError(
            "the sandbox listens on this machine only; use 127.0.0.1".into(),
        ));
    }
    let listener = listen::bind(args.listen, "--listen HOST:PORT").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let keys = world.random.with(|rng| sandbox::Keys::generate(args.suite, rng));
    let keys = keys.map_err(|e| StartError(e.to_string()))?;
    std::fs::create_dir_all(&args.write_sources)?;
    for (name, text) in sandbox::source_files(&url, &keys) {
        std::fs::write(args.write_sources.join(name), text)?;
    }
    let mut sandbox =
        Sandbox::new(keys, Arc::clone(&world.clock), world.random.fork()).with_crowd(args.crowd);
    if let Some(journal) = &args.journal {
        sandbox = sandbox.with_journal(journal)?;
    }
    say!(
        "the sandbox plays the authorities at {url}; source files are in {}",
        args.write_sources.display()
    )?;
    axum::serve(listener, Arc::new(sandbox).router()).await?;
    Ok(ExitCode::SUCCESS)
}
