//! How long the disk takes to make a few pages durable, which is the least that any commit waits for.

use std::{fs::OpenOptions, io::Write, path::Path};

use crate::run::Stopwatch;

/// How often it is measured in one round.
const SYNCS: usize = 200;
/// What a commit of some ten look-ups writes.
const BYTES: usize = 64 * 1024;

/// Milliseconds of each of several appends with their sync.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn sync_times(folder: &Path) -> Result<Vec<f64>, String> {
    let path = folder.join("sync-probe");
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(failed)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let watch = Stopwatch::start();
        file.write_all(&[0x5a; BYTES])
            .and_then(|()| file.sync_data())
            .map_err(failed)?;
        times.push(watch.elapsed().as_secs_f64() * 1000.0);
    }
    std::fs::remove_file(&path).map_err(failed)?;
    Ok(times)
}

/// The value below which this share of the sorted ones lies.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at).or(sorted.last()).copied().unwrap_or_default()
}
