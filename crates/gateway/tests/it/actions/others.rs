//! Nobody sees anything of anybody else, whoever asks and however; and whom it concerned sees that it was tried.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;
use ledger::EntryType;
use sandbox::Persona;
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, gulbahar, key, li, my_vehicle, persona, provable, subject, with},
    reply::{Reply, verify_receipt},
};

on_both!(
    nobody_of_the_cast_sees_one_person,
    one_person_sees_nobody_of_the_cast,
    the_subject_sees_who_tried_and_why_it_was_refused,
    a_plate_names_nobody_but_who_asks,
    a_requester_sees_no_more_of_a_refusal_than_was_answered,
    look_ups_and_receipts_are_their_requesters_alone,
);

/// Every way in which a record about somebody can be asked for, by name and number.
fn questions(about: &Persona) -> Vec<Value> {
    let subject = subject(about);
    let read = |kind: &str| with(about_me(kind), "subject", subject.clone());
    let car = about
        .vehicles
        .first()
        .map_or_else(|| key(&chen().vehicles[0]), key);
    let of_car = |kind: &str| with(read(kind), "key", car.clone());
    vec![
        of_car("vehicle"),
        of_car("vehicle-violations"),
        of_car("vehicle-insurance"),
        of_car("vehicle-maintenance"),
        read("driving-licence"),
        read("traffic-violations"),
        read("marriage"),
        with(read("identity"), "mode", "match"),
        with(read("vehicle"), "mode", "list"),
        with(
            with(read("marriage"), "mode", "predicate"),
            "predicates",
            json!(["married-registered"]),
        ),
    ]
}

/// The refusal without the one value in it that may vary.
fn without_id(reply: &Reply) -> (String, Vec<(String, String)>) {
    let id = reply.lookup_id();
    assert_eq!(reply.text.matches(id).count(), 1);
    let headers = reply
        .headers
        .iter()
        .map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned()));
    (reply.text.replace(id, "ID"), headers.collect())
}

async fn refused(app: &TestApp, token: &str, question: &Value) -> Reply {
    let reply = app
        .look_up(token, question)
        .await
        .expect_problem(403, "NOT_PERMITTED");
    assert_eq!(app.asked(reply.lookup_id()), 0, "no source was asked");
    reply
}

async fn nobody_of_the_cast_sees_one_person(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut seen = BTreeSet::new();
    let mut asked = 0;
    for who in provable().filter(|p| p.id != chen().id) {
        let token = app.at_l3(who).await;
        let replies = questions(chen()).into_iter().map(|q| {
            let (app, token) = (&app, &token);
            async move { refused(app, token, &q).await }
        });
        seen.extend(join_all(replies).await.iter().map(without_id));
        // Their own name with his plate: it is not theirs, so it is not there.
        let his = if who.id == li().id {
            &chen().vehicles[1]
        } else {
            &chen().vehicles[0]
        };
        for kind in [
            "vehicle",
            "vehicle-violations",
            "vehicle-maintenance",
            "vehicle-insurance",
        ] {
            let reply = app
                .look_up(&token, &my_vehicle(kind, his))
                .await
                .expect_outcome("not_found");
            assert!(reply.disclosed().is_empty());
        }
        asked += 1;
    }
    assert!(asked > 50, "only {asked} of the cast");
    assert_eq!(seen.len(), 1, "refusals differ: {seen:#?}");
}

async fn one_person_sees_nobody_of_the_cast(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l3(chen()).await;
    let mut seen = BTreeSet::new();
    let others: Vec<&Persona> = sandbox::personas().iter().filter(|p| p.id != chen().id).collect();
    for some in others.chunks(8) {
        let replies = some.iter().flat_map(|other| questions(other)).map(|q| {
            let (app, token) = (&app, &token);
            async move { refused(app, token, &q).await }
        });
        seen.extend(join_all(replies).await.iter().map(without_id));
    }
    assert_eq!(seen.len(), 1, "refusals differ: {seen:#?}");
    for other in others {
        for car in other
            .vehicles
            .iter()
            .filter(|v| v.co_owner.as_deref() != Some("chen-weidong"))
        {
            app.look_up(&token, &my_vehicle("vehicle", car))
                .await
                .expect_outcome("not_found");
        }
    }
}

