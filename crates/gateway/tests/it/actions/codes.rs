//! Codes cannot be guessed, used twice or asked for without end, and tell nothing about who has an account.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;
use gateway::messenger::Messenger;
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{chen, li},
    reply::Reply,
};

on_both!(
    a_code_that_is_not_right_is_one_answer,
    a_code_lives_five_minutes_and_is_replaced_by_the_next,
    a_code_has_five_tries,
    ten_failures_cool_down_whatever_is_typed_and_survive_a_restart,
    many_redeem_and_one_wins,
    guesses_in_parallel_are_all_counted,
    who_has_an_account_is_not_told,
    codes_are_sent_within_bounds,
    a_code_is_sent_in_the_language_that_is_asked_for,
    a_burst_closes_an_hour_and_leaves_nothing,
);

const UNKNOWN_PHONE: &str = "17988887777";

fn phone() -> &'static str {
    chen().phone.as_deref().unwrap()
}

/// Another code than this one.
fn not(code: &str) -> String {
    let last = if code.ends_with('1') { '2' } else { '1' };
    format!("{}{last}", &code[..code.len() - 1])
}

/// The reply but for its trace.
fn bytes(reply: &Reply) -> String {
    let headers: Vec<_> = reply.headers.iter().map(|(n, v)| format!("{n}: {v:?}")).collect();
    let trace = reply.json["trace_id"].as_str().unwrap_or("no trace");
    format!(
        "{} {headers:?} {}",
        reply.status,
        reply.text.replace(trace, "TRACE")
    )
}

async fn wrong(app: &TestApp, phone: &str, code: &str) -> String {
    bytes(&app.redeem(phone, code).await.expect_problem(400, "CODE_WRONG"))
}

async fn a_code_that_is_not_right_is_one_answer(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    app.at_l2(li()).await;
    let mut seen = BTreeSet::new();
    seen.insert(wrong(&app, phone(), "12345678").await); // never sent
    let code = app.code(phone()).await;
    seen.insert(wrong(&app, phone(), &not(&code)).await); // wrong
    for odd in [
        "",
        "0",
        "１２３４５６７８",
        "*",
        "%",
        "' OR 1=1",
        &"9".repeat(10_000),
        "\u{0}\u{202e}",
    ] {
        seen.insert(wrong(&app, UNKNOWN_PHONE, odd).await);
    }
    seen.insert(wrong(&app, li().phone.as_deref().unwrap(), &code).await); // another phone's
    let spaced = format!(" {} {}", &code[..4], &code[4..]);
    app.redeem(phone(), &spaced).await.expect(200);
    seen.insert(wrong(&app, phone(), &code).await); // used
    let code = app.code(phone()).await;
    app.clock.advance_seconds(300);
    seen.insert(wrong(&app, phone(), &code).await); // outdated
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert_eq!(code.len(), 8);
    assert!(code.bytes().all(|b| b.is_ascii_digit()));
}

async fn a_code_lives_five_minutes_and_is_replaced_by_the_next(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let first = app.code(phone()).await;
    app.clock.advance_seconds(299);
    app.redeem(phone(), &first).await.expect(200);
    // What an SMS says: who sends, that nobody calls for codes; no link, no kind, no name.
    let Messenger::Outbox(outbox) = &app.app.messenger else {
        panic!("there is an outbox")
    };
    let text = &outbox.messages()[0].text;
    assert!(text.starts_with("【明查测试】") && text.contains(&format!("{} {}", &first[..4], &first[4..])));
    assert!(text.contains("不会打电话") && !text.contains("http") && !text.contains('陈'));
    let (first, second) = (app.code(phone()).await, app.code(phone()).await);
    wrong(&app, phone(), &first).await;
    app.redeem(phone(), &second).await.expect(200);
}

async fn a_code_has_five_tries(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let code = app.code(phone()).await;
    for _ in 0..4 {
        wrong(&app, phone(), &not(&code)).await;
    }
    app.redeem(phone(), &code).await.expect(200);
    let code = app.code(phone()).await;
    for _ in 0..5 {
        wrong(&app, phone(), &not(&code)).await;
    }
    wrong(&app, phone(), &code).await;
}

