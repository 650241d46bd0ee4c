//! What is sealed as shown was shown: the notice of a proof, and the separate consent to compare a portrait.

use std::sync::Arc;

use gateway::app::{App, Lang};

use super::browser::{Browser, hidden};
use crate::{app::TestApp, bed::Bed, cast::chen};

on_both!(
    the_sealed_notice_stands_on_the_page,
    the_consent_that_was_shown_is_sealed,
    a_kind_says_what_it_means_for_the_person,
);

/// Every word of a notice stands on the page; its marks of Markdown aside.
#[track_caller]
fn shows(page: &str, text: &str) {
    let page = page.replace("&#34;", "\"").replace("&#39;", "'");
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        let line = line.trim_start_matches(['#', '-', ' ']);
        let (label, rest) = line.split_once(['：', ':']).unwrap_or(("", line));
        for part in [label, rest.trim()] {
            assert!(page.contains(part), "{part:?} is not on the page");
        }
    }
}

fn of_proofing(app: &App, lang: Lang) -> &str {
    let kind = app.kinds.get("identity").unwrap();
    &app.notice(kind, "account-proofing", lang).unwrap().text
}

async fn the_sealed_notice_stands_on_the_page(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let l1 = app.sign_in(chen()).await;
    for (lang, elder) in [(Lang::Zh, "0"), (Lang::En, "0"), (Lang::Zh, "1"), (Lang::En, "1")] {
        let (mut one, mut other) = (
            Browser::with_session(&app, &l1),
            Browser::with_session(&app, &app.at_l2(chen()).await),
        );
        for browser in [&mut one, &mut other] {
            browser
                .post("/preferences", &[("lang", lang.code()), ("elder", elder)])
                .await;
        }
        let notice = of_proofing(&app.app, lang);
        shows(&one.get("/prove").await.expect(200).text, notice);
        let page = other.get("/strengthen/portrait").await.expect(200).text;
        shows(&page, notice);
        let consent = app.app.portrait_consent(lang);
        shows(&page, &consent.text);
        assert_eq!(hidden(&page, "consent"), consent.hash_text());
    }
}

/// PIPL 30: why it is needed and what it means are a kind's own, where they stand in its data.
async fn a_kind_says_what_it_means_for_the_person(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    for (kind, lang, words) in [
        ("marriage", Lang::Zh, ["只有民政部门有", "配偶不会收到通知"]),
        (
            "marriage",
            Lang::En,
            [
                "Only the civil-affairs office holds it",
                "your spouse is not told",
            ],
        ),
        (
            "identity",
            Lang::Zh,
            ["别人可能冒用您的名字", "要带证件到登记机关或运营商核对"],
        ),
        (
            "driving-licence",
            Lang::Zh,
            ["只有公安交管部门有", "记分不会因此变化"],
        ),
        // It says nothing of its own.
        (
            "vehicle-insurance",
            Lang::Zh,
            ["不查询就无法告诉您结果", "没有人会看到结果"],
        ),
    ] {
        let loaded = app.app.kinds.get(kind).unwrap();
        let notice = &app.app.notice(loaded, "own-information", lang).unwrap().text;
        assert!(words.iter().all(|word| notice.contains(word)), "{kind}: {notice}");
    }
}

/// A form with a picture, as a browser sends it.
async fn upload(app: &TestApp, browser: &mut Browser<'_>, consent: &str) -> u16 {
    let token = browser.token().await;
    let mut body = vec![];
    for (name, value) in [
        ("form_token", token.as_str()),
        ("next", "/"),
        ("consent", consent),
    ] {
        body.extend_from_slice(
            format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").as_bytes(),
        );
    }
    let head = "--x\r\ncontent-disposition: form-data; name=\"portrait\"; filename=\"a.png\"\r\n\r\n";
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(&sandbox::portrait_of(chen()));
    body.extend_from_slice(b"\r\n--x--\r\n");
    let cookies: Vec<_> = browser.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let mut request = TestApp::request(http::Method::POST, "/strengthen/portrait/upload", None, body);
    let headers = request.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        "multipart/form-data; boundary=x".parse().unwrap(),
    );
    headers.insert(http::header::COOKIE, cookies.join("; ").parse().unwrap());
    let reply = app.send(request).await;
    for set in reply.headers.get_all(http::header::SET_COOKIE) {
        let set = set.to_str().unwrap();
        let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
        browser.cookies.insert(name.to_owned(), value.to_owned());
    }
    reply.status
}

async fn the_consent_that_was_shown_is_sealed(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let l2 = app.at_l2(chen()).await;
    let mut browser = Browser::with_session(&app, &l2);
    browser
        .post("/preferences", &[("lang", "en"), ("elder", "1")])
        .await;
    for (path, agreed) in [("/strengthen/portrait", "yes"), ("/strengthen/portrait", "")] {
        browser.post(path, &[("consent", agreed)]).await.expect(400);
    }
    assert_eq!(upload(&app, &mut browser, "yes").await, 400);
    let page = browser.get("/strengthen/portrait").await.expect(200);
    let agreed = hidden(&page.text, "consent");
    let form = browser
        .post("/strengthen/portrait", &[("consent", &agreed)])
        .await;
    assert_eq!(hidden(&form.expect(200).text, "consent"), agreed);
    assert_eq!(upload(&app, &mut browser, &agreed).await, 303);
    let token = browser.cookies["mingcha-session"].clone();
    let log = app.access_log(&token).await;
    let entry = log.iter().find(|e| e["about"] == "portrait-consented").unwrap();
    assert_eq!(entry["notice"], agreed.as_str());
    assert_eq!(
        (&entry["notice_lang"], &entry["notice_shown"]),
        (&"en".into(), &"elder-page".into())
    );
    let page = browser.get("/access-log").await.expect(200).text;
    assert!(page.contains("Agreed separately to have a picture compared"));
    assert!(page.contains("in English, shown on our page (elder mode)"));
    assert!(page.contains(&agreed));
}
