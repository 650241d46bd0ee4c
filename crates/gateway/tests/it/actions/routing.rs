//! Several sources for one kind: a staler one stands in where that is accepted, and a region has its own.

use std::sync::Arc;

use serde_json::{Value, json};
use sources::SourceFile;

use crate::{
    bed::Bed,
    cast::{about_me, chen, with},
};

on_both!(
    a_staler_source_stands_in_and_says_so,
    another_regions_record_is_told_where_to_look,
    what_is_not_live_says_so,
    a_wrong_wish_is_wrong_input,
    what_is_mine_is_listed_of_a_region_and_as_fresh_as_asked,
);

/// The marriage register again, daily, beside one that nobody can reach.
pub(crate) fn with_a_reserve(files: &mut Vec<SourceFile>) {
    let live = files
        .iter_mut()
        .find(|f| f.text.contains("sandbox-civil-affairs\""))
        .unwrap();
    let mut reserve = live.clone();
    let endpoint = |text: &str| {
        let line = text.lines().find(|l| l.starts_with("endpoint")).unwrap();
        line.to_owned()
    };
    live.text = live
        .text
        .replace(&endpoint(&live.text), "endpoint = \"http://127.0.0.1:1\"");
    reserve.name = "reserve.toml".into();
    reserve.text = reserve
        .text
        .replacen("id = \"sandbox-civil-affairs\"", "id = \"reserve\"", 1)
        .replace("freshness = \"realtime\"", "freshness = \"daily\"");
    files.push(reserve);
}

/// The marriage register of one province, which knows where people of another one look.
#[expect(clippy::ptr_arg, reason = "the bed's edits may add files too")]
pub(crate) fn of_one_region(files: &mut Vec<SourceFile>) {
    let register = files
        .iter_mut()
        .find(|f| f.text.contains("sandbox-civil-affairs\""))
        .unwrap();
    register.text = register
        .text
        .replacen("freshness", "regions = [\"14\"]\nfreshness", 1);
    register.text.push_str(
        "[[elsewhere]]\nregion = \"44\"\nname = { zh = \"粤省事\", en = \"Guangdong\" }\naddress = \"https://gd.example\"\n",
    );
}

/// The same, updated daily.
fn of_one_region_daily(files: &mut Vec<SourceFile>) {
    of_one_region(files);
    for file in files.iter_mut().filter(|f| f.text.contains("regions = [\"14\"]")) {
        file.text = file
            .text
            .replace("freshness = \"realtime\"", "freshness = \"daily\"");
    }
}

async fn a_staler_source_stands_in_and_says_so(bed: Arc<Bed>) {
    let app = bed.app().sources(with_a_reserve).start().await;
    let token = app.at_l3(chen()).await;
    let answer = app
        .look_up(&token, &about_me("marriage"))
        .await
        .expect_outcome("found");
    assert_eq!(answer.json["staler"], true);
    assert_eq!(answer.json["record"]["status"]["source"], "reserve");
    assert_eq!(answer.json["record"]["status"]["freshness"], "daily");
    assert_eq!(
        answer.verified(&app.app).shared.source.as_deref(),
        Some("reserve")
    );
    let live = with(about_me("marriage"), "freshness", json!("realtime"));
    app.look_up(&token, &live).await.expect_outcome("broken");
}

async fn another_regions_record_is_told_where_to_look(bed: Arc<Bed>) {
    let app = bed.app().sources(of_one_region).start().await;
    let token = app.at_l3(chen()).await;
    let asking = |region: &str| with(about_me("marriage"), "region", json!(region));
    app.look_up(&token, &asking("1401")).await.expect_outcome("found");
    let answer = app
        .look_up(&token, &asking("440305"))
        .await
        .expect_outcome("not_covered");
    assert_eq!(answer.json["elsewhere"]["name"]["zh"], "粤省事");
    assert_eq!(app.asked(answer.lookup_id()), 0, "nobody was asked");
    let nowhere = app
        .look_up(&token, &asking("31"))
        .await
        .expect_outcome("not_covered");
    assert!(nowhere.json.get("elsewhere").is_none() && nowhere.json.get("not_live").is_none());
}

async fn what_is_not_live_says_so(bed: Arc<Bed>) {
    let app = bed.app().sources(of_one_region_daily).start().await;
    let token = app.at_l3(chen()).await;
    let here = with(about_me("marriage"), "region", json!("1401"));
    let live = with(here, "freshness", json!("realtime"));
    let answer = app.look_up(&token, &live).await.expect_outcome("not_covered");
    assert_eq!(answer.json["not_live"], true);
    let told = answer.json["next_step"]["zh"].as_str().unwrap_or_default();
    assert!(told.contains("没有实时的来源"), "{told}");
    assert_eq!(app.asked(answer.lookup_id()), 0, "nobody was asked");
}

async fn a_wrong_wish_is_wrong_input(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    for (member, value) in [("freshness", "fresh"), ("region", "99"), ("region", "广东")] {
        let question = with(about_me("driving-licence"), member, json!(value));
        app.look_up(&token, &question)
            .await
            .expect_problem(400, "BAD_VALUE");
    }
}

/// The traffic authority of one province, updated daily.
fn traffic_of_one_region_daily(files: &mut [SourceFile]) {
    for file in files
        .iter_mut()
        .filter(|f| f.text.contains("id = \"sandbox-traffic\""))
    {
        let daily = "regions = [\"44\"]\nfreshness = \"daily\"";
        file.text = file.text.replacen("freshness = \"realtime\"", daily, 1);
    }
}

async fn what_is_mine_is_listed_of_a_region_and_as_fresh_as_asked(bed: Arc<Bed>) {
    let app = bed
        .app()
        .sources(|files| traffic_of_one_region_daily(files))
        .start()
        .await;
    let token = app.at_l2(chen()).await;
    let list = async |wish: Value| {
        let mut body = json!({ "purpose": "own-information" });
        let wish = wish.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(wish);
        app.post(&token, "/v1/my-records", &body).await
    };
    // Silence accepts any, and says what was given.
    let silent = list(json!({})).await.expect(200);
    assert_eq!(silent.text_at("/0/lookup/outcome"), "found");
    assert_eq!(silent.text_at("/0/lookup/freshness"), "daily");
    let outcomes = [
        (
            json!({ "freshness": "any", "region": "4403" }),
            "found",
            &Value::Null,
        ),
        (json!({ "freshness": "realtime" }), "not_covered", &json!(true)),
        (json!({ "region": "31" }), "not_covered", &Value::Null),
    ];
    for (wish, outcome, not_live) in outcomes {
        let listed = list(wish.clone()).await.expect(200);
        let part = &listed.json[0]["lookup"];
        assert_eq!(
            (&part["outcome"], &part["not_live"]),
            (&json!(outcome), not_live),
            "{wish}"
        );
    }
    for (wish, code) in [
        (json!({ "freshness": "fresh" }), "BAD_VALUE"),
        (json!({ "region": "99" }), "BAD_VALUE"),
        (json!({ "regions": "44" }), "BODY_NOT_JSON"),
    ] {
        list(wish).await.expect_problem(400, code);
    }
}
