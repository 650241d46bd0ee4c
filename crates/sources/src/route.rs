//! One route: how one kind is asked in one mode of one source, and how the answer is read.

use std::ops::Range;

use domain::{
    kind::{Kind, Row, Value},
    outcome::Outcome,
    record::Record,
    time::Timestamp,
    words::Mode,
};
use serde_json::Value as Json;
use toml::Spanned;

use crate::{
    beside::BesideRoute,
    field::{FieldMap, Misread, Wanted, compile_all, read_row},
    file::{RawServes, SourceError, SourceFile},
    format,
    meters::Meters,
    outcomes::Outcomes,
    places::Places,
    pointer::Pointer,
    question::Question,
    report::{Failure, Problem},
    request::Scope,
    table,
    transport::{Transport, Way},
};

/// How many rows a list may have. Nobody owns more vehicles by name than a page can hold.
const MAX_ROWS: usize = 500;
/// How far ahead of our clock an as-of time may be.
const AS_OF_SKEW_SECONDS: i64 = 300;

/// One compiled `[[serves]]`.
pub(crate) struct Route {
    pub(crate) kind: String,
    pub(crate) mode: Mode,
    /// In mode `match`: the route that is always asked, with name and number.
    pub(crate) base: bool,
    pub(crate) claims: Vec<String>,
    /// It is asked beside another source and never instead.
    pub(crate) beside: Option<BesideRoute>,
    pub(crate) way: Way,
    /// The rows that a table gave belong to one record.
    several: bool,
    as_of: Option<Pointer>,
    rows: Option<Pointer>,
    fields: Vec<FieldMap>,
    pub(crate) meters: Meters,
}

/// What an answer said.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) outcome: Outcome,
    pub(crate) record: Option<Record>,
    pub(crate) rows: Vec<Row>,
    pub(crate) as_of: Option<Timestamp>,
    /// What came and was dropped: something about somebody else, or the field in which a record contradicts itself.
    pub(crate) dropped: Option<(Problem, Option<String>)>,
    /// The record holder signed what this was read from.
    pub(crate) signed: bool,
}

impl Reading {
    /// There is no record of the subject, and the operator learns whose came.
    fn somebody_elses() -> Self {
        Reading {
            dropped: Some((Problem::WrongSubject, None)),
            ..Reading::bare(Outcome::NotFound)
        }
    }

    fn bare(outcome: Outcome) -> Self {
        Reading {
            outcome,
            record: None,
            rows: Vec::new(),
            as_of: None,
            dropped: None,
            signed: false,
        }
    }
}

impl Route {
    /// Checks a route against its kind.
    pub(crate) fn compile(
        file: &SourceFile,
        transport: &Transport,
        kind: &Kind,
        serves: &Spanned<RawServes>,
    ) -> Result<Self, SourceError> {
        let (line, raw) = (&serves.span(), serves.get_ref());
        let mode = check_mode(file, kind, raw)?;
        let claims = check_claims(file, kind, mode, raw)?;
        let beside = BesideRoute::compile(file, line, kind, raw)?;
        let base = match &raw.base {
            Some(base) if mode != Mode::Match && !base.get_ref() => {
                return Err(file.wrong(&base.span(), "only a route in mode match can be other than base"));
            }
            Some(base) => *base.get_ref(),
            None => mode != Mode::Match || claims.is_empty(),
        };
        if !base && claims.is_empty() {
            return Err(file.wrong(
                line,
                "a route that is not base must name the claims that it is asked for",
            ));
        }
        let scope = Scope::Record {
            kind,
            mode,
            base,
            claims: &claims,
        };
        let way = transport.way(file, line, &scope, mode, raw)?;
        let several = compile_several(file, mode, raw)?;
        Ok(Route {
            kind: kind.id.clone(),
            mode,
            base,
            rows: compile_rows(file, line, mode, &way, raw)?,
            way,
            several,
            claims,
            beside,
            as_of: raw
                .answer
                .as_of
                .as_ref()
                .map(|as_of| Pointer::compile(file, as_of))
                .transpose()?,
            fields: compile_fields(file, line, kind, mode, raw)?,
            meters: Meters::default(),
        })
    }

    /// What both are for, so that one source would have two ways to answer one question.
    pub(crate) fn clash(&self, other: &Route) -> Option<String> {
        if self.kind != other.kind || self.mode != other.mode || self.base != other.base {
            return None;
        }
        if self.mode != Mode::Match {
            return Some(String::new());
        }
        if self.base {
            return Some(" by two base routes".to_owned());
        }
        let claim = self.claims.iter().find(|claim| other.claims.contains(claim));
        claim.map(|claim| format!(" for the claim {claim}"))
    }

