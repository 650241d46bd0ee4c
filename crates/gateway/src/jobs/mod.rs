//! What runs by itself: small, repeatable, each in its own rhythm. All of it stands in one table, and one loop runs it.

pub(crate) mod look_for_drops;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{
    task::JoinSet,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::{
    actions::{accept_drops, close_overdue, pause_sources, pursue_reviews, watch_papers, watch_sources},
    app::App,
    error::Error,
};

/// Something that is done again and again.
pub struct Job {
    /// Its name, as traces tell it.
    pub name: &'static str,
    /// How long after it began last it begins again.
    pub period: Duration,
    work: Work,
}

/// What a job does; how many things it did.
type Work = for<'a> fn(&'a App) -> BoxFuture<'a, Result<u64, Error>>;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Every job but the look for drops, which has a thread for each source.
pub static JOBS: [Job; 16] = [
    every(Duration::from_secs(2), "close-overdue", |app| {
        Box::pin(close_overdue::close_overdue(app))
    }),
    every(SECOND, "forget-turns", |app| {
        Box::pin(async { Ok(app.turns.sweep()) })
    }),
    every(Duration::from_secs(2), "project-lookups", |app| {
        Box::pin(async { Ok(app.store.drain_outbox_wholly().await?) })
    }),
    every(Duration::from_secs(30), "forget-answers", |app| {
        Box::pin(async { Ok(app.store.forget_answers().await?) })
    }),
    every(MINUTE, "publish-checkpoint", |app| {
        Box::pin(async { Ok(app.store.publish_checkpoint().await.map(|()| 1)?) })
    }),
    every(Duration::from_secs(5), "pursue-reviews", |app| {
        Box::pin(pursue_reviews::pursue_reviews(app))
    }),
    every(HOUR, "forget-reviews", |app| {
        Box::pin(async { Ok(app.store.forget_reviews().await?) })
    }),
    every(Duration::from_secs(600), "forget-keys", |app| {
        Box::pin(async { Ok(app.store.forget_keys()) })
    }),
    every(HOUR, "forget-sessions", |app| {
        Box::pin(async { Ok(app.store.forget_sessions().await? + app.store.forget_attempts().await?) })
    }),
    // What a crash cut off between the seal of an erasure or a closing and the end of its keys.
    every(HOUR, "finish-erasures", |app| {
        Box::pin(async { Ok(app.store.finish_erasures().await? + app.store.finish_closings().await?) })
    }),
    // An operator's order is followed within a second.
    every(Duration::from_millis(500), "pause-sources", |app| {
        Box::pin(pause_sources::pause_sources(app))
    }),
    every(Duration::from_millis(500), "accept-drops", |app| {
        Box::pin(accept_drops::accept_drops(app))
    }),
    every(HOUR, "watch-freshness", |app| {
        Box::pin(async { Ok(watch_sources::watch_freshness(app)) })
    }),
    every(Duration::from_secs(600), "keep-measures", |app| {
        Box::pin(async { watch_sources::keep_measures(app) })
    }),
    every(DAY, "watch-papers", |app| {
        Box::pin(async { Ok(watch_papers::watch_papers(app)) })
    }),
    every(DAY, "destroy-outdated-evidence", |app| {
        Box::pin(destroy_outdated_evidence(app))
    }),
];

const fn every(period: Duration, name: &'static str, work: Work) -> Job {
    Job { name, period, work }
}

/// Starts all jobs, each at once and then in its rhythm. They end when what this gives is dropped.
#[must_use = "the jobs run only as long as this is held"]
pub fn start(app: &Arc<App>) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for job in &JOBS {
        running.spawn(repeat(job, Arc::clone(app)));
    }
    look_for_drops::start(app, &mut running);
    running
}

impl Job {
    /// Does it once; how many things it did.
    ///
    /// # Errors
    /// What kept it from being done; it is tried again when it is due.
    pub async fn run(&self, app: &App) -> Result<u64, Error> {
        (self.work)(app).await
    }
}

async fn repeat(job: &'static Job, app: Arc<App>) {
    let mut ticks = ticks(job.period);
    loop {
        ticks.tick().await;
        match job.run(&app).await {
            Ok(0) => {}
            Ok(count) => tracing::debug!(job = job.name, count, "a job worked"),
            Err(error) => tracing::error!(
                job = job.name,
                code = error.code(),
                "a job failed; it will be tried again"
            ),
        }
    }
}

/// At once, and then in this rhythm. What was missed is not made up for.
fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn destroy_outdated_evidence(app: &App) -> Result<u64, Error> {
    // All kinds say the same, or the catalogue is refused.
    let kinds = app.kinds.in_order().into_iter();
    let years = kinds.map(|k| k.kind.retention.evidence_years).max().unwrap_or(3);
    Ok(app.store.destroy_outdated_evidence(years).await?)
}
