//! A report joins a record and its parts, each a look-up of its own, and says where a part is missing.

use std::{collections::BTreeSet, sync::Arc};

use sandbox::{Fault, Switch};
use serde_json::{Value, json};
use sources::SourceFile;

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{chen, gulbahar, my_vehicle, subject, with},
    front::Server,
    reply::{text_at, verify_receipt},
};

on_both!(
    each_part_has_its_own_source_date_and_receipt,
    three_protocols_give_three_ages_with_postgres,
    three_protocols_give_three_ages_with_mariadb,
    a_part_that_is_missing_hides_no_other,
    a_report_about_somebody_else_has_no_part,
);

const PARTS: [&str; 4] = [
    "vehicle",
    "vehicle-violations",
    "vehicle-maintenance",
    "vehicle-insurance",
];

async fn report(app: &TestApp, token: &str, question: &Value) -> Vec<Value> {
    let report = app.post(token, "/v1/reports", question).await.expect(200);
    let parts = report.json.as_array().unwrap().clone();
    let kinds: Vec<&str> = parts.iter().map(|p| text_at(p, "/kind")).collect();
    assert_eq!(kinds, PARTS, "in the kind's order, the record itself first");
    parts
}

async fn each_part_has_its_own_source_date_and_receipt(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let question = with(
        my_vehicle("vehicle", &chen().vehicles[0]),
        "fields",
        json!(["brand"]),
    );
    let parts = report(&app, &token, &question).await;
    let (mut ids, mut provenance) = (BTreeSet::new(), BTreeSet::new());
    for part in &parts {
        let lookup = &part["lookup"];
        assert_eq!(
            (&lookup["outcome"], &part["missing"]),
            (&json!("found"), &Value::Null)
        );
        let (_, field) = lookup["record"].as_object().unwrap().iter().next().unwrap();
        provenance.insert((
            text_at(field, "/source").to_owned(),
            text_at(field, "/as_of").to_owned(),
        ));
        let id = text_at(lookup, "/lookup_id");
        ids.insert(id);
        let receipt = app.get(&token, &format!("/v1/receipts/{id}")).await.expect(200);
        assert_eq!(
            verify_receipt(&app.app, &receipt.text).shared.kind.as_deref(),
            part["kind"].as_str()
        );
        let log: Vec<Value> = app.access_log(&token).await;
        let types: Vec<&Value> = log
            .iter()
            .filter(|e| e["lookup_id"] == id)
            .map(|e| &e["type"])
            .collect();
        assert_eq!(types, ["RELEASE", "INTENT"], "seals of its own");
    }
    assert_eq!(
        (ids.len(), provenance.len()),
        (4, 3),
        "traffic management holds two of the four"
    );
    assert_eq!(
        parts[0]["lookup"]["record"].as_object().unwrap().len(),
        1,
        "the record has the fields asked for"
    );
    assert!(
        parts[3]["lookup"]["record"].as_object().unwrap().len() > 1,
        "a part gives what it has"
    );
}

async fn three_protocols_give_three_ages_with_postgres(bed: Arc<Bed>) {
    three_ages(bed, Server::Postgres).await;
}

async fn three_protocols_give_three_ages_with_mariadb(bed: Arc<Bed>) {
    three_ages(bed, Server::MariaDb).await;
}

