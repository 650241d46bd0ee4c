//! Reads a `kind.toml` and refuses what would be wrong later: floors of level and mask are here, not in data.

use std::collections::BTreeSet;

use thiserror::Error;

use super::{Field, FieldType, Item, Kind, MAX_PARTS, Mask, Op};
use crate::words::{Bilingual, Classification, Describes, Level, Mode};

/// Why a kind's folder cannot be used, with the file and, where known, the line.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{file}{}: {problem}", line.map(|l| format!(":{l}")).unwrap_or_default())]
pub struct KindError {
    /// The file, relative to the folder of kinds.
    pub file: String,
    /// The line, counted from one.
    pub line: Option<usize>,
    /// What is wrong and what to write instead.
    pub problem: String,
}

impl KindError {
    pub(crate) fn new(file: &str, problem: impl Into<String>) -> Self {
        KindError {
            file: file.to_owned(),
            line: None,
            problem: problem.into(),
        }
    }

    /// A problem of reading TOML, with its line.
    pub(crate) fn toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let line = error
            .span()
            .map(|s| 1 + text[..s.start.min(text.len())].matches('\n').count());
        KindError {
            file: file.to_owned(),
            line,
            problem: error.message().to_owned(),
        }
    }
}

/// A problem and where it stands: a key of the table, or the entry of that index of a list of tables.
struct Problem {
    key: &'static str,
    index: Option<usize>,
    text: String,
}

type Checked = Result<(), Problem>;

fn problem(key: &'static str, text: impl Into<String>) -> Checked {
    Err(Problem {
        key,
        index: None,
        text: text.into(),
    })
}

fn problem_at(key: &'static str, index: usize, text: impl Into<String>) -> Checked {
    Err(Problem {
        key,
        index: Some(index),
        text: text.into(),
    })
}

impl Problem {
    /// The line of the key or of the entry's header; for a missing or oddly written one there is none.
    fn line(&self, text: &str) -> Option<usize> {
        let squeezed = |line: &str| {
            line.split('#')
                .next()
                .unwrap_or_default()
                .replace([' ', '\t'], "")
        };
        let header = format!("[[{}]]", self.key);
        let starts = |line: &str| {
            let rest = line.strip_prefix(self.key);
            rest.is_some_and(|r| r.starts_with('=')) || line == format!("[{}]", self.key)
        };
        let mut lines = text.lines().map(squeezed).enumerate();
        let found = match self.index {
            Some(index) => lines.filter(|(_, line)| *line == header).nth(index),
            None => lines.find(|(_, line)| starts(line)),
        };
        found.map(|(at, _)| at + 1)
    }
}

impl Kind {
    /// Reads and checks one `kind.toml`; `file` is named in errors.
    ///
    /// # Errors
    /// The first problem that is found: unknown keys, missing words, dangling names, lowered floors.
    pub fn parse(file: &str, text: &str) -> Result<Kind, KindError> {
        let kind: Kind = toml::from_str(text).map_err(|e| KindError::toml(file, text, &e))?;
        kind.check().map_err(|p| KindError {
            line: p.line(text),
            ..KindError::new(file, p.text)
        })?;
        Ok(kind)
    }

    fn check(&self) -> Checked {
        if !is_id(&self.id, '-') {
            return problem(
                "id",
                format!("id \"{}\" must be lower-case words joined by hyphens", self.id),
            );
        }
        if self.retention.answer_minutes > 10 || self.retention.evidence_years < 3 {
            return problem(
                "retention",
                "answers at most 10 minutes, evidence at least 3 years (PIPL 56)",
            );
        }
        self.check_purposes()?;
        self.check_words()?;
        self.check_ids()?;
        self.check_types()?;
        self.check_modes()?;
        self.fields
            .iter()
            .enumerate()
            .try_for_each(|(i, f)| self.check_field(i, f))?;
        self.check_belongs_to()?;
        self.check_claims()?;
        self.check_predicates()?;
        self.check_cycles()?;
        self.check_reminders()
    }

