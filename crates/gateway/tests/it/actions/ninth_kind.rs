//! A kind that is added as a folder of data is looked up end to end, without a line of Rust for it.

use std::{fs, path::Path, sync::Arc};

use serde_json::json;
use sources::SourceFile;

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, gulbahar, key, subject, with},
    reply::text_at,
};

on_both!(
    a_copied_folder_is_a_kind,
    a_copied_folder_with_a_key_is_a_kind,
    an_embedded_kind_cannot_be_replaced,
);

const KINDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../kinds");

/// Copies a kind under another name, as an operator would: the folder, its id, and nothing else.
fn copy_kind(to: &Path, from: &str, name: &str) {
    let folder = to.join(name);
    fs::create_dir_all(&folder).unwrap();
    for file in ["kind.toml", "notice.zh.md", "notice.en.md"] {
        let text = fs::read_to_string(Path::new(KINDS).join(from).join(file)).unwrap();
        let text = text.replace(&format!("id = \"{from}\"\n"), &format!("id = \"{name}\"\n"));
        fs::write(folder.join(file), text).unwrap();
    }
}

/// Copies a source under another name, serving one kind only, as the agreement for it would.
fn copy_source(files: &mut Vec<SourceFile>, from: &str, name: &str, kind: (&str, &str)) {
    let source = files
        .iter()
        .find(|f| f.text.contains(&format!("id = \"{from}\"")))
        .unwrap();
    let (head, rest) = source.text.split_once("[[serves]]").unwrap();
    let (serves, envelope) = rest.split_once("\n[envelope]").unwrap();
    let serves: Vec<String> = serves
        .split("[[serves]]")
        .filter(|part| part.contains(&format!("kind = \"{}\"\n", kind.0)))
        .map(|part| {
            format!(
                "[[serves]]{}",
                part.replace(
                    &format!("kind = \"{}\"", kind.0),
                    &format!("kind = \"{}\"", kind.1)
                )
            )
        })
        .collect();
    let text = format!(
        "{}{}\n[envelope]{envelope}",
        head.replace(from, name)
            .replace(&format!("\n{} = [", kind.0), &format!("\n{} = [", kind.1)),
        serves.concat()
    );
    files.push(SourceFile {
        name: format!("{name}.toml"),
        text,
    });
}

async fn start(bed: &Arc<Bed>) -> TestApp {
    let folder = bed.folder().join("kinds");
    copy_kind(&folder, "marriage", "partnership");
    copy_kind(&folder, "vehicle", "boat");
    let app = bed.app().kinds(&folder).sources(|files| {
        copy_source(
            files,
            "sandbox-civil-affairs",
            "sandbox-partnerships",
            ("marriage", "partnership"),
        );
        copy_source(files, "sandbox-traffic", "sandbox-harbour", ("vehicle", "boat"));
    });
    app.start().await
}

async fn a_copied_folder_is_a_kind(bed: Arc<Bed>) {
    let app = start(&bed).await;
    let l2 = app.at_l2(chen()).await;
    app.look_up(&l2, &about_me("partnership"))
        .await
        .expect_problem(403, "LEVEL_TOO_LOW");
    let strong = app.strengthen(&l2, chen()).await.expect(200);
    let token = strong.text_at("/session/token");
    let kinds = app.get(token, "/v1/kinds").await.expect(200);
    assert_eq!(kinds.json.as_array().unwrap().len(), 10);
    app.get(token, "/v1/kinds/partnership/notices/own-information")
        .await
        .expect(200);
    // As the kind it was copied from, field by field and mask by mask.
    let tap = |kind: &str| with(about_me(kind), "reveal", json!(["spouse_name"]));
    let (copy, original) = (
        app.look_up(token, &tap("partnership")).await,
        app.look_up(token, &tap("marriage")).await,
    );
    let copy = copy.expect_outcome("found");
    for (id, field) in original.expect_outcome("found").json["record"]
        .as_object()
        .unwrap()
    {
        let other = &copy.json["record"][id];
        assert_eq!(
            (&other["value"], &other["masked"]),
            (&field["value"], &field["masked"]),
            "{id}"
        );
        assert_eq!(other["source"], "sandbox-partnerships");
    }
    assert_eq!(
        copy.verified(&app.app).shared.kind.as_deref(),
        Some("partnership")
    );
    let entry = app.entry_about(token, copy.lookup_id()).await;
    assert_eq!(
        (&entry["type"], &entry["kind"]),
        (&json!("RELEASE"), &json!("partnership"))
    );
}

async fn a_copied_folder_with_a_key_is_a_kind(bed: Arc<Bed>) {
    let app = start(&bed).await;
    let token = app.at_l3(chen()).await;
    let token = token.as_str();
    let boat = with(about_me("boat"), "key", key(&chen().vehicles[0]));
    let rule = with(
        with(boat.clone(), "mode", "predicate"),
        "predicates",
        json!(["fuel-electric"]),
    );
    let answer = app.look_up(token, &rule).await.expect_outcome("found");
    assert_eq!(answer.json["record"]["fuel-electric"]["value"], "no");
    let mine = app
        .post(token, "/v1/my-records", &json!({ "purpose": "own-information" }))
        .await
        .expect(200);
    let listed: Vec<&str> = mine
        .json
        .as_array()
        .unwrap()
        .iter()
        .map(|p| text_at(p, "/kind"))
        .collect();
    assert_eq!(listed.len(), 2);
    assert!(listed.contains(&"boat"));
    let report = app.post(token, "/v1/reports", &boat).await.expect(200);
    assert_eq!(report.json.as_array().unwrap().len(), 4);
    // And nobody else's.
    let hers = app.at_l3(gulbahar()).await;
    let other = app
        .look_up(&hers, &with(about_me("partnership"), "subject", subject(chen())))
        .await;
    assert_eq!(
        app.asked(other.expect_problem(403, "NOT_PERMITTED").lookup_id()),
        0
    );
    app.look_up(&hers, &boat).await.expect_outcome("not_found");
}

async fn an_embedded_kind_cannot_be_replaced(bed: Arc<Bed>) {
    let folder = bed.folder().join("again");
    copy_kind(&folder, "marriage", "marriage");
    let wrong = gateway::start::kinds(Some(&folder))
        .expect_err("it is refused")
        .to_string();
    assert!(wrong.contains("marriage"), "{wrong}");
    // Nor can a loaded one ask for less than the floor.
    let folder = bed.folder().join("lower");
    copy_kind(&folder, "marriage", "partnership");
    let path = folder.join("partnership/kind.toml");
    let text = fs::read_to_string(&path).unwrap();
    for (part, by) in [
        ("level = \"L3\"", "level = \"L1\""),
        ("mask = \"always\"", "mask = \"never\""),
    ] {
        fs::write(&path, text.replace(part, by)).unwrap();
        let wrong = gateway::start::kinds(Some(&folder))
            .err()
            .unwrap_or_else(|| panic!("{by} is refused"))
            .to_string();
        assert!(wrong.contains("partnership"), "{wrong}");
    }
    start(&bed).await;
}
