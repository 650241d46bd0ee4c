//! The insurers' platform: policies as of yesterday. The insured may ask as well as the owner.

use domain::time::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::{World, is_owner, put};
use crate::{
    authority::Authority,
    persona::{Persona, Policy, Vehicle},
    register::persona,
    wire::{Answered, Code},
};

/// 交强险.
const COMPULSORY: &str = "1";

pub(super) fn policies(world: &World<'_>, body: &[u8]) -> Answered {
    let (who, owned) = world.person_and_vehicle(body)?;
    let (vehicle, today) = (owned.vehicle(), world.today());
    let known = known_policies(vehicle, world.now);
    let compulsory = compulsory(&known, today);
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

/// What the platform knows of a vehicle's policies: as of yesterday.
pub(crate) fn known_policies(vehicle: &Vehicle, now: Timestamp) -> Vec<&Policy> {
    let as_of = Authority::Insurance.as_of(now).date();
    let today = now.date_in_china();
    let policies = vehicle.policies.iter();
    policies.filter(|policy| policy.from.on(today) <= as_of).collect()
}

/// The compulsory policy that ends last.
pub(crate) fn compulsory<'a>(known: &[&'a Policy], today: Date) -> Option<&'a Policy> {
    let compulsory = known.iter().filter(|policy| policy.kind == COMPULSORY);
    compulsory.max_by_key(|policy| policy.until.on(today)).copied()
}
