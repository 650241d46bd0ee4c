//! A second source that is asked beside the one that answers: what it says is carried along, and what it does wrong
//! harms nobody.

use std::{sync::Arc, time::Duration};

use domain::{
    beside::Told,
    outcome::Outcome,
    words::{AskedFreshness, Mode},
};
use serde_json::{Value as Json, json as value};
use sources::{Answer, AskedBeside, Question, Realm, SourceFile, Sources, Span, Wanted};
use tokio::time::Instant;

use crate::{
    files::error_of,
    server::{Act, Server, json},
    world::{TRAFFIC, car_answer, car_question, file, number, sources},
};

const INSURERS: &str = include_str!("data/insurers.toml");

/// Both sources, the second with a change.
fn both(traffic: &Server, insurers: &Server, from: &str, to: &str) -> Sources {
    let beside = INSURERS.replace(from, to);
    let files: [SourceFile; 2] = [
        file("traffic.toml", TRAFFIC, traffic.port()),
        file("insurers.toml", &beside, insurers.port()),
    ];
    sources(&files)
}

/// What the insurers hold: another date of registration, another number of seats, the same tax.
fn insurers_answer() -> Json {
    value!({
        "code": 0, "sj": "2026-11-21 03:00:00",
        "d": { "djrq": "2020-03-01", "zw": 7, "se": 300.5, "syr": number(1).expose() },
    })
}

fn asked(answer: &Answer) -> &AskedBeside {
    let [one] = answer.beside.as_slice() else {
        panic!("one was to be asked beside: {:?}", answer.beside);
    };
    one
}

fn stands(told: &[Told]) -> Vec<(String, &str)> {
    let by = |told: &Told| if told.by.is_some() { "insurers" } else { "record" };
    told.iter()
        .map(|told| (told.value.text().into_owned(), by(told)))
        .collect()
}

#[tokio::test]
async fn what_differs_is_carried_with_its_source_and_the_leading_value_first() {
    let traffic = Server::always(json(car_answer())).await;
    let insurers = Server::always(json(insurers_answer())).await;
    let sources = both(&traffic, &insurers, "", "");
    let question = car_question();
    let kind = Arc::clone(&question.kind);
    let answer = sources.ask(question).await;
    assert_eq!(answer.provenance.as_ref().unwrap().source, "test-traffic");
    let said = asked(&answer).said.clone().unwrap();
    assert_eq!(
        (said.by.source.as_str(), said.by.mapping_version),
        ("test-insurers", 2)
    );
    assert!(said.by.as_of.unwrap() < answer.provenance.unwrap().as_of.unwrap());
    let mut record = answer.record.unwrap();
    let sayings = record.compare(&kind.kind, vec![said]);
    assert_eq!(
        sayings.len(),
        2,
        "the tax is the same, and the owner is nobody's to see: {sayings:?}"
    );
    assert_eq!(
        stands(&sayings["registered_on"]),
        [("2020-02-29".into(), "record"), ("2020-03-01".into(), "insurers")]
    );
    assert_eq!(
        stands(&sayings["seats"]),
        [("7".into(), "insurers"), ("5".into(), "record")],
        "a file says who leads"
    );
    assert_eq!(record.0["seats"].text(), "7");
}

#[tokio::test]
async fn one_that_is_slow_is_left_out_and_delays_no_more_than_it_may() {
    let traffic = Server::always(json(car_answer())).await;
    for (wait, least, most) in [("200", 200, 400), ("0", 0, 150)] {
        let hangs = Server::always(Act::Hang).await;
        let sources = both(&traffic, &hangs, "wait_ms = 200", &format!("wait_ms = {wait}"));
        sources.ask(car_question()).await;
        let started = Instant::now();
        let answer = sources.ask(car_question()).await;
        let elapsed = started.elapsed();
        assert!(
            elapsed >= Duration::from_millis(least) && elapsed < Duration::from_millis(most),
            "{elapsed:?}"
        );
        assert_eq!(answer.outcome, Outcome::Found);
        assert_eq!(
            (asked(&answer).outcome, &asked(&answer).said),
            (Outcome::TimedOut, &None)
        );
        let measured = sources.measured("test-insurers", "car", Span::Day);
        assert_eq!(measured.asked, 0, "it had not its own time, and is not blamed");
    }
}

