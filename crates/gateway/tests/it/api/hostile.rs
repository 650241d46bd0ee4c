//! No input makes the program fail: every route that takes a body, against every nasty body and every nasty value in
//! every place of a good one. What is refused is a problem with a stable code, and repeats nothing of what was sent.

use std::sync::Arc;

use http::{HeaderValue, Method, header};
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{chen, key},
    reply::Reply,
};

on_both!(nasty_bodies, nasty_values_in_every_place, nasty_headers_and_paths);

/// It stands in what is sent, and must not come back.
const CANARY: &str = "CANARY7361";

/// A good body for each route that takes one.
fn good(path: &str) -> Value {
    match path {
        "/v1/account/codes" => json!({ "phone": "17988881111" }),
        "/v1/account/sessions" => json!({ "phone": "17988881111", "code": "12345678" }),
        "/v1/account/proof" => json!({ "name": chen().name, "id_number": chen().id_number }),
        "/v1/account/portrait" => json!({ "portrait": "iVBORw0KGgo=", "consent": "00" }),
        "/v1/my-records" => json!({ "purpose": "own-information" }),
        "/v1/lookups/{id}/hidden" => json!({ "hidden": true }),
        "/v1/reviews" => json!({
            "lookup_id": "019abc00-0000-7000-8000-000000000000", "text": "x", "pictures": ["iVBORw0KGgo="],
        }),
        "/v1/images" => json!({ "lookup_id": "019abc00-0000-7000-8000-000000000000", "handle": "x" }),
        "/v1/lookups" | "/v1/reports" => json!({
            "kind": "vehicle", "mode": "read", "subject": { "name": chen().name, "id_number": chen().id_number },
            "key": key(&chen().vehicles[0]), "fields": ["vin"], "reveal": [], "claims": {}, "predicates": [],
            "purpose": "own-information", "basis": "contract",
        }),
        other => panic!("a new route {other} needs a good body here"),
    }
}

/// Every route of the document that takes a body.
fn routes() -> Vec<(Method, String)> {
    let document = serde_json::to_value(gateway::router::document()).unwrap();
    let mut routes = vec![];
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, route) in methods.as_object().unwrap() {
            // What record holders push is signed, and refused without a body; its cases stand with it.
            if route["requestBody"].is_object() && !path.starts_with("/v1/sources/") {
                routes.push((method.to_uppercase().parse().unwrap(), path.clone()));
            }
        }
    }
    assert!(routes.len() >= 8);
    routes
}

/// Bodies that are nothing, too much, half, twice, or in another language.
fn nasty() -> Vec<Vec<u8>> {
    let texts = [
        "",
        " ",
        "\u{feff}{}",
        "null",
        "true",
        "0",
        "-0",
        "1e999",
        "NaN",
        "\"\"",
        "[]",
        "[[]]",
        "[{}]",
        "{}",
        "{",
        "}",
        "{}{}",
        "{},",
        "{\"\":1}",
        "{\"a\":1,}",
        "{'a':1}",
        "{a:1}",
        "// {}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\u0000\"}",
        "{\"phone\":null}",
        "{\"phone\":[]}",
        "{\"phone\":{}}",
        "{\"phone\":1}",
        "{\"phone\":\"\"}",
        "{\"__proto__\":{}}",
        "{\"constructor\":{}}",
        "{\"$ref\":\"#\"}",
        "<xml/>",
        "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
        "a=1&b=2",
        "--boundary\r\n\r\n",
        "\r\n\r\n",
        "%7B%7D",
        "\u{202e}{}",
        "{\"CANARY7361\":1}",
        "\"CANARY7361\"",
        "{\"kind\":\"CANARY7361\"}",
        "{\"phone\":\"CANARY7361\"}",
        "{\"purpose\":\"CANARY7361\"}",
        "{\"phone\":\"17988881111\",\"phone\":\"17988881111\"}",
        "{\"phone\":\"17988881111\",\"code\":12345678}",
        "{\"phone\":\"17988881111\",\"code\":\"${jndi:ldap://x}\"}",
        "{\"hidden\":1}",
        "{\"consent\":\"true\"}",
    ];
    let mut bodies: Vec<Vec<u8>> = texts.iter().map(|t| t.as_bytes().to_vec()).collect();
    bodies.extend([
        vec![0],
        vec![0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00],
        vec![0xef, 0xbb, 0xbf],
        b"{\"a\":\"\xff\"}".to_vec(),
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00".to_vec(),
        "[".repeat(200_000).into_bytes(),
        "{\"a\":".repeat(200_000).into_bytes(),
        format!("{{\"a\":\"{}\"}}", "9".repeat(900_000)).into_bytes(),
        format!("{{\"a\":{}}}", "9".repeat(100_000)).into_bytes(),
        vec![b' '; 1024 * 1024],
        vec![b' '; 1024 * 1024 + 1],
        vec![0x7b; 3 * 1024 * 1024],
    ]);
    assert!(bodies.len() >= 60);
    bodies
}

