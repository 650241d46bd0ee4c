//! Where a source holds records, and where a question belongs.
//!
//! A plate tells its region for certain, and so does a requester who names one. A number tells where it was first
//! given out, which is not where its holder lives now: it is a hint only, and nobody is sent away by it.

use domain::{
    identifiers::{Area, Plate},
    kind::{Catalogue, FieldType, Value},
    words::Bilingual,
};
use serde::Deserialize;
use toml::Spanned;

use crate::{
    file::{SourceError, SourceFile},
    question::Question,
    source::kind_of,
};

/// One region of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// As the file has it: leading digits of a division code, or how plates begin.
    pub code: String,
    /// Its name today, in Chinese, as the table of divisions has it.
    pub name: String,
    pub(crate) area: Area,
    by_plate: bool,
}

/// Where people of a region look that no source here covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The name of that entry.
    pub name: Bilingual,
    /// Its address.
    pub address: String,
    pub(crate) region: Region,
    /// The kinds that it is for; empty for all.
    kinds: Vec<String>,
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawElsewhere {
    region: Spanned<String>,
    name: Spanned<Bilingual>,
    address: Spanned<String>,
    #[serde(default)]
    kinds: Vec<Spanned<String>>,
}

/// Where a question belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whereabouts<'a> {
    /// By its plate, whose text it is, or by the requester's word.
    Certain(Area, Option<&'a str>),
    /// By where the person's number was first given out.
    Likely(Area),
    /// Nothing tells.
    Unknown,
}

impl Region {
    /// Reads one region of a file.
    pub(crate) fn compile(file: &SourceFile, written: &Spanned<String>) -> Result<Self, SourceError> {
        let code = written.get_ref();
        let by_plate = !code.starts_with(|c: char| c.is_ascii_digit());
        let area = if by_plate {
            Plate::area_of_prefix(code)
        } else {
            Area::parse(code)
        };
        let known = area.and_then(|area| Some((area, area.name()?)));
        let (area, name) = known.ok_or_else(|| {
            let problem = format!(
                "\"{code}\" is no region: write the first 2, 4 or 6 digits of a division code, such as \"44\" or \
                 \"4403\", or how its plates begin, such as \"粤B\""
            );
            file.wrong(&written.span(), problem)
        })?;
        Ok(Region {
            code: code.clone(),
            name,
            area,
            by_plate,
        })
    }

    /// The six digits of its division code, by which a question can name it.
    #[must_use]
    pub fn division_code(&self) -> String {
        format!("{:06}", self.area.code())
    }

    /// Whether it is known by how its plates begin.
    #[must_use]
    pub fn is_by_plate(&self) -> bool {
        self.by_plate
    }

    /// Whether a question may belong here.
    pub(crate) fn holds(&self, whereabouts: Whereabouts<'_>) -> bool {
        match whereabouts {
            Whereabouts::Certain(_, Some(plate)) if self.by_plate => plate.starts_with(&self.code),
            Whereabouts::Certain(area, _) | Whereabouts::Likely(area) => self.area.meets(area),
            Whereabouts::Unknown => true,
        }
    }
}

impl Elsewhere {
    pub(crate) fn compile(
        file: &SourceFile,
        kinds: &Catalogue,
        raw: &RawElsewhere,
    ) -> Result<Self, SourceError> {
        if !raw.name.get_ref().is_complete() {
            return Err(file.wrong(&raw.name.span(), "elsewhere.name: needs words in zh and en"));
        }
        let address = raw.address.get_ref();
        if !address.starts_with("https://") || address.contains(char::is_whitespace) {
            return Err(file.wrong(&raw.address.span(), "elsewhere.address: expected https://…"));
        }
        Ok(Elsewhere {
            name: raw.name.get_ref().clone(),
            address: address.clone(),
            region: Region::compile(file, &raw.region)?,
            kinds: raw
                .kinds
                .iter()
                .map(|kind| kind_of(file, kinds, kind).map(|kind| kind.kind.id.clone()))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Whether it is for this kind.
    #[must_use]
    pub fn is_of(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|k| k == kind)
    }

    /// The region whose people look there.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Whether it is for this kind and this region.
    pub(crate) fn is_for(&self, kind: &str, whereabouts: Whereabouts<'_>) -> bool {
        self.is_of(kind) && whereabouts != Whereabouts::Unknown && self.region.holds(whereabouts)
    }
}

impl<'a> Whereabouts<'a> {
    /// By the requester's word, else by the plate, else by the person's number.
    pub(crate) fn of(question: &'a Question) -> Self {
        if let Some(area) = question.wanted.region {
            return Whereabouts::Certain(area, None);
        }
        let keys = &question.kind.kind.key;
        let plate = keys.iter().find(|part| part.of_type == FieldType::Plate);
        if let Some(Value::Text(text)) = plate.and_then(|part| question.key.get(&part.id)) {
            let area = Plate::parse(text).ok().and_then(|plate| plate.value.area());
            return area.map_or(Whereabouts::Unknown, |area| {
                Whereabouts::Certain(area, Some(text))
            });
        }
        let area = question.person.id_number.area();
        area.map_or(Whereabouts::Unknown, Whereabouts::Likely)
    }
}
