//! The examples of a record kind: a request and a source's answer, and what must come of them.
//!
//! They prove a folder without a server or a source. Who may look is decided by the policy, which this crate does
//! not know, so the caller passes the decision in.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    beside::Sayings,
    decision::Reason,
    identifiers::{IdNumber, PersonName},
    kind::{Kind, KindError, LoadedKind},
    lookup::{LookupRequest, Person, RawLookup, RequestProblem, SubjectRef},
    outcome::Outcome,
    purpose::PurposeRegister,
    record::Record,
    requester::Relation,
    words::{Level, Mode},
};

/// One file of `examples/`. All people in it are invented.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// One sentence: what it shows.
    pub says: String,
    /// Who asks.
    person: ExamplePerson,
    request: Request,
    /// What the source answers; missing where no source may be asked.
    answer: Option<Answer>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExamplePerson {
    name: String,
    id_number: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    level: Level,
    mode: Mode,
    #[serde(default = "own_information")]
    purpose: String,
    /// Somebody else than who asks.
    subject: Option<ExamplePerson>,
    #[serde(default)]
    key: BTreeMap<String, Json>,
    fields: Option<Vec<String>>,
    #[serde(default)]
    reveal: Vec<String>,
    #[serde(default)]
    claims: BTreeMap<String, Json>,
    #[serde(default)]
    predicates: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    outcome: Outcome,
    /// The record, in modes `read` and `predicate`.
    record: Option<BTreeMap<String, Json>>,
    /// The records, in mode `list`.
    #[serde(default)]
    records: Vec<BTreeMap<String, Json>>,
}

/// What must come of it; all that is left out must be empty.
#[derive(Deserialize, Default, PartialEq)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// `permit`, or the code of the reason of a refusal.
    decision: String,
    /// What the requester is told; only where permitted.
    outcome: Option<Outcome>,
    /// Field → value as the API gives it, behind its mask where masked.
    #[serde(default)]
    disclosed: BTreeMap<String, Json>,
    /// Those of the disclosed fields that are masked.
    #[serde(default)]
    masked: BTreeSet<String>,
    /// Fields that the source sent and the requester does not get.
    #[serde(default)]
    withheld: BTreeSet<String>,
    /// Predicate → whether it holds.
    #[serde(default)]
    answers: BTreeMap<String, bool>,
    /// The keys that mode `list` tells.
    #[serde(default)]
    keys: Vec<BTreeMap<String, Json>>,
}

fn own_information() -> String {
    "own-information".to_owned()
}

impl Example {
    /// Reads one example; `file` is named in errors.
    ///
    /// # Errors
    /// Unknown keys, missing ones, wrong types, with the line.
    pub fn parse(file: &str, text: &str) -> Result<Self, KindError> {
        toml::from_str(text).map_err(|e| KindError::toml(file, text, &e))
    }

    /// Plays it through: parse, `decide`, the source's answer, the check whose it is, masks.
    ///
    /// `decide` is asked once about the whole request, with the requester's relation and level.
    ///
    /// # Errors
    /// What is malformed in the example, or the first thing that came out otherwise than expected.
    pub fn run(
        &self,
        kind: &Arc<LoadedKind>,
        register: &PurposeRegister,
        today: Date,
        decide: impl Fn(&LookupRequest, Relation, Level) -> Result<(), Reason>,
    ) -> Result<(), String> {
        let asks = self
            .person
            .read(today)
            .ok_or("person: not a valid name and number")?;
        let (subject, relation) = self.subject(today)?;
        let parsed = LookupRequest::parse(kind, self.request.mode, subject, &self.raw(), register, today);
        let decided = match parsed {
            Err(RequestProblem::BadValue { at, expected, .. }) => {
                return Err(format!("{at}: not a valid {expected}"));
            }
            Err(RequestProblem::Refused { reason, .. }) => Err(reason),
            Ok(request) => decide(&request, relation, self.request.level).map(|()| request),
        };
        let came = match (decided, &self.answer) {
            (Err(reason), None) => Expect {
                decision: reason.code().to_owned(),
                ..Expect::default()
            },
            (Err(reason), Some(_)) => {
                return Err(format!(
                    "refused by {reason}, so no source is asked: drop [answer]"
                ));
            }
            (Ok(_), None) => return Err("permitted, so [answer] is needed".to_owned()),
            (Ok(request), Some(answer)) => answer.become_of(&request, &asks.id_number, today)?,
        };
        self.expect.compare(&came)
    }

