//! A panic in the middle of asking, of handing in a review or of fetching an image: it is that source's bad answer,
//! and nobody else's loss. What panics here is the clock, which a test may plant.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    outcome::Outcome,
    time::{Clock, Timestamp},
};
use sources::{Answer, NoReply, Problem, Realm, ReviewReply, ReviewStatus, SourceFile, Sources};

use crate::{
    auth::hmac,
    images::image_question,
    reviews::review,
    server::{Act, Server, json},
    world::{
        CARRIER, IMAGES, NOW, REGISTER, REVIEWS, TRAFFIC, car_answer, car_question, file, kinds,
        match_question, text,
    },
};

/// All of a PNG that is looked at: its head, which says 96 by 120 pixels.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x60\0\0\0\x78";

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

/// The source with what is appended to its file, which is shown a hash over the time with each request.
fn signed(table: &str, port: u16) -> (Sources, Arc<Planted>) {
    let text = format!("{TRAFFIC}{table}{}", hmac("sha256", "a secret that is long"));
    planted(&[file("traffic.toml", &text, port)])
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
    let (sources, clock) = signed("", server.port());
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
    let (sources, clock) = signed("", server.port());
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

#[tokio::test]
async fn a_panic_over_a_review_is_no_reply_and_the_next_one_is_heard() {
    let words = serde_json::json!({ "code": 0, "d": { "slh": "SLH-7", "zt": 0, "bh": "FH-0000-0000-0001" } });
    let server = Server::always(json(words)).await;
    let (sources, clock) = signed(REVIEWS, server.port());
    let no_reply = |no: NoReply| (no.outcome, no.report.map(|report| report.problem));
    // Before the source is spoken to, and while it is.
    for look in 1..=2 {
        clock.panics_at(look);
        let handed_in = sources.submit(&review()).await;
        assert_eq!(handed_in.map_err(no_reply), Err(UNFORESEEN), "{look}");
        clock.panics_at(look);
        let status = sources.review_status(&review()).await;
        assert_eq!(status.map_err(no_reply), Err(UNFORESEEN), "{look}");
        let handed_in = sources.submit(&review()).await;
        let accepted = ReviewReply::Accepted("SLH-7".to_owned());
        assert_eq!(handed_in.map_err(no_reply), Ok(accepted), "{look}");
        let status = sources.review_status(&review()).await;
        assert_eq!(status.map_err(no_reply), Ok(ReviewStatus::Pending), "{look}");
    }
}

#[tokio::test]
async fn a_panic_over_an_image_is_no_image_and_the_next_one_is_given() {
    let words = serde_json::json!({ "code": 0, "d": { "tp": STANDARD.encode(PNG) } });
    let server = Server::always(json(words)).await;
    let (sources, clock) = signed(IMAGES, server.port());
    // Before the source is spoken to, and while it is.
    for look in 1..=2 {
        clock.panics_at(look);
        let none = sources.image(&image_question(PNG)).await.unwrap_err();
        let told = (none.outcome, none.report.map(|report| report.problem));
        assert_eq!(told, UNFORESEEN, "{look}");
        let image = sources.image(&image_question(PNG)).await.unwrap();
        assert_eq!(image.bytes, PNG, "{look}");
    }
}
