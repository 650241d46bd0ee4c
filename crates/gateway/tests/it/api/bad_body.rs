//! A body that is not one JSON object of the described members is refused, and nothing is written.

use std::sync::Arc;

use http::{Method, header};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen},
};

on_both!(
    a_body_that_is_not_one_object_is_refused,
    a_body_of_another_kind_is_refused
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
