//! The CPU time of other processes, as the kernel counts it.

use std::{fs, path::Path};

use crate::asker::Problem;

/// User and system time of each process, all threads of it together, in seconds.
pub(crate) fn cpu_seconds(pids: &[u32]) -> Result<Vec<f64>, Problem> {
    pids.iter()
        .map(|pid| of_process(&Path::new("/proc").join(pid.to_string())))
        .collect()
}

/// The first figure of a thread's `schedstat` is the nanoseconds it ran, which is finer than the ticks of `stat`.
fn of_process(process: &Path) -> Result<f64, Problem> {
    let mut nanoseconds = 0_u64;
    for thread in fs::read_dir(process.join("task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        nanoseconds += text.split_whitespace().next().map_or(Ok(0), str::parse::<u64>)?;
    }
    Ok(nanoseconds as f64 / 1e9)
}
