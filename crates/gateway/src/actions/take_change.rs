//! Takes what a record holder pushes before its next file. It is no look-up: nothing is disclosed, and as with the file
//! itself nothing is sealed; who sees it later is.

use sources::{NotTaken, PushedChange};
use tokio::time::Instant;

use super::look_up::settle;
use crate::app::App;

/// Refuses what cannot be taken by its headers alone, before the body is read.
///
/// # Errors
/// It is refused, as [`take_change`] refuses.
pub async fn expect_change(app: &App, source: &str, id: &str, timestamp: &str) -> Result<(), NotTaken> {
    let begun = Instant::now();
    let expected = app.sources.expect_change(source, id, timestamp);
    if expected.is_err() {
        settle(begun).await;
    }
    expected
}

/// Takes a change: it is durable when this returns, and the next look-up is answered by it. An answer that is kept for
/// its idempotency key stays as it was sealed: it repeats what was said then, with its date, and says nothing new.
///
/// What is refused leaves at the floor of refusals, so that the time does not tell which sources there are.
///
/// # Errors
/// Why it was not taken; then nothing changed.
pub async fn take_change(app: &App, source: &str, pushed: PushedChange<'_>) -> Result<(), NotTaken> {
    let begun = Instant::now();
    let taken = app.sources.take_change(source, pushed).await;
    if taken == Err(NotTaken::Refused) {
        settle(begun).await;
    }
    taken
}
