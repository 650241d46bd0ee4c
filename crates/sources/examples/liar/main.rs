//! The fault rig `sources`: a source that lies, stalls and floods, a hundred thousand times, in each of the ways to ask.
//! It never says what would be true about who asks, so that whatever is believed is wrong. It ends with one line of JSON
//! on standard output.
//!
//! `cargo run --release -p sources --example liar -- 100000 1 40`: how many replies, the seed, and how many rounds time
//! what that costs the others.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a rig reports to a terminal, and stops when its servers do not start"
)]

mod games;
mod lies;
mod memory;
mod others;
mod peer;
#[path = "../../tests/it/server.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod server;
mod tricks;
#[path = "../../tests/it/world.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod world;

use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::outcome::Outcome;
use futures_util::{
    FutureExt,
    future::{Either, join_all, select},
};
use serde_json::json;
use sources::{Answer, Problem, Question, Sources};
use tokio::time::{Instant, sleep};

use crate::{
    games::{Game, games},
    lies::MUTATIONS,
    memory::Since,
    server::Server,
    tricks::TRICKS,
    world::{TRAFFIC, car_question, file, number, sources},
};

/// The source's deadline in its file.
const DEADLINE: Duration = Duration::from_millis(400);
/// What may pass beyond it (promise R4).
const MAY_BE_LATE: Duration = Duration::from_millis(50);
/// Questions at once.
const AT_ONCE: usize = 16;
/// Each trick of the connection is played so often for each thousand replies.
const TRICKS_PER_THOUSAND: usize = 1;
/// By how much the process may grow at any time, in kB: what is bounded for each question, for all at once, and the
/// allocator's ways.
const MAY_GROW_KB: u64 = 32 * 1024;

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
    let word = |at: usize, default| {
        let word = std::env::args().nth(at).map_or(Ok(default), |n| n.parse());
        word.expect("replies, seed and rounds, as numbers")
    };
    let (replies, seed) = (word(1, 100_000), word(2, 1));
    let (replies, rounds) = (
        usize::try_from(replies).unwrap(),
        usize::try_from(word(3, 40)).unwrap(),
    );
    let exceptions = Arc::new(Exceptions::default());
    let games: Vec<Arc<Game>> = games(seed).await.into_iter().map(Arc::new).collect();
    // What is loaded once, and what the allocator keeps, is not what a lie costs.
    let warming = replies.min(2000);
    lie(&games, warming, &exceptions).await;
    let since = Since::now();
    lie(&games, replies - warming, &exceptions).await;
    let tricked = trick((replies * TRICKS_PER_THOUSAND / 1000).max(1), &exceptions).await;
    let grown = since.grown_kb();
    match grown {
        None => eprintln!("  this system does not tell how much memory a process has"),
        Some(grown) if grown > MAY_GROW_KB => {
            exceptions.add(format!("the process had grown by {grown} kB at some time"));
        }
        Some(_) => {}
    }
    let beside = others::beside(rounds, seed).await;
    let exceptions = exceptions.0.lock().unwrap();
    for exception in exceptions.iter().take(10) {
        eprintln!("  {exception}");
    }
    let told = |game: &Arc<Game>| game.told.load(Ordering::Relaxed);
    let each: serde_json::Map<_, _> = games
        .iter()
        .map(|g| (g.name.to_owned(), told(g).into()))
        .collect();
    let line = json!({
        "rig": "sources",
        "n": games.iter().map(told).sum::<usize>() + tricked,
        "exceptions": exceptions.len(),
        "seed": seed,
        "lies": MUTATIONS.len(),
        "lies_in_session": peer::WAYS,
        "tricks": TRICKS.len(),
        "told": each,
        "grown_kb": grown,
        "peak_was_reset": since.is_reset,
        "rounds": rounds,
        "lies_beside": beside.as_ref().map(|b| b.lies),
        "others_p99_us": beside.as_ref().map(|b| [b.p99.0.as_micros(), b.p99.1.as_micros()]),
        "others_p99_ratio": beside.as_ref().map(|b| round(b.p99_ratio)),
        "others_p99_ratio_surely": beside.as_ref().map(|b| round(b.p99_ratio_surely)),
    });
    println!("{line}");
}