    /// Reads an answer whose outcome is known. The rules stand in this order: if a record is there, it is the
    /// subject's, and every field is there and typed. Whose it is counts first: what else is wrong with somebody
    /// else's record would tell that there is one.
    pub(crate) fn read(
        &self,
        question: &Question,
        (outcome, answer): (Outcome, &Json),
        now: Timestamp,
    ) -> Result<Reading, Failure> {
        if outcome == Outcome::Mismatch {
            // A source need not say how old a no is; where it does, that is measured as of a yes.
            let as_of = self.read_as_of(answer, now).ok().flatten();
            return Ok(Reading {
                as_of,
                ..Reading::bare(outcome)
            });
        }
        if !matches!(outcome, Outcome::Found | Outcome::Match) {
            return Ok(Reading::bare(outcome));
        }
        match self.read_found(question, answer, now, outcome) {
            Err(_) if self.is_somebody_elses(question, answer, now) => Ok(Reading::somebody_elses()),
            read => read,
        }
    }

    fn read_found(
        &self,
        question: &Question,
        answer: &Json,
        now: Timestamp,
        outcome: Outcome,
    ) -> Result<Reading, Failure> {
        let mut reading = Reading {
            as_of: self.read_as_of(answer, now)?,
            ..Reading::bare(outcome)
        };
        match self.mode {
            Mode::List => self.read_rows(question, answer, now, &mut reading)?,
            Mode::Match => {}
            Mode::Read | Mode::Predicate => self.read_record(question, answer, now, &mut reading)?,
        }
        if reading.outcome == Outcome::NotFound {
            // "No record" looks the same whether there is none or it is somebody else's.
            reading.as_of = None;
        }
        Ok(reading)
    }

    /// Makes one answer of the rows that a table gave, and tells what it amounts to. Rows that are all somebody
    /// else's are no record, however many they are and whatever else is wrong with them.
    pub(crate) fn read_table(
        &self,
        question: &Question,
        rows: Vec<Json>,
        now: Timestamp,
    ) -> Result<Reading, Failure> {
        let others = |row: &Json| self.is_somebody_elses(question, row, now);
        if !rows.is_empty() && rows.iter().all(others) {
            return Ok(Reading::somebody_elses());
        }
        let (outcome, answer) = table::answer(self.mode, self.several, self.way.outcomes(), rows)?;
        self.read(question, (outcome, &answer), now)
    }

    /// Whether one row of a table is a record, and several are none.
    pub(crate) fn wants_one_row(&self) -> bool {
        self.mode != Mode::List && !self.several
    }

    /// Whether a row of a table can be read, whomever it is about.
    pub(crate) fn check_row(&self, row: &Json, now: Timestamp) -> Result<(), Failure> {
        if self.mode == Mode::List {
            return self.read_fields(row, now).map(drop);
        }
        let rows = vec![row.clone()];
        let (outcome, answer) = table::answer(self.mode, self.several, self.way.outcomes(), rows)?;
        if outcome == Outcome::Found {
            self.read_as_of(&answer, now)?;
            self.read_fields(&answer, now)?;
        }
        Ok(())
    }

