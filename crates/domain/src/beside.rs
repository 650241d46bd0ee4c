//! What other sources hold of the same record, compared field by field: where two differ, that is told and not hidden.

use std::{collections::BTreeMap, fmt, sync::Arc};

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
pub type Sayings = BTreeMap<Arc<str>, Vec<Told>>;

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
            let own = self.0.get(field.id.as_str()).map(|value| Told {
                value: value.clone(),
                by: None,
            });
            let theirs = |leading: bool| {
                let said = beside
                    .iter()
                    .filter(move |b| b.leads.contains(&field.id) == leading);
                said.filter_map(|b| {
                    Some(Told {
                        value: b.record.0.get(field.id.as_str())?.clone(),
                        by: Some(b.by.clone()),
                    })
                })
            };
            let told = each_once(theirs(true).chain(own).chain(theirs(false)));
            let [first, rest @ ..] = told.as_slice() else {
                continue;
            };
            if first.by.is_some() || !rest.is_empty() {
                let id: Arc<str> = field.id.as_str().into();
                self.0.insert(Arc::clone(&id), first.value.clone());
                sayings.insert(id, told);
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
        let told = match sayings.get(predicate.field.as_str()) {
            Some(told) => each_once(told.iter().filter_map(answer)),
            None => vec![Told {
                value: word(self.holds(kind, predicate)?),
                by: None,
            }],
        };
        Disclosed::of(predicate.id.as_str().into(), told, false, relation)
    }
}

