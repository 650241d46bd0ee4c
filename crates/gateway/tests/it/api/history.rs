//! My look-ups: pages, out of sight and back; who looked at me: pages without a gap; both are shaped to be exported.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, li},
    reply::{keys, text_at},
};

on_both!(
    my_look_ups_come_in_pages,
    what_is_hidden_comes_back,
    who_looked_at_me_comes_without_a_gap,
    lines_have_one_shape,
    my_look_ups_are_searched_and_exported,
    what_happened_to_my_account_is_told_too,
);

async fn pages(app: &TestApp, token: &str, path: &str, of: fn(&Value) -> String) -> Vec<Vec<Value>> {
    let (mut pages, mut before) = (vec![], String::new());
    loop {
        let page = app.get(token, &format!("{path}{before}")).await.expect(200);
        let rows = page.json.as_array().unwrap().clone();
        let Some(last) = rows.last() else { return pages };
        let join = if path.contains('?') { '&' } else { '?' };
        before = format!("{join}before={}", of(last));
        pages.push(rows);
    }
}

async fn my_look_ups_come_in_pages(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let mut asked = vec![
        app.access_log(&token).await[1]["lookup_id"]
            .as_str()
            .unwrap()
            .to_owned(),
    ];
    assert_eq!(
        app.get(&token, "/v1/lookups").await.expect(200).json[0]["lookup_id"],
        asked[0].as_str(),
        "the proof"
    );
    for _ in 0..111 {
        let answer = app
            .look_up(&token, &about_me("driving-licence"))
            .await
            .expect_outcome("found");
        asked.push(answer.lookup_id().to_owned());
    }
    let pages = pages(&app, &token, "/v1/lookups", |l| {
        text_at(l, "/lookup_id").to_owned()
    })
    .await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 12]);
    let told: Vec<&str> = pages.iter().flatten().map(|l| text_at(l, "/lookup_id")).collect();
    asked.reverse();
    assert_eq!(told, asked, "each once, newest first");
}

