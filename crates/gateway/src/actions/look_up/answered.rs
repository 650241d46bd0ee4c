//! What leaves after a look-up: fields with their labels and salts, and the receipt.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    ids::LookupId,
    kind::{FieldType, Kind},
    outcome::Outcome,
    record::Provenance,
    words::Bilingual,
};
use ledger::{Receipt, Salt};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::app::{hex_digits, unhex};

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
    /// The salt of the commitment to the keys.
    #[serde(default)]
    pub rows_salt: Option<WrittenSalt>,
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
    pub id: Arc<str>,
    /// Its value as the API gives it.
    pub value: serde_json::Value,
    /// A mask hides part of it.
    pub masked: bool,
    /// The salt of its commitment: with it the holder can prove this field alone.
    pub salt: WrittenSalt,
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
    /// The salt of its commitment.
    pub salt: WrittenSalt,
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

/// A salt that is written as 64 hexadecimal digits.
#[derive(Debug, Clone)]
pub struct WrittenSalt(pub Salt);

impl Serialize for WrittenSalt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Without memory of its own for them: an answer has a salt for each field.
        let mut digits = [0; 64];
        for (two, byte) in digits.chunks_exact_mut(2).zip(self.0.expose()) {
            two.copy_from_slice(&hex_digits(*byte));
        }
        // They are ASCII.
        serializer.serialize_str(std::str::from_utf8(&digits).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for WrittenSalt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = unhex(&String::deserialize(deserializer)?);
        let salt = bytes.map(|bytes| WrittenSalt(Salt::new(bytes)));
        salt.ok_or_else(|| D::Error::custom("a salt is 64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_salt_is_read_as_it_was_written() {
        let bytes: [u8; 32] = std::array::from_fn(|at| 8 * at as u8);
        let other = AnsweredOther {
            value: "1".into(),
            salt: WrittenSalt(Salt::new(bytes)),
            by: None,
        };
        let written = serde_json::to_string(&other).unwrap();
        assert!(
            written.contains(&format!("\"{}\"", crate::app::hex(&bytes))),
            "{written}"
        );
        let read: AnsweredOther = serde_json::from_str(&written).unwrap();
        assert_eq!(read.salt.0.expose(), &bytes);
        for wrong in ["00", "0g08", "+008", "éé"] {
            let wrong = written.replacen("0008", wrong, 1);
            assert!(serde_json::from_str::<AnsweredOther>(&wrong).is_err(), "{wrong}");
        }
    }
}
