//! A look-up's question once it is parsed: typed values only, checked against the kind.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::civil::Date;
use serde_json::Value as Json;

use crate::{
    decision::{Reason, Shown},
    identifiers::{IdNumber, IdentifierError, PersonName, Plate, PlateClass},
    kind::{Field, FieldType, KeyPart, Kind, LoadedKind, Mask, Value, ValueError},
    purpose::{Purpose, PurposeRegister},
    words::{LegalBasis, Level, Mode},
};

/// The person asked about, as the requester named them.
#[derive(Clone)]
pub enum SubjectRef {
    /// The requester's own proven self (`"subject": "self"`).
    Own,
    /// Somebody by name and number; without a grant it is refused, and the refusal is sealed.
    Person(Person),
}

/// A person's name and number.
#[derive(Clone)]
pub struct Person {
    /// As on the document.
    pub name: PersonName,
    /// In normal form.
    pub id_number: IdNumber,
}

impl fmt::Debug for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SubjectRef::Own => "Own",
            SubjectRef::Person(_) => "Person(redacted)",
        })
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(redacted)")
    }
}

/// One parsed question.
#[derive(Debug, Clone)]
pub struct LookupRequest {
    /// The kind asked for.
    pub kind: Arc<LoadedKind>,
    /// The mode.
    pub mode: Mode,
    /// About whom.
    pub subject: SubjectRef,
    /// The key's parts.
    pub key: BTreeMap<String, Value>,
    /// The fields wanted; all disclosable ones where the requester named none.
    pub fields: Arc<[String]>,
    /// Fields wanted without their mask.
    pub reveal: Vec<String>,
    /// Values claimed in mode `match`.
    pub claims: BTreeMap<String, Value>,
    /// Predicates asked in mode `predicate`.
    pub predicates: Vec<String>,
    /// The purpose's code.
    pub purpose: String,
    /// The basis; the purpose's first where the requester named none.
    pub basis: LegalBasis,
}

/// The raw parts of a question, as the API or a form carries them.
#[derive(Clone, Default)]
pub struct RawLookup {
    /// The key's parts by id.
    pub key: BTreeMap<String, Json>,
    /// Fields wanted.
    pub fields: Option<Vec<String>>,
    /// Fields wanted without their mask.
    pub reveal: Vec<String>,
    /// Claimed values by id.
    pub claims: BTreeMap<String, Json>,
    /// Predicates wanted.
    pub predicates: Vec<String>,
    /// The purpose's code.
    pub purpose: String,
    /// The basis, if named.
    pub basis: Option<LegalBasis>,
}

impl fmt::Debug for RawLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawLookup(redacted)")
    }
}

/// What is wrong with a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestProblem {
    /// A coded reason that the requester may see, with the part of the request that it is about.
    Refused {
        /// The code.
        reason: Reason,
        /// The part of the request, such as `fields[2]` or `purpose`.
        at: String,
    },
    /// A value is missing or malformed; `expected` names its type.
    BadValue {
        /// The part of the request, such as `key.plate`.
        at: String,
        /// The type expected there.
        expected: &'static str,
        /// What is wrong with an identifier, and where, if it is one; it never repeats it.
        why: Option<IdentifierError>,
    },
}

fn refused(reason: Reason, at: impl Into<String>) -> RequestProblem {
    RequestProblem::Refused {
        reason,
        at: at.into(),
    }
}

/// The value at that part of the request is not of its type.
fn unread(at: String, error: ValueError) -> RequestProblem {
    RequestProblem::BadValue {
        at,
        expected: error.expected,
        why: error.why,
    }
}

