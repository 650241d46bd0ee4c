//! What leaves after a look-up: fields with their labels and salts, and the receipt.

use std::collections::BTreeMap;

use domain::{
    ids::LookupId,
    kind::{FieldType, Kind},
    outcome::Outcome,
    record::Provenance,
    words::Bilingual,
};
use ledger::Receipt;
use serde::{Deserialize, Serialize};

/// What may leave, with its proof.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answered {
    /// The look-up.
    pub lookup: LookupId,
    /// The kind's id.
    pub kind: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Disclosed fields, in the kind's order.
    pub fields: Vec<AnsweredField>,
    /// Ids of fields that the kind has and that were not disclosed.
    pub withheld: Vec<String>,
    /// Keys, in mode `list`.
    pub rows: Vec<BTreeMap<String, serde_json::Value>>,
    /// The salt of the commitment to the keys, hexadecimal.
    #[serde(default)]
    pub rows_salt: Option<String>,
    /// Where it came from.
    pub source: Option<AnsweredSource>,
    /// Sources that were asked too and could not say anything in time, so that nothing is known of whether they
    /// agree.
    #[serde(default)]
    pub not_compared: Vec<String>,
    /// With `not_covered`: where people of that region look.
    #[serde(default)]
    pub elsewhere: Option<AnsweredElsewhere>,
    /// With `not_covered`: sources that are not live cover it, and were not wanted.
    #[serde(default)]
    pub not_live: bool,
    /// When it was sealed, in UTC microseconds.
    pub time: i64,
    /// The sealed outcome, verifiable offline; made anew for a repeated request.
    #[serde(skip)]
    pub receipt: Option<Receipt>,
}

impl Answered {
    /// The code that names what to do next: the outcome's, but where other words than its own are true.
    pub(crate) fn next(&self) -> &'static str {
        if self.not_live {
            "not_live"
        } else {
            self.outcome.code()
        }
    }

    /// An image was disclosed, by digest and handle: its bytes are asked for later, by the kept answer.
    pub(super) fn holds_image(&self, kind: &Kind) -> bool {
        let is_image = |of_type: &FieldType| match of_type {
            FieldType::List { items, .. } => items.iter().any(|item| item.of_type == FieldType::Image),
            other => *other == FieldType::Image,
        };
        self.fields
            .iter()
            .any(|f| kind.field(&f.id).is_some_and(|field| is_image(&field.of_type)))
    }
}

/// One disclosed field.
#[derive(Clone, Serialize, Deserialize)]
pub struct AnsweredField {
    /// The field's (or predicate's) id.
    pub id: String,
    /// Its value as the API gives it.
    pub value: serde_json::Value,
    /// A mask hides part of it.
    pub masked: bool,
    /// The salt of its commitment, hexadecimal: with it the holder can prove this field alone.
    pub salt: String,
    /// Who says so, where it is not the source of the answer.
    #[serde(default)]
    pub by: Option<AnsweredSource>,
    /// Another source says something else.
    #[serde(default)]
    pub disagrees: bool,
    /// What others say; told to the subject alone.
    #[serde(default)]
    pub others: Vec<AnsweredOther>,
}

/// What another source says of the same field.
#[derive(Clone, Serialize, Deserialize)]
pub struct AnsweredOther {
    /// Its value as the API gives it, behind the field's mask.
    pub value: serde_json::Value,
    /// The salt of its commitment, hexadecimal.
    pub salt: String,
    /// Who says so; `None` is the source of the answer.
    pub by: Option<AnsweredSource>,
}

/// Where an answer came from and how old it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AnsweredSource {
    /// The source's id.
    pub id: String,
    /// The instant as of which it is true, by the source's word, in UTC microseconds.
    pub as_of: Option<i64>,
    /// What the source promises.
    pub freshness: String,
    /// A fresher source covers the question and could not answer it.
    #[serde(default)]
    pub staler: bool,
}

impl From<Provenance> for AnsweredSource {
    fn from(by: Provenance) -> Self {
        AnsweredSource {
            id: by.source,
            as_of: by.as_of.map(|t| t.0),
            freshness: by.freshness.code().to_owned(),
            staler: false,
        }
    }
}

/// A region's own entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AnsweredElsewhere {
    /// Its name.
    pub name: Bilingual,
    /// Its address.
    pub address: String,
}

impl From<sources::Elsewhere> for AnsweredElsewhere {
    fn from(entry: sources::Elsewhere) -> Self {
        AnsweredElsewhere {
            name: entry.name,
            address: entry.address,
        }
    }
}

impl std::fmt::Debug for AnsweredField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AnsweredField({}, redacted)", self.id)
    }
}

impl std::fmt::Debug for AnsweredOther {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnsweredOther(redacted)")
    }
}
