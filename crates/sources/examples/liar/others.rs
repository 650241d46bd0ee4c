//! What a lying source costs the others: the latency of one that behaves, beside one that behaves and beside one that
//! does not, with the same questions to both.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::{
    server::{Act, Heard, Server, json},
    tricks::TRICKS,
    world::{REGISTER, TRAFFIC, car_answer, car_question, file, match_question, sources},
};

/// Answers that are timed on each side.
const TIMED: usize = 3000;
/// Questions to the source that may lie, at once.
const BESIDE: usize = 8;

/// The p99 of the source that behaves, while the other one lies, by that while it does not.
pub(crate) async fn p99_ratio() -> f64 {
    let honest = p99(|_: &Heard| json(car_answer())).await;
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let lying = p99(move |_: &Heard| {
        let trick = &TRICKS[turn.fetch_add(1, Ordering::Relaxed) % TRICKS.len()];
        (trick.act)()
    })
    .await;
    lying.as_secs_f64() / honest.as_secs_f64()
}

async fn p99(beside: impl Fn(&Heard) -> Act + Send + Sync + 'static) -> Duration {
    let (other, register) = (
        Server::start(beside).await,
        Server::always(json(serde_json::json!({ "r": "1" }))).await,
    );
    let sources = Arc::new(sources(&[
        file("traffic.toml", TRAFFIC, other.port()),
        file("register.toml", REGISTER, register.port()),
    ]));
    let ended = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = (0..BESIDE)
        .map(|_| {
            let (sources, ended) = (Arc::clone(&sources), Arc::clone(&ended));
            tokio::spawn(async move {
                while !ended.load(Ordering::Relaxed) {
                    sources.ask(car_question()).await;
                    sleep(Duration::from_millis(2)).await;
                }
            })
        })
        .collect();
    let mut took = Vec::with_capacity(TIMED);
    for _ in 0..TIMED {
        let started = Instant::now();
        sources.ask(match_question(&[])).await;
        took.push(started.elapsed());
        sleep(Duration::from_millis(1)).await;
    }
    ended.store(true, Ordering::Relaxed);
    futures_util::future::join_all(asking).await;
    took.sort_unstable();
    took[TIMED * 99 / 100]
}
