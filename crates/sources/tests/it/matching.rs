//! Mode `match`: which sources are asked for which claims, and what their answers amount to.

use bytes::Bytes;
use domain::{kind::Value, outcome::Outcome, words::Freshness};
use jiff::civil::date;
use serde_json::{Value as Json, json};
use sources::{Question, Sources, Span};
use tokio::time::Instant;

use crate::{
    server::{Act, Server, json},
    world::{CARRIER, REGISTER, file, match_question, sources, text},
};

/// The register and the carrier behind one server, which answers by path.
async fn world(base: &'static str, face: &'static str, phone: &'static str) -> (Sources, Server) {
    let server = Server::start(move |heard| match heard.path.as_str() {
        "/base" => reply(base),
        "/face" => reply(face),
        _ => reply(phone),
    })
    .await;
    let files = [
        file("register.toml", REGISTER, server.port()),
        file("carrier.toml", CARRIER, server.port()),
    ];
    (sources(&files), server)
}

fn reply(code: &str) -> Act {
    match code {
        "hang" => Act::Hang,
        "close" => Act::RawThenClose(Vec::new()),
        code => json(json!({ "r": code })),
    }
}

fn phone() -> (&'static str, Value) {
    ("phone", text("13800138000"))
}

fn with_portrait(mut question: Question) -> Question {
    let image = Value::Image {
        digest: "0".repeat(64),
        handle: "h".to_owned(),
    };
    question.claims.insert("portrait".to_owned(), image);
    question.portrait = Some(Bytes::from_static(&[0xff, 0xd8, 0xff, 0x00]));
    question
}

#[tokio::test]
async fn each_claim_goes_to_who_covers_it_and_only_there() {
    let (sources, server) = world("1", "1", "1").await;
    let valid_until = ("valid_until", Value::Date(date(2030, 1, 2)));
    let question = with_portrait(match_question(&[phone(), valid_until]));
    let answer = sources.ask(question).await;
    assert_eq!(answer.outcome, Outcome::Match);
    assert_eq!(answer.provenance.unwrap().source, "test-register");
    let mut heard = server.requests();
    heard.sort_by(|a, b| a.path.cmp(&b.path));
    let said: Vec<(String, Json)> = heard
        .iter()
        .map(|h| (h.path.clone(), serde_json::from_slice(&h.body).unwrap()))
        .collect();
    let paths: Vec<_> = said.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["/base", "/face", "/phone"]);
    assert_eq!(said[0].1["yxq"], "2030-01-02");
    assert_eq!(said[1].1["zp"], "/9j/AA==");
    assert_eq!(said[2].1["sjh"], "13800138000");
    for (path, body) in &said {
        assert_eq!(body["xm"], "甲某", "{path}");
        assert_eq!(body["sjh"].is_null(), path != "/phone");
    }
}

#[tokio::test]
async fn a_claim_of_the_base_that_is_not_made_cannot_be_compared() {
    let (sources, server) = world("1", "1", "1").await;
    assert_eq!(
        sources.ask(match_question(&[phone()])).await.outcome,
        Outcome::Match
    );
    let base = server.requests().into_iter().find(|h| h.path == "/base").unwrap();
    let body: Json = serde_json::from_slice(&base.body).unwrap();
    assert!(body.get("yxq").is_none(), "a claim that is not made is not sent");
}

#[tokio::test]
async fn the_worst_answer_counts() {
    let cases = [
        ("1", "1", "1", Outcome::Match),
        ("1", "1", "2", Outcome::Mismatch),
        ("2", "1", "1", Outcome::Mismatch),
        ("3", "1", "2", Outcome::Mismatch),
        ("3", "1", "1", Outcome::NotFound),
        ("2", "2", "3", Outcome::FaceBelowThreshold),
        ("9", "2", "2", Outcome::Overloaded),
        ("2", "1", "close", Outcome::Broken),
        ("2", "hang", "9", Outcome::BadAnswer),
        ("2", "hang", "2", Outcome::TimedOut),
        ("?", "hang", "close", Outcome::BadAnswer),
    ];
    for (base, face, carrier, outcome) in cases {
        let (sources, _server) = world(base, face, carrier).await;
        let answer = sources.ask(with_portrait(match_question(&[phone()]))).await;
        assert_eq!(answer.outcome, outcome, "{base} {face} {carrier}");
        assert!(answer.record.is_none());
    }
}

