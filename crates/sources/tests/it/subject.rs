//! A record about anyone else than the subject is dropped, however it comes (invariant 7).

use std::sync::{Arc, Mutex};

use domain::outcome::Outcome;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use sources::{Answer, Problem, Sources};

use crate::{
    server::{Act, Server, json},
    world::{SHOPS, TRAFFIC, car_answer, car_question, file, number, sources, visit_question},
};

/// A source whose next reply is set from outside.
struct Rig {
    runtime: tokio::runtime::Runtime,
    sources: Sources,
    reply: Arc<Mutex<Vec<u8>>>,
}

impl Rig {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let reply = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&reply);
        let server = runtime.block_on(Server::start(move |_| Act::Json(said.lock().unwrap().clone())));
        let sources = sources(&[file("traffic.toml", TRAFFIC, server.port())]);
        Rig {
            runtime,
            sources,
            reply,
        }
    }

    fn ask(&self, reply: Vec<u8>) -> Answer {
        *self.reply.lock().unwrap() = reply;
        self.runtime.block_on(self.sources.ask(car_question()))
    }
}

/// A record with these owners.
fn owned_by(owner: u16, co_owner: Option<u16>) -> Json {
    let mut answer = car_answer();
    answer["d"]["syr"] = json!(number(owner).expose());
    answer["d"]["gyr"] = json!(co_owner.map(|o| number(o).expose().to_owned()));
    answer
}

#[test]
fn only_the_subjects_record_is_found() {
    let rig = Rig::new();
    let owners = (1u16..4, prop::option::of(1u16..4));
    proptest!(|((owner, co_owner) in owners)| {
        let answer = rig.ask(owned_by(owner, co_owner).to_string().into_bytes());
        let own = owner == 1 || co_owner == Some(1);
        prop_assert_eq!(answer.outcome, if own { Outcome::Found } else { Outcome::NotFound });
        prop_assert_eq!(answer.record.is_some(), own);
    });
}

/// Whatever is flipped, cut out, repeated or put in: nothing about anybody else comes through.
#[test]
fn no_mutation_of_somebody_elses_record_is_found() {
    let rig = Rig::new();
    let foreign = owned_by(2, None).to_string().into_bytes();
    let length = foreign.len();
    // Mostly small changes that leave it JSON, some bytes that do not.
    let put = prop_oneof![
        8 => "[0-9a-z\":,{}\\[\\] ]{0,4}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..24),
    ];
    let change = (0..length, 0..4usize, put);
    proptest!(|(changes in prop::collection::vec(change, 0..4))| {
        let mut reply = foreign.clone();
        for (at, cut, put) in changes {
            let start = at.min(reply.len());
            let end = (start + cut).min(reply.len());
            reply.splice(start..end, put);
        }
        let answer = rig.ask(reply);
        prop_assert!(answer.outcome != Outcome::Found && answer.record.is_none(), "{:?}", answer.outcome);
    });
}

/// What else is wrong with somebody else's record would tell that there is one.
#[tokio::test]
async fn a_broken_record_of_somebody_else_is_no_record_either() {
    let whole = owned_by(2, None);
    let members: Vec<String> = whole["d"].as_object().unwrap().keys().cloned().collect();
    for member in members {
        let mut broken = whole.clone();
        broken["d"][&member] = json!({"not": "a value"});
        let server = Server::always(json(broken)).await;
        let sources = sources(&[file("traffic.toml", TRAFFIC, server.port())]);
        let outcome = sources.ask(car_question()).await.outcome;
        // Where an owner cannot be read, nobody can tell whose it is.
        let unreadable = ["syr", "gyr"].contains(&member.as_str());
        let expected = if unreadable {
            Outcome::BadAnswer
        } else {
            Outcome::NotFound
        };
        assert_eq!(outcome, expected, "{member}");
    }
}

#[tokio::test]
async fn no_record_and_somebody_elses_look_the_same() {
    let mut answers = Vec::new();
    for reply in [
        owned_by(2, None),
        json!({"code": 1}),
        json!({"code": 1, "sj": "2026-11-01 00:00:00"}),
    ] {
        let server = Server::always(json(reply)).await;
        let sources = sources(&[file("traffic.toml", TRAFFIC, server.port())]);
        answers.push(sources.ask(car_question()).await);
    }
    let report = answers[0].report.take().unwrap();
    assert_eq!((report.problem, report.field), (Problem::WrongSubject, None));
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert!(answers[0].provenance.is_some());
}

#[tokio::test]
async fn where_no_owner_is_named_another_vehicles_record_is_dropped() {
    for (plate, class, outcome) in [
        ("京A·12345", "02", Outcome::Found),
        ("京A12346", "02", Outcome::BadAnswer),
        ("京A12345", "01", Outcome::BadAnswer),
    ] {
        let mut answer = car_answer();
        answer["d"]["hphm"] = json!(plate);
        answer["d"]["hpzl"] = json!(class);
        let server = Server::always(json(answer)).await;
        let sources = sources(&[file("shops.toml", SHOPS, server.port())]);
        let answer = sources.ask(visit_question()).await;
        assert_eq!(answer.outcome, outcome, "{plate} {class}");
        assert_eq!(answer.record.is_some(), outcome == Outcome::Found);
    }
}
