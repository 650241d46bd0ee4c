//! The rig `canary`: people whose every value occurs nowhere else take part in everything, at the finest level of
//! traces and with faults switched on; then all that was written is searched for their values, in many encodings.
//!
//! Searched are traces, output, the database's files, keys, the journals, the metrics, the public log, the problems
//! that the API told, and every address that a page linked or led to. Not searched are answers to the people
//! themselves, and the files that the played insurers drop: what is theirs stands there rightly. What the gateway
//! keeps of those files is searched.

mod drive;
mod needles;
mod walk;

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::Value;

use self::{drive::Driven, needles::Needles};
use super::{Verdict, tell};
use crate::{
    http::Client,
    log::{self, PublicLog},
    people,
    program::{self, Build, Setup},
    scratch::Scratch,
};

/// How it is run.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Use optimised builds
    #[arg(long)]
    release: bool,
    /// Keep what was written, for a look
    #[arg(long)]
    keep: bool,
}

/// Where a leak is planted, all in one run; each must be found there, or in what SQLite keeps beside its file.
const PLANTED: [&str; 5] = [
    "traces",
    "metrics",
    "data/mingcha.sqlite",
    "problems",
    "addresses",
];

/// Runs it.
///
/// # Errors
/// The program does not build, start or answer.
pub(super) fn run(options: &Options) -> Result<Verdict, String> {
    let plain = program::build(Build::Plain, options.release)?;
    let needles = Needles::of_the_canaries()?;
    let found = measure(options, &plain, None, &needles)?;
    tell(&found.hits);
    let planted = program::build(Build::Planted, options.release)?;
    eprintln!("again, with a program that leaks");
    let hits = measure(options, &planted, Some("leaks"), &needles)?.hits;
    // What SQLite keeps beside its file counts with it.
    let is_found = |place: &&str| {
        let found = hits.iter().any(|hit| hit.starts_with(*place));
        eprintln!("  in {place}: {}", if found { "found" } else { "MISSED" });
        found
    };
    let caught = PLANTED.iter().filter(|place| is_found(place)).count();
    Ok(Verdict {
        rig: "canary",
        n: needles.count(),
        exceptions: found.hits.len() as u64,
        planted_caught: caught == PLANTED.len(),
        more: vec![
            ("planted", Value::from(PLANTED.len())),
            ("requests", Value::from(found.requests)),
            ("pages", Value::from(found.pages)),
            ("bytes", Value::from(found.bytes)),
        ],
    })
}

struct Found {
    hits: Vec<String>,
    requests: u64,
    pages: u64,
    bytes: u64,
}

fn measure(options: &Options, program: &Path, bug: Option<&str>, needles: &Needles) -> Result<Found, String> {
    let mut scratch = Scratch::new("canary")?;
    if options.keep {
        scratch.keep();
    }
    let setup = Setup::new(program, scratch.path())?
        .with_bug(bug)
        .with_trace("trace");
    let demo = setup.start()?;
    let people = people::people()?;
    let driven = drive::drive(&setup, &people, bug.is_none())?;
    // At its end the program publishes the whole log, and SQLite writes its log back.
    demo.stop_and_wait()?;
    let demo = setup.start()?;
    keep_what_was_said(&setup, scratch.path(), &driven)?;
    demo.stop_and_wait()?;
    let mut found = Found {
        hits: vec![],
        requests: driven.requests,
        pages: driven.pages,
        bytes: 0,
    };
    for file in files(scratch.path())? {
        let bytes = fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let name = file
            .strip_prefix(scratch.path())
            .unwrap_or(&file)
            .display()
            .to_string();
        found.bytes += bytes.len() as u64;
        found.hits.extend(
            needles
                .found_in(&bytes)
                .into_iter()
                .map(|hit| format!("{name}: {hit}")),
        );
    }
    if !found.hits.is_empty() && bug.is_none() {
        scratch.keep();
    }
    Ok(found)
}

/// What left the program by another way than a file is written into one.
fn keep_what_was_said(setup: &Setup<'_>, folder: &Path, driven: &Driven) -> Result<(), String> {
    let mut client = Client::new(setup.address);
    let log = PublicLog::read(&mut client, &log::trusted(&setup.log_keys()?)?)?;
    let leaves: Vec<u8> = log.leaves.iter().flat_map(|leaf| leaf.0).collect();
    let metrics = Client::new(setup.metrics).get("/metrics")?.body;
    for (name, bytes) in [
        ("public-log", leaves.as_slice()),
        ("metrics-after", metrics.as_slice()),
        ("metrics", driven.metrics.as_slice()),
        ("problems", driven.problems.as_bytes()),
        ("addresses", driven.addresses.as_bytes()),
    ] {
        fs::write(folder.join(name), bytes).map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = vec![];
    for entry in fs::read_dir(folder)
        .map_err(|e| format!("{}: {e}", folder.display()))?
        .flatten()
    {
        let path = entry.path();
        if path.ends_with("drops/insurance") {
            continue;
        }
        if path.is_dir() {
            files.extend(self::files(&path)?)
        } else {
            files.push(path)
        }
    }
    Ok(files)
}
