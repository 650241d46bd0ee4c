//! Closes intents that nobody ended: a crash, a client that went away, a node that is gone. Each becomes a FAILURE.

use domain::outcome::Outcome;
use ledger::{Chain, EntryType, Hash};
use store::{Act, EndLookup, OverdueLookup, Seal};

use super::seal_change::deployment;
use crate::{app::App, error::Error};

/// How many are closed at once.
const AT_ONCE: u16 = 200;

/// Closes what is overdue; how many. A look-up that ends in the same moment wins or loses cleanly.
///
/// # Errors
/// Nothing can be sealed now.
pub async fn close_overdue(app: &App) -> Result<u64, Error> {
    let (mut closed, mut failed) = (0, None);
    for overdue in app.store.overdue_lookups(AT_ONCE).await? {
        match close(app, overdue).await {
            Ok(done) => closed += u64::from(done),
            // One whose entry cannot be read must not keep the others open.
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if closed == 0 => Err(error),
        _ => Ok(closed),
    }
}

async fn close(app: &App, overdue: OverdueLookup) -> Result<bool, Error> {
    let Some(intent) = app.store.entry(overdue.subject, overdue.intent_seq).await? else {
        return Ok(false);
    };
    let mut shared = intent.shared;
    shared.entry_type = EntryType::Failure;
    shared.outcome = Some(Outcome::CutOff.code().to_owned());
    (shared.deadline, shared.node) = (None, None);
    let chain = Chain {
        owner: overdue.subject.bytes(),
        sequence: 0,
        previous: Hash::ZERO,
        reasons: vec![],
        requester: deployment(),
        detail: std::collections::BTreeMap::new(),
    };
    let end = EndLookup {
        lookup: overdue.lookup,
        requester: overdue.requester,
        session: overdue.session,
        standing: None,
        release: false,
        answer: None,
    };
    let seal = Seal {
        owner: overdue.subject,
        shared,
        chain,
        act: Act::End(end),
    };
    Ok(!matches!(app.store.seal(seal).await?, store::Outcome::Nothing))
}