    /// The columns of a table that the mapping reads, each with the field it is for.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (String, &str)> {
        let as_of = self
            .as_of
            .iter()
            .filter_map(|pointer| Some(("as_of".to_owned(), pointer.first()?)));
        let outcome = self.way.outcomes().and_then(Outcomes::column);
        let outcome = outcome.map(|column| ("outcome".to_owned(), column));
        let fields = self.fields.iter().flat_map(|field| field.columns(self.several));
        as_of.chain(outcome).chain(fields)
    }

    /// Marks what the mapping reads of a row of a table.
    pub(crate) fn mark(&self, places: &mut Places) {
        if let Some(pointer) = &self.as_of {
            places.at(pointer).read_whole();
        }
        if let Some(outcomes) = self.way.outcomes() {
            outcomes.mark(places);
        }
        self.fields
            .iter()
            .for_each(|field| field.mark(places, self.several));
    }

    /// Every owner that the record names can be read, and the subject is none of them. A list is judged row by row
    /// instead. An owner that cannot be read may be the subject: that is for the source to mend.
    fn is_somebody_elses(&self, question: &Question, answer: &Json, now: Timestamp) -> bool {
        let owners = &question.kind.kind.belongs_to.any_of;
        if !matches!(self.mode, Mode::Read | Mode::Predicate) || planted() {
            return false;
        }
        let today = now.date_in_china();
        let named = self
            .fields
            .iter()
            .filter(|field| owners.iter().any(|owner| **owner == *field.id));
        let named: Result<Vec<_>, _> = named.map(|field| field.read(answer, today)).collect();
        let named: Vec<_> = named.into_iter().flatten().flatten().collect();
        let subject = Value::Text(question.person.id_number.expose().to_owned());
        !named.is_empty() && !named.contains(&subject)
    }

    fn read_as_of(&self, answer: &Json, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
        let Some(pointer) = &self.as_of else {
            return Ok(None);
        };
        let text = pointer.find(answer).and_then(Json::as_str);
        let as_of = text
            .and_then(format::instant)
            .ok_or(Failure::bad_answer(Problem::AsOfMalformed))?;
        if as_of > now.plus_seconds(AS_OF_SKEW_SECONDS) {
            return Err(Failure::bad_answer(Problem::AsOfInFuture));
        }
        Ok(Some(as_of))
    }

    fn read_record(
        &self,
        question: &Question,
        answer: &Json,
        now: Timestamp,
        into: &mut Reading,
    ) -> Result<(), Failure> {
        let kind = &question.kind.kind;
        let mut record = Record(self.read_fields(answer, now)?);
        if !record.belongs_to(kind, &question.person.id_number) && !planted() {
            into.outcome = Outcome::NotFound;
            into.dropped = Some((Problem::WrongSubject, None));
            return Ok(());
        }
        if !is_asked_for(question, &record) {
            return Err(Failure::bad_answer(Problem::OtherRecord));
        }
        let field = record.drop_contradictions(kind);
        into.dropped = field.map(|field| (Problem::Contradiction, Some(field.to_owned())));
        if question.mode == Mode::Read {
            // What decides whether an asked field applies is needed until the record is minimised.
            let asked = |id: &str| question.fields.iter().any(|field| field == id);
            let decides = |id: &str| kind.predicates.iter().any(|p| p.field == id);
            let internal = |id: &str| kind.field(id).is_some_and(|f| f.internal);
            record.0.retain(|id, _| asked(id) || internal(id) || decides(id));
        }
        into.record = Some(record);
        Ok(())
    }

    fn read_fields(&self, answer: &Json, now: Timestamp) -> Result<Row, Failure> {
        let today = now.date_in_china();
        let mut read = Row::new();
        for field in &self.fields {
            let value = field
                .read(answer, today)
                .map_err(|misread| self.why_missing(field, answer, misread))?;
            read.extend(value.map(|value| (field.id.clone(), value)));
        }
        Ok(read)
    }

    /// What is in none of the columns in which the rows of a record agree may stand in the rows: then they differ.
    fn why_missing(&self, field: &FieldMap, answer: &Json, misread: Misread) -> Failure {
        let rows = answer.get(table::ROWS).and_then(Json::as_array);
        let is_in_rows = self.several && rows.is_some_and(|rows| rows.iter().any(|row| field.is_in(row)));
        if is_in_rows && misread.problem == Problem::FieldMissing {
            return field.misread(Problem::RowsDiffer, None).into();
        }
        misread.into()
    }

    /// Keeps the keys of rows that are the subject's; an empty list is no record.
    fn read_rows(
        &self,
        question: &Question,
        answer: &Json,
        now: Timestamp,
        into: &mut Reading,
    ) -> Result<(), Failure> {
        let kind = &question.kind.kind;
        let rows = self
            .rows
            .as_ref()
            .and_then(|rows| rows.find(answer))
            .and_then(Json::as_array);
        let rows = rows
            .filter(|rows| rows.len() <= MAX_ROWS)
            .ok_or(Failure::bad_answer(Problem::BadRows))?;
        let today = now.date_in_china();
        for row in rows {
            let mut record = Record(read_row(&self.fields, row, today)?);
            if record.belongs_to(kind, &question.person.id_number) {
                record.0.retain(|id, _| kind.key.iter().any(|k| *k.id == **id));
                into.rows.push(record.0);
            } else {
                into.dropped = Some((Problem::WrongSubject, None));
            }
        }
        if into.rows.is_empty() {
            into.outcome = Outcome::NotFound;
        }
        Ok(())
    }
}

/// The bug that the fault rig must find: nobody asks whose record it is. No build that is shipped has it.
fn planted() -> bool {
    cfg!(feature = "planted") && std::env::var("MINGCHA_PLANTED").as_deref() == Ok("subject-unchecked")
}

