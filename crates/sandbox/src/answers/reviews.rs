//! Reviews of records (档案复核): taken under a number that is given again for the same review, and answered later.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Map;

use super::{World, put};
use crate::wire::{self, Answered, Code, OfReview, OfReviewStatus};

/// The longest text, in characters.
const MAX_TEXT: usize = 1000;
/// The largest attachment, in bytes.
const MAX_ATTACHMENT: usize = 1 << 20;

/// Takes a review of a record of this person.
pub(super) fn submit(world: &World<'_>, body: &[u8]) -> Answered {
    let review: OfReview = wire::read(body)?;
    let asked = wire::asked(&review.qqlsh, &review.xm, &review.sfzmhm, world.today())?;
    wire::review_number(&review.fhbh, "fhbh")?;
    if review.sqly.trim().is_empty() || review.sqly.chars().count() > MAX_TEXT {
        return Err(Code::BadRequest("sqly"));
    }
    // In their order, and without a gap.
    let attachments = [&review.fj1, &review.fj2, &review.fj3];
    let given = attachments.iter().take_while(|a| a.is_some()).count();
    if attachments.iter().skip(given).any(|a| a.is_some()) {
        return Err(Code::BadRequest("fj1, fj2, fj3"));
    }
    for attachment in attachments.into_iter().flatten() {
        let bytes = BASE64_STANDARD.decode(attachment);
        let bytes = bytes.map_err(|_| Code::BadRequest("fj1, fj2, fj3"))?;
        if bytes.len() > MAX_ATTACHMENT || !bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Err(Code::BadRequest("fj1, fj2, fj3"));
        }
    }
    world.person(&asked)?;
    let number = asked.number.expose();
    let taken = world.reviews.take(number, &review.fhbh, world.now, world.plan);
    let mut data = Map::new();
    put(&mut data, "slh", Some(taken.ok_or(Code::Overloaded)?));
    Ok(data)
}

/// How far a review of this person's is.
pub(super) fn status(world: &World<'_>, body: &[u8]) -> Answered {
    let OfReviewStatus {
        qqlsh,
        xm,
        sfzmhm,
        slh,
    } = wire::read(body)?;
    let asked = wire::asked(&qqlsh, &xm, &sfzmhm, world.today())?;
    wire::review_number(&slh, "slh")?;
    world.person(&asked)?;
    let told = world.reviews.find(asked.number.expose(), &slh, world.now);
    let told = told.ok_or(Code::NotFound)?;
    let words = match told.state {
        "2" => Some("经核查，登记信息已更正。（模拟）"),
        "3" => Some("经核查，登记信息无误。（模拟）"),
        _ => None,
    };
    let mut data = Map::new();
    put(&mut data, "fhbh", Some(told.number));
    put(&mut data, "slh", Some(slh));
    put(&mut data, "zt", Some(told.state));
    put(&mut data, "clyj", words);
    Ok(data)
}