async fn ten_failures_cool_down_whatever_is_typed_and_survive_a_restart(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let clock = Arc::clone(&app.clock);
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let code = app.code(phone()).await;
        for _ in 0..5 {
            seen.insert(wrong(&app, phone(), &not(&code)).await);
        }
    }
    let code = app.code(phone()).await;
    seen.insert(wrong(&app, phone(), &code).await);
    app.stop().await;
    let app = bed.app().clock(&clock).start().await;
    let code = app.code(phone()).await;
    seen.insert(wrong(&app, phone(), &code).await);
    assert_eq!(seen.len(), 1, "{seen:#?}");
    // Others are not locked out with them, and an hour later it is over.
    let hers = app.code(li().phone.as_deref().unwrap()).await;
    app.redeem(li().phone.as_deref().unwrap(), &hers)
        .await
        .expect(200);
    clock.advance_seconds(3600);
    let code = app.code(phone()).await;
    app.redeem(phone(), &code).await.expect(200);
}

async fn many_redeem_and_one_wins(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    for _ in 0..3 {
        let code = app.code(phone()).await;
        let all = join_all((0..5).map(|_| app.redeem(phone(), &code))).await;
        let won: Vec<&Reply> = all.iter().filter(|r| r.status == 200).collect();
        assert_eq!(won.len(), 1);
        assert!(
            all.iter()
                .all(|r| r.status == 200 || r.json["code"] == "CODE_WRONG")
        );
        // The winner forgave the failures of the others, or they came after: an hour later all is new.
        app.clock.advance_seconds(3600);
    }
    let account = app.at_l2(chen()).await;
    let log = app.access_log(&account).await;
    assert!(log.iter().any(|e| e["about"] == "real-name-proven"));
}

async fn guesses_in_parallel_are_all_counted(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    for _ in 0..2 {
        let code = app.code(phone()).await;
        let guesses = (0..40).map(|i| {
            let (app, guess) = (&app, format!("{i:08}"));
            async move { app.redeem(phone(), &guess).await.status }
        });
        assert!(join_all(guesses).await.iter().all(|status| *status == 400));
        // Five of them used the code up.
        wrong(&app, phone(), &code).await;
    }
    // Ten in all began the cool-down: a new code opens nothing.
    let code = app.code(phone()).await;
    wrong(&app, phone(), &code).await;
}

async fn who_has_an_account_is_not_told(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    app.at_l2(chen()).await;
    app.clock.advance_seconds(31);
    let (mut sent, mut early, mut tried) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for phone in [phone(), UNKNOWN_PHONE, li().phone.as_deref().unwrap()] {
        let request = json!({ "phone": phone });
        let reply = app.post_openly("/v1/account/codes", &request).await.expect(202);
        sent.insert(bytes(&reply));
        let reply = app.post_openly("/v1/account/codes", &request).await;
        let reply = reply.expect_problem(429, "TOO_MANY_REQUESTS");
        assert_eq!(reply.headers["retry-after"], "30");
        early.insert(bytes(&reply));
        tried.insert(wrong(&app, phone, &not(&app.newest_code(phone))).await);
    }
    assert_eq!(
        (sent.len(), early.len(), tried.len()),
        (1, 1, 1),
        "{sent:#?} {early:#?} {tried:#?}"
    );
}

