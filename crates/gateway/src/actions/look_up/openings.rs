//! The openings of a look-up's entries: what requester and subject may read, and what subject and auditor may.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    beside::{Others, Told},
    ids::{LookupId, SubjectId},
    kind::{Row, Value},
    lookup::LookupRequest,
    record::{Disclosed, Provenance},
    requester::Requester,
    time::Timestamp,
    words::{AskedFreshness, Mode},
};
use ledger::{Chain, EntryType, Hash, Salt, Shared, cbor, opening};
use sources::{AskedBeside, Wanted};

use super::{
    Ask,
    answered::{AnsweredField, AnsweredOther, AnsweredSource, WrittenSalt},
};
use crate::app::App;

/// Under which names the chain opening tells what was wanted of whoever answers.
const WANTED_FRESHNESS: &str = "wanted.freshness";
const WANTED_REGION: &str = "wanted.region";

pub(super) fn bare_shared(
    app: &App,
    requester: &Requester,
    owner: SubjectId,
    lookup: LookupId,
    question: &Ask,
) -> Shared {
    let pairwise = app.store.pairwise(requester.account, owner);
    let mut shared = Shared::new(EntryType::Intent, 0, pairwise);
    shared.lookup = Some(lookup.bytes());
    // Known: an unknown kind is wrong input and leaves no entry. The purpose may be anything; it is not sealed.
    shared.kind = Some(question.kind.clone());
    shared.mode = Some(question.mode.code().to_owned());
    shared.policy = Some(app.policy_version());
    shared
}

pub(super) fn shared_of(
    app: &App,
    requester: &Requester,
    owner: SubjectId,
    lookup: LookupId,
    request: &LookupRequest,
) -> Shared {
    let kind = &request.kind.kind;
    let mut shared = Shared::new(EntryType::Intent, 0, app.store.pairwise(requester.account, owner));
    shared.lookup = Some(lookup.bytes());
    shared.purpose = Some(request.purpose.clone());
    shared.basis = Some(request.basis.code().to_owned());
    shared.kind = Some(kind.id.clone());
    shared.kind_version = Some(kind.version.to_string());
    shared.mode = Some(request.mode.code().to_owned());
    shared.fields = match request.mode {
        Mode::Read => Arc::clone(&request.fields),
        Mode::Match => request.claims.keys().cloned().collect(),
        Mode::Predicate => request.predicates.as_slice().into(),
        Mode::List => Arc::default(),
    };
    shared.policy = Some(app.policy_version());
    shared
}

pub(super) fn say_provenance(shared: &mut Shared, provenance: &Provenance) {
    shared.source = Some(provenance.source.clone());
    shared.as_of = provenance.as_of.map(|t: Timestamp| t.0);
    shared.mapping = Some(provenance.mapping_version.to_string());
    shared.authenticity = Some(match provenance.authenticity {
        domain::record::Authenticity::Signed => opening::Authenticity::Signed,
        domain::record::Authenticity::Session => opening::Authenticity::Session,
    });
}

/// The chain opening: who truly asked, by which key, of whom they wanted the answer, with which reasons.
pub(super) fn chain_of(
    requester: &Requester,
    reasons: Vec<String>,
    request: Option<&LookupRequest>,
    wanted: Wanted,
) -> Chain {
    let mut detail = BTreeMap::new();
    if let Some(request) = request {
        say_wanted(&mut detail, wanted);
        for (id, value) in &request.key {
            detail.insert(format!("key.{id}"), cbor::Value::Text(value.text().into_owned()));
        }
        for field in &request.reveal {
            detail.insert(format!("reveal.{field}"), cbor::Value::Bool(true));
        }
    }
    Chain {
        owner: [0; 16],
        sequence: 0,
        previous: Hash::ZERO,
        reasons,
        requester: opening::Requester {
            role: requester.role.code().to_owned(),
            id: requester.account.bytes().to_vec(),
            level: requester.level as u8 + 1,
        },
        detail,
    }
}

/// Notes what was wanted of whoever answers, where it is not what silence means.
fn say_wanted(detail: &mut BTreeMap<String, cbor::Value>, wanted: Wanted) {
    let mut say = |name: &str, text| detail.insert(name.to_owned(), cbor::Value::Text(text));
    if wanted.freshness != AskedFreshness::default() {
        say(WANTED_FRESHNESS, wanted.freshness.code().to_owned());
    }
    if let Some(region) = wanted.region {
        say(WANTED_REGION, format!("{:06}", region.code()));
    }
}

/// What was wanted, as the chain opening of an entry tells it; `None` where it cannot be understood any more. Entries
/// of before it was noted say nothing of it, like whoever wanted nothing in particular.
pub(in crate::actions) fn wanted_of(chain: &Chain) -> Option<Wanted> {
    let text = |name| match chain.detail.get(name) {
        None => Some(None),
        Some(cbor::Value::Text(text)) => Some(Some(text.as_str())),
        Some(_) => None,
    };
    super::wanted(text(WANTED_FRESHNESS)?, text(WANTED_REGION)?).ok()
}

