//! A panic in the middle of asking: it is that source's bad answer, and nobody else's loss. What panics here is the
//! clock, which a test may plant.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use domain::{
    outcome::Outcome,
    time::{Clock, Timestamp},
};
use sources::{Answer, Problem, Realm, SourceFile, Sources};

use crate::{
    auth::hmac,
    server::{Act, Server, json},
    world::{CARRIER, NOW, REGISTER, TRAFFIC, car_answer, car_question, file, kinds, match_question, text},
};

/// Stands still, and panics once at the look at it that it was told.
#[derive(Default)]
struct Planted(AtomicI64);

impl Planted {
    fn panics_at(&self, look: i64) {
        self.0.store(look, Ordering::SeqCst);
    }
}

impl Clock for Planted {
    fn now(&self) -> Timestamp {
        let left = self.0.fetch_sub(1, Ordering::SeqCst);
        assert_ne!(left, 1, "planted");
        NOW
    }
}

fn planted(files: &[SourceFile]) -> (Sources, Arc<Planted>) {
    let clock = Arc::new(Planted::default());
    let sources = Sources::new(files, kinds(), Realm::Demo, clock.clone(), [7; 32]);
    (sources.unwrap(), clock)
}

fn told(answer: &Answer) -> (Outcome, Option<Problem>) {
    (
        answer.outcome,
        answer.report.as_ref().map(|report| report.problem),
    )
}

const UNFORESEEN: (Outcome, Option<Problem>) = (Outcome::BadAnswer, Some(Problem::Unforeseen));

#[tokio::test]
async fn a_panic_is_a_bad_answer_wherever_it_comes_and_the_next_question_is_answered() {
    let server = Server::always(json(car_answer())).await;
    let signed = format!("{TRAFFIC}{}", hmac("sha256", "a secret that is long"));
    let (sources, clock) = planted(&[file("traffic.toml", &signed, server.port())]);
    // Before it is asked, while it is asked, and while its answer is read.
    for look in 1..=3 {
        clock.panics_at(look);
        assert_eq!(told(&sources.ask(car_question()).await), UNFORESEEN, "{look}");
        let next = sources.ask(car_question()).await;
        assert_eq!(told(&next), (Outcome::Found, None), "{look}");
    }
}

#[tokio::test]
async fn who_is_asked_beside_it_is_not_harmed() {
    let server = Server::always(json(serde_json::json!({ "r": "1" }))).await;
    let (sources, clock) = planted(&[
        file("register.toml", REGISTER, server.port()),
        file("carrier.toml", CARRIER, server.port()),
    ]);
    clock.panics_at(1);
    let question = || match_question(&[("phone", text("13800138000"))]);
    let answer = sources.ask(question()).await;
    assert_eq!(told(&answer), UNFORESEEN);
    let heard: Vec<_> = server.requests().into_iter().map(|heard| heard.path).collect();
    assert_eq!(heard, ["/phone"], "the other was asked to the end");
    assert_eq!(sources.ask(question()).await.outcome, Outcome::Match);
}

/// As any other answer that makes no sense it says that the source is there: it neither shuts the source out nor counts
/// for nothing.
#[tokio::test]
async fn it_counts_for_the_breaker_as_a_bad_answer() {
    let server = Server::always(Act::RawThenClose(Vec::new())).await;
    let signed = format!("{TRAFFIC}{}", hmac("sha256", "a secret that is long"));
    let (sources, clock) = planted(&[file("traffic.toml", &signed, server.port())]);
    let broken = (Outcome::Broken, Some(Problem::ConnectionBroken));
    for n in 0..9 {
        assert_eq!(told(&sources.ask(car_question()).await), broken, "{n}");
    }
    for n in 0..20 {
        clock.panics_at(2);
        assert_eq!(told(&sources.ask(car_question()).await), UNFORESEEN, "{n}");
    }
    // Of the last twenty questions one has failed, and not ten.
    for n in 0..2 {
        assert_eq!(told(&sources.ask(car_question()).await), broken, "{n}");
    }
}
