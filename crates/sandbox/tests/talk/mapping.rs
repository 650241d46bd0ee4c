//! The source files, the record kinds and what the sandbox sends stay in step.

use std::collections::BTreeSet;

use crypto::Suite;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sandbox::{Authority, Keys, personas, source_files};
use serde_json::Value;
use toml::{Table, Value as Toml};

use crate::client::{Gateway, about, with_handle, with_plate};

const PAGE: &str = include_str!("../../../../docs/sandbox.md");

/// File name, the whole, and its routes.
fn files() -> Vec<(String, Table, Vec<Table>)> {
    let keys = Keys::generate(Suite::Gm, &mut ChaCha20Rng::from_seed([8; 32])).unwrap();
    let read = |(name, text): (String, String)| {
        let table: Table = text.parse().unwrap_or_else(|e| panic!("{name}: {e}"));
        let serves = table["serves"]
            .as_array()
            .unwrap()
            .iter()
            .map(|route| route.as_table().unwrap().clone());
        let serves = serves.collect();
        (name, table, serves)
    };
    source_files("http://127.0.0.1:8701/", &keys)
        .into_iter()
        .map(read)
        .collect()
}

#[test]
fn each_authority_has_a_file_that_finds_it() {
    let files = files();
    assert_eq!(files.len(), Authority::ALL.len());
    for ((name, table, _), authority) in files.iter().zip(Authority::ALL) {
        let text = |member: &str| table[member].as_str().unwrap();
        assert_eq!(
            text("endpoint"),
            format!("http://127.0.0.1:8701/{}/v1", authority.slug())
        );
        assert_eq!(text("freshness"), authority.freshness().code());
        assert_eq!(
            (name.as_str(), text("id")),
            (
                format!("sandbox-{}.toml", authority.slug()).as_str(),
                &name[..name.len() - 5]
            )
        );
        let shown = &table["name"];
        assert!(
            shown["zh"].as_str().unwrap().contains("模拟")
                && shown["en"].as_str().unwrap().contains("simulated")
        );
        if authority.signs() {
            let secret = table["auth"]["api-key"]["secret"].as_str().unwrap();
            assert!(secret.starts_with("literal:") && secret.len() == 40);
            assert!(
                table["signature"]["key"]
                    .as_str()
                    .unwrap()
                    .starts_with("gm-public:")
            );
            continue;
        }
        let envelope = &table["envelope"];
        assert_eq!(envelope["suite"].as_str(), Some("gm"));
        assert!(envelope["own_key"].as_str().unwrap().starts_with("base64:"));
        assert_eq!(envelope["peer_name"].as_str(), Some(text("id")));
    }
}

