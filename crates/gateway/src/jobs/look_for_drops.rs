//! Looks each minute for files that record holders have dropped. It reads whole files, on a thread of its own, and
//! holds nobody up.

use std::{sync::Arc, time::Duration};

use sources::DropEvent;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;

/// How often is looked.
const PERIOD: Duration = Duration::from_secs(60);

/// Looks at once, and then each minute; ends with the process.
pub(crate) fn start(app: &Arc<App>) {
    if !app.sources.has_drops() {
        return;
    }
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            look(&app).await;
        }
    });
}

/// Looks once; how many drops answer that did not before. What is wrong with one is traced and counted where it is
/// found.
pub(crate) async fn look(app: &Arc<App>) -> usize {
    let app = Arc::clone(app);
    let looked = tokio::task::spawn_blocking(move || {
        app.sources.refresh(&|progress| {
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
