//! Refusals: sealed before they are told, and alike where they hide something, in what they say and in time.

use std::time::Duration;

use domain::{ids::LookupId, lookup::LookupRequest, requester::Requester};
use ledger::EntryType;
use store::{Act, Seal};
use tokio::time::Instant;

use super::{
    About, Ask, new_lookup,
    openings::{bare_shared, chain_of, shared_of},
};
use crate::{actions::decide::Refusal, app::App, error::Error};

/// Refusals that hide something leave no sooner than this after the whole question was there. A person who is named here
/// for the first time costs four syncs, a known one two: on a slow disk, too, both end well within it.
pub const REFUSAL_FLOOR: Duration = Duration::from_millis(250);

/// Waits for the next multiple of the floor after the work began, so that the work that was done does not show in the
/// time: under load too, where the work alone takes longer than the floor. Not after the arrival of a request's head:
/// whoever sends the rest late would choose how near to the next multiple the work ends.
pub(in crate::actions) async fn settle(begun: Instant) {
    #[cfg(feature = "planted")]
    if crate::planted::acts("hurried-refusal") {
        return;
    }
    let floors = begun.elapsed().as_micros() / REFUSAL_FLOOR.as_micros() + 1;
    let floors = u32::try_from(floors).unwrap_or(u32::MAX);
    tokio::time::sleep_until(begun + REFUSAL_FLOOR.saturating_mul(floors)).await;
}

/// Refused, and nothing more is said.
#[cfg_attr(
    not(feature = "planted"),
    expect(unused_variables, reason = "nothing of the question is told")
)]
pub(super) fn not_permitted(question: &Ask, lookup: LookupId) -> Error {
    #[cfg(feature = "planted")]
    if let domain::lookup::SubjectRef::Person(person) = &question.subject
        && crate::planted::acts("leak-problem")
    {
        return Error::bad("BAD_VALUE", "subject", person.id_number.expose());
    }
    Error::NotPermitted { lookup }
}

/// Seals a refusal on the chain of whom it concerns. A hidden reason stands in the chain's opening alone.
pub(super) async fn seal_refusal(
    app: &App,
    requester: &Requester,
    question: &Ask,
    request: Option<&LookupRequest>,
    about: &About,
    refusal: Refusal,
) -> Result<LookupId, Error> {
    let lookup = app.store.random().id(app.now(), LookupId::new);
    let mut shared = match request {
        Some(request) => shared_of(app, requester, about.owner, lookup, request),
        None => bare_shared(app, requester, about.owner, lookup, question),
    };
    shared.entry_type = EntryType::Refusal;
    shared.reason = Some(
        if refusal.reason.is_visible() {
            refusal.reason.code()
        } else {
            "NOT_PERMITTED"
        }
        .to_owned(),
    );
    let mut reasons = vec![refusal.reason.code().to_owned()];
    reasons.extend(refusal.details);
    let mut row = new_lookup(app, requester, question, lookup);
    if refusal.reason.is_visible() {
        // Whoever raises their level, or corrects the question, asks again under the same key.
        (row.repeat_key, row.request_hash) = (None, None);
    }
    let seal = Seal {
        owner: about.owner,
        shared,
        chain: chain_of(requester, reasons, request, question.wanted),
        act: Act::Refuse(row),
    };
    match app.store.seal(seal).await? {
        store::Outcome::Sealed(_) | store::Outcome::Refused(_) => Ok(lookup),
        store::Outcome::Nothing => Err(Error::Conflict("LOOKUP_UNDER_WAY")),
    }
}
