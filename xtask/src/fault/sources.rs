//! The rig `sources` is a program of its own beside the sources' tests, which know how to lie; here it is run twice, the
//! second time with the check of the subject taken out.

use clap::Args;
use serde_json::Value;

use super::Verdict;
use crate::run;

/// How it is run.
#[derive(Args)]
pub(crate) struct Options {
    /// How many replies are lies
    #[arg(long, default_value_t = 100_000)]
    replies: u64,
    /// What decides about the lies
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Options {
    /// As it runs among the tests.
    pub(super) fn small() -> Self {
        Options {
            replies: 3000,
            seed: 1,
        }
    }
}

/// The planted bug must be found within so many replies.
const PLANTED_REPLIES: u64 = 2000;
/// From so many replies on the run is a long one.
const LONG_FROM: u64 = 100_000;
/// How many rounds time the others, and how many times as slow they may surely be while one source lies. A few rounds
/// show only what is grave: there a busy machine makes one side twice as slow as the other for no reason.
const LONG: (u64, f64) = (40, 1.10);
const SHORT: (u64, f64) = (3, 4.0);
/// So often must be lied in each round, or nothing was tried.
const LIES_OF_ROUND: u64 = 50;

/// Runs it.
///
/// # Errors
/// It does not build, or does not come to its end.
pub(super) fn run(options: &Options) -> Result<Verdict, String> {
    let (rounds, may_be) = if options.replies < LONG_FROM { SHORT } else { LONG };
    let found = liar(options.replies, options.seed, rounds, &[])?;
    eprintln!("again, where nobody asks whose record it is");
    let caught = liar(
        options.replies.clamp(1, PLANTED_REPLIES),
        options.seed,
        0,
        &["--features", "planted"],
    )?;
    let count = |line: &Value, key: &str| line[key].as_u64().unwrap_or_default();
    let slowed = slowed(&found, rounds, may_be);
    if let Some(slowed) = &slowed {
        eprintln!("  {slowed}");
    }
    let more = [
        "seed",
        "lies",
        "lies_in_session",
        "tricks",
        "told",
        "grown_kb",
        "peak_was_reset",
        "rounds",
        "lies_beside",
        "others_p99_us",
        "others_p99_ratio",
        "others_p99_ratio_surely",
    ];
    let mut more = more.map(|key| (key, found[key].clone())).to_vec();
    more.push(("others_may_be", Value::from(may_be)));
    Ok(Verdict {
        rig: "sources",
        n: count(&found, "n"),
        exceptions: count(&found, "exceptions") + u64::from(slowed.is_some()),
        planted_caught: count(&caught, "exceptions") > 0,
        more,
    })
}

/// What the lies cost the others, where that is too much or was not tried.
fn slowed(found: &Value, rounds: u64, may_be: f64) -> Option<String> {
    let lies = found["lies_beside"].as_u64().unwrap_or_default();
    if lies < LIES_OF_ROUND * rounds {
        return Some(format!(
            "beside the others was lied {lies} times in {rounds} rounds"
        ));
    }
    let ratio = found["others_p99_ratio_surely"].as_f64().unwrap_or(f64::INFINITY);
    (ratio > may_be).then(|| format!("the others' p99 is {ratio} times as long while one lies"))
}

fn liar(replies: u64, seed: u64, rounds: u64, features: &[&str]) -> Result<Value, String> {
    let mut cargo = run::cargo([
        "run",
        "--locked",
        "--quiet",
        "--package",
        "sources",
        "--example",
        "liar",
    ]);
    cargo
        .args(features)
        .arg("--")
        .args([replies, seed, rounds].map(|n| n.to_string()));
    cargo.env(
        "MINGCHA_PLANTED",
        if features.is_empty() {
            ""
        } else {
            "subject-unchecked"
        },
    );
    let line = run::output(&mut cargo)?;
    serde_json::from_str(line.trim()).map_err(|e| format!("the rig's line: {e}: {line}"))
}
