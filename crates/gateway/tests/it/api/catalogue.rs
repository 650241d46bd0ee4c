//! What is public: kinds, notices, coverage, health. It tells about nobody.

use std::{collections::BTreeSet, sync::Arc};

use http::Method;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen},
    reply::text_at,
};

on_both!(
    a_notice_is_whole_and_is_the_one_that_is_sealed,
    every_kind_has_a_source_for_every_mode,
    a_kind_is_described_as_it_is_told,
    it_is_ready
);

async fn open(app: &TestApp, path: &str) -> crate::reply::Reply {
    app.send(TestApp::request(
        Method::GET,
        path,
        None,
        axum::body::Body::empty(),
    ))
    .await
    .expect(200)
}

async fn a_notice_is_whole_and_is_the_one_that_is_sealed(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let kinds = open(&app, "/v1/kinds").await.json;
    let mut seen = BTreeSet::new();
    for kind in kinds.as_array().unwrap() {
        for purpose in kind["purposes"].as_array().unwrap() {
            let (id, purpose) = (text_at(kind, "/id"), purpose.as_str().unwrap());
            let notice = open(&app, &format!("/v1/kinds/{id}/notices/{purpose}"))
                .await
                .json;
            let text = text_at(&notice, "/text");
            assert!(
                !text.contains('{') && !text.contains('}'),
                "a slot of {id} for {purpose} is empty: {text}"
            );
            assert!(
                text.contains("明查测试") && text.contains("无人接听"),
                "who, and how to reach them (PIPL 17)"
            );
            let hash: String = Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(text_at(&notice, "/hash"), hash);
            seen.insert(hash);
        }
    }
    assert_eq!(
        seen.len(),
        9,
        "eight kinds, one of them for two purposes, each in words of its own"
    );
    let token = app.at_l2(chen()).await;
    let answer = app
        .look_up(&token, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    let sealed = answer.verified(&app.app).shared.notice.unwrap();
    let shown = open(&app, "/v1/kinds/driving-licence/notices/own-information").await;
    let sealed: String = sealed.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(sealed, shown.text_at("/hash"));
}

async fn every_kind_has_a_source_for_every_mode(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let kinds = open(&app, "/v1/kinds").await.json;
    let coverage = open(&app, "/v1/coverage").await.json;
    let served: BTreeSet<(&str, &str)> = coverage
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (text_at(c, "/kind"), text_at(c, "/mode")))
        .collect();
    for kind in kinds.as_array().unwrap() {
        for mode in kind["modes"].as_array().unwrap() {
            // A rule is asked as a record is read.
            let mode = if mode == "predicate" {
                "read"
            } else {
                mode.as_str().unwrap()
            };
            assert!(
                served.contains(&(text_at(kind, "/id"), mode)),
                "{} {mode}",
                kind["id"]
            );
        }
    }
    let names: Vec<&Value> = coverage
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["name"]["zh"])
        .collect();
    assert!(names.iter().all(|n| n.is_string()));
}

/// The members of a kind and of its parts are those of the API's document.
async fn a_kind_is_described_as_it_is_told(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let document = open(&app, "/openapi.json").await.json;
    let members = |schema: &str| &document["components"]["schemas"][schema]["properties"];
    let mut seen = 0;
    for kind in open(&app, "/v1/kinds").await.json.as_array().unwrap() {
        for (list, schema) in [
            ("key", "KindPartBody"),
            ("fields", "KindPartBody"),
            ("claims", "KindPartBody"),
            ("predicates", "PredicateBody"),
        ] {
            let described = &members("KindBody")[list]["items"]["$ref"];
            assert_eq!(described, &format!("#/components/schemas/{schema}"), "{list}");
            for part in kind[list].as_array().unwrap() {
                for member in part.as_object().unwrap().keys() {
                    assert!(members(schema)[member].is_object(), "{schema} has no {member}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} members were told");
}

async fn it_is_ready(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    assert_eq!(open(&app, "/healthz").await.text, "ok\n");
    assert_eq!(open(&app, "/readyz").await.text, "ready\n");
    let document = open(&app, "/openapi.json").await;
    assert_eq!(
        document.json,
        serde_json::to_value(gateway::router::document()).unwrap()
    );
}
