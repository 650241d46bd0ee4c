//! The page on which one waits: it goes on by itself, keeps what was typed, and shows nobody else's.

use std::sync::Arc;

use super::browser::Browser;
use crate::{
    api::{
        late::time_is_over,
        turns::{meanwhile, narrow},
    },
    app::TestApp,
    bed::Bed,
    cast::{chen, li},
    reply::Reply,
};

on_both!(
    every_question_waits_on_a_page_and_is_answered_there,
    one_can_stop_waiting,
    nobody_else_meets_what_was_typed,
);

const LICENCE: (&str, &[(&str, &str)]) = ("/look-up/driving-licence", &[("once", "1")]);

/// Sends a form while the only place in work is taken: it leads to the page on which one waits, which is given.
async fn wait(app: &TestApp, browser: &mut Browser<'_>, (path, values): (&str, &[(&str, &str)])) -> Reply {
    meanwhile(app, async {
        let sent = browser.post(path, values).await;
        assert_eq!(Browser::led_to(&sent), "/turn", "{path}");
        browser.get("/turn").await.expect(200)
    })
    .await
}

async fn every_question_waits_on_a_page_and_is_answered_there(bed: Arc<Bed>) {
    let app = narrow(&bed).await;
    let mut hers = Browser::with_session(&app, &app.at_l2(chen()).await);
    let key: &[(&str, &str)] = &[
        ("once", "2"),
        ("key.plate", "晋N35T08"),
        ("key.plate_class", "02"),
    ];
    let mine: &[(&str, &str)] = &[("once", "3")];
    let proof: &[(&str, &str)] = &[
        ("name", &chen().name),
        ("id_number", &chen().id_number),
        ("next", "/mine"),
    ];
    let questions = [
        (LICENCE, "驾驶证", "准驾车型", 200),
        (("/look-up/vehicle", key), "机动车登记", "LSVSBX2BXJ2000102", 200),
        (
            ("/report/vehicle", key),
            "机动车登记",
            "part-vehicle-violations",
            200,
        ),
        (("/mine", mine), "我名下", "晋N·35T08", 200),
        (("/prove", proof), "证明实名", "", 303),
    ];
    for (question, what, shown, status) in questions {
        let page = wait(&app, &mut hers, question).await;
        let again: u64 = page.headers["refresh"].to_str().unwrap().parse().unwrap();
        assert!((1..=5).contains(&again), "it loads itself again");
        assert!(
            page.text.contains("下一个就是您") && page.text.contains(what),
            "{}",
            page.text
        );
        for typed in question.1.iter().map(|(_, value)| *value).filter(|v| v.len() > 5) {
            assert!(!page.text.contains(typed), "what was typed stays inside");
        }
        let answer = hers.get("/turn").await.expect(status);
        if status == 200 {
            assert!(answer.text.contains(shown), "{shown}: {}", answer.text);
            assert!(!answer.headers.contains_key("refresh"), "an answer stays");
            let address = format!("name=\"next\" value=\"{}\"", question.0);
            assert!(answer.text.contains(&address), "{}", question.0);
        } else {
            assert_eq!(Browser::led_to(&answer), "/mine");
        }
        let over = hers.get("/turn").await.expect(404);
        assert!(over.text.contains("NOT_WAITING"));
    }
}

async fn one_can_stop_waiting(bed: Arc<Bed>) {
    let app = narrow(&bed).await;
    let mut hers = Browser::with_session(&app, &app.at_l2(chen()).await);
    meanwhile(&app, async {
        let entries = app.entries().await;
        assert_eq!(Browser::led_to(&hers.post(LICENCE.0, LICENCE.1).await), "/turn");
        // Another question has no place beside it, and shows the way to the first.
        let other = hers.post("/mine", &[]).await.expect(429);
        assert!(other.text.contains("ALREADY_WAITING") && other.text.contains("href=\"/turn\""));
        assert_eq!(Browser::led_to(&hers.post("/turn", &[]).await), "/");
        hers.get("/turn").await.expect(404);
        // The place is free for another question.
        assert_eq!(Browser::led_to(&hers.post("/mine", &[]).await), "/turn");
        assert_eq!(app.entries().await, entries, "nothing was asked");
    })
    .await;
}

async fn nobody_else_meets_what_was_typed(bed: Arc<Bed>) {
    let app = narrow(&bed).await;
    let token = app.at_l2(chen()).await;
    let mut hers = Browser::with_session(&app, &token);
    let mut again = Browser::with_session(&app, &app.at_l2(chen()).await);
    let mut stranger = Browser::with_session(&app, &app.at_l2(li()).await);
    meanwhile(&app, async {
        assert_eq!(Browser::led_to(&hers.post(LICENCE.0, LICENCE.1).await), "/turn");
        let guest = Browser::new(&app).get("/turn").await;
        assert_eq!(Browser::led_to(&guest), "/sign-in?next=%2Fturn");
        for other in [&mut again, &mut stranger] {
            other.get("/turn").await.expect(404);
        }
        hers.get("/turn").await.expect(200);
        // It ends with the session.
        app.delete(&token, "/v1/account/sessions").await.expect(204);
        assert_eq!(Browser::led_to(&again.post("/mine", &[]).await), "/turn");
    })
    .await;
}

/// As for a program: who was told nothing has their time from the arrival on.
async fn the_time_of_a_form_runs_from_its_arrival(bed: Arc<Bed>) {
    let app = narrow(&bed).await;
    let mut hers = Browser::with_session(&app, &app.at_l2(chen()).await);
    let (path, values) = LICENCE;
    let before = app.sandbox.journal().len();
    let too_late = hers.post_after(time_is_over(), path, values).await.expect(200);
    assert!(too_late.text.contains("来源没有及时回答"), "{}", too_late.text);
    assert_eq!(app.sandbox.journal().len(), before, "nobody is asked any more");
    let in_time = hers.post(path, &[("once", "2")]).await.expect(200);
    assert!(in_time.text.contains("准驾车型"), "{}", in_time.text);
    assert_eq!(app.sandbox.journal().len(), before + 1);
}

on_one_thread!(the_time_of_a_form_runs_from_its_arrival);
