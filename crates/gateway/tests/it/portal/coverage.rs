//! The pages that say who is asked, by what right, and whether what they deliver is as fresh as they promise.

use std::sync::Arc;

use sandbox::Switch;
use serde_json::json;
use sources::SourceFile;

use super::{answers::spans, browser::Browser};
use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen},
    delivered::{FIVE_DAYS, OVER_31_DAYS, delivered},
};

on_both!(
    each_paper_is_shown_with_its_last_day,
    what_is_staler_than_promised_is_stamped,
);

/// Papers of the traffic authority that no other source has.
fn papers(files: &mut [SourceFile]) {
    let traffic = files
        .iter_mut()
        .find(|f| f.text.contains("id = \"sandbox-traffic\""))
        .unwrap();
    for (before, after) in [
        ("\nexpires = 2099-12-31", "\nexpires = 2031-03-04"),
        ("licence_expires = 2099-12-31", "licence_expires = 2032-05-06"),
        ("\"SBX-TRAFFIC-1\"", "\"AGREED-1\""),
        ("\"SBX-LICENCE-TRAFFIC-1\"", "\"MAY-GIVE-1\""),
    ] {
        assert!(traffic.text.contains(before), "{before}");
        traffic.text = traffic.text.replacen(before, after, 1);
    }
}

/// The row of the traffic authority in the last table of a page that has one, without its tags.
fn row(page: &str) -> String {
    let rows = page.split("<tr>").filter(|row| row.contains("交通管理（模拟）"));
    let row = rows.last().unwrap().split("</tr>").next().unwrap();
    let text = row.split('<').filter_map(|piece| Some(piece.split_once('>')?.1));
    text.map(str::trim)
        .filter(|t| !t.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

async fn each_paper_is_shown_with_its_last_day(bed: Arc<Bed>) {
    let app = bed.app().sources(|files| papers(files)).start().await;
    let mut browser = Browser::new(&app);
    let coverage = row(&browser.get("/coverage").await.expect(200).text);
    for said in [
        "协议编号 AGREED-1 有效期到 2031年3月4日",
        "授权文件 MAY-GIVE-1 有效期到 2032年5月6日",
    ] {
        assert!(coverage.contains(said), "{said}: {coverage}");
    }
    let privacy = row(&browser.get("/privacy").await.expect(200).text);
    for said in [
        "协议 AGREED-1，有效期到 2031年3月4日",
        "授权文件 MAY-GIVE-1，有效期到 2032年5月6日",
    ] {
        assert!(privacy.contains(said), "{said}: {privacy}");
    }
    let lines = browser.get("/v1/coverage").await.expect(200).json;
    let mut lines = lines.as_array().unwrap().iter();
    let line = lines.find(|line| line["source"] == "sandbox-traffic").unwrap();
    let expected = [
        json!({ "number": "AGREED-1", "expires": "2031-03-04" }),
        json!({ "number": "MAY-GIVE-1", "expires": "2032-05-06" }),
    ];
    assert_eq!(
        [&line["agreement"], &line["licence"]],
        [&expected[0], &expected[1]]
    );
}

/// Looks one's licence up, as old as this.
async fn look_up(app: &TestApp, stale_days: u32) {
    app.switch(Switch {
        path: Some("traffic/licence/query".into()),
        stale_days,
        ..Switch::default()
    });
    let token = app.at_l2(chen()).await;
    let answer = app.look_up(&token, &about_me("driving-licence")).await;
    answer.expect_outcome("found");
}

async fn what_is_staler_than_promised_is_stamped(bed: Arc<Bed>) {
    const STAMP: &str = "<strong class=\"stamp\">比承诺的旧</strong>";
    let app = bed.app().start().await;
    let mut browser = Browser::new(&app);
    browser.cookies.insert("mingcha-elder".into(), "1".into());
    for stale_days in [5, 40, 40] {
        look_up(&app, stale_days).await;
        let page = browser.get("/coverage").await.expect(200).text;
        assert_eq!(spans(&page)[0], "1天 答复 100\u{a0}%", "of few no age is told");
        assert!(!page.contains(STAMP), "nor that they are too old");
    }
    for (class, count, zh, en) in [
        (
            FIVE_DAYS,
            57,
            "数据几乎都在6天以内",
            "nearly all data is at most 6 d old",
        ),
        (OVER_31_DAYS, 40, "有的数据超过31天", "some data is over 31 d old"),
        (OVER_31_DAYS, 40, "数据大多超过31天", "most data is over 31 d old"),
    ] {
        app.clock.advance_seconds(2 * 3600);
        delivered(&app, ("sandbox-traffic", "driving-licence"), Some(class), count);
        let page = browser.get("/coverage").await.expect(200).text;
        assert_eq!(spans(&page)[0], format!("1天 答复 100\u{a0}% {zh}"));
        browser.cookies.insert("mingcha-lang".into(), "en".into());
        let english = browser.get("/coverage").await.expect(200).text;
        assert!(english.contains(en), "{en}: {english}");
        browser.cookies.remove("mingcha-lang");
    }
    let page = browser.get("/coverage").await.expect(200).text;
    let (_, of_licence) = page.split_once("<h2>驾驶证</h2>").unwrap();
    let of_licence = of_licence.split_once("</section>").unwrap().0;
    assert!(of_licence.contains(STAMP), "where it belongs");
}
