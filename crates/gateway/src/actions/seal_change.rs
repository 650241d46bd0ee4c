//! Seals a CHANGE: an act that concerns no look-up, on the chain of whom it concerns.

use std::collections::BTreeMap;

use domain::{ids::SubjectId, requester::Requester};
use ledger::{Chain, EntryType, Hash, Shared, cbor::Value, opening};
use store::{Act, Effect, Outcome, Seal};

use crate::{app::App, error::Error};

/// Seals that `about` happened, together with its effect. `false` when the effect's condition did not hold.
///
/// # Errors
/// Nothing can be sealed now; then nothing happened.
pub async fn seal_change(
    app: &App,
    owner: SubjectId,
    by: opening::Requester,
    about: &str,
    effect: Effect,
) -> Result<bool, Error> {
    let change = change_of(owner, about);
    seal_described(app, owner, by, (change, BTreeMap::new()), effect).await
}

/// The opening of a change that says no more than what happened.
#[must_use]
pub fn change_of(owner: SubjectId, about: &str) -> Shared {
    // The owner reads their own chain: the pairwise name is that of the owner to themselves.
    let mut shared = Shared::new(EntryType::Change, 0, owner.bytes().to_vec());
    shared.about = Some(about.to_owned());
    shared
}

/// As [`seal_change`], of a change that says more: in its opening, or in the details for subject and auditor.
///
/// # Errors
/// As [`seal_change`].
pub async fn seal_described(
    app: &App,
    owner: SubjectId,
    by: opening::Requester,
    (mut shared, detail): (Shared, BTreeMap<String, Value>),
    effect: Effect,
) -> Result<bool, Error> {
    shared.policy = Some(app.policy_version());
    let chain = Chain {
        owner: owner.bytes(),
        sequence: 0,
        previous: Hash::ZERO,
        reasons: vec![],
        requester: by,
        detail,
    };
    match app
        .store
        .seal(Seal {
            owner,
            shared,
            chain,
            act: Act::Change(effect),
        })
        .await?
    {
        Outcome::Sealed(_) | Outcome::Refused(_) => Ok(true),
        Outcome::Nothing => Ok(false),
    }
}

/// The requester as openings name them.
#[must_use]
pub fn requester_of(requester: &Requester) -> opening::Requester {
    opening::Requester {
        role: requester.role.code().to_owned(),
        id: requester.account.bytes().to_vec(),
        level: requester.level as u8 + 1,
    }
}

/// The deployment itself.
#[must_use]
pub fn deployment() -> opening::Requester {
    opening::Requester {
        role: "deployment".to_owned(),
        id: vec![],
        level: 0,
    }
}

/// An effect that changes nothing: the entry is all.
#[must_use]
pub fn no_effect() -> Effect {
    Effect::new(|_, _| Box::pin(async { Ok(true) }))
}
