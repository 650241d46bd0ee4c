//! `mingcha doctor`: checks a deployment that is not running: configuration, keys, kinds, policy, the whole log.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use sources::Paper;

use super::{Outcome, serve::DeploymentArgs};
use crate::{app::App, start::World};

/// Checks everything and says what is wrong and what to do.
///
/// # Errors
/// What keeps the deployment from starting at all.
#[expect(clippy::print_stdout, reason = "the findings are what the command prints")]
pub async fn run(args: &DeploymentArgs, world: &World) -> Outcome {
    let (config, _lock) = args.open()?;
    println!("ok    configuration {}", args.config.display());
    let app = args.app_to_look(config, world).await?;
    println!(
        "ok    keys, kinds, notices, policy {}, sources, database, tail of the log",
        app.policy_version()
    );
    for paper in app.sources.papers(app.now().date_in_china()) {
        println!("{}", paper_line(&paper));
    }
    for info in app.sources.infos() {
        for line in info.agreement.iter().flat_map(|agreement| agreement.agreed()) {
            println!("ok    {}: agreed {line}", info.id);
        }
    }
    check(&app).await
}

/// One paper of a source: one that ends soon is no fault of the deployment, so that it does not fail the command.
fn paper_line(paper: &Paper) -> String {
    let Paper {
        source,
        number,
        expires,
        days_left,
        ..
    } = paper;
    let kind = paper.kind.code();
    match paper.alarm() {
        None => format!("ok    {source}: {kind} {number} until {expires}"),
        Some(0) => format!("ALARM {source}: {kind} {number} expired on {expires}; the source is not asked"),
        Some(_) => {
            format!("ALARM {source}: {kind} {number} ends in {days_left} days, on {expires}; renew it")
        }
    }
}

/// Checks the whole log and every entry of every chain.
///
/// # Errors
/// The database cannot be read.
#[expect(clippy::print_stdout, reason = "the findings are what the command prints")]
pub async fn check(app: &App) -> Outcome {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{pos} of {len} entries, {eta} left") {
        bar.set_style(style);
    }
    let checks = app
        .store
        .check_all(|done, of| {
            bar.set_length(of);
            bar.set_position(done);
        })
        .await?;
    bar.finish_and_clear();
    let mut wrong = 0;
    for check in checks {
        if check.problems.is_empty() {
            println!("ok    {} {}", check.count, check.what);
        }
        for problem in &check.problems {
            wrong += 1;
            println!("WRONG {}: {problem}", check.what);
        }
    }
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