fn round(ratio: f64) -> f64 {
    (ratio * 1000.0).round() / 1000.0
}

/// Replies that arrive whole and are wrong, in all games at once.
async fn lie(games: &[Arc<Game>], replies: usize, exceptions: &Arc<Exceptions>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let workers = (0..AT_ONCE).map(|_| {
        let (games, asked, exceptions) = (games.to_vec(), Arc::clone(&asked), Arc::clone(exceptions));
        tokio::spawn(async move {
            loop {
                let n = asked.fetch_add(1, Ordering::Relaxed);
                if n >= replies {
                    return;
                }
                let game = turn(&games, n);
                let what = format!("{} {n}", game.name);
                ask(
                    &game.sources,
                    (game.question)(),
                    &what,
                    game.is_fooled,
                    &exceptions,
                )
                .await;
                if n % 1000 == 0 {
                    games.iter().for_each(|game| game.forget());
                }
                if (n + 1) % 10_000 == 0 {
                    eprintln!("  {} of {replies} lies", n + 1);
                }
            }
        })
    });
    join_all(workers).await;
}

/// Whose turn it is: of each hundred, as many as each game has percent, well mixed.
fn turn(games: &[Arc<Game>], n: usize) -> &Game {
    // 37 and 100 have no common divisor, so that all remainders come.
    let mut left = n * 37 % 100;
    for game in games {
        if left < game.percent {
            return game;
        }
        left -= game.percent;
    }
    &games[0]
}

/// Replies that never arrive whole, each by a source of its own: a broken connection shuts a source out for a while.
async fn trick(times: usize, exceptions: &Arc<Exceptions>) -> usize {
    for round in 0..times {
        let played = TRICKS.iter().map(|trick| async {
            let server = Server::always((trick.act)()).await;
            let sources = sources(&[file("traffic.toml", TRAFFIC, server.port())]);
            ask(&sources, car_question(), trick.name, is_found, exceptions).await;
        });
        for some in chunks(played.collect(), AT_ONCE) {
            join_all(some).await;
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

fn is_found(answer: &Answer) -> bool {
    answer.record.is_some() || answer.outcome == Outcome::Found
}

/// One question: nothing is believed, in time, and nobody panics.
async fn ask(
    sources: &Sources,
    question: Question,
    what: &str,
    is_fooled: fn(&Answer) -> bool,
    exceptions: &Exceptions,
) {
    let started = Instant::now();
    let asked = pin!(AssertUnwindSafe(sources.ask(question)).catch_unwind());
    let (answer, due) = match select(pin!(sleep(DEADLINE)), asked).await {
        // On a busy machine the timer itself comes late, and then nobody can be in time.
        Either::Left(((), asked)) => {
            let due = started.elapsed();
            (asked.await, due)
        }
        Either::Right((answer, _)) => (answer, DEADLINE),
    };
    let took = started.elapsed();
    // A panic over what the source said is caught by whoever asks it, and is a fault of ours all the same.
    let is_ours = |answer: &Answer| {
        let report = answer.report.as_ref();
        report.is_some_and(|report| report.problem == Problem::Unforeseen)
    };
    match answer {
        Err(_) => exceptions.add(format!("{what}: a panic")),
        Ok(answer) if is_ours(&answer) => exceptions.add(format!("{what}: a panic")),
        Ok(answer) if is_fooled(&answer) => {
            exceptions.add(format!("{what}: what is not so is {}", answer.outcome));
        }
        Ok(_) if took > due + MAY_BE_LATE => exceptions.add(format!("{what}: took {took:?}")),
        Ok(_) => {}
    }
}

/// The number of somebody who does not ask.
fn somebody_else(draw: u32) -> String {
    number(2 + u16::try_from(draw % 900).unwrap()).expose().to_owned()
}
