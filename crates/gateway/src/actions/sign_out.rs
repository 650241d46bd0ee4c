//! Ends a session for good.

use domain::requester::Requester;

use super::seal_change::{requester_of, seal_change};
use crate::{app::App, error::Error};

/// Ends the requester's session, under the lock under which releases are committed: after it nothing is answered any
/// more. A restored backup does not bring it back.
///
/// # Errors
/// It could not be made durable: the session may live on, and the person is told so.
pub async fn sign_out(app: &App, requester: &Requester) -> Result<(), Error> {
    app.turns.leave(requester);
    let (owner, by) = (requester.account.chain(), requester_of(requester));
    let effect = app.store.end_session(requester.session);
    // Where it has ended meanwhile, it has ended.
    seal_change(app, owner, by, "signed-out", effect).await?;
    Ok(())
}
