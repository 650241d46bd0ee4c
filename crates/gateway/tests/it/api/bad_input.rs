//! Bad input ends in a precise problem with a stable code, and writes nothing that is not a refusal.

use std::sync::Arc;

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, key, my_vehicle, with},
    reply::Reply,
};

on_both!(
    a_wrong_word_is_named,
    wildcards_find_nothing,
    what_is_wrong_with_an_identifier_is_told,
    paths_and_parameters_are_checked,
    what_does_not_exist_is_a_problem,
);

/// A member of a question, what stands there, the status, the code, and the part that it is about.
type Case = (&'static str, &'static str, u16, &'static str, &'static str);

/// What is wrong with the words of a question about a driving licence.
const WORDS: [Case; 36] = [
    ("kind", r#""passport""#, 400, "UNKNOWN_KIND", "kind"),
    ("kind", r#""*""#, 400, "UNKNOWN_KIND", "kind"),
    ("kind", r#""""#, 400, "UNKNOWN_KIND", "kind"),
    ("kind", r#""../driving-licence""#, 400, "UNKNOWN_KIND", "kind"),
    ("kind", r#""driving-licence\u0000""#, 400, "UNKNOWN_KIND", "kind"),
    ("mode", r#""write""#, 400, "BAD_VALUE", "mode"),
    ("mode", r#""READ""#, 400, "BAD_VALUE", "mode"),
    ("mode", r#""""#, 400, "BAD_VALUE", "mode"),
    ("mode", r#""match""#, 403, "FIELD_NOT_IN_KIND", "mode"),
    ("mode", r#""list""#, 403, "FIELD_NOT_IN_KIND", "mode"),
    (
        "purpose",
        r#""curiosity""#,
        403,
        "PURPOSE_NOT_REGISTERED",
        "purpose",
    ),
    ("basis", r#""love""#, 400, "BAD_VALUE", "basis"),
    ("basis", r#""consent""#, 403, "PURPOSE_NOT_REGISTERED", "basis"),
    ("fields", r#"["vin"]"#, 403, "FIELD_NOT_IN_KIND", "fields[0]"),
    (
        "fields",
        r#"["states","*"]"#,
        403,
        "FIELD_NOT_IN_KIND",
        "fields[1]",
    ),
    (
        "fields",
        r#"["states","states"]"#,
        403,
        "FIELD_NOT_IN_KIND",
        "fields[1]",
    ),
    (
        "fields",
        r#"["holder_id_number"]"#,
        403,
        "FIELD_NOT_IN_KIND",
        "fields[0]",
    ),
    ("fields", "[]", 400, "BAD_VALUE", "fields"),
    ("reveal", r#"["states"]"#, 403, "FIELD_NOT_IN_KIND", "reveal[0]"),
    (
        "predicates",
        r#"["points-none"]"#,
        403,
        "FIELD_NOT_IN_KIND",
        "predicates[0]",
    ),
    (
        "claims",
        r#"{"phone":"17900100003"}"#,
        403,
        "FIELD_NOT_IN_KIND",
        "claims.phone",
    ),
    (
        "key",
        r#"{"plate":"晋N35T08"}"#,
        403,
        "FIELD_NOT_IN_KIND",
        "key.plate",
    ),
    ("subject", r#""myself""#, 400, "BAD_VALUE", "subject"),
    ("subject", r#"["self"]"#, 400, "BAD_VALUE", "subject"),
    ("subject", "1", 400, "BAD_VALUE", "subject"),
    ("subject", "{}", 400, "BAD_VALUE", "subject"),
    ("subject", r#"{"name":"陈卫东"}"#, 400, "BAD_VALUE", "subject"),
    (
        "subject",
        r#"{"name":"陈卫东","id_number":"14222119700715035X","and":1}"#,
        400,
        "BAD_VALUE",
        "subject",
    ),
    (
        "subject",
        r#"{"name":"","id_number":"14222119700715035X"}"#,
        400,
        "BAD_VALUE",
        "name",
    ),
    (
        "subject",
        r#"{"name":"*","id_number":"14222119700715035X"}"#,
        400,
        "BAD_VALUE",
        "name",
    ),
    (
        "subject",
        r#"{"name":"陈\u202e东","id_number":"14222119700715035X"}"#,
        400,
        "BAD_VALUE",
        "name",
    ),
    (
        "subject",
        r#"{"name":"陈卫东","id_number":"*"}"#,
        400,
        "BAD_VALUE",
        "id_number",
    ),
    (
        "subject",
        r#"{"name":"陈卫东","id_number":"111111111111111111"}"#,
        400,
        "BAD_VALUE",
        "id_number",
    ),
    (
        "subject",
        r#"{"name":"陈卫东","id_number":"142221000000000000"}"#,
        400,
        "BAD_VALUE",
        "id_number",
    ),
    (
        "subject",
        r#"{"name":"陈卫东","id_number":"142221197007150350"}"#,
        400,
        "BAD_VALUE",
        "id_number",
    ),
    (
        "subject",
        r#"{"name":"陈卫东","id_number":"142221209907150350"}"#,
        400,
        "BAD_VALUE",
        "id_number",
    ),
];

async fn a_wrong_word_is_named(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l3(chen()).await;
    for (member, text, status, code, at) in WORDS {
        let value: Value = serde_json::from_str(text).unwrap();
        let question = with(about_me("driving-licence"), member, value);
        let (before, asked) = (app.entries().await, app.sandbox.journal().len());
        let reply = app.look_up(&token, &question).await.expect_problem(status, code);
        assert_eq!(reply.text_at("/at"), at, "{member} {text}");
        // What fails before it is decided is no look-up and leaves no entry; a refusal leaves one.
        assert_eq!(
            app.entries().await - before,
            u64::from(status == 403),
            "{member} {text}"
        );
        assert_eq!(reply.json.get("lookup_id").is_some(), status == 403);
        assert_eq!(
            app.sandbox.journal().len(),
            asked,
            "nobody was asked: {member} {text}"
        );
    }
    let many: Vec<String> = (0..65).map(|i| format!("field{i}")).collect();
    for member in ["fields", "reveal", "predicates"] {
        let question = with(about_me("driving-licence"), member, json!(many));
        app.look_up(&token, &question)
            .await
            .expect_problem(400, "BAD_VALUE");
    }
}

async fn wildcards_find_nothing(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let (before, asked) = (app.entries().await, app.sandbox.journal().len());
    let question = my_vehicle("vehicle", &chen().vehicles[0]);
    for plate in [
        json!("*"),
        json!("%"),
        json!("_"),
        json!("晋N*"),
        json!("晋N_____"),
        json!(".*"),
        json!("晋N35T0[0-9]"),
        json!(""),
        json!(" "),
        json!(null),
        json!([]),
        json!(["晋N35T08"]),
        json!({ "like": "晋" }),
        json!(1),
        json!(true),
        json!("晋N35T08\u{0}"),
        json!("晋N35T08' OR '1'='1"),
        json!("晋N35T08\u{202e}"),
        json!("A".repeat(10_000)),
        json!({ "$ne": "" }),
    ] {
        let key = json!({ "plate": plate, "plate_class": "02" });
        let reply = app.look_up(&token, &with(question.clone(), "key", key)).await;
        let reply = reply.expect_problem(400, "BAD_VALUE");
        assert_eq!(
            (reply.text_at("/at"), reply.text_at("/expected")),
            ("key.plate", "plate")
        );
        assert!(!reply.text.contains("晋N"), "what was typed is not repeated");
    }
    for class in [
        json!("*"),
        json!("00"),
        json!("002"),
        json!(2),
        json!(""),
        json!(["02"]),
        json!("小型汽车\u{0}"),
    ] {
        let key = json!({ "plate": "晋N35T08", "plate_class": class });
        let reply = app.look_up(&token, &with(question.clone(), "key", key)).await;
        assert_eq!(
            reply.expect_problem(400, "BAD_VALUE").text_at("/at"),
            "key.plate_class",
            "{class}"
        );
    }
    for missing in ["plate", "plate_class"] {
        let mut key = key(&chen().vehicles[0]);
        key.as_object_mut().unwrap().remove(missing);
        let reply = app
            .look_up(&token, &with(question.clone(), "key", key))
            .await
            .expect_problem(400, "BAD_VALUE");
        assert_eq!(reply.text_at("/at"), format!("key.{missing}"));
    }
    assert_eq!(
        (app.entries().await, app.sandbox.journal().len()),
        (before, asked)
    );
}

/// What is wrong with an identifier, by its reason, and where, and what may have been meant.
async fn what_is_wrong_with_an_identifier_is_told(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let before = (app.entries().await, app.sandbox.journal().len());
    let question = my_vehicle("vehicle", &chen().vehicles[0]);
    for (plate, class, at, told) in [
        ("晋N3OT08", "02", "key.plate", json!(["CHARACTER", 4, "0"])),
        ("晋N·35TI8", "02", "key.plate", json!(["CHARACTER", 7, "1"])),
        ("晋N35T0", "02", "key.plate", json!(["WRONG_LENGTH", null, null])),
        (
            "京A1234港",
            "02",
            "key.plate",
            json!(["SUFFIX_PATTERN", null, null]),
        ),
        (
            "晋N35T08",
            "99",
            "key.plate_class",
            json!(["UNKNOWN_PLATE_CLASS", null, null]),
        ),
        // Each is right, and no vehicle has them together.
        (
            "晋ND12345",
            "02",
            "key.plate_class",
            json!(["PLATE_CLASS_MISMATCH", null, null]),
        ),
        (
            "晋N35T08",
            "52",
            "key.plate_class",
            json!(["PLATE_CLASS_MISMATCH", null, null]),
        ),
    ] {
        let key = json!({ "plate": plate, "plate_class": class });
        let reply = app.look_up(&token, &with(question.clone(), "key", key)).await;
        let reply = reply.expect_problem(400, "BAD_VALUE");
        assert_eq!(reply.text_at("/at"), at, "{plate}");
        assert_eq!(wrong(&reply), told, "{plate}");
        assert!(!reply.text.contains('晋'), "what was typed is not repeated");
    }
    let person = json!({ "name": "陈卫东", "id_number": "1422211970O715035X" });
    let reply = app
        .look_up(&token, &with(about_me("driving-licence"), "subject", person))
        .await
        .expect_problem(400, "BAD_VALUE");
    assert_eq!(
        (reply.text_at("/at"), reply.text_at("/expected")),
        ("id_number", "id_number")
    );
    assert_eq!(wrong(&reply), json!(["CHARACTER", 11, "0"]));
    let reply = app
        .post_openly("/v1/account/codes", &json!({ "phone": "1381234567" }))
        .await
        .expect_problem(400, "BAD_VALUE");
    assert_eq!(
        (reply.text_at("/at"), reply.text_at("/expected")),
        ("phone", "phone")
    );
    assert_eq!(wrong(&reply), json!(["WRONG_LENGTH", null, null]));
    // A value that is no text at all has no reason.
    let key = json!({ "plate": 1, "plate_class": "02" });
    let reply = app.look_up(&token, &with(question, "key", key)).await;
    assert_eq!(
        wrong(&reply.expect_problem(400, "BAD_VALUE")),
        json!([null, null, null])
    );
    assert_eq!((app.entries().await, app.sandbox.journal().len()), before);
}

fn wrong(reply: &Reply) -> Value {
    json!([
        reply.json["reason"],
        reply.json["position"],
        reply.json["suggestion"]
    ])
}

async fn paths_and_parameters_are_checked(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    for (path, status, code) in [
        ("/v1/lookups/none", 400, "BAD_RECEIPT_ID"),
        ("/v1/lookups/*", 400, "BAD_RECEIPT_ID"),
        ("/v1/lookups/%00", 400, "BAD_RECEIPT_ID"),
        ("/v1/lookups/%ff%fe", 404, "NOT_FOUND"),
        (
            "/v1/receipts/00000000000000000000000000000000",
            400,
            "BAD_RECEIPT_ID",
        ),
        (
            "/v1/receipts/00000000-0000-0000-0000-000000000000",
            404,
            "NOT_FOUND",
        ),
        ("/v1/lookups?before=x", 400, "BAD_RECEIPT_ID"),
        ("/v1/lookups?hidden=maybe", 400, "BAD_VALUE"),
        ("/v1/lookups?limit=1000000", 400, "BAD_VALUE"),
        ("/v1/lookups?hidden=true&hidden=false", 400, "BAD_VALUE"),
        ("/v1/lookups?before=%ff", 400, "BAD_RECEIPT_ID"),
        ("/v1/access-log?before=-1", 400, "BAD_VALUE"),
        ("/v1/access-log?before=99999999999999999999999", 400, "BAD_VALUE"),
        ("/v1/access-log?before=1e3", 400, "BAD_VALUE"),
        ("/v1/kinds/none/notices/own-information", 404, "NOT_FOUND"),
        ("/v1/kinds/vehicle/notices/none", 404, "NOT_FOUND"),
        ("/v1/kinds/%ff/notices/own-information", 404, "NOT_FOUND"),
    ] {
        app.get(&token, path).await.expect_problem(status, code);
    }
    // The greatest number is a number.
    let all = app
        .get(&token, &format!("/v1/access-log?before={}", u64::MAX))
        .await
        .expect(200);
    assert_eq!(
        all.json.as_array().unwrap().len(),
        app.access_log(&token).await.len()
    );
    assert_eq!(
        app.get(&token, "/v1/access-log?before=0").await.expect(200).json,
        json!([])
    );
}

async fn what_does_not_exist_is_a_problem(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    for path in [
        "/v1/",
        "/v1/nothing",
        "/v1/lookups/",
        "/v1//lookups",
        "/log/1/checkpoint",
    ] {
        app.get(&token, path).await.expect_problem(404, "NOT_FOUND");
    }
    for (method, path) in [
        (Method::DELETE, "/v1/lookups"),
        (Method::POST, "/v1/kinds"),
        (Method::PATCH, "/v1/account"),
    ] {
        let request = TestApp::request(method, path, Some(&token), Body::empty());
        app.send(request).await.expect_problem(404, "NOT_FOUND");
    }
}
