//! Bounds on look-ups: per account and minute, and on questions about others per day, whomever they are about.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, gulbahar, subject, with},
    reply::Reply,
};

on_both!(
    an_account_has_so_many_a_minute,
    what_is_ones_own_is_shown_so_often_a_minute,
    questions_about_others_are_counted_alike,
    the_bound_on_others_survives_a_restart
);

fn about(person: &sandbox::Persona) -> Value {
    with(about_me("driving-licence"), "subject", subject(person))
}

fn bytes(reply: &Reply) -> String {
    reply.text.replace(reply.text_at("/trace_id"), "TRACE")
}

async fn an_account_has_so_many_a_minute(bed: Arc<Bed>) {
    let app = bed
        .app()
        .replacing("lookups_per_minute = 100000", "lookups_per_minute = 5")
        .start()
        .await;
    let (his, hers) = (app.at_l2(chen()).await, app.at_l2(gulbahar()).await);
    app.clock.advance_seconds(60);
    for _ in 0..5 {
        app.look_up(&his, &about_me("driving-licence"))
            .await
            .expect_outcome("found");
    }
    let (entries, asked) = (app.entries().await, app.sandbox.journal().len());
    for question in [about_me("driving-licence"), about(gulbahar())] {
        let reply = app
            .look_up(&his, &question)
            .await
            .expect_problem(429, "TOO_MANY_REQUESTS");
        let wait: i64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
    assert_eq!(
        (app.entries().await, app.sandbox.journal().len()),
        (entries, asked),
        "nothing sealed, nobody asked"
    );
    app.look_up(&hers, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    // Another session of the same account is the same account.
    app.clock.advance_seconds(60);
    let again = app.at_l2(chen()).await;
    app.clock.advance_seconds(60);
    for (token, _) in [(&his, 0), (&again, 1), (&his, 2), (&again, 3), (&his, 4)] {
        app.look_up(token, &about_me("driving-licence"))
            .await
            .expect_outcome("found");
    }
    app.look_up(&again, &about_me("driving-licence"))
        .await
        .expect_problem(429, "TOO_MANY_REQUESTS");
}

async fn what_is_ones_own_is_shown_so_often_a_minute(bed: Arc<Bed>) {
    const VIEWS: [&str; 5] = [
        "/v1/lookups",
        "/v1/lookups?outcome=refused",
        "/v1/lookups/export",
        "/v1/access-log",
        "/v1/reviews",
    ];
    let app = bed
        .app()
        .replacing("views_per_minute = 100000", "views_per_minute = 5")
        .start()
        .await;
    let (his, hers) = (app.at_l2(chen()).await, app.at_l2(gulbahar()).await);
    app.clock.advance_seconds(60);
    for view in VIEWS {
        app.get(&his, view).await.expect(200);
    }
    for view in VIEWS {
        app.get(&his, view).await.expect_problem(429, "TOO_MANY_REQUESTS");
    }
    app.get(&hers, VIEWS[0]).await.expect(200);
    app.clock.advance_seconds(60);
    app.get(&his, VIEWS[0]).await.expect(200);
}

async fn few(bed: &Arc<Bed>) -> TestApp {
    bed.app()
        .replacing("others_per_day = 100000", "others_per_day = 3")
        .start()
        .await
}

async fn questions_about_others_are_counted_alike(bed: Arc<Bed>) {
    let app = few(&bed).await;
    app.at_l2(chen()).await;
    let (known, nobody) = (chen(), sandbox::crowd_member(3).unwrap());
    let mut seen = BTreeSet::new();
    // Whether those asked about exist makes no difference to when the bound is reached or what is said then.
    for people in [[known; 4], [&nobody; 4], [known, &nobody, known, &nobody]] {
        app.clock.advance_seconds(24 * 3600);
        let token = app.at_l2(gulbahar()).await;
        for person in &people[..3] {
            app.look_up(&token, &about(person))
                .await
                .expect_problem(403, "NOT_PERMITTED");
        }
        let entries = app.entries().await;
        let reply = app
            .look_up(&token, &about(people[3]))
            .await
            .expect_problem(429, "TOO_MANY_REQUESTS");
        assert_eq!(app.entries().await, entries);
        seen.insert(bytes(&reply));
        app.look_up(&token, &about_me("driving-licence"))
            .await
            .expect_outcome("found");
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
}

async fn the_bound_on_others_survives_a_restart(bed: Arc<Bed>) {
    let app = few(&bed).await;
    let token = app.at_l2(gulbahar()).await;
    for _ in 0..3 {
        app.look_up(&token, &about(chen()))
            .await
            .expect_problem(403, "NOT_PERMITTED");
    }
    let clock = Arc::clone(&app.clock);
    app.stop().await;
    let app = bed
        .app()
        .clock(&clock)
        .replacing("others_per_day = 100000", "others_per_day = 3")
        .start()
        .await;
    // The session lives on, and so does the count.
    app.look_up(&token, &about(chen()))
        .await
        .expect_problem(429, "TOO_MANY_REQUESTS");
    app.look_up(&token, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    clock.advance_seconds(24 * 3600);
    let token = app.at_l2(gulbahar()).await;
    app.look_up(&token, &about(chen()))
        .await
        .expect_problem(403, "NOT_PERMITTED");
}