/// Who was asked beside the source that answered, and what came of it: for the subject and the auditor.
pub(super) fn say_beside(chain: &mut Chain, asked: Vec<AskedBeside>) {
    use cbor::Value::{Int, Map, Text};
    for one in asked {
        let mut detail = BTreeMap::from([("outcome".to_owned(), Text(one.outcome.code().to_owned()))]);
        if let Some(by) = one.said.map(|said| said.by) {
            detail.insert("mapping".to_owned(), Text(by.mapping_version.to_string()));
            detail.insert("authenticity".to_owned(), Text(by.authenticity.code().to_owned()));
            detail.extend(by.as_of.map(|t| ("as_of".to_owned(), Int(t.0))));
        }
        chain.detail.insert(format!("beside.{}", one.source), Map(detail));
    }
}

/// Commits every value that is told: under the field's id what the entry's own source says, and under `field@source`
/// what another says, with the same salted commitment over that name. Neither ids of fields nor of sources have an
/// `@`, so that no two names meet [format].
pub(super) fn commit_fields(app: &App, shared: &mut Shared, disclosed: Vec<Disclosed>) -> Vec<AnsweredField> {
    let mut commitments = Vec::with_capacity(disclosed.len());
    let mut commit = |field: &Arc<str>, value: &Value, by: Option<&Provenance>| {
        let name = by.map_or_else(|| Arc::clone(field), |by| format!("{field}@{}", by.source).into());
        let salt = Salt::new(app.store.random().bytes());
        let commitment = opening::field_commitment(&name, &value.text(), &salt);
        commitments.push((name, commitment));
        WrittenSalt(salt)
    };
    let mut fields = Vec::with_capacity(disclosed.len());
    for d in disclosed {
        let salt = commit(&d.field, &d.value, d.by.as_ref());
        let disagrees = d.others != Others::Agree;
        let others = match d.others {
            Others::Agree | Others::Withheld => vec![],
            Others::Told(others) => others,
        };
        let other = |told: Told| AnsweredOther {
            salt: commit(&d.field, &told.value, told.by.as_ref()),
            value: told.value.into_json(),
            by: told.by.map(AnsweredSource::from),
        };
        fields.push(AnsweredField {
            others: others.into_iter().map(other).collect(),
            id: d.field,
            value: d.value.into_json(),
            masked: d.masked,
            salt,
            by: d.by.map(AnsweredSource::from),
            disagrees,
        });
    }
    // Nothing is told before.
    shared.disclosed = commitments.into_iter().collect();
    fields
}

/// The keys of mode `list`, and the salt of the one commitment to all of them; none where there are no keys.
pub(super) fn commit_rows(
    app: &App,
    shared: &mut Shared,
    rows: Vec<Row>,
) -> (Vec<BTreeMap<String, serde_json::Value>>, Option<WrittenSalt>) {
    if rows.is_empty() {
        return (vec![], None);
    }
    let rows: Vec<BTreeMap<String, serde_json::Value>> = rows
        .into_iter()
        .map(|r| {
            r.into_iter()
                .map(|(k, v)| (k.to_string(), v.into_json()))
                .collect()
        })
        .collect();
    let text = serde_json::to_string(&rows).unwrap_or_default();
    let salt = Salt::new(app.store.random().bytes());
    let commitment = opening::field_commitment("rows", &text, &salt);
    shared.disclosed.insert("rows".into(), commitment);
    (rows, Some(WrittenSalt(salt)))
}

pub(super) fn withheld(request: &LookupRequest, disclosed: &[AnsweredField]) -> Vec<String> {
    if request.mode != Mode::Read {
        return vec![];
    }
    let is_disclosed = |id: &String| disclosed.iter().any(|d| *d.id == **id);
    request
        .kind
        .kind
        .disclosable()
        .map(|f| &f.id)
        .filter(|id| !is_disclosed(id))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use domain::identifiers::Area;

    use super::*;

    fn chain(detail: BTreeMap<String, cbor::Value>) -> Chain {
        Chain {
            owner: [0; 16],
            sequence: 0,
            previous: Hash::ZERO,
            reasons: vec![],
            requester: opening::Requester {
                role: "person".to_owned(),
                id: vec![],
                level: 2,
            },
            detail,
        }
    }

    #[test]
    fn what_was_wanted_is_read_as_it_was_noted() {
        for freshness in AskedFreshness::ALL {
            for region in [
                None,
                Area::parse("44"),
                Area::parse("4403"),
                Area::parse("440305"),
            ] {
                let wanted = Wanted {
                    freshness: *freshness,
                    region,
                };
                let mut detail = BTreeMap::new();
                say_wanted(&mut detail, wanted);
                assert_eq!(wanted_of(&chain(detail)), Some(wanted));
            }
        }
        // An entry of before says nothing, and is no longer than one that wants nothing.
        assert_eq!(wanted_of(&chain(BTreeMap::new())), Some(Wanted::default()));
        let mut silent = BTreeMap::new();
        say_wanted(&mut silent, Wanted::default());
        assert_eq!(silent, BTreeMap::new());
    }

    #[test]
    fn what_is_not_understood_is_not_taken_for_silence() {
        for (name, value) in [
            (WANTED_REGION, cbor::Value::Text("990000".to_owned())),
            (WANTED_REGION, cbor::Value::Bool(true)),
            (WANTED_FRESHNESS, cbor::Value::Text("fresh".to_owned())),
        ] {
            let detail = BTreeMap::from([(name.to_owned(), value)]);
            assert_eq!(wanted_of(&chain(detail)), None);
        }
    }
}
