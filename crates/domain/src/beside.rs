//! What other sources hold of the same record, compared field by field: where two differ, that is told and not hidden.

use std::{collections::BTreeMap, fmt};

use crate::{
    kind::{Kind, Predicate, Value},
    outcome::Outcome,
    record::{Disclosed, Provenance, Record},
    requester::Relation,
};

/// What a source said that was asked beside the one whose record it is: some of the kind's fields, of the same subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Who says so, and as of when.
    pub by: Provenance,
    /// What it holds.
    pub record: Record,
    /// The fields in which its value stands before the record's own.
    pub leads: Vec<String>,
}

/// One value, and who says so.
#[derive(Clone, PartialEq, Eq)]
pub struct Told {
    /// The value.
    pub value: Value,
    /// Who says so; `None` is the source whose record it is.
    pub by: Option<Provenance>,
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Told(by {:?}, redacted)", self.by.as_ref().map(|p| &p.source))
    }
}

/// Of each field in which another source leads or differs, all that is said, each value once and the leading one
/// first. A field that is not here is as the record has it, and nobody says anything else.
pub type Sayings = BTreeMap<String, Vec<Told>>;

/// What else is said of a field, as far as whoever asks may know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Others {
    /// Nothing else.
    #[default]
    Agree,
    /// Something else; what it is, and by whom, is for the subject alone.
    Withheld,
    /// This, each by another source.
    Told(Vec<Told>),
}

impl Record {
    /// Compares with what other sources hold of the same subject, in the order in which they are asked, and takes up
    /// the leading values. Where a value is the record's own too, the record says it. Internal fields are not compared:
    /// nobody is shown them.
    #[must_use]
    pub fn compare(&mut self, kind: &Kind, beside: Vec<Beside>) -> Sayings {
        let mut sayings = Sayings::new();
        if beside.is_empty() {
            return sayings;
        }
        for field in kind.disclosable() {
            let own = self.0.get(&field.id).map(|value| Told {
                value: value.clone(),
                by: None,
            });
            let theirs = |leading: bool| {
                let said = beside
                    .iter()
                    .filter(move |b| b.leads.contains(&field.id) == leading);
                said.filter_map(|b| {
                    Some(Told {
                        value: b.record.0.get(&field.id)?.clone(),
                        by: Some(b.by.clone()),
                    })
                })
            };
            let told = each_once(theirs(true).chain(own).chain(theirs(false)));
            let [first, rest @ ..] = told.as_slice() else {
                continue;
            };
            if first.by.is_some() || !rest.is_empty() {
                self.0.insert(field.id.clone(), first.value.clone());
                sayings.insert(field.id.clone(), told);
            }
        }
        sayings
    }

    /// The answer to a predicate, with what follows from what others say of its field; `None` where the record lacks
    /// the field.
    #[must_use]
    pub fn result(
        &self,
        kind: &Kind,
        predicate: &Predicate,
        sayings: &Sayings,
        relation: Relation,
    ) -> Option<Disclosed> {
        let word = |holds: bool| {
            let word = if holds { Outcome::Yes } else { Outcome::No };
            Value::Text(word.code().to_owned())
        };
        let answer = |told: &Told| {
            Some(Told {
                value: word(predicate.holds_for(kind, &told.value)?),
                by: told.by.clone(),
            })
        };
        let told = match sayings.get(&predicate.field) {
            Some(told) => each_once(told.iter().filter_map(answer)),
            None => vec![Told {
                value: word(self.holds(kind, predicate)?),
                by: None,
            }],
        };
        Disclosed::of(&predicate.id, told, false, relation)
    }
}

impl Disclosed {
    /// The first of what is told of a field, and of the rest as much as this relation may know.
    pub(crate) fn of(field: &str, told: Vec<Told>, masked: bool, relation: Relation) -> Option<Self> {
        let mut told = told.into_iter();
        let first = told.next()?;
        let others: Vec<Told> = told.collect();
        Some(Disclosed {
            field: field.to_owned(),
            value: first.value,
            masked,
            by: first.by,
            others: match (others.is_empty(), relation) {
                (true, _) => Others::Agree,
                (false, Relation::Own) => Others::Told(others),
                (false, Relation::Claimed | Relation::Other) => Others::Withheld,
            },
        })
    }
}

/// Every value where it stands first; one that the record has itself is the record's.
fn each_once(said: impl Iterator<Item = Told>) -> Vec<Told> {
    let mut each: Vec<Told> = vec![];
    for told in said {
        match each.iter_mut().find(|known| known.value == told.value) {
            Some(known) if told.by.is_none() => known.by = None,
            Some(_) => {}
            None => each.push(told),
        }
    }
    each
}
