//! `cargo xtask test`: every check and every test, in order, each with its time, and the counts at the end.

mod browser;
mod build;
mod cargo_tests;
mod commands;
mod dependencies;
mod direction;
mod exported;
mod licence;
mod mariadb;
mod postgres;
mod shipped;
mod tally;

use clap::{Args, ValueEnum};
use tally::Tally;

use crate::{
    fault,
    machine::{self, Need},
    run::{self, Stopwatch},
    tidy,
};

/// What to run.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these parts; may be given several times
    #[arg(long)]
    only: Vec<Part>,
    /// Install nothing: say what is missing and fail
    #[arg(long)]
    no_install: bool,
}

/// A part of the tests, in the order in which they run: what is quick to know comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Formatting
    Format,
    /// Sizes, names, links, words
    Tidy,
    /// Who may depend on whom; licences and doubles
    Dependencies,
    /// Warnings, with and without the demo, and of the documentation
    Lint,
    /// What is shipped: built without the demo, started by the manual's first configuration; the commands
    Shipped,
    /// Tests that need no database
    Unit,
    /// Tests that run on SQLite and on PostgreSQL
    Postgres,
    /// The portal in a browser
    Browser,
    /// The rigs that break things on purpose, with a small n
    Rigs,
}

/// Runs it; whether all passed.
///
/// # Errors
/// Something is missing on this machine.
pub(crate) fn test(options: &Options) -> Result<bool, String> {
    let chosen: Vec<Part> = Part::value_variants()
        .iter()
        .copied()
        .filter(|part| options.only.is_empty() || options.only.contains(part))
        .collect();
    let needs = needs(&chosen);
    if options.no_install {
        machine::require(&needs)?
    } else {
        machine::ensure(&needs)?
    }
    let whole = Stopwatch::start();
    let mut tally = Tally::default();
    for part in &chosen {
        // Both halves of the tests are built and run as one where both are wanted.
        if *part == Part::Postgres && chosen.contains(&Part::Unit) {
            continue;
        }
        let name = format!("{part:?}").to_lowercase();
        eprintln!("\n== {name}");
        let watch = Stopwatch::start();
        let before = tally.failed();
        if let Err(error) = run_part(*part, &chosen, &mut tally) {
            tally.check(&name, Err(error));
        }
        let end = if tally.failed() == before {
            "passed"
        } else {
            "FAILED"
        };
        eprintln!("== {name} {end} after {:.1} s", watch.elapsed().as_secs_f64());
    }
    println!("\n{}", tally.summary());
    println!("took {:.0} s", whole.elapsed().as_secs_f64());
    println!("{} passed, {} failed", tally.passed(), tally.failed());
    Ok(tally.failed() == 0)
}

fn needs(chosen: &[Part]) -> Vec<Need> {
    let mut needs = vec![];
    if chosen.contains(&Part::Postgres) && !postgres::is_named() {
        needs.push(Need::Postgres);
    }
    if chosen.contains(&Part::Postgres) && !mariadb::is_named() {
        needs.push(Need::MariaDb);
    }
    if chosen.contains(&Part::Browser) {
        needs.extend(crate::browser::NEEDS);
    }
    if chosen.contains(&Part::Rigs) {
        needs.push(Need::Strace);
    }
    needs
}

fn run_part(part: Part, chosen: &[Part], tally: &mut Tally) -> Result<(), String> {
    match part {
        Part::Format => {
            tally.check("format", run::show(run::cargo(["fmt", "--all"]).arg("--check")));
        }
        Part::Tidy => tally.tidy(&tidy::tidy(&run::root())),
        Part::Dependencies => {
            let metadata = dependencies::read()?;
            tally.check("direction of dependencies", direction::check(&metadata));
            tally.check("licences, sources and doubles", licence::check(&metadata));
        }
        Part::Lint => build::lint(tally),
        Part::Shipped => shipped::run(tally)?,
        Part::Unit | Part::Postgres => cargo_tests::run(
            chosen.contains(&Part::Unit),
            chosen.contains(&Part::Postgres),
            tally,
        )?,
        Part::Browser => browser::run(tally)?,
        Part::Rigs => {
            for (name, rig) in fault::small() {
                eprintln!("-- {name}");
                tally.check(&format!("rig {name}"), fault::check(&rig));
            }
        }
    }
    Ok(())
}
