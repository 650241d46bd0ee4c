//! The contract of an endpoint, tried with test subjects whom the authority keeps for that: never with a real person.
//!
//! ```toml
//! [[cases]]
//! kind = "vehicle"
//! mode = "read"                  # or list, match
//! name = "…"                     # of the test subject
//! id_number = "…"
//! key = { plate = "…", plate_class = "02" }
//! claims = {}                    # mode match
//! portrait = "face.jpg"          # mode match, where a portrait is compared: a picture beside this file
//! expect = "found"               # the outcome
//! ```
//!
//! Nothing of an answer is printed but its outcome, its age and the names of its fields. What is found is asked a
//! second time in the name of an invented person, who must not get it. What follows from a record is tried by
//! [`Offers`].

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use domain::{
    identifiers::{IdNumber, PersonName},
    ids::LookupId,
    kind::{Catalogue, FieldType, LoadedKind, Value},
    lookup::Person,
    outcome::Outcome,
    words::Mode,
};
use jiff::civil::{Date, date};
use serde::Deserialize;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use sources::{Answer, Problem, Question, Sources, Wanted, oldest};
use tokio::time::Instant;

use super::offers::Offers;
use crate::{
    actions::strengthen::{PORTRAIT_WANTED, is_portrait},
    app::hex,
    error::StartError,
    start::World,
};

/// How long one question is waited for, beyond which nobody waits in the portal either.
pub(super) const DEADLINE: Duration = Duration::from_secs(3);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tests {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    kind: String,
    mode: Mode,
    name: String,
    id_number: String,
    #[serde(default)]
    key: BTreeMap<String, Json>,
    #[serde(default)]
    claims: BTreeMap<String, Json>,
    portrait: Option<PathBuf>,
    expect: Outcome,
}

impl Tests {
    fn read(path: &Path) -> Result<Self, StartError> {
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|e| StartError(format!("{name}: {e}")))?;
        toml::from_str(&text).map_err(|e| StartError(format!("{name}: {e}")))
    }
}

/// Name and number of each test subject of a file, in normal form; who stands in several cases comes as often.
///
/// # Errors
/// The file cannot be read, or a name or number is none.
#[cfg(feature = "demo")]
pub(in crate::commands) fn subjects(
    tests: &Path,
    world: &World,
) -> Result<Vec<(String, String)>, StartError> {
    let today = world.clock.now().date_in_china();
    let one = |(n, case): (usize, &Case)| {
        let person = person(case, today);
        let person = person.map_err(|e| StartError(format!("{}: case {}: {e}", tests.display(), n + 1)))?;
        Ok((
            person.name.expose().to_owned(),
            person.id_number.expose().to_owned(),
        ))
    };
    Tests::read(tests)?.cases.iter().enumerate().map(one).collect()
}

/// Asks about every case and writes the findings; whether all is well. With `submit` a review is handed in.
pub(super) async fn ask(
    sources: &Sources,
    kinds: &Catalogue,
    (path, submit): (&Path, bool),
    world: &World,
    out: &mut String,
) -> Result<bool, StartError> {
    let name = path.display();
    let tests = Tests::read(path)?;
    let mut sound = true;
    let mut tried = vec![];
    let mut offers = Offers::new(sources, world, submit);
    for (n, case) in tests.cases.iter().enumerate() {
        let at = format!("case {} ({} {})", n + 1, case.kind, case.mode);
        let question = question(case, path, kinds, world);
        let question = question.map_err(|e| StartError(format!("{name}: {at}: {e}")))?;
        let stranger = Question {
            person: stranger()?,
            ..question.clone()
        };
        let answer = sources.ask(question.clone()).await;
        sound &= judge(sources, case, &answer, &at, world, out);
        tried.push((case.kind.clone(), case.mode));
        let of_stranger = stranger.person.clone();
        sound &= offers
            .try_after((&question, &answer), of_stranger, &at, out)
            .await;
        if matches!(case.expect, Outcome::Found | Outcome::Match) {
            let deadline = Instant::now() + DEADLINE;
            let answer = sources.ask(Question { deadline, ..stranger }).await;
            sound &= judge_stranger(sources, &answer, &at, out);
        }
    }
    for line in sources.coverage() {
        if !tried.contains(&(line.kind.clone(), line.mode)) {
            out.push_str(&format!(
                "note  {} {}: served, but no case tries it\n",
                line.kind, line.mode
            ));
        }
    }
    offers.note_untried(out);
    Ok(sound)
}

fn judge(sources: &Sources, case: &Case, answer: &Answer, at: &str, world: &World, out: &mut String) -> bool {
    if answer.outcome != case.expect {
        out.push_str(&format!(
            "WRONG {at}: {}, expected {}",
            answer.outcome, case.expect
        ));
        if let Some(report) = &answer.report {
            let field = report
                .field
                .as_deref()
                .map(|f| format!(" {f}"))
                .unwrap_or_default();
            out.push_str(&format!(
                ": {}{field}. {}",
                report.problem.code(),
                report.problem.remedy()
            ));
        }
        out.push('\n');
        return false;
    }
    let fields: Vec<_> = answer
        .record
        .iter()
        .flat_map(|record| record.0.keys().cloned())
        .collect();
    out.push_str(format!("ok    {at}: {} {}", answer.outcome, fields.join(" ")).trim_end());
    out.push('\n');
    let Some(provenance) = &answer.provenance else {
        return true;
    };
    let promised = sources
        .named(&provenance.source)
        .map_or(provenance.freshness, |i| i.freshness);
    match provenance.as_of {
        None if matches!(answer.outcome, Outcome::Found | Outcome::Match) => {
            out.push_str(&format!(
                "note  {at}: no as-of time; write `answer.as_of`, so that people see how old it is\n"
            ));
        }
        Some(as_of) if (world.clock.now().0 - as_of.0) / 1_000_000 > oldest(promised) => {
            let hours = (world.clock.now().0 - as_of.0) / 3_600_000_000;
            out.push_str(&format!("note  {at}: {hours} h old, which is not {promised}\n"));
        }
        _ => {}
    }
    true
}

