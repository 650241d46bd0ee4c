//! The population register: compares, and tells nothing of what it holds.

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::identifiers::NameComparison;
use serde_json::Map;

use super::{World, put, same_name};
use crate::{
    persona::Persona,
    picture,
    wire::{self, Answered, Asked, Code, OfIdentity, OfPortrait},
};

/// What percentage of similarity counts as the same face.
const THRESHOLD: u32 = 85;

pub(super) fn identity(world: &World<'_>, body: &[u8]) -> Answered {
    let OfIdentity {
        qqlsh,
        xm,
        sfzmhm,
        yxqz,
        cqyx,
    } = wire::read(body)?;
    let asked = wire::asked(&qqlsh, &xm, &sfzmhm, world.today())?;
    let who = world
        .register
        .person(asked.number.expose())
        .ok_or(Code::NotFound)?;
    compare_name(&asked, &who)?;
    let ends = not_expired(world, &who)?;
    let claimed_until = yxqz
        .map(|text| text.parse().map_err(|_| Code::BadRequest("yxqz")))
        .transpose()?;
    let claims_no_end = match cqyx.as_deref() {
        None => false,
        Some("yes") => true,
        Some(_) => return Err(Code::BadRequest("cqyx")),
    };
    let fits = claimed_until.is_none_or(|until: jiff::civil::Date| ends == Some(until));
    if fits && !(claims_no_end && ends.is_some()) {
        Ok(Map::new())
    } else {
        Err(Code::Mismatch)
    }
}

pub(super) fn portrait(world: &World<'_>, body: &[u8]) -> Answered {
    let OfPortrait {
        qqlsh,
        xm,
        sfzmhm,
        zp,
    } = wire::read(body)?;
    let asked = wire::asked(&qqlsh, &xm, &sfzmhm, world.today())?;
    let sent = STANDARD.decode(zp).map_err(|_| Code::BadRequest("zp"))?;
    let who = world.person(&asked)?;
    not_expired(world, &who)?;
    let similarity = picture::similarity(&who, &sent).ok_or(Code::BadRequest("zp"))?;
    if similarity < THRESHOLD {
        return Err(Code::FaceBelowThreshold);
    }
    let mut data = Map::new();
    put(&mut data, "xsd", Some(similarity));
    Ok(data)
}

/// A name that another system may have mangled is told apart from one that is simply another.
fn compare_name(asked: &Asked, who: &Persona) -> Result<(), Code> {
    if same_name(&asked.name, &who.name) {
        return Ok(());
    }
    let held = domain::identifiers::PersonName::parse(&who.name).map_err(|_| Code::CannotCompare)?;
    match asked.name.compare(&held.value) {
        NameComparison::CannotCompare => Err(Code::CannotCompare),
        _ => Err(Code::Mismatch),
    }
}

fn not_expired(world: &World<'_>, who: &Persona) -> Result<Option<jiff::civil::Date>, Code> {
    let ends = who.document_ends(world.today());
    if ends.is_some_and(|end| end < world.today()) {
        Err(Code::DocumentExpired)
    } else {
        Ok(ends)
    }
}
