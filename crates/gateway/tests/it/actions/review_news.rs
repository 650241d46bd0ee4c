//! A review goes on while its person is away: they are told that it has, once for each step; and a source that hangs
//! delays nobody's review but its own.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::review::ReviewState;
use gateway::{
    actions::{
        pause_sources::pause_sources,
        pursue_reviews::pursue_reviews,
        seal_change::{deployment, seal_change},
    },
    messenger::Messenger,
    source_files::{Order, read_orders, write_orders},
};
use sandbox::{Fault, Persona, Switch};
use serde_json::json;
use sources::SourceFile;
use store::{ReviewAdvance, ReviewPart};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, gulbahar, persona},
};

on_both!(
    each_step_is_told_once,
    what_is_told_is_bounded,
    a_source_that_hangs_delays_only_its_own,
    who_was_away_answers_later,
    what_cannot_be_read_makes_way,
);

const SUBMIT: &str = "traffic/review/submit";
const LICENCE: &str = "driving-licence";

/// Opens a review of one's licence; its id.
pub(crate) async fn opened(app: &TestApp, token: &str) -> String {
    let answer = app.look_up(token, &about_me(LICENCE)).await;
    let picture = BASE64_STANDARD.encode(sandbox::portrait_of(chen()));
    let review = json!({ "lookup_id": answer.lookup_id(), "text": "不对。", "pictures": [picture] });
    let opened = app.post(token, "/v1/reviews", &review).await.expect(200);
    opened.text_at("/review_id").to_owned()
}

/// What a persona was sent beside codes, oldest first.
fn news(app: &TestApp, persona: &Persona) -> Vec<String> {
    let Messenger::Outbox(outbox) = &app.app.messenger else {
        panic!("there is an outbox")
    };
    let mut news: Vec<_> = outbox
        .messages()
        .into_iter()
        .filter(|m| Some(&m.phone) == persona.phone.as_ref() && m.code.is_none())
        .map(|m| m.text)
        .collect();
    news.reverse();
    news
}

async fn each_step_is_told_once(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let zeng = persona("zeng-jia");
    let token = app.at_l2(zeng).await;
    let id = opened(&app, &token).await;
    // It is submitted and received.
    assert_eq!(news(&app, zeng).len(), 1);
    pursue_reviews(&app.app).await.unwrap();
    assert_eq!(news(&app, zeng).len(), 1, "nothing new");
    // Two nodes, or a job that is late, come to the answer at the same time.
    app.clock.advance_seconds(61);
    let both = futures_util::future::join(pursue_reviews(&app.app), pursue_reviews(&app.app)).await;
    both.0.unwrap();
    both.1.unwrap();
    assert_eq!(news(&app, zeng).len(), 2);
    // Whoever opens it closes it, and knows.
    app.get(&token, &format!("/v1/reviews/{id}")).await.expect(200);
    pursue_reviews(&app.app).await.unwrap();
    let told = news(&app, zeng);
    assert_eq!(told.len(), 2);
    // What an SMS says: who sends, that nobody calls for codes; no link, kind, name, result, number.
    for text in &told {
        assert!(
            text.starts_with("【明查测试】") && text.contains("不会打电话"),
            "{text}"
        );
        assert!(
            text.contains("自行打开本服务") && text.contains("请不要理会"),
            "{text}"
        );
        for told in ["http", "/", "驾驶", "档案", "更正", "复核", "FH-", "郑", "佳"] {
            assert!(!text.contains(told), "{told}: {text}");
        }
        assert!(!text.bytes().any(|b| b.is_ascii_digit()), "{text}");
    }
    // After a restart nothing is told again.
    let clock = Arc::clone(&app.clock);
    app.stop().await;
    let app = bed.app().clock(&clock).start().await;
    clock.advance_seconds(3600);
    pursue_reviews(&app.app).await.unwrap();
    assert_eq!(news(&app, zeng), Vec::<String>::new());
}

async fn what_is_told_is_bounded(bed: Arc<Bed>) {
    let limits = "[limits]\ncodes_per_day = 3";
    let app = bed.app().replacing("[limits]", limits).start().await;
    let token = app.at_l2(chen()).await;
    for _ in 0..5 {
        opened(&app, &token).await;
    }
    assert_eq!(news(&app, chen()).len(), 3);
    // News take nobody's place who wants to sign in: of three codes one was used so far.
    app.code(chen().phone.as_deref().unwrap()).await;
}

