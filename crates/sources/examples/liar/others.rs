//! What a lying source costs the others: the latency of one that behaves, beside one that behaves and beside one that
//! does not.
//!
//! Both sides are asked the same, and as often, whatever becomes of it. Whoever asked again only when they are answered
//! would ask an honest source far more often than one that hangs, and the side without lies would be the busy one.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::outcome::Outcome;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sources::Sources;
use tokio::{
    task::JoinSet,
    time::{Instant, Interval, MissedTickBehavior, interval},
};

use crate::{
    DEADLINE,
    lies::{self, MUTATIONS},
    server::{Act, Heard, Server, json},
    tricks::TRICKS,
    world::{REGISTER, TRAFFIC, car_answer, car_question, file, match_question, sources},
};

/// Answers that are timed on each side in each round.
const TIMED: usize = 500;
/// How often the source that behaves is asked.
const EVERY: Duration = Duration::from_millis(2);
/// How often the other one is asked, by whom knows it, and as often by strangers: one that is known to be broken is
/// hardly asked any more.
const BESIDE_EVERY: Duration = Duration::from_millis(10);
/// So often a stranger asks before another takes its place, which is before its breaker opens.
const ASKED: usize = 8;
/// Strangers of a round, made before anything is timed: 1 s / 10 ms / 8, and a few for a machine that is slow.
const STRANGERS: usize = 20;

/// What was found.
pub(crate) struct Beside {
    /// The p99 of the source that behaves beside one that does, and beside one that lies: the middle ones of all rounds.
    pub(crate) p99: (Duration, Duration),
    /// The middle one of the rounds' own ratios.
    pub(crate) p99_ratio: f64,
    /// The ratio that two rounds in three exceed. What else the machine does meets both sides of a round, or now the one
    /// and now the other; what lies cost meets the same side in most rounds.
    pub(crate) p99_ratio_surely: f64,
    /// How often others lied meanwhile.
    pub(crate) lies: usize,
}

/// Times the source that behaves so many times on each side, by turns; nothing without a round.
pub(crate) async fn beside(rounds: usize, seed: u64) -> Option<Beside> {
    let turn = Arc::new(AtomicUsize::new(0));
    let register = Server::always(json(serde_json::json!({ "r": "1" }))).await;
    let honest = Server::start(|_: &Heard| json(car_answer())).await;
    let lying = liar(seed, Arc::clone(&turn)).await;
    let mut timed = vec![];
    for round in 0..rounds {
        let (one, other) = match round % 2 {
            0 => (&honest, &lying),
            _ => (&lying, &honest),
        };
        let (one, other) = (p99(&register, one).await, p99(&register, other).await);
        timed.push(if round % 2 == 0 {
            (one, other)
        } else {
            (other, one)
        });
        if (round + 1) % 10 == 0 {
            eprintln!("  {} of {rounds} rounds beside others", round + 1);
        }
    }
    let ratio = |(honest, lying): &(Duration, Duration)| lying.as_secs_f64() / honest.as_secs_f64();
    let mut ratios: Vec<f64> = timed.iter().map(ratio).collect();
    ratios.sort_by(f64::total_cmp);
    let (mut honest, mut lying): (Vec<_>, Vec<_>) = timed.into_iter().unzip();
    honest.sort_unstable();
    lying.sort_unstable();
    Some(Beside {
        p99: (*honest.get(rounds / 2)?, *lying.get(rounds / 2)?),
        p99_ratio: *ratios.get(rounds / 2)?,
        p99_ratio_surely: *ratios.get(rounds / 3)?,
        lies: turn.load(Ordering::Relaxed),
    })
}

/// One that lies and plays tricks by turns.
async fn liar(seed: u64, turn: Arc<AtomicUsize>) -> Server {
    let dice = Mutex::new(ChaCha20Rng::seed_from_u64(seed));
    Server::start(move |_: &Heard| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        match turn % 2 {
            0 => (TRICKS[turn / 2 % TRICKS.len()].act)(),
            _ => Act::Json(lies::record(
                &mut dice.lock().unwrap(),
                MUTATIONS[turn / 2 % MUTATIONS.len()],
            )),
        }
    })
    .await
}

/// The p99 of one round of the register, beside this other source.
async fn p99(register: &Server, other: &Server) -> Duration {
    let traffic = || file("traffic.toml", TRAFFIC, other.port());
    let register = file("register.toml", REGISTER, register.port());
    let known = Arc::new(sources(&[traffic(), register]));
    let strangers = (0..STRANGERS).map(|_| Arc::new(sources(&[traffic()])));
    let asking = tokio::spawn(ask(Arc::clone(&known), strangers.collect()));
    let mut due = each(EVERY);
    let mut took = Vec::with_capacity(TIMED);
    for _ in 0..TIMED {
        due.tick().await;
        let started = Instant::now();
        let answer = known.ask(match_question(&[])).await;
        took.push(match answer.outcome {
            Outcome::Match => started.elapsed(),
            // Who is turned away at once has not been served quickly.
            _ => DEADLINE,
        });
    }
    asking.abort();
    other.heard.lock().unwrap().clear();
    took.sort_unstable();
    took[TIMED * 99 / 100]
}

/// Asks the other source on and on, at its pace and not at the answers'.
async fn ask(known: Arc<Sources>, strangers: Vec<Arc<Sources>>) {
    let mut due = each(BESIDE_EVERY);
    let mut under_way = JoinSet::new();
    for asked in 0.. {
        due.tick().await;
        let stranger = &strangers[asked / ASKED % STRANGERS];
        for sources in [&known, stranger] {
            let sources = Arc::clone(sources);
            under_way.spawn(async move { sources.ask(car_question()).await });
        }
        while under_way.try_join_next().is_some() {}
    }
}

/// What is late is not made up for: that would be a burst.
fn each(period: Duration) -> Interval {
    let mut due = interval(period);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    due
}
