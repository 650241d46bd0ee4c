//! Looks at what the sources delivered, raises an alarm where it is staler than promised, and keeps the measures.

use sources::{SourceInfo, Span};

use crate::{
    app::App,
    error::Error,
    source_files::{measures_file, read, replace},
};

/// Whether a source is asked: `asked`, `paused` by an operator, or `expired` with one of its papers.
#[must_use]
pub fn state(app: &App, info: &SourceInfo) -> &'static str {
    let today = app.now().date_in_china();
    let agreement = info.agreement.as_ref();
    if app.sources.is_paused(&info.id) {
        "paused"
    } else if agreement.is_some_and(|agreement| !agreement.holds(today)) {
        "expired"
    } else {
        "asked"
    }
}

/// Sets the gauges of every source, and traces those that deliver staler data than they promise; how many.
pub fn watch_freshness(app: &App) -> u64 {
    let mut alarms = 0;
    for info in app.sources.infos() {
        let id = info.id.clone();
        for span in Span::ALL {
            if let Some(success) = app.sources.measured(&id, span).success() {
                metrics::gauge!("mingcha_source_success_ratio", "source" => id.clone(), "span" => span.code())
                    .set(success);
            }
        }
        let day = app.sources.measured(&id, Span::Day);
        if let Some(age) = day.age(50) {
            metrics::gauge!("mingcha_source_median_age_seconds", "source" => id.clone()).set(age.from as f64);
        }
        let is_drifting = app.sources.is_drifting(&id, info.freshness);
        metrics::gauge!("mingcha_source_drifting", "source" => id.clone())
            .set(f64::from(u8::from(is_drifting)));
        if is_drifting {
            alarms += 1;
            let median_at_least_seconds = day.age(50).map(|age| age.from);
            let promised = info.freshness.code();
            tracing::error!(
                source = id,
                promised,
                median_at_least_seconds,
                "a source delivers staler data than it promises"
            );
        }
    }
    alarms
}

/// Writes what was measured into the data folder: a restart loses what came since.
///
/// # Errors
/// The folder cannot be written.
pub fn keep_measures(app: &App) -> Result<u64, Error> {
    let kept = app.sources.keep_measures();
    replace(&measures_file(&app.folder), &kept).map_err(|e| Error::Internal(e.to_string()))?;
    Ok(0)
}

/// Takes up what was measured before. A file that cannot be read costs the measures, and not the start.
pub fn restore_measures(app: &App) {
    let kept = read(&measures_file(&app.folder)).map(Option::unwrap_or_default);
    let kept = kept.unwrap_or_default();
    if !kept.is_empty() && app.sources.restore_measures(&kept).is_err() {
        tracing::warn!("the measures of the sources cannot be read, and begin anew");
    }
}
