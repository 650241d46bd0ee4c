//! What a lying source costs the others: the latency of one that behaves, beside one that behaves and beside one that
//! does not, with the same questions to both.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sources::Sources;
use tokio::time::{Instant, sleep};

use crate::{
    lies::{self, MUTATIONS},
    server::{Act, Heard, Server, json},
    tricks::TRICKS,
    world::{REGISTER, TRAFFIC, car_answer, car_question, file, match_question, sources},
};

/// Answers that are timed on each side.
const TIMED: usize = 3000;
/// Questions to the source that may lie, at once, and as many to others like it that are known to nobody yet: one that
/// is known to be broken is hardly asked any more.
const BESIDE: usize = 8;
/// So often a source is asked before another takes its place, which is before its breaker opens.
const ASKED: usize = 8;

/// What was found.
pub(crate) struct Beside {
    /// The p99 of the source that behaves, while others lie, by that while they do not.
    pub(crate) p99_ratio: f64,
    /// How often others lied meanwhile.
    pub(crate) lies: usize,
}

/// Times the source that behaves, without and with lies beside it.
pub(crate) async fn beside(seed: u64) -> Beside {
    let honest = p99(|_: &Heard| json(car_answer())).await;
    let (turn, dice) = (
        Arc::new(AtomicUsize::new(0)),
        Mutex::new(ChaCha20Rng::seed_from_u64(seed)),
    );
    let turns = Arc::clone(&turn);
    let lying = p99(move |_: &Heard| {
        let turn = turns.fetch_add(1, Ordering::Relaxed);
        match turn % 2 {
            0 => (TRICKS[turn / 2 % TRICKS.len()].act)(),
            _ => Act::Json(lies::record(
                &mut dice.lock().unwrap(),
                MUTATIONS[turn / 2 % MUTATIONS.len()],
            )),
        }
    })
    .await;
    Beside {
        p99_ratio: lying.as_secs_f64() / honest.as_secs_f64(),
        lies: turn.load(Ordering::Relaxed),
    }
}

async fn p99(beside: impl Fn(&Heard) -> Act + Send + Sync + 'static) -> Duration {
    let (other, register) = (
        Server::start(beside).await,
        Server::always(json(serde_json::json!({ "r": "1" }))).await,
    );
    let known = Arc::new(sources(&[
        file("traffic.toml", TRAFFIC, other.port()),
        file("register.toml", REGISTER, register.port()),
    ]));
    let ended = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = (0..2 * BESIDE)
        .map(|at| {
            let (known, ended, port) = (Arc::clone(&known), Arc::clone(&ended), other.port());
            tokio::spawn(async move {
                while !ended.load(Ordering::Relaxed) {
                    if at < BESIDE {
                        ask(&known).await;
                    } else {
                        ask(&sources(&[file("traffic.toml", TRAFFIC, port)])).await;
                    }
                }
            })
        })
        .collect();
    let mut took = Vec::with_capacity(TIMED);
    for _ in 0..TIMED {
        let started = Instant::now();
        known.ask(match_question(&[])).await;
        took.push(started.elapsed());
        sleep(Duration::from_millis(1)).await;
    }
    ended.store(true, Ordering::Relaxed);
    join_all(asking).await;
    took.sort_unstable();
    took[TIMED * 99 / 100]
}

/// Some questions, one after the other.
async fn ask(sources: &Sources) {
    for _ in 0..ASKED {
        sources.ask(car_question()).await;
        sleep(Duration::from_millis(2)).await;
    }
}
