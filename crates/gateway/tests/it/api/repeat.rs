//! Idempotency keys: the same question under the same key is asked once, and answered alike.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;
use http::Method;
use sandbox::{Fault, Switch};
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, gulbahar, li, my_vehicle, with},
    reply::Reply,
};

on_both!(
    the_same_question_is_asked_once,
    another_question_under_the_same_key_is_refused,
    a_failure_is_repeated_too,
    an_answer_is_kept_ten_minutes,
    a_raised_level_may_ask_again_under_the_same_key,
    while_it_is_under_way_it_is_not_asked_again,
    a_key_is_its_requesters_alone,
    a_report_is_repeated_part_by_part,
    what_is_in_my_name_is_repeated_kind_by_kind,
    a_key_that_is_none_is_refused,
);

/// An answer without the proof against a newer head.
fn answer(reply: &Reply) -> Value {
    let mut json = reply.json.clone();
    json["receipt"]["proof"] = Value::Null;
    json
}

async fn the_same_question_is_asked_once(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l3(chen()).await;
    let tap = with(about_me("marriage"), "reveal", json!(["spouse_name"]));
    let rule = with(
        with(about_me("marriage"), "mode", "predicate"),
        "predicates",
        json!(["married-registered"]),
    );
    let list = with(about_me("vehicle"), "mode", "list");
    let compare = with(about_me("identity"), "mode", "match");
    for (i, question) in [
        my_vehicle("vehicle", &chen().vehicles[0]),
        tap,
        rule,
        list,
        compare,
    ]
    .iter()
    .enumerate()
    {
        let first = app
            .look_up_as(&token, &format!("k{i}"), question)
            .await
            .expect(200);
        let entries = app.entries().await;
        let again = app
            .look_up_as(&token, &format!("k{i}"), question)
            .await
            .expect(200);
        assert_eq!(answer(&first), answer(&again));
        assert_eq!(
            (app.entries().await, app.asked(first.lookup_id())),
            (entries, 1),
            "nothing sealed, nobody asked"
        );
        assert_eq!(
            first.verified(&app.app).leaf_hash,
            again.verified(&app.app).leaf_hash
        );
        let other = app
            .look_up_as(&token, &format!("other{i}"), question)
            .await
            .expect(200);
        assert_ne!(other.lookup_id(), first.lookup_id());
    }
}

async fn another_question_under_the_same_key_is_refused(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let question = my_vehicle("vehicle", &chen().vehicles[0]);
    app.look_up_as(&token, "k", &question)
        .await
        .expect_outcome("found");
    let entries = app.entries().await;
    for other in [
        my_vehicle("vehicle", &chen().vehicles[1]),
        my_vehicle("vehicle-violations", &chen().vehicles[0]),
        with(question.clone(), "fields", json!(["brand"])),
        with(question.clone(), "basis", "contract"),
    ] {
        let reply = app.look_up_as(&token, "k", &other).await;
        reply.expect_problem(409, "IDEMPOTENCY_KEY_REUSED");
    }
    assert_eq!(app.entries().await, entries);
}

async fn a_failure_is_repeated_too(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let question = about_me("driving-licence");
    let path = Some("traffic/licence/query".to_owned());
    app.switch(Switch {
        path,
        fault: Some(Fault::Close),
        ..Switch::default()
    });
    let first = app
        .look_up_as(&token, "k", &question)
        .await
        .expect_outcome("broken");
    app.sandbox.clear_switches();
    let again = app
        .look_up_as(&token, "k", &question)
        .await
        .expect_outcome("broken");
    assert_eq!(
        answer(&first),
        answer(&again),
        "the source is well again, and this question has its answer"
    );
    assert_eq!(app.asked(first.lookup_id()), 1);
    app.look_up_as(&token, "k2", &question)
        .await
        .expect_outcome("found");
}

