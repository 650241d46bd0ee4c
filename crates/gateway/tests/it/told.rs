//! What an operator is told: the gauges that are set and the errors that are traced while something runs.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use metrics_exporter_prometheus::PrometheusBuilder;
use tracing_subscriber::fmt::MakeWriter;

/// Keeps everything that is traced.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Kept;

    fn make_writer(&'a self) -> Kept {
        self.clone()
    }
}

/// What was told meanwhile.
pub(crate) struct Told {
    /// As `/metrics` says it.
    pub(crate) metrics: String,
    /// The errors, a line for each.
    pub(crate) errors: Vec<String>,
}

/// Runs it, on this thread; what it gives, and what was told.
pub(crate) fn told<T>(run: impl FnOnce() -> T) -> (T, Told) {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::ERROR)
        .with_ansi(false)
        .with_writer(kept.clone())
        .finish();
    let recorder = PrometheusBuilder::new().build_recorder();
    let given =
        metrics::with_local_recorder(&recorder, || tracing::subscriber::with_default(subscriber, run));
    let traced = String::from_utf8_lossy(&kept.0.lock().unwrap()).into_owned();
    let told = Told {
        metrics: recorder.handle().render(),
        errors: traced.lines().map(str::to_owned).collect(),
    };
    (given, told)
}

impl Told {
    /// The value of a gauge with these labels.
    #[track_caller]
    pub(crate) fn gauge(&self, name_and_labels: &str) -> f64 {
        let mut lines = self.metrics.lines();
        let value = lines.find_map(|line| line.strip_prefix(name_and_labels)?.strip_prefix(' '));
        let value = value.unwrap_or_else(|| panic!("no {name_and_labels} in\n{}", self.metrics));
        value.parse().unwrap()
    }
}
