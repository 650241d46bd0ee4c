//! Many ask at once: the place in line, the way back to it, and what is refused at once.

use std::sync::Arc;

use axum::body::Body;
use domain::{
    ids::{AccountId, SessionId},
    requester::{Requester, Role},
    words::Level,
};
use http::{Method, Request};
use serde_json::{Value, json};

use super::late::{body_after, time_is_over};
use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, gulbahar, li, my_vehicle, provable, subject},
    reply::Reply,
};

on_both!(
    who_waits_is_told_and_answered_in_turn,
    a_turn_is_its_sessions_alone,
    a_full_line_is_told_before_anything_is_read,
    everything_that_looks_up_waits_its_turn,
    who_had_their_look_ups_of_the_minute_takes_no_place,
);

/// An application that does one thing at a time.
pub(crate) async fn narrow(bed: &Arc<Bed>) -> TestApp {
    bed.app()
        .replacing("[limits]", "[limits]\nlookups_in_work = 1")
        .start()
        .await
}

/// Takes the only place in work, meanwhile does something, and gives its result.
pub(crate) async fn meanwhile<T>(app: &TestApp, work: impl Future<Output = T>) -> T {
    let somebody = Requester {
        role: Role::Person,
        account: AccountId::from_bytes([7; 16]),
        session: SessionId::from_bytes([7; 16]),
        subject: None,
        level: Level::L1,
        standing: None,
    };
    let held = app.app.turns.enter(&somebody, None).await.unwrap();
    let done = work.await;
    drop(held);
    done
}

/// Asks with a turn that was told.
async fn ask_with(app: &TestApp, token: &str, turn: &str, path: &str, body: &Value) -> Reply {
    let mut request = TestApp::request(Method::POST, path, Some(token), body.to_string());
    request
        .headers_mut()
        .insert("mingcha-turn", turn.parse().unwrap());
    app.send(request).await
}

fn seconds(reply: &Reply) -> i64 {
    reply.headers["retry-after"].to_str().unwrap().parse().unwrap()
}

/// The turn that was told, and the place.
#[track_caller]
fn turn_in(reply: &Reply) -> (String, u64) {
    assert_eq!(reply.status, 202, "{}", reply.text);
    let turn = reply.text_at("/turn").to_owned();
    assert_eq!(reply.headers["location"], format!("/v1/lookups/turns/{turn}"));
    let estimate = reply.json["estimate_seconds"].as_i64().unwrap();
    assert!(seconds(reply) >= 1 && estimate > seconds(reply), "{}", reply.text);
    (turn, reply.json["place"].as_u64().unwrap())
}

async fn who_waits_is_told_and_answered_in_turn(bed: Arc<Bed>) {
    let app = narrow(&bed).await;
    let (hers, others) = (app.at_l2(chen()).await, app.at_l2(gulbahar()).await);
    let question = about_me("driving-licence");
    let (first, second) = meanwhile(&app, async {
        let entries = app.entries().await;
        let first = app.look_up(&hers, &question).await;
        let second = app.look_up(&others, &question).await;
        assert_eq!((turn_in(&first).1, turn_in(&second).1), (1, 2));
        // A second question of an account that waits has no place beside the first.
        let more = app.look_up(&hers, &question).await;
        assert!(seconds(&more.expect_problem(429, "ALREADY_WAITING")) >= 1);
        // Looking is not asking.
        let location = second.headers["location"].to_str().unwrap();
        assert_eq!(turn_in(&app.get(&others, location).await), turn_in(&second));
        // What is wrong with a question is told at once, wherever one stands.
        let mistyped = json!({ "kind": "driving-licence", "mode": "reed", "purpose": "own-information" });
        app.look_up(&others, &mistyped)
            .await
            .expect_problem(400, "BAD_VALUE");
        assert_eq!(app.entries().await, entries, "who waits has asked nothing");
        (turn_in(&first).0, turn_in(&second).0)
    })
    .await;
    for (token, turn) in [(&hers, &first), (&others, &second)] {
        let answered = ask_with(&app, token, turn, "/v1/lookups", &question).await;
        let answered = answered.expect_outcome("found");
        let entry = app.entry_about(token, answered.lookup_id()).await;
        assert_eq!(entry["lookup_id"], answered.lookup_id(), "{entry}");
        app.get(token, &format!("/v1/lookups/turns/{turn}"))
            .await
            .expect_problem(404, "NOT_FOUND");
    }
}

async fn a_turn_is_its_sessions_alone(bed: Arc<Bed>) {
    let app = narrow(&bed).await;
    let (hers, others) = (app.at_l2(li()).await, app.at_l2(gulbahar()).await);
    let again = app.at_l2(gulbahar()).await;
    let question = about_me("driving-licence");
    meanwhile(&app, async {
        let (turn, _) = turn_in(&app.look_up(&others, &question).await);
        let location = format!("/v1/lookups/turns/{turn}");
        for thief in [&hers, &again] {
            app.get(thief, &location).await.expect_problem(404, "NOT_FOUND");
        }
        // Somebody else's turn is none: a new place, behind, and it says so.
        let stolen = ask_with(&app, &hers, &turn, "/v1/lookups", &question).await;
        assert_eq!((turn_in(&stolen).1, &stolen.json["anew"]), (2, &json!(true)));
        assert!(turn_in(&stolen).0 != turn);
        // It goes with the session.
        app.delete(&others, "/v1/account/sessions").await.expect(204);
        let place = ask_with(&app, &again, &turn, "/v1/lookups", &question).await;
        assert_eq!((turn_in(&place).1, &place.json["anew"]), (2, &json!(true)));
        for nonsense in ["", "-1", "x", "99999999999999999999"] {
            let reply = ask_with(&app, &hers, nonsense, "/v1/lookups", &question).await;
            reply.expect_problem(429, "ALREADY_WAITING");
        }
    })
    .await;
}

