//! What of the sources' answers may be disclosed: permitted fields, masked, and where sources differ, as much of it as
//! whoever asks may know.

use domain::{
    beside::{Sayings, Told},
    kind::Row,
    outcome::Outcome,
    record::{Disclosed, Provenance, Record},
    requester::Relation,
    words::Mode,
};
use sources::{Answer, AskedBeside};

use super::Intent;

/// What of the source's answer may be disclosed.
pub(super) fn minimise(intent: &Intent, answer: &mut Answer) -> (Outcome, Vec<Disclosed>, Vec<Row>) {
    let (request, kind) = (&intent.request, &intent.request.kind.kind);
    let (outcome, record, rows) = (
        answer.outcome,
        answer.record.take(),
        std::mem::take(&mut answer.rows),
    );
    if intent.relation == Relation::Claimed && outcome.is_release() && outcome != Outcome::Match {
        // One answer for every way of not being proven.
        return (Outcome::Mismatch, vec![], vec![]);
    }
    let Some(mut record) = record.filter(|_| outcome == Outcome::Found) else {
        return (
            outcome,
            vec![],
            if outcome == Outcome::Found { rows } else { vec![] },
        );
    };
    // INVARIANT: checked by the sources already; a record about anybody else never passes here either.
    let is_theirs = |r: &Record| r.belongs_to(kind, &intent.person.id_number) && r.answers(request);
    if !is_theirs(&record) {
        return (Outcome::NotFound, vec![], vec![]);
    }
    let beside = answer.beside.iter().filter_map(|asked| asked.said.clone());
    let sayings = record.compare(kind, beside.filter(|b| is_theirs(&b.record)).collect());
    count_disagreements(&kind.id, answer.provenance.as_ref(), &sayings);
    if request.mode != Mode::Predicate {
        let disclosed = record.minimise(request, &request.fields, sayings, intent.relation);
        return (outcome, disclosed, vec![]);
    }
    let predicates = request.predicates.iter().filter_map(|id| kind.predicate(id));
    let results = predicates.map(|predicate| record.result(kind, predicate, &sayings, intent.relation));
    match results.collect() {
        Some(results) => (outcome, results, vec![]),
        None => (Outcome::CannotCompare, vec![], vec![]),
    }
}

/// Counts where sources differ, so that the operator sees whom to ask: ids of ours, and no value.
fn count_disagreements(kind: &str, answering: Option<&Provenance>, sayings: &Sayings) {
    for (field, told) in sayings {
        let by = |told: &Told| {
            let by = told.by.as_ref().or(answering);
            by.map(|p| p.source.clone()).unwrap_or_default()
        };
        let [leading, others @ ..] = told.as_slice() else {
            continue;
        };
        for other in others {
            let labels = [
                ("kind", kind.to_owned()),
                ("field", field.to_string()),
                ("leading", by(leading)),
                ("other", by(other)),
            ];
            metrics::counter!("mingcha_disagreements_total", &labels).increment(1);
        }
    }
}

