//! What a kind's data limits is limited for API and portal alike: by kinds of a deployment's own, which are copies.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Map, Value, json};

use crate::{
    bed::Bed,
    cast::{about_me, chen, with},
    portal::browser::Browser,
    reply::{Reply, text_at},
};

on_both!(
    a_claim_is_offered_and_taken_for_its_purposes_alone,
    a_placeholder_is_no_question,
);

const KINDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../kinds");

/// Copies a kind under another name, with its data edited; the folder of kinds.
fn copied(bed: &Bed, from: &str, name: &str, edit: impl Fn(String) -> String) -> PathBuf {
    let folder = bed.folder().join("kinds");
    fs::create_dir_all(folder.join(name)).unwrap();
    for file in ["kind.toml", "notice.zh.md", "notice.en.md"] {
        let text = fs::read_to_string(Path::new(KINDS).join(from).join(file)).unwrap();
        let text = text.replace(&format!("id = \"{from}\"\n"), &format!("id = \"{name}\"\n"));
        let text = if file == "kind.toml" { edit(text) } else { text };
        fs::write(folder.join(name).join(file), text).unwrap();
    }
    folder
}

/// The claims that the catalogue offers for what one asks about oneself.
fn offered<'k>(kinds: &'k Value, kind: &str) -> Vec<&'k str> {
    let mut all = kinds.as_array().unwrap().iter();
    let kind = all.find(|k| k["id"] == kind).unwrap();
    let for_oneself = |claim: &&Value| {
        let purposes = claim["purposes"].as_array();
        purposes.is_none_or(|named| named.contains(&json!("own-information")))
    };
    let claims = kind["claims"].as_array().unwrap().iter();
    claims
        .filter(for_oneself)
        .map(|claim| text_at(claim, "/id"))
        .collect()
}

async fn a_claim_is_offered_and_taken_for_its_purposes_alone(bed: Arc<Bed>) {
    // A picture cannot be typed; of what can be, a copy of the kind says the same.
    let limited = |text: String| {
        let claim = "id = \"valid_until\"\n";
        assert!(text.contains(claim));
        text.replace(claim, &format!("{claim}purposes = [\"account-proofing\"]\n"))
    };
    let folder = copied(&bed, "identity", "likeness", limited);
    let app = bed.app().kinds(&folder).start().await;
    // By a picture, so that it is taken where it is for.
    let token = app.at_l3(chen()).await;
    let mut browser = Browser::with_session(&app, &token);
    let kinds = app.get(&token, "/v1/kinds").await.expect(200).json;
    let picture = json!({ "digest": "9a".repeat(32), "handle": "inline" });
    assert_eq!(offered(&kinds, "identity"), ["valid_until", "long_term", "phone"]);
    assert_eq!(offered(&kinds, "likeness"), ["long_term", "phone"]);
    for (kind, claim, value) in [
        ("identity", "portrait", picture),
        ("likeness", "valid_until", json!("2029-02-14")),
    ] {
        let claims = Map::from_iter([(claim.to_owned(), value)]);
        let question = with(with(about_me(kind), "mode", "match"), "claims", claims);
        let (entries, asked) = (app.entries().await, app.sandbox.journal().len());
        let refused = app.look_up(&token, &question).await;
        let refused = refused.expect_problem(403, "PURPOSE_NOT_REGISTERED");
        assert_eq!(refused.text_at("/at"), format!("claims.{claim}"));
        let entry = app.entry_about(&token, refused.lookup_id()).await;
        assert_eq!(
            (&entry["type"], app.entries().await, app.sandbox.journal().len()),
            (&json!("REFUSAL"), entries + 1, asked),
            "no intent was sealed, and nobody was asked"
        );
        let page = browser.get(&format!("/look-up/{kind}")).await.expect(200).text;
        assert!(page.contains("name=\"claims.phone\""), "{kind}: {page}");
        assert!(!page.contains(&format!("claims.{claim}")), "{kind}: {page}");
    }
}

/// What is wrong with an identifier, and where.
fn wrong(reply: &Reply) -> [&Value; 3] {
    ["at", "expected", "reason"].map(|member| &reply.json[member])
}

async fn a_placeholder_is_no_question(bed: Arc<Bed>) {
    const PLACEHOLDER: &str = "11111111111111111";
    let by_vin = |text: String| {
        let (head, _) = text.split_once("[[key]]").unwrap();
        let (_, rest) = text.split_once("[belongs_to]").unwrap();
        let name = "name = { zh = \"车架号\", en = \"VIN\" }";
        format!("{head}[[key]]\nid = \"vin\"\n{name}\ntype = \"vin\"\n\n[belongs_to]{rest}")
    };
    let folder = copied(&bed, "vehicle-maintenance", "workshop-book", by_vin);
    let app = bed.app().kinds(&folder).start().await;
    let token = app.at_l2(chen()).await;
    let ask = |vin: &str| with(about_me("workshop-book"), "key", json!({ "vin": vin }));
    let entries = app.entries().await;
    let refused = app.look_up(&token, &ask(PLACEHOLDER)).await;
    let refused = refused.expect_problem(400, "BAD_VALUE");
    assert_eq!(wrong(&refused), ["key.vin", "vin", "SENTINEL"]);
    let mut browser = Browser::with_session(&app, &token);
    let values = [("once", "1"), ("key.vin", PLACEHOLDER)];
    let page = browser.post("/look-up/workshop-book", &values).await.expect(400);
    assert!(
        page.text.contains("id=\"key.vin-wrong\"") && page.text.contains("这不是真的号码"),
        "{}",
        page.text
    );
    assert_eq!(app.entries().await, entries, "nothing was sealed");
    // Any other VIN is a question, of which an intent and its end are sealed; no source here has such records.
    let other = app.look_up(&token, &ask("LSVAA49J132047371")).await;
    other.expect_outcome("not_covered");
    assert_eq!(app.entries().await, entries + 2);
}