/// The registration over http, the maintenance out of a database, the insurance out of a file in GB18030.
async fn three_ages(bed: Arc<Bed>, server: Server) {
    let schema = format!("mingcha_report_{:?}", bed.engine()).to_lowercase();
    let now = TestApp::begins();
    let (name, text) = server.filled(&schema, now).await;
    let app = bed.app().drops().sources(move |files| {
        files.retain(|file| file.name != name);
        files.push(SourceFile {
            name: name.clone(),
            text: text.clone(),
        });
    });
    let app = app.start().await;
    app.sandbox
        .drop_insurance(&bed.folder().join("drops/in"))
        .unwrap();
    assert_eq!(app.app.sources.refresh("sandbox-insurance", &|_| {}).len(), 1);
    let token = app.at_l2(chen()).await;
    let parts = report(&app, &token, &my_vehicle("vehicle", &chen().vehicles[0])).await;
    let told = |part: &Value, member: &str| {
        let record = part["lookup"]["record"].as_object().unwrap();
        let values: BTreeSet<&str> = record.values().map(|field| text_at(field, member)).collect();
        assert_eq!(values.len(), 1, "{server:?}: {part}");
        values.into_iter().next().unwrap().to_owned()
    };
    let ages = [&parts[0], &parts[2], &parts[3]].map(|part| {
        assert_eq!(part["lookup"]["outcome"], "found", "{server:?}: {part}");
        [
            told(part, "/source"),
            told(part, "/freshness"),
            told(part, "/as_of")[..10].to_owned(),
        ]
    });
    let expected = [
        ["sandbox-traffic", "realtime", "2026-11-22"],
        // Monday at three in the morning in China.
        ["sandbox-repair", "weekly", "2026-11-15"],
        // The day of the file, from its beginning in China on.
        ["sandbox-insurance", "daily", "2026-11-21"],
    ];
    assert_eq!(ages, expected.map(|age| age.map(str::to_owned)), "{server:?}");
    let visits = parts[2]["lookup"]["record"]["visits"]["value"]
        .as_array()
        .unwrap();
    let days: Vec<&str> = visits.iter().map(|visit| text_at(visit, "/date")).collect();
    assert!(
        days.len() > 1 && days.is_sorted_by(|a, b| a >= b),
        "{server:?}: the newest first: {days:?}"
    );
    let asked: BTreeSet<String> = app
        .sandbox
        .journal()
        .into_iter()
        .map(|entry| entry.path)
        .collect();
    assert!(asked.contains("traffic/vehicle/query"), "{asked:?}");
    let by_http = asked
        .iter()
        .any(|path| path.starts_with("repair/") || path.starts_with("insurance/"));
    assert!(!by_http, "{asked:?}");
}

async fn a_part_that_is_missing_hides_no_other(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let question = my_vehicle("vehicle", &chen().vehicles[0]);
    for (path, at, fault, outcome) in [
        ("repair/record/query", 2, Some(Fault::Close), "broken"),
        ("insurance/policy/query", 3, Some(Fault::NotJson), "bad_answer"),
        ("traffic/vehicle/query", 0, None, "maintenance"),
    ] {
        let switched = (fault.is_none()).then_some(domain::outcome::Outcome::Maintenance);
        app.switch(Switch {
            path: Some(path.into()),
            fault,
            outcome: switched,
            ..Switch::default()
        });
        for (i, part) in report(&app, &token, &question).await.iter().enumerate() {
            let expected = if i == at { outcome } else { "found" };
            assert_eq!(part["lookup"]["outcome"], expected, "{path}: {part}");
            let missing = if i == at { json!(outcome) } else { Value::Null };
            assert_eq!(part["missing"], missing, "it says which part is missing and why");
            assert_eq!(part["lookup"]["record"].as_object().unwrap().is_empty(), i == at);
        }
    }
}

async fn a_report_about_somebody_else_has_no_part(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(gulbahar()).await;
    let question = my_vehicle("vehicle", &chen().vehicles[0]);
    for part in report(&app, &token, &with(question.clone(), "subject", subject(chen()))).await {
        assert_eq!(
            (&part["missing"], &part["lookup"]),
            (&json!("NOT_PERMITTED"), &Value::Null)
        );
    }
    for part in report(&app, &token, &question).await {
        assert_eq!(
            (&part["lookup"]["outcome"], &part["missing"]),
            (&json!("not_found"), &Value::Null)
        );
    }
    let l1 = app.sign_in(gulbahar()).await;
    for part in report(&app, &l1, &question).await {
        assert_eq!(
            (&part["missing"], &part["lookup"]),
            (&json!("LEVEL_TOO_LOW"), &Value::Null)
        );
    }
}
