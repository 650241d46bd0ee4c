//! Reads one field of a record out of a source's answer, by the mapping that was compiled at start.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use domain::kind::{FieldType, Row, Value};
use jiff::civil::Date;
use serde_json::Value as Json;
use toml::Spanned;

use crate::{
    file::{RawField, SourceError, SourceFile},
    format::Format,
    json,
    places::Places,
    pointer::Pointer,
    report::Problem,
    table,
};

/// A field that cannot be read: which, where it stands, and what was wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misread {
    pub(crate) problem: Problem,
    /// The field's id; of an item of a list `list/item`.
    pub(crate) field: String,
    /// The column of a table, or the member, in which it stands.
    pub(crate) column: Option<String>,
}

/// Where one field stands, how it is written, and what it must be.
pub(crate) struct FieldMap {
    pub(crate) id: Arc<str>,
    optional: bool,
    at: Pointer,
    shape: Shape,
}

/// What stands there.
enum Shape {
    /// One value.
    One(Scalar),
    /// An array with an object for each row.
    Rows { items: Vec<FieldMap>, max: usize },
    /// A text that is cut into rows of one item; an empty separator cuts between all characters.
    Split {
        separator: String,
        item: Arc<str>,
        scalar: Scalar,
        max: usize,
    },
}

/// One value: its type, and the source's own way of writing it.
struct Scalar {
    of_type: FieldType,
    codes: Option<BTreeMap<String, String>>,
    format: Option<Format>,
}

/// What a field of the kind is: the part of it that a mapping needs.
pub(crate) struct Wanted<'a> {
    pub(crate) id: &'a str,
    pub(crate) of_type: &'a FieldType,
    pub(crate) optional: bool,
}

impl FieldMap {
    /// Checks a mapping against the field of the kind.
    pub(crate) fn compile(
        file: &SourceFile,
        line: &Range<usize>,
        wanted: &Wanted<'_>,
        raw: &RawField,
    ) -> Result<Self, SourceError> {
        let wrong = |problem: String| file.wrong(line, format!("{}: {problem}", wanted.id));
        let pointer = raw.at.get_ref();
        let at = Pointer::parse(pointer)
            .ok_or_else(|| wrong(format!("\"{pointer}\" is no JSON pointer; it begins with /")))?;
        let shape = match (wanted.of_type, &raw.split) {
            (FieldType::List { items, max_items }, Some(separator)) => {
                let [only] = items.as_slice() else {
                    return Err(wrong("`split` fits only a list whose rows have one item".into()));
                };
                if !raw.items.is_empty() {
                    return Err(wrong("`split` and `items` exclude each other".into()));
                }
                let scalar = Scalar::compile(raw, &only.of_type).map_err(wrong)?;
                Shape::Split {
                    separator: separator.clone(),
                    item: only.id.as_str().into(),
                    scalar,
                    max: *max_items,
                }
            }
            (FieldType::List { items, max_items }, None) => {
                if raw.codes.is_some() || raw.format.is_some() {
                    return Err(wrong("`codes` and `format` belong to the items of a list".into()));
                }
                let wanted = items.iter().map(|i| Wanted {
                    id: &i.id,
                    of_type: &i.of_type,
                    optional: i.optional,
                });
                Shape::Rows {
                    items: compile_all(file, line, wanted, &raw.items)?,
                    max: *max_items,
                }
            }
            (_, Some(_)) => return Err(wrong("`split` fits only a list".into())),
            (of_type, None) if raw.items.is_empty() => {
                Shape::One(Scalar::compile(raw, of_type).map_err(wrong)?)
            }
            (_, None) => return Err(wrong("`items` fits only a list".into())),
        };
        Ok(FieldMap {
            id: wanted.id.into(),
            optional: wanted.optional,
            at,
            shape,
        })
    }

