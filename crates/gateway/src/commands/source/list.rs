//! `mingcha source list`: every source with its papers, regions, freshness and state. The server may run.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use domain::kind::Catalogue;
use sources::{Age, DropState, Paper, Realm, SourceFile, SourceInfo, Sources, Span};

use crate::{
    commands::{Outcome, serve::source_files},
    config::Config,
    error::StartError,
    source_files::{Orders, demo_sources, measures_file, read, read_drop_states, read_orders},
    start::{World, kinds},
};

/// Where the deployment is described.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The configuration file.
    #[arg(long, default_value = "/etc/mingcha/config.toml")]
    config: PathBuf,
    /// The data folder, where there is no configuration, as of `mingcha demo --data DIR`.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// With `--data`: a folder of further record kinds.
    #[arg(long, value_name = "DIR", requires = "data")]
    kinds: Option<PathBuf>,
}

/// Where everything lies that is known of the sources.
struct Place {
    realm: Realm,
    data: PathBuf,
    sources: PathBuf,
    kinds: Option<PathBuf>,
}

impl ListArgs {
    fn place(&self) -> Result<Place, StartError> {
        if let Some(data) = &self.data {
            return Ok(Place {
                realm: Realm::Demo,
                data: data.clone(),
                sources: demo_sources(data),
                kinds: self.kinds.clone(),
            });
        }
        let text = std::fs::read_to_string(&self.config)
            .map_err(|e| StartError(format!("{}: {e}", self.config.display())))?;
        let config = Config::parse(&text, std::env::vars())?;
        Ok(Place {
            realm: Realm::Production,
            data: config.data_folder,
            sources: config.sources_folder,
            kinds: config.kinds_folder,
        })
    }
}

/// What the data folder says about sources.
struct Known {
    realm: Realm,
    kinds: Catalogue,
    orders: Orders,
    measures: String,
    drops: Vec<DropState>,
}

