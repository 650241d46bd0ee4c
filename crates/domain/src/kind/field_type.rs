//! The small set of field types. Each brings its parser, its mask and its text for evidence.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::words::Bilingual;

/// The type of a field, key part or claim, as written in `kind.toml`: `type = "vin"`, or with parameters
/// `type = { code = { codes = { ... } } }` and `type = { list = { max_items = 50, items = [ ... ] } }`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FieldType {
    /// Free text of at most 500 characters.
    Text,
    /// One of a list of codes, each with its name.
    Code {
        /// Code → name. Any other code makes the answer a bad one.
        codes: BTreeMap<String, Bilingual>,
    },
    /// A calendar date.
    Date,
    /// An instant.
    DateTime,
    /// A whole number.
    Integer,
    /// An amount in fen (0.01 CNY); a source may send yuan with at most two decimals as text.
    Money,
    /// An identity number (GB 11643 and its relatives).
    IdNumber,
    /// A number plate (GA 36).
    Plate,
    /// A plate class, 号牌种类 (GA/T 16.7).
    PlateClass,
    /// A vehicle identification number (GB 16735), or a legacy frame number.
    Vin,
    /// A licence file number, 档案编号.
    LicenceFileNumber,
    /// A marriage certificate number.
    CertificateNumber,
    /// A person's name.
    PersonName,
    /// A mobile number.
    Phone,
    /// A picture: digest and handle; its bytes travel separately.
    Image,
    /// Rows of fields.
    List {
        /// What each row holds.
        items: Vec<Item>,
        /// How many rows there may be at most.
        max_items: usize,
    },
}

/// One column of a list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its name in the API.
    pub id: String,
    /// What it is called on a page.
    pub name: Bilingual,
    /// Its type; no list within a list.
    #[serde(rename = "type")]
    pub of_type: FieldType,
    /// A source need not send it.
    #[serde(default)]
    pub optional: bool,
}

impl FieldType {
    /// The word in `kind.toml`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            FieldType::Text => "text",
            FieldType::Code { .. } => "code",
            FieldType::Date => "date",
            FieldType::DateTime => "date_time",
            FieldType::Integer => "integer",
            FieldType::Money => "money",
            FieldType::IdNumber => "id_number",
            FieldType::Plate => "plate",
            FieldType::PlateClass => "plate_class",
            FieldType::Vin => "vin",
            FieldType::LicenceFileNumber => "licence_file_number",
            FieldType::CertificateNumber => "certificate_number",
            FieldType::PersonName => "person_name",
            FieldType::Phone => "phone",
            FieldType::Image => "image",
            FieldType::List { .. } => "list",
        }
    }

    /// The name of a code in a list of codes.
    #[must_use]
    pub fn code_name(&self, code: &str) -> Option<&Bilingual> {
        match self {
            FieldType::Code { codes } => codes.get(code),
            _ => None,
        }
    }
}
