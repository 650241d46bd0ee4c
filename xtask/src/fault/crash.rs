//! The rig `crash`: kill the program under load, again and again, and compare four journals.
//!
//! What the clients were answered, what the authorities were asked, what the log has, and what each person sees of
//! it. The program and the simulated authorities die together; the authorities' journal is a file that survives.

mod clients;
mod journals;

use std::{path::Path, thread::sleep, time::Duration};

use clap::Args;
use serde_json::Value;

use self::clients::Clients;
pub(super) use self::{
    clients::{Answer, Session},
    journals::{DROPPED, Exception, Journals},
};
use super::{Verdict, tell};
use crate::{
    people::{self, Person},
    program::{self, Build, Demo, Setup},
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
    found.tell();
    let planted = program::build(Build::Planted, options.release)?;
    eprintln!("again, with a program that answers before it seals");
    let few = options.kills.clamp(1, PLANTED_KILLS);
    let caught = measure(options, &planted, Some("answer-before-seal"), few)?;
    Ok(Verdict {
        rig: "crash",
        n: options.kills,
        exceptions: found.exceptions(),
        planted_caught: caught.unsealed() > 0,
        more: found.more(options.seed),
    })
}

fn measure(options: &Options, program: &Path, bug: Option<&str>, kills: u64) -> Result<Found, String> {
    let trial = Trial {
        rig: "crash",
        program,
        bug,
        rounds: kills,
        people: options.people,
        seed: options.seed,
        keep: options.keep,
    };
    trial.run(|setup, mut demo, clients, dice| {
        sleep(Duration::from_millis(10 + dice.below(LIFE_MS)));
        if dice.below(2) == 0 {
            // The worst moment: somebody has just been answered.
            clients.wait_for_an_answer(Duration::from_millis(LIFE_MS));
        }
        demo.kill();
        setup.start()
    })
}

/// A trial: people look up while the program is afflicted, round after round; then the journals are compared.
pub(super) struct Trial<'a> {
    pub(super) rig: &'static str,
    pub(super) program: &'a Path,
    pub(super) bug: Option<&'a str>,
    pub(super) rounds: u64,
    pub(super) people: usize,
    pub(super) seed: u64,
    pub(super) keep: bool,
}

/// What a trial found.
pub(super) struct Found {
    exceptions: Vec<Exception>,
    answers: usize,
    asked: usize,
    entries: usize,
    slowest_start_ms: u64,
}

impl Found {
    /// Tells the first exceptions.
    pub(super) fn tell(&self) {
        let texts: Vec<String> = self.exceptions.iter().map(ToString::to_string).collect();
        tell(&texts);
    }

    /// How many exceptions there were.
    pub(super) fn exceptions(&self) -> u64 {
        self.exceptions.len() as u64
    }

    /// How many answers stand without evidence.
    pub(super) fn unsealed(&self) -> usize {
        let unsealed = self.exceptions.iter().filter(|e| e.is_unsealed()).count();
        eprintln!("{unsealed} answers without evidence were found there");
        unsealed
    }

    /// What is worth comparing between runs.
    pub(super) fn more(&self, seed: u64) -> Vec<(&'static str, Value)> {
        vec![
            ("seed", Value::from(seed)),
            ("answers", Value::from(self.answers)),
            ("asked", Value::from(self.asked)),
            ("entries", Value::from(self.entries)),
            ("slowest_start_ms", Value::from(self.slowest_start_ms)),
        ]
    }
}

impl Trial<'_> {
    /// Runs it. `afflict` does one round: it gets a running program and gives one back.
    ///
    /// # Errors
    /// The program does not start or answer where it should.
    pub(super) fn run(
        &self,
        mut afflict: impl FnMut(&Setup<'_>, Demo, &Clients, &mut Dice) -> Result<Demo, String>,
    ) -> Result<Found, String> {
        let planted = if self.bug.is_some() { "-planted" } else { "" };
        let mut scratch = Scratch::new(&format!("{}{planted}", self.rig))?;
        if self.keep {
            scratch.keep();
        }
        let people = chosen(self.people)?;
        let setup = Setup::new(self.program, scratch.path())?.with_bug(self.bug);
        let mut demo = setup.start()?;
        let clients = Clients::start(setup.address, &people, self.seed)?;
        let mut dice = Dice::new(self.seed);
        let mut slowest = Duration::ZERO;
        for round in 1..=self.rounds {
            demo = afflict(&setup, demo, &clients, &mut dice)?;
            slowest = slowest.max(demo.ready_after);
            if round % 10 == 0 || round == self.rounds {
                eprintln!(
                    "  {round} of {} rounds, {} answers",
                    self.rounds,
                    clients.answers()
                );
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
        if !exceptions.is_empty() && self.bug.is_none() {
            scratch.keep();
        }
        Ok(Found {
            exceptions,
            answers: journals.answers.len(),
            asked: journals.asked.len(),
            entries: journals.entries(),
            slowest_start_ms: u64::try_from(slowest.as_millis()).unwrap_or(u64::MAX),
        })
    }
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
