//! A carrier: whether a phone is in somebody's name. Its books are kept in GBK, so that rare characters are lost.

use domain::identifiers::SourceEncoding;
use serde_json::Map;

use super::{World, same_name};
use crate::wire::{self, Answered, Code, OfPhone};

pub(super) fn holder(world: &World<'_>, body: &[u8]) -> Answered {
    let OfPhone {
        qqlsh,
        xm,
        sfzmhm,
        sjhm,
    } = wire::read(body)?;
    let asked = wire::asked(&qqlsh, &xm, &sfzmhm, world.today())?;
    wire::phone(&sjhm)?;
    if !asked.name.is_encodable(SourceEncoding::Gbk) {
        return Err(Code::CannotCompare);
    }
    let holder = world.register.phone_holder(&sjhm).ok_or(Code::NotFound)?;
    let fits = holder.id_number == asked.number.expose() && same_name(&asked.name, &holder.name);
    if fits { Ok(Map::new()) } else { Err(Code::Mismatch) }
}
