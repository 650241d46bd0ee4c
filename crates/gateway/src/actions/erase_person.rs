//! Erases a person on their own request: data at once, evidence restricted until its retention ends.

use domain::{requester::Requester, words::Level};
use store::PERSON_ERASED;

use super::seal_change::{requester_of, seal_change};
use crate::{app::App, error::Error};

/// Erases the requester: account, profile, kept answers, sessions. The evidence that a law keeps stays sealed. Who never
/// proved a name has an account and nothing else, which the phone alone may end.
///
/// # Errors
/// The account is a person's and the session is below L2, the session ended meanwhile, or nothing can be sealed now;
/// then nothing was erased.
pub async fn erase_person(app: &App, requester: &Requester) -> Result<(), Error> {
    let owner = requester.subject.unwrap_or_else(|| requester.account.chain());
    if requester.subject.is_some() && requester.level < Level::L2 {
        return Err(Error::bad("PROVE_NAME_FIRST", "level", "a proven real name"));
    }
    let effect = app.store.erase(owner, requester.account);
    let effect = effect.while_lives(requester.session, requester.account);
    if !seal_change(app, owner, requester_of(requester), PERSON_ERASED, effect).await? {
        return Err(Error::NotSignedIn);
    }
    app.store.destroy_keys(owner, requester.account).await?;
    Ok(())
}
