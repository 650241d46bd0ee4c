//! A person looks up each kind of record about themselves, and holds the proof.

use std::{collections::BTreeSet, sync::Arc};

use crypto::Suite;
use ledger::{EntryType, Salt, Standing, opening::Authenticity, receipt::verify_field};
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, key, with},
    reply::{Reply, keys, text_at, unhex, verify_receipt},
};

on_both!(
    all_eight_kinds,
    by_the_gm_suite,
    values_are_those_of_the_register,
    only_the_fields_that_were_asked_for
);

/// Kind, source, as of when, what is promised, and which fields of the kind Chen's record lacks.
const KINDS: [(&str, &str, &str, &str, &[&str]); 8] = [
    ("vehicle", "sandbox-traffic", NOW, "realtime", &["scrap_deadline"]),
    ("vehicle-violations", "sandbox-traffic", NOW, "realtime", &[]),
    (
        "vehicle-maintenance",
        "sandbox-repair",
        "2026-11-15T19:00:00Z",
        "weekly",
        &[],
    ),
    (
        "vehicle-insurance",
        "sandbox-insurance",
        "2026-11-20T19:00:00Z",
        "daily",
        &[],
    ),
    (
        "driving-licence",
        "sandbox-traffic",
        NOW,
        "realtime",
        &["valid_until", "next_review_on", "trainee_until"],
    ),
    ("traffic-violations", "sandbox-traffic", NOW, "realtime", &[]),
    (
        "marriage",
        "sandbox-civil-affairs",
        NOW,
        "realtime",
        &["pending_divorce_until"],
    ),
    ("identity", "sandbox-population", NOW, "realtime", &[]),
];
/// A realtime source answers as of the minute of the question.
const NOW: &str = "2026-11-22T04:00:";

async fn all_eight_kinds(bed: Arc<Bed>) {
    journey(bed.app().start().await).await;
}

async fn by_the_gm_suite(bed: Arc<Bed>) {
    let app = bed.app().suite(Suite::Gm).start().await;
    assert!(
        app.app.store.log_keys().sm2.is_some(),
        "the log is signed by SM2 besides"
    );
    journey(app).await;
}

async fn journey(app: TestApp) {
    let token = app.at_l3(chen()).await;
    let kinds = app.get(&token, "/v1/kinds").await.expect(200);
    let listed: BTreeSet<&str> = kinds
        .json
        .as_array()
        .unwrap()
        .iter()
        .map(|k| text_at(k, "/id"))
        .collect();
    assert_eq!(
        listed,
        KINDS.iter().map(|k| k.0).collect(),
        "a kind without an expectation, or the reverse"
    );
    for kind in kinds.json.as_array().unwrap() {
        let asked_at = app.clock_minute();
        let answer = app.look_up(&token, &question(kind)).await;
        check_answer(kind, &answer, &asked_at);
        check_proof(&app, kind, &answer);
        check_log(&app, &token, kind, &answer).await;
    }
}

/// The plain question: everything that the kind tells about the first thing in one's name.
fn question(kind: &Value) -> Value {
    let mode = if kind["modes"].as_array().unwrap().contains(&json!("read")) {
        "read"
    } else {
        "match"
    };
    let question = with(about_me(text_at(kind, "/id")), "mode", mode);
    match kind["key"].as_array().unwrap().is_empty() {
        true => question,
        false => with(question, "key", key(&chen().vehicles[0])),
    }
}