async fn an_answer_is_kept_ten_minutes(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let question = about_me("driving-licence");
    let first = app
        .look_up_as(&token, "k", &question)
        .await
        .expect_outcome("found");
    app.clock.advance_seconds(590);
    let again = app
        .look_up_as(&token, "k", &question)
        .await
        .expect_outcome("found");
    assert_eq!(answer(&first), answer(&again));
    app.clock.advance_seconds(11);
    app.look_up_as(&token, "k", &question)
        .await
        .expect_problem(409, "ANSWER_NOT_KEPT");
    let forgotten = app.app.store.forget_answers().await.unwrap();
    assert_eq!(
        forgotten, 1,
        "and then it is forgotten; that of the proof, which had no key, was never kept"
    );
    app.look_up_as(&token, "k", &question)
        .await
        .expect_problem(409, "ANSWER_NOT_KEPT");
    let receipt = app
        .get(&token, &format!("/v1/receipts/{}", first.lookup_id()))
        .await
        .expect(200);
    crate::reply::verify_receipt(&app.app, &receipt.text);
}

async fn a_raised_level_may_ask_again_under_the_same_key(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let l1 = app.sign_in(chen()).await;
    let question = about_me("marriage");
    app.look_up_as(&l1, "k", &question)
        .await
        .expect_problem(403, "LEVEL_TOO_LOW");
    let l2 = app
        .prove(&l1, chen())
        .await
        .expect(200)
        .text_at("/session/token")
        .to_owned();
    for _ in 0..2 {
        app.look_up_as(&l2, "k", &question)
            .await
            .expect_problem(403, "LEVEL_TOO_LOW");
    }
    let l3 = app
        .strengthen(&l2, chen())
        .await
        .expect(200)
        .text_at("/session/token")
        .to_owned();
    let answered = app.look_up_as(&l3, "k", &question).await.expect_outcome("found");
    // A kept answer is given at the level that it needs, and no lower.
    let lower = app.at_l2(chen()).await;
    app.look_up_as(&lower, "k", &question)
        .await
        .expect_problem(403, "LEVEL_TOO_LOW");
    let again = app.look_up_as(&l3, "k", &question).await.expect_outcome("found");
    assert_eq!(again.lookup_id(), answered.lookup_id());
}

async fn while_it_is_under_way_it_is_not_asked_again(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let question = about_me("driving-licence");
    for round in 0..3 {
        app.switch(Switch {
            delay_ms: 150,
            ..Switch::default()
        });
        let before = app.sandbox.journal().len();
        let key = format!("k{round}");
        let all = join_all((0..8).map(|_| app.look_up_as(&token, &key, &question))).await;
        let answered: Vec<&Reply> = all.iter().filter(|r| r.status == 200).collect();
        assert_eq!(answered.len(), 1);
        assert!(
            all.iter()
                .all(|r| r.status == 200 || r.json["code"] == "LOOKUP_UNDER_WAY")
        );
        assert_eq!(app.sandbox.journal().len(), before + 1, "one of eight asks");
        let after = app
            .look_up_as(&token, &key, &question)
            .await
            .expect_outcome("found");
        assert_eq!(answer(&after), answer(answered[0]));
    }
}

async fn a_key_is_its_requesters_alone(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    // They share a car: the same key and the same words are two questions.
    let (his, hers) = (app.at_l2(chen()).await, app.at_l2(li()).await);
    let question = my_vehicle("vehicle", &chen().vehicles[0]);
    let first = app.look_up_as(&his, "k", &question).await.expect_outcome("found");
    let second = app
        .look_up_as(&hers, "k", &question)
        .await
        .expect_outcome("found");
    assert_ne!(first.lookup_id(), second.lookup_id());
    let stranger = app.at_l2(gulbahar()).await;
    app.look_up_as(&stranger, "k", &question)
        .await
        .expect_outcome("not_found");
}