/// An invented person asked with the test subject's key, and must not be answered with the record.
fn judge_stranger(sources: &Sources, answer: &Answer, at: &str, out: &mut String) -> bool {
    // A file holds everybody's rows: whose one is, is compared here and not there.
    let has_all = |id: &str| sources.drop_sources().any(|source| source == id);
    let report = answer.report.as_ref();
    let gave = report.is_some_and(|r| r.problem == Problem::WrongSubject && !has_all(&r.source));
    if gave || matches!(answer.outcome, Outcome::Found | Outcome::Match) {
        let remedy = Problem::WrongSubject.remedy();
        out.push_str(&format!(
            "WRONG {at}: an invented person got the record too. {remedy}\n"
        ));
        return false;
    }
    let sound = !answer.outcome.is_failure();
    let word = if sound { "ok   " } else { "WRONG" };
    let remedy = report
        .filter(|report| report.problem != Problem::WrongSubject)
        .map_or("", |report| report.problem.remedy());
    out.push_str(format!("{word} {at}: an invented person gets {} {remedy}", answer.outcome).trim_end());
    out.push('\n');
    sound
}

/// A number that nobody can have: its division was closed before the day of birth.
fn stranger() -> Result<Person, StartError> {
    let wrong = || StartError("the invented person is not sound".into());
    Ok(Person {
        name: PersonName::parse("测试甲").map_err(|_| wrong())?.value,
        id_number: IdNumber::compose("110104", date(2015, 1, 1), 1).map_err(|_| wrong())?,
    })
}

fn question(case: &Case, tests: &Path, kinds: &Catalogue, world: &World) -> Result<Question, String> {
    let now = world.clock.now();
    let today = now.date_in_china();
    let kind = kinds.get(&case.kind).ok_or("there is no such kind")?;
    let key = kind.kind.key.iter().map(|k| (&k.id, &k.of_type));
    let claims = kind.kind.claims.iter().map(|c| (&c.id, &c.of_type));
    let mut claims = read(&case.claims, "claims", claims, false, today)?;
    let portrait = case.portrait.as_ref().map(|file| portrait(file, tests));
    let portrait = portrait.transpose()?;
    if let Some(bytes) = &portrait {
        if case.mode != Mode::Match {
            return Err("portrait: only `mode = \"match\"` compares one".to_owned());
        }
        let compared = kind.kind.claims.iter().find(|c| c.of_type == FieldType::Image);
        let claim = compared.ok_or("portrait: the kind compares none")?;
        let (digest, handle) = (hex(&Sha256::digest(bytes)), "inline".to_owned());
        claims.insert(claim.id.clone(), Value::Image { digest, handle });
    }
    Ok(Question {
        lookup: world.random.id(now, LookupId::new),
        mode: case.mode,
        person: person(case, today)?,
        key: read(
            &case.key,
            "key",
            key.filter(|_| case.mode != Mode::List),
            true,
            today,
        )?,
        fields: fields(kind).into(),
        claims,
        kind: Arc::clone(kind),
        portrait,
        wanted: Wanted::default(),
        arrived: now,
        deadline: Instant::now() + DEADLINE,
    })
}

/// The bytes of a picture that stands beside the file of tests.
fn portrait(file: &Path, tests: &Path) -> Result<Bytes, String> {
    let path = tests.parent().unwrap_or(Path::new("")).join(file);
    let bytes = std::fs::read(&path).map_err(|e| format!("portrait: {}: {e}", path.display()))?;
    if !is_portrait(&bytes) {
        return Err(format!(
            "portrait: {}: not {PORTRAIT_WANTED}, which is all that a person can hand in",
            path.display()
        ));
    }
    Ok(Bytes::from(bytes))
}

fn person(case: &Case, today: Date) -> Result<Person, String> {
    let name = PersonName::parse(&case.name).map_err(|e| format!("name: {e}"))?;
    let id_number = IdNumber::parse(&case.id_number, today).map_err(|e| format!("id_number: {e}"))?;
    Ok(Person {
        name: name.value,
        id_number: id_number.value,
    })
}

fn fields(kind: &LoadedKind) -> Vec<String> {
    kind.kind.disclosable().map(|f| f.id.clone()).collect()
}

/// Typed values by their ids; what is not known is refused, and what is needed must be there.
fn read<'a>(
    raw: &BTreeMap<String, Json>,
    what: &str,
    wanted: impl Iterator<Item = (&'a String, &'a FieldType)>,
    all_needed: bool,
    today: Date,
) -> Result<BTreeMap<String, Value>, String> {
    let (mut values, mut known) = (BTreeMap::new(), vec![]);
    for (id, of_type) in wanted {
        known.push(id);
        match raw.get(id) {
            Some(value) => {
                let value = of_type.read_asked(value, today);
                let value = value.map_err(|_| format!("{what}.{id}: not a valid {}", of_type.word()))?;
                values.insert(id.clone(), value);
            }
            None if all_needed => return Err(format!("{what}.{id}: is missing")),
            None => {}
        }
    }
    match raw.keys().find(|id| !known.contains(id)) {
        Some(id) => Err(format!("{what}.{id}: there is none; known are {known:?}")),
        None => Ok(values),
    }
}
