//! `mingcha doctor`: checks a deployment that is not running: configuration, keys, kinds, policy, the whole log.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::civil::Date;
use sources::{Agreement, Paper, SourceInfo, Sources};

use super::{Outcome, serve::DeploymentArgs};
use crate::{
    app::App,
    start::{World, decided_by},
};

/// Checks everything and says what is wrong and what to do.
///
/// # Errors
/// What keeps the deployment from starting at all.
pub async fn run(args: &DeploymentArgs, world: &World) -> Outcome {
    let (config, _lock) = args.open()?;
    say!("ok    configuration {}", args.config.display())?;
    let app = args.app_to_look(config, world).await?;
    say!(
        "ok    keys, kinds, notices, {}, sources, database, tail of the log",
        decided_by(&app)
    )?;
    for line in source_lines(&app.sources, app.now().date_in_china()) {
        say!("{line}")?;
    }
    check(&app).await
}

/// By what right each source is asked: its papers, and what is agreed.
fn source_lines(sources: &Sources, today: Date) -> Vec<String> {
    let papers = sources.papers(today);
    let agreed = |info: &SourceInfo| {
        let lines = info.agreement.iter().flat_map(Agreement::agreed);
        lines
            .map(|line| format!("ok    {}: agreed {line}", info.id))
            .collect::<Vec<_>>()
    };
    papers
        .iter()
        .map(paper_line)
        .chain(sources.infos().flat_map(agreed))
        .collect()
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
            say!("ok    {} {}", check.count, check.what)?;
        }
        for problem in &check.problems {
            wrong += 1;
            say!("WRONG {}: {problem}", check.what)?;
        }
    }
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::time::{Clock, ManualClock, Timestamp};
    use sources::{Realm, SourceFile};

    use super::*;
    use crate::start::kinds;

    #[test]
    fn it_is_told_by_what_right_a_source_is_asked() {
        let text = include_str!("../../../sandbox/sources/carrier.toml");
        let text = text.replace("{base}", "https://a.example");
        let text = text.replacen("expires = 2099-12-31", "expires = 2026-12-01", 1);
        let file = SourceFile {
            name: "a.toml".into(),
            text: text.replace("identity = [\"phone\"]", "identity = [\"phone\"]\nmarriage = []"),
        };
        let clock = Arc::new(ManualClock::new(
            Timestamp::parse_rfc3339("2026-11-22T04:00:00Z").unwrap(),
        ));
        let today = clock.now().date_in_china();
        let kinds = kinds(None).unwrap();
        let sources = Sources::alone(&[file], &kinds, Realm::Production, clock, [7; 32]).unwrap();
        let expected = [
            "ALARM sandbox-carrier: agreement SBX-CARRIER-1 ends in 9 days, on 2026-12-01; renew it",
            "ok    sandbox-carrier: licence SBX-LICENCE-CARRIER-1 until 2099-12-31",
            "ok    sandbox-carrier: agreed identity: phone",
            "ok    sandbox-carrier: agreed marriage: no field, only whether it matches",
        ];
        assert_eq!(source_lines(&sources, today), expected);
    }
}
