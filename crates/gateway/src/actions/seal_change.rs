//! Seals a CHANGE: an act that concerns no look-up, on the chain of whom it concerns.

use domain::{ids::SubjectId, requester::Requester};
use ledger::{Chain, EntryType, Hash, Shared, opening};
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
    // The owner reads their own chain: the pairwise name is that of the owner to themselves.
    let mut shared = Shared::new(EntryType::Change, 0, owner.bytes().to_vec());
    shared.about = Some(about.to_owned());
    shared.policy = Some(app.policy_version());
    let chain = Chain {
        owner: owner.bytes(),
        sequence: 0,
        previous: Hash::ZERO,
        reasons: vec![],
        requester: by,
        detail: std::collections::BTreeMap::new(),
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
