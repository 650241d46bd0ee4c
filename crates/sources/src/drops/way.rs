//! How a question finds its rows in a drop: by the parts of its key and by its subject, hashed under the drop's key.

use std::{ops::Range, sync::Arc};

use domain::{kind::FieldType, words::Mode};
use jiff::civil::Date;
use serde_json::Value as Json;

use super::{Drops, Serving, shelf::Found};
use crate::{
    field::{FieldMap, Wanted, compile_all},
    file::{RawServes, SourceError, SourceFile},
    outcomes::Outcomes,
    places::Places,
    question::Question,
    report::{Failure, Problem},
    request::Scope,
};
use domain::outcome::Outcome;

/// The subject's number, and name, among the parts of `find`.
const SUBJECT: &str = "subject";
const SUBJECT_NAME: &str = "subject_name";

/// How one route finds its rows.
pub(crate) struct DropWay {
    drops: Arc<Drops>,
    /// Sets the routes of one drop apart.
    label: String,
    find: Vec<FieldMap>,
    outcomes: Option<Outcomes>,
}

impl DropWay {
    /// Checks `find`: every part of the key, and the subject's number where nothing else tells whose a row is.
    pub(crate) fn compile(
        drops: &Arc<Drops>,
        file: &SourceFile,
        line: &Range<usize>,
        scope: &Scope<'_>,
        mode: Mode,
        raw: &RawServes,
    ) -> Result<Self, SourceError> {
        if raw.path.is_some() || raw.statement.is_some() || !raw.request.is_empty() {
            return Err(file.wrong(line, "`path`, `request` and `statement` are of other protocols"));
        }
        let Scope::Record { kind, .. } = scope else {
            return Err(file.wrong(line, "a drop gives no images"));
        };
        if mode == Mode::Match {
            return Err(file.wrong(&raw.mode.span(), "a drop is read or listed; it compares nothing"));
        }
        let keys = kind.key.iter().filter(|_| mode != Mode::List);
        let keys = keys.map(|key| Wanted {
            id: &key.id,
            of_type: &key.of_type,
            optional: false,
        });
        let alone = mode == Mode::List || kind.key.is_empty() || kind.belongs_to.asserted_by_source;
        let subject = Wanted {
            id: SUBJECT,
            of_type: &FieldType::IdNumber,
            optional: !alone,
        };
        let name = Wanted {
            id: SUBJECT_NAME,
            of_type: &FieldType::PersonName,
            optional: true,
        };
        let find = compile_all(file, line, keys.chain([subject, name]), &raw.find)?;
        let outcome = raw.outcome.as_ref();
        Ok(DropWay {
            drops: Arc::clone(drops),
            label: format!("{}/{mode}", kind.id),
            find,
            outcomes: outcome
                .map(|o| Outcomes::compile(file, line, mode, o))
                .transpose()?,
        })
    }

    /// The codes of a row's own outcome.
    pub(crate) fn outcomes(&self) -> Option<&Outcomes> {
        self.outcomes.as_ref()
    }

    /// By what a question finds its rows; `None` where the question lacks it.
    pub(crate) fn wanted(&self, question: &Question) -> Option<String> {
        let part = |map: &FieldMap| match &*map.id {
            SUBJECT => Some(question.person.id_number.expose().to_owned()),
            SUBJECT_NAME => Some(question.person.name.expose().to_owned()),
            id => question.key.get(id).map(|value| value.text().into_owned()),
        };
        let parts = self.find.iter().map(part).collect::<Option<Vec<_>>>()?;
        Some(self.join(&parts))
    }

    /// By what a row is found.
    pub(super) fn of_row(&self, row: &Json, today: Date) -> Result<String, Failure> {
        let mut parts = Vec::with_capacity(self.find.len());
        for map in &self.find {
            // Where an optional part is mapped, each row has it, or it would never be found.
            let value = map
                .read(row, today)?
                .ok_or_else(|| map.misread(Problem::FieldMissing, None))?;
            parts.push(value.text().into_owned());
        }
        Ok(self.join(&parts))
    }

    /// The columns that `find` reads, with the parts they are for.
    pub(super) fn columns(&self) -> impl Iterator<Item = (String, &str)> {
        self.find.iter().flat_map(|map| map.columns(false))
    }

    /// No part holds a control character, so that the joint is unambiguous.
    fn join(&self, parts: &[String]) -> String {
        let mut text = self.label.clone();
        for part in parts {
            text.push('\u{1f}');
            text.push_str(part);
        }
        text
    }

    /// Marks what it reads of a row.
    pub(super) fn mark(&self, places: &mut Places) {
        self.find.iter().for_each(|map| map.mark(places, false));
    }

    /// Finds the rows, on a thread for blocking work. Who waits leaves at the deadline; the thread keeps its place until
    /// the disk has answered.
    pub(crate) async fn rows(&self, wanted: String) -> Result<Found, Failure> {
        let drops = Arc::clone(&self.drops);
        let broken = || Failure::new(Outcome::Broken, Problem::DropUnreadable);
        let place = Arc::clone(&drops.reads).acquire_owned().await;
        let place = place.map_err(|_| broken())?;
        let read = tokio::task::spawn_blocking(move || {
            let _place = place;
            drops.find(&wanted)
        });
        read.await.map_err(|error| match error.is_panic() {
            true => Failure::bad_answer(Problem::Unforeseen),
            false => broken(),
        })?
    }
}

impl Drops {
    fn find(&self, wanted: &str) -> Result<Found, Failure> {
        let shelf = self.shelf().ok_or_else(|| {
            let is_outdated = matches!(*self.serving(), Serving::Outdated(_));
            let problem = if is_outdated {
                Problem::MappingChanged
            } else {
                Problem::NoDrop
            };
            Failure::new(Outcome::Maintenance, problem)
        })?;
        shelf.find(&shelf.token(wanted))
    }
}
