//! One answer on a page: the outcome in a sentence, the fields with source and age, and the way to the receipt.

use domain::{
    kind::{FieldType, Kind, Mask},
    outcome::Outcome,
    review,
    time::Timestamp,
    words::Level,
};

use serde_json::Value as Json;

use super::{
    Page, kinds,
    values::{Shown, shown},
};
use crate::{
    actions::look_up::{Answered, AnsweredField, AnsweredOther, AnsweredSource},
    app::App,
    error::Error,
};

/// An answer, ready for a page.
#[derive(Debug)]
pub(super) struct AnswerView {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) lookup: String,
    /// The outcome's code, which names its messages.
    pub(super) outcome: String,
    /// The code that names what to do next.
    pub(super) next: &'static str,
    /// There is a record, or a yes or no.
    pub(super) found: bool,
    /// The source could not answer; it says nothing about anybody.
    pub(super) failed: bool,
    pub(super) fields: Vec<FieldView>,
    /// Names of fields that are not shown.
    pub(super) withheld: Vec<String>,
    pub(super) source: Option<SourceView>,
    /// Where people of that region look instead: name and address.
    pub(super) elsewhere: Option<(String, String)>,
    pub(super) sealed: String,
    /// What must be said with this answer.
    pub(super) statement: Option<String>,
    pub(super) mark: Option<String>,
    /// Fields that were asked without their mask.
    pub(super) revealed: Vec<String>,
    /// A source of it takes reviews.
    pub(super) reviewable: bool,
    /// Names of sources that were asked too and said nothing in time.
    pub(super) not_compared: Vec<String>,
    /// For what is not covered here: regions and their own entries.
    pub(super) own_entries: Vec<(String, String)>,
}

/// One field.
#[derive(Debug)]
pub(super) struct FieldView {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) value: Shown,
    pub(super) masked: bool,
    /// It can be asked for without its mask.
    pub(super) revealable: bool,
    pub(super) note: Option<String>,
    /// Who says so.
    pub(super) from: Option<SourceView>,
    /// Another source says something else.
    pub(super) disagrees: bool,
    /// What others say; of one's own record alone.
    pub(super) others: Vec<OtherView>,
}

/// What another source says of the same field.
#[derive(Debug)]
pub(super) struct OtherView {
    pub(super) value: Shown,
    pub(super) from: Option<SourceView>,
}

impl FieldView {
    /// A list of more columns than stand beside each other on a desk.
    pub(super) fn is_wide(&self) -> bool {
        matches!(&self.value, Shown::Rows(rows) if rows.first().is_some_and(|row| row.len() > 6))
    }
}

/// Where it came from.
#[derive(Debug, Clone)]
pub(super) struct SourceView {
    pub(super) name: String,
    /// As of when it is true, by the source's word.
    pub(super) as_of: Option<String>,
    /// The word of what the source promises, which names its message.
    pub(super) freshness: String,
    /// A fresher source could not answer.
    pub(super) staler: bool,
}

impl SourceView {
    fn of(app: &App, page: &Page, source: &AnsweredSource) -> Self {
        SourceView {
            name: kinds::source_name(app, page, &source.id),
            as_of: source.as_of.map(|t| page.time(Timestamp(t))),
            freshness: source.freshness.clone(),
            staler: source.staler,
        }
    }
}

/// What of a report could not be had.
#[derive(Debug)]
pub(super) struct MissingView {
    pub(super) name: String,
    /// The error's code, which names its messages.
    pub(super) code: String,
}

/// One part of a report.
#[derive(Debug)]
pub(super) enum PartView {
    /// It came.
    Came(Box<AnswerView>),
    /// It did not.
    Missing(MissingView),
}

impl PartView {
    /// One part of a report, or of what is in one's name.
    pub(super) fn of(app: &App, page: &Page, kind: &str, result: &Result<Answered, Error>) -> Self {
        match result {
            Ok(answered) => PartView::Came(Box::new(AnswerView::of(app, page, answered, &[]))),
            Err(error) => PartView::Missing(MissingView {
                name: kinds::name(app, page, kind),
                code: error.code().to_owned(),
            }),
        }
    }
}

