//! What is told of a record: masks, predicates, lists, comparisons; and that an unpleasant state is data like any.

use std::{collections::BTreeMap, sync::Arc};

use ledger::{Salt, receipt::verify_field};
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, key, li, my_vehicle, persona, with},
    reply::{Reply, unhex},
};

on_both!(
    a_spouse_is_named_on_tap_only,
    the_cast_finds_what_the_registers_hold,
    rules_tell_yes_or_no_and_nothing_else,
    lists_tell_keys_and_nothing_else,
    comparisons_tell_a_result_and_nothing_else,
    a_co_owner_and_an_insured_may_look,
);

fn value<'a>(answer: &'a Reply, field: &str) -> (&'a Value, bool) {
    let told = &answer.json["record"][field];
    (&told["value"], told["masked"] == true)
}

async fn a_spouse_is_named_on_tap_only(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l3(chen()).await;
    let masked = app
        .look_up(&token, &about_me("marriage"))
        .await
        .expect_outcome("found");
    assert_eq!(value(&masked, "spouse_name"), (&json!("李**"), true));
    assert_eq!(
        value(&masked, "spouse_id_number"),
        (&json!("142*************84"), true)
    );
    let tap = with(about_me("marriage"), "reveal", json!(["spouse_name"]));
    let shown = app.look_up(&token, &tap).await.expect_outcome("found");
    assert_eq!(value(&shown, "spouse_name"), (&json!("李美玲"), false));
    assert_eq!(
        value(&shown, "spouse_id_number"),
        (&json!("142*************84"), true)
    );
    for answer in [&masked, &shown] {
        assert!(!answer.text.contains(&li().id_number) && !answer.text.contains(&chen().id_number));
    }
    for never in [
        json!(["spouse_id_number"]),
        json!(["status"]),
        json!(["spouse_name", "spouse_name"]),
    ] {
        let refused = app
            .look_up(&token, &with(about_me("marriage"), "reveal", never))
            .await;
        refused.expect_problem(403, "FIELD_NOT_IN_KIND");
    }
    // What was shown is sealed as shown; that it was a tap stands in the subject's chain, not in the spouse's.
    let hers = app.at_l3(li()).await;
    let log = app.access_log(&hers).await;
    assert!(
        log.iter().all(|e| e["lookup_id"] != shown.lookup_id()),
        "nobody is told of the spouse's look-up"
    );
}