async fn a_report_is_repeated_part_by_part(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let ask = async |question: &Value| {
        let mut request = TestApp::request(Method::POST, "/v1/reports", Some(&token), question.to_string());
        request
            .headers_mut()
            .insert("idempotency-key", "k".parse().unwrap());
        app.send(request).await.expect(200).json
    };
    let ids = |report: &Value| -> BTreeSet<String> {
        let parts = report.as_array().unwrap().iter();
        parts
            .map(|p| p["lookup"]["lookup_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let question = my_vehicle("vehicle", &chen().vehicles[0]);
    let first = ask(&question).await;
    let entries = app.entries().await;
    assert_eq!(
        (ids(&ask(&question).await), app.entries().await),
        (ids(&first), entries)
    );
    assert_eq!(ids(&first).len(), 4);
    // The same key for one look-up is another key; for another report it is used.
    app.look_up_as(&token, "k", &question)
        .await
        .expect_outcome("found");
    let other = ask(&my_vehicle("vehicle", &chen().vehicles[1])).await;
    assert!(
        other
            .as_array()
            .unwrap()
            .iter()
            .all(|p| p["missing"] == "IDEMPOTENCY_KEY_REUSED"),
        "{other}"
    );
}

async fn what_is_in_my_name_is_repeated_kind_by_kind(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let ask = async |path: &str, key: &str, body: &Value| {
        let mut request = TestApp::request(Method::POST, path, Some(&token), body.to_string());
        request
            .headers_mut()
            .insert("idempotency-key", key.parse().unwrap());
        app.send(request).await
    };
    let mine = json!({ "purpose": "own-information" });
    // The parts, without the proofs against a newer head.
    let listed = async |key: &str, body: &Value| {
        let mut parts = ask("/v1/my-records", key, body).await.expect(200).json;
        for part in parts.as_array_mut().unwrap() {
            if part["lookup"].is_object() {
                part["lookup"]["receipt"]["proof"] = Value::Null;
            }
        }
        parts
    };
    let first = listed("k", &mine).await;
    let rows = first[0]["lookup"]["rows"].as_array().map(Vec::len);
    assert_eq!(rows, Some(chen().vehicles.len()));
    let before = (app.entries().await, app.sandbox.journal().len());
    assert_eq!(listed("k", &mine).await, first, "the same answers and receipts");
    assert_eq!(
        (app.entries().await, app.sandbox.journal().len()),
        before,
        "nothing sealed, nobody asked"
    );
    assert_ne!(listed("other", &mine).await, first);
    // For another request the key is used; for a report it is another key.
    let live = with(mine.clone(), "freshness", "realtime");
    for part in listed("k", &live).await.as_array().unwrap() {
        assert_eq!(part["missing"], "IDEMPOTENCY_KEY_REUSED", "{part}");
    }
    let report = my_vehicle("vehicle", &chen().vehicles[0]);
    for part in ask("/v1/reports", "k", &report)
        .await
        .expect(200)
        .json
        .as_array()
        .unwrap()
    {
        assert!(part["lookup"].is_object(), "{part}");
    }
    for none in ["", &"k".repeat(101)] {
        let refused = ask("/v1/my-records", none, &mine).await;
        assert_eq!(
            refused.expect_problem(400, "BAD_VALUE").text_at("/at"),
            "idempotency-key"
        );
    }
    // Twice at once: the second waits for what the first one is answered.
    app.switch(Switch {
        delay_ms: 400,
        ..Switch::default()
    });
    let (one, two) = tokio::join!(listed("together", &mine), listed("together", &mine));
    assert_eq!(one, two);
    assert!(one.to_string().contains("\"outcome\":\"found\""), "{one}");
}

async fn a_key_that_is_none_is_refused(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let question = about_me("driving-licence");
    let entries = app.entries().await;
    for key in ["", &"k".repeat(101)] {
        let reply = app
            .look_up_as(&token, key, &question)
            .await
            .expect_problem(400, "BAD_VALUE");
        assert_eq!(reply.text_at("/at"), "idempotency-key");
    }
    assert_eq!(app.entries().await, entries);
    // Whatever else it is made of, it is only compared.
    let mut request = TestApp::request(Method::POST, "/v1/lookups", Some(&token), question.to_string());
    request.headers_mut().insert(
        "idempotency-key",
        http::HeaderValue::from_bytes(b"\xff' OR 1=1 --").unwrap(),
    );
    app.send(request).await.expect_outcome("found");
    app.look_up_as(&token, &"k".repeat(100), &question)
        .await
        .expect_outcome("found");
}