/// The record does not carry another key than the one asked about: a person's other vehicle is not this one.
fn is_asked_for(question: &Question, record: &Record) -> bool {
    let same = |(id, asked): (&String, _)| record.0.get(id.as_str()).is_none_or(|found| found == asked);
    question.key.iter().all(same)
}

fn check_mode(file: &SourceFile, kind: &Kind, raw: &RawServes) -> Result<Mode, SourceError> {
    let mode = *raw.mode.get_ref();
    let wrong = |problem: String| Err(file.wrong(&raw.mode.span(), problem));
    let by_read = mode == Mode::Read && kind.modes.contains(&Mode::Predicate);
    match mode {
        Mode::Predicate => wrong("a predicate is asked as a record is read: write mode = \"read\"".into()),
        _ if !kind.modes.contains(&mode) && !by_read => {
            wrong(format!("the kind {} has no mode {mode}", kind.id))
        }
        Mode::List if kind.key.is_empty() => {
            wrong(format!("the kind {} has no key that could be listed", kind.id))
        }
        _ => Ok(mode),
    }
}

fn check_claims(
    file: &SourceFile,
    kind: &Kind,
    mode: Mode,
    raw: &RawServes,
) -> Result<Vec<String>, SourceError> {
    let mut claims: Vec<String> = Vec::new();
    for claim in &raw.claims {
        let id = claim.get_ref();
        if mode != Mode::Match || kind.claim(id).is_none() || claims.contains(id) {
            let problem = format!(
                "{id} is no claim of the kind {} in mode match, or stands twice",
                kind.id
            );
            return Err(file.wrong(&claim.span(), problem));
        }
        claims.push(id.clone());
    }
    Ok(claims)
}

/// Where the rows of a list stand: a table's where they always do.
fn compile_rows(
    file: &SourceFile,
    line: &Range<usize>,
    mode: Mode,
    way: &Way,
    raw: &RawServes,
) -> Result<Option<Pointer>, SourceError> {
    if !matches!(way, Way::Http(_)) {
        return match &raw.answer.rows {
            Some(rows) => Err(file.wrong(&rows.span(), "answer.rows is for http; a table has its rows")),
            None => Ok((mode == Mode::List).then(table::rows)),
        };
    }
    let rows = raw.answer.rows.as_ref();
    let rows = rows.map(|rows| Pointer::compile(file, rows)).transpose()?;
    if rows.is_some() != (mode == Mode::List) {
        return Err(file.wrong(line, "answer.rows belongs to mode list, and only there"));
    }
    Ok(rows)
}

fn compile_several(file: &SourceFile, mode: Mode, raw: &RawServes) -> Result<bool, SourceError> {
    match &raw.several {
        Some(several) if mode != Mode::Read || raw.path.is_some() => Err(file.wrong(
            &several.span(),
            "several: only the rows of a table make one record, in mode read",
        )),
        several => Ok(several.as_ref().is_some_and(|several| *several.get_ref())),
    }
}

fn compile_fields(
    file: &SourceFile,
    line: &Range<usize>,
    kind: &Kind,
    mode: Mode,
    raw: &RawServes,
) -> Result<Vec<FieldMap>, SourceError> {
    match mode {
        Mode::Match if raw.fields.is_empty() => Ok(Vec::new()),
        Mode::Match => Err(file.wrong(line, "in mode match a source answers an outcome and no fields")),
        Mode::Read | Mode::Predicate => {
            let fields = kind.fields.iter().map(|field| Wanted {
                // Beside another source, some of the fields are enough.
                optional: field.optional || raw.beside,
                ..wanted(field)
            });
            compile_all(file, line, fields, &raw.fields)
        }
        Mode::List => {
            let owners = kind.belongs_to.any_of.iter().filter_map(|id| kind.field(id));
            let owners: Vec<_> = owners
                .map(|f| Wanted {
                    optional: true,
                    ..wanted(f)
                })
                .collect();
            let keys = kind.key.iter().map(|k| Wanted {
                id: &k.id,
                of_type: &k.of_type,
                optional: false,
            });
            let names_owner = kind
                .belongs_to
                .any_of
                .iter()
                .any(|id| raw.fields.contains_key(id.as_str()));
            if !names_owner && !kind.belongs_to.asserted_by_source {
                let problem = format!(
                    "each row must show whose it is: map one of {:?}",
                    kind.belongs_to.any_of
                );
                return Err(file.wrong(line, problem));
            }
            compile_all(file, line, keys.chain(owners), &raw.fields)
        }
    }
}

fn wanted(field: &domain::kind::Field) -> Wanted<'_> {
    Wanted {
        id: &field.id,
        of_type: &field.of_type,
        optional: field.optional,
    }
}
