//! The insurers' platform: policies as of yesterday. The insured may ask as well as the owner.

use serde_json::{Map, Value, json};

use super::{World, is_owner, put};
use crate::{
    authority::Authority,
    persona::{Persona, Policy},
    register::persona,
    wire::{Answered, Code},
};

/// 交强险.
const COMPULSORY: &str = "1";

pub(super) fn policies(world: &World<'_>, body: &[u8]) -> Answered {
    let (who, owned) = world.person_and_vehicle(body)?;
    let (vehicle, today) = (owned.vehicle(), world.today());
    let as_of = Authority::Insurance.as_of(world.now).date();
    let known: Vec<&Policy> = vehicle
        .policies
        .iter()
        .filter(|policy| policy.from.on(today) <= as_of)
        .collect();
    let compulsory = known
        .iter()
        .filter(|policy| policy.kind == COMPULSORY)
        .max_by_key(|p| p.until.on(today));
    let insured: Option<&Persona> = compulsory.map(|policy| {
        policy
            .insured
            .as_deref()
            .and_then(persona)
            .unwrap_or(&owned.owner)
    });
    if known.is_empty() || !(is_owner(&who, &owned) || insured.is_some_and(|insured| insured.id == who.id)) {
        return Err(Code::NotFound);
    }
    let row = |policy: &&Policy| {
        json!({
            "bxzl": policy.kind, "bxgs": policy.insurer, "bdh": policy.number,
            "qbrq": policy.from.on(today).to_string(), "zbrq": policy.until.on(today).to_string(),
        })
    };
    let mut data = Map::new();
    put(&mut data, "sfzmhm", Some(owned.owner.id_number.as_str()));
    put(&mut data, "bbxrxm", insured.map(|insured| insured.name.as_str()));
    put(
        &mut data,
        "bbxrsfzmhm",
        insured.map(|insured| insured.id_number.as_str()),
    );
    put(
        &mut data,
        "jqxzbrq",
        compulsory.map(|policy| policy.until.on(today).to_string()),
    );
    put(
        &mut data,
        "jls",
        Some(known.iter().map(row).collect::<Vec<Value>>()),
    );
    Ok(data)
}