impl LookupRequest {
    /// Parses the parts against the kind and the register: all that depends on the request and register alone.
    ///
    /// # Errors
    /// The first part that is wrong. Nothing has been read about anybody.
    pub fn parse(
        kind: &Arc<LoadedKind>,
        mode: Mode,
        subject: SubjectRef,
        raw: &RawLookup,
        register: &PurposeRegister,
        today: Date,
    ) -> Result<Self, RequestProblem> {
        let k = &kind.kind;
        if !k.modes.contains(&mode) {
            return Err(refused(Reason::FieldNotInKind, "mode"));
        }
        let purpose = register
            .get(&raw.purpose)
            .filter(|p| k.purposes.contains(&p.code))
            .ok_or_else(|| refused(Reason::PurposeNotRegistered, "purpose"))?;
        let basis = raw
            .basis
            .or(purpose.bases.first().copied())
            .filter(|b| purpose.bases.contains(b));
        let basis = basis.ok_or_else(|| refused(Reason::PurposeNotRegistered, "basis"))?;
        let (fields, reveal) = parse_fields(kind, mode, raw, purpose)?;
        Ok(LookupRequest {
            kind: Arc::clone(kind),
            mode,
            subject,
            key: parse_key(k, mode, raw, today)?,
            fields,
            reveal,
            claims: parse_claims(k, mode, raw, purpose, today)?,
            predicates: parse_predicates(k, mode, raw, purpose)?,
            purpose: purpose.code.clone(),
            basis,
        })
    }

    /// The level that this question needs.
    #[must_use]
    pub fn needed_level(&self) -> Level {
        let level = self.kind.kind.level_for(&self.purpose);
        if self.reveal.is_empty() {
            level
        } else {
            level.max(Level::L3)
        }
    }

    /// How a field that is permitted will be shown.
    #[must_use]
    pub fn shown(&self, field: &Field) -> Shown {
        match field.mask {
            Mask::Never => Shown::Full,
            Mask::UntilRevealed if self.reveal.contains(&field.id) => Shown::Full,
            Mask::UntilRevealed | Mask::Always => Shown::Masked,
        }
    }
}

fn parse_fields(
    loaded: &LoadedKind,
    mode: Mode,
    raw: &RawLookup,
    purpose: &Purpose,
) -> Result<(Arc<[String]>, Vec<String>), RequestProblem> {
    let kind = &loaded.kind;
    if mode != Mode::Read {
        let none = raw.fields.as_ref().is_none_or(Vec::is_empty) && raw.reveal.is_empty();
        return if none {
            Ok((Arc::default(), vec![]))
        } else {
            Err(refused(Reason::FieldNotInKind, "fields"))
        };
    }
    let fields = match &raw.fields {
        Some(named) => named_fields(kind, named, purpose)?,
        None if !purpose.fields.contains_key(&kind.id) => Arc::clone(&loaded.disclosable),
        None => {
            let serving = loaded
                .disclosable
                .iter()
                .filter(|id| purpose.serves(&kind.id, id));
            serving.cloned().collect()
        }
    };
    if fields.is_empty() {
        return Err(RequestProblem::BadValue {
            at: "fields".into(),
            expected: "list of at least one field",
            why: None,
        });
    }
    for (i, id) in raw.reveal.iter().enumerate() {
        let revealable = kind.field(id).is_some_and(|f| f.mask == Mask::UntilRevealed) && fields.contains(id);
        if !revealable || raw.reveal[..i].contains(id) {
            return Err(refused(Reason::FieldNotInKind, format!("reveal[{i}]")));
        }
    }
    Ok((fields, raw.reveal.clone()))
}

fn named_fields(kind: &Kind, named: &[String], purpose: &Purpose) -> Result<Arc<[String]>, RequestProblem> {
    for (i, id) in named.iter().enumerate() {
        let known = kind.disclosable().any(|f| f.id == *id);
        if !known || named[..i].contains(id) {
            return Err(refused(Reason::FieldNotInKind, format!("fields[{i}]")));
        }
        if !purpose.serves(&kind.id, id) {
            return Err(refused(Reason::PurposeNotRegistered, format!("fields[{i}]")));
        }
    }
    Ok(named.into())
}