/// The traffic authority again, as another source, which is asked where the first is paused.
fn twice(files: &mut Vec<SourceFile>) {
    let first = files
        .iter()
        .find(|f| f.text.contains("id = \"sandbox-traffic\""))
        .unwrap();
    let text = first
        .text
        .replacen("id = \"sandbox-traffic\"", "id = \"second\"", 1);
    let name = "second.toml".to_owned();
    files.push(SourceFile { name, text });
}

async fn pause_first(app: &TestApp, paused: bool) {
    let mut orders = read_orders(&app.app.folder).unwrap();
    let by = "wang".to_owned();
    orders.insert("sandbox-traffic".into(), Order { paused, by });
    write_orders(&app.app.folder, &orders).unwrap();
    assert_eq!(pause_sources(&app.app).await.unwrap(), 1);
}

/// How far a review is.
pub(crate) async fn state(app: &TestApp, token: &str, id: &str) -> String {
    let told = app.get(token, &format!("/v1/reviews/{id}")).await.expect(200);
    told.text_at("/state").to_owned()
}

async fn a_source_that_hangs_delays_only_its_own(bed: Arc<Bed>) {
    let app = bed.app().sources(twice).start().await;
    let (first, second) = (app.at_l2(chen()).await, app.at_l2(gulbahar()).await);
    app.switch(Switch {
        path: Some(SUBMIT.into()),
        fault: Some(Fault::Close),
        ..Switch::default()
    });
    // Five at the first source, which are due before the one at the second.
    let mut hung = vec![];
    for _ in 0..5 {
        hung.push(opened(&app, &first).await);
    }
    pause_first(&app, true).await;
    let other = opened(&app, &second).await;
    pause_first(&app, false).await;
    app.sandbox.clear_switches();
    app.switch(Switch {
        persona: Some(chen().id.clone()),
        path: Some(SUBMIT.into()),
        delay_ms: 60_000,
        ..Switch::default()
    });
    app.clock.advance_seconds(40);
    let began = Instant::now();
    let (shared, job) = (Arc::clone(&app.app), Duration::from_secs(20));
    let job = tokio::spawn(async move { timeout(job, pursue_reviews(&shared)).await });
    while state(&app, &second, &other).await == "submitted" {
        assert!(
            began.elapsed() < Duration::from_millis(2500),
            "it waits for the other source"
        );
        sleep(Duration::from_millis(50)).await;
    }
    assert!(!job.is_finished(), "the first source hangs");
    assert_eq!(state(&app, &first, &hung[0]).await, "submitted");
    assert!(job.await.unwrap().is_ok(), "a turn comes to its end");
}

/// Whoever cannot take it now.
pub(crate) fn away() -> Switch {
    Switch {
        path: Some(SUBMIT.into()),
        fault: Some(Fault::Close),
        ..Switch::default()
    }
}

/// The working days begin when the source has it.
async fn who_was_away_answers_later(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    app.switch(away());
    let id = opened(&app, &token).await;
    let told = app.get(&token, &format!("/v1/reviews/{id}")).await.expect(200);
    assert_eq!(told.text_at("/due"), "2026-11-27");
    app.sandbox.clear_switches();
    // From Sunday to the next Thursday.
    app.clock.advance_seconds(4 * 86_400);
    pursue_reviews(&app.app).await.unwrap();
    let token = app.at_l2(chen()).await;
    let told = app.get(&token, &format!("/v1/reviews/{id}")).await.expect(200);
    assert_eq!(
        (told.text_at("/state"), told.text_at("/due")),
        ("received", "2026-12-03")
    );
}

/// One that does not open is put off like one whose source is away: two hundred of them would leave no place.
async fn what_cannot_be_read_makes_way(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    app.switch(away());
    opened(&app, &token).await;
    app.clock.advance_seconds(60);
    let store = &app.app.store;
    let (subject, review) = store.due_reviews(10).await.unwrap()[0];
    let content = ReviewPart::Content(1);
    let step = ReviewAdvance {
        review,
        from: ReviewState::Submitted,
        revision: 0,
        to: ReviewState::Received,
        content: store
            .encrypt_review(subject, review, content, b"no content")
            .await
            .unwrap(),
        next: Some(app.app.now()),
        due: None,
    };
    let effect = store.advance_review(subject, step);
    let spoilt = seal_change(&app.app, subject, deployment(), "review-received", effect).await;
    spoilt.unwrap();
    assert_eq!(store.due_reviews(10).await.unwrap().len(), 1);
    assert!(pursue_reviews(&app.app).await.is_err(), "it is told");
    assert!(store.due_reviews(10).await.unwrap().is_empty());
}
