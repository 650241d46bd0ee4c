//! Every route against every kind of caller. A route that does not stand in the table fails.

use std::{collections::BTreeSet, sync::Arc};

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, gulbahar},
    reply::Reply,
};

on_both!(
    every_route_for_every_caller,
    a_token_is_taken_from_its_header_alone
);

/// A caller without a token and one with a token of nobody get the same.
const STRANGERS: [Option<&str>; 5] = [
    None,
    Some(""),
    Some("garbage"),
    Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    Some("' OR 1=1 --"),
];

/// Method, path, body, and the status for: a stranger, a phone alone, a proven name.
type Row = (&'static str, &'static str, Option<Value>, [u16; 3]);

fn table() -> Vec<Row> {
    let question = about_me("driving-licence");
    let mine = json!({ "purpose": "own-information" });
    let person = json!({ "name": chen().name, "id_number": chen().id_number });
    let picture = json!({ "portrait": "", "consent": "00" });
    let review = json!({ "lookup_id": "019abc00-0000-7000-8000-000000000000", "text": "x" });
    let image = json!({ "lookup_id": "019abc00-0000-7000-8000-000000000000", "handle": "x" });
    vec![
        ("GET", "/healthz", None, [200; 3]),
        ("GET", "/readyz", None, [200; 3]),
        ("GET", "/log/{log}/checkpoint", None, [200; 3]),
        ("GET", "/log/{log}/tile/{path}", None, [404; 3]),
        ("POST", "/v1/sources/{source}/changes", Some(json!({})), [403; 3]),
        ("GET", "/v1/kinds", None, [200; 3]),
        ("GET", "/v1/kinds/{kind}/notices/{purpose}", None, [404; 3]),
        ("GET", "/v1/coverage", None, [200; 3]),
        ("GET", "/v1/account/portrait/consent", None, [200; 3]),
        ("POST", "/v1/account/codes", Some(json!({})), [400; 3]),
        ("POST", "/v1/account/sessions", Some(json!({})), [400; 3]),
        ("GET", "/v1/account", None, [401, 200, 200]),
        ("GET", "/v1/lookups", None, [401, 200, 200]),
        ("GET", "/v1/lookups/{id}", None, [401, 404, 404]),
        ("GET", "/v1/lookups/turns/{id}", None, [401, 404, 404]),
        (
            "PUT",
            "/v1/lookups/{id}/hidden",
            Some(json!({ "hidden": true })),
            [401, 404, 404],
        ),
        ("GET", "/v1/receipts/{id}", None, [401, 404, 404]),
        ("GET", "/v1/lookups/export", None, [401, 200, 200]),
        ("GET", "/v1/access-log", None, [401, 200, 200]),
        ("POST", "/v1/lookups", Some(question.clone()), [401, 403, 200]),
        ("POST", "/v1/reports", Some(question), [401, 200, 200]),
        ("POST", "/v1/my-records", Some(mine), [401, 200, 200]),
        ("POST", "/v1/images", Some(image), [401, 404, 404]),
        ("POST", "/v1/reviews", Some(review), [401, 403, 404]),
        ("GET", "/v1/reviews", None, [401, 200, 200]),
        ("GET", "/v1/reviews/{id}", None, [401, 404, 404]),
        ("GET", "/v1/reviews/{id}/pictures/{place}", None, [401, 404, 404]),
        ("POST", "/v1/account/portrait", Some(picture), [401, 400, 400]),
        ("POST", "/v1/account/proof", Some(person), [401, 200, 200]),
        ("DELETE", "/v1/account", None, [401, 400, 204]),
        ("DELETE", "/v1/account/sessions", None, [401, 204, 204]),
    ]
}

/// The routes of the API's document, as the table writes them.
fn documented() -> BTreeSet<(String, String)> {
    let document = serde_json::to_value(gateway::router::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, methods): (&String, &Value)| -> Vec<(String, String)> {
        let methods = methods.as_object().unwrap().keys();
        methods
            .map(|m| (m.to_uppercase(), path.replace("{*", "{")))
            .collect()
    };
    paths.iter().flat_map(of).collect()
}

