//! The rig `order`: from the system calls it is seen that nothing is sent between an entry's write and its sync.
//!
//! A killed process keeps what it gave to the system, so `crash` cannot see a missing sync. Here one client asks one
//! question after the other, under strace. Before a source is called, a write to the database's log must have been
//! made *and synced* since the question arrived; before the client is answered, again since the source's reply.

mod calls;

use std::{fs, path::Path};

use clap::Args;
use serde_json::{Value, json};

use self::calls::{Call, Sort};
use super::{Verdict, tell};
use crate::{
    http::Client,
    machine::{self, Need},
    people::{self, Person},
    program::{self, Build, Setup},
    scratch::Scratch,
};

/// How it is run.
#[derive(Args)]
pub(crate) struct Options {
    /// How many look-ups are traced
    #[arg(long, default_value_t = 100)]
    lookups: u64,
    /// Use optimised builds
    #[arg(long)]
    release: bool,
}

impl Options {
    /// As it runs among the tests.
    pub(super) fn small() -> Self {
        Options {
            lookups: 30,
            release: false,
        }
    }
}

/// The planted bug must be found within so many look-ups.
const PLANTED_LOOKUPS: u64 = 20;
/// The file to which SQLite writes first.
const DATABASE_LOG: &str = "/mingcha.sqlite-wal";

/// Runs it.
///
/// # Errors
/// strace is missing or may not trace, or the program does not build, start or answer.
pub(super) fn run(options: &Options) -> Result<Verdict, String> {
    machine::ensure(&[Need::Strace])?;
    let plain = program::build(Build::Plain, options.release)?;
    let found = measure(&plain, None, options.lookups)?;
    tell(&found.exceptions);
    let planted = program::build(Build::Planted, options.release)?;
    eprintln!("again, with a database that does not sync");
    let caught = measure(
        &planted,
        Some("sync-off"),
        options.lookups.clamp(1, PLANTED_LOOKUPS),
    )?;
    Ok(Verdict {
        rig: "order",
        n: found.sends,
        exceptions: found.exceptions.len() as u64,
        planted_caught: !caught.exceptions.is_empty(),
        more: vec![
            ("lookups", Value::from(options.lookups)),
            ("calls", Value::from(found.calls)),
        ],
    })
}

struct Found {
    /// How many times something was sent to a source or to the client.
    sends: u64,
    calls: usize,
    exceptions: Vec<String>,
}

fn measure(program: &Path, bug: Option<&str>, lookups: u64) -> Result<Found, String> {
    let scratch = Scratch::new("order")?;
    let output = scratch.path().join("calls");
    let setup = Setup::new(program, scratch.path())?
        .with_bug(bug)
        .with_under(strace(&output));
    let demo = setup
        .start()
        .map_err(|e| format!("{e}; may this machine trace processes (ptrace)?"))?;
    let done = ask(&setup, lookups);
    demo.stop(calls::traced_process(&output)?)?;
    done?;
    let text = fs::read(&output).map_err(|e| format!("{}: {e}", output.display()))?;
    let calls = calls::parse(&String::from_utf8_lossy(&text), setup.address.port());
    let (sends, exceptions) = judge(&calls);
    if sends < lookups {
        return Err(format!(
            "{lookups} look-ups were made and only {sends} sends are in the trace"
        ));
    }
    Ok(Found {
        sends,
        calls: calls.len(),
        exceptions,
    })
}

fn strace(output: &Path) -> Vec<String> {
    let traced =
        "trace=write,writev,pwrite64,pwritev,sendto,sendmsg,read,readv,recvfrom,recvmsg,fsync,fdatasync";
    let words = [
        "strace",
        "-f",
        "-yy",
        "-s",
        "32",
        "--seccomp-bpf",
        "-e",
        traced,
        "-o",
    ];
    words
        .iter()
        .map(|w| (*w).to_owned())
        .chain([output.display().to_string()])
        .collect()
}

