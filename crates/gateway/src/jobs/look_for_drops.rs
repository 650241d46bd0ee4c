//! Looks each minute for files that record holders have dropped. It reads whole files, on a thread for each source, and
//! holds nobody up: neither who asks, nor another source. How far it is stands in the traces and in the data folder.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::time::Timestamp;
use sources::{DropEvent, DropProgress, Stage};
use tokio::task::JoinSet;

use super::ticks;
use crate::{app::App, source_files::write_drop_states};

/// How often is looked.
const PERIOD: Duration = Duration::from_secs(60);
/// How often it is written down how far an import is: as often as somebody who watches looks again.
const WRITTEN_EACH_SECONDS: i64 = 2;
/// After how many hundredths of a file it is traced how far it is.
const TRACED_EACH_PERCENT: u64 = 10;

/// Looks at each source at once, and then each minute, among the jobs that run.
pub(super) fn start(app: &Arc<App>, running: &mut JoinSet<()>) {
    for source in app.sources.drop_sources() {
        let (app, source) = (Arc::clone(app), source.to_owned());
        running.spawn(async move {
            let mut ticks = ticks(PERIOD);
            loop {
                ticks.tick().await;
                look_at(&app, source.clone()).await;
            }
        });
    }
}

/// Looks once at every source, before the demo tells what it has; how many drops answer that did not before.
#[cfg(feature = "demo")]
pub(crate) async fn look(app: &Arc<App>) -> usize {
    let looks = app
        .sources
        .drop_sources()
        .map(|source| look_at(app, source.to_owned()));
    futures_util::future::join_all(looks).await.into_iter().sum()
}

/// Looks once at one source. What is wrong with a drop is traced and counted where it is found.
async fn look_at(app: &Arc<App>, source: String) -> usize {
    let app = Arc::clone(app);
    let looked = tokio::task::spawn_blocking(move || {
        let told = RefCell::new(Told::default());
        let news = app
            .sources
            .refresh(&source, &|progress| told.borrow_mut().tell(&app, &progress));
        write_down(&app);
        news
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

/// What was told of an import last.
#[derive(Default)]
struct Told {
    step: Option<(Stage, u64)>,
    written: Timestamp,
}

impl Told {
    fn tell(&mut self, app: &App, progress: &DropProgress<'_>) {
        let step = (progress.stage, progress.percent() / TRACED_EACH_PERCENT);
        if self.step.replace(step) != Some(step) {
            tracing::info!(
                source = progress.source,
                file = progress.file,
                stage = ?progress.stage,
                percent = progress.percent(),
                rows = progress.rows,
                "a drop is read"
            );
        }
        let now = app.now();
        if now >= self.written.plus_seconds(WRITTEN_EACH_SECONDS) {
            self.written = now;
            write_down(app);
        }
    }
}

/// Writes down what the drops are at, for `mingcha source list`, one thread at a time.
fn write_down(app: &App) {
    static WRITING: Mutex<()> = Mutex::new(());
    let writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = write_drop_states(&app.folder, &app.sources.drop_states()) {
        tracing::warn!(kind = %error.kind(), "it cannot be written down what the drops are at");
    }
    drop(writing);
}