fn check_answer(kind: &Value, answer: &Reply, asked_at: &str) {
    let id = text_at(kind, "/id");
    let (_, source, as_of, freshness, lacks) = KINDS.iter().find(|k| k.0 == id).unwrap();
    let as_of = if *as_of == NOW { asked_at } else { as_of };
    let answer = answer
        .clone()
        .expect_outcome(if id == "identity" { "match" } else { "found" });
    // Of an answer without fields too it is told where it came from and how old it is.
    assert_eq!(
        (answer.text_at("/source"), answer.text_at("/freshness")),
        (*source, *freshness)
    );
    assert!(
        answer.text_at("/as_of").starts_with(as_of),
        "{id}: {}",
        answer.text_at("/as_of")
    );
    let fields = kind["fields"].as_array().unwrap();
    let expected: BTreeSet<&str> = fields
        .iter()
        .map(|f| text_at(f, "/id"))
        .filter(|f| !lacks.contains(f))
        .collect();
    assert_eq!(
        answer.disclosed().into_iter().collect::<BTreeSet<_>>(),
        expected,
        "{id}"
    );
    let withheld: BTreeSet<&str> = answer.json["withheld"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(withheld, lacks.iter().copied().collect(), "{id}");
    for field in fields.iter().filter(|f| !lacks.contains(&text_at(f, "/id"))) {
        let told = &answer.json["record"][text_at(field, "/id")];
        assert_eq!(told["classification"], field["classification"]);
        assert_eq!(told["source"], *source);
        assert_eq!(told["freshness"], *freshness);
        assert!(text_at(told, "/as_of").starts_with(as_of), "{id}: {told}");
    }
    assert_eq!(answer.json["statement"], kind["statement"], "{id}");
    assert_eq!(
        answer.json["mark"],
        *kind.get("mark").unwrap_or(&Value::Null),
        "{id}"
    );
    if id == "marriage" {
        assert_eq!(answer.text_at("/mark/zh"), "非加盖公章证明");
    }
}

/// The receipt proves each field by its value and salt, and nothing by another value.
fn check_proof(app: &TestApp, kind: &Value, answer: &Reply) {
    let verified = answer.verified(&app.app);
    assert_eq!(verified.standing, Standing::OperatorSigned);
    assert_eq!(verified.shared.entry_type, EntryType::Release);
    assert_eq!(verified.shared.kind.as_deref(), kind["id"].as_str());
    assert_eq!(verified.shared.purpose.as_deref(), Some("own-information"));
    assert_eq!(
        verified.shared.outcome.as_deref(),
        answer.json["outcome"].as_str()
    );
    let signs = kind["id"] == "vehicle-maintenance";
    let expected = if signs {
        Authenticity::Signed
    } else {
        Authenticity::Session
    };
    assert_eq!(
        verified.shared.authenticity,
        Some(expected),
        "only the repair shops sign what they answer"
    );
    let disclosed: Vec<&str> = verified.shared.disclosed.keys().map(|id| &**id).collect();
    assert_eq!(
        disclosed,
        answer.disclosed(),
        "what is withheld has no commitment"
    );
    for id in answer.disclosed() {
        let told = &answer.json["record"][id];
        let salt = Salt::new(unhex(text_at(told, "/salt")));
        let text = text_of(&told["value"]);
        assert!(verify_field(&verified, id, &text, &salt), "{id}");
        assert!(!verify_field(&verified, id, &format!("{text}."), &salt), "{id}");
    }
}

/// The subject finds the intent and the release in their chain, and the receipt again against a newer head.
async fn check_log(app: &TestApp, token: &str, kind: &Value, answer: &Reply) {
    let log = app.access_log(token).await;
    let own: Vec<&Value> = log
        .iter()
        .filter(|e| e["lookup_id"] == answer.lookup_id())
        .collect();
    let types: Vec<&str> = own.iter().map(|e| text_at(e, "/type")).collect();
    assert_eq!(types, ["RELEASE", "INTENT"], "newest first");
    assert_eq!(own[0]["disclosed"], json!(answer.disclosed()));
    assert_eq!((&own[0]["by_me"], &own[0]["kind"]), (&json!(true), &kind["id"]));
    let again = app
        .get(token, &format!("/v1/receipts/{}", answer.lookup_id()))
        .await
        .expect(200);
    let (first, again) = (answer.verified(&app.app), verify_receipt(&app.app, &again.text));
    assert_eq!((first.leaf_hash, first.shared), (again.leaf_hash, again.shared));
}

async fn values_are_those_of_the_register(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (token, car) = (app.at_l2(chen()).await, &chen().vehicles[0]);
    let question = with(about_me("vehicle"), "key", key(car));
    let answer = app.look_up(&token, &question).await.expect_outcome("found");
    let record = &answer.json["record"];
    for (field, value) in [
        ("plate", json!(car.plate)),
        ("plate_class", json!(car.class)),
        ("vin", json!(car.vin)),
        ("engine_number", json!(car.engine)),
        ("brand", json!(car.brand)),
        ("model", json!(car.model)),
        ("colour", json!("黑")),
        ("fuel", json!("petrol")),
        ("use_nature", json!("non-commercial")),
        ("registered_on", json!("2018-05-20")),
        ("inspection_valid_until", json!("2027-06-20")),
        (
            "states",
            json!([{ "state": "normal" }, { "state": "violation-unhandled" }]),
        ),
    ] {
        assert_eq!(
            (&record[field]["value"], &record[field]["masked"]),
            (&value, &json!(false)),
            "{field}"
        );
    }
    assert_eq!(
        (&record["owner_name"]["value"], &record["owner_name"]["masked"]),
        (&json!("陈**"), &json!(true))
    );
    for number in [&chen().id_number, &crate::cast::li().id_number] {
        assert!(
            !answer.text.contains(number.as_str()),
            "numbers of owners never leave"
        );
    }
}

async fn only_the_fields_that_were_asked_for(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let question = with(
        with(about_me("vehicle"), "key", key(&chen().vehicles[0])),
        "fields",
        json!(["vin", "brand"]),
    );
    let answer = app.look_up(&token, &question).await.expect_outcome("found");
    assert_eq!(answer.disclosed(), ["brand", "vin"]);
    assert_eq!(
        keys(&json!(
            answer
                .verified(&app.app)
                .shared
                .disclosed
                .keys()
                .map(|k| (k.clone(), 0))
                .collect::<std::collections::BTreeMap<_, _>>()
        )),
        ["brand", "vin"]
    );
    let withheld = answer.json["withheld"].as_array().unwrap();
    assert!(
        withheld.contains(&json!("engine_number")) && !withheld.contains(&json!("vin")),
        "{withheld:?}"
    );
    assert!(
        !answer
            .text
            .contains(chen().vehicles[0].engine.as_deref().unwrap())
    );
    assert!(
        !answer.text.contains("owner_id_number"),
        "a field that never leaves is not even named"
    );
}

/// A value as its commitment has it.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(image) => image["digest"].as_str().unwrap().to_owned(),
        other => other.to_string(),
    }
}
