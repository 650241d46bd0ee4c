//! The rig `overload`: four times as much is asked as can be answered, most of it by one account, and what each client
//! was told is compared with what it met.
//!
//! Then as many as fill the line ask, and nobody floods.
//!
//! The authorities take their time, so that it is not this machine that is measured; nothing is judged by a clock but
//! against what was told, and there as a share of all. Not judged by time at all are the rest: a place never gets
//! worse, a turn is never lost, and nobody is served less because somebody floods.

mod clients;
mod journal;

use std::{path::Path, thread::sleep, time::Duration};

use clap::Args;
use serde_json::{Value, json};

use self::{clients::Clients, journal::Journal};
use super::{Verdict, tell};
use crate::{
    http::Client,
    program::{self, Build, Demo, Setup},
    run::Stopwatch,
    scratch::Scratch,
};

/// How it is run.
#[derive(Args)]
pub(crate) struct Options {
    /// How many look-ups are answered under load
    #[arg(long, default_value_t = 5000)]
    answers: usize,
    /// Questions that the program has in work at once
    #[arg(long, default_value_t = 16)]
    in_work: usize,
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
            answers: 150,
            in_work: 4,
            release: false,
            keep: false,
        }
    }
}

/// Accounts for each question in work: with one that floods they nearly fill the line, in which there are eight.
const ACCOUNTS_FOR_EACH: usize = 7;
/// Places in line for each question in work, as the program has them.
const PLACES_FOR_EACH: usize = 8;
/// Accounts for each question in work that are more than the line takes: one works and eight wait.
const CROWD_FOR_EACH: usize = 12;
/// So many turns everybody has had before it is counted.
const TURNS_BEFORE: usize = 2;
/// What the authorities take for each answer, in milliseconds.
const DELAY_MS: u64 = 150;
/// How much is asked, by what can be answered.
const TIMES: f64 = 4.0;
/// How long it is looked how much can be answered, at least, and how many answers that takes.
const MEASURED: (Duration, usize) = (Duration::from_secs(3), 40);
/// The planted bug must be found within so many answers.
const PLANTED_ANSWERS: usize = 150;

/// Runs it.
///
/// # Errors
/// The program does not build, start or answer.
pub(super) fn run(options: &Options) -> Result<Verdict, String> {
    let plain = program::build(Build::Plain, options.release)?;
    let found = measure(options, &plain, None, options.answers)?;
    let mut exceptions = found.journal.exceptions();
    exceptions.extend(too_little_asked(&found));
    exceptions.extend(found.crowd.iter().flat_map(|crowd| crowd.exceptions.clone()));
    tell(&exceptions);
    let planted = program::build(Build::Planted, options.release)?;
    eprintln!("again, where one account has as many places as it asks for");
    let few = options.answers.min(PLANTED_ANSWERS);
    let caught = measure(options, &planted, Some("many-places"), few)?;
    let starved = caught.journal.starved();
    eprintln!("{} accounts had less than their share there", starved.len());
    let mut more = vec![
        ("accounts", Value::from(found.journal.accounts())),
        ("capacity_per_second", Value::from(round(found.capacity))),
        (
            "asked_by_capacity",
            Value::from(round(found.offered / found.capacity)),
        ),
    ];
    more.extend(found.journal.figures());
    more.extend(found.crowd.map(|crowd| ("crowd", crowd.figures)));
    Ok(Verdict {
        rig: "overload",
        n: found.journal.answers() as u64,
        exceptions: exceptions.len() as u64,
        planted_caught: !starved.is_empty(),
        more,
    })
}

/// A run that did not ask four times what can be answered has shown nothing. A short one is too short to be measured.
fn too_little_asked(found: &Found) -> Option<String> {
    let times = found.offered / found.capacity;
    let short = found.journal.answers() < journal::MANY;
    (!short && times < TIMES).then(|| format!("{times:.1} times as much was asked as can be answered"))
}

struct Found {
    /// Answers a second where just enough ask.
    capacity: f64,
    /// Requests a second under load.
    offered: f64,
    journal: Journal,
    /// Not where a bug is planted.
    crowd: Option<Crowd>,
}

/// What became of a crowd in which nobody floods.
struct Crowd {
    exceptions: Vec<String>,
    figures: Value,
}