async fn the_subject_sees_who_tried_and_why_it_was_refused(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(gulbahar()).await;
    // Before he ever signed in.
    let marriage = with(about_me("driving-licence"), "subject", subject(chen()));
    let refusal = refused(&app, &token, &marriage).await;
    let low = app
        .look_up(&token, &with(about_me("marriage"), "subject", subject(chen())))
        .await;
    let low = low.expect_problem(403, "LEVEL_TOO_LOW");
    let his = app.at_l2(chen()).await;
    let entry = app.entry_about(&his, refusal.lookup_id()).await;
    assert_eq!(
        (&entry["type"], &entry["reasons"]),
        (&json!("REFUSAL"), &json!(["NO_GRANT"]))
    );
    assert_eq!((&entry["by"], &entry["by_me"]), (&json!("person"), &json!(false)));
    assert_eq!(
        (&entry["kind"], &entry["disclosed"]),
        (&json!("driving-licence"), &json!([]))
    );
    let entry = app.entry_about(&his, low.lookup_id()).await;
    assert_eq!(
        (&entry["type"], &entry["reasons"]),
        (&json!("REFUSAL"), &json!(["LEVEL_TOO_LOW"]))
    );
    // Somebody claims to be him.
    let proof = app
        .prove(&app.sign_in(persona("liu-zhiqiang")).await, chen())
        .await
        .expect(200);
    assert_eq!(proof.json, json!({ "result": "NOT_PROVEN" }));
    let log = app.access_log(&his).await;
    let tried: Vec<_> = log
        .iter()
        .take(2)
        .map(|e| (&e["type"], &e["purpose"], &e["by_me"]))
        .collect();
    let proofing = json!("account-proofing");
    let expected = [
        (json!("RELEASE"), proofing.clone(), json!(false)),
        (json!("INTENT"), proofing, json!(false)),
    ];
    assert_eq!(tried, expected.each_ref().map(|e| (&e.0, &e.1, &e.2)));
    // Her own chain has nothing of it: it is not about her.
    assert!(
        app.access_log(&token)
            .await
            .iter()
            .all(|e| e["lookup_id"] != refusal.lookup_id())
    );
}

/// Whose plate it is, no source tells: the question is about whoever asked it, and stands in their view alone.
async fn a_plate_names_nobody_but_who_asks(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (hers, his) = (app.at_l2(gulbahar()).await, app.at_l2(chen()).await);
    let asked = app
        .look_up(&hers, &my_vehicle("vehicle", &chen().vehicles[0]))
        .await
        .expect_outcome("not_found");
    let entry = app.entry_about(&hers, asked.lookup_id()).await;
    assert_eq!(entry["by_me"], json!(true));
    let log = app.access_log(&his).await;
    assert!(
        log.iter().all(|e| e["lookup_id"] != asked.lookup_id()),
        "{log:#?}"
    );
}

async fn a_requester_sees_no_more_of_a_refusal_than_was_answered(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(gulbahar()).await;
    let refusal = refused(
        &app,
        &token,
        &with(about_me("driving-licence"), "subject", subject(chen())),
    )
    .await;
    let line = app
        .get(&token, &format!("/v1/lookups/{}", refusal.lookup_id()))
        .await
        .expect(200);
    assert_eq!(
        (line.text_at("/state"), line.text_at("/reason")),
        ("refused", "NOT_PERMITTED")
    );
    let receipt = app
        .get(&token, &format!("/v1/receipts/{}", refusal.lookup_id()))
        .await
        .expect(200);
    let shared = verify_receipt(&app.app, &receipt.text).shared;
    assert_eq!(
        (shared.entry_type, shared.reason.as_deref()),
        (EntryType::Refusal, Some("NOT_PERMITTED"))
    );
    for text in [&refusal.text, &line.text] {
        assert!(
            !text.contains("NO_GRANT") && !text.contains(&chen().id_number) && !text.contains(&chen().name)
        );
    }
}

async fn look_ups_and_receipts_are_their_requesters_alone(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (his, hers) = (app.at_l3(chen()).await, app.at_l3(li()).await);
    let answer = app
        .look_up(&his, &about_me("marriage"))
        .await
        .expect_outcome("found");
    let (real, invented) = (
        answer.lookup_id().to_owned(),
        "019abc00-0000-7000-8000-000000000000".to_owned(),
    );
    let mut seen = BTreeSet::new();
    for id in [&real, &invented] {
        let hide = json!({ "hidden": true });
        for reply in [
            app.get(&hers, &format!("/v1/lookups/{id}")).await,
            app.get(&hers, &format!("/v1/receipts/{id}")).await,
            app.put(&hers, &format!("/v1/lookups/{id}/hidden"), &hide).await,
        ] {
            let reply = reply.expect_problem(404, "NOT_FOUND");
            seen.insert(reply.text.replace(reply.text_at("/trace_id"), "TRACE"));
        }
    }
    assert_eq!(
        seen.len(),
        1,
        "what is another's is as if it were not there: {seen:#?}"
    );
    let before = app
        .get(&hers, &format!("/v1/lookups?before={real}"))
        .await
        .expect(200);
    assert!(!before.text.contains(&real));
    let line = app.get(&his, &format!("/v1/lookups/{real}")).await.expect(200);
    assert_eq!(line.json["hidden"], false);
}