    /// Reads the field; `None` where an optional one is absent. Null and the empty text count as absent.
    pub(crate) fn read(&self, answer: &Json, today: Date) -> Result<Option<Value>, Misread> {
        match self.found(answer) {
            Some(raw) => match self.shape.read(raw, today) {
                Ok(value) => Ok(Some(value)),
                Err((problem, item)) => Err(self.misread(problem, item)),
            },
            None if self.optional => Ok(None),
            None => Err(self.misread(Problem::FieldMissing, None)),
        }
    }

    /// What stands there, unless it counts as absent.
    fn found<'a>(&self, answer: &'a Json) -> Option<&'a Json> {
        let splits = matches!(self.shape, Shape::Split { .. });
        let raw = self.at.find(answer).filter(|raw| !raw.is_null());
        raw.filter(|raw| splits || raw.as_str() != Some(""))
    }

    /// Whether anything stands there.
    pub(crate) fn is_in(&self, answer: &Json) -> bool {
        self.found(answer).is_some()
    }

    /// Names the field, and the item of it. The rows of a table have the items in columns of their own.
    pub(crate) fn misread(&self, problem: Problem, item: Option<Misread>) -> Misread {
        let at = self.at.first();
        let (field, inner) = match item {
            Some(item) => (format!("{}/{}", self.id, item.field), item.column),
            None => (self.id.to_string(), None),
        };
        let column = if at == Some(table::ROWS) {
            inner
        } else {
            at.map(str::to_owned)
        };
        Misread {
            problem,
            field,
            column,
        }
    }
}

impl FieldMap {
    /// The columns of a table that it reads, each with the field it is for. Where several rows make one record, the
    /// rows of a list are rows of the table.
    pub(crate) fn columns(&self, several: bool) -> Vec<(String, &str)> {
        match &self.shape {
            Shape::Rows { items, .. } if several && self.at.first() == Some(table::ROWS) => {
                let columns = items.iter().flat_map(|item| item.columns(false));
                columns
                    .map(|(item, column)| (format!("{}/{item}", self.id), column))
                    .collect()
            }
            _ => self
                .at
                .first()
                .map(|column| (self.id.to_string(), column))
                .into_iter()
                .collect(),
        }
    }
}

impl FieldMap {
    /// Marks what it reads of an answer; of a row of a table where several rows make one record.
    pub(crate) fn mark(&self, places: &mut Places, several: bool) {
        let is_table = several && self.at.first() == Some(table::ROWS);
        match &self.shape {
            Shape::Rows { items, .. } if is_table => items.iter().for_each(|item| item.mark(places, false)),
            Shape::Rows { items, .. } => {
                let elements = places.at(&self.at).elements();
                items.iter().for_each(|item| item.mark(elements, false));
            }
            // One certain row of the table.
            _ if is_table => places.at(&self.at.after_first().after_first()).read_whole(),
            _ => places.at(&self.at).read_whole(),
        }
    }
}

/// Compiles the mapping of every wanted field; an optional one may be left out, and nothing may be added.
pub(crate) fn compile_all<'a>(
    file: &SourceFile,
    line: &Range<usize>,
    wanted: impl Iterator<Item = Wanted<'a>>,
    raw: &BTreeMap<Spanned<String>, RawField>,
) -> Result<Vec<FieldMap>, SourceError> {
    let mut maps = Vec::new();
    let mut known = Vec::new();
    for field in wanted {
        known.push(field.id);
        match raw.get_key_value(field.id) {
            Some((name, mapping)) => maps.push(FieldMap::compile(file, &name.span(), &field, mapping)?),
            None if field.optional => {}
            None => {
                return Err(file.wrong(line, format!("the field {} is required and not mapped", field.id)));
            }
        }
    }
    match raw.keys().find(|name| !known.contains(&name.get_ref().as_str())) {
        Some(name) => Err(file.wrong(
            &name.span(),
            format!("there is no field {} here; known are {known:?}", name.get_ref()),
        )),
        None => Ok(maps),
    }
}