/// Lists the sources; fails if a file is wrong.
///
/// # Errors
/// The configuration or a folder cannot be read.
pub fn run(args: &ListArgs, world: &World) -> Outcome {
    let place = args.place()?;
    let known = Known {
        realm: place.realm,
        kinds: kinds(place.kinds.as_deref())?,
        orders: read_orders(&place.data)?,
        measures: read(&measures_file(&place.data))?.unwrap_or_default(),
        drops: read_drop_states(&place.data)?,
    };
    let mut wrong = 0;
    for file in source_files(&place.sources)? {
        match describe(&file, &known, world) {
            Ok(text) => say!("{text}")?,
            Err(problem) => {
                wrong += 1;
                say!("WRONG {problem}\n")?;
            }
        }
    }
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// One source, in some lines.
fn describe(file: &SourceFile, known: &Known, world: &World) -> Result<String, StartError> {
    let (clock, seed) = (Arc::clone(&world.clock), world.random.bytes());
    let files = std::slice::from_ref(file);
    let sources = Sources::alone(files, &known.kinds, known.realm, clock, seed)?;
    if !known.measures.is_empty() && sources.restore_measures(&known.measures).is_err() {
        tracing::warn!("the measures of the sources cannot be read");
    }
    let today = world.clock.now().date_in_china();
    let papers = sources.papers(today);
    let Some(info) = sources.infos().next() else {
        return Err(StartError(format!("{}: no source", file.name)));
    };
    let mut lines = vec![format!("{}  {}", info.id, state(info, known, &papers))];
    let mut say = |label: &str, text: String| lines.push(format!("  {label:<10} {text}"));
    let serves = sources.coverage().into_iter().map(|c| match c.beside {
        Some(fields) => format!("{} beside another source ({})", c.kind, fields.join(" ")),
        None => format!("{} {}", c.kind, c.mode),
    });
    let serves: Vec<_> = serves.collect();
    say("serves", serves.join(", "));
    let regions: Vec<_> = info
        .regions
        .iter()
        .map(|r| format!("{} {}", r.code, r.name))
        .collect();
    let everywhere = || "the whole country".to_owned();
    say(
        "regions",
        if regions.is_empty() {
            everywhere()
        } else {
            regions.join(", ")
        },
    );
    say("promises", info.freshness.to_string());
    for (_, kind) in sources.served() {
        let text = format!(
            "{}; answered {}",
            freshness(&sources, info, kind),
            success(&sources, info, kind)
        );
        say("measured", format!("{kind}: {text}"));
    }
    for drops in known.drops.iter().filter(|drops| drops.source == info.id) {
        drop_lines(drops).into_iter().for_each(|line| say("file", line));
    }
    for paper in &papers {
        say(paper.kind.code(), paper_text(paper));
    }
    for line in info.agreement.iter().flat_map(|agreement| agreement.agreed()) {
        say("agreed", line);
    }
    Ok(lines.join("\n") + "\n")
}

fn state(info: &SourceInfo, known: &Known, papers: &[Paper]) -> String {
    let order = known.orders.get(&info.id).filter(|order| order.paused);
    match order {
        Some(order) => format!("paused by {}", order.by),
        None if papers.iter().any(|p| p.days_left < 0) => "stopped: a paper has expired".to_owned(),
        None => "asked".to_owned(),
    }
}

fn freshness(sources: &Sources, info: &SourceInfo, kind: &str) -> String {
    let hours = |seconds: i64| format!("{} h", seconds / 3600);
    let text = |age: Age| match age.below {
        Some(below) => format!("{} to {} old", hours(age.from), hours(below)),
        None => format!("over {} old", hours(age.from)),
    };
    let over = |span: Span| {
        let measured = sources.measured(&info.id, kind, span);
        let (half, most) = (measured.age(50)?, measured.age(95)?);
        Some(format!(
            "half of the answers {}, 19 of 20 {} ({})",
            text(half),
            text(most),
            span.code()
        ))
    };
    let spans: Vec<_> = Span::ALL.into_iter().filter_map(over).collect();
    let week = sources.measured(&info.id, kind, Span::Week);
    let measured = match spans.as_slice() {
        [] if week.tells_age() == Some(false) => "age not told".to_owned(),
        [] => "not measured yet".to_owned(),
        spans => spans.join(", "),
    };
    let drift = if sources.is_drifting(&info.id, kind, info.freshness) {
        " ALARM staler than promised"
    } else {
        ""
    };
    format!("{measured}{drift}")
}

fn success(sources: &Sources, info: &SourceInfo, kind: &str) -> String {
    let over = |span: Span| {
        let share = sources.measured(&info.id, kind, span).success();
        let share = share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0));
        format!("{share} ({})", span.code())
    };
    Span::ALL.map(over).join(", ")
}

/// What the drops of a source are at.
fn drop_lines(drops: &DropState) -> Vec<String> {
    let mut lines = vec![match &drops.serving {
        Some((as_of, rows)) => format!("answers from {rows} rows as of {as_of}"),
        None => "ALARM no file answers".to_owned(),
    }];
    lines.extend(drops.reading.as_ref().map(|reading| {
        let stage = format!("{:?}", reading.stage).to_lowercase();
        let (file, percent, rows) = (&reading.file, reading.percent, reading.rows);
        format!("{stage} {file}: {percent} %, {rows} rows")
    }));
    lines.extend(drops.waiting.as_ref().map(|held| {
        let lacking = match held.lacking.as_slice() {
            [] => String::new(),
            places => format!(", nothing at {}", places.join(" ")),
        };
        format!(
            "ALARM {} is held back: {} rows after {}{lacking}; if that is meant, mingcha source accept {} {} --by NAME",
            held.file, held.rows, held.before, drops.source, held.file
        )
    }));
    lines
}

/// A paper, with its alarm.
pub(super) fn paper_text(paper: &Paper) -> String {
    let Paper {
        number,
        expires,
        days_left,
        ..
    } = paper;
    match paper.alarm() {
        None => format!("{number} until {expires}"),
        Some(0) => format!("{number} ALARM expired on {expires}: the source is not asked; renew it"),
        Some(_) => format!("{number} ALARM ends in {days_left} days, on {expires}: renew it"),
    }
}

