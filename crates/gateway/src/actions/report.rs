//! A report: one record and its parts, each a look-up with seals, source and date of its own.

use domain::requester::Requester;
use futures_util::future::join_all;
use sha2::{Digest, Sha256};

use super::look_up::{self, Answered, Ask};
use crate::{app::App, error::Error};

/// The parts of a report in the kind's order, the record itself first. A part that fails says so; the others stand.
///
/// # Errors
/// Only that there is no such kind.
pub async fn report(
    app: &App,
    requester: &Requester,
    question: &Ask,
) -> Result<Vec<(String, Result<Answered, Error>)>, Error> {
    let kind = app
        .kinds
        .get(&question.kind)
        .ok_or_else(|| Error::bad("UNKNOWN_KIND", "kind", "the id of a kind"))?;
    let parts = std::iter::once(&kind.kind.id).chain(&kind.kind.parts);
    let each = parts.map(|part| {
        let mut question = question.clone();
        question.kind.clone_from(part);
        if *part != kind.kind.id {
            // Fields were named for the record itself; each part gives what it has.
            (question.raw.fields, question.raw.reveal) = (None, vec![]);
        }
        question.repeat = question.repeat.map(|(key, hash)| (key_of_part(key, part), hash));
        async move { (part.clone(), look_up::look_up(app, requester, question).await) }
    });
    Ok(join_all(each).await)
}

/// Each part is a look-up of its own, and is repeated under a key of its own.
pub(super) fn key_of_part(key: [u8; 32], part: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(key)
        .chain_update(part)
        .finalize()
        .into()
}
