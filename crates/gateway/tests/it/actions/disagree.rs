//! Two sources for one field: both values where they differ, each with its source, sealed under a name of its own.

use std::sync::Arc;

use domain::identifiers::IdNumber;
use ledger::{Salt, Verified, cbor::Value as Cbor, receipt::verify_field};
use sandbox::Switch;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::every_kind::text_of;
use crate::{
    app::TestApp,
    bed::Bed,
    cast::{chen, my_vehicle, persona, with},
    reply::{Reply, text_at, unhex},
};

on_both!(
    both_values_are_shown_and_proven,
    a_file_says_whose_value_leads,
    who_agrees_is_not_mentioned,
    nobody_is_asked_about_what_is_not_wanted,
    one_that_is_late_is_named_and_not_waited_for,
    the_same_key_gives_both_values_again,
    a_review_goes_to_the_source_that_takes_it,
);

const FIELD: &str = "compulsory_valid_until";
const BESIDE: &str = "compulsory_valid_until@sandbox-traffic";
const PATH: &str = "traffic/vehicle/insurance";

/// Somebody of whose insurance traffic management was told another date than the insurers have.
fn mao() -> &'static sandbox::Persona {
    persona("mao-new-plate")
}

fn insurance(who: &sandbox::Persona) -> Value {
    my_vehicle("vehicle-insurance", &who.vehicles[0])
}

async fn ask(app: &TestApp, who: &sandbox::Persona) -> (String, Reply) {
    let token = app.at_l2(who).await;
    let answer = app.look_up(&token, &insurance(who)).await;
    (token, answer.expect_outcome("found"))
}

/// The value of that name stands in the receipt, and no other does.
fn proves(verified: &Verified, name: &str, told: &Value) {
    let salt = Salt::new(unhex(text_at(told, "/salt")));
    let text = text_of(&told["value"]);
    assert!(verify_field(verified, name, &text, &salt), "{name}");
    assert!(!verify_field(verified, name, "2027-01-01", &salt), "{name}");
}

async fn both_values_are_shown_and_proven(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (token, answer) = ask(&app, mao()).await;
    assert_eq!(app.asked(answer.lookup_id()), 2, "both were asked");
    let field = &answer.json["record"][FIELD];
    assert_eq!(
        (text_at(field, "/source"), &field["disagrees"]),
        ("sandbox-insurance", &json!(true))
    );
    let [other] = field["others"].as_array().unwrap().as_slice() else {
        panic!("{field}")
    };
    assert_eq!(text_at(other, "/source"), "sandbox-traffic");
    assert_ne!(other["value"], field["value"]);
    assert!(
        text_at(other, "/as_of") > text_at(field, "/as_of"),
        "each is as old as its source says"
    );
    assert_eq!(
        (text_at(field, "/freshness"), text_at(other, "/freshness")),
        ("daily", "realtime")
    );
    let policies = &answer.json["record"]["policies"];
    assert!(policies.get("disagrees").is_none() && policies.get("others").is_none());

    let verified = answer.verified(&app.app);
    assert_eq!(verified.shared.source.as_deref(), Some("sandbox-insurance"));
    let names: Vec<_> = verified.shared.disclosed.keys().map(|id| &**id).collect();
    assert_eq!(names, [FIELD, BESIDE, "insured_name", "policies"]);
    proves(&verified, FIELD, field);
    proves(&verified, BESIDE, other);
    let entry = app.entry_about(&token, answer.lookup_id()).await;
    assert_eq!(entry["disclosed"], json!(names));
    assert_eq!(
        detail(&app, &answer, "outcome").await,
        Some(Cbor::Text("found".into()))
    );
}

/// What the chain of the person says about the source that was asked beside.
async fn detail(app: &TestApp, answer: &Reply, member: &str) -> Option<Cbor> {
    let id = domain::ids::LookupId::parse(answer.lookup_id()).unwrap();
    let number = IdNumber::parse(&mao().id_number, app.app.now().date_in_china())
        .unwrap()
        .value;
    let owner = app.app.store.mention_subject(&number).await.unwrap();
    let entries = app.app.store.entries(owner, None, 10).await.unwrap();
    let entry = entries
        .into_iter()
        .find(|e| e.shared.lookup == Some(id.bytes()) && e.shared.entry_type == ledger::EntryType::Release);
    match entry?.chain.detail.get("beside.sandbox-traffic")? {
        Cbor::Map(members) => members.get(member).cloned(),
        _ => None,
    }
}