#[tokio::test]
async fn what_it_says_wrong_is_dropped_and_the_answer_stands() {
    let traffic = Server::always(json(car_answer())).await;
    let with = |member: &str, to: Json| {
        let mut answer = insurers_answer();
        answer["d"][member] = to;
        json(answer)
    };
    let cases = [
        (Act::RawThenClose(vec![]), Outcome::Broken),
        (json("{\"code\": 0"), Outcome::BadAnswer),
        (json(value!({ "code": 2 })), Outcome::Maintenance),
        (json(value!({ "code": 1 })), Outcome::NotFound),
        (with("syr", value!(number(2).expose())), Outcome::NotFound),
        (with("syr", Json::Null), Outcome::NotFound),
        (with("zw", value!("many")), Outcome::BadAnswer),
        (with("djrq", value!("2020-02-30")), Outcome::BadAnswer),
    ];
    for (act, outcome) in cases {
        let insurers = Server::always(act).await;
        let answer = both(&traffic, &insurers, "", "").ask(car_question()).await;
        assert_eq!(
            (answer.outcome, asked(&answer).outcome),
            (Outcome::Found, outcome)
        );
        assert_eq!(asked(&answer).said, None, "{outcome}");
    }
}

#[tokio::test]
async fn it_is_never_asked_instead() {
    let insurers = Server::always(json(insurers_answer())).await;
    for (act, outcome) in [
        (Act::RawThenClose(vec![]), Outcome::Broken),
        (json(value!({ "code": 1 })), Outcome::NotFound),
    ] {
        let traffic = Server::always(act).await;
        let answer = both(&traffic, &insurers, "", "").ask(car_question()).await;
        assert_eq!((answer.outcome, answer.beside), (outcome, vec![]));
    }
    let slow = Server::always(Act::Hang).await;
    let started = Instant::now();
    let answer = both(&slow, &insurers, "", "").ask(car_question()).await;
    assert_eq!(answer.outcome, Outcome::TimedOut);
    assert!(
        started.elapsed() < Duration::from_millis(600),
        "it is not waited for where nothing can be compared"
    );
}

#[tokio::test]
async fn it_is_asked_only_for_what_it_holds_and_where_it_is_wanted() {
    let traffic = Server::always(json(car_answer())).await;
    let insurers = Server::always(json(insurers_answer())).await;
    let brand = Question {
        fields: Arc::from(["brand".to_owned()]),
        ..car_question()
    };
    let live = Question {
        wanted: Wanted {
            freshness: AskedFreshness::Realtime,
            region: None,
        },
        ..car_question()
    };
    let rule = Question {
        mode: Mode::Predicate,
        fields: Arc::default(),
        ..car_question()
    };
    let daily = both(&traffic, &insurers, "\"realtime\"", "\"daily\"");
    let elsewhere = both(
        &traffic,
        &insurers,
        "\"realtime\"",
        "\"realtime\"\nregions = [\"31\"]",
    );
    assert_eq!(daily.ask(brand).await.beside, vec![]);
    assert_eq!(
        daily.ask(live).await.beside,
        vec![],
        "nothing staler than was accepted"
    );
    assert_eq!(
        daily.ask(rule).await.beside,
        vec![],
        "no rule looks at what it holds"
    );
    assert_eq!(elsewhere.ask(car_question()).await.beside, vec![]);
    assert!(insurers.requests().is_empty());
    assert!(asked(&daily.ask(car_question()).await).said.is_some());
}

#[test]
fn a_file_that_cannot_stand_beside_is_refused() {
    let refused = |from: &str, to: &str, words: &str| {
        error_of(INSURERS, Realm::Demo, from, to, words);
    };
    refused("owner = \"/d/syr\"", "", "map one of");
    refused(
        "seats = \"/d/zw\"",
        "states = \"/d/zt\"",
        "lists and images are not compared",
    );
    refused(
        "leads = [\"seats\"]",
        "leads = [\"owner\"]",
        "leads: owner is no field",
    );
    refused(
        "leads = [\"seats\"]",
        "leads = [\"vin\"]",
        "leads: vin is no field",
    );
    refused("wait_ms = 200", "wait_ms = 1001", "wait_ms: at most 1000");
    refused("beside = true\n", "", "belong to a route with beside = true");
    refused("mode = \"read\"", "mode = \"list\"", "only in mode read");
    refused("version = 2", "version = 2", "no other source serves it");
}