    fn subject(&self, today: Date) -> Result<(SubjectRef, Relation), String> {
        match &self.request.subject {
            Some(other) => {
                let person = other
                    .read(today)
                    .ok_or("request.subject: not a valid name and number")?;
                Ok((SubjectRef::Person(person), Relation::Other))
            }
            None if self.request.level < Level::L2 => Ok((SubjectRef::Own, Relation::Claimed)),
            None => Ok((SubjectRef::Own, Relation::Own)),
        }
    }

    fn raw(&self) -> RawLookup {
        let request = &self.request;
        RawLookup {
            key: request.key.clone(),
            fields: request.fields.clone(),
            reveal: request.reveal.clone(),
            claims: request.claims.clone(),
            predicates: request.predicates.clone(),
            purpose: request.purpose.clone(),
            basis: None,
        }
    }
}

impl ExamplePerson {
    fn read(&self, today: Date) -> Option<Person> {
        let name = PersonName::parse(&self.name).ok()?.value;
        let id_number = IdNumber::parse(&self.id_number, today).ok()?.value;
        Some(Person { name, id_number })
    }
}

impl Answer {
    fn become_of(&self, request: &LookupRequest, subject: &IdNumber, today: Date) -> Result<Expect, String> {
        let kind = &request.kind.kind;
        let mut came = Expect {
            decision: "permit".to_owned(),
            outcome: Some(self.outcome),
            ..Expect::default()
        };
        for raw in &self.records {
            let record = read(kind, raw, today)?;
            if record.belongs_to(kind, subject) {
                let key = record.key(kind).ok_or("answer.records: one lacks its key")?;
                came.keys.push(
                    key.into_iter()
                        .map(|(id, value)| (id, value.into_json()))
                        .collect(),
                );
            }
        }
        let needs_record =
            self.outcome == Outcome::Found && matches!(request.mode, Mode::Read | Mode::Predicate);
        if needs_record != self.record.is_some() {
            return Err("answer.record goes with outcome \"found\" in modes read and predicate".to_owned());
        }
        if request.mode == Mode::List && self.outcome == Outcome::Found && came.keys.is_empty() {
            came.outcome = Some(Outcome::NotFound);
        }
        let Some(raw) = &self.record else { return Ok(came) };
        let record = read(kind, raw, today)?;
        came.withheld = record.0.keys().map(ToString::to_string).collect();
        if !record.belongs_to(kind, subject) || !record.answers(request) {
            came.outcome = Some(Outcome::NotFound);
            return Ok(came);
        }
        for disclosed in record
            .clone()
            .minimise(request, &request.fields, Sayings::new(), Relation::Own)
        {
            came.withheld.remove(&*disclosed.field);
            if disclosed.masked {
                came.masked.insert(disclosed.field.to_string());
            }
            came.disclosed
                .insert(disclosed.field.to_string(), disclosed.value.into_json());
        }
        for predicate in request.predicates.iter().filter_map(|id| kind.predicate(id)) {
            if let Some(holds) = record.holds(kind, predicate) {
                came.answers.insert(predicate.id.clone(), holds);
            }
        }
        Ok(came)
    }
}

fn read(kind: &Kind, raw: &BTreeMap<String, Json>, today: Date) -> Result<Record, String> {
    if let Some(unknown) = raw.keys().find(|id| kind.field(id).is_none()) {
        return Err(format!("answer: the kind has no field \"{unknown}\""));
    }
    Record::read(kind, raw, today).map_err(|e| format!("answer: {e}"))
}

impl Expect {
    /// Examples hold invented people only, so the message may show what was expected and what came.
    fn compare(&self, came: &Expect) -> Result<(), String> {
        let differ = |what: &str, expected: &dyn std::fmt::Debug, came: &dyn std::fmt::Debug| {
            Err(format!("{what}: expected {expected:?}, came {came:?}"))
        };
        if self.decision != came.decision {
            return differ("decision", &self.decision, &came.decision);
        }
        if self.outcome != came.outcome {
            return differ("outcome", &self.outcome, &came.outcome);
        }
        if self.disclosed != came.disclosed {
            return differ("disclosed", &self.disclosed, &came.disclosed);
        }
        if self.masked != came.masked {
            return differ("masked", &self.masked, &came.masked);
        }
        if self.withheld != came.withheld {
            return differ("withheld", &self.withheld, &came.withheld);
        }
        if self.answers != came.answers {
            return differ("answers", &self.answers, &came.answers);
        }
        if self.keys != came.keys {
            return differ("keys", &self.keys, &came.keys);
        }
        Ok(())
    }
}