/// Who was asked beside and could not say anything in time.
pub(super) fn not_compared(asked: &[AskedBeside]) -> Vec<String> {
    let failed = asked.iter().filter(|asked| asked.outcome.is_failure());
    failed.map(|asked| asked.source.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use domain::{
        beside::{Beside, Others},
        identifiers::{IdNumber, PersonName},
        ids::{AccountId, LookupId, SessionId, SubjectId},
        kind::{Field, FieldType, LoadedKind, Value},
        lookup::{LookupRequest, Person, RawLookup, SubjectRef},
        purpose::{Purpose, PurposeRegister},
        record::Authenticity,
        requester::{Requester, Role},
        words::{Bilingual, Freshness, LegalBasis, Level},
    };
    use jiff::civil::{Date, date};
    use tokio::time::Instant;

    use super::*;

    const TODAY: Date = date(2026, 11, 22);

    fn is_shown_date(field: &&Field) -> bool {
        field.of_type == FieldType::Date && !field.internal && field.only_if.is_none()
    }

    /// Any kind without a key that shows a date, and the date's field.
    fn kind() -> (Arc<LoadedKind>, String) {
        let kinds = crate::start::kinds(None).unwrap();
        let kind = kinds.in_order().into_iter().find(|kind| {
            let k = &kind.kind;
            k.key.is_empty() && k.modes.contains(&Mode::Read) && k.fields.iter().any(|f| is_shown_date(&f))
        });
        let kind = Arc::clone(kind.unwrap());
        let field = kind.kind.fields.iter().find(is_shown_date).unwrap().id.clone();
        (kind, field)
    }

    fn person(sequence: u16) -> Person {
        Person {
            name: PersonName::parse("甲某").unwrap().value,
            id_number: IdNumber::compose("110104", date(1990, 1, 1), sequence).unwrap(),
        }
    }

    fn intent(kind: &Arc<LoadedKind>, field: &str, relation: Relation) -> Intent {
        let purpose = Purpose {
            code: kind.kind.purposes[0].clone(),
            name: Bilingual::new("查", "see"),
            bases: vec![LegalBasis::Contract],
            pia: None,
            fields: BTreeMap::new(),
        };
        let raw = RawLookup {
            purpose: purpose.code.clone(),
            fields: Some(vec![field.to_owned()]),
            ..RawLookup::default()
        };
        let register = PurposeRegister::new(vec![purpose]).unwrap();
        let request = LookupRequest::parse(kind, Mode::Read, SubjectRef::Own, &raw, &register, TODAY);
        Intent {
            lookup: LookupId::from_bytes([1; 16]),
            owner: SubjectId::from_bytes([2; 16]),
            person: person(1),
            relation,
            request: request.unwrap(),
            requester: Requester {
                role: Role::Person,
                account: AccountId::from_bytes([3; 16]),
                session: SessionId::from_bytes([4; 16]),
                subject: None,
                level: Level::L3,
                standing: None,
            },
            portrait: None,
            wanted: sources::Wanted::default(),
            shared: ledger::Shared::new(ledger::EntryType::Intent, 0, vec![2]),
            repeats: false,
            arrived: Instant::now(),
        }
    }

    fn record(kind: &LoadedKind, field: &str, year: i16, of: u16) -> Record {
        let owner = kind.kind.belongs_to.any_of[0].clone();
        let number = Value::Text(person(of).id_number.expose().to_owned());
        Record(
            [
                (owner.into(), number),
                (field.into(), Value::Date(date(year, 1, 1))),
            ]
            .into(),
        )
    }

    /// A second source that holds another year, in a record of this person.
    fn answer(kind: &LoadedKind, field: &str, of: u16) -> Answer {
        let by = |source: &str| Provenance {
            source: source.to_owned(),
            as_of: None,
            freshness: Freshness::Realtime,
            authenticity: Authenticity::Session,
            mapping_version: 1,
        };
        Answer {
            outcome: Outcome::Found,
            record: Some(record(kind, field, 2020, 1)),
            rows: vec![],
            provenance: Some(by("first")),
            staler: false,
            elsewhere: None,
            not_live: false,
            report: None,
            beside: vec![AskedBeside {
                source: "second".to_owned(),
                outcome: Outcome::Found,
                said: Some(Beside {
                    by: by("second"),
                    record: record(kind, field, 2021, of),
                    leads: vec![],
                }),
            }],
        }
    }

    #[test]
    fn what_another_source_says_is_for_the_subject_alone() {
        let (kind, field) = kind();
        let others = |relation, of| {
            let (outcome, disclosed, _) =
                minimise(&intent(&kind, &field, relation), &mut answer(&kind, &field, of));
            assert_eq!((outcome, disclosed.len()), (Outcome::Found, 1));
            assert_eq!(disclosed[0].value, Value::Date(date(2020, 1, 1)));
            disclosed[0].others.clone()
        };
        let Others::Told(told) = others(Relation::Own, 1) else {
            panic!("the subject sees it")
        };
        assert_eq!(told[0].value, Value::Date(date(2021, 1, 1)));
        assert_eq!(others(Relation::Other, 1), Others::Withheld);
        assert_eq!(
            others(Relation::Own, 2),
            Others::Agree,
            "a record of somebody else is dropped here too"
        );
    }
}
