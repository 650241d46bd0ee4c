//! Record kinds are data: what can be looked up, described by one folder of files and no Rust.
//!
//! `kind.toml` is read by [`Kind::parse`]; [`Catalogue`] holds all kinds of a deployment and their digest.

mod catalogue;
mod check;
mod cycle;
mod field_type;
mod notice;
mod value;

use serde::Deserialize;

pub use catalogue::{Catalogue, CatalogueError, KindFolder, LoadedKind};
pub use check::KindError;
pub use cycle::Cycle;
pub use field_type::{FieldType, Item};
pub use notice::{Notice, NoticeSlots, SLOTS};
pub use value::{Row, Value, ValueError};

use crate::words::{Bilingual, Classification, Describes, Freshness, Level, Mode};

/// How many fields, keys, predicates or codes one kind may declare. A driving licence needs about twenty.
pub const MAX_PARTS: usize = 64;

/// One record kind, as `kind.toml` describes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// Lower-case words joined by hyphens, equal to the folder's name.
    pub id: String,
    /// Rises with every change of meaning; sealed with each look-up.
    pub version: u32,
    /// Its name.
    pub name: Bilingual,
    /// One sentence: what one finds here.
    pub about: Bilingual,
    /// Where it stands among the kinds, smallest first.
    #[serde(default)]
    pub order: u32,
    /// Which questions may be asked.
    pub modes: Vec<Mode>,
    /// The assurance level that every question needs, unless the purpose says otherwise.
    pub level: Level,
    /// Purposes that need another level than [`Kind::level`].
    #[serde(default)]
    pub level_by_purpose: std::collections::BTreeMap<String, Level>,
    /// The codes of the purposes for which it may be asked.
    pub purposes: Vec<String>,
    /// The freshness that is expected of a source.
    pub freshness: Freshness,
    /// How long a released answer may be kept, and evidence of it must be.
    pub retention: Retention,
    /// What the record is found by, besides the person; empty for records of the person.
    #[serde(default)]
    pub key: Vec<KeyPart>,
    /// How an answer is shown to be the subject's.
    pub belongs_to: BelongsTo,
    /// What the record holds.
    #[serde(default)]
    pub fields: Vec<Field>,
    /// What may be claimed in mode `match`, besides name and number.
    #[serde(default)]
    pub claims: Vec<Claim>,
    /// Named yes/no rules.
    #[serde(default)]
    pub predicates: Vec<Predicate>,
    /// Cycles of twelve months that a record must not contradict.
    #[serde(default)]
    pub cycles: Vec<Cycle>,
    /// Dates of which the person may be reminded.
    #[serde(default)]
    pub reminders: Vec<Reminder>,
    /// Other kinds that a report joins with this one, in the order shown; each is a look-up of its own.
    #[serde(default)]
    pub parts: Vec<String>,
    /// What must be said with every answer, such as what the register does not cover.
    #[serde(default)]
    pub statement: Option<Bilingual>,
    /// What must be said when there is no record.
    #[serde(default)]
    pub not_found_statement: Option<Bilingual>,
    /// A mark on every page and print, such as 非加盖公章证明.
    #[serde(default)]
    pub mark: Option<Bilingual>,
    /// Why the notice says that it must be asked (PIPL 30); a sentence that holds of every kind where it is absent.
    #[serde(default)]
    pub necessity: Option<Bilingual>,
    /// What the notice says that it means for the person (PIPL 30); a sentence that holds of every kind where absent.
    #[serde(default)]
    pub effect: Option<Bilingual>,
    /// What one look-up costs.
    #[serde(default)]
    pub price: Price,
}

/// Retention of what a look-up leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Minutes for which the encrypted answer is kept for a repeated request; at most ten.
    pub answer_minutes: u32,
    /// Years for which the evidence is kept; at least three (PIPL 56), and the same for all kinds of a deployment.
    pub evidence_years: u32,
}

/// One part of the key by which a record is found.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPart {
    /// Its name in the API, such as `plate`.
    pub id: String,
    /// What it is called on a page.
    pub name: Bilingual,
    /// How it is read and checked.
    #[serde(rename = "type")]
    pub of_type: FieldType,
}

