//! Operating sources: paused and resumed by an order in the data folder, measured, and shown as they are.

use std::sync::Arc;

use domain::ids::DEPLOYMENT;
use gateway::{
    actions::{pause_sources::pause_sources, watch_papers::watch_papers, watch_sources},
    source_files::{Order, Orders, measures_file, read_orders, write_orders},
};
use http::Method;
use sandbox::Switch;
use serde_json::Value;

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen},
    delivered::{FIVE_DAYS, delivered},
    told::told,
};

on_both!(
    an_order_pauses_a_source_and_is_sealed,
    a_paused_source_stays_so_over_a_restart,
    five_days_old_is_shown_as_such_and_raises_an_alarm,
    measures_outlive_a_restart,
    papers_that_end_soon_raise_an_alarm
);

const LICENCE: &str = "driving-licence";
const TRAFFIC: &str = "sandbox-traffic";

fn order(app: &TestApp, paused: bool) {
    let mut orders: Orders = read_orders(&app.app.folder).unwrap();
    let by = "wang".to_owned();
    orders.insert(TRAFFIC.into(), Order { paused, by });
    write_orders(&app.app.folder, &orders).unwrap();
}

/// What the deployment's own chain says last.
async fn last_change(app: &TestApp) -> (String, String, Vec<u8>) {
    let entries = app.app.store.entries(DEPLOYMENT, None, 1).await.unwrap();
    let entry = entries.into_iter().next().unwrap();
    let by = entry.chain.requester;
    (entry.shared.about.unwrap(), by.role, by.id)
}

async fn line_of(app: &TestApp, source: &str) -> Value {
    let body = axum::body::Body::empty();
    let reply = app
        .send(TestApp::request(Method::GET, "/v1/coverage", None, body))
        .await;
    let lines = reply.expect(200).json;
    let line = lines.as_array().unwrap().iter().find(|l| l["source"] == source);
    line.unwrap().clone()
}

async fn an_order_pauses_a_source_and_is_sealed(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let question = about_me(LICENCE);
    assert_eq!(pause_sources(&app.app).await.unwrap(), 0);
    order(&app, true);
    assert_eq!(pause_sources(&app.app).await.unwrap(), 1);
    assert_eq!(pause_sources(&app.app).await.unwrap(), 0, "it is followed once");
    let sealed = (
        "source-paused sandbox-traffic".to_owned(),
        "operator".to_owned(),
        b"wang".to_vec(),
    );
    assert_eq!(last_change(&app).await, sealed);
    let answer = app.look_up(&token, &question).await.expect_outcome("maintenance");
    assert_eq!(app.asked(answer.lookup_id()), 0);
    assert_eq!(line_of(&app, TRAFFIC).await["state"], "paused");
    order(&app, false);
    assert_eq!(pause_sources(&app.app).await.unwrap(), 1);
    assert_eq!(last_change(&app).await.0, "source-resumed sandbox-traffic");
    app.look_up(&token, &question).await.expect_outcome("found");
    assert_eq!(line_of(&app, TRAFFIC).await["state"], "asked");
}

async fn a_paused_source_stays_so_over_a_restart(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    order(&app, true);
    let clock = Arc::clone(&app.clock);
    drop(app);
    bed.forget();
    let app = bed.app().clock(&clock).start().await;
    assert!(last_change(&app).await.0.ends_with("paused sandbox-traffic"));
    let token = app.at_l2(chen()).await;
    app.look_up(&token, &about_me(LICENCE))
        .await
        .expect_outcome("maintenance");
}