#[test]
fn every_kind_is_served_and_every_required_field_mapped() {
    let kinds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kinds");
    let mut served = BTreeSet::new();
    for (file, _, routes) in files() {
        for route in routes
            .iter()
            .filter(|route| route["mode"].as_str() == Some("read"))
        {
            let kind = route["kind"].as_str().unwrap();
            let text = std::fs::read_to_string(kinds.join(kind).join("kind.toml")).unwrap();
            let described: Table = text.parse().unwrap();
            let mapped: BTreeSet<&str> = route["fields"]
                .as_table()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            if route.contains_key("beside") {
                continue;
            }
            for field in described["fields"].as_array().unwrap() {
                let id = field["id"].as_str().unwrap();
                assert!(mapped.contains(id), "{file}: {kind}.{id} is not mapped");
            }
            served.insert(kind.to_owned());
        }
        let matched = routes
            .iter()
            .filter(|route| route["mode"].as_str() == Some("match"));
        served.extend(matched.map(|route| route["kind"].as_str().unwrap().to_owned()));
    }
    let folders = std::fs::read_dir(kinds).unwrap().map(|entry| entry.unwrap());
    let known: BTreeSet<String> = folders
        .filter(|entry| entry.path().join("kind.toml").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(served, known);
}

#[test]
fn every_code_means_something() {
    for (file, _, routes) in files() {
        for route in routes {
            let codes = route["outcome"]["codes"].as_table().unwrap();
            let expected = if route["mode"].as_str() == Some("match") {
                11
            } else {
                9
            };
            assert_eq!(codes.len(), expected, "{file}");
            assert!(
                !codes.contains_key("4001"),
                "{file}: a broken request is no outcome"
            );
        }
    }
}

/// The bytes of an image come by the same codes from the path and the member that the page describes, for the kinds
/// whose records name an image.
#[tokio::test]
async fn images_are_mapped_where_records_name_them() {
    let mut gateway = Gateway::new();
    let (mut named, mut streamed) = (BTreeSet::new(), BTreeSet::new());
    for (file, table, routes) in files() {
        for route in &routes {
            if route
                .get("fields")
                .is_some_and(|fields| fields.to_string().contains("/zjtp"))
            {
                named.insert(route["kind"].to_string());
            }
        }
        for images in table.get("images").and_then(Toml::as_array).into_iter().flatten() {
            streamed.extend(images["kinds"].as_array().unwrap().iter().map(Toml::to_string));
            assert_eq!(images["outcome"]["codes"].as_table().unwrap().len(), 9, "{file}");
            let slug = table["id"].as_str().unwrap().strip_prefix("sandbox-").unwrap();
            let path = format!("{slug}{}", images["path"].as_str().unwrap());
            let request = with_handle("chen-weidong", "SBX-ZJ-000101");
            let sent: BTreeSet<&String> = request.as_object().unwrap().keys().collect();
            assert_eq!(sent, images["request"].as_table().unwrap().keys().collect());
            let mut members = BTreeSet::new();
            collect_members(&gateway.data(&path, &request).await, "/data", &mut members);
            let bytes = images["answer"]["bytes"].as_str().unwrap();
            assert_eq!(members, BTreeSet::from([bytes.to_owned()]));
            assert!(PAGE.contains("`tp`") && PAGE.contains("`zjbh`"));
        }
    }
    assert_eq!(named, streamed);
    assert_eq!(named.len(), 2);
}

/// What is mapped is sent about somebody, and what is sent is mapped.
#[tokio::test]
async fn members_and_pointers_are_the_same() {
    let mut gateway = Gateway::new();
    for (file, table, routes) in files() {
        let slug = table["id"]
            .as_str()
            .unwrap()
            .strip_prefix("sandbox-")
            .unwrap()
            .to_owned();
        for route in routes
            .iter()
            .filter(|route| route["mode"].as_str() != Some("match"))
        {
            let path = format!("{slug}{}", route["path"].as_str().unwrap());
            let mut sent = BTreeSet::new();
            for data in all_data(&mut gateway, &path, route["request"].as_table().unwrap()).await {
                collect_members(&data, "/data", &mut sent);
            }
            let mut mapped = BTreeSet::new();
            let rows = route["answer"].get("rows").and_then(Toml::as_str);
            mapped.extend(rows.map(str::to_owned));
            for field in route["fields"].as_table().unwrap().values() {
                collect_pointers(field, rows.unwrap_or_default(), &mut mapped);
            }
            assert_eq!(sent, mapped, "{file} {path}");
            for member in sent.iter().filter_map(|pointer| pointer.rsplit('/').next()) {
                assert!(
                    PAGE.contains(&format!("`{member}`")),
                    "docs/sandbox.md lacks {member} of {path}"
                );
            }
        }
    }
}

/// The data of every persona, and of each of their vehicles where the path has a key.
async fn all_data(gateway: &mut Gateway, path: &str, members: &Table) -> Vec<Value> {
    let has_key = members.contains_key("hphm");
    let mut all = Vec::new();
    for who in personas() {
        let requests: Vec<Value> = match has_key {
            true => who
                .vehicles
                .iter()
                .map(|v| with_plate(&who.id, &v.plate, &v.class))
                .collect(),
            false => vec![about(&who.id)],
        };
        for request in requests {
            assert!(
                request
                    .as_object()
                    .unwrap()
                    .keys()
                    .all(|member| members.contains_key(member))
            );
            let mut answer = gateway.ask(path, &request).await;
            all.push(answer["data"].take());
        }
    }
    all
}

fn collect_members(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        // A picture is one value.
        Value::Object(members) if members.contains_key("digest") => {}
        Value::Object(members) => {
            for (name, value) in members {
                into.insert(format!("{at}/{name}"));
                collect_members(value, &format!("{at}/{name}"), into);
            }
        }
        Value::Array(rows) => rows.iter().for_each(|row| collect_members(row, at, into)),
        _ => {}
    }
}

fn collect_pointers(field: &Toml, under: &str, into: &mut BTreeSet<String>) {
    let at = field
        .as_str()
        .or_else(|| field.get("at").and_then(Toml::as_str))
        .unwrap();
    into.insert(format!("{under}{at}"));
    for item in field
        .get("items")
        .and_then(Toml::as_table)
        .into_iter()
        .flat_map(Table::values)
    {
        collect_pointers(item, &format!("{under}{at}"), into);
    }
}
