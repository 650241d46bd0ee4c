//! Takes the drops that operators accepted although they are unlike the ones before: sealed first, then done.

use domain::ids::DEPLOYMENT;

use super::{
    pause_sources::operator,
    seal_change::{no_effect, seal_change},
};
use crate::{app::App, error::Error, source_files::read_acceptances};

/// Accepts each drop that waits and that an operator named by its content; how many. The next look takes them.
///
/// # Errors
/// The acceptances cannot be read, or nothing can be sealed now: then the drops wait on, and it is tried again.
pub async fn accept_drops(app: &App) -> Result<u64, Error> {
    // Most of the time none waits, and no file is read.
    if app
        .sources
        .drop_states()
        .iter()
        .all(|state| state.waiting.is_none())
    {
        return Ok(0);
    }
    let acceptances = read_acceptances(&app.folder).map_err(|e| Error::Internal(e.to_string()))?;
    let mut done = 0;
    for (id, acceptance) in &acceptances {
        // What does not wait was taken before, or is not there any more.
        if !app.sources.drop_waits(id, &acceptance.digest) {
            continue;
        }
        let about = format!("drop-accepted {id} {} {}", acceptance.file, acceptance.digest);
        seal_change(app, DEPLOYMENT, operator(&acceptance.by), &about, no_effect()).await?;
        app.sources.accept_drop(id, &acceptance.digest);
        tracing::warn!(
            source = id,
            act = "drop-accepted",
            "an operator's order was followed"
        );
        done += 1;
    }
    Ok(done)
}