async fn a_full_line_is_told_before_anything_is_read(bed: Arc<Bed>) {
    let app = narrow(&bed).await;
    let mut tokens = vec![];
    for persona in provable().take(9) {
        tokens.push(app.at_l2(persona).await);
    }
    let question = about_me("driving-licence");
    meanwhile(&app, async {
        let entries = app.entries().await;
        let (last, waiting) = tokens.split_last().unwrap();
        for (before, token) in waiting.iter().enumerate() {
            assert_eq!(turn_in(&app.look_up(token, &question).await).1, before as u64 + 1);
        }
        // Not even who it is and what they want is read.
        let hopeless = [
            TestApp::request(Method::POST, "/v1/lookups", Some(last), question.to_string()),
            TestApp::request(Method::POST, "/v1/lookups", Some("nobody"), Body::empty()),
            TestApp::request(Method::POST, "/v1/reports", None, "x"),
        ];
        for request in hopeless {
            let refused = app.send(request).await.expect_problem(503, "OVERLOADED");
            assert!((1..=30).contains(&seconds(&refused)));
        }
        // Whoever has a place is heard, and pages are served.
        app.get(last, "/v1/account").await.expect(200);
        let (turn, _) = turn_in(&app.get(&waiting[0], "/v1/lookups/turns/1").await);
        assert_eq!(
            turn_in(&ask_with(&app, &waiting[0], &turn, "/v1/lookups", &question).await).1,
            1
        );
        assert_eq!(app.entries().await, entries);
    })
    .await;
}

/// Everything that looks up, as Li asks it; the proof comes last, for it replaces the session.
fn everything() -> [(&'static str, Value); 4] {
    let vehicle = my_vehicle("vehicle", &chen().vehicles[0]);
    [
        ("/v1/lookups", vehicle.clone()),
        ("/v1/reports", vehicle),
        ("/v1/my-records", json!({ "purpose": "own-information" })),
        ("/v1/account/proof", subject(li())),
    ]
}

async fn everything_that_looks_up_waits_its_turn(bed: Arc<Bed>) {
    let app = narrow(&bed).await;
    let hers = app.at_l2(li()).await;
    for (path, body) in everything() {
        let (turn, place) = meanwhile(&app, async { turn_in(&app.post(&hers, path, &body).await) }).await;
        assert_eq!(place, 1, "{path}");
        ask_with(&app, &hers, &turn, path, &body).await.expect(200);
    }
}

async fn who_had_their_look_ups_of_the_minute_takes_no_place(bed: Arc<Bed>) {
    let app = bed
        .app()
        .replacing(
            "lookups_per_minute = 100000",
            "lookups_in_work = 1\nlookups_per_minute = 2",
        )
        .start()
        .await;
    let hers = app.at_l2(gulbahar()).await;
    app.clock.advance_seconds(60);
    let question = about_me("driving-licence");
    for _ in 0..2 {
        app.look_up(&hers, &question).await.expect_outcome("found");
    }
    meanwhile(&app, async {
        let refused = app.look_up(&hers, &question).await;
        refused.expect_problem(429, "TOO_MANY_REQUESTS");
    })
    .await;
}

/// A question whose body comes when the time is over that it has from its head on.
fn late(token: &str, path: &str, body: &Value) -> Request<Body> {
    let body = body_after(time_is_over(), body.to_string());
    TestApp::request(Method::POST, path, Some(token), body)
}

/// Who was told nothing has their time from the arrival on, however late they enter work; who was told to wait and came
/// again, from when they entered it.
async fn the_time_runs_from_the_arrival_or_from_the_turn_that_was_told(bed: Arc<Bed>) {
    let app = narrow(&bed).await;
    let hers = app.at_l2(li()).await;
    let asked = || app.sandbox.journal().len();
    for (path, body) in everything() {
        let before = asked();
        let too_late = app.send(late(&hers, path, &body)).await.expect(200);
        assert!(too_late.text.contains("timed_out"), "{path}: {}", too_late.text);
        assert_eq!(asked(), before, "{path}: nobody is asked any more");
        let (turn, _) = meanwhile(&app, async { turn_in(&app.post(&hers, path, &body).await) }).await;
        let mut again = late(&hers, path, &body);
        again.headers_mut().insert("mingcha-turn", turn.parse().unwrap());
        let in_time = app.send(again).await.expect(200);
        assert!(!in_time.text.contains("timed_out"), "{path}: {}", in_time.text);
        assert!(asked() > before, "{path}");
    }
}

on_one_thread!(the_time_runs_from_the_arrival_or_from_the_turn_that_was_told);
