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
            metrics::counter!(
                "mingcha_disagreements_total",
                "kind" => kind.to_owned(), "field" => field.clone(), "leading" => by(leading), "other" => by(other)
            )
            .increment(1);
        }
    }
}

/// Who was asked beside and could not say anything in time.
pub(super) fn not_compared(asked: &[AskedBeside]) -> Vec<String> {
    let failed = asked.iter().filter(|asked| asked.outcome.is_failure());
    failed.map(|asked| asked.source.clone()).collect()
}
