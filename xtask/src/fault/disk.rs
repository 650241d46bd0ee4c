//! The rig `disk`: the disk fails once, at some write, sync or opening, while people look up.
//!
//! In each round the program runs under strace, which makes one call fail with an error of the disk. Whatever it does
//! then (refuse to start, answer that nothing can be recorded, stop), no answer may be without evidence, and the next
//! start on the same files must find everything sound. The journals are compared as in the rig `crash`.

use std::{cell::Cell, path::Path, thread::sleep, time::Duration};

use clap::Args;
use serde_json::Value;

use super::{
    Verdict,
    crash::{Found, Trial},
};
use crate::{
    machine::{self, Need},
    program::{self, Build, Setup},
    random::Dice,
};

/// How it is run.
#[derive(Args)]
pub(crate) struct Options {
    /// How often the disk fails
    #[arg(long, default_value_t = 60)]
    faults: u64,
    /// What decides which call fails
    #[arg(long, default_value_t = 1)]
    seed: u64,
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
            faults: 12,
            seed: 1,
            release: false,
            keep: false,
        }
    }
}

/// The planted bug must be found within so many faults.
const PLANTED_FAULTS: u64 = 20;
/// How long the program is asked while one of its calls fails.
const LIFE: Duration = Duration::from_millis(700);
/// The calls that fail, and how many of them a thread makes in a round: one of these is drawn. The journal of the
/// simulated authorities is written otherwise, because it must stay true.
const CALLS: [(&str, u64); 5] = [
    ("pwrite64", 300),
    ("fdatasync", 30),
    ("fsync", 3),
    ("openat", 40),
    ("ftruncate", 2),
];
/// What the disk says: broken, or full.
const ERRORS: [&str; 2] = ["EIO", "ENOSPC"];

/// Runs it.
///
/// # Errors
/// strace is missing or may not trace, or the program does not build, or does not start on a sound disk.
pub(super) fn run(options: &Options) -> Result<Verdict, String> {
    machine::ensure(&[Need::Strace])?;
    let plain = program::build(Build::Plain, options.release)?;
    let (found, seen) = measure(options, &plain, None, options.faults)?;
    found.tell();
    let planted = program::build(Build::Planted, options.release)?;
    eprintln!("again, with a program that answers before it seals");
    let few = options.faults.clamp(1, PLANTED_FAULTS);
    let (caught, _) = measure(options, &planted, Some("answer-before-seal"), few)?;
    let mut more = found.more(options.seed);
    more.push(("starts_refused", Value::from(seen.starts_refused)));
    more.push(("stopped", Value::from(seen.stopped)));
    Ok(Verdict {
        rig: "disk",
        n: options.faults,
        exceptions: found.exceptions(),
        planted_caught: caught.unsealed() > 0,
        more,
    })
}

/// What the program did about the faults.
#[derive(Default, Clone, Copy)]
struct Seen {
    starts_refused: u64,
    stopped: u64,
}

fn measure(
    options: &Options,
    program: &Path,
    bug: Option<&str>,
    faults: u64,
) -> Result<(Found, Seen), String> {
    let trial = Trial {
        rig: "disk",
        program,
        bug,
        rounds: faults,
        people: 4,
        seed: options.seed,
        keep: options.keep,
    };
    let seen = Cell::new(Seen::default());
    let found = trial.run(|setup, demo, _, dice| {
        demo.stop_and_wait()?;
        let mut now = seen.get();
        match setup.clone().with_under(failing(dice)).start() {
            // It met the fault before it served anybody, and said so.
            Err(_) => now.starts_refused += 1,
            Ok(mut afflicted) => {
                sleep(LIFE);
                now.stopped += u64::from(afflicted.has_ended());
                afflicted.kill();
            }
        }
        seen.set(now);
        restart(setup)
    })?;
    Ok((found, seen.get()))
}

/// On a sound disk everything must be found in order.
fn restart(setup: &Setup<'_>) -> Result<program::Demo, String> {
    setup
        .start()
        .map_err(|e| format!("after a fault of the disk: {e}"))
}

/// strace, which makes one call fail.
fn failing(dice: &mut Dice) -> Vec<String> {
    let (call, calls) = CALLS[usize::try_from(dice.below(CALLS.len() as u64)).unwrap_or_default()];
    let error = ERRORS[usize::try_from(dice.below(ERRORS.len() as u64)).unwrap_or_default()];
    let at = 1 + dice.below(calls);
    let inject = format!("inject={call}:error={error}:when={at}");
    let trace = format!("trace={call}");
    [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-e",
        &trace,
        "-e",
        &inject,
        "-o",
        "/dev/null",
    ]
    .map(str::to_owned)
    .to_vec()
}
