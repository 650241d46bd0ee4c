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
/// A shorter run times too few answers to judge by.
const JUDGED_FROM: u64 = 100_000;
/// How many times as slow the others may be while one source lies.
const OTHERS_SLOWER: f64 = 1.10;
/// So often must be lied meanwhile, or nothing was tried.
const LIES_BESIDE: u64 = 500;

/// Runs it.
///
/// # Errors
/// It does not build, or does not come to its end.
pub(super) fn run(options: &Options) -> Result<Verdict, String> {
    let found = liar(options.replies, options.seed, &[])?;
    eprintln!("again, where nobody asks whose record it is");
    let caught = liar(
        options.replies.clamp(1, PLANTED_REPLIES),
        options.seed,
        &["--features", "planted"],
    )?;
    let count = |line: &Value, key: &str| line[key].as_u64().unwrap_or_default();
    let ratio = found["others_p99_ratio"].as_f64().unwrap_or(f64::INFINITY);
    let judged = options.replies >= JUDGED_FROM;
    let lies = count(&found, "lies_beside");
    let slowed = judged && (ratio > OTHERS_SLOWER || lies < LIES_BESIDE);
    if !judged {
        eprintln!("  the others' p99 is judged from {JUDGED_FROM} replies on; here it is only told");
    }
    let more = [
        "seed",
        "lies",
        "lies_in_session",
        "tricks",
        "told",
        "grown_kb",
        "lies_beside",
        "others_p99_ratio",
    ];
    let mut more = more.map(|key| (key, found[key].clone())).to_vec();
    more.push(("others_judged", Value::from(judged)));
    Ok(Verdict {
        rig: "sources",
        n: count(&found, "n"),
        exceptions: count(&found, "exceptions") + u64::from(slowed),
        planted_caught: count(&caught, "exceptions") > 0,
        more,
    })
}

fn liar(replies: u64, seed: u64, features: &[&str]) -> Result<Value, String> {
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
        .args(["--", &replies.to_string(), &seed.to_string()]);
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
