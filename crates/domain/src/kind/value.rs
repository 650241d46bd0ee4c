//! Values of fields: read from what a source sent, masked, and turned into text for pages and for evidence.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use jiff::civil::Date;
use serde_json::{Value as Json, json};
use thiserror::Error;

use super::{FieldType, Item};
use crate::{
    identifiers::{
        CertificateNumber, IdNumber, IdentifierError, LicenceFileNumber, PersonName, Phone, Plate,
        PlateClass, Vin, is_invisible,
    },
    time::Timestamp,
};

/// The longest text of one field, in characters.
const MAX_TEXT: usize = 500;

/// One row of a list: item → value.
pub type Row = BTreeMap<Arc<str>, Value>;

/// A checked value. It is personal data: it does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Text, a code, or an identifier in its normal form.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// An amount in fen.
    Money(i64),
    /// A calendar date.
    Date(Date),
    /// An instant.
    DateTime(Timestamp),
    /// A picture: the SHA-256 of its bytes, and the source's handle.
    Image {
        /// SHA-256 of the bytes.
        digest: String,
        /// By what name the source streams it.
        handle: String,
    },
    /// Rows.
    List(Vec<Row>),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(redacted)")
    }
}

/// What is wrong with a value; it never repeats the value.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("not a valid {expected}")]
pub struct ValueError {
    /// The word of the type that was expected.
    pub expected: &'static str,
    /// What is wrong with an identifier, and where; nothing where the value is of another type.
    pub why: Option<IdentifierError>,
}

/// A value, or what is wrong with it where that is known.
type Read<T = Value> = Result<T, Option<IdentifierError>>;

impl FieldType {
    /// Reads a value as a source or a requester sent it.
    ///
    /// # Errors
    /// Says which type was expected, never what came.
    pub fn read(&self, raw: &Json) -> Result<Value, ValueError> {
        self.read_on(raw, Date::MAX)
    }

    /// Reads a value that may depend on today's date, such as an ID number whose birth must lie in the past.
    ///
    /// # Errors
    /// Says which type was expected, never what came.
    pub fn read_on(&self, raw: &Json, today: Date) -> Result<Value, ValueError> {
        self.read_inner(raw, today).map_err(|why| ValueError {
            expected: self.word(),
            why,
        })
    }

    /// Reads a value by which somebody looks up. A VIN that is a placeholder is well-formed, a source may have one in
    /// a record, and no vehicle is found by it: it is no question, so that none is sealed and none is spent.
    ///
    /// # Errors
    /// As [`FieldType::read_on`], and for a placeholder.
    pub fn read_asked(&self, raw: &Json, today: Date) -> Result<Value, ValueError> {
        let value = self.read_on(raw, today)?;
        let is_placeholder = || Vin::parse(&value.text()).is_ok_and(|vin| vin.value.is_sentinel());
        if *self == FieldType::Vin && is_placeholder() {
            return Err(ValueError {
                expected: self.word(),
                why: Some(IdentifierError::Sentinel),
            });
        }
        Ok(value)
    }

    fn read_inner(&self, raw: &Json, today: Date) -> Read {
        match (self, raw) {
            (FieldType::List { items, max_items }, Json::Array(rows)) if rows.len() <= *max_items => {
                let rows = rows.iter().map(|row| read_row(items, row, today).ok_or(None));
                rows.collect::<Read<_>>().map(Value::List)
            }
            (FieldType::Integer, Json::Number(n)) => n.as_i64().map(Value::Integer).ok_or(None),
            (FieldType::Money, Json::Number(n)) => {
                let fen = n.as_i64().filter(|fen| *fen >= 0);
                fen.map(Value::Money).ok_or(None)
            }
            (FieldType::Image, Json::Object(o)) => read_image(o).ok_or(None),
            (_, Json::String(text)) if text.len() <= 4 * MAX_TEXT => self.read_text(text, today),
            _ => Err(None),
        }
    }

    fn read_text(&self, text: &str, today: Date) -> Read {
        let identifier = match self {
            FieldType::IdNumber => IdNumber::parse(text, today).map(|p| p.value.expose().to_owned()),
            FieldType::Plate => Plate::parse(text).map(|p| p.value.expose().to_owned()),
            FieldType::PlateClass => PlateClass::parse(text).map(PlateClass::code),
            FieldType::Vin => Vin::parse(text).map(|p| p.value.expose().to_owned()),
            FieldType::LicenceFileNumber => {
                LicenceFileNumber::parse(text).map(|p| p.value.expose().to_owned())
            }
            FieldType::CertificateNumber => {
                CertificateNumber::parse(text).map(|p| p.value.expose().to_owned())
            }
            FieldType::PersonName => PersonName::parse(text).map(|p| p.value.expose().to_owned()),
            FieldType::Phone => Phone::parse(text).map(|p| p.value.expose().to_owned()),
            _ => return self.read_plain(text).ok_or(None),
        };
        identifier.map(Value::Text).map_err(Some)
    }

    /// Reads a text that is no identifier.
    fn read_plain(&self, text: &str) -> Option<Value> {
        match self {
            FieldType::Text => {
                let sound = text.chars().count() <= MAX_TEXT && !text.chars().any(is_invisible);
                sound.then(|| Value::Text(text.to_owned()))
            }
            FieldType::Code { codes } => codes.contains_key(text).then(|| Value::Text(text.to_owned())),
            FieldType::Date => text.parse::<Date>().ok().map(Value::Date),
            FieldType::DateTime => Timestamp::parse_rfc3339(text).map(Value::DateTime),
            FieldType::Integer => text.parse().ok().map(Value::Integer),
            FieldType::Money => yuan_to_fen(text).map(Value::Money),
            _ => None,
        }
    }

