//! The fault rig `sources`: a source that lies, stalls and floods, a hundred thousand times. It never holds a record of
//! the person who asks, so that whatever is found is somebody else's. It ends with one line of JSON on standard output.
//!
//! `cargo run --release -p sources --example liar -- 100000`

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a rig reports to a terminal, and stops when its servers do not start"
)]

mod lies;
mod others;
#[path = "../../tests/it/server.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod server;
#[path = "../../tests/it/world.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod world;

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sources::Sources;
use tokio::time::Instant;

use crate::{
    lies::{MUTATIONS, TRICKS},
    server::{Act, Heard, Server},
    world::{TRAFFIC, car_question, file, number, sources},
};

/// The source's deadline in its file, and what may pass beyond it (promise R4).
const DEADLINE: Duration = Duration::from_millis(400 + 50);
/// Questions at once.
const AT_ONCE: usize = 16;
/// Each trick of the connection is played so often for each thousand replies.
const TRICKS_PER_THOUSAND: usize = 1;
/// By how much the process may grow, in kB: what is bounded for each question, for all at once, and the allocator's ways.
const MAY_GROW_KB: u64 = 64 * 1024;

/// What must not have been.
#[derive(Default)]
struct Exceptions(Mutex<Vec<String>>);

impl Exceptions {
    fn add(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }
}

#[tokio::main]
async fn main() {
    let replies: usize = std::env::args()
        .nth(1)
        .map_or(Ok(100_000), |n| n.parse())
        .unwrap();
    let exceptions = Arc::new(Exceptions::default());
    // What is loaded once, and what the allocator keeps, is not what a lie costs.
    let warmed = lie(replies.min(2000), &exceptions).await;
    let before = resident_kb();
    let lied = warmed + lie(replies - warmed, &exceptions).await;
    let tricked = trick((replies * TRICKS_PER_THOUSAND / 1000).max(1), &exceptions).await;
    let grown = resident_kb().saturating_sub(before);
    if grown > MAY_GROW_KB {
        exceptions.add(format!("the process has grown by {grown} kB"));
    }
    let ratio = others::p99_ratio().await;
    let exceptions = exceptions.0.lock().unwrap();
    for exception in exceptions.iter().take(10) {
        eprintln!("  {exception}");
    }
    println!(
        r#"{{"rig":"sources","n":{},"exceptions":{},"lies":{},"tricks":{},"grown_kb":{grown},"others_p99_ratio":{ratio:.3}}}"#,
        lied + tricked,
        exceptions.len(),
        MUTATIONS.len(),
        TRICKS.len(),
    );
}

/// Replies that arrive whole and are wrong: each of the mutations in turn, of somebody else's record.
async fn lie(replies: usize, exceptions: &Arc<Exceptions>) -> usize {
    let rng = Mutex::new(ChaCha20Rng::from_seed([1; 32]));
    let turn = AtomicUsize::new(0);
    let liar = Server::start(move |_: &Heard| {
        let mut rng = rng.lock().unwrap();
        let mutation = MUTATIONS[turn.fetch_add(1, Ordering::Relaxed) % MUTATIONS.len()];
        Act::Json(lies::reply(&mut rng, mutation))
    })
    .await;
    let heard = Arc::clone(&liar.heard);
    let wide = TRAFFIC.replace("concurrency = 4", "concurrency = 64");
    assert_ne!(wide, TRAFFIC, "the test's file names another concurrency");
    let sources = Arc::new(sources(&[file("traffic.toml", &wide, liar.port())]));
    let asked = Arc::new(AtomicUsize::new(0));
    let workers = (0..AT_ONCE).map(|_| {
        let (sources, asked, exceptions) = (Arc::clone(&sources), Arc::clone(&asked), Arc::clone(exceptions));
        let heard = Arc::clone(&heard);
        tokio::spawn(async move {
            loop {
                let n = asked.fetch_add(1, Ordering::Relaxed);
                if n >= replies {
                    return;
                }
                ask(&sources, &format!("lie {n}"), &exceptions).await;
                if n % 1000 == 0 {
                    heard.lock().unwrap().clear();
                }
                if (n + 1) % 10_000 == 0 {
                    eprintln!("  {} of {replies} lies", n + 1);
                }
            }
        })
    });
    futures_util::future::join_all(workers).await;
    replies
}

/// Replies that never arrive whole, each by a source of its own: a broken connection shuts a source out for a while.
async fn trick(times: usize, exceptions: &Arc<Exceptions>) -> usize {
    for round in 0..times {
        let played = TRICKS.iter().map(|trick| async {
            let server = Server::always((trick.act)()).await;
            let sources = sources(&[file("traffic.toml", TRAFFIC, server.port())]);
            ask(&sources, trick.name, exceptions).await;
        });
        for some in chunks(played.collect(), AT_ONCE) {
            futures_util::future::join_all(some).await;
        }
        if (round + 1) % 10 == 0 || round + 1 == times {
            eprintln!("  {} of {times} rounds of {} tricks", round + 1, TRICKS.len());
        }
    }
    times * TRICKS.len()
}

fn chunks<T>(all: Vec<T>, at_once: usize) -> Vec<Vec<T>> {
    let mut chunks: Vec<Vec<T>> = vec![];
    for (at, one) in all.into_iter().enumerate() {
        match at % at_once {
            0 => chunks.push(vec![one]),
            _ => chunks.last_mut().unwrap().push(one),
        }
    }
    chunks
}

/// One question: nothing is found, in time, and nobody panics.
async fn ask(sources: &Sources, what: &str, exceptions: &Exceptions) {
    let started = Instant::now();
    let answer = AssertUnwindSafe(sources.ask(car_question())).catch_unwind().await;
    let took = started.elapsed();
    match answer {
        Err(_) => exceptions.add(format!("{what}: a panic")),
        Ok(answer) if answer.record.is_some() || answer.outcome == domain::outcome::Outcome::Found => {
            exceptions.add(format!("{what}: somebody else's record is {}", answer.outcome));
        }
        Ok(_) if took > DEADLINE => exceptions.add(format!("{what}: took {took:?}")),
        Ok(_) => {}
    }
}

/// The resident memory of this process.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or_default()
}

/// The number of somebody who does not ask.
fn somebody_else(draw: u32) -> String {
    number(2 + u16::try_from(draw % 900).unwrap()).expose().to_owned()
}
