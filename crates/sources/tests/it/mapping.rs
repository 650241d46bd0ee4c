//! What goes out and how an answer is read, word for word.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    identifiers::PersonName,
    outcome::Outcome,
    record::Authenticity,
    words::{Freshness, Mode},
};
use serde_json::{Value as Json, json};
use sources::Problem;

use crate::{
    server::{Server, json},
    world::{
        NOW, TRAFFIC, car_answer, car_question, file, list_question, number, sources, sources_with, text,
    },
};

async fn ask(question: sources::Question, answer: Json) -> (sources::Answer, Server) {
    let server = Server::always(json(answer)).await;
    let sources = sources(&[file("traffic.toml", TRAFFIC, server.port())]);
    // In a task of its own, as the server does: the future must be `Send`.
    let answer = tokio::spawn(async move { sources.ask(question).await }).await;
    (answer.unwrap(), server)
}

#[tokio::test]
async fn the_request_carries_what_the_file_says_and_nothing_in_its_address() {
    let (answer, server) = ask(car_question(), car_answer()).await;
    assert_eq!(answer.outcome, Outcome::Found);
    let heard = &server.requests()[0];
    assert_eq!(heard.path, "/traffic/car");
    assert!(heard.head.starts_with("POST ") && heard.head.contains("content-type: application/json"));
    let body: Json = serde_json::from_slice(&heard.body).unwrap();
    let expected = json!({
        "hphm": "京A12345", "hpzl": "02", "xm": "甲某", "sfz": number(1).expose(),
        "lsh": "09090909-0909-0909-0909-090909090909", "ver": "1\"0",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn every_type_and_format_is_read() {
    let (answer, _) = ask(car_question(), car_answer()).await;
    assert_eq!(answer.report, None);
    let read: BTreeMap<_, _> = answer
        .record
        .unwrap()
        .0
        .into_iter()
        .map(|(id, v)| (id, v.into_json()))
        .collect();
    let expected = json!({
        "plate": "京A12345", "plate_class": "02", "vin": "LSVAA49J132047371", "brand": "某牌", "fuel": "electric",
        "registered_on": "2020-02-29", "inspected_at": "2026-01-31T00:00:00Z", "seats": 5, "tax": 30050,
        "states": [{"state": "normal"}, {"state": "sealed"}],
        "visits": [{"place": "某地", "at": "2026-03-01T04:00:00Z", "cost": 1234},
                   {"place": "他处", "at": "2026-03-31T16:00:00Z"}],
        "owner": number(1).expose(),
    });
    assert_eq!(serde_json::to_value(&read).unwrap(), expected);
    let provenance = answer.provenance.unwrap();
    assert_eq!(
        (provenance.source.as_str(), provenance.mapping_version),
        ("test-traffic", 7)
    );
    assert_eq!(
        (provenance.freshness, provenance.authenticity),
        (Freshness::Realtime, Authenticity::Session)
    );
    assert_eq!(provenance.as_of.unwrap().rfc3339(), "2026-11-22T02:20:00Z");
}

#[tokio::test]
async fn absent_optional_fields_are_absent() {
    let mut answer = car_answer();
    for absent in [json!(null), json!("")] {
        answer["d"]["clsbdh"] = absent.clone();
        answer["d"]["se"] = absent;
        let (read, _) = ask(car_question(), answer.clone()).await;
        let record = read.record.unwrap().0;
        assert!(!record.contains_key("vin") && !record.contains_key("tax"));
    }
    answer["d"]["zt"] = json!("");
    let (read, _) = ask(car_question(), answer).await;
    assert_eq!(read.record.unwrap().0["states"].clone().into_json(), json!([]));
}

#[tokio::test]
async fn fields_that_nobody_asked_for_are_dropped_and_internal_ones_kept() {
    let mut question = car_question();
    question.fields = ["brand".to_owned()].into();
    let (answer, _) = ask(question.clone(), car_answer()).await;
    let record = answer.record.unwrap();
    let kept: Vec<&str> = record.0.keys().map(|id| &**id).collect();
    assert_eq!(
        kept,
        ["brand", "fuel", "owner"],
        "fuel is what a predicate looks at"
    );
    question.mode = Mode::Predicate;
    question.fields = Arc::default();
    let (answer, server) = ask(question, car_answer()).await;
    assert_eq!(answer.outcome, Outcome::Found);
    assert!(answer.record.unwrap().0.contains_key("fuel"));
    assert!(
        !String::from_utf8(server.requests()[0].body.clone())
            .unwrap()
            .contains("electric")
    );
}

#[tokio::test]
async fn a_list_gives_the_subjects_keys_only() {
    let row = |plate: &str, owner: u16| json!({"hphm": plate, "hpzl": "02", "syr": number(owner).expose(), "clsbdh": "x"});
    let rows = json!({"code": "0", "list": [row("京A12345", 1), row("京B54321", 2), row("京AD12345", 1)]});
    let (answer, server) = ask(list_question(), rows).await;
    assert_eq!(server.requests()[0].path, "/traffic/mine");
    let plates: Vec<_> = answer
        .rows
        .iter()
        .map(|r| (r["plate"].text().into_owned(), r.len()))
        .collect();
    assert_eq!(plates, [("京A12345".to_owned(), 2), ("京AD12345".to_owned(), 2)]);
    assert_eq!(answer.report.unwrap().problem, Problem::WrongSubject);

    let (answer, _) = ask(list_question(), json!({"code": 0, "list": []})).await;
    assert_eq!((answer.outcome, answer.report), (Outcome::NotFound, None));
    let (answer, _) = ask(list_question(), json!({"code": 0, "list": [row("京B54321", 2)]})).await;
    assert_eq!(answer.outcome, Outcome::NotFound);
    assert!(answer.rows.is_empty());
    let (answer, _) = ask(list_question(), json!({"code": 0, "list": {}})).await;
    assert_eq!(answer.report.unwrap().problem, Problem::BadRows);
}

#[tokio::test]
async fn what_is_in_no_register_is_not_asked() {
    for (plate, class) in [
        ("VA12345", "01"),
        ("WJ12345", "01"),
        ("京0112345", "14"),
        ("京A12345", "14"),
        ("京A12345", "25"),
    ] {
        let mut question = car_question();
        question.key.insert("plate".to_owned(), text(plate));
        question.key.insert("plate_class".to_owned(), text(class));
        let (answer, server) = ask(question, car_answer()).await;
        assert_eq!(
            (answer.outcome, server.requests().len()),
            (Outcome::NotCovered, 0),
            "{plate}"
        );
    }
}

#[tokio::test]
async fn a_name_that_the_register_cannot_write_is_not_asked() {
    let server = Server::always(json(car_answer())).await;
    let mut question = car_question();
    question.person.name = PersonName::parse("甲𠮷").unwrap().value;
    for (charset, outcome) in [
        ("gbk", Outcome::CannotCompare),
        ("gb18030", Outcome::Found),
        ("utf-8", Outcome::Found),
    ] {
        let traffic = TRAFFIC.replacen("deadline_ms", &format!("charset = \"{charset}\"\ndeadline_ms"), 1);
        let sources = sources(&[file("traffic.toml", &traffic, server.port())]);
        let before = server.requests().len();
        assert_eq!(sources.ask(question.clone()).await.outcome, outcome, "{charset}");
        assert_eq!(
            server.requests().len() - before,
            usize::from(outcome == Outcome::Found)
        );
    }
}

#[tokio::test]
async fn an_expired_agreement_ends_the_asking() {
    let server = Server::always(json(car_answer())).await;
    let clock = std::sync::Arc::new(domain::time::ManualClock::new(NOW));
    let today = TRAFFIC.replace("2036-12-31", "2026-11-22");
    let sources = sources_with(
        &[file("traffic.toml", &today, server.port())],
        std::sync::Arc::clone(&clock),
    );
    assert_eq!(sources.ask(car_question()).await.outcome, Outcome::Found);
    clock.advance_seconds(14 * 3600);
    let answer = sources.ask(car_question()).await;
    assert_eq!(answer.outcome, Outcome::Maintenance);
    assert_eq!(answer.report.unwrap().problem, Problem::AgreementExpired);
    assert_eq!(server.requests().len(), 1);
}