async fn a_file_says_whose_value_leads(bed: Arc<Bed>) {
    let app = bed.app().sources(|files| {
        let traffic = files
            .iter_mut()
            .find(|f| f.text.contains("beside = true"))
            .unwrap();
        let leads = format!("beside = true\nleads = [\"{FIELD}\"]");
        traffic.text = traffic.text.replace("beside = true", &leads);
    });
    let app = app.start().await;
    let (_, answer) = ask(&app, mao()).await;
    let field = &answer.json["record"][FIELD];
    assert_eq!(text_at(field, "/source"), "sandbox-traffic");
    assert_eq!(text_at(&field["others"][0], "/source"), "sandbox-insurance");
    let verified = answer.verified(&app.app);
    assert_eq!(verified.shared.source.as_deref(), Some("sandbox-insurance"));
    proves(&verified, BESIDE, field);
    proves(&verified, FIELD, &field["others"][0]);
}

async fn who_agrees_is_not_mentioned(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (_, answer) = ask(&app, chen()).await;
    assert_eq!(app.asked(answer.lookup_id()), 2);
    assert!(!answer.text.contains("sandbox-traffic") && !answer.text.contains("disagrees"));
    let verified = answer.verified(&app.app);
    assert!(verified.shared.disclosed.keys().all(|name| !name.contains('@')));
}

async fn nobody_is_asked_about_what_is_not_wanted(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(mao()).await;
    let question = with(insurance(mao()), "fields", json!(["policies"]));
    let answer = app.look_up(&token, &question).await.expect_outcome("found");
    assert_eq!(app.asked(answer.lookup_id()), 1);
    assert_eq!(answer.disclosed(), ["policies"]);
    let verified = answer.verified(&app.app);
    assert_eq!(
        verified
            .shared
            .disclosed
            .keys()
            .map(|id| &**id)
            .collect::<Vec<_>>(),
        ["policies"]
    );
}

async fn one_that_is_late_is_named_and_not_waited_for(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    app.switch(Switch {
        path: Some(PATH.into()),
        delay_ms: 2_500,
        ..Switch::default()
    });
    let token = app.at_l2(mao()).await;
    let started = Instant::now();
    let answer = app
        .look_up(&token, &insurance(mao()))
        .await
        .expect_outcome("found");
    assert!(started.elapsed().as_millis() < 2_000, "{:?}", started.elapsed());
    assert_eq!(answer.json["not_compared"], json!(["sandbox-traffic"]));
    assert!(answer.json["record"][FIELD].get("disagrees").is_none());
    assert_eq!(
        detail(&app, &answer, "outcome").await,
        Some(Cbor::Text("timed_out".into()))
    );
}

async fn the_same_key_gives_both_values_again(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(mao()).await;
    let first = app
        .look_up_as(&token, "once", &insurance(mao()))
        .await
        .expect_outcome("found");
    let again = app
        .look_up_as(&token, "once", &insurance(mao()))
        .await
        .expect_outcome("found");
    assert_eq!(first.json["record"], again.json["record"]);
    assert_eq!(first.json["record"][FIELD]["disagrees"], true);
    assert_eq!(app.asked(first.lookup_id()), 2, "nobody was asked again");
}

async fn a_review_goes_to_the_source_that_takes_it(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (token, answer) = ask(&app, mao()).await;
    let review =
        json!({ "lookup_id": answer.lookup_id(), "text": "交管登记的保险日期不对。", "pictures": [] });
    let opened = app.post(&token, "/v1/reviews", &review).await.expect(200);
    assert_eq!(
        opened.text_at("/state"),
        "received",
        "traffic management takes it, the insurers take none"
    );
    let (his, agreed) = ask(&app, chen()).await;
    let review = json!({ "lookup_id": agreed.lookup_id(), "text": "不对。", "pictures": [] });
    app.post(&his, "/v1/reviews", &review)
        .await
        .expect_problem(400, "REVIEW_NOT_POSSIBLE");
}
