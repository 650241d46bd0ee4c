//! Values of fields as people read them, by the field's type alone.

use domain::{
    identifiers::PlateClass,
    kind::{FieldType, Item},
    time::Timestamp,
};
use jiff::civil::Date;
use serde_json::Value as Json;

use super::{Page, dates};
use crate::app::Lang;

/// A value on a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// A sentence, a name, a date.
    Text(String),
    /// An identifier, in letters of one width.
    Number(String),
    /// A VIN, which can be compared with the one on the vehicle.
    Vin(String),
    /// A list of one column.
    Words(Vec<String>),
    /// A list of rows.
    Rows(Vec<Vec<Cell>>),
    /// A picture, by the handle under which it can be asked for.
    Picture(String),
    /// A list without an entry.
    Nothing,
}

/// One cell of a row, with the name of its column.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) head: String,
    pub(super) text: String,
    /// An amount or a count: stands to the right.
    pub(super) is_amount: bool,
    /// A picture, by the handle under which it can be asked for.
    pub(super) picture: Option<String>,
}

/// The value as the API gives it, for a page. What does not fit its type is shown as it is: it may be masked.
pub(super) fn shown(page: &Page, of_type: &FieldType, value: &Json, masked: bool) -> Shown {
    match (of_type, value) {
        (FieldType::List { items, .. }, Json::Array(rows)) => list(page, items, rows),
        (FieldType::Vin, _) if !masked => Shown::Vin(text(page, of_type, value, masked)),
        (
            FieldType::Vin
            | FieldType::IdNumber
            | FieldType::LicenceFileNumber
            | FieldType::CertificateNumber,
            _,
        )
        | (FieldType::Plate | FieldType::Phone, _) => Shown::Number(text(page, of_type, value, masked)),
        (FieldType::Image, _) => handle(value).map_or(Shown::Nothing, Shown::Picture),
        _ => Shown::Text(text(page, of_type, value, masked)),
    }
}

fn handle(value: &Json) -> Option<String> {
    Some(value.get("handle")?.as_str()?.to_owned())
}

fn list(page: &Page, items: &[Item], rows: &[Json]) -> Shown {
    let cell = |row: &Json, item: &Item| {
        let value = row.get(&item.id).filter(|v| !v.is_null())?;
        let is_amount = matches!(item.of_type, FieldType::Money | FieldType::Integer);
        let picture = handle(value).filter(|_| item.of_type == FieldType::Image);
        Some(Cell {
            head: page.of(&item.name).to_owned(),
            text: text(page, &item.of_type, value, false),
            is_amount,
            picture,
        })
    };
    match (items, rows) {
        (_, []) => Shown::Nothing,
        ([only], _) => Shown::Words(
            rows.iter()
                .filter_map(|row| Some(cell(row, only)?.text))
                .collect(),
        ),
        _ => {
            let row = |row: &Json| {
                let missing = |item: &Item| Cell {
                    head: page.of(&item.name).to_owned(),
                    text: String::new(),
                    is_amount: false,
                    picture: None,
                };
                items
                    .iter()
                    .map(|item| cell(row, item).unwrap_or_else(|| missing(item)))
                    .collect()
            };
            Shown::Rows(rows.iter().map(row).collect())
        }
    }
}

/// One value as text.
pub(super) fn text(page: &Page, of_type: &FieldType, value: &Json, masked: bool) -> String {
    let lang = page.lang;
    let plain = match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    if masked {
        return masked_text(&plain);
    }
    match of_type {
        FieldType::Code { .. } => of_type
            .code_name(&plain)
            .map_or(plain.clone(), |name| page.of(name).to_owned()),
        FieldType::Date => plain
            .parse::<Date>()
            .map_or(plain.clone(), |d| dates::date(lang, d)),
        FieldType::DateTime => {
            Timestamp::parse_rfc3339(&plain).map_or(plain.clone(), |t| dates::time(lang, t))
        }
        FieldType::Money => value.as_i64().map_or(plain.clone(), dates::money),
        FieldType::Plate => spaced_plate(&plain),
        FieldType::PlateClass => plate_class(lang, &plain).unwrap_or(plain),
        FieldType::Image => page.t("picture"),
        _ => plain,
    }
}

/// A mask in the width of what it hides.
pub(super) fn masked_text(text: &str) -> String {
    if text.is_ascii() {
        text.to_owned()
    } else {
        text.replace('*', "＊")
    }
}

/// The dot after the authority's letter, where the plate begins with a province.
pub(super) fn spaced_plate(plate: &str) -> String {
    let mut characters = plate.chars();
    match (characters.next(), characters.next()) {
        (Some(province), Some(letter)) if !province.is_ascii() && letter.is_ascii_uppercase() => {
            format!("{province}{letter}·{}", characters.as_str())
        }
        _ => plate.to_owned(),
    }
}

/// The name of a plate class.
pub(super) fn plate_class(lang: Lang, code: &str) -> Option<String> {
    let class = PlateClass::parse(code).ok()?;
    Some(match lang {
        Lang::Zh => class.zh().to_owned(),
        Lang::En => class.en().to_owned(),
    })
}