/// Values that are of another type, empty, huge, hidden, or meant for another program.
fn nasty_values() -> Vec<Value> {
    let mut values = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e308),
        json!([]),
        json!([null]),
        json!([[[[]]]]),
        json!({}),
        json!({ "": "" }),
        json!({ "a": { "b": [] } }),
        json!(vec![0; 5000]),
    ];
    let texts = [
        "",
        " ",
        "\u{0}",
        "\u{feff}",
        "\u{202e}",
        "\u{200b}",
        "\u{1f600}",
        "\u{10ffff}",
        "CANARY7361",
        "*",
        "%",
        "_",
        ".*",
        "../../etc/passwd",
        "' OR '1'='1",
        "\"; DROP TABLE entry; --",
        "{{7*7}}",
        "${7*7}",
        "<script>",
        "%00",
        "\\u0000",
        "self",
        "0000-00-00",
        "2026-02-30",
        "000000000000000000",
        "999999999999999999",
        "１７９８８８８１１１１",
        "陈卫东",
        "e\u{301}",
        "-1",
        "1e9",
        "NaN",
        "true",
        "null",
    ];
    values.extend(texts.iter().map(|t| json!(t)));
    values.push(json!("A".repeat(100_000)));
    values.push(json!("\u{301}".repeat(10_000)));
    values
}

#[track_caller]
fn never_fails(reply: &Reply, what: &str) {
    assert!(reply.status < 500, "{what}: {} {}", reply.status, reply.text);
    assert!(!reply.text.contains(CANARY), "{what} is repeated: {}", reply.text);
    if reply.status >= 400 {
        let media_type = reply.headers.get("content-type").map(|v| v.as_bytes());
        assert_eq!(media_type, Some(&b"application/problem+json"[..]), "{what}");
        let code = reply.json["code"].as_str().unwrap_or_default();
        let stable = code.len() >= 4
            && code
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        assert!(stable, "{what}: {}", reply.text);
    }
}

fn filled(path: &str) -> String {
    path.replace("{id}", "019abc00-0000-7000-8000-000000000000")
}

async fn nasty_bodies(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l3(chen()).await;
    for (method, path) in routes() {
        for body in nasty() {
            let what = format!("{method} {path} {:.60}", String::from_utf8_lossy(&body));
            let request = TestApp::request(method.clone(), &filled(&path), Some(&token), body);
            never_fails(&app.send(request).await, &what);
        }
    }
    app.get(&token, "/v1/account").await.expect(200);
}

async fn nasty_values_in_every_place(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l3(chen()).await;
    for (method, path) in routes() {
        let good = good(&path);
        for place in places(&good) {
            for value in nasty_values() {
                let mut body = good.clone();
                *body.pointer_mut(&place).unwrap() = value.clone();
                let what = format!("{method} {path} {place} {:.60}", value.to_string());
                let request =
                    TestApp::request(method.clone(), &filled(&path), Some(&token), body.to_string());
                never_fails(&app.send(request).await, &what);
            }
        }
    }
    // Among all these was nobody else's record, and nothing is left half-done.
    app.clock.advance_seconds(60);
    assert!(app.app.store.overdue_lookups(10).await.unwrap().is_empty());
}

/// Pointers to every value within.
fn places(value: &Value) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(values) => values
            .iter()
            .enumerate()
            .map(|(i, v)| (i.to_string(), v))
            .collect(),
        _ => vec![],
    };
    let below = |(name, value): (String, &Value)| -> Vec<String> {
        let deeper = places(value).into_iter().map(|p| format!("/{name}{p}"));
        std::iter::once(format!("/{name}")).chain(deeper).collect()
    };
    inner.into_iter().flat_map(below).collect()
}

async fn nasty_headers_and_paths(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let (long, bytes) = (
        "a".repeat(20_000),
        HeaderValue::from_bytes(b"\xff\xfe\x80").unwrap(),
    );
    for name in [
        "authorization",
        "content-type",
        "idempotency-key",
        "accept",
        "host",
        "content-length",
        "cookie",
    ] {
        for value in [
            HeaderValue::from_str(&long).unwrap(),
            bytes.clone(),
            HeaderValue::from_static(""),
        ] {
            let body = good("/v1/my-records").to_string();
            let mut request = TestApp::request(Method::POST, "/v1/my-records", Some(&token), body);
            request
                .headers_mut()
                .insert(header::HeaderName::from_static(name), value);
            never_fails(&app.send(request).await, name);
        }
    }
    let document = serde_json::to_value(gateway::router::document()).unwrap();
    for path in document["paths"].as_object().unwrap().keys() {
        let places: Vec<&str> = path.split('/').filter(|p| p.starts_with('{')).collect();
        for place in places {
            for nasty in [
                "%00",
                "%ff",
                "%2e%2e%2f",
                "CANARY7361",
                "*",
                "%20",
                "-1",
                "%F0%9F%98%80",
                "0;drop",
                &long,
            ] {
                let path = filled(&path.replace(place, nasty)).replace(['{', '}'], "0");
                for method in [Method::GET, Method::PUT] {
                    let request = TestApp::request(method, &path, Some(&token), "{\"hidden\":true}");
                    never_fails(&app.send(request).await, &path);
                }
            }
        }
        for query in [
            "?%00",
            "?a=%ff",
            "?before=CANARY7361",
            "?hidden=CANARY7361",
            "?hidden[]=1",
            "?before=%F0%9F",
        ] {
            let path = filled(path).replace(['{', '}', '*'], "0");
            never_fails(&app.get(&token, &format!("{path}{query}")).await, query);
        }
    }
}
