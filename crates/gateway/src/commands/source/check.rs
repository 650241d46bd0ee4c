//! `mingcha source check FILE`: what is wrong with a source's file, and how to mend it, before it goes live.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use domain::kind::Catalogue;
use sources::{Realm, SourceFile, Sources, Trial};

use super::{
    ask,
    list::paper_text,
    rehearsal::{self, Rehearsal},
};
use crate::{
    commands::Outcome,
    error::StartError,
    start::{World, kinds},
};

/// What to check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The files. Several are also checked beside each other.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Ask the endpoint about the test subjects of this file, and check what it answers.
    #[arg(long, value_name = "TESTS")]
    pub ask: Option<PathBuf>,
    /// Besides, hand in one review for each `[[submits]]`, for the test subject and marked as a test, and ask how far it is.
    #[arg(long, requires = "ask")]
    pub submit: bool,
    /// A folder of further record kinds.
    #[arg(long, value_name = "DIR")]
    pub kinds: Option<PathBuf>,
    /// The source is on this machine, for a rehearsal: plain http, and no agreement is needed.
    #[arg(long)]
    pub demo: bool,
}

/// Checks and tells.
///
/// # Errors
/// A file that cannot be read; one that is wrong is no error but a failure.
pub async fn run(args: &CheckArgs, world: &World) -> Outcome {
    let mut text = String::new();
    let sound = check(args, world, &mut text).await?;
    say!("{}", text.trim_end())?;
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Writes the findings; whether all is well.
///
/// # Errors
/// A file that cannot be read.
pub async fn check(args: &CheckArgs, world: &World, out: &mut String) -> Result<bool, StartError> {
    let kinds = kinds(args.kinds.as_deref())?;
    let realm = if args.demo { Realm::Demo } else { Realm::Production };
    let mut files = vec![];
    for path in &args.files {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| StartError(format!("{name}: {e}")))?;
        files.push(SourceFile { name, text });
    }
    let mut sound = true;
    for file in &files {
        sound &= check_file(file, &kinds, realm, world, out);
    }
    let all = load(&files, &kinds, realm, world);
    if let Err(problem) = all {
        // What is wrong with one file alone was told above.
        if sound {
            out.push_str(&format!("WRONG {problem}\n"));
        }
        return Ok(false);
    }
    if let (Some(tests), true) = (&args.ask, sound) {
        let rehearsal = Rehearsal::begin(world)?;
        let moved = files.iter().map(|file| rehearsal.moved(file));
        let moved = moved.collect::<Result<Vec<_>, _>>()?;
        let sources = load(&moved, &kinds, realm, world)?;
        for source in sources.drop_sources() {
            sound &= rehearsal::read_drop(&sources, source, out);
        }
        for trial in sources.try_statements().await {
            sound &= tell(&trial, out);
        }
        sound &= ask::ask(&sources, &kinds, (tests, args.submit), world, out).await?;
    }
    Ok(sound)
}

/// Writes what a database says to one statement; whether it is sound.
fn tell(trial: &Trial, out: &mut String) -> bool {
    let at = format!("{}: {} {}", trial.source, trial.kind, trial.mode);
    for fault in &trial.faults {
        out.push_str(&format!("WRONG {at}: {fault}\n"));
    }
    if trial.faults.is_empty() {
        out.push_str(&format!("ok    {at}: the database takes the statement\n"));
    }
    trial.faults.is_empty()
}

fn load(
    files: &[SourceFile],
    kinds: &Catalogue,
    realm: Realm,
    world: &World,
) -> Result<Sources, sources::SourceError> {
    Sources::alone(
        files,
        kinds,
        realm,
        Arc::clone(&world.clock),
        world.random.bytes(),
    )
}

/// One file alone.
fn check_file(file: &SourceFile, kinds: &Catalogue, realm: Realm, world: &World, out: &mut String) -> bool {
    let sources = match load(std::slice::from_ref(file), kinds, realm, world) {
        Ok(sources) => sources,
        Err(problem) => {
            out.push_str(&format!("WRONG {problem}\n"));
            return false;
        }
    };
    let mut sound = true;
    for paper in sources.papers(world.clock.now().date_in_china()) {
        let word = match paper.alarm() {
            Some(0) => "WRONG",
            Some(_) => "note ",
            None => "ok   ",
        };
        sound &= paper.days_left >= 0;
        let (kind, told) = (paper.kind.code(), paper_text(&paper));
        out.push_str(&format!("{word} {}: {kind} {told}\n", file.name));
    }
    for line in sources.coverage() {
        let claims = line.claims.join(", ");
        out.push_str(
            &format!("ok    {}: {} {} {claims}\n", file.name, line.kind, line.mode).replace(" \n", "\n"),
        );
    }
    sound
}