impl Disclosed {
    /// The first of what is told of a field, and of the rest as much as this relation may know.
    pub(crate) fn of(field: Arc<str>, told: Vec<Told>, masked: bool, relation: Relation) -> Option<Self> {
        let mut told = told.into_iter();
        let first = told.next()?;
        let others: Vec<Told> = told.collect();
        Some(Disclosed {
            field,
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        kind::{Catalogue, KindFolder, LoadedKind, SLOTS},
        lookup::{LookupRequest, RawLookup, SubjectRef},
        purpose::{Purpose, PurposeRegister},
        record::Authenticity,
        words::{Bilingual, Freshness, LegalBasis, Mode},
    };

    const KIND: &str = r#"
        id = "car"
        version = 1
        name = { zh = "车", en = "Car" }
        about = { zh = "车。", en = "A car." }
        modes = ["read", "predicate"]
        level = "L2"
        purposes = ["own-information"]
        freshness = "daily"
        retention = { answer_minutes = 10, evidence_years = 3 }
        belongs_to = { any_of = ["owner"] }
        [[fields]]
        id = "seats"
        name = { zh = "座位", en = "Seats" }
        type = "integer"
        classification = "general"
        optional = true
        [[fields]]
        id = "driver"
        name = { zh = "驾驶人", en = "Driver" }
        type = "person_name"
        classification = "personal"
        describes = "third-person"
        mask = "always"
        optional = true
        [[fields]]
        id = "owner"
        name = { zh = "所有人", en = "Owner" }
        type = "id_number"
        classification = "sensitive"
        internal = true
        [[predicates]]
        id = "many-seats"
        name = { zh = "大车", en = "Large" }
        field = "seats"
        op = "at-least"
        value = 6
    "#;

    fn kind() -> Arc<LoadedKind> {
        let notice = SLOTS.map(|slot| format!("{{{{{slot}}}}}")).join(" ");
        let files = [
            ("kind.toml", KIND),
            ("notice.zh.md", &notice),
            ("notice.en.md", &notice),
        ];
        let folder = KindFolder {
            name: "car".into(),
            files: files
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .into(),
            loaded: false,
        };
        Arc::clone(Catalogue::new(&[folder]).unwrap().get("car").unwrap())
    }

    fn request(kind: &Arc<LoadedKind>) -> LookupRequest {
        let purpose = Purpose {
            code: "own-information".into(),
            name: Bilingual::new("查", "see"),
            bases: vec![LegalBasis::Contract],
            pia: None,
            fields: BTreeMap::new(),
        };
        let raw = RawLookup {
            purpose: purpose.code.clone(),
            ..RawLookup::default()
        };
        let register = PurposeRegister::new(vec![purpose]).unwrap();
        LookupRequest::parse(
            kind,
            Mode::Read,
            SubjectRef::Own,
            &raw,
            &register,
            date(2026, 11, 22),
        )
        .unwrap()
    }

    fn record(seats: Option<i64>) -> Record {
        let owner = Value::Text("owner".into());
        let seats = seats.map(|n| ("seats".into(), Value::Integer(n)));
        Record(seats.into_iter().chain([("owner".into(), owner)]).collect())
    }

    fn beside(source: &str, seats: Option<i64>, leads: bool) -> Beside {
        Beside {
            by: Provenance {
                source: source.into(),
                as_of: None,
                freshness: Freshness::Daily,
                authenticity: Authenticity::Session,
                mapping_version: 1,
            },
            record: record(seats),
            leads: leads.then(|| "seats".to_owned()).into_iter().collect(),
        }
    }

    proptest! {
        /// Said a second time, as rules over lists: who leads, what stands, what is told and to whom.
        #[test]
        fn every_value_stands_once_and_the_leading_one_first(
            own in prop::option::of(4i64..8),
            others in prop::collection::vec((prop::option::of(4i64..8), any::<bool>()), 0..4),
        ) {
            let kind = kind();
            let all: Vec<_> = others.iter().enumerate()
                .map(|(n, (seats, leads))| beside(&format!("s{n}"), *seats, *leads))
                .collect();
            let mut compared = record(own);
            let sayings = compared.compare(&kind.kind, all.clone());
            let leading = others.iter().filter(|(_, leads)| *leads).filter_map(|(seats, _)| *seats);
            let following = others.iter().filter(|(_, leads)| !leads).filter_map(|(seats, _)| *seats);
            let mut expected: Vec<i64> = vec![];
            for seats in leading.chain(own).chain(following) {
                if !expected.contains(&seats) {
                    expected.push(seats);
                }
            }
            let integer = |value: &Value| match value { Value::Integer(n) => *n, _ => 0 };
            let differs = expected.len() > 1;
            prop_assert_eq!(compared.0.get("seats").map(integer), expected.first().copied());
            prop_assert_eq!(sayings.contains_key("seats"), differs || (own.is_none() && !expected.is_empty()));
            prop_assert!(!sayings.contains_key("owner"), "nobody is shown it");
            if let Some(told) = sayings.get("seats") {
                prop_assert_eq!(&told.iter().map(|t| integer(&t.value)).collect::<Vec<_>>(), &expected);
                for t in told {
                    prop_assert_eq!(t.by.is_none(), Some(integer(&t.value)) == own);
                }
            }
            for relation in [Relation::Own, Relation::Claimed, Relation::Other] {
                let request = request(&kind);
                let disclosed = compared.clone().minimise(&request, &request.fields, sayings.clone(), relation);
                let told = disclosed.first().map(|d| match &d.others {
                    Others::Agree => 0,
                    Others::Withheld => -1,
                    Others::Told(others) => i64::try_from(others.len()).unwrap(),
                });
                let rest = i64::try_from(expected.len()).unwrap() - 1;
                let may = if relation == Relation::Own { rest } else { -i64::from(differs) };
                prop_assert_eq!(told, (!expected.is_empty()).then_some(may));
                let nothing = compared.clone().minimise(&request, &[], sayings.clone(), relation);
                prop_assert!(nothing.is_empty(), "what is not permitted is not told by others either");
            }
        }
    }

    #[test]
    fn what_others_say_stands_behind_the_same_mask() {
        let kind = kind();
        let name = |text: &str| Value::Text(text.to_owned());
        let mut own = record(None);
        own.0.insert("driver".into(), name("王小明"));
        let mut other = beside("s", None, false);
        other.record.0.insert("driver".into(), name("李大"));
        let request = request(&kind);
        let sayings = own.compare(&kind.kind, vec![other]);
        let disclosed = own.minimise(&request, &request.fields, sayings, Relation::Own);
        let [driver] = disclosed.as_slice() else {
            panic!("{disclosed:?}")
        };
        let Others::Told(others) = &driver.others else {
            panic!("{driver:?}")
        };
        assert!(driver.masked);
        for value in [&driver.value, &others[0].value] {
            assert!(value.text().contains('*'), "{}", value.text());
        }
    }

    #[test]
    fn a_rule_differs_only_where_its_answer_does() {
        let kind = kind();
        let rule = &kind.kind.predicates[0];
        for (theirs, others) in [(7, 1), (4, 0), (5, 0)] {
            let mut own = record(Some(5));
            let sayings = own.compare(&kind.kind, vec![beside("s", Some(theirs), false)]);
            let told = own.result(&kind.kind, rule, &sayings, Relation::Own).unwrap();
            assert_eq!(told.value.text(), "no");
            let count = match &told.others {
                Others::Told(others) => others.len(),
                Others::Agree | Others::Withheld => 0,
            };
            assert_eq!(count, others, "5 seats or {theirs}");
            let flag = own
                .result(&kind.kind, rule, &sayings, Relation::Other)
                .unwrap()
                .others;
            assert_eq!(flag == Others::Withheld, others > 0);
        }
        assert_eq!(
            record(None).result(&kind.kind, rule, &Sayings::new(), Relation::Own),
            None
        );
    }
}