async fn codes_are_sent_within_bounds(bed: Arc<Bed>) {
    let app = bed.app().replacing(
        "codes_per_phone_per_day = 1000",
        "codes_per_phone_per_day = 3\ncodes_per_day = 5",
    );
    let app = app.start().await;
    let send = async |phone: &str| {
        app.clock.advance_seconds(31);
        app.post_openly("/v1/account/codes", &json!({ "phone": phone }))
            .await
    };
    for _ in 0..3 {
        send(phone()).await.expect(202);
    }
    for _ in 0..3 {
        let reply = send(phone()).await.expect_problem(429, "TOO_MANY_REQUESTS");
        let wait: i64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((80_000..=86_400).contains(&wait), "{wait}");
    }
    // What was refused was not sent, and does not count for everybody.
    send(UNKNOWN_PHONE).await.expect(202);
    send(li().phone.as_deref().unwrap()).await.expect(202);
    send("17977776666").await.expect_problem(429, "TOO_MANY_REQUESTS");
    app.clock.advance_seconds(24 * 3600);
    send(phone()).await.expect(202);
    for wrong in [
        json!("110"),
        json!("1790010000"),
        json!("179001000033"),
        json!(""),
        json!("17900100003\u{0}"),
    ] {
        let reply = app
            .post_openly("/v1/account/codes", &json!({ "phone": wrong }))
            .await;
        assert_eq!(
            reply.expect_problem(400, "BAD_VALUE").json["at"],
            Value::from("phone")
        );
    }
}

/// Made-up phones fill a range, or the hour, and not the day; what is beyond leaves no row, and known and unknown
/// phones meet the same answer.
async fn a_burst_closes_an_hour_and_leaves_nothing(bed: Arc<Bed>) {
    let app = bed
        .app()
        .replacing(
            "codes_per_range_per_hour = 100000",
            "codes_per_range_per_hour = 3\ncodes_per_hour = 8",
        )
        .start()
        .await;
    app.at_l2(chen()).await;
    app.clock.advance_seconds(3600);
    let send = async |phone: String| {
        app.post_openly("/v1/account/codes", &json!({ "phone": phone }))
            .await
    };
    let made_up = |range: u32, n: u32| format!("1798{range:03}{n:04}");
    // A range is full, and the others are not.
    for n in 0..3 {
        send(made_up(1, n)).await.expect(202);
    }
    send(made_up(1, 3)).await.expect_problem(429, "TOO_MANY_REQUESTS");
    for n in 0..5 {
        send(made_up(2 + n / 3, n)).await.expect(202);
    }
    // The hour is full for everybody.
    let mut seen = BTreeSet::new();
    for phone in [
        phone().to_owned(),
        UNKNOWN_PHONE.to_owned(),
        made_up(1, 3),
        made_up(9, 0),
    ] {
        let reply = send(phone).await.expect_problem(429, "TOO_MANY_REQUESTS");
        seen.insert(bytes(&reply).replace(reply.headers["retry-after"].to_str().unwrap(), "SECONDS"));
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
    app.clock.advance_seconds(3600);
    send(phone().to_owned()).await.expect(202);
    // Rows: of everybody, of four ranges, three of each phone that was sent a code, and two of the one proof.
    app.clock.advance_seconds(3 * 24 * 3600);
    assert_eq!(app.app.store.forget_attempts().await.unwrap(), 2 + 4 + 3 * 9 + 2);
}

async fn a_code_is_sent_in_the_language_that_is_asked_for(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    for (lang, header, words) in [
        (json!(null), "", "【明查测试】您的登录验证码"),
        (json!(null), "en-GB,en", "[Mingcha test] Your sign-in code"),
        (json!("zh"), "en", "您的登录验证码"),
        (json!("en"), "", "Your sign-in code"),
    ] {
        app.clock.advance_seconds(31);
        let body = json!({ "phone": phone(), "lang": lang }).to_string();
        let mut request = TestApp::request(http::Method::POST, "/v1/account/codes", None, body);
        let headers = request.headers_mut();
        headers.insert(http::header::ACCEPT_LANGUAGE, header.parse().unwrap());
        app.send(request).await.expect(202);
        let Messenger::Outbox(outbox) = &app.app.messenger else {
            panic!("there is an outbox")
        };
        let text = &outbox.messages()[0].text;
        assert!(text.contains(words), "{lang} {header}: {text}");
    }
    let french = json!({ "phone": phone(), "lang": "fr" });
    let reply = app.post_openly("/v1/account/codes", &french).await;
    reply.expect_problem(400, "BODY_NOT_JSON");
}