fn measure(options: &Options, program: &Path, bug: Option<&str>, answers: usize) -> Result<Found, String> {
    let mut scratch = Scratch::new("overload")?;
    if options.keep {
        scratch.keep();
    }
    let accounts = ACCOUNTS_FOR_EACH * options.in_work;
    let people = bug.map_or(CROWD_FOR_EACH * options.in_work, |_| accounts);
    let further = [
        "--in-work",
        &options.in_work.to_string(),
        "--crowd",
        &people.to_string(),
    ];
    let setup = Setup::new(program, scratch.path())?
        .with_bug(bug)
        .with_further(further.map(str::to_owned).to_vec());
    let tokens = setup.seed(people)?;
    let demo = start(&setup)?;
    let just_enough = Clients::start(setup.address, &tokens[..options.in_work], None);
    let (capacity, _) = watch(&just_enough, MEASURED.1, MEASURED.0);
    drop(just_enough.end());
    eprintln!("  {capacity:.1} answers a second");
    let many = Clients::start(setup.address, &tokens[..accounts], Some(TIMES * capacity));
    settle(&many, accounts);
    many.count();
    let (_, offered) = watch(&many, answers, Duration::ZERO);
    let journal = many.end();
    demo.stop_and_wait()?;
    let crowd = match bug {
        None => Some(crowd(options, &setup, &tokens)?),
        Some(_) => None,
    };
    Ok(Found {
        capacity,
        offered,
        journal,
        crowd,
    })
}

/// Starts the program, with authorities that take their time.
fn start(setup: &Setup<'_>) -> Result<Demo, String> {
    let demo = setup.start()?;
    let authorities = setup.authorities().ok_or("the demo printed no authorities")?;
    let slow = json!({ "path": "traffic/vehicle/list", "delay_ms": DELAY_MS });
    Client::new(authorities).post("/_switch", &slow)?;
    Ok(demo)
}

/// Until the pace of so many is known, more is told than need be, and whoever floods has the places of those away. Where
/// somebody does not come to their turns, it is not waited for ever.
fn settle(clients: &Clients, accounts: usize) {
    let enough = 2 * TURNS_BEFORE * accounts;
    while clients.least_answers() < TURNS_BEFORE && clients.answers() < enough {
        sleep(Duration::from_millis(20));
    }
}

/// More ask than the line takes, and all do as they are told. The program is started anew, so that nobody waits there
/// from before.
fn crowd(options: &Options, setup: &Setup<'_>, tokens: &[String]) -> Result<Crowd, String> {
    eprintln!("again, where nobody floods and the line is full");
    let demo = start(setup)?;
    let clients = Clients::start(setup.address, tokens, None);
    clients.count();
    watch(
        &clients,
        (options.answers / 5).max(2 * tokens.len()),
        Duration::ZERO,
    );
    let last_place = clients.last_place();
    let journal = clients.end();
    demo.stop_and_wait()?;
    let mut figures = vec![("accounts", Value::from(tokens.len()))];
    figures.push(("answers", Value::from(journal.answers())));
    figures.push(("last_place", Value::from(last_place)));
    figures.extend(
        journal
            .figures()
            .into_iter()
            .filter(|(key, _)| *key != "flood_answers"),
    );
    Ok(Crowd {
        exceptions: journal.of_a_crowd(PLACES_FOR_EACH * options.in_work, last_place),
        figures: figures
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    })
}

/// Waits for so many answers and at least so long; answers and requests a second.
fn watch(clients: &Clients, answers: usize, at_least: Duration) -> (f64, f64) {
    let (watch, before) = (Stopwatch::start(), (clients.answers(), clients.requests()));
    let (mut counted, mut shown) = (0, 0);
    while counted < answers || watch.elapsed() < at_least {
        sleep(Duration::from_millis(20));
        counted = clients.answers() - before.0;
        if counted >= shown + 100 {
            shown = counted / 100 * 100;
            eprintln!("  {shown} of {answers} answers");
        }
    }
    let seconds = watch.elapsed().as_secs_f64();
    let requests = clients.requests() - before.1;
    (counted as f64 / seconds, requests as f64 / seconds)
}

fn round(ratio: f64) -> f64 {
    (ratio * 100.0).round() / 100.0
}