    /// The value behind its mask: of an identifier what its own mask leaves, of anything else nothing.
    #[must_use]
    pub fn mask(&self, value: &Value) -> Value {
        let masked = match value {
            Value::Text(text) => self.masked(text),
            _ => None,
        };
        Value::Text(masked.unwrap_or_else(|| "***".to_owned()))
    }

    fn masked(&self, text: &str) -> Option<String> {
        Some(match self {
            // Whether the birth lies in the past was judged when the value was read.
            FieldType::IdNumber => IdNumber::parse(text, Date::MAX).ok()?.value.masked(),
            FieldType::Plate => Plate::parse(text).ok()?.value.masked(),
            FieldType::Vin => Vin::parse(text).ok()?.value.masked(),
            FieldType::LicenceFileNumber => LicenceFileNumber::parse(text).ok()?.value.masked(),
            FieldType::CertificateNumber => CertificateNumber::parse(text).ok()?.value.masked(),
            FieldType::PersonName => PersonName::parse(text).ok()?.value.masked(),
            FieldType::Phone => Phone::parse(text).ok()?.value.masked(),
            _ => return None,
        })
    }
}

impl Value {
    /// The value as text: what a field's commitment is made over.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Value::Text(text) | Value::Image { digest: text, .. } => text.into(),
            Value::Integer(n) | Value::Money(n) => n.to_string().into(),
            Value::Date(date) => date.to_string().into(),
            Value::DateTime(time) => time.rfc3339().into(),
            Value::List(_) => self.clone().into_json().to_string().into(),
        }
    }

    /// The value as the API gives it. Amounts are in fen.
    #[must_use]
    pub fn into_json(self) -> Json {
        match self {
            Value::Text(text) => text.into(),
            Value::Integer(n) | Value::Money(n) => n.into(),
            Value::Image { digest, handle } => json!({ "digest": digest, "handle": handle }),
            Value::List(rows) => {
                let row = |row: Row| {
                    row.into_iter()
                        .map(|(k, v)| (k.to_string(), v.into_json()))
                        .collect()
                };
                Json::Array(rows.into_iter().map(row).collect())
            }
            Value::Date(_) | Value::DateTime(_) => self.text().into(),
        }
    }
}

fn read_row(items: &[Item], row: &Json, today: Date) -> Option<Row> {
    let row = row.as_object()?;
    let mut read = Row::new();
    for item in items {
        match row.get(&item.id).filter(|v| !v.is_null()) {
            Some(value) => {
                read.insert(
                    item.id.as_str().into(),
                    item.of_type.read_inner(value, today).ok()?,
                );
            }
            None if item.optional => {}
            None => return None,
        }
    }
    Some(read)
}

fn read_image(object: &serde_json::Map<String, Json>) -> Option<Value> {
    let text = |key: &str| object.get(key)?.as_str().map(str::to_owned);
    let digest = text("digest").filter(|d| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some(Value::Image {
        digest,
        handle: text("handle").filter(|h| h.len() <= 128)?,
    })
}

/// Yuan with at most two decimals, as Chinese interfaces send amounts, to fen.
fn yuan_to_fen(text: &str) -> Option<i64> {
    let (yuan, cents) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if yuan.is_empty()
        || !digits(yuan)
        || !digits(cents)
        || cents.len() > 2
        || (text.contains('.') && cents.is_empty())
    {
        return None;
    }
    let fen: i64 = format!("{cents:0<2}").parse().ok()?;
    yuan.parse::<i64>().ok()?.checked_mul(100)?.checked_add(fen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, fen) in [
            ("200", Some(20_000)),
            ("0.5", Some(50)),
            ("12.34", Some(1234)),
            ("1.", None),
        ] {
            assert_eq!(yuan_to_fen(text), fen, "{text}");
        }
        for text in ["", ".5", "-1", "1.234", "1e3", "99999999999999999999"] {
            assert_eq!(yuan_to_fen(text), None, "{text}");
        }
    }

    #[test]
    fn masks_are_those_of_the_identifiers() {
        let masked = |t: &FieldType, v: &str| t.mask(&Value::Text(v.into())).text().into_owned();
        let cases = [
            (FieldType::IdNumber, "11010519491231002X", "110*************2X"),
            (FieldType::Plate, "京A12345", "京A***45"),
            (FieldType::Vin, "LSVAA49J132047371", "LSV************71"),
            (FieldType::LicenceFileNumber, "440312345645", "4403******45"),
            (
                FieldType::CertificateNumber,
                "J110101-2010-000001",
                "J110101**********01",
            ),
            (FieldType::PersonName, "欧阳修", "欧**"),
            (FieldType::PersonName, "欧阳", "欧*"),
            (FieldType::Phone, "13800138000", "138****8000"),
            (FieldType::Text, "anything", "***"),
        ];
        for (of_type, value, expected) in &cases {
            assert_eq!(masked(of_type, value), *expected, "{}", of_type.word());
            // What does not parse shows nothing, however it came to be there.
            assert_eq!(masked(of_type, "-\u{0}-"), "***", "{}", of_type.word());
        }
        assert_eq!(FieldType::Integer.mask(&Value::Integer(7)).text(), "***");
    }

    #[test]
    fn hidden_characters_are_refused() {
        let unseen = "\0\u{ad}\u{61c}\u{200b}\u{2028}\u{2029}\u{202e}\u{2066}\u{feff}\u{e0041}";
        for hidden in unseen.chars() {
            let text = json!(format!("上海{hidden}市"));
            assert!(FieldType::Text.read(&text).is_err(), "{hidden:?}");
        }
        assert!(FieldType::Text.read(&json!("上海市")).is_ok());
        assert!(FieldType::Text.read(&json!("长".repeat(501))).is_err());
        assert!(FieldType::Integer.read(&json!(1.5)).is_err());
    }
}