/// A path with something in each place.
fn filled(path: &str) -> String {
    path.replace("{log}", "0")
        .replace("{path}", "0/000")
        .replace("{kind}", "none")
        .replace("{source}", "sandbox-insurance")
        .replace("{purpose}", "none")
        .replace("{place}", "1")
        .replace("{id}", "019abc00-0000-7000-8000-000000000000")
}

async fn call(app: &TestApp, (method, path, body, _): &Row, token: Option<&str>) -> Reply {
    let body = body
        .as_ref()
        .map_or_else(Body::empty, |b| Body::from(b.to_string()));
    app.send(TestApp::request(
        method.parse().unwrap(),
        &filled(path),
        token,
        body,
    ))
    .await
}

async fn every_route_for_every_caller(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let rows = table();
    let listed: BTreeSet<(String, String)> = rows.iter().map(|r| (r.0.to_owned(), r.1.to_owned())).collect();
    assert_eq!(
        listed,
        documented(),
        "each route in the table, and each of the table a route"
    );
    app.app.store.publish_checkpoint().await.unwrap();
    let expired = app.at_l2(gulbahar()).await;
    app.clock.advance_seconds(8 * 3600);
    for row in &rows {
        let [stranger, phone, proven] = row.3;
        let name = format!("{} {}", row.0, row.1);
        let (entries, asked) = (app.entries().await, app.sandbox.journal().len());
        let mut seen = BTreeSet::new();
        for token in STRANGERS.iter().copied().chain([Some(expired.as_str())]) {
            let reply = call(&app, row, token).await;
            assert_eq!(reply.status, stranger, "{name} for a stranger: {}", reply.text);
            let trace = reply.json["trace_id"].as_str().unwrap_or("none").to_owned();
            seen.insert(reply.text.replace(&trace, "TRACE"));
        }
        assert_eq!(seen.len(), 1, "{name}: a false token is as none");
        assert_eq!(
            (app.entries().await, app.sandbox.journal().len()),
            (entries, asked),
            "{name}: nothing was done"
        );
        // A new session for each, because some of the routes end theirs.
        let token = app.sign_in(gulbahar()).await;
        if app.get(&token, "/v1/lookups").await.status == 200 {
            let reply = call(&app, row, Some(&token)).await;
            assert_eq!(reply.status, phone, "{name} for a phone alone: {}", reply.text);
        }
        if proven != phone {
            let token = app.at_l2(chen()).await;
            let reply = call(&app, row, Some(&token)).await;
            assert_eq!(reply.status, proven, "{name} for a proven name: {}", reply.text);
        }
    }
}

async fn a_token_is_taken_from_its_header_alone(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let mut requests = vec![
        TestApp::request(
            Method::GET,
            &format!("/v1/account?token={token}"),
            None,
            Body::empty(),
        ),
        TestApp::request(
            Method::GET,
            &format!("/v1/account?access_token={token}"),
            None,
            Body::empty(),
        ),
    ];
    for (name, value) in [
        ("authorization", token.clone()),
        ("authorization", format!("Basic {token}")),
        ("authorization", format!("Bearer  {token}")),
        ("authorization", format!("Bearer {token}x")),
        ("authorization", format!("Bearer {}", &token[..token.len() - 1])),
        ("authorization", format!("Bearer {token}, Bearer {token}")),
        ("cookie", format!("session={token}")),
        ("x-authorization", format!("Bearer {token}")),
    ] {
        let mut request = TestApp::request(Method::GET, "/v1/account", None, Body::empty());
        request.headers_mut().insert(name, value.parse().unwrap());
        requests.push(request);
    }
    for request in requests {
        app.send(request).await.expect_problem(401, "NOT_SIGNED_IN");
    }
    app.get(&token, "/v1/account").await.expect(200);
}
