//! The rig `crash`: kill the program under load, again and again, and compare four journals.
//!
//! What the clients were answered, what the authorities were asked, what the log has, and what each person sees of
//! it. The program and the simulated authorities die together; the authorities' journal is a file that survives.

mod clients;
mod journals;

use std::{path::Path, thread::sleep, time::Duration};

use clap::Args;
use serde_json::Value;

use self::{
    clients::Clients,
    journals::{Exception, Journals},
};
use super::{Verdict, tell};
use crate::{
    people::{self, Person},
    program::{self, Build, Setup},
    random::Dice,
    scratch::Scratch,
};

/// How it is run.
#[derive(Args)]
pub(crate) struct Options {
    /// How often the program is killed
    #[arg(long, default_value_t = 20)]
    kills: u64,
    /// How many people look up, each from two connections
    #[arg(long, default_value_t = 4)]
    people: usize,
    /// What decides about times and questions
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
            kills: 10,
            people: 4,
            seed: 1,
            release: false,
            keep: false,
        }
    }
}

/// The planted bug must be found within so many kills.
const PLANTED_KILLS: u64 = 30;
/// The longest that the program lives between two kills, in milliseconds.
const LIFE_MS: u64 = 300;
/// An intent is closed 5 s after its deadline of 3 s, by a job that works every 2 s.
const CLOSED_AFTER: Duration = Duration::from_secs(12);

/// Runs it.
///
/// # Errors
/// The program does not build, start or answer.
pub(super) fn run(options: &Options) -> Result<Verdict, String> {
    let plain = program::build(Build::Plain, options.release)?;
    let found = measure(options, &plain, None, options.kills)?;
    let texts: Vec<String> = found.exceptions.iter().map(ToString::to_string).collect();
    tell(&texts);
    let planted = program::build(Build::Planted, options.release)?;
    eprintln!("again, with a program that answers before it seals");
    let caught = measure(
        options,
        &planted,
        Some("answer-before-seal"),
        options.kills.clamp(1, PLANTED_KILLS),
    )?;
    let unsealed = caught.exceptions.iter().filter(|e| e.is_unsealed()).count();
    eprintln!("{unsealed} answers without evidence were found there");
    Ok(Verdict {
        rig: "crash",
        n: found.kills,
        exceptions: found.exceptions.len() as u64,
        planted_caught: unsealed > 0,
        more: vec![
            ("seed", Value::from(options.seed)),
            ("answers", Value::from(found.answers)),
            ("asked", Value::from(found.asked)),
            ("entries", Value::from(found.entries)),
            ("slowest_start_ms", Value::from(found.slowest_start_ms)),
        ],
    })
}

struct Found {
    kills: u64,
    exceptions: Vec<Exception>,
    answers: usize,
    asked: usize,
    entries: usize,
    slowest_start_ms: u64,
}

fn measure(options: &Options, program: &Path, bug: Option<&str>, kills: u64) -> Result<Found, String> {
    let mut scratch = Scratch::new("crash")?;
    if options.keep {
        scratch.keep();
    }
    let people = chosen(options.people)?;
    let setup = Setup::new(program, scratch.path())?.with_bug(bug);
    let mut demo = setup.start()?;
    let clients = Clients::start(setup.address, &people, options.seed)?;
    let mut dice = Dice::new(options.seed);
    let mut slowest = Duration::ZERO;
    for kill in 1..=kills {
        sleep(Duration::from_millis(10 + dice.below(LIFE_MS)));
        if dice.below(2) == 0 {
            // The worst moment: somebody has just been answered.
            clients.wait_for_an_answer(Duration::from_millis(LIFE_MS));
        }
        demo.kill();
        demo = setup.start()?;
        slowest = slowest.max(demo.ready_after);
        if kill % 10 == 0 || kill == kills {
            eprintln!("  {kill} of {kills} kills, {} answers", clients.answers());
        }
    }
    let (sessions, answers) = clients.end();
    eprintln!("waiting until what was cut off is closed");
    sleep(CLOSED_AFTER);
    // At its end the program publishes the whole log.
    demo.stop_and_wait()?;
    let demo = setup.start()?;
    let journals = Journals::gather(&setup, sessions, answers)?;
    demo.stop_and_wait()?;
    let mut exceptions = journals.compare();
    let (sound, said) = setup.check()?;
    if !sound {
        exceptions.push(Exception::of_the_whole(format!(
            "the check of the data fails: {}",
            said.trim()
        )));
    }
    if !exceptions.is_empty() && bug.is_none() {
        scratch.keep();
    }
    Ok(Found {
        kills,
        exceptions,
        answers: journals.answers.len(),
        asked: journals.asked.len(),
        entries: journals.entries(),
        slowest_start_ms: u64::try_from(slowest.as_millis()).unwrap_or(u64::MAX),
    })
}

fn chosen(count: usize) -> Result<Vec<Person>, String> {
    let people = people::people()?;
    let chosen: Vec<Person> = people
        .into_iter()
        .filter(|p| !p.canary && !p.plates.is_empty())
        .take(count.max(2))
        .collect();
    if chosen.len() < 2 {
        Err("too few people have a vehicle".to_owned())
    } else {
        Ok(chosen)
    }
}
