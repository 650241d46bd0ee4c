//! What hides something looks the same whatever it hides: the bytes, the headers, the length, the earliest time.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use sandbox::{Fault, Switch};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, gulbahar, my_vehicle, persona, subject, with},
    reply::Reply,
};

on_both!(
    whether_a_person_exists_is_not_told,
    whether_a_plate_exists_is_not_told,
    proofs_that_fail_are_alike,
    a_refusal_takes_its_time,
);

/// A reply with the place of its look-up's id left out: all else must be equal.
fn shape(reply: &Reply) -> (u16, usize, String, Vec<(String, String)>) {
    let headers = reply
        .headers
        .iter()
        .map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned()))
        .collect();
    (
        reply.status,
        reply.text.len(),
        reply.text.replace(reply.lookup_id(), "ID"),
        headers,
    )
}

async fn whether_a_person_exists_is_not_told(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let with_account = app.at_l2(chen()).await;
    let erased = app.at_l2(persona("liu-zhiqiang")).await;
    app.delete(&erased, "/v1/account").await.expect(204);
    let nobody = sandbox::crowd_member(7).unwrap();
    let people = [
        chen(),                  // has an account here
        persona("zhao-xiaomin"), // stands in the registers
        persona("liu-zhiqiang"), // was erased here
        persona("hu-weilu"),     // is not filed yet
        persona("chen-xiaoyu"),  // a child
        &nobody,                 // stands nowhere
    ];
    let token = app.at_l3(gulbahar()).await;
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        for person in people {
            for kind in ["driving-licence", "marriage", "traffic-violations"] {
                let question = with(about_me(kind), "subject", subject(person));
                let reply = app
                    .look_up(&token, &question)
                    .await
                    .expect_problem(403, "NOT_PERMITTED");
                assert!(reply.json.get("trace_id").is_none(), "a second value that varies");
                seen.insert(shape(&reply));
                // The same question again, under a key: the same refusal.
                let key = format!("{}-{kind}", person.id);
                let first = app
                    .look_up_as(&token, &key, &question)
                    .await
                    .expect_problem(403, "NOT_PERMITTED");
                seen.insert(shape(&first));
                let again = app
                    .look_up_as(&token, &key, &question)
                    .await
                    .expect_problem(403, "NOT_PERMITTED");
                assert_eq!((&again.text, &again.headers), (&first.text, &first.headers));
            }
        }
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
    // A name that is not that number's tells nothing either.
    let question = with(
        about_me("driving-licence"),
        "subject",
        json!({ "name": "某某", "id_number": chen().id_number }),
    );
    let reply = app
        .look_up(&token, &question)
        .await
        .expect_problem(403, "NOT_PERMITTED");
    assert!(seen.contains(&shape(&reply)));
    assert!(
        app.access_log(&with_account)
            .await
            .iter()
            .any(|e| e["lookup_id"] == reply.lookup_id())
    );
}

async fn whether_a_plate_exists_is_not_told(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(gulbahar()).await;
    let own = &gulbahar().vehicles[0];
    for kind in [
        "vehicle",
        "vehicle-violations",
        "vehicle-insurance",
        "vehicle-maintenance",
    ] {
        let ask = |plate: &str, class: &str| {
            with(
                about_me(kind),
                "key",
                json!({ "plate": plate, "plate_class": class }),
            )
        };
        let his = &chen().vehicles[0];
        let mut seen = vec![];
        for question in [
            ask(&his.plate, &his.class), // another's
            ask("晋N35T09", "02"),       // nobody's
            ask(&own.plate, "01"),       // her own text in another class
            ask("赣N30003", "01"),       // a text in two classes
        ] {
            seen.push(told(&app, &app.look_up(&token, &question).await));
        }
        // A source that gives somebody else's record is not shown to have done so. What shops report carries no
        // number by which it could be told whose it is.
        if kind != "vehicle-maintenance" {
            let path = Some(path_of(kind).to_owned());
            app.switch(Switch {
                path,
                fault: Some(Fault::WrongPerson),
                ..Switch::default()
            });
            seen.push(told(&app, &app.look_up(&token, &my_vehicle(kind, own)).await));
            app.sandbox.clear_switches();
        }
        for other in &seen[1..] {
            assert_eq!(&seen[0], other, "{kind}");
        }
    }
}

fn path_of(kind: &str) -> &'static str {
    match kind {
        "vehicle" => "traffic/vehicle/query",
        "vehicle-violations" => "traffic/vehicle/violations",
        _ => "insurance/policy/query",
    }
}

/// All that an answer tells, but ids, instants, and the proof, whose length follows the log's.
fn told(app: &TestApp, reply: &Reply) -> (String, Vec<String>, ledger::Shared) {
    let reply = reply.clone().expect_outcome("not_found");
    let mut shared = reply.verified(&app.app).shared;
    assert!(shared.source.is_some(), "the holder of no record is known");
    (shared.lookup, shared.time, shared.as_of) = (None, 0, shared.as_of.map(|_| 0));
    let mut json = reply.json.clone();
    let receipt = json.as_object_mut().unwrap().remove("receipt").unwrap();
    json["lookup_id"] = json!(receipt["shared"].as_str().unwrap().len());
    let headers = reply.headers.iter().filter(|(name, _)| *name != "content-length");
    (
        json.to_string(),
        headers.map(|(n, v)| format!("{n}: {v:?}")).collect(),
        shared,
    )
}

async fn proofs_that_fail_are_alike(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    app.at_l2(chen()).await;
    let nobody = sandbox::crowd_member(9).unwrap();
    let mut seen = BTreeSet::new();
    for claimed in [
        chen(),                  // the register agrees, the carrier does not; he has an account
        persona("zhao-xiaomin"), // the same, without an account
        persona("tan-guohua"),   // her document expired
        persona("hu-weilu"),     // not filed yet
        persona("tian-ji"),      // the carrier cannot write the name
        &nobody,                 // stands nowhere
    ] {
        let token = app.sign_in(persona("liu-zhiqiang")).await;
        let proof = app.prove(&token, claimed).await.expect(200);
        let headers: Vec<_> = proof.headers.iter().map(|(n, v)| format!("{n}: {v:?}")).collect();
        seen.insert((proof.text.clone(), headers));
        let account = app.get(&token, "/v1/account").await.expect(200);
        assert_eq!(
            (account.text_at("/level"), account.json.get("name")),
            ("L1", None),
            "the session is what it was"
        );
        // What was asked and became of it is seen by whom it names, and by nobody else.
        let mine = app.get(&token, "/v1/lookups").await.expect(200);
        assert_eq!(mine.json, json!([]), "{}", claimed.id);
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert_eq!(seen.first().unwrap().0, r#"{"result":"NOT_PROVEN"}"#);
}

async fn a_refusal_takes_its_time(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l3(gulbahar()).await;
    let nobody = sandbox::crowd_member(11).unwrap();
    for person in [chen(), &nobody] {
        for kind in ["marriage", "driving-licence"] {
            let question = with(about_me(kind), "subject", subject(person));
            for key in ["a", "a"] {
                let begun = Instant::now();
                app.look_up_as(&token, &format!("{key}-{}-{kind}", person.id), &question)
                    .await
                    .expect(403);
                assert!(
                    begun.elapsed() >= Duration::from_millis(250),
                    "{:?}",
                    begun.elapsed()
                );
            }
        }
    }
}
