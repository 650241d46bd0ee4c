//! Ends a session for good.

use domain::requester::Requester;

use super::seal_change::{no_effect, requester_of, seal_change};
use crate::{app::App, error::Error};

/// Ends the requester's session; a restored backup does not bring it back.
///
/// # Errors
/// It could not be made durable: the session may live on, and the person is told so.
pub async fn sign_out(app: &App, requester: &Requester) -> Result<(), Error> {
    app.store.end_session(requester.session).await?;
    seal_change(
        app,
        requester.account.chain(),
        requester_of(requester),
        "signed-out",
        no_effect(),
    )
    .await?;
    Ok(())
}
