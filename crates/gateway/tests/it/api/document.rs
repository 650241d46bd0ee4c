//! The API's document is what it was, or the change was meant: `MINGCHA_UPDATE_SNAPSHOTS=1` writes it anew.

use std::{fs, path::Path};

use serde_json::Value;

#[test]
fn the_document_is_the_snapshot() {
    let document = serde_json::to_value(gateway::router::document()).unwrap();
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi.json");
    if std::env::var_os("MINGCHA_UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let snapshot = fs::read_to_string(&path).unwrap_or_default();
    let first = text
        .lines()
        .zip(snapshot.lines())
        .position(|(now, then)| now != then);
    assert!(
        text == snapshot,
        "the API is not that of tests/openapi.json, from line {} on. Was it meant? \
         MINGCHA_UPDATE_SNAPSHOTS=1 writes it anew.",
        first.unwrap_or_else(|| text.lines().count().min(snapshot.lines().count())) + 1
    );
}

#[test]
fn the_document_says_what_a_client_needs() {
    let document = serde_json::to_value(gateway::router::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 15);
    for (path, methods) in paths {
        for (method, route) in methods.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(
                route["summary"].as_str().is_some_and(|s| s.len() > 8),
                "{name} says nothing about itself"
            );
            assert!(
                route["tags"].as_array().is_some_and(|t| t.len() == 1),
                "{name} belongs nowhere"
            );
            let answers = route["responses"].as_object().unwrap();
            assert!(
                answers.keys().any(|status| status.starts_with('2')),
                "{name} never succeeds"
            );
            if matches!(method.as_str(), "post" | "put") {
                assert!(
                    route["requestBody"]["content"]["application/json"]["schema"].is_object(),
                    "{name}"
                );
            }
        }
    }
    refers_only_to_what_is_there(&document, &document);
}

/// What can go wrong with an operation is told with it, with the codes by which a program decides.
#[test]
fn the_document_says_what_can_go_wrong() {
    let document = serde_json::to_value(gateway::router::document()).unwrap();
    // Elsewhere problems are plain: towards record holders, in the log and in probes.
    let is_api = |path: &str| path.starts_with("/v1/") && !path.starts_with("/v1/sources/");
    let paths = document["paths"].as_object().unwrap().iter();
    let api = paths.filter(|(path, _)| is_api(path));
    for (path, methods) in api {
        for (method, route) in methods.as_object().unwrap() {
            let name = format!("{method} {path}");
            let answers = route["responses"].as_object().unwrap();
            let mut expected = vec![];
            expected.extend(route["requestBody"].is_object().then_some("400"));
            expected.extend(route["security"].is_array().then_some("401"));
            expected.extend(path.contains('{').then_some("404"));
            expected.extend(route["security"].is_array().then_some("503"));
            for status in expected {
                assert!(answers.contains_key(status), "{name} does not tell of {status}");
            }
            for (status, answer) in answers.iter().filter(|(status, _)| status.as_str() >= "400") {
                let answer = match answer["$ref"].as_str() {
                    Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
                    None => answer,
                };
                let body = &answer["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(body, "#/components/schemas/ProblemBody", "{name} {status}");
            }
        }
    }
    for request in ["CodeRequest", "SessionRequest", "PersonRequest", "LookupRequest"] {
        let schema = &document["components"]["schemas"][request];
        assert!(schema["example"].is_object(), "{request} has no example");
    }
}

/// What a case can hardly bring about, because somebody else has to be faster, is told too.
#[test]
fn the_document_tells_what_happens_seldom() {
    let document = serde_json::to_value(gateway::router::document()).unwrap();
    for (method, path, status) in [
        ("post", "/v1/account/sessions", "401"),
        ("post", "/v1/account/proof", "403"),
        ("post", "/v1/account/proof", "409"),
        ("post", "/v1/account/portrait", "403"),
        ("post", "/v1/account/portrait", "409"),
        ("post", "/v1/lookups", "409"),
        ("post", "/v1/my-records", "429"),
        ("post", "/v1/images", "429"),
        ("post", "/v1/reviews", "429"),
        ("get", "/v1/receipts/{id}", "429"),
        ("get", "/v1/reviews/{id}/pictures/{place}", "403"),
    ] {
        let answers = &document["paths"][path][method]["responses"];
        assert!(
            answers[status].is_object(),
            "{method} {path} does not tell of {status}"
        );
    }
}

/// Where an idempotency key is heeded, it is described.
#[test]
fn the_document_tells_where_a_key_repeats() {
    let document = serde_json::to_value(gateway::router::document()).unwrap();
    for path in ["/v1/lookups", "/v1/reports", "/v1/my-records", "/v1/reviews"] {
        let parameters = document["paths"][path]["post"]["parameters"].as_array().unwrap();
        let is_key = |p: &Value| p["in"] == "header" && p["name"] == "idempotency-key";
        assert!(parameters.iter().any(is_key), "{path}");
    }
}

fn refers_only_to_what_is_there(part: &Value, document: &Value) {
    match part {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            members
                .values()
                .for_each(|value| refers_only_to_what_is_there(value, document));
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| refers_only_to_what_is_there(value, document)),
        _ => {}
    }
}