fn parse_key(
    kind: &Kind,
    mode: Mode,
    raw: &RawLookup,
    today: Date,
) -> Result<BTreeMap<String, Value>, RequestProblem> {
    let wanted: &[_] = if mode == Mode::List { &[] } else { &kind.key };
    if let Some(extra) = raw.key.keys().find(|id| !wanted.iter().any(|k| k.id == **id)) {
        return Err(refused(Reason::FieldNotInKind, format!("key.{}", bounded(extra))));
    }
    let mut key = BTreeMap::new();
    for part in wanted {
        let value = raw.key.get(&part.id).unwrap_or(&Json::Null);
        let value = part.of_type.read_asked(value, today);
        let value = value.map_err(|error| unread(format!("key.{}", part.id), error))?;
        key.insert(part.id.clone(), value);
    }
    demand_class(wanted, &key)?;
    Ok(key)
}

/// Refuses a plate with a class that no such plate has: the question would be sealed and sent, and its answer would
/// read as if the vehicle were somebody else's.
fn demand_class(parts: &[KeyPart], key: &BTreeMap<String, Value>) -> Result<(), RequestProblem> {
    let text = |part: &KeyPart| key.get(&part.id).map(|value| value.text().into_owned());
    let of_type = |wanted| parts.iter().find(|part| part.of_type == wanted);
    let (Some(plate), Some(class)) = (of_type(FieldType::Plate), of_type(FieldType::PlateClass)) else {
        return Ok(());
    };
    let parsed = (
        text(plate).and_then(|plate| Plate::parse(&plate).ok()),
        text(class).and_then(|class| PlateClass::parse(&class).ok()),
    );
    match parsed {
        (Some(plate), Some(typed)) if !plate.value.fits(typed) => Err(RequestProblem::BadValue {
            at: format!("key.{}", class.id),
            expected: class.of_type.word(),
            why: Some(IdentifierError::PlateClassMismatch),
        }),
        _ => Ok(()),
    }
}

fn parse_claims(
    kind: &Kind,
    mode: Mode,
    raw: &RawLookup,
    purpose: &Purpose,
    today: Date,
) -> Result<BTreeMap<String, Value>, RequestProblem> {
    let mut claims = BTreeMap::new();
    for (id, value) in &raw.claims {
        let at = format!("claims.{}", bounded(id));
        let claim = kind.claim(id).filter(|_| mode == Mode::Match);
        let claim = claim.ok_or_else(|| refused(Reason::FieldNotInKind, at.clone()))?;
        if !purpose.serves(&kind.id, id) || !claim.is_for(&purpose.code) {
            return Err(refused(Reason::PurposeNotRegistered, at));
        }
        let value = claim.of_type.read_asked(value, today);
        claims.insert(id.clone(), value.map_err(|error| unread(at, error))?);
    }
    Ok(claims)
}

fn parse_predicates(
    kind: &Kind,
    mode: Mode,
    raw: &RawLookup,
    purpose: &Purpose,
) -> Result<Vec<String>, RequestProblem> {
    if mode == Mode::Predicate && raw.predicates.is_empty() {
        return Err(RequestProblem::BadValue {
            at: "predicates".into(),
            expected: "list of at least one predicate",
            why: None,
        });
    }
    for (i, id) in raw.predicates.iter().enumerate() {
        let predicate = kind
            .predicate(id)
            .filter(|_| mode == Mode::Predicate && !raw.predicates[..i].contains(id));
        let predicate =
            predicate.ok_or_else(|| refused(Reason::FieldNotInKind, format!("predicates[{i}]")))?;
        if !purpose.serves(&kind.id, &predicate.field) {
            return Err(refused(Reason::PurposeNotRegistered, format!("predicates[{i}]")));
        }
    }
    Ok(raw.predicates.clone())
}

/// A name that a stranger made up, repeated only where it reads like a name of ours: it may be anybody's number.
fn bounded(text: &str) -> &str {
    let like_ours = |c: char| c.is_ascii_lowercase() || c == '_';
    if text.len() <= 48 && text.chars().all(like_ours) {
        text
    } else {
        "?"
    }
}
