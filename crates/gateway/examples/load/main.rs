//! Load for the benchmark (`cargo xtask bench`): asks the gateway or the bare proxy over kept connections, either as
//! fast as answers come or at a fixed rate, checks every answer, and prints one line of JSON.
//!
//! At a fixed rate a latency counts from the instant at which a question was due, not from when a connection was free
//! for it, so that a server that stalls cannot hide it.

#![expect(
    clippy::print_stdout,
    reason = "the benchmark reads the figures from standard output"
)]

mod asker;
mod pace;
mod processes;
mod worker;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use clap::{Parser, ValueEnum};
use serde_json::json;
use tokio::time::{Instant, sleep};

use asker::{Asker, Problem};
use pace::Pace;

#[derive(Parser)]
struct Args {
    /// What is asked
    #[arg(long)]
    target: Target,
    /// Where it listens
    #[arg(long)]
    address: SocketAddr,
    /// What `mingcha demo --seed` printed: one session token a line, in the order of the crowd
    #[arg(long, required_if_eq("target", "gateway"))]
    sessions: Option<PathBuf>,
    /// The folder that `mingcha sandbox --write-sources` filled, for the keys of the proxy's upstream
    #[arg(long, required_if_eq("target", "proxy"))]
    sources: Option<PathBuf>,
    /// How many of the crowd the proxy's questions are about
    #[arg(long, default_value_t = 10_000)]
    people: u64,
    /// The fields that are asked of the gateway; all where none is named
    #[arg(long, value_delimiter = ',')]
    fields: Vec<String>,
    /// The number of the first question: whom the questions of another run were about is not asked about again
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Connections that are kept
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Questions a second; 0 is as many as are answered
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// Seconds before anything is counted
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Seconds that are counted
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Processes whose CPU time is counted meanwhile
    #[arg(long)]
    watch: Vec<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    Gateway,
    Proxy,
}

/// What all workers share.
struct Run {
    asker: Asker,
    pace: Pace,
    address: SocketAddr,
    /// Answers count while this is set.
    counting: AtomicBool,
    stopped: AtomicBool,
    /// The number of the next question.
    next: AtomicU64,
}

#[tokio::main]
async fn main() -> Result<(), Problem> {
    let args = Args::parse();
    let asker = match args.target {
        Target::Gateway => Asker::gateway(&args.sessions.unwrap_or_default(), args.fields)?,
        Target::Proxy => Asker::proxy(&args.sources.unwrap_or_default(), args.people, args.address).await?,
    };
    let run = Arc::new(Run {
        asker,
        pace: Pace::new(args.rate),
        address: args.address,
        counting: AtomicBool::new(false),
        stopped: AtomicBool::new(false),
        next: AtomicU64::new(args.first),
    });
    let workers: Vec<_> = (0..args.connections)
        .map(|_| tokio::spawn(worker::work(Arc::clone(&run))))
        .collect();
    let pacer = pace::start(&run);
    sleep(Duration::from_secs_f64(args.warm_up)).await;
    let before = processes::cpu_seconds(&args.watch)?;
    let begun = Instant::now();
    run.count(true);
    sleep(Duration::from_secs_f64(args.seconds)).await;
    run.count(false);
    let seconds = begun.elapsed().as_secs_f64();
    let after = processes::cpu_seconds(&args.watch)?;
    run.stop();
    let mut micros = vec![];
    let mut wrong = run.pace.missed();
    for worker in workers {
        let counted = worker.await??;
        micros.extend(counted.micros);
        wrong += counted.wrong;
    }
    drop(pacer.join());
    micros.sort_unstable();
    let cpu: Vec<f64> = after
        .iter()
        .zip(before)
        .map(|(after, before)| after - before)
        .collect();
    println!(
        "{}",
        json!({
            "next": run.next.load(Ordering::Relaxed), "answers": micros.len(), "wrong": wrong, "seconds": seconds,
            "per_second": micros.len() as f64 / seconds,
            "p50_ms": percentile(&micros, 0.5), "p99_ms": percentile(&micros, 0.99), "cpu_seconds": cpu,
        })
    );
    Ok(())
}

/// The value below which this share lies, in milliseconds; 0 where there is none.
fn percentile(sorted_micros: &[u64], share: f64) -> f64 {
    let at = (sorted_micros.len() as f64 * share) as usize;
    sorted_micros
        .get(at)
        .or(sorted_micros.last())
        .map_or(0.0, |micros| *micros as f64 / 1000.0)
}