async fn five_days_old_is_shown_as_such_and_raises_an_alarm(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    app.switch(Switch {
        path: Some("traffic/licence/query".into()),
        stale_days: 5,
        ..Switch::default()
    });
    let token = app.at_l2(chen()).await;
    assert_eq!(
        line_of(&app, TRAFFIC).await["measured"]["success_day"],
        Value::Null
    );
    let drifting = format!("mingcha_source_drifting{{source=\"{TRAFFIC}\",kind=\"{LICENCE}\"}}");
    for n in 0..3 {
        let (alarms, told) = told(|| watch_sources::watch_freshness(&app.app));
        assert_eq!(
            (alarms, told.gauge(&drifting), told.errors),
            (0, 0.0, vec![]),
            "after {n}"
        );
        app.look_up(&token, &about_me(LICENCE))
            .await
            .expect_outcome("found");
    }
    let (alarms, told) = told(|| watch_sources::watch_freshness(&app.app));
    assert_eq!(
        (alarms, told.gauge(&drifting), told.errors.len()),
        (1, 1.0, 1),
        "{:?}",
        told.errors
    );
    for said in [
        "ERROR",
        "staler data than it promises",
        TRAFFIC,
        LICENCE,
        "\"realtime\"",
    ] {
        assert!(told.errors[0].contains(said), "{said}: {}", told.errors[0]);
    }
    let other = "mingcha_source_drifting{source=\"sandbox-insurance\",kind=\"vehicle-insurance\"}";
    assert_eq!(told.gauge(other), 0.0);
    // Three answers raise the alarm; of so few nobody but operators reads an age, or that it is too old.
    for (before, from_seconds) in [(None, Value::Null), (Some(17), Value::from(5 * 86_400))] {
        if let Some(before) = before {
            delivered(&app, (TRAFFIC, LICENCE), Some(FIVE_DAYS), before);
        }
        let measured = line_of(&app, TRAFFIC).await["measured"].clone();
        assert_eq!(measured["drifting"], before.is_some());
        for age in ["median_age", "p95_age"] {
            for span in ["", "_day", "_30_days"] {
                let age = &measured[format!("{age}{span}")];
                assert_eq!(age["from_seconds"], from_seconds, "{measured}");
            }
        }
        assert_eq!(measured["success_day"], 1.0);
    }
    assert_eq!(
        line_of(&app, "sandbox-insurance").await["measured"]["drifting"],
        false
    );
}

async fn measures_outlive_a_restart(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    app.look_up(&token, &about_me(LICENCE))
        .await
        .expect_outcome("found");
    watch_sources::keep_measures(&app.app).unwrap();
    let (clock, file) = (Arc::clone(&app.clock), measures_file(&app.app.folder));
    drop(app);
    bed.forget();
    let app = bed.app().clock(&clock).start().await;
    assert_eq!(line_of(&app, TRAFFIC).await["measured"]["success_7_days"], 1.0);
    clock.advance_seconds(8 * 86_400);
    let measured = line_of(&app, TRAFFIC).await["measured"].clone();
    assert_eq!(measured["success_7_days"], Value::Null);
    assert_eq!(measured["success_30_days"], 1.0);
    std::fs::write(&file, "{").unwrap();
    drop(app);
    bed.forget();
    let app = bed.app().clock(&clock).start().await;
    assert_eq!(
        line_of(&app, TRAFFIC).await["measured"]["success_30_days"],
        Value::Null
    );
}

async fn papers_that_end_soon_raise_an_alarm(bed: Arc<Bed>) {
    let app = bed.app().sources(|files| {
        let traffic = files
            .iter_mut()
            .find(|f| f.text.contains("id = \"sandbox-traffic\""))
            .unwrap();
        traffic.text =
            traffic
                .text
                .replacen("licence_expires = 2099-12-31", "licence_expires = 2027-02-15", 1);
    });
    let app = app.start().await;
    let gauge = format!("mingcha_source_paper_days_left{{source=\"{TRAFFIC}\",paper=\"licence\"}}");
    let (alarms, told_first) = told(|| watch_papers(&app.app));
    assert_eq!((alarms, told_first.gauge(&gauge)), (0, 85.0), "85 days are left");
    let mut left = 85;
    for (days, alarm, error) in [
        (25, Some(60), None),
        (30, Some(30), None),
        (23, Some(7), Some("a paper expires within a week")),
        (8, Some(0), Some("a paper has expired: the source is not asked")),
    ] {
        app.clock.advance_seconds(days * 86_400);
        left -= days;
        let (alarms, told) = told(|| watch_papers(&app.app));
        #[expect(clippy::cast_precision_loss, reason = "days fit a float exactly")]
        let expected = (1, left as f64, usize::from(error.is_some()));
        assert_eq!((alarms, told.gauge(&gauge), told.errors.len()), expected);
        for (line, said) in told.errors.iter().zip(error) {
            assert!(line.contains(said) && line.contains(TRAFFIC), "{line}");
        }
        let paper = &app.app.sources.papers(app.app.now().date_in_china())[0];
        assert_eq!((paper.days_left, paper.alarm()), (left, alarm));
    }
    assert_eq!(line_of(&app, TRAFFIC).await["state"], "expired");
}