impl AnswerView {
    /// The answer for this page; `revealed` are the fields that were asked without their mask.
    pub(super) fn of(app: &App, page: &Page, answered: &Answered, revealed: &[String]) -> Self {
        let loaded = app.kinds.get(&answered.kind).map(|k| &k.kind);
        let outcome = answered.outcome;
        let found = outcome.is_release() && (!answered.fields.is_empty() || outcome == Outcome::Match);
        let say = |text: Option<&domain::words::Bilingual>| text.map(|t| page.of(t).to_owned());
        let not_found = outcome == Outcome::NotFound;
        let statement =
            loaded.and_then(
                |k| match (&k.not_found_statement, not_found, outcome.is_release()) {
                    (Some(text), true, _) => Some(text),
                    (_, _, true) => k.statement.as_ref(),
                    _ => None,
                },
            );
        let view = |source: &AnsweredSource| SourceView::of(app, page, source);
        let source = answered.source.as_ref().map(view);
        let from = |by: Option<&AnsweredSource>| by.map(view).or_else(|| source.clone());
        let field = |f: &AnsweredField| {
            let other = |other: &AnsweredOther| OtherView {
                value: value(page, loaded, &f.id, &other.value, f.masked),
                from: from(other.by.as_ref()),
            };
            FieldView {
                from: from(f.by.as_ref()),
                disagrees: f.disagrees,
                others: f.others.iter().map(other).collect(),
                ..field(page, loaded, f)
            }
        };
        AnswerView {
            kind: answered.kind.clone(),
            name: kinds::name(app, page, &answered.kind),
            lookup: answered.lookup.to_string(),
            outcome: outcome.code().to_owned(),
            next: answered.next(),
            found,
            failed: outcome.is_failure(),
            fields: answered.fields.iter().map(field).collect(),
            withheld: answered
                .withheld
                .iter()
                .map(|id| kinds::field_name(app, page, &answered.kind, id))
                .collect(),
            not_compared: answered
                .not_compared
                .iter()
                .map(|id| kinds::source_name(app, page, id))
                .collect(),
            source,
            elsewhere: answered
                .elsewhere
                .as_ref()
                .map(|entry| (page.of(&entry.name).to_owned(), entry.address.clone())),
            sealed: page.time(Timestamp(answered.time)),
            statement: say(statement),
            mark: say(loaded.and_then(|k| k.mark.as_ref())),
            revealed: revealed.to_vec(),
            own_entries: match outcome {
                Outcome::NotCovered if !answered.not_live => own_entries(app, page, &answered.kind),
                _ => vec![],
            },
            reviewable: review::may_follow(outcome)
                && sources_of(answered).any(|id| app.sources.review_terms(id, &answered.kind).is_some()),
        }
    }
}

/// Where people go for records of this kind that no source here covers.
fn own_entries(app: &App, page: &Page, kind: &str) -> Vec<(String, String)> {
    let entries = app.config.own_entries.iter().filter(|e| e.is_for(kind));
    entries
        .map(|e| (page.of(&e.region).to_owned(), page.of(&e.entry).to_owned()))
        .collect()
}

/// Everybody who said something of it.
fn sources_of(answered: &Answered) -> impl Iterator<Item = &str> {
    let by = answered.fields.iter().flat_map(|field| {
        let others = field.others.iter().filter_map(|other| other.by.as_ref());
        field.by.iter().chain(others)
    });
    answered.source.iter().chain(by).map(|source| source.id.as_str())
}

fn value(page: &Page, kind: Option<&Kind>, id: &str, value: &Json, masked: bool) -> Shown {
    let field = kind.and_then(|k| k.field(id));
    match (field, kind.and_then(|k| k.predicate(id))) {
        (Some(field), _) => shown(page, &field.of_type, value, masked),
        (None, Some(_)) => Shown::Text(page.word("answer", value.as_str().unwrap_or_default())),
        (None, None) => shown(page, &FieldType::Text, value, false),
    }
}

/// One field without where it came from.
fn field(page: &Page, kind: Option<&Kind>, answered: &AnsweredField) -> FieldView {
    let known = kind.and_then(|k| k.field(&answered.id));
    let rule = kind.and_then(|k| k.predicate(&answered.id));
    let name = known.map(|f| &f.name).or(rule.map(|p| &p.name));
    FieldView {
        id: answered.id.to_string(),
        name: name.map_or(&*answered.id, |name| page.of(name)).to_owned(),
        value: value(page, kind, &answered.id, &answered.value, answered.masked),
        from: None,
        disagrees: false,
        others: vec![],
        masked: answered.masked,
        revealable: answered.masked && known.is_some_and(|f| f.mask == Mask::UntilRevealed),
        note: known.and_then(|f| f.note.as_ref()).map(|n| page.of(n).to_owned()),
    }
}

/// What a reveal needs (design: masked until asked for by name at L3).
pub(super) const REVEAL: Level = Level::L3;
