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
    words::Mode,
};
use ledger::{Chain, EntryType, Hash, Salt, Shared, opening};
use sources::AskedBeside;

use super::{
    Ask,
    answered::{AnsweredField, AnsweredOther, AnsweredSource},
};
use crate::app::{App, hex};

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

/// The chain opening: who truly asked, by which key, with which reasons.
pub(super) fn chain_of(
    requester: &Requester,
    reasons: Vec<String>,
    request: Option<&LookupRequest>,
) -> Chain {
    let mut detail = BTreeMap::new();
    if let Some(request) = request {
        for (id, value) in &request.key {
            detail.insert(
                format!("key.{id}"),
                ledger::cbor::Value::Text(value.text().into_owned()),
            );
        }
        for field in &request.reveal {
            detail.insert(format!("reveal.{field}"), ledger::cbor::Value::Bool(true));
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

/// Who was asked beside the source that answered, and what came of it: for the subject and the auditor.
pub(super) fn say_beside(chain: &mut Chain, asked: Vec<AskedBeside>) {
    use ledger::cbor::Value::{Int, Map, Text};
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
    let mut commit = |field: &str, value: &Value, by: Option<&Provenance>| {
        let name = by.map_or_else(|| field.to_owned(), |by| format!("{field}@{}", by.source));
        let salt: [u8; 32] = app.store.random().bytes();
        let commitment = opening::field_commitment(&name, &value.text(), &Salt::new(salt));
        shared.disclosed.insert(name, commitment);
        hex(&salt)
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
    fields
}

/// The keys of mode `list`, and the salt of the one commitment to all of them; none where there are no keys.
pub(super) fn commit_rows(
    app: &App,
    shared: &mut Shared,
    rows: Vec<Row>,
) -> (Vec<BTreeMap<String, serde_json::Value>>, Option<String>) {
    if rows.is_empty() {
        return (vec![], None);
    }
    let rows: Vec<BTreeMap<String, serde_json::Value>> = rows
        .into_iter()
        .map(|r| r.into_iter().map(|(k, v)| (k, v.into_json())).collect())
        .collect();
    let text = serde_json::to_string(&rows).unwrap_or_default();
    let salt: [u8; 32] = app.store.random().bytes();
    let commitment = opening::field_commitment("rows", &text, &Salt::new(salt));
    shared.disclosed.insert("rows".into(), commitment);
    (rows, Some(hex(&salt)))
}

pub(super) fn withheld(request: &LookupRequest, disclosed: &[AnsweredField]) -> Vec<String> {
    if request.mode != Mode::Read {
        return vec![];
    }
    let is_disclosed = |id: &String| disclosed.iter().any(|d| d.id == *id);
    request
        .kind
        .kind
        .disclosable()
        .map(|f| &f.id)
        .filter(|id| !is_disclosed(id))
        .cloned()
        .collect()
}