/// A file of the folder names this id.
pub(super) fn must_exist(folder: &Path, id: &str) -> Result<(), StartError> {
    let mut ids = vec![];
    for file in source_files(folder)? {
        let table: Result<toml::Table, _> = file.text.parse();
        let named = table.ok().and_then(|t| Some(t.get("id")?.as_str()?.to_owned()));
        ids.extend(named);
    }
    if ids.iter().any(|known| known == id) {
        Ok(())
    } else {
        Err(StartError(format!("there is no source {id}; known are {ids:?}")))
    }
}

#[cfg(test)]
mod tests {
    use domain::time::{ManualClock, Timestamp};
    use sources::{Quarantine, Reading, Stage};
    use store::Random;

    use super::*;
    use crate::source_files::Order;

    /// A register that compares a name with a number; by its agreement, nothing else.
    const REGISTER: &str = r#"id = "city-police"
version = 1
name = { zh = "市公安局", en = "City police" }
protocol = "http"
endpoint = "https://records.city.example/v1"
freshness = "daily"

[agreement]
number = "A-1"
expires = 2027-12-31
licence = "L-1"
licence_expires = 2026-12-15
fields = { identity = [], vehicle-maintenance = ["last_odometer_km", "visits"] }

[[serves]]
kind = "identity"
mode = "match"
path = "/identity"
request = { xm = "subject.name", sfz = "subject.id_number" }
outcome = { at = "/code", codes = { "0" = "match", "1" = "not_found", "2" = "mismatch" } }
"#;

    fn shown(text: &str) -> String {
        let now = Timestamp::parse_rfc3339("2026-11-22T04:00:00Z").unwrap();
        let world = World {
            clock: Arc::new(ManualClock::new(now)),
            random: Arc::new(Random::new([3; 32])),
        };
        let (paused, by) = (true, "wang".to_owned());
        let known = Known {
            realm: Realm::Production,
            kinds: kinds(None).unwrap(),
            orders: Orders::from([("city-police".to_owned(), Order { paused, by })]),
            measures: String::new(),
            drops: vec![],
        };
        let (name, text) = ("a.toml".to_owned(), text.to_owned());
        describe(&SourceFile { name, text }, &known, &world).unwrap()
    }

    #[test]
    fn papers_and_what_is_agreed_are_shown() {
        let expected = "city-police  paused by wang
  serves     identity match
  regions    the whole country
  promises   daily
  measured   identity: not measured yet; answered - (day), - (7-days), - (30-days)
  licence    L-1 ALARM ends in 23 days, on 2026-12-15: renew it
  agreement  A-1 until 2027-12-31
  agreed     identity: no field, only whether it matches
  agreed     vehicle-maintenance: last_odometer_km visits
";
        assert_eq!(shown(REGISTER), expected);
    }

    #[test]
    fn what_the_files_are_at_is_shown() {
        let mut drops = DropState {
            source: "insurers".to_owned(),
            serving: None,
            reading: None,
            waiting: None,
        };
        assert_eq!(drop_lines(&drops), ["ALARM no file answers"]);
        drops.serving = Some(("2026-11-21T16:00:00Z".to_owned(), 1000));
        drops.reading = Some(Reading {
            file: "a.csv".to_owned(),
            stage: Stage::Reading,
            percent: 45,
            rows: 300,
        });
        drops.waiting = Some(Quarantine {
            file: "b.csv".to_owned(),
            digest: "00".to_owned(),
            rows: 700,
            before: 1000,
            lacking: vec!["/x".to_owned()],
        });
        let expected = [
            "answers from 1000 rows as of 2026-11-21T16:00:00Z",
            "reading a.csv: 45 %, 300 rows",
            "ALARM b.csv is held back: 700 rows after 1000, nothing at /x; if that is meant, mingcha source accept insurers b.csv --by NAME",
        ];
        assert_eq!(drop_lines(&drops), expected);
    }
}
