//! The program `mingcha`. Here alone a clock and a generator are made; everything else is given them.

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::{Parser, Subcommand};
use domain::time::{Clock, Timestamp};
use gateway::{
    commands::{self, Outcome},
    error::StartError,
    panics,
    start::World,
};
use store::Random;

/// A look-up allocates several hundred times, and frees much of it on another thread than the one that allocated it:
/// docs/performance.md says which allocator was tried with what result.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Official records about people, looked up lawfully.
#[derive(Debug, Parser)]
#[command(name = "mingcha", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "demo")]
    Demo(commands::demo::DemoArgs),
    #[cfg(feature = "demo")]
    Sandbox(commands::sandbox::SandboxArgs),
    /// Serve a deployment.
    Serve(commands::serve::DeploymentArgs),
    Verify(commands::verify::VerifyArgs),
    Inspect(commands::inspect::InspectArgs),
    Kind(commands::kind_check::KindArgs),
    /// Bring the databases up to this program.
    Migrate(commands::serve::DeploymentArgs),
    /// Check a deployment that is not running: configuration, keys, kinds, policy, the whole log.
    Doctor(commands::serve::DeploymentArgs),
    Keys(commands::keys::KeysArgs),
    Log(commands::log_export::LogArgs),
    Source(commands::source::SourceArgs),
}

/// The system's clock.
struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the time comes from"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }
}

fn main() -> ExitCode {
    trace();
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            #[expect(
                clippy::print_stderr,
                reason = "why the program does not start is told on standard error"
            )]
            {
                eprintln!("mingcha: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Outcome {
    let world = world()?;
    match cli.command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => finish(commands::demo::run(args, &world)),
        #[cfg(feature = "demo")]
        Command::Sandbox(args) => finish(commands::sandbox::run(args, &world)),
        Command::Serve(args) => finish(commands::serve::run(&args, &world)),
        Command::Kind(args) => commands::kind_check::run(&args, &world),
        Command::Migrate(args) => finish(commands::migrate::run(&args, &world)),
        Command::Doctor(args) => finish(commands::doctor::run(&args, &world)),
        Command::Keys(args) => finish(commands::keys::run(&args, &world)),
        Command::Log(args) => finish(commands::log_export::run(&args, &world)),
        Command::Source(args) => finish(commands::source::run(args, &world)),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args, &world),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where randomness comes from"
)]
fn world() -> Result<World, StartError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| StartError(format!("the system gives no randomness: {e}")))?;
    Ok(World {
        clock: Arc::new(SystemClock),
        random: Arc::new(Random::new(seed)),
    })
}

/// How long the end waits for threads: an import that was told to stop needs less, and a disk that hangs, for ever.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// Runs a command to its end.
fn finish(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_timeout(LAST_WAIT);
    outcome
}

/// Traces are JSON, one line each, on standard error; `MINGCHA_TRACE` sets what is traced. That nobody reads them any more
/// ends nothing.
fn trace() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("MINGCHA_TRACE")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
    std::panic::set_hook(Box::new(|panic| panics::tell(panic, &mut std::io::stderr())));
}