/// Persona, kind, vehicle (by its place), outcome, and what stands in the record.
type Expected = (
    &'static str,
    &'static str,
    Option<usize>,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const CAST: [Expected; 20] = [
    (
        "sun-haitao",
        "marriage",
        None,
        "found",
        &[("status", "married"), ("spouse_name", "徐*")],
    ),
    (
        "zhou-lihua",
        "marriage",
        None,
        "found",
        &[
            ("status", "divorced"),
            ("registered_on", "2012-09-03"),
            ("spouse_name", ""),
        ],
    ),
    (
        "ma-guoqing",
        "marriage",
        None,
        "found",
        &[("status", "married"), ("registered_on", "2000-01-01")],
    ),
    (
        "guo-jun",
        "marriage",
        None,
        "found",
        &[("status", "married"), ("pending_divorce_until", "2026-12-12")],
    ),
    (
        "luo-wei",
        "marriage",
        None,
        "found",
        &[
            ("status", "void"),
            ("spouse_name", ""),
            ("certificate_number", ""),
        ],
    ),
    (
        "liang-bo",
        "marriage",
        None,
        "found",
        &[("status", "annulled"), ("spouse_name", "")],
    ),
    (
        "song-jia",
        "marriage",
        None,
        "found",
        &[("status", "married"), ("spouse_name", "欧**")],
    ),
    ("peng-guizhi", "marriage", None, "not_filed_yet", &[]),
    ("yuan-zhihua", "marriage", None, "ambiguous", &[]),
    ("dong-yichen", "marriage", None, "not_found", &[]),
    (
        "qian-duoduo",
        "driving-licence",
        None,
        "found",
        &[("points_confirmed", "12"), ("points_pending", "3")],
    ),
    (
        "jia-zhen",
        "driving-licence",
        None,
        "found",
        &[
            ("states", r#"[{"state":"annulled"}]"#),
            ("valid_until", "2026-01-15"),
        ],
    ),
    (
        "du-xing",
        "driving-licence",
        None,
        "found",
        &[("states", r#"[{"state":"revoked"}]"#), ("long_term", "yes")],
    ),
    (
        "leap-run",
        "driving-licence",
        None,
        "found",
        &[("cycle_start", "2026-03-01"), ("cycle_end", "2027-02-28")],
    ),
    (
        "chan-kaman",
        "driving-licence",
        None,
        "found",
        &[("licence_number", "***"), ("valid_until", "2026-11-02")],
    ),
    ("kong-kong", "driving-licence", None, "not_found", &[]),
    (
        "pan-dahai",
        "vehicle",
        Some(0),
        "found",
        &[
            ("inspection_valid_until", "2026-11-07"),
            ("states", r#"[{"state":"inspection-overdue"}]"#),
        ],
    ),
    (
        "gu-jiu",
        "vehicle",
        Some(1),
        "found",
        &[
            ("inspection_valid_until", "2020-07-31"),
            (
                "states",
                r#"[{"state":"scrap-due"},{"state":"plate-void"},{"state":"inspection-overdue"}]"#,
            ),
        ],
    ),
    (
        "jin-xing",
        "vehicle",
        Some(0),
        "found",
        &[
            ("use_nature", "online-hailing"),
            ("states", r#"[{"state":"sealed"}]"#),
        ],
    ),
    (
        "chen-siyuan",
        "vehicle",
        Some(0),
        "found",
        &[("fuel", "electric"), ("engine_number", "")],
    ),
];

async fn the_cast_finds_what_the_registers_hold(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut tokens = BTreeMap::new();
    for (who, kind, vehicle, outcome, fields) in CAST {
        let persona = persona(who);
        if !tokens.contains_key(who) {
            tokens.insert(who, app.at_l3(persona).await);
        }
        let question = match vehicle {
            Some(at) => my_vehicle(kind, &persona.vehicles[at]),
            None => about_me(kind),
        };
        let answer = app.look_up(&tokens[who], &question).await.expect_outcome(outcome);
        if outcome != "found" {
            assert_eq!(answer.disclosed(), Vec::<&str>::new(), "{who}");
        }
        for (field, expected) in fields {
            let told = match value(&answer, field).0 {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(told, *expected, "{who}: {field}");
        }
        if outcome == "not_found" && kind == "marriage" {
            assert!(
                answer.text_at("/statement/zh").contains("不等于未婚"),
                "no record does not mean single"
            );
        }
    }
}

async fn rules_tell_yes_or_no_and_nothing_else(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let siyuan = persona("chen-siyuan");
    let (his, sons) = (app.at_l2(chen()).await, app.at_l2(siyuan).await);
    let ask = |kind: &str, rules: Value, car: Option<&sandbox::Vehicle>| {
        let question = with(with(about_me(kind), "mode", "predicate"), "predicates", rules);
        car.map_or(question.clone(), |car| with(question.clone(), "key", key(car)))
    };
    let both = json!(["fuel-electric", "use-non-commercial"]);
    for (token, car, electric) in [
        (&his, &chen().vehicles[0], "no"),
        (&sons, &siyuan.vehicles[0], "yes"),
    ] {
        let answer = app
            .look_up(token, &ask("vehicle", both.clone(), Some(car)))
            .await
            .expect_outcome("found");
        assert_eq!(answer.disclosed(), ["fuel-electric", "use-non-commercial"]);
        assert_eq!(value(&answer, "fuel-electric").0, electric);
        assert_eq!(value(&answer, "use-non-commercial").0, "yes");
        assert!(
            !answer.text.contains(&car.vin) && !answer.text.contains("petrol"),
            "the field itself stays"
        );
        let shared = answer.verified(&app.app).shared;
        assert_eq!(
            shared.disclosed.keys().map(|id| &**id).collect::<Vec<_>>(),
            ["fuel-electric", "use-non-commercial"]
        );
    }
    let points = ask("driving-licence", json!(["points-below-9", "points-none"]), None);
    let answer = app.look_up(&his, &points).await.expect_outcome("found");
    assert_eq!(
        (
            value(&answer, "points-below-9").0,
            value(&answer, "points-none").0
        ),
        (&json!("yes"), &json!("no"))
    );
    for (wrong, code, status) in [
        (json!([]), "BAD_VALUE", 400),
        (json!(["fuel"]), "FIELD_NOT_IN_KIND", 403),
        (
            json!(["fuel-electric", "fuel-electric"]),
            "FIELD_NOT_IN_KIND",
            403,
        ),
    ] {
        app.look_up(&his, &ask("vehicle", wrong, Some(&chen().vehicles[0])))
            .await
            .expect_problem(status, code);
    }
}

async fn lists_tell_keys_and_nothing_else(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let his = app.at_l2(chen()).await;
    let list = |token: String| {
        let app = &app;
        async move { list(app, &token).await }
    };
    let own: Vec<Value> = chen().vehicles.iter().map(key).collect();
    assert_eq!(list(his.clone()).await, own);
    // The list has one commitment, which its salt opens.
    let answer = app
        .look_up(&his, &with(about_me("vehicle"), "mode", "list"))
        .await
        .expect_outcome("found");
    assert_eq!(answer.text_at("/source"), "sandbox-traffic");
    let verified = answer.verified(&app.app);
    let salt = Salt::new(unhex(answer.text_at("/rows_salt")));
    let text = answer.json["rows"].to_string();
    assert!(verify_field(&verified, "rows", &text, &salt));
    assert!(!verify_field(&verified, "rows", "[]", &salt));
    let hers = app.at_l2(li()).await;
    assert_eq!(list(hers).await, own[..1], "a shared car is in both names");
    let nothing = app.at_l2(persona("kong-kong")).await;
    assert_eq!(list(nothing).await, Vec::<Value>::new());
}

async fn list(app: &TestApp, token: &str) -> Vec<Value> {
    let mine = app
        .post(token, "/v1/my-records", &json!({ "purpose": "own-information" }))
        .await
        .expect(200);
    let parts = mine.json.as_array().unwrap();
    let kinds: Vec<&Value> = parts.iter().map(|p| &p["kind"]).collect();
    assert_eq!(kinds, ["vehicle"], "the one kind that lists");
    let part = &parts[0]["lookup"];
    assert_eq!(part["record"], json!({}));
    part["rows"].as_array().cloned().unwrap_or_else(|| {
        assert_eq!(part["outcome"], "not_found");
        vec![]
    })
}

async fn comparisons_tell_a_result_and_nothing_else(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let siyuan = persona("chen-siyuan");
    let token = app.at_l2(siyuan).await;
    let ask = |claims: Value| with(with(about_me("identity"), "mode", "match"), "claims", claims);
    for (claims, outcome) in [
        (json!({}), "match"),
        (json!({ "valid_until": "2029-02-14" }), "match"),
        (json!({ "valid_until": "2029-02-15" }), "mismatch"),
        (json!({ "long_term": "yes" }), "mismatch"),
        (json!({ "phone": siyuan.phone }), "match"),
        (json!({ "phone": chen().phone }), "mismatch"),
        (
            json!({ "valid_until": "2029-02-14", "phone": chen().phone }),
            "mismatch",
        ),
    ] {
        let answer = app.look_up(&token, &ask(claims)).await.expect_outcome(outcome);
        assert_eq!(
            (&answer.json["record"], &answer.json["withheld"]),
            (&json!({}), &json!([]))
        );
        let verified = answer.verified(&app.app);
        assert_eq!(verified.shared.outcome.as_deref(), Some(outcome));
        assert_eq!(
            verified.shared.source.as_deref(),
            Some(answer.text_at("/source")),
            "a result names its source as well"
        );
    }
    let wrong = app.look_up(&token, &ask(json!({ "valid_until": "soon" }))).await;
    assert_eq!(
        wrong.expect_problem(400, "BAD_VALUE").json["at"],
        "claims.valid_until"
    );
    app.look_up(&token, &ask(json!({ "name": "陈思远" })))
        .await
        .expect_problem(403, "FIELD_NOT_IN_KIND");
}

async fn a_co_owner_and_an_insured_may_look(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let hers = app.at_l2(li()).await;
    let (shared, his_alone) = (&chen().vehicles[0], &chen().vehicles[1]);
    let answer = app
        .look_up(&hers, &my_vehicle("vehicle", shared))
        .await
        .expect_outcome("found");
    assert_eq!(value(&answer, "owner_name"), (&json!("陈**"), true));
    let insured = app
        .look_up(&hers, &my_vehicle("vehicle-insurance", shared))
        .await
        .expect_outcome("found");
    assert_eq!(value(&insured, "insured_name"), (&json!("李**"), true));
    app.look_up(&hers, &my_vehicle("vehicle", his_alone))
        .await
        .expect_outcome("not_found");
}