/// Mostly one's own vehicle; now and then somebody else's, which is refused and asks no source.
fn ask(setup: &Setup<'_>, lookups: u64) -> Result<(), String> {
    let people = people::people()?;
    let with_vehicle: Vec<&Person> = people
        .iter()
        .filter(|p| !p.canary && !p.plates.is_empty())
        .collect();
    let (own, other) = with_vehicle
        .first()
        .zip(with_vehicle.get(1))
        .ok_or("too few people have a vehicle")?;
    let mut client = Client::new(setup.address);
    people::sign_in(&mut client, own)?;
    let (plate, class) = &own.plates[0];
    for n in 0..lookups {
        let mut question = json!({
            "kind": "vehicle", "mode": "read", "subject": "self", "purpose": "own-information",
            "key": { "plate": plate, "plate_class": class },
        });
        if n % 5 == 4 {
            question["subject"] = json!({ "name": other.name, "id_number": other.id_number });
        }
        let reply = client.post("/v1/lookups", &question)?;
        if ![200, 403].contains(&reply.status) {
            return Err(format!("a look-up ended with {}: {}", reply.status, reply.text()));
        }
        if n % 50 == 49 {
            eprintln!("  {} of {lookups} look-ups", n + 1);
        }
    }
    Ok(())
}

/// How many sends of look-ups there are, and those before which nothing was synced.
fn judge(calls: &[Call]) -> (u64, Vec<String>) {
    let (mut sends, mut exceptions) = (0, vec![]);
    // When the look-up that is under way was asked, and what was the last news of it since.
    let mut under_way = None;
    for (at, call) in calls.iter().enumerate() {
        match call.sort {
            Sort::Asked => under_way = Some((call.end, call.end)),
            Sort::SourceReplied => under_way = under_way.map(|(asked, _)| (asked, call.end)),
            Sort::SourceCalled | Sort::Answered => {
                let Some((asked, news)) = under_way else { continue };
                sends += 1;
                // A handshake with a source comes before the question to it; one intent stands for both.
                let from = if call.sort == Sort::SourceCalled {
                    asked
                } else {
                    news
                };
                if !synced_between(&calls[..at], from, call.begin) {
                    exceptions.push(format!("{:?} without a synced entry: {}", call.sort, call.text));
                }
                if call.sort == Sort::Answered {
                    under_way = None;
                }
            }
            Sort::Written | Sort::Synced => {}
        }
    }
    (sends, exceptions)
}

/// A write to the database's log began after `from`, and a sync that began after it ended before `to`.
fn synced_between(calls: &[Call], from: usize, to: usize) -> bool {
    let within = calls.iter().filter(|c| c.begin > from && c.begin < to);
    let written = within
        .clone()
        .filter(|c| c.sort == Sort::Written)
        .map(|c| c.end)
        .min();
    written.is_some_and(|written| {
        within
            .clone()
            .any(|c| c.sort == Sort::Synced && c.begin > written && c.end < to)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(words: &str) -> Vec<Call> {
        let sort = |word| match word {
            "asked" => Sort::Asked,
            "write" => Sort::Written,
            "sync" => Sort::Synced,
            "call" => Sort::SourceCalled,
            "reply" => Sort::SourceReplied,
            _ => Sort::Answered,
        };
        let call = |(n, word)| Call {
            sort: sort(word),
            begin: 2 * n,
            end: 2 * n + 1,
            text: String::new(),
        };
        words.split(' ').enumerate().map(call).collect()
    }

    #[test]
    fn what_is_sent_before_a_sync_is_told() {
        for (words, sends, told) in [
            ("asked write sync call reply write sync answer", 2, 0),
            ("asked write sync answer", 1, 0),
            // A handshake first.
            ("asked write sync call reply call reply write sync answer", 3, 0),
            // The source is called before the sync, or without a write.
            ("asked write call sync reply write sync answer", 2, 1),
            ("asked call reply write sync answer", 2, 1),
            // The first entry is no evidence of the answer.
            ("asked write sync call reply answer write sync", 2, 1),
            ("asked write sync call reply write answer sync", 2, 1),
            // A sync of what was written before the question.
            ("write asked sync answer", 1, 1),
            // Nobody asked for a look-up.
            ("answer write call", 0, 0),
        ] {
            let (counted, exceptions) = judge(&calls(words));
            assert_eq!((counted, exceptions.len()), (sends, told), "{words}");
        }
    }
}