#[tokio::test]
async fn all_are_asked_at_once() {
    let (sources, server) = world("hang", "hang", "hang").await;
    let started = Instant::now();
    let answer = sources.ask(with_portrait(match_question(&[phone()]))).await;
    assert_eq!(answer.outcome, Outcome::TimedOut);
    assert!(started.elapsed().as_millis() < 500);
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_claim_that_nobody_covers_is_not_asked() {
    let server = Server::always(reply("1")).await;
    let sources = sources(&[file("register.toml", REGISTER, server.port())]);
    assert_eq!(
        sources.ask(match_question(&[phone()])).await.outcome,
        Outcome::NotCovered
    );
    assert_eq!(server.requests().len(), 0);
    assert_eq!(sources.ask(match_question(&[])).await.outcome, Outcome::Match);
}

#[tokio::test]
async fn a_portrait_without_its_picture_cannot_be_compared() {
    let (sources, server) = world("1", "1", "1").await;
    for portrait in [None, Some(Bytes::from(vec![0; (4 << 20) + 1]))] {
        let question = Question {
            portrait,
            ..with_portrait(match_question(&[]))
        };
        assert_eq!(sources.ask(question).await.outcome, Outcome::CannotCompare);
    }
    assert!(server.requests().iter().all(|h| h.path == "/base"));
}

/// Whoever may ask whether a name and a number belong together, and is denied the answer, could look for it in what is
/// measured of a register that nobody else asks.
#[tokio::test]
async fn nothing_that_is_told_of_a_source_sets_a_yes_apart_from_a_no() {
    const STALE: Option<&str> = Some("2026-11-17 10:00:00");
    let claims = "claims = [\"valid_until\"]";
    let dated = REGISTER.replacen(claims, &format!("{claims}\nanswer = {{ as_of = \"/sj\" }}"), 1);
    let asked = async |code: &str, as_of: Option<&str>, times: usize| {
        let server = Server::always(json(json!({ "r": code, "sj": as_of }))).await;
        let sources = sources(&[file("register.toml", &dated, server.port())]);
        for _ in 0..times {
            let answer = sources.ask(match_question(&[])).await;
            let is_yes = answer.outcome == Outcome::Match;
            assert!(is_yes || answer.outcome == Outcome::Mismatch);
            assert_eq!(answer.provenance.unwrap().as_of.is_some(), is_yes);
        }
        sources
    };
    let (register, kind) = ("test-register", "person");
    let measured = |sources: &Sources| sources.measured(register, kind, Span::Day);
    let told = |sources: &Sources| sources.told(register, kind, Span::Day);
    let is_stale = |sources: &Sources| sources.is_drifting(register, kind, Freshness::Realtime);
    for times in [1, 25] {
        let (yes, no) = (asked("1", STALE, times).await, asked("2", STALE, times).await);
        assert_eq!(measured(&yes), measured(&no), "{times}");
        assert_eq!(
            (measured(&yes).dated(), is_stale(&yes)),
            (times as u64, times > 3)
        );
        let undated = asked("2", None, times).await;
        for sources in [&yes, &no, &undated] {
            assert_eq!(told(sources), told(&yes), "{times}");
            assert!(!sources.is_told_drifting(register, kind, Freshness::Realtime));
        }
        let told = told(&yes);
        assert_eq!(
            (told.answered, told.tells_age(), told.age(50)),
            (times as u64, None, None)
        );
    }
}
