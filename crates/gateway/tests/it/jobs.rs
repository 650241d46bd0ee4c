//! What runs by itself: each job is there with its rhythm, does what it is for, and all of them run.

use std::{sync::Arc, time::Duration};

use domain::{ids::LookupId, time::Timestamp};
use futures_util::FutureExt;
use gateway::{
    actions::seal_change::{deployment, seal_change},
    api::request::requester_of_token,
    jobs::{self, JOBS, Job},
    source_files::{Acceptance, Acceptances, Order, Orders, measures_file, write_acceptances, write_orders},
};
use sandbox::Switch;
use sources::DropEvent;
use store::{LookupPage, PERSON_ERASED, PHONE_PASSED_ON};
use tokio::time::{advance, pause, resume, sleep, timeout};

use crate::{
    actions::{
        drops::{drop_visits, with_shops},
        ended::intend,
        review_news::{away, opened, state},
    },
    api::turns::{meanwhile, narrow},
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, gulbahar, my_vehicle, subject, with},
    told::told,
};

on_both!(
    an_intent_that_nobody_ended_is_closed,
    who_waits_is_counted,
    what_was_asked_about_others_comes_into_ones_view,
    answers_and_keys_of_repetition_are_forgotten,
    the_head_of_the_log_is_shown,
    reviews_are_handed_in_later_and_forgotten_at_last,
    sessions_and_attempts_are_forgotten,
    an_erasure_and_a_closing_that_were_cut_off_are_finished,
    an_order_is_followed,
    a_drop_is_accepted,
    stale_data_is_told_and_measures_are_kept,
    papers_that_end_are_told,
    evidence_is_destroyed_when_its_years_are_over,
    all_of_them_run,
);

const DAY_SECONDS: i64 = 24 * 3600;
const TRAFFIC: &str = "sandbox-traffic";
const LICENCE: &str = "driving-licence";

/// The job of that name.
#[track_caller]
fn job(name: &str) -> &'static Job {
    let found = JOBS.iter().find(|job| job.name == name);
    found.unwrap_or_else(|| panic!("there is no job {name}"))
}

/// Does a job once; how many things it did.
async fn run(app: &TestApp, name: &str) -> u64 {
    job(name).run(&app.app).await.unwrap()
}

#[test]
fn each_job_is_there_with_its_rhythm() {
    let told: Vec<_> = JOBS
        .iter()
        .map(|job| (job.name, job.period.as_millis()))
        .collect();
    let expected = [
        ("close-overdue", 2_000),
        ("forget-turns", 1_000),
        ("project-lookups", 2_000),
        ("forget-answers", 30_000),
        ("publish-checkpoint", 60_000),
        ("pursue-reviews", 5_000),
        ("forget-reviews", 3_600_000),
        ("forget-keys", 600_000),
        ("forget-sessions", 3_600_000),
        ("finish-erasures", 3_600_000),
        ("pause-sources", 500),
        ("accept-drops", 500),
        ("watch-freshness", 3_600_000),
        ("keep-measures", 600_000),
        ("watch-papers", 86_400_000),
        ("destroy-outdated-evidence", 86_400_000),
    ];
    assert_eq!(told, expected);
}

async fn an_intent_that_nobody_ended_is_closed(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    drop(intend(&app, &token).await);
    app.clock.advance_seconds(9);
    assert_eq!(run(&app, "close-overdue").await, 1);
    assert_eq!(app.access_log(&token).await[0]["type"], "FAILURE");
}

async fn who_waits_is_counted(bed: Arc<Bed>) {
    let app = narrow(&bed).await;
    let token = app.at_l2(chen()).await;
    meanwhile(&app, async {
        app.look_up(&token, &about_me(LICENCE)).await.expect(202);
        let swept = told(|| job("forget-turns").run(&app.app).now_or_never());
        let gauges = ["mingcha_turns_in_work", "mingcha_turns_waiting"].map(|name| swept.1.gauge(name));
        assert_eq!(gauges, [1.0, 1.0]);
    })
    .await;
}

async fn what_was_asked_about_others_comes_into_ones_view(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(gulbahar()).await;
    let who = requester_of_token(&app.app, &token).await.unwrap();
    run(&app, "project-lookups").await;
    let about_him = with(about_me(LICENCE), "subject", subject(chen()));
    let refused = app.look_up(&token, &about_him).await;
    let refused = refused.expect_problem(403, "NOT_PERMITTED");
    let lookup = LookupId::parse(refused.lookup_id()).unwrap();
    let page = LookupPage {
        before: None,
        with_hidden: true,
        limit: 50,
    };
    // The pages do not wait for the job; the rows do.
    let is_seen = async || {
        let views = app.app.store.lookups_of(who.account, page).await.unwrap();
        views.iter().any(|view| view.lookup == lookup)
    };
    assert!(!is_seen().await);
    assert!(run(&app, "project-lookups").await > 0);
    assert!(is_seen().await);
}