    fn check_purposes(&self) -> Checked {
        if self.purposes.is_empty() {
            return problem("purposes", "at least one purpose is needed");
        }
        if self.level < Level::L2 {
            return problem("level", "a record needs L2 or L3");
        }
        for (purpose, level) in &self.level_by_purpose {
            if !self.purposes.contains(purpose) {
                let text = format!("\"{purpose}\" is not among the kind's purposes");
                return problem("level_by_purpose", text);
            }
            if *level < Level::L2 && purpose != crate::purpose::ACCOUNT_PROOFING {
                return problem(
                    "level_by_purpose",
                    "only the purpose account-proofing may be asked at L1",
                );
            }
        }
        Ok(())
    }

    fn check_words(&self) -> Checked {
        let top = [
            ("name", Some(&self.name)),
            ("about", Some(&self.about)),
            ("statement", self.statement.as_ref()),
            ("not_found_statement", self.not_found_statement.as_ref()),
            ("mark", self.mark.as_ref()),
            ("necessity", self.necessity.as_ref()),
            ("effect", self.effect.as_ref()),
        ];
        let is_blank = |words: &Bilingual| !words.is_complete();
        if let Some((key, _)) = top.into_iter().find(|(_, words)| words.is_some_and(is_blank)) {
            return problem(key, format!("{key} needs words in zh and en"));
        }
        let blank_field = |f: &Field| is_blank(&f.name) || f.note.as_ref().is_some_and(is_blank);
        let blanks = [
            ("key", self.key.iter().position(|k| is_blank(&k.name))),
            ("fields", self.fields.iter().position(blank_field)),
            ("claims", self.claims.iter().position(|c| is_blank(&c.name))),
            (
                "predicates",
                self.predicates.iter().position(|p| is_blank(&p.name)),
            ),
        ];
        match blanks.into_iter().find_map(|(key, at)| Some((key, at?))) {
            Some((key, at)) => problem_at(key, at, "name and note need words in zh and en"),
            None => Ok(()),
        }
    }

