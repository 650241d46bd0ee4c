//! A second exchange where the first is silent, and whose fault a timeout is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::{outcome::Outcome, time::ManualClock};
use sources::{Problem, Realm, Sources, Span};
use tokio::time::Instant;

use crate::{
    server::{Act, Server, http, json},
    world::{
        IMAGES, NOW, REVIEWS, TRAFFIC, car_answer, car_question, file, kinds, list_question, sources,
        sources_with,
    },
};

/// A server that does one thing after the other, and the last again and again.
async fn server(acts: Vec<Act>) -> Server {
    let next = AtomicUsize::new(0);
    Server::start(move |_| {
        let n = next.fetch_add(1, Ordering::SeqCst).min(acts.len() - 1);
        acts[n].clone()
    })
    .await
}

fn hedging(server: &Server) -> Sources {
    let text = TRAFFIC.replacen("deadline_ms", "hedge_ms = 60\ndeadline_ms", 1);
    sources(&[file("traffic.toml", &text, server.port())])
}

/// Begins to answer, and goes on after so many milliseconds.
fn slow() -> Act {
    let whole = http(
        "200 OK",
        "content-type: application/json\r\n",
        format!("{} ", car_answer()).as_bytes(),
    );
    Act::Drip(whole[..whole.len() - 1].to_vec(), 150)
}

#[tokio::test]
async fn the_second_answers_where_the_first_is_silent() {
    let server = server(vec![Act::Hang, json(car_answer())]).await;
    let sources = hedging(&server);
    let started = Instant::now();
    assert_eq!(sources.ask(car_question()).await.outcome, Outcome::Found);
    let took = started.elapsed();
    assert!(
        (60..300).contains(&(took.as_millis() as u64)),
        "within the deadline of 400 ms: {took:?}"
    );
    assert_eq!(server.requests().len(), 2);
    // The other's place was given back: as many can ask at once as before.
    let all = futures_util::future::join_all((0..4).map(|_| sources.ask(list_question()))).await;
    assert!(all.iter().all(|answer| answer.outcome != Outcome::Overloaded));
}

#[tokio::test]
async fn the_first_good_answer_counts() {
    // The first answers before the second, which never does.
    let patient = server(vec![slow(), Act::Hang]).await;
    assert_eq!(
        hedging(&patient).ask(car_question()).await.outcome,
        Outcome::Found
    );
    assert_eq!(patient.requests().len(), 2);

    // What the second says makes no sense, or breaks: the first is waited for.
    for bad in [json("nonsense"), Act::RawThenClose(Vec::new())] {
        let server = server(vec![slow(), bad]).await;
        assert_eq!(hedging(&server).ask(car_question()).await.outcome, Outcome::Found);
    }

    // Both fail: what the first said stands.
    let both = server(vec![Act::Hang, Act::RawThenClose(Vec::new())]).await;
    let answer = hedging(&both).ask(car_question()).await;
    assert_eq!(answer.report.unwrap().problem, Problem::DeadlinePassed);
}

#[tokio::test]
async fn nothing_is_asked_twice_without_need() {
    let quick = server(vec![json(car_answer())]).await;
    hedging(&quick).ask(car_question()).await;
    assert_eq!(quick.requests().len(), 1);

    let broken = server(vec![Act::RawThenClose(Vec::new())]).await;
    assert_eq!(
        hedging(&broken).ask(car_question()).await.outcome,
        Outcome::Broken
    );
    assert_eq!(broken.requests().len(), 1, "a failure is no silence");

    let silent = Server::always(Act::Hang).await;
    let sources = sources(&[file("traffic.toml", TRAFFIC, silent.port())]);
    sources.ask(car_question()).await;
    assert_eq!(silent.requests().len(), 1, "not without hedge_ms");

    let narrow = TRAFFIC
        .replacen("deadline_ms", "hedge_ms = 60\ndeadline_ms", 1)
        .replace("concurrency = 4", "concurrency = 1");
    let silent = Server::always(Act::Hang).await;
    crate::world::sources(&[file("traffic.toml", &narrow, silent.port())])
        .ask(car_question())
        .await;
    assert_eq!(silent.requests().len(), 1, "there is no second place");
}

#[tokio::test]
async fn what_is_handed_in_is_handed_in_once() {
    let silent = Server::always(Act::Hang).await;
    let text = TRAFFIC.replacen("deadline_ms", "hedge_ms = 60\ndeadline_ms", 1) + IMAGES + REVIEWS;
    let sources = sources(&[file("traffic.toml", &text, silent.port())]);
    let review = sources::ReviewQuestion {
        lookup: car_question().lookup,
        source: "test-traffic".to_owned(),
        kind: "car".to_owned(),
        person: crate::world::person(),
        number: "R-1".to_owned(),
        source_number: None,
        text: "wrong".to_owned(),
        images: Vec::new(),
        deadline: Instant::now() + Duration::from_secs(5),
    };
    assert!(sources.submit(&review).await.is_err());
    assert_eq!(silent.requests().len(), 1);
}

#[test]
fn the_delay_is_less_than_the_deadline() {
    for (said, sound) in [("0", false), ("1", true), ("399", true), ("400", false)] {
        let text = TRAFFIC.replacen("deadline_ms", &format!("hedge_ms = {said}\ndeadline_ms"), 1);
        let clock = Arc::new(ManualClock::new(NOW));
        let files = [file("traffic.toml", &text, 1)];
        let compiled = Sources::new(&files, kinds(), Realm::Demo, clock, [7; 32]);
        assert_eq!(compiled.is_ok(), sound, "{said}");
    }
}

#[tokio::test]
async fn a_source_is_blamed_only_for_its_own_time() {
    let silent = Server::always(Act::Hang).await;
    let clock = Arc::new(ManualClock::new(NOW));
    let sources = sources_with(&[file("traffic.toml", TRAFFIC, silent.port())], clock);
    let asked = || sources.measured("test-traffic", "car", Span::Day).asked;
    let ask = async |millis| {
        let mut question = car_question();
        question.deadline = Instant::now() + Duration::from_millis(millis);
        let answer = sources.ask(question).await;
        assert_ne!(answer.outcome, Outcome::Found);
        answer.report.unwrap().problem
    };
    for _ in 0..30 {
        assert_eq!(ask(20).await, Problem::OwnTimeOver, "of its 400 ms");
    }
    assert_eq!(ask(0).await, Problem::OwnTimeOver);
    assert_eq!(asked(), 0);
    for _ in 0..10 {
        assert_eq!(ask(260).await, Problem::DeadlinePassed);
    }
    assert_eq!(asked(), 10);
    assert_eq!(ask(260).await, Problem::BreakerOpen);
}