async fn what_is_hidden_comes_back(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let answer = app
        .look_up(&token, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    let id = answer.lookup_id();
    let ids = async |path: &str| -> Vec<String> {
        let page = app.get(&token, path).await.expect(200);
        page.json
            .as_array()
            .unwrap()
            .iter()
            .map(|l| text_at(l, "/lookup_id").to_owned())
            .collect()
    };
    let hide = async |hidden: bool| {
        let path = format!("/v1/lookups/{id}/hidden");
        app.put(&token, &path, &json!({ "hidden": hidden }))
            .await
            .expect(204)
    };
    let entries = app.entries().await;
    hide(true).await;
    hide(true).await;
    assert!(!ids("/v1/lookups").await.contains(&id.to_owned()));
    assert!(ids("/v1/lookups?hidden=true").await.contains(&id.to_owned()));
    assert_eq!(
        app.get(&token, &format!("/v1/lookups/{id}"))
            .await
            .expect(200)
            .json["hidden"],
        true
    );
    // Out of sight is not out of the log: not for the subject, not for the proof.
    assert_eq!(app.entry_about(&token, id).await["type"], "RELEASE");
    app.get(&token, &format!("/v1/receipts/{id}")).await.expect(200);
    assert_eq!(
        app.entries().await,
        entries,
        "what one wants to see is nobody else's business"
    );
    hide(false).await;
    assert!(ids("/v1/lookups").await.contains(&id.to_owned()));
    for body in [
        json!({}),
        json!({ "hidden": "yes" }),
        json!({ "hidden": true, "for": "all" }),
    ] {
        let reply = app.put(&token, &format!("/v1/lookups/{id}/hidden"), &body).await;
        reply.expect_problem(400, "BODY_NOT_JSON");
    }
}

async fn who_looked_at_me_comes_without_a_gap(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    for _ in 0..60 {
        app.look_up(&token, &about_me("driving-licence"))
            .await
            .expect_outcome("found");
    }
    let pages = pages(&app, &token, "/v1/access-log", |e| e["number"].to_string()).await;
    let numbers: Vec<u64> = pages
        .iter()
        .flatten()
        .map(|e| e["number"].as_u64().unwrap())
        .collect();
    let expected: Vec<u64> = (0..numbers.len() as u64).rev().collect();
    assert_eq!(numbers, expected);
    assert!(numbers.len() >= 123, "proof and sixty look-ups");
    assert!(pages.iter().rev().skip(1).all(|p| p.len() == 50));
    // Her chain is another.
    let hers = app.at_l2(li()).await;
    assert!(app.access_log(&hers).await.len() < 10);
}

async fn my_look_ups_are_searched_and_exported(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    for n in 0..55 {
        let kind = if n % 5 == 0 {
            "traffic-violations"
        } else {
            "driving-licence"
        };
        app.look_up(&token, &about_me(kind)).await.expect_outcome("found");
    }
    app.clock.advance_seconds(2 * 3600);
    let other = app.at_l2(chen()).await;
    app.look_up(&other, &about_me("marriage")).await.expect(403);
    app.clock.advance_seconds(24 * 3600);
    let token = app.at_l2(chen()).await;
    let find = async |query: &str| {
        let reply = app.get(&token, &format!("/v1/lookups?{query}")).await.expect(200);
        let link = reply.headers.get("link").map(|l| l.to_str().unwrap().to_owned());
        (reply.json.as_array().unwrap().clone(), link)
    };
    let all_of = |lines: &[Value], member: &str, value: &str| lines.iter().all(|l| l[member] == value);
    let (lines, next) = find("kind=traffic-violations").await;
    assert_eq!((lines.len(), next), (11, None));
    assert!(all_of(&lines, "kind", "traffic-violations"));
    let (lines, next) = find("outcome=refused").await;
    assert_eq!((lines.len(), next), (1, None));
    assert!(all_of(&lines, "reason", "LEVEL_TOO_LOW"));
    assert_eq!(
        find("from=2026-11-23&outcome=answered").await.0.len(),
        1,
        "the last proof"
    );
    assert_eq!(find("to=2026-11-21").await.0.len(), 0);
    // The address of the next page keeps what is searched for.
    let (lines, next) = find("kind=driving-licence&to=2026-11-22").await;
    assert_eq!((lines.len(), next), (44, None));
    let (lines, next) = find("outcome=answered").await;
    assert_eq!(lines.len(), 50);
    let next = next.unwrap();
    let address = next
        .strip_prefix("</v1/lookups?")
        .unwrap()
        .strip_suffix(">; rel=\"next\"");
    let (rest, end) = find(address.unwrap()).await;
    assert_eq!((rest.len(), end), (8, None), "{next}");
    assert!(rest.iter().all(|l| !lines.contains(l)));
    for (query, code) in [
        ("kind=%27", "UNKNOWN_KIND"),
        ("outcome=found", "BAD_VALUE"),
        ("from=yesterday", "BAD_VALUE"),
        ("to=2026-13-01", "BAD_VALUE"),
    ] {
        let reply = app.get(&token, &format!("/v1/lookups?{query}")).await;
        reply.expect_problem(400, code);
    }
    an_export_has_all(&app, &token, text_at(&lines[7], "/lookup_id")).await;
}

/// Those out of sight too; it is what the portal's file is.
async fn an_export_has_all(app: &TestApp, token: &str, hidden: &str) {
    let hide = format!("/v1/lookups/{hidden}/hidden");
    app.put(token, &hide, &json!({ "hidden": true }))
        .await
        .expect(204);
    let export = app.get(token, "/v1/lookups/export").await.expect(200);
    assert_eq!(export.text_at("/format"), "mingcha-look-ups-v1");
    let exported = export.json["look_ups"].as_array().unwrap();
    assert_eq!((exported.len(), &export.json["next"]), (59, &Value::Null));
    let older = text_at(&exported[9], "/lookup_id");
    let rest = app
        .get(token, &format!("/v1/lookups/export?before={older}"))
        .await
        .expect(200);
    assert_eq!(rest.json["look_ups"].as_array().unwrap()[..], exported[10..]);
}

async fn what_happened_to_my_account_is_told_too(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let of = async |query: &str| {
        let log = app
            .get(&token, &format!("/v1/access-log{query}"))
            .await
            .expect(200);
        let abouts = log.json.as_array().unwrap().iter().map(|e| e["about"].clone());
        abouts.filter(|a| !a.is_null()).collect::<Vec<Value>>()
    };
    assert_eq!(of("").await, of("?of=me").await);
    assert_eq!(
        of("?of=account").await,
        ["raised-to-L2", "signed-in", "account-created"]
    );
    assert_eq!(of("?of=account&before=1").await, ["account-created"]);
    app.get(&token, "/v1/access-log?of=him")
        .await
        .expect_problem(400, "BAD_VALUE");
    let l1 = app.sign_in(chen()).await;
    let phone_alone = app.get(&l1, "/v1/access-log?of=account").await;
    phone_alone.expect_problem(403, "LEVEL_TOO_LOW");
}

async fn lines_have_one_shape(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l3(chen()).await;
    app.look_up(&token, &about_me("marriage"))
        .await
        .expect_outcome("found");
    app.look_up(
        &token,
        &crate::cast::with(about_me("marriage"), "fields", json!(["x"])),
    )
    .await
    .expect(403);
    let lookups = app.get(&token, "/v1/lookups").await.expect(200);
    for line in lookups.json.as_array().unwrap() {
        let members = [
            "as_of",
            "basis",
            "disclosed",
            "fields",
            "hidden",
            "kind",
            "log_index",
            "lookup_id",
            "mode",
            "outcome",
            "purpose",
            "reason",
            "source",
            "state",
            "time",
        ];
        assert_eq!(
            sorted(line),
            members,
            "every member in every line, for whoever reads it as a table"
        );
        assert!(
            text_at(line, "/time").starts_with("2026-11-22T04:") && text_at(line, "/time").ends_with('Z')
        );
    }
    for entry in app.access_log(&token).await {
        let members = [
            "about",
            "as_of",
            "basis",
            "by",
            "by_me",
            "disclosed",
            "fields",
            "kind",
            "log_index",
            "lookup_id",
            "mode",
            "notice",
            "notice_lang",
            "notice_shown",
            "number",
            "outcome",
            "purpose",
            "reasons",
            "source",
            "time",
            "type",
        ];
        assert_eq!(sorted(&entry), members);
        assert!(entry["log_index"].is_u64() && entry["fields"].is_array());
    }
}

fn sorted(line: &Value) -> Vec<&str> {
    let mut members = keys(line);
    members.sort_unstable();
    members
}
