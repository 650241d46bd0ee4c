//! A body that is not one JSON object of the described members is refused, and nothing is written.

use std::sync::Arc;

use axum::body::Body;
use domain::time::Clock;
use gateway::api::{body::MAX_BODY, changes::MAX_CHANGE_BODY, reviews::MAX_REVIEW_BODY};
use http::{Method, Request, header};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen},
};

on_both!(
    a_body_that_is_not_one_object_is_refused,
    a_body_of_another_kind_is_refused,
    a_limit_is_told_as_it_holds,
    a_change_that_is_too_long_is_refused,
);

/// Bodies that are no question; in `GOOD` stands a good one, in `OPEN` the same without its end.
const BODIES: [&str; 15] = [
    "",
    "null",
    "\"self\"",
    "[GOOD]",
    r#"["driving-licence","read","self",{},null,[],{},[],"own-information",null]"#,
    "GOOD GOOD",
    "GOOD}",
    "OPEN",
    r#"OPEN,"kind":"marriage"}"#,
    r#"OPEN,"\u006bind":"marriage"}"#,
    r#"OPEN,"admin":true}"#,
    r#"OPEN,"fields":"states"}"#,
    r#"OPEN,"fields":[1]}"#,
    r#"OPEN,"key":{"plate":"1","plate":"2"}}"#,
    r#"{"kind":"driving-licence","mode":"read"}"#,
];

async fn a_body_that_is_not_one_object_is_refused(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let good = about_me("driving-licence").to_string();
    let open = good.trim_end_matches('}').to_owned();
    let before = app.entries().await;
    let mut bodies: Vec<Vec<u8>> = BODIES
        .iter()
        .map(|b| b.replace("GOOD", &good).replace("OPEN", &open).into_bytes())
        .collect();
    bodies.push(
        format!(
            "{open},\"key\":{{\"plate\":{}{}}}}}",
            "[".repeat(5000),
            "]".repeat(5000)
        )
        .into_bytes(),
    );
    let mut not_utf8 = good.clone().into_bytes();
    not_utf8.splice(2..2, [0xff, 0xfe]);
    bodies.push(not_utf8);
    for body in bodies {
        let request = TestApp::request(Method::POST, "/v1/lookups", Some(&token), body);
        app.send(request).await.expect_problem(400, "BODY_NOT_JSON");
    }
    let huge = format!("{open},\"key\":{{\"plate\":\"{}\"}}}}", "9".repeat(1024 * 1024));
    let request = TestApp::request(Method::POST, "/v1/lookups", Some(&token), huge);
    app.send(request).await.expect_problem(400, "BODY_TOO_LARGE");
    assert_eq!(app.entries().await, before, "nothing was written");
    // In another normal form it is the same question.
    let spaced = good.replace(',', " ,\n\t");
    let request = TestApp::request(Method::POST, "/v1/lookups", Some(&token), spaced);
    app.send(request).await.expect_outcome("found");
}

async fn a_body_of_another_kind_is_refused(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let before = app.entries().await;
    let good = about_me("driving-licence").to_string();
    for media in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
    ] {
        let mut request = TestApp::request(Method::POST, "/v1/lookups", Some(&token), good.clone());
        request
            .headers_mut()
            .insert(header::CONTENT_TYPE, media.parse().unwrap());
        let reply = app.send(request).await.expect_problem(400, "BODY_NOT_JSON");
        assert_eq!(reply.text_at("/at"), "content-type");
    }
    assert_eq!(app.entries().await, before, "nothing was written");
}

/// Each operation takes as much as it says, and not a byte more.
async fn a_limit_is_told_as_it_holds(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    // An object that lacks its members, as long as is wanted.
    let of_length = |length: usize| format!("{{}}{}", " ".repeat(length - 2));
    for (path, limit, told) in [
        ("/v1/lookups", MAX_BODY, "at most 1 MiB"),
        ("/v1/account/portrait", MAX_BODY, "at most 1 MiB"),
        ("/v1/reviews", MAX_REVIEW_BODY, "at most 4.25 MiB"),
    ] {
        let send = async |length: usize| {
            let request = TestApp::request(Method::POST, path, Some(&token), of_length(length));
            app.send(request).await
        };
        send(limit).await.expect_problem(400, "BODY_NOT_JSON");
        let refused = send(limit + 1).await.expect_problem(400, "BODY_TOO_LARGE");
        assert_eq!(refused.text_at("/expected"), told, "{path}");
        assert!(
            !refused.text_at("/title").contains("MiB"),
            "the title is one for all operations: {}",
            refused.text
        );
    }
}

/// What record holders push is no JSON of ours, and is refused as plainly as it is answered.
async fn a_change_that_is_too_long_is_refused(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    for (length, status) in [(MAX_CHANGE_BODY, 403), (MAX_CHANGE_BODY + 1, 413)] {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/v1/sources/sandbox-insurance/changes")
            .header("webhook-id", "msg_1")
            .header("webhook-timestamp", app.clock.now().0 / 1_000_000)
            .header("webhook-signature", "v1,AAAA")
            .body(Body::from(" ".repeat(length)))
            .unwrap();
        app.send(request).await.expect(status);
    }
}
