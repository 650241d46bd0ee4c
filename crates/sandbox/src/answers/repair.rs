//! The repair shops' platform: visits since the vehicle became its present owner's, as of last Monday.

use serde_json::{Map, Value, json};

use super::{World, put};
use crate::{
    authority::Authority,
    persona::Repair,
    wire::{Answered, Code},
};

pub(super) fn visits(world: &World<'_>, body: &[u8]) -> Answered {
    let owned = world.own_vehicle(body)?;
    let (vehicle, today) = (owned.vehicle(), world.today());
    let since = vehicle.owned_since.unwrap_or(vehicle.registered).on(today);
    let as_of = Authority::Repair.as_of(world.now).date();
    let mut known: Vec<&Repair> = vehicle
        .repairs
        .iter()
        .filter(|repair| (since..=as_of).contains(&repair.on.on(today)))
        .collect();
    known.sort_by_key(|repair| std::cmp::Reverse(repair.on.on(today)));
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
