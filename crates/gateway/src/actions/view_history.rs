//! My look-ups, their receipts, and who looked at me.

use domain::{ids::LookupId, requester::Requester};
use ledger::Receipt;
use store::{EntryView, LookupPage, LookupView};

use super::guards::{may_view_own, still_signed_in};
use crate::{app::App, error::Error};

/// How many rows a page has at most.
pub const PAGE: u16 = 50;

/// The requester's look-ups, newest first.
///
/// # Errors
/// The session's level is too low, too many in a minute, or the database does not answer.
pub async fn lookups(app: &App, requester: &Requester, page: LookupPage) -> Result<Vec<LookupView>, Error> {
    may_view_own(app, requester)?;
    // What was just asked is seen at once, without waiting for the job.
    app.store.drain_outbox_wholly().await?;
    Ok(app.store.lookups_of(requester.account, page).await?)
}

/// One of the requester's look-ups.
///
/// # Errors
/// There is none of theirs with that id, or as [`lookups`].
pub async fn lookup(app: &App, requester: &Requester, id: LookupId) -> Result<LookupView, Error> {
    may_view_own(app, requester)?;
    app.store.drain_outbox_wholly().await?;
    app.store
        .lookup_of(requester.account, id)
        .await?
        .ok_or(Error::NotFound)
}

/// Puts one of the requester's look-ups out of their sight, or back.
///
/// # Errors
/// As [`lookup`].
pub async fn hide(app: &App, requester: &Requester, id: LookupId, hidden: bool) -> Result<(), Error> {
    may_view_own(app, requester)?;
    still_signed_in(app, requester).await?;
    app.store.drain_outbox_wholly().await?;
    if app.store.hide_lookup(requester.account, id, hidden).await? {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}

/// The receipt of one of the requester's look-ups, against the newest head of the log.
///
/// # Errors
/// As [`lookup`].
pub async fn receipt(app: &App, requester: &Requester, id: LookupId) -> Result<Receipt, Error> {
    let view = lookup(app, requester, id).await?;
    app.store
        .receipt(view.subject, view.entry.seq)
        .await?
        .ok_or(Error::NotFound)
}

/// Which of the requester's own chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mine {
    /// The person's: who looked at me. The account's as long as nobody is proven.
    Person,
    /// The account's: sign-ins and what else happened to it.
    Account,
}

/// Who looked at me: the entries of one of the requester's own chains before number `before`, newest first.
///
/// # Errors
/// As [`lookups`].
pub async fn access_log(
    app: &App,
    requester: &Requester,
    of: Mine,
    before: Option<u64>,
) -> Result<Vec<EntryView>, Error> {
    may_view_own(app, requester)?;
    let person = requester.subject.filter(|_| of == Mine::Person);
    let owner = person.unwrap_or_else(|| requester.account.chain());
    Ok(app.store.entries(owner, before, PAGE).await?)
}