async fn answers_and_keys_of_repetition_are_forgotten(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    app.look_up_as(&token, "k", &about_me(LICENCE))
        .await
        .expect_outcome("found");
    assert_eq!(run(&app, "forget-answers").await, 0, "not before its time");
    app.clock.advance_seconds(601);
    assert_eq!(run(&app, "forget-answers").await, 1, "the answer");
    app.clock.advance_seconds(DAY_SECONDS);
    let token = app.at_l2(chen()).await;
    let other = my_vehicle("vehicle", &chen().vehicles[0]);
    app.look_up_as(&token, "k", &other)
        .await
        .expect_problem(409, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(run(&app, "forget-answers").await, 1, "the key");
    app.look_up_as(&token, "k", &other).await.expect_outcome("found");
}

async fn the_head_of_the_log_is_shown(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    app.at_l2(chen()).await;
    assert!(app.app.store.published().await.unwrap().is_none());
    run(&app, "publish-checkpoint").await;
    let (size, _) = app.app.store.published().await.unwrap().unwrap();
    assert_eq!(size, app.entries().await);
}

async fn reviews_are_handed_in_later_and_forgotten_at_last(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    app.switch(away());
    let id = opened(&app, &token).await;
    app.sandbox.clear_switches();
    app.clock.advance_seconds(40);
    assert_eq!(run(&app, "pursue-reviews").await, 1);
    assert_eq!(state(&app, &token, &id).await, "received");
    // This one is taken by nobody in two weeks; the other one is answered meanwhile.
    app.switch(away());
    opened(&app, &token).await;
    app.clock.advance_seconds(15 * DAY_SECONDS);
    run(&app, "pursue-reviews").await;
    assert_eq!(run(&app, "forget-reviews").await, 0, "not before its time");
    app.clock.advance_seconds(366 * DAY_SECONDS);
    assert_eq!(run(&app, "forget-reviews").await, 2);
}

async fn sessions_and_attempts_are_forgotten(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let store = &app.app.store;
    for attempts_are_left in [false, true] {
        app.at_l2(chen()).await;
        assert_eq!(run(&app, "forget-sessions").await, 0, "not before its time");
        app.clock.advance_seconds(3 * DAY_SECONDS);
        // One of the two is forgotten by hand: what the job then does is the other.
        let by_hand = match attempts_are_left {
            true => store.forget_sessions().await,
            false => store.forget_attempts().await,
        };
        assert!(by_hand.unwrap() > 0);
        assert!(run(&app, "forget-sessions").await > 0, "{attempts_are_left}");
        assert_eq!(run(&app, "forget-sessions").await, 0);
    }
}

async fn an_erasure_and_a_closing_that_were_cut_off_are_finished(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let store = &app.app.store;
    let token = app.at_l2(chen()).await;
    let who = requester_of_token(&app.app, &token).await.unwrap();
    let person = who.subject.unwrap();
    let effect = store.erase(person, who.account);
    let done = seal_change(&app.app, person, deployment(), PERSON_ERASED, effect).await;
    assert!(done.unwrap());
    let half = store.subject(person).await.unwrap().unwrap();
    assert!(!half.active && half.account == Some(who.account));
    assert_eq!(run(&app, "finish-erasures").await, 1);
    let whole = store.subject(person).await.unwrap().unwrap();
    assert!(!whole.active && whole.account.is_none());

    let token = app.at_l2(gulbahar()).await;
    let who = requester_of_token(&app.app, &token).await.unwrap();
    let person = who.subject.unwrap();
    let effect = store.close_account(who.account, person);
    let done = seal_change(&app.app, person, deployment(), PHONE_PASSED_ON, effect).await;
    assert!(done.unwrap());
    assert_eq!(run(&app, "finish-erasures").await, 1);
    assert_eq!(
        run(&app, "finish-erasures").await,
        0,
        "nothing is left to be done"
    );
}

/// Orders that a source is left alone.
fn order_to_pause(app: &TestApp) {
    let by = "wang".to_owned();
    let orders = Orders::from([(TRAFFIC.to_owned(), Order { paused: true, by })]);
    write_orders(&app.app.folder, &orders).unwrap();
}

async fn an_order_is_followed(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    order_to_pause(&app);
    assert_eq!(run(&app, "pause-sources").await, 1);
    assert!(app.app.sources.is_paused(TRAFFIC));
}

async fn a_drop_is_accepted(bed: Arc<Bed>) {
    let (app, folder) = with_shops(&bed).await;
    let look = || app.app.sources.refresh("shops", &|_| {}).remove(0).event;
    drop_visits(&folder.join("in"), "visits-20261121.csv", 5);
    assert!(matches!(look(), DropEvent::Serving { .. }));
    drop_visits(&folder.join("in"), "visits-20261122.csv", 3);
    let DropEvent::Quarantined(held) = look() else {
        panic!("it shrank")
    };
    let acceptance = Acceptance {
        file: held.file.clone(),
        digest: held.digest.clone(),
        by: "wang".to_owned(),
    };
    let acceptances = Acceptances::from([("shops".to_owned(), acceptance)]);
    write_acceptances(&app.app.folder, &acceptances).unwrap();
    assert_eq!(run(&app, "accept-drops").await, 1);
    assert!(matches!(look(), DropEvent::Serving { rows: 3, .. }));
}

async fn stale_data_is_told_and_measures_are_kept(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    app.switch(Switch {
        path: Some("traffic/licence/query".into()),
        stale_days: 5,
        ..Switch::default()
    });
    let token = app.at_l2(chen()).await;
    assert_eq!(run(&app, "watch-freshness").await, 0);
    for _ in 0..3 {
        app.look_up(&token, &about_me(LICENCE))
            .await
            .expect_outcome("found");
    }
    assert_eq!(run(&app, "watch-freshness").await, 1);
    let kept = measures_file(&app.app.folder);
    assert!(!kept.exists());
    run(&app, "keep-measures").await;
    assert!(std::fs::read_to_string(kept).unwrap().contains(TRAFFIC));
}

async fn papers_that_end_are_told(bed: Arc<Bed>) {
    let app = bed.app().sources(|files| {
        let id = format!("id = \"{TRAFFIC}\"");
        let traffic = files.iter_mut().find(|file| file.text.contains(&id)).unwrap();
        let (never, soon) = ("licence_expires = 2099-12-31", "licence_expires = 2026-12-01");
        traffic.text = traffic.text.replacen(never, soon, 1);
    });
    let app = app.start().await;
    assert_eq!(run(&app, "watch-papers").await, 1);
}

async fn evidence_is_destroyed_when_its_years_are_over(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let who = requester_of_token(&app.app, &token).await.unwrap();
    let person = who.subject.unwrap();
    let entries = async || app.app.store.entries(person, None, 50).await.unwrap().len();
    // It is of 2026, and kept for three whole years after the end of that one, by China's calendar.
    let at = |time: &str| app.clock.set(Timestamp::parse_rfc3339(time).unwrap());
    at("2029-12-31T15:59:00Z");
    assert_eq!(run(&app, "destroy-outdated-evidence").await, 0);
    assert!(entries().await > 0);
    at("2029-12-31T16:01:00Z");
    assert!(run(&app, "destroy-outdated-evidence").await > 0);
    assert_eq!(entries().await, 0);
}

/// Waits until it holds, as long as a job that runs all the time may take.
async fn until(holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), wait).await.expect("a job runs");
}

async fn all_of_them_run(bed: Arc<Bed>) {
    let app = bed.app().drops().start().await;
    app.sandbox
        .drop_insurance(&bed.folder().join("drops/in"))
        .unwrap();
    let mut running = jobs::start(&app.app);
    assert_eq!(running.len(), JOBS.len() + 1, "one of them looks for files");
    let store = &app.app.store;
    until(async || store.published().await.unwrap().is_some()).await;
    let states = || app.app.sources.drop_states();
    until(async || states().iter().any(|state| state.serving.is_some())).await;
    // What is ordered later is followed when the job is due again.
    order_to_pause(&app);
    until(async || app.app.sources.is_paused(TRAFFIC)).await;
    running.shutdown().await;
}

async fn keys_that_were_kept_long_enough_leave_memory(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    app.at_l2(chen()).await;
    assert_eq!(run(&app, "forget-keys").await, 0);
    pause();
    advance(Duration::from_secs(601)).await;
    let forgotten = run(&app, "forget-keys").await;
    resume();
    assert!(forgotten > 0);
}

on_one_thread!(keys_that_were_kept_long_enough_leave_memory);
