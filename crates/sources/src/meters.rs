//! What is counted of a route's answers. A counter is looked for by its name and labels once, and then kept: that takes
//! longer than to count.

use std::{array, sync::OnceLock};

use domain::outcome::Outcome;
use metrics::{Counter, Histogram};

/// The counters of one route.
pub(crate) struct Meters {
    milliseconds: OnceLock<Histogram>,
    answers: [OnceLock<Counter>; Outcome::ALL.len()],
}

impl Default for Meters {
    fn default() -> Self {
        Meters {
            milliseconds: OnceLock::new(),
            answers: array::from_fn(|_| OnceLock::new()),
        }
    }
}

impl Meters {
    /// Counts an answer of this source about this kind, which came after so many milliseconds.
    pub(crate) fn count(&self, source: &str, kind: &str, outcome: Outcome, ms: f64) {
        let labels = || [("source", source.to_owned()), ("kind", kind.to_owned())];
        self.milliseconds
            .get_or_init(|| metrics::histogram!("mingcha_source_milliseconds", &labels()))
            .record(ms);
        let counter = || {
            let [source, kind] = labels();
            let outcome = ("outcome", outcome.code().to_owned());
            metrics::counter!("mingcha_source_answers_total", &[source, kind, outcome])
        };
        // The outcomes are numbered in the order of `ALL`.
        if let Some(answers) = self.answers.get(outcome as usize) {
            answers.get_or_init(counter).increment(1);
        }
    }
}
