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

/// Sets the gauges of every source and kind, and traces where one delivers staler data than it promises; how many.
pub fn watch_freshness(app: &App) -> u64 {
    let mut alarms = 0;
    for (info, kind) in app.sources.served() {
        let labels = [("source", info.id.clone()), ("kind", kind.to_owned())];
        for span in Span::ALL {
            if let Some(success) = app.sources.measured(&info.id, kind, span).success() {
                let (source, kind) = (info.id.clone(), kind.to_owned());
                metrics::gauge!("mingcha_source_success_ratio", "source" => source, "kind" => kind, "span" => span.code())
                    .set(success);
            }
        }
        let day = app.sources.measured(&info.id, kind, Span::Day);
        let (median, p95) = (day.age(50), day.age(95));
        if let (Some(median), Some(p95)) = (median, p95) {
            metrics::gauge!("mingcha_source_median_age_seconds", &labels).set(median.from as f64);
            metrics::gauge!("mingcha_source_p95_age_seconds", &labels).set(p95.from as f64);
        }
        let is_drifting = app.sources.is_drifting(&info.id, kind, info.freshness);
        metrics::gauge!("mingcha_source_drifting", &labels).set(f64::from(u8::from(is_drifting)));
        if is_drifting {
            alarms += 1;
            let median_at_least_seconds = median.map(|age| age.from);
            let p95_at_least_seconds = p95.map(|age| age.from);
            let promised = info.freshness.code();
            tracing::error!(
                source = info.id,
                kind,
                promised,
                median_at_least_seconds,
                p95_at_least_seconds,
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
