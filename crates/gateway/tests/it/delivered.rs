//! What a source delivered before a test begins, without a question for each answer.

use domain::time::Clock;
use serde_json::json;

use crate::app::TestApp;

/// Classes of age, counted from the youngest.
pub(crate) const QUARTER_OF_AN_HOUR: usize = 0;
pub(crate) const FIVE_DAYS: usize = 9;
pub(crate) const OVER_31_DAYS: usize = 15;

/// As if so many questions about a kind had been answered in the hour before this one, in which nobody asked: all as old
/// as this, or without telling it.
pub(crate) fn delivered(app: &TestApp, (source, kind): (&str, &str), class: Option<usize>, count: u32) {
    let mut ages = [0; 16];
    if let Some(class) = class {
        ages[class] = count;
    }
    let undated = if class.is_none() { count } else { 0 };
    let hour = app.clock.now().0.div_euclid(3_600_000_000) - 1;
    let hour = json!({ "hour": hour, "asked": count, "answered": count, "ages": ages, "undated": undated });
    let kept = json!({ (format!("{source}/{kind}")): [hour] });
    app.app.sources.restore_measures(&kept.to_string()).unwrap();
}
