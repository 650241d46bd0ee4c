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
