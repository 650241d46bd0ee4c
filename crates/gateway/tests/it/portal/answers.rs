//! Answers whose sources matter: two that differ, a staler one, another region's; and the page of who is asked.

use std::sync::Arc;

use domain::outcome::Outcome;
use sandbox::Switch;
use serde_json::Value;

use super::browser::Browser;
use crate::{
    actions::routing::{of_one_region, with_a_reserve},
    bed::Bed,
    cast::{about_me, chen, persona},
    delivered::{FIVE_DAYS, QUARTER_OF_AN_HOUR, delivered},
};

on_both!(
    two_sources_that_differ_stand_side_by_side,
    freshness_is_a_choice_only_where_it_matters,
    a_region_is_a_choice_only_where_it_matters,
    a_province_is_named_alone_however_it_is_written,
    what_was_chosen_is_part_of_the_question,
    coverage_says_what_each_source_delivers_of_each_kind,
    coverage_leads_from_its_top_to_each_of_its_parts,
    coverage_tells_what_was_measured_over_a_day_7_and_30_days,
);

/// What was measured of the driving licence, as the page says it: one line for each span.
pub(super) fn spans(page: &str) -> Vec<String> {
    let (_, section) = page.split_once("<h2>驾驶证</h2>").unwrap();
    let (_, list) = section.split_once("<dl class=\"spans\">").unwrap();
    let list = list.split_once("</dl>").unwrap().0.replace("<br>", " ");
    let text = |line: &str| {
        let pieces = line
            .split('<')
            .filter_map(|piece| Some(piece.split_once('>')?.1.trim()));
        pieces
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    list.split("</div>")
        .map(text)
        .filter(|text| !text.is_empty())
        .collect()
}

async fn two_sources_that_differ_stand_side_by_side(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mao = persona("mao-new-plate");
    let mut browser = Browser::with_session(&app, &app.at_l2(mao).await);
    let values = [
        ("once", "1"),
        ("key.plate", "冀K88Z01"),
        ("key.plate_class", "02"),
    ];
    let page = browser
        .post("/look-up/vehicle-insurance", &values)
        .await
        .expect(200);
    let (before, differs) = page.text.split_once("class=\"differs\"").unwrap();
    let differs = differs.split_once("</dd>").unwrap().0;
    assert!(before.contains("2027年8月14日"), "the insurers lead");
    assert!(
        differs.contains("2026年12月27日") && differs.contains("交通管理（模拟）"),
        "{differs}"
    );
    assert!(differs.contains("车险信息平台（模拟）") && differs.contains("/reviews/new?look_up="));
    assert_eq!(page.text.matches("class=\"differs\"").count(), 1);
    let look_ups = browser.get("/look-ups").await.expect(200);
    let (_, id) = look_ups.text.split_once("href=\"/look-ups/").unwrap();
    let detail = browser.get(&format!("/look-ups/{}", &id[..36])).await.expect(200);
    assert!(
        detail.text.contains("交强险有效期止（交通管理（模拟）的说法）"),
        "{}",
        detail.text
    );
}

async fn freshness_is_a_choice_only_where_it_matters(bed: Arc<Bed>) {
    let app = bed.app().sources(with_a_reserve).start().await;
    let mut browser = Browser::with_session(&app, &app.at_l3(chen()).await);
    let form = browser.get("/look-up/marriage").await.expect(200).text;
    assert!(form.contains("name=\"freshness\"") && !form.contains("name=\"region\""));
    let elsewhere = browser.get("/look-up/driving-licence").await.expect(200).text;
    assert!(!elsewhere.contains("name=\"freshness\""));
    let any = browser
        .post("/look-up/marriage", &[("once", "1"), ("freshness", "any")])
        .await;
    let any = any.expect(200).text;
    assert!(
        any.contains("内容来自备用来源") && any.contains("每天更新"),
        "{any}"
    );
    let live = [("once", "2"), ("freshness", "realtime")];
    let live = browser.post("/look-up/marriage", &live).await.expect(200).text;
    assert!(live.contains("和来源的连接断了") && !live.contains("内容来自备用来源"));
    let wrong = [("once", "3"), ("freshness", "yesterday")];
    browser.post("/look-up/marriage", &wrong).await.expect(400);
}

async fn a_region_is_a_choice_only_where_it_matters(bed: Arc<Bed>) {
    let app = bed.app().sources(of_one_region).start().await;
    let mut browser = Browser::with_session(&app, &app.at_l3(chen()).await);
    let form = browser.get("/look-up/marriage").await.expect(200).text;
    assert!(form.contains("name=\"region\"") && !form.contains("name=\"freshness\""));
    for region in ["value=\"140000\">山西省<", "value=\"440000\">广东省<"] {
        assert!(form.contains(region), "{region}: {form}");
    }
    browser.cookies.insert("mingcha-lang".into(), "en".into());
    let english = browser.get("/look-up/marriage").await.expect(200).text;
    for region in ["value=\"140000\">Shanxi<", "value=\"440000\">Guangdong<"] {
        assert!(english.contains(region), "{region}: {english}");
    }
    browser.cookies.remove("mingcha-lang");
    let ours = [("once", "1"), ("region", "140000")];
    let ours = browser.post("/look-up/marriage", &ours).await.expect(200).text;
    assert!(ours.contains("查到了"), "{ours}");
    assert!(
        ours.contains("name=\"region\" value=\"140000\""),
        "what is shown on tap is asked of the same region"
    );
    let theirs = [("once", "2"), ("region", "440000")];
    let theirs = browser.post("/look-up/marriage", &theirs).await.expect(200).text;
    assert!(theirs.contains("粤省事") && theirs.contains("https://gd.example"));
    let unnamed = browser
        .post("/look-up/marriage", &[("once", "3"), ("region", "")])
        .await;
    assert!(unnamed.expect(200).text.contains("查到了"));
}

async fn a_province_is_named_alone_however_it_is_written(bed: Arc<Bed>) {
    let app = bed.app().sources(|files| {
        of_one_region(files);
        for file in files {
            let written = "regions = [\"晋\", \"310000\", \"50\", \"粤B\", \"3301\"]";
            file.text = file.text.replace("regions = [\"14\"]", written);
        }
    });
    let app = app.start().await;
    let mut browser = Browser::with_session(&app, &app.at_l3(chen()).await);
    let form = browser.get("/look-up/marriage").await.expect(200).text;
    for region in [
        "value=\"140000\">山西省<",
        "value=\"310000\">上海市<",
        "value=\"500000\">重庆市<",
        "value=\"440300\">广东省深圳市（粤B）<",
        "value=\"330100\">浙江省杭州市（3301）<",
    ] {
        assert!(form.contains(region), "{region}: {form}");
    }
}

async fn what_was_chosen_is_part_of_the_question(bed: Arc<Bed>) {
    let app = bed.app().sources(of_one_region).start().await;
    let mut browser = Browser::with_session(&app, &app.at_l3(chen()).await);
    let ask = [("once", "1"), ("region", "140000")];
    let first = browser.post("/look-up/marriage", &ask).await.expect(200);
    let again = browser.post("/look-up/marriage", &ask).await.expect(200);
    let id = |html: &str| html.split_once("/look-ups/").unwrap().1[..36].to_owned();
    assert_eq!(id(&first.text), id(&again.text));
    for other in [("region", "440000"), ("freshness", "realtime")] {
        browser
            .post("/look-up/marriage", &[("once", "1"), other])
            .await
            .expect(409);
    }
}

/// The line of what a source delivers of a kind.
fn of(lines: &Value, (source, kind): (&str, &str)) -> Value {
    let mut lines = lines.as_array().unwrap().iter();
    let line = lines.find(|l| l["source"] == source && l["kind"] == kind);
    line.unwrap().clone()
}

/// From a single answer nobody may guess what it said.
#[track_caller]
fn tells_no_age(line: &Value) {
    for age in ["tells_age", "median_age", "p95_age"] {
        assert_eq!(line["measured"][age], Value::Null, "{line}");
    }
}

async fn coverage_says_what_each_source_delivers_of_each_kind(bed: Arc<Bed>) {
    let app = bed.app().sources(|files| {
        of_one_region(files);
        for file in files {
            // Of the marriage register nobody knows how old its answers are.
            if file.text.contains("sandbox-civil-affairs\"") {
                file.text = file.text.replace("answer = { as_of = \"/gxsj\" }", "");
            }
        }
    });
    let app = app.start().await;
    let token = app.at_l3(chen()).await;
    for kind in ["marriage", "driving-licence"] {
        app.look_up(&token, &about_me(kind)).await.expect_outcome("found");
    }
    let (of_marriage, of_licence) = (
        ("sandbox-civil-affairs", "marriage"),
        ("sandbox-traffic", "driving-licence"),
    );
    let lines = async || app.get(&token, "/v1/coverage").await.expect(200).json;
    let few = lines().await;
    tells_no_age(&of(&few, of_marriage));
    tells_no_age(&of(&few, of_licence));
    delivered(&app, of_marriage, None, 19);
    delivered(&app, of_licence, Some(QUARTER_OF_AN_HOUR), 19);
    let lines = lines().await;
    let (licence, vehicle) = (of(&lines, of_licence), of(&lines, ("sandbox-traffic", "vehicle")));
    assert_eq!(licence["measured"]["success_day"], 1.0);
    assert_eq!(
        vehicle["measured"]["success_day"],
        serde_json::Value::Null,
        "nobody asked for it"
    );
    assert_eq!(
        (&licence["images"], &licence["reviewed_within_working_days"]),
        (&false.into(), &5.into())
    );
    assert_eq!(
        of(&lines, ("sandbox-traffic", "vehicle-violations"))["images"],
        true
    );
    assert_eq!(
        of(&lines, ("sandbox-traffic", "vehicle-insurance"))["beside"],
        serde_json::json!(["compulsory_valid_until"])
    );
    let marriage = of(&lines, of_marriage);
    assert_eq!(marriage["elsewhere"][0]["region"]["code"], "44");
    let measured = &marriage["measured"];
    assert_eq!(
        (&measured["tells_age"], measured["median_age"].is_null()),
        (&false.into(), true)
    );
    assert_eq!(licence["measured"]["tells_age"], true);
    let page = Browser::new(&app).get("/coverage").await.expect(200).text;
    for said in [
        "粤省事",
        "https://gd.example",
        "来源没有说",
        "档案复核（5个工作日内答复）",
        "一起问，用来比对：交强险有效期止",
    ] {
        assert!(page.contains(said), "{said}");
    }
}

/// On a phone they are far below.
async fn coverage_leads_from_its_top_to_each_of_its_parts(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let page = Browser::new(&app).get("/coverage").await.expect(200).text;
    let between = |before: &str| -> Vec<String> {
        let found = page
            .split(before)
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        found.map(str::to_owned).collect()
    };
    let mut leads = between("href=\"#");
    // The first is the one past the menu.
    assert_eq!(leads.remove(0), "main");
    assert_eq!(leads, between("<section class=\"group\" id=\""));
    assert_eq!(
        leads.len(),
        app.app.kinds.in_order().len() + 1,
        "each kind, and the sources"
    );
}

async fn coverage_tells_what_was_measured_over_a_day_7_and_30_days(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let of_licence = || Switch {
        path: Some("traffic/licence/query".into()),
        ..Switch::default()
    };
    app.switch(Switch {
        stale_days: 5,
        times: Some(1),
        ..of_licence()
    });
    let page = Browser::new(&app).get("/coverage").await.expect(200).text;
    assert!(page.contains("还没有问过") && !page.contains("class=\"spans\""));
    let ask = async |outcome| {
        let token = app.at_l2(chen()).await;
        app.look_up(&token, &about_me("driving-licence"))
            .await
            .expect_outcome(outcome);
    };
    let of_licence_before = |class| delivered(&app, ("sandbox-traffic", "driving-licence"), Some(class), 20);
    of_licence_before(FIVE_DAYS);
    ask("found").await;
    app.clock.advance_seconds(3 * 86_400);
    of_licence_before(QUARTER_OF_AN_HOUR);
    ask("found").await;
    app.switch(Switch {
        outcome: Some(Outcome::Maintenance),
        ..of_licence()
    });
    ask("maintenance").await;
    let mut browser = Browser::new(&app);
    let page = browser.get("/coverage").await.expect(200).text;
    let expected = [
        "1天 答复 95.5\u{a0}% 二十次里十九次：15分钟以内",
        "7天 答复 97.7\u{a0}% 一半：15分钟以内 二十次里十九次：5天到6天前",
        "30天 答复 97.7\u{a0}% 一半：15分钟以内 二十次里十九次：5天到6天前",
    ];
    assert_eq!(spans(&page), expected);
    app.clock.advance_seconds(5 * 86_400);
    browser.cookies.insert("mingcha-elder".into(), "1".into());
    let page = browser.get("/coverage").await.expect(200).text;
    let expected = [
        "1天 没有问过",
        "7天 答复 95.5\u{a0}% 数据几乎都在15分钟以内",
        "30天 答复 97.7\u{a0}% 数据几乎都在6天以内",
    ];
    assert_eq!(spans(&page), expected, "fewer words for who needs large ones");
}
