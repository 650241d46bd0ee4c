//! `cargo xtask fault`: rigs that break things on purpose and count what must not be.
//!
//! Each takes its n as an option, shows progress on standard error, and ends with one line of JSON on standard
//! output. Each runs again on a build with a bug of its class planted, and must find it there.

mod canary;
mod crash;
mod disk;
mod model;
mod order;
mod overload;
mod sources;
mod tamper;
mod timing;

use clap::Subcommand;
use serde_json::Value;

/// A rig.
#[derive(Subcommand)]
pub(crate) enum Rig {
    /// Compare every decision of the policy with an independent model
    Model,
    /// Flip every bit of a receipt, and let verifiers that are not ours check the log
    Tamper(tamper::Options),
    /// Kill the program under load and compare four journals
    Crash(crash::Options),
    /// Trace the system calls: nothing is sent between an entry's write and its fdatasync
    Order(order::Options),
    /// Let the disk fail once, at some write, sync or opening, and compare four journals
    Disk(disk::Options),
    /// Let a source lie, stall and flood; it holds no record of who asks, so that nothing must be found
    Sources(sources::Options),
    /// Ask four times as much as is possible, one account most of it, then fill the line, and hold each client to what it
    /// was told
    Overload(overload::Options),
    /// Compare how long refusals take that hide somebody and that hide nobody
    Timing(timing::Options),
    /// Search everything that was ever written for the values of canary people
    Canary(canary::Options),
}

/// What a rig found.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) rig: &'static str,
    /// How often it was tried.
    pub(crate) n: u64,
    /// What must not have been.
    pub(crate) exceptions: u64,
    /// The planted bug was found by the same means.
    pub(crate) planted_caught: bool,
    /// What else is worth comparing.
    pub(crate) more: Vec<(&'static str, Value)>,
}

impl Verdict {
    fn is_good(&self) -> bool {
        self.n > 0 && self.exceptions == 0 && self.planted_caught
    }

    fn line(&self) -> String {
        let more: String = self
            .more
            .iter()
            .map(|(key, value)| format!(",\"{key}\":{value}"))
            .collect();
        format!(
            "{{\"rig\":\"{}\",\"n\":{},\"exceptions\":{},\"planted_caught\":{}{more}}}",
            self.rig, self.n, self.exceptions, self.planted_caught
        )
    }
}

/// Runs a rig; whether it found nothing but what was planted.
///
/// # Errors
/// It could not be run.
pub(crate) fn fault(rig: &Rig) -> Result<bool, String> {
    let Some(verdict) = verdict(rig)? else {
        return model::run();
    };
    println!("{}", verdict.line());
    Ok(verdict.is_good())
}

/// The rigs with an n that fits into every run of the tests.
pub(crate) fn small() -> [(&'static str, Rig); 8] {
    [
        ("tamper", Rig::Tamper(tamper::Options::small())),
        ("crash", Rig::Crash(crash::Options::small())),
        ("order", Rig::Order(order::Options::small())),
        ("disk", Rig::Disk(disk::Options::small())),
        ("sources", Rig::Sources(sources::Options::small())),
        ("overload", Rig::Overload(overload::Options::small())),
        ("timing", Rig::Timing(timing::Options::small())),
        ("canary", Rig::Canary(canary::Options::default())),
    ]
}

/// Runs a rig as one of the tests.
///
/// # Errors
/// What it found, or why it could not be run.
pub(crate) fn check(rig: &Rig) -> Result<(), String> {
    let Some(verdict) = verdict(rig)? else {
        return Ok(());
    };
    eprintln!("{}", verdict.line());
    if verdict.is_good() {
        Ok(())
    } else {
        Err(verdict.line())
    }
}

/// What a rig found; nothing for the one that speaks for itself.
fn verdict(rig: &Rig) -> Result<Option<Verdict>, String> {
    match rig {
        Rig::Model => Ok(None),
        Rig::Tamper(options) => tamper::run(options).map(Some),
        Rig::Crash(options) => crash::run(options).map(Some),
        Rig::Order(options) => order::run(options).map(Some),
        Rig::Disk(options) => disk::run(options).map(Some),
        Rig::Sources(options) => sources::run(options).map(Some),
        Rig::Overload(options) => overload::run(options).map(Some),
        Rig::Timing(options) => timing::run(options).map(Some),
        Rig::Canary(options) => canary::run(options).map(Some),
    }
}

/// Tells the first exceptions; a thousand say no more than ten.
fn tell(exceptions: &[String]) {
    for exception in exceptions.iter().take(10) {
        eprintln!("  {exception}");
    }
    if exceptions.len() > 10 {
        eprintln!("  and {} more", exceptions.len() - 10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_one_line_of_json() {
        let more = vec![("bytes", Value::from(7))];
        let verdict = Verdict {
            rig: "canary",
            n: 3,
            exceptions: 0,
            planted_caught: true,
            more,
        };
        let read: Value = serde_json::from_str(&verdict.line()).unwrap();
        assert_eq!((read["n"].as_u64(), read["bytes"].as_u64()), (Some(3), Some(7)));
    }
}
