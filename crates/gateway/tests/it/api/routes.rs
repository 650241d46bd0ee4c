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

/// Who calls, with a session of their own. A stranger has none.
#[derive(Clone, Copy, Debug)]
enum Caller {
    /// A phone whose holder proved no name, which may be anybody's.
    Unproven,
    /// The phone alone of a person who proved their name before: it may have been given to somebody else since.
    PhoneAlone,
    /// A proven name.
    Proven,
}

impl Caller {
    /// In the order of the table's columns, after the stranger.
    const ALL: [Caller; 3] = [Caller::Unproven, Caller::PhoneAlone, Caller::Proven];

    /// The token of a new session, because some of the routes end theirs.
    async fn token(self, app: &TestApp) -> String {
        match self {
            Caller::Unproven => app.sign_in(gulbahar()).await,
            Caller::PhoneAlone => app.sign_in(chen()).await,
            Caller::Proven => app.at_l2(chen()).await,
        }
    }
}

/// Method, path, body, and the status for a stranger and for each caller.
type Row = (&'static str, &'static str, Option<Value>, [u16; 4]);

fn table() -> Vec<Row> {
    let question = about_me("driving-licence");
    let mine = json!({ "purpose": "own-information" });
    let person = json!({ "name": chen().name, "id_number": chen().id_number });
    let picture = json!({ "portrait": "", "consent": "00" });
    let review = json!({ "lookup_id": "019abc00-0000-7000-8000-000000000000", "text": "x" });
    let image = json!({ "lookup_id": "019abc00-0000-7000-8000-000000000000", "handle": "x" });
    let hidden = json!({ "hidden": true });
    vec![
        ("GET", "/healthz", None, [200; 4]),
        ("GET", "/readyz", None, [200; 4]),
        ("GET", "/log/{log}/checkpoint", None, [200; 4]),
        ("GET", "/log/{log}/tile/{path}", None, [404; 4]),
        ("POST", "/v1/sources/{source}/changes", Some(json!({})), [403; 4]),
        ("GET", "/v1/kinds", None, [200; 4]),
        ("GET", "/v1/kinds/{kind}/notices/{purpose}", None, [404; 4]),
        ("GET", "/v1/coverage", None, [200; 4]),
        ("GET", "/v1/account/portrait/consent", None, [200; 4]),
        ("POST", "/v1/account/codes", Some(json!({})), [400; 4]),
        ("POST", "/v1/account/sessions", Some(json!({})), [400; 4]),
        ("GET", "/v1/account", None, [401, 200, 200, 200]),
        ("GET", "/v1/lookups", None, [401, 200, 403, 200]),
        ("GET", "/v1/lookups/{id}", None, [401, 404, 403, 404]),
        ("GET", "/v1/lookups/turns/{id}", None, [401, 404, 404, 404]),
        (
            "PUT",
            "/v1/lookups/{id}/hidden",
            Some(hidden),
            [401, 404, 403, 404],
        ),
        ("GET", "/v1/receipts/{id}", None, [401, 404, 403, 404]),
        ("GET", "/v1/lookups/export", None, [401, 200, 403, 200]),
        ("GET", "/v1/access-log", None, [401, 200, 403, 200]),
        (
            "POST",
            "/v1/lookups",
            Some(question.clone()),
            [401, 403, 403, 200],
        ),
        // What is refused stands in its part.
        ("POST", "/v1/reports", Some(question), [401, 200, 200, 200]),
        ("POST", "/v1/my-records", Some(mine), [401, 200, 200, 200]),
        ("POST", "/v1/images", Some(image), [401, 404, 404, 404]),
        ("POST", "/v1/reviews", Some(review), [401, 403, 403, 404]),
        ("GET", "/v1/reviews", None, [401, 200, 403, 200]),
        ("GET", "/v1/reviews/{id}", None, [401, 404, 403, 404]),
        (
            "GET",
            "/v1/reviews/{id}/pictures/{place}",
            None,
            [401, 404, 403, 404],
        ),
        (
            "POST",
            "/v1/account/portrait",
            Some(picture),
            [401, 400, 400, 400],
        ),
        // Whether it is proven stands in the answer.
        ("POST", "/v1/account/proof", Some(person), [401, 200, 200, 200]),
        ("DELETE", "/v1/account/sessions", None, [401, 204, 204, 204]),
        // The last, because it ends the accounts: one of nobody by its phone, a person's only by who proved it.
        ("DELETE", "/v1/account", None, [401, 204, 400, 204]),
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
    // Chen has proven his name from here on, and this session of his is over.
    let expired = app.at_l2(chen()).await;
    app.clock.advance_seconds(8 * 3600);
    let mut cells = 0;
    for row in &rows {
        let name = format!("{} {}", row.0, row.1);
        let [stranger, known @ ..] = row.3;
        let tokens = STRANGERS.iter().copied().chain([Some(expired.as_str())]);
        check_strangers(&app, row, tokens, stranger).await;
        cells += 1;
        for (caller, expected) in Caller::ALL.into_iter().zip(known) {
            let token = caller.token(&app).await;
            let reply = call(&app, row, Some(&token)).await;
            assert_eq!(reply.status, expected, "{name} for {caller:?}: {}", reply.text);
            cells += 1;
        }
    }
    assert_eq!(cells, 4 * documented().len(), "every cell of the table was tried");
}

/// Whoever has no living session gets the same, and nothing is done for them.
async fn check_strangers<'t>(
    app: &TestApp,
    row: &Row,
    tokens: impl Iterator<Item = Option<&'t str>>,
    expected: u16,
) {
    let name = format!("{} {}", row.0, row.1);
    let (entries, asked) = (app.entries().await, app.sandbox.journal().len());
    let mut seen = BTreeSet::new();
    for token in tokens {
        let reply = call(app, row, token).await;
        assert_eq!(reply.status, expected, "{name} for a stranger: {}", reply.text);
        let trace = reply.json["trace_id"].as_str().unwrap_or("none").to_owned();
        seen.insert(reply.text.replace(&trace, "TRACE"));
    }
    assert_eq!(seen.len(), 1, "{name}: a false token is as none");
    assert_eq!(
        (app.entries().await, app.sandbox.journal().len()),
        (entries, asked),
        "{name}: nothing was done"
    );
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
