//! Looks at the papers of every source once a day, and raises an alarm for those that end soon.

use crate::app::App;

/// Sets a gauge for each paper, and traces those that end within 60, 30 or 7 days, or have ended; how many.
pub fn watch_papers(app: &App) -> u64 {
    let mut alarms = 0;
    for paper in app.sources.papers(app.now().date_in_china()) {
        let (source, kind, days_left) = (paper.source.clone(), paper.kind.code(), paper.days_left);
        metrics::gauge!("mingcha_source_paper_days_left", "source" => source.clone(), "paper" => kind)
            .set(days_left as f64);
        let Some(alarm) = paper.alarm() else { continue };
        alarms += 1;
        let number = &paper.number;
        match alarm {
            0 => tracing::error!(
                source,
                paper = kind,
                number,
                days_left,
                "a paper has expired: the source is not asked"
            ),
            1..=7 => tracing::error!(
                source,
                paper = kind,
                number,
                days_left,
                "a paper expires within a week"
            ),
            _ => tracing::warn!(source, paper = kind, number, days_left, "a paper expires soon"),
        }
    }
    alarms
}
