//! What runs by itself: small, repeatable, each in its own rhythm.

pub(crate) mod look_for_drops;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    actions::{accept_drops, close_overdue, pause_sources, pursue_reviews, watch_papers, watch_sources},
    app::App,
    error::Error,
};

/// Starts all jobs; they end with the process.
pub fn start(app: &Arc<App>) {
    look_for_drops::start(app);
    every(app, "close-overdue", Duration::from_secs(2), |app| {
        Box::pin(close_overdue::close_overdue(app))
    });
    every(app, "forget-turns", Duration::from_secs(1), |app| {
        Box::pin(async { Ok(app.turns.sweep()) })
    });
    every(app, "project-lookups", Duration::from_secs(2), |app| {
        Box::pin(async { Ok(app.store.drain_outbox_wholly().await?) })
    });
    every(app, "forget-answers", Duration::from_secs(30), |app| {
        Box::pin(async { Ok(app.store.forget_answers().await?) })
    });
    every(app, "publish-checkpoint", Duration::from_secs(60), |app| {
        Box::pin(async { Ok(app.store.publish_checkpoint().await.map(|()| 1)?) })
    });
    every(app, "pursue-reviews", Duration::from_secs(5), |app| {
        Box::pin(pursue_reviews::pursue_reviews(app))
    });
    every(app, "forget-reviews", Duration::from_secs(3600), |app| {
        Box::pin(async { Ok(app.store.forget_reviews().await?) })
    });
    every(app, "forget-keys", Duration::from_secs(600), |app| {
        Box::pin(async { Ok(app.store.forget_keys()) })
    });
    every(app, "forget-sessions", Duration::from_secs(3600), |app| {
        Box::pin(async { Ok(app.store.forget_sessions().await? + app.store.forget_attempts().await?) })
    });
    // What a crash cut off between the seal of an erasure or a closing and the end of its keys.
    every(app, "finish-erasures", Duration::from_secs(3600), |app| {
        Box::pin(async { Ok(app.store.finish_erasures().await? + app.store.finish_closings().await?) })
    });
    // An operator's order is followed within a second.
    every(app, "pause-sources", Duration::from_millis(500), |app| {
        Box::pin(pause_sources::pause_sources(app))
    });
    every(app, "accept-drops", Duration::from_millis(500), |app| {
        Box::pin(accept_drops::accept_drops(app))
    });
    every(app, "watch-freshness", Duration::from_secs(3600), |app| {
        Box::pin(async { Ok(watch_sources::watch_freshness(app)) })
    });
    every(app, "keep-measures", Duration::from_secs(600), |app| {
        Box::pin(async { watch_sources::keep_measures(app) })
    });
    every(app, "watch-papers", Duration::from_secs(24 * 3600), |app| {
        Box::pin(async { Ok(watch_papers::watch_papers(app)) })
    });
    every(
        app,
        "destroy-outdated-evidence",
        Duration::from_secs(24 * 3600),
        |app| {
            // All kinds say the same, or the catalogue is refused.
            let years = app
                .kinds
                .in_order()
                .iter()
                .map(|k| k.kind.retention.evidence_years)
                .max()
                .unwrap_or(3);
            Box::pin(async move { Ok(app.store.destroy_outdated_evidence(years).await?) })
        },
    );
}

/// What a job does; how many things it did.
type Work = for<'a> fn(&'a App) -> BoxFuture<'a, Result<u64, Error>>;

fn every(app: &Arc<App>, name: &'static str, period: Duration, work: Work) {
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match work(&app).await {
                Ok(0) => {}
                Ok(count) => tracing::debug!(job = name, count, "a job worked"),
                Err(error) => tracing::error!(
                    job = name,
                    code = error.code(),
                    "a job failed; it will be tried again"
                ),
            }
        }
    });
}
