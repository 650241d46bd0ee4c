//! Takes what a record holder pushes before its next file. It is no look-up: nothing is disclosed, and as with the file
//! itself nothing is sealed; who sees it later is.

use sources::{NotTaken, PushedChange};

use crate::app::App;

/// Takes a change: it is durable when this returns, and the next look-up is answered by it. An answer that is kept for
/// its idempotency key stays as it was sealed: it repeats what was said then, with its date, and says nothing new.
///
/// # Errors
/// Why it was not taken; then nothing changed.
pub async fn take_change(app: &App, source: &str, pushed: PushedChange<'_>) -> Result<(), NotTaken> {
    app.sources.take_change(source, pushed).await
}
