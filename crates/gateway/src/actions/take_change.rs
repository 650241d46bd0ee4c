//! Takes what a record holder pushes before its next file. It is no look-up: nothing is disclosed, and as with the file
//! itself nothing is sealed; who sees it later is.

use sources::{NotTaken, PushedChange, may_be_pushed};
use tokio::time::Instant;

use super::look_up::settle;
use crate::app::App;

/// Refuses what cannot be taken by its headers alone, before the body is read.
///
/// # Errors
/// It is refused, as [`take_change`] refuses.
pub async fn expect_change(
    app: &App,
    (id, timestamp): (&str, &str),
    arrived: Instant,
) -> Result<(), NotTaken> {
    if may_be_pushed(id, timestamp, app.now()) {
        return Ok(());
    }
    settle(arrived).await;
    Err(NotTaken::Refused)
}

/// Takes a change: it is durable when this returns, and the next look-up is answered by it. An answer that is kept for
/// its idempotency key stays as it was sealed: it repeats what was said then, with its date, and says nothing new.
///
/// What is refused leaves at the floor of refusals, so that the time does not tell which sources there are.
///
/// # Errors
/// Why it was not taken; then nothing changed.
pub async fn take_change(
    app: &App,
    source: &str,
    pushed: PushedChange<'_>,
    arrived: Instant,
) -> Result<(), NotTaken> {
    let taken = app.sources.take_change(source, pushed).await;
    if taken == Err(NotTaken::Refused) {
        settle(arrived).await;
    }
    taken
}
