//! The repair shops' platform: visits since the vehicle became its present owner's, as of last Monday.

use domain::time::Timestamp;
use serde_json::{Map, Value, json};

use super::{World, put};
use crate::{
    authority::Authority,
    persona::{Repair, Vehicle},
    wire::{Answered, Code},
};

pub(super) fn visits(world: &World<'_>, body: &[u8]) -> Answered {
    let owned = world.own_vehicle(body)?;
    let today = world.today();
    let known = known_visits(owned.vehicle(), world.now);
    let newest = known.first().ok_or(Code::NotFound)?;
    let row = |repair: &&Repair| {
        json!({
            "wxrq": repair.on.on(today).to_string(), "lc": repair.km, "wxqy": repair.shop, "wxxm": repair.work,
        })
    };
    let mut data = Map::new();
    put(&mut data, "zjlc", Some(newest.km));
    put(
        &mut data,
        "jls",
        Some(known.iter().map(row).collect::<Vec<Value>>()),
    );
    Ok(data)
}

/// What the platform knows of a vehicle's visits in its present owner's time, the newest first.
pub(crate) fn known_visits(vehicle: &Vehicle, now: Timestamp) -> Vec<&Repair> {
    let today = now.date_in_china();
    let since = vehicle.owned_since.unwrap_or(vehicle.registered).on(today);
    let as_of = Authority::Repair.as_of(now).date();
    let mut known: Vec<&Repair> = vehicle
        .repairs
        .iter()
        .filter(|repair| (since..=as_of).contains(&repair.on.on(today)))
        .collect();
    known.sort_by_key(|repair| std::cmp::Reverse(repair.on.on(today)));
    known
}
