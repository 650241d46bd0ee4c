//! Looks each minute for files that record holders have dropped. It reads whole files, on a thread for each source, and
//! holds nobody up: neither who asks, nor another source.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use sources::DropEvent;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;

/// How often is looked.
const PERIOD: Duration = Duration::from_secs(60);

/// Looks at each source at once, and then each minute; ends with the process.
pub(crate) fn start(app: &Arc<App>) {
    for source in app.sources.drop_sources() {
        let (app, source) = (Arc::clone(app), source.to_owned());
        tokio::spawn(async move {
            let mut ticks = interval(PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                look_at(&app, source.clone()).await;
            }
        });
    }
}

/// Looks once at every source; how many drops answer that did not before.
pub(crate) async fn look(app: &Arc<App>) -> usize {
    let looks = app
        .sources
        .drop_sources()
        .map(|source| look_at(app, source.to_owned()));
    join_all(looks).await.into_iter().sum()
}

/// Looks once at one source. What is wrong with a drop is traced and counted where it is found.
async fn look_at(app: &Arc<App>, source: String) -> usize {
    let app = Arc::clone(app);
    let looked = tokio::task::spawn_blocking(move || {
        app.sources.refresh(&source, &|progress| {
            tracing::debug!(
                source = progress.source,
                stage = ?progress.stage,
                bytes = progress.bytes,
                of_bytes = progress.of_bytes,
                rows = progress.rows,
                "a drop is read"
            );
        })
    });
    match looked.await {
        Ok(news) => {
            let serves = |event: &DropEvent| matches!(event, DropEvent::Serving { .. });
            news.iter().filter(|news| serves(&news.event)).count()
        }
        Err(_) => {
            tracing::error!(
                job = "look-for-drops",
                "a look for drops failed; it will be tried again"
            );
            0
        }
    }
}
