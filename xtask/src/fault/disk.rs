//! The rig `disk`: each call that opens, writes or syncs a file of ours fails once.
//!
//! A workload that is always the same is counted first: a start with an import, look-ups, the end. Then it is run again
//! for each call that it makes, and that call fails. Whatever the program does then (refuse to start, answer that
//! nothing can be recorded, stop), no answer may be without evidence, and on a sound disk all must be found in order.
//! The import of a drop is tried for itself besides, where one drop takes the place of another, and so is a full disk.

mod drops;
mod full;
mod shim;
mod workload;

use clap::Args;
use serde_json::Value;

use self::{shim::Fault, workload::Workload};
use super::{Verdict, tell};
use crate::{
    program::{self, Build},
    scratch::Scratch,
};

/// How it is run.
#[derive(Args)]
pub(crate) struct Options {
    /// Let only so many of the calls fail, evenly spread, each in one way; all of them in every way by default
    #[arg(long)]
    sites: Option<usize>,
    /// Use optimised builds
    #[arg(long)]
    release: bool,
    /// Keep what was written, for a look
    #[arg(long)]
    keep: bool,
}

impl Options {
    /// As it runs among the tests.
    pub(super) fn small() -> Self {
        Options {
            sites: Some(16),
            release: false,
            keep: false,
        }
    }
}

/// The planted bugs must be found within so many faults.
const PLANTED_SITES: usize = 40;

/// What was found.
#[derive(Default)]
struct Found {
    /// How many calls the workload makes.
    sites: usize,
    /// How many of them failed, each time in a run of its own.
    faults: u64,
    exceptions: Vec<String>,
    /// Answers without evidence, and drops of which half answers.
    grave: u64,
}

/// Runs it.
///
/// # Errors
/// There is no C compiler, a small disk may not be mounted, or the program does not build, or does not start on a
/// sound disk.
pub(super) fn run(options: &Options) -> Result<Verdict, String> {
    let mut scratch = Scratch::new("disk")?;
    if options.keep {
        scratch.keep();
    }
    let shim = shim::build(scratch.path())?;
    let plain = program::build(Build::Plain, options.release)?;
    let workload = Workload::new(&plain, None, &shim, &scratch.path().join("program"))?;
    let (found, seen) = workload.measure(options.sites)?;
    seen.tell();
    tell(&found.exceptions);
    let full = full::measure(&workload)?;
    tell(&full);
    let importer = drops::build(false)?;
    let imports = drops::measure(
        &importer,
        None,
        &shim,
        &scratch.path().join("drops"),
        options.sites,
    )?;
    tell(&imports.exceptions);
    let caught = planted(options, &shim, &scratch)?;
    let exceptions = found.exceptions.len() + full.len() + imports.exceptions.len();
    if exceptions > 0 {
        scratch.keep();
    }
    let more = [
        ("sites", Value::from(found.sites)),
        ("import_sites", Value::from(imports.sites)),
        ("starts_refused", Value::from(seen.starts_refused)),
        ("stopped", Value::from(seen.stopped)),
        ("answers", Value::from(seen.answers)),
        ("half_drops", Value::from(imports.grave)),
    ];
    Ok(Verdict {
        rig: "disk",
        n: found.faults + imports.faults + 1,
        exceptions: exceptions as u64,
        planted_caught: caught,
        more: more.to_vec(),
    })
}

/// Whether both planted bugs are found.
fn planted(options: &Options, shim: &shim::Shim, scratch: &Scratch) -> Result<bool, String> {
    let few = Some(options.sites.unwrap_or(PLANTED_SITES).max(PLANTED_SITES));
    eprintln!("again, with a program that answers before it seals");
    let planted = program::build(Build::Planted, options.release)?;
    let folder = scratch.path().join("program-planted");
    let workload = Workload::new(&planted, Some("answer-before-seal"), shim, &folder)?;
    let (answered, _) = workload.measure(few)?;
    eprintln!("{} answers without evidence were found there", answered.grave);
    eprintln!("again, with an import that overlooks what the disk says");
    let folder = scratch.path().join("drops-planted");
    let imports = drops::measure(&drops::build(true)?, Some("half-import"), shim, &folder, None)?;
    eprintln!("{} half drops were found there", imports.grave);
    Ok(answered.grave > 0 && imports.grave > 0)
}

/// The faults of a run: each of `sites` in each way, or an even sample, of which each fails in one way.
fn faults(sites: usize, ways: &[Fault], sample: Option<usize>) -> Vec<(usize, Fault)> {
    match sample {
        None => ways
            .iter()
            .flat_map(|way| (1..=sites).map(|at| (at, *way)))
            .collect(),
        Some(0) => vec![],
        Some(count) => (0..count.min(sites))
            .map(|n| (1 + n * sites / count.min(sites), ways[n % ways.len()]))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_over_all() {
        let ways = [Fault::Broken, Fault::Full];
        let all = faults(3, &ways, None);
        assert_eq!(all.len(), 6);
        assert_eq!((all[2], all[3]), ((3, Fault::Broken), (1, Fault::Full)));
        let some: Vec<usize> = faults(100, &ways, Some(4)).iter().map(|f| f.0).collect();
        assert_eq!(some, [1, 26, 51, 76]);
        assert_eq!(faults(2, &ways, Some(9)).len(), 2);
        assert!(faults(0, &ways, Some(9)).is_empty());
    }
}