/// How an answer proves to be about the subject.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BelongsTo {
    /// Fields of the answer of which at least one must equal the subject's ID number.
    #[serde(default)]
    pub any_of: Vec<String>,
    /// The agreement makes the source answer for it; only where the record carries no number.
    #[serde(default)]
    pub asserted_by_source: bool,
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name in the API and in the evidence.
    pub id: String,
    /// What it is called on a page.
    pub name: Bilingual,
    /// How it is read, checked, masked and shown.
    #[serde(rename = "type")]
    pub of_type: FieldType,
    /// How carefully it must be handled.
    pub classification: Classification,
    /// Whom it tells something about.
    #[serde(default = "subject")]
    pub describes: Describes,
    /// When its value is hidden behind a mask.
    #[serde(default)]
    pub mask: Mask,
    /// Used to check that the record is the subject's, never disclosed.
    #[serde(default)]
    pub internal: bool,
    /// A predicate of this kind: where it does not hold of the record, the field is withheld, as is the name of a
    /// spouse once the marriage is over.
    #[serde(default)]
    pub only_if: Option<String>,
    /// A hint beside the value, such as how a date was derived.
    #[serde(default)]
    pub note: Option<Bilingual>,
    /// A source need not send it.
    #[serde(default)]
    pub optional: bool,
}

fn subject() -> Describes {
    Describes::Subject
}

/// When a field's value is hidden behind a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mask {
    /// Shown in full to whom it is permitted.
    #[default]
    Never,
    /// Masked until the subject asks for it by name at L3 ("on tap"); always masked to anybody else.
    UntilRevealed,
    /// Masked for everybody.
    Always,
}

/// A value that may be claimed in mode `match`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its name in the API.
    pub id: String,
    /// What it is called on a page.
    pub name: Bilingual,
    /// How it is read and checked.
    #[serde(rename = "type")]
    pub of_type: FieldType,
    /// The codes of the purposes for which it may be made; for each of the kind's where none is named.
    #[serde(default)]
    pub purposes: Vec<String>,
}

/// A named rule over one field: data, no language.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// Its name in the API, such as `points-below-9`.
    pub id: String,
    /// The question in words.
    pub name: Bilingual,
    /// The field it looks at.
    pub field: String,
    /// How the field is compared.
    pub op: Op,
    /// With what; of the field's type, or an integer.
    pub value: serde_json::Value,
}

/// How a predicate compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// Equal.
    Is,
    /// An integer, amount or date below the given one.
    Below,
    /// An integer, amount or date at or above the given one.
    AtLeast,
}

/// A date of which the person may be reminded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reminder {
    /// A field of type `date`.
    pub field: String,
    /// How many days before.
    pub days_before: Vec<u16>,
}

/// The price of a look-up in fen (0.01 CNY). Citizens never pay for their own records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// What an enterprise pays for one answer that found something.
    #[serde(default)]
    pub enterprise_fen: u32,
}

impl Kind {
    /// The field of that id, internal ones included.
    #[must_use]
    pub fn field(&self, id: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.id == id)
    }

    /// The fields that may be disclosed at all.
    pub fn disclosable(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|f| !f.internal)
    }

    /// The claim of that id.
    #[must_use]
    pub fn claim(&self, id: &str) -> Option<&Claim> {
        self.claims.iter().find(|c| c.id == id)
    }

    /// The claims that may be made for this purpose.
    pub fn claims_for(&self, purpose: &str) -> impl Iterator<Item = &Claim> {
        self.claims.iter().filter(move |c| c.is_for(purpose))
    }

    /// The predicate of that id.
    #[must_use]
    pub fn predicate(&self, id: &str) -> Option<&Predicate> {
        self.predicates.iter().find(|p| p.id == id)
    }

    /// The level that a question for this purpose needs.
    #[must_use]
    pub fn level_for(&self, purpose: &str) -> Level {
        self.level_by_purpose.get(purpose).copied().unwrap_or(self.level)
    }
}

impl Claim {
    /// Whether it may be made for this purpose.
    #[must_use]
    pub fn is_for(&self, purpose: &str) -> bool {
        self.purposes.is_empty() || self.purposes.iter().any(|p| p == purpose)
    }
}