    fn check_ids(&self) -> Checked {
        let lists: [(&'static str, Vec<&str>); 4] = [
            ("key", self.key.iter().map(|k| k.id.as_str()).collect()),
            ("fields", self.fields.iter().map(|f| f.id.as_str()).collect()),
            ("claims", self.claims.iter().map(|c| c.id.as_str()).collect()),
            (
                "predicates",
                self.predicates.iter().map(|p| p.id.as_str()).collect(),
            ),
        ];
        for (list, ids) in lists {
            if ids.len() > MAX_PARTS {
                return problem(
                    list,
                    format!("{} entries of {list}, at most {MAX_PARTS} are allowed", ids.len()),
                );
            }
            let separator = if list == "predicates" { '-' } else { '_' };
            if let Some((at, id)) = bad_id(&ids, separator) {
                return problem_at(list, at, format!("the id \"{id}\" is malformed or stands twice"));
            }
        }
        let mut parts = BTreeSet::new();
        match self.parts.iter().find(|p| **p == self.id || !parts.insert(*p)) {
            Some(part) => problem("parts", format!("\"{part}\" stands twice or is the kind itself")),
            None => Ok(()),
        }
    }

    fn check_types(&self) -> Checked {
        let types = self
            .fields
            .iter()
            .map(|f| &f.of_type)
            .enumerate()
            .map(|(i, t)| ("fields", i, t));
        let types = types.chain(self.key.iter().enumerate().map(|(i, k)| ("key", i, &k.of_type)));
        let types = types.chain(
            self.claims
                .iter()
                .enumerate()
                .map(|(i, c)| ("claims", i, &c.of_type)),
        );
        for (list, at, of_type) in types {
            if list != "fields" && matches!(of_type, FieldType::List { .. }) {
                return problem_at(list, at, "only a field may be a list");
            }
            check_type(of_type).or_else(|text| problem_at(list, at, text))?;
        }
        Ok(())
    }

    fn check_modes(&self) -> Checked {
        let offers = |mode| self.modes.contains(&mode);
        if self.modes.is_empty() {
            return problem("modes", "at least one mode is needed");
        }
        if offers(Mode::Read) && self.disclosable().next().is_none() {
            return problem("modes", "mode read needs a field that may be disclosed");
        }
        if !offers(Mode::Match) && !self.claims.is_empty() {
            return problem(
                "modes",
                "claims are asked in mode match, which is not among the modes",
            );
        }
        if offers(Mode::Predicate) == self.predicates.is_empty() {
            return problem("modes", "mode predicate and a list of predicates go together");
        }
        // The list tells keys only, so a record must carry its own key.
        let told = |id: &str| self.disclosable().find(|f| f.id == id).map(|f| &f.of_type);
        let untold = self.key.iter().find(|k| told(&k.id) != Some(&k.of_type));
        match untold
            .map(|k| k.id.as_str())
            .or(self.key.is_empty().then_some(""))
        {
            Some("") if offers(Mode::List) => problem("modes", "mode list needs a key"),
            Some(id) if offers(Mode::List) => problem(
                "modes",
                format!("mode list needs a field \"{id}\" of the same type as the key"),
            ),
            _ => Ok(()),
        }
    }

    fn check_field(&self, at: usize, field: &Field) -> Checked {
        let id = &field.id;
        if field.internal {
            return Ok(());
        }
        if field.describes == Describes::ThirdPerson && field.mask == Mask::Never {
            return problem_at(
                "fields",
                at,
                format!("{id} describes a third person and must be masked"),
            );
        }
        if is_personal(&field.of_type) && field.classification == Classification::General {
            let word = field.of_type.word();
            return problem_at("fields", at, format!("{id}: a {word} is never \"general\""));
        }
        let is_sensitive = field.classification == Classification::Sensitive;
        if field.of_type == FieldType::IdNumber && !is_sensitive {
            return problem_at(
                "fields",
                at,
                format!("{id}: an ID number is handled as \"sensitive\""),
            );
        }
        let lowest = self
            .purposes
            .iter()
            .map(|p| self.level_for(p))
            .min()
            .unwrap_or(self.level);
        if is_sensitive && field.mask == Mask::Never && lowest < Level::L3 {
            return problem_at(
                "fields",
                at,
                format!("{id} is sensitive: the kind needs level L3, or the field a mask"),
            );
        }
        match &field.only_if {
            Some(p) if self.predicate(p).is_none() => problem_at(
                "fields",
                at,
                format!("{id}: only_if names no predicate of this kind, \"{p}\""),
            ),
            _ => Ok(()),
        }
    }

    fn check_belongs_to(&self) -> Checked {
        let belongs = &self.belongs_to;
        if belongs.any_of.is_empty() != belongs.asserted_by_source {
            return problem(
                "belongs_to",
                "name fields in any_of, or say asserted_by_source = true, not both",
            );
        }
        let is_number = |id: &String| self.field(id).is_some_and(|f| f.of_type == FieldType::IdNumber);
        match belongs.any_of.iter().find(|id| !is_number(id)) {
            Some(id) => problem(
                "belongs_to",
                format!("\"{id}\" must be a field of type id_number"),
            ),
            None => Ok(()),
        }
    }

    fn check_claims(&self) -> Checked {
        for (at, claim) in self.claims.iter().enumerate() {
            let mut named = claim.purposes.iter();
            if let Some(purpose) = named.find(|p| !self.purposes.contains(p)) {
                let text = format!("{}: \"{purpose}\" is not among the kind's purposes", claim.id);
                return problem_at("claims", at, text);
            }
        }
        Ok(())
    }

    /// A predicate's answer is never told of what is itself hidden.
    fn check_predicates(&self) -> Checked {
        for (at, p) in self.predicates.iter().enumerate() {
            let wrong = |text: String| problem_at("predicates", at, format!("{}: {text}", p.id));
            let Some(field) = self.field(&p.field) else {
                return wrong(format!("there is no field \"{}\"", p.field));
            };
            if field.internal || field.mask != Mask::Never {
                return wrong(format!("the field \"{}\" is internal or masked", p.field));
            }
            let ordered = matches!(
                field.of_type,
                FieldType::Integer | FieldType::Money | FieldType::Date
            );
            if p.op != Op::Is && !ordered {
                return wrong(format!("a {} has no order", field.of_type.word()));
            }
            if matches!(
                field.of_type,
                FieldType::List { .. } | FieldType::Image | FieldType::DateTime
            ) {
                return wrong(format!("a {} cannot be compared", field.of_type.word()));
            }
            field
                .of_type
                .read(&p.value)
                .map(drop)
                .or_else(|e| wrong(format!("the value is {e}")))?;
        }
        Ok(())
    }

    fn check_cycles(&self) -> Checked {
        for (at, cycle) in self.cycles.iter().enumerate() {
            let is_date = |id: &&str| self.field(id).is_some_and(|f| f.of_type == FieldType::Date);
            if let Some(id) = cycle.fields().into_iter().find(|id| !is_date(id)) {
                let problem = format!("\"{id}\" must be a field of type date");
                return problem_at("cycles", at, problem);
            }
            let is_optional = |id: &&str| self.field(id).is_some_and(|f| f.optional);
            if let Some(id) = [&*cycle.start, &*cycle.end].iter().find(|id| !is_optional(id)) {
                let problem =
                    format!("\"{id}\" must be optional: it is left out where a source contradicts itself");
                return problem_at("cycles", at, problem);
            }
        }
        Ok(())
    }

    fn check_reminders(&self) -> Checked {
        for (at, r) in self.reminders.iter().enumerate() {
            let is_date = |f: &Field| f.of_type == FieldType::Date && !f.internal;
            if !self.field(&r.field).is_some_and(is_date) {
                return problem_at(
                    "reminders",
                    at,
                    format!("\"{}\" must be a field of type date", r.field),
                );
            }
            if r.days_before.is_empty() || r.days_before.len() > 8 {
                return problem_at("reminders", at, "days_before has 1 to 8 entries");
            }
        }
        Ok(())
    }
}

/// What is in a list cannot be masked by itself, so names and numbers of people stand outside of lists.
fn check_type(of_type: &FieldType) -> Result<(), String> {
    match of_type {
        FieldType::Code { codes } => {
            if codes.is_empty() || !codes.values().all(Bilingual::is_complete) {
                return Err("every code needs words in zh and en".into());
            }
            Ok(())
        }
        FieldType::List { items, max_items } => {
            if items.is_empty() || items.len() > MAX_PARTS || *max_items == 0 || *max_items > 1000 {
                return Err("a list has 1 to 64 items and max_items from 1 to 1000".into());
            }
            let ids: Vec<&str> = items.iter().map(|i| i.id.as_str()).collect();
            if let Some((_, id)) = bad_id(&ids, '_') {
                return Err(format!("the item \"{id}\" is malformed or stands twice"));
            }
            items.iter().try_for_each(check_item)
        }
        _ => Ok(()),
    }
}

fn check_item(item: &Item) -> Result<(), String> {
    let id = &item.id;
    let names_somebody = is_personal(&item.of_type) && item.of_type != FieldType::Image;
    if names_somebody || matches!(item.of_type, FieldType::List { .. }) {
        return Err(format!(
            "the item \"{id}\": a {} cannot stand in a list",
            item.of_type.word()
        ));
    }
    if !item.name.is_complete() {
        return Err(format!("the item \"{id}\" needs words in zh and en"));
    }
    check_type(&item.of_type)
}

fn is_personal(of_type: &FieldType) -> bool {
    matches!(
        of_type,
        FieldType::IdNumber | FieldType::PersonName | FieldType::Phone | FieldType::Image
    )
}

/// The first id that is malformed or stands twice.
fn bad_id<'a>(ids: &[&'a str], separator: char) -> Option<(usize, &'a str)> {
    let mut seen = BTreeSet::new();
    ids.iter()
        .copied()
        .enumerate()
        .find(|(_, id)| !is_id(id, separator) || !seen.insert(*id))
}

fn is_id(id: &str, separator: char) -> bool {
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    id.len() <= 48 && id.starts_with(|c: char| c.is_ascii_lowercase()) && id.split(separator).all(word)
}
