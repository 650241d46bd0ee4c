//! An image of a record: its bytes, under the release that disclosed its digest and handle.
//!
//! No entry is sealed anew: the look-up's RELEASE holds the commitment over the digest, and bytes with another digest
//! are never shown. Whoever may not have the image is told what is told of one that does not exist, and nothing is
//! read about anybody but the requester, so that neither answer nor time tells more.

use domain::{
    ids::LookupId,
    kind::{FieldType, Kind},
    outcome::Outcome,
    requester::Requester,
    words::Level,
};
use serde_json::Value;
use sources::{ImageBytes, ImageQuestion};
use tokio::time::Instant;

use super::{
    guards::still_signed_in,
    look_up::{Answered, DEADLINE},
};
use crate::{app::App, error::Error};

/// The bytes of an image that one of the requester's look-ups gave a handle of, while its answer is kept.
///
/// # Errors
/// There is no such image of theirs, or not any more, or their level is too low for its kind: all [`Error::NotFound`].
/// Too often, the session ended meanwhile, or the source does not give it now.
pub async fn view_image(
    app: &App,
    requester: &Requester,
    lookup: LookupId,
    handle: &str,
    arrived: Instant,
) -> Result<ImageBytes, Error> {
    let per_minute = app.config.limits.lookups_per_minute;
    let counted = app.limiter.count(requester.account, per_minute, app.now());
    counted.map_err(|retry_after| Error::TooMany { retry_after })?;
    // Until there are grants, a record is looked up by its subject alone.
    let subject = requester.subject.ok_or(Error::NotFound)?;
    let kept = app
        .store
        .kept_answer(subject, requester.account, lookup)
        .await?
        .ok_or(Error::NotFound)?;
    let answered: Answered =
        serde_json::from_slice(&kept).map_err(|_| Error::Internal("a kept answer does not parse".into()))?;
    let kind = &app.kinds.get(&answered.kind).ok_or(Error::NotFound)?.kind;
    if requester.level < highest_level(kind) {
        return Err(Error::NotFound);
    }
    let digest = digest_of(kind, &answered, handle).ok_or(Error::NotFound)?;
    let source = answered.source.as_ref().ok_or(Error::NotFound)?;
    let about = app.store.subject(subject).await?.filter(|s| s.active);
    let person = about.and_then(|s| s.person).ok_or(Error::NotFound)?;
    let question = ImageQuestion {
        lookup,
        source: source.id.clone(),
        kind: answered.kind.clone(),
        person,
        handle: handle.to_owned(),
        digest,
        deadline: arrived + DEADLINE,
    };
    let image = app
        .sources
        .image(&question)
        .await
        .map_err(|no| match no.outcome {
            Outcome::NotFound | Outcome::NotCovered => Error::NotFound,
            _ => Error::ImageUnavailable,
        })?;
    // Whoever was erased meanwhile is shown nothing: the answer is no longer kept.
    let kept = app.store.kept_answer(subject, requester.account, lookup).await?;
    let image = kept.map(|_| image).ok_or(Error::NotFound)?;
    still_signed_in(app, requester).await?;
    Ok(image)
}

/// The level that the kind needs for whatever purpose: an answer does not say for which one it was given.
pub(super) fn highest_level(kind: &Kind) -> Level {
    kind.level_by_purpose
        .values()
        .copied()
        .fold(kind.level, Level::max)
}

/// The digest that was disclosed with this handle, in a field of its own or in a row of a list.
fn digest_of(kind: &Kind, answered: &Answered, handle: &str) -> Option<String> {
    answered.fields.iter().find_map(|field| {
        let images: Vec<&Value> = match &kind.field(&field.id)?.of_type {
            FieldType::Image => vec![&field.value],
            FieldType::List { items, .. } => {
                let columns = items.iter().filter(|item| item.of_type == FieldType::Image);
                let rows = field.value.as_array()?;
                columns
                    .flat_map(|column| rows.iter().filter_map(|row| row.get(&column.id)))
                    .collect()
            }
            _ => return None,
        };
        let image = images.into_iter().find(|image| image["handle"] == handle)?;
        Some(image["digest"].as_str()?.to_owned())
    })
}
