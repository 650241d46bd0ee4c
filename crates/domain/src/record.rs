//! A record as a source gave it, and what of it may be disclosed.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::civil::Date;
use serde_json::Value as Json;
use thiserror::Error;

use crate::{
    beside::{Others, Sayings, Told},
    decision::Shown,
    identifiers::IdNumber,
    kind::{Field, Kind, Op, Predicate, Row, Value},
    lookup::LookupRequest,
    requester::Relation,
    time::Timestamp,
    words::{Freshness, vocabulary},
};

vocabulary! {
    /// By what an answer is known to be the source's.
    Authenticity {
        /// The source signed the answer itself.
        Signed = "signed",
        /// It came through a session whose ends were proven.
        Session = "session",
    }
}

/// Where an answer came from and how old it is; every disclosed field carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The source's id.
    pub source: String,
    /// The instant as of which the source says that the data stood.
    pub as_of: Option<Timestamp>,
    /// What the source promises.
    pub freshness: Freshness,
    /// By what the answer is known to be the source's.
    pub authenticity: Authenticity,
    /// The version of the mapping that read it.
    pub mapping_version: u32,
}

/// The checked fields of one record, internal ones included.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Record(pub Row);

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({} fields, redacted)", self.0.len())
    }
}

/// A field that is missing or malformed in a source's answer; it never repeats the value.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("field {field}: not a valid {expected}")]
pub struct BadField {
    /// The field's id.
    pub field: String,
    /// The word of the type that was expected.
    pub expected: &'static str,
}

/// One field as it will leave.
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosed {
    /// The field's id.
    pub field: Arc<str>,
    /// Its value, behind its mask if masked.
    pub value: Value,
    /// A mask hides part of it, and as much of what others say.
    pub masked: bool,
    /// Who says so, where it is not the source whose record it is.
    pub by: Option<Provenance>,
    /// What else is said.
    pub others: Others,
}

impl fmt::Debug for Disclosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disclosed({}, redacted)", self.field)
    }
}

impl Record {
    /// The record is about this person, by the kind's own rule. A record that fails this is never shown.
    #[must_use]
    pub fn belongs_to(&self, kind: &Kind, subject: &IdNumber) -> bool {
        let is_subject =
            |id: &String| matches!(self.0.get(id.as_str()), Some(Value::Text(n)) if n == subject.expose());
        kind.belongs_to.asserted_by_source || kind.belongs_to.any_of.iter().any(is_subject)
    }

    /// Reads a record as a source sent it, field by field. What the kind does not know is left behind.
    ///
    /// # Errors
    /// The first field that is missing, though not optional, or malformed: the answer is a bad one.
    pub fn read(kind: &Kind, raw: &BTreeMap<String, Json>, today: Date) -> Result<Record, BadField> {
        let mut fields = Row::new();
        for field in &kind.fields {
            let bad = || BadField {
                field: field.id.clone(),
                expected: field.of_type.word(),
            };
            match raw.get(&field.id).filter(|v| !v.is_null()) {
                Some(value) => {
                    let value = field.of_type.read_on(value, today).map_err(|_| bad())?;
                    fields.insert(field.id.as_str().into(), value);
                }
                None if field.optional => {}
                None => return Err(bad()),
            }
        }
        let record = Record(fields);
        match record.contradiction(kind) {
            Some(field) => Err(BadField {
                field: field.to_owned(),
                expected: "date that follows from the others",
            }),
            None => Ok(record),
        }
    }

    /// The record is the one that was asked for: where a part of the key is also a field, both are equal. A source
    /// that answers about another plate than it was asked about is not to be trusted with the rest.
    #[must_use]
    pub fn answers(&self, request: &LookupRequest) -> bool {
        request
            .key
            .iter()
            .all(|(id, value)| self.0.get(id.as_str()).is_none_or(|own| own == value))
    }

    /// The key by which this record is looked up; `None` where the record lacks a part. This is all that mode
    /// `list` tells.
    #[must_use]
    pub fn key(&self, kind: &Kind) -> Option<BTreeMap<String, Value>> {
        kind.key
            .iter()
            .map(|k| Some((k.id.clone(), self.0.get(k.id.as_str())?.clone())))
            .collect()
    }

    /// Keeps what was permitted, in the kind's order, masked where it must be; what others say of it likewise, and to
    /// the subject alone. `permitted` are field ids.
    #[must_use]
    pub fn minimise(
        mut self,
        request: &LookupRequest,
        permitted: &[String],
        mut sayings: Sayings,
        relation: Relation,
    ) -> Vec<Disclosed> {
        let kind = &request.kind.kind;
        // Whether a field applies may depend on another one, so that this is judged before any is taken out.
        let may_leave = |f: &&Field| permitted.contains(&f.id) && self.applies(kind, f);
        let leaving: Vec<&Field> = kind.disclosable().filter(may_leave).collect();
        let mut disclose = |f: &Field| {
            let (field, value) = self.0.remove_entry(f.id.as_str())?;
            let masked = request.shown(f) == Shown::Masked;
            let mask = |value: Value| if masked { f.of_type.mask(&value) } else { value };
            let Some(mut told) = sayings.remove(&field) else {
                return Some(Disclosed {
                    field,
                    value: mask(value),
                    masked,
                    by: None,
                    others: Others::Agree,
                });
            };
            for Told { value, .. } in &mut told {
                *value = mask(value.clone());
            }
            Disclosed::of(field, told, masked, relation)
        };
        leaving.into_iter().filter_map(&mut disclose).collect()
    }

    fn applies(&self, kind: &Kind, field: &Field) -> bool {
        let holds = |id: &String| kind.predicate(id).and_then(|p| self.holds(kind, p));
        field.only_if.as_ref().is_none_or(|id| holds(id) == Some(true))
    }

    /// The answer to a predicate; `None` where the record lacks the field.
    #[must_use]
    pub fn holds(&self, kind: &Kind, predicate: &Predicate) -> Option<bool> {
        predicate.holds_for(kind, self.0.get(predicate.field.as_str())?)
    }
}

impl Predicate {
    /// Whether it holds for a value of its field; `None` where they cannot be compared.
    #[must_use]
    pub fn holds_for(&self, kind: &Kind, value: &Value) -> Option<bool> {
        let wanted = kind.field(&self.field)?.of_type.read(&self.value).ok()?;
        let order = match (value, &wanted) {
            (Value::Integer(a), Value::Integer(b)) | (Value::Money(a), Value::Money(b)) => a.cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            _ => return None,
        };
        Some(match self.op {
            Op::Is => order.is_eq(),
            Op::Below => order.is_lt(),
            Op::AtLeast => order.is_ge(),
        })
    }
}