impl Shape {
    /// The value, or what was wrong and with which item of a list.
    fn read(&self, raw: &Json, today: Date) -> Result<Value, (Problem, Option<Misread>)> {
        let malformed = (Problem::FieldMalformed, None);
        match self {
            Shape::One(scalar) => scalar.read(raw, today).ok_or(malformed),
            Shape::Rows { items, max } => {
                // A table has no arrays: there, and in some interfaces, they are written as text.
                let parsed = match raw {
                    Json::String(text) => {
                        Some(json::parse(text.as_bytes()).map_err(|problem| (problem, None))?)
                    }
                    _ => None,
                };
                let rows = parsed
                    .as_ref()
                    .unwrap_or(raw)
                    .as_array()
                    .filter(|rows| rows.len() <= *max)
                    .ok_or(malformed)?;
                rows.iter()
                    .map(|row| read_row(items, row, today))
                    .collect::<Result<_, _>>()
                    .map(Value::List)
                    .map_err(|item| (item.problem, Some(item)))
            }
            Shape::Split {
                separator,
                item,
                scalar,
                max,
            } => {
                let text = raw.as_str().ok_or((Problem::FieldMalformed, None))?;
                let mut rows = Vec::new();
                for piece in pieces(text, separator) {
                    let value = scalar.read(&Json::String(piece), today);
                    match value.filter(|_| rows.len() < *max) {
                        Some(value) => rows.push(Row::from([(item.clone(), value)])),
                        None => return Err(malformed),
                    }
                }
                Ok(Value::List(rows))
            }
        }
    }
}

/// Reads all items of one object.
pub(crate) fn read_row(items: &[FieldMap], row: &Json, today: Date) -> Result<Row, Misread> {
    let mut read = Row::new();
    for item in items {
        if let Some(value) = item.read(row, today)? {
            read.insert(item.id.clone(), value);
        }
    }
    Ok(read)
}

fn pieces<'a>(text: &'a str, separator: &'a str) -> Box<dyn Iterator<Item = String> + 'a> {
    match (text, separator) {
        ("", _) => Box::new(std::iter::empty()),
        (_, "") => Box::new(text.chars().map(String::from)),
        _ => Box::new(text.split(separator).map(|piece| piece.trim().to_owned())),
    }
}

impl Scalar {
    fn compile(raw: &RawField, of_type: &FieldType) -> Result<Self, String> {
        if let (FieldType::Code { codes: known }, Some(codes)) = (of_type, &raw.codes)
            && let Some(unknown) = codes.values().find(|code| !known.contains_key(*code))
        {
            let known: Vec<_> = known.keys().collect();
            return Err(format!("the kind has no code \"{unknown}\"; known are {known:?}"));
        }
        if raw.codes.is_some() && raw.format.is_some() {
            return Err("`codes` and `format` exclude each other".into());
        }
        if raw.format.is_some_and(|format| !format.fits(of_type)) {
            return Err(format!(
                "this format does not fit the type {}: take another, or none",
                of_type.word()
            ));
        }
        Ok(Scalar {
            of_type: of_type.clone(),
            codes: raw.codes.clone(),
            format: raw.format,
        })
    }

    fn read(&self, raw: &Json, today: Date) -> Option<Value> {
        match (&self.codes, self.format) {
            (Some(codes), _) => {
                let code = codes.get(as_code(raw)?.as_ref())?;
                self.of_type.read_on(&Json::String(code.clone()), today).ok()
            }
            (None, Some(format)) => format.read(raw, &self.of_type),
            (None, None) => self.of_type.read_on(raw, today).ok(),
        }
    }
}

/// A code as text: sources write `"1"`, `1` and `true` for the same thing.
pub(crate) fn as_code(raw: &Json) -> Option<std::borrow::Cow<'_, str>> {
    match raw {
        Json::String(text) => Some(text.as_str().into()),
        Json::Number(number) => Some(number.to_string().into()),
        Json::Bool(value) => Some(value.to_string().into()),
        _ => None,
    }
}
