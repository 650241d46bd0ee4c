//! Traffic management: vehicles, licences, violations.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::{
    World,
    insurance::{compulsory, known_policies},
    is_owner, put,
};
use crate::{
    persona::{Vehicle, Violation},
    picture,
    register::{Owned, persona, personas},
    wire::{self, Answered, Code, OfEvidence},
};

pub(super) fn vehicle(world: &World<'_>, body: &[u8]) -> Answered {
    let owned = world.own_vehicle(body)?;
    let (vehicle, today) = (owned.vehicle(), world.today());
    let mut data = Map::new();
    put(&mut data, "hphm", Some(vehicle.plate.as_str()));
    put(&mut data, "hpzl", Some(vehicle.class.as_str()));
    put(&mut data, "clsbdh", Some(vehicle.vin.as_str()));
    put(&mut data, "fdjh", vehicle.engine.as_deref());
    put(&mut data, "clpp", Some(vehicle.brand.as_str()));
    put(&mut data, "clxh", Some(vehicle.model.as_str()));
    put(&mut data, "cllx", Some(vehicle.kind.as_str()));
    put(&mut data, "csys", Some(vehicle.colour.as_str()));
    put(&mut data, "rlzl", Some(vehicle.fuel.as_str()));
    put(&mut data, "syxz", Some(vehicle.r#use.as_str()));
    put(
        &mut data,
        "ccdjrq",
        Some(vehicle.registered.on(today).to_string()),
    );
    put(
        &mut data,
        "jyyxqz",
        Some(vehicle.inspection_until.on(today).to_string()),
    );
    put(
        &mut data,
        "qzbfqz",
        vehicle.scrap_deadline.map(|day| day.on(today).to_string()),
    );
    put(&mut data, "zt", Some(vehicle.states.as_str()));
    put(&mut data, "syr", Some(owned.owner.name.as_str()));
    put_owners(&mut data, &owned);
    Ok(data)
}

/// The numbers by which a record shows whose it is.
pub(super) fn put_owners(data: &mut Map<String, Value>, owned: &Owned) {
    let co_owner = owned.vehicle().co_owner.as_deref().and_then(persona);
    put(data, "sfzmhm", Some(owned.owner.id_number.as_str()));
    put(data, "gyrsfzmhm", co_owner.map(|who| who.id_number.as_str()));
}

pub(super) fn vehicle_list(world: &World<'_>, body: &[u8]) -> Answered {
    let who = world.person_alone(body)?;
    let rows: Vec<Value> = world
        .register
        .vehicles_of(who)
        .iter()
        .map(|owned| {
            let mut row = Map::new();
            put(&mut row, "hphm", Some(owned.vehicle().plate.as_str()));
            put(&mut row, "hpzl", Some(owned.vehicle().class.as_str()));
            put_owners(&mut row, owned);
            Value::Object(row)
        })
        .collect();
    if rows.is_empty() {
        return Err(Code::NotFound);
    }
    Ok(Map::from_iter([("jls".to_owned(), rows.into())]))
}

pub(super) fn vehicle_violations(world: &World<'_>, body: &[u8]) -> Answered {
    let owned = world.own_vehicle(body)?;
    let all = &owned.vehicle().violations;
    let unhandled = all.iter().filter(|violation| !violation.handled).count();
    let mut data = Map::new();
    put_owners(&mut data, &owned);
    put(&mut data, "wcls", Some(unhandled));
    let rows: Vec<Value> = all
        .iter()
        .map(|violation| row(violation, None, world.today()))
        .collect();
    put(&mut data, "jls", Some(rows));
    Ok(data)
}

/// What traffic management was told of a vehicle's compulsory insurance. It compares the owner alone.
pub(super) fn vehicle_insurance(world: &World<'_>, body: &[u8]) -> Answered {
    let (who, owned) = world.person_and_vehicle(body)?;
    let (vehicle, today) = (owned.vehicle(), world.today());
    let policies = known_policies(vehicle, world.now);
    let told = compulsory(&policies, today).map(|policy| policy.until);
    let until = vehicle.insured_until_as_told.or(told).ok_or(Code::NotFound)?;
    if owned.owner.id != who.id {
        return Err(Code::NotFound);
    }
    let mut data = Map::new();
    put(&mut data, "sfzmhm", Some(owned.owner.id_number.as_str()));
    put(&mut data, "bxzzrq", Some(until.on(today).to_string()));
    Ok(data)
}

pub(super) fn driver_violations(world: &World<'_>, body: &[u8]) -> Answered {
    let who = world.person_alone(body)?;
    let driven: Vec<(&Vehicle, &Violation)> = personas()
        .iter()
        .flat_map(|owner| &owner.vehicles)
        .flat_map(|vehicle| {
            vehicle
                .violations
                .iter()
                .map(move |violation| (vehicle, violation))
        })
        .filter(|(_, violation)| violation.driver.as_deref() == Some(who.id.as_str()))
        .collect();
    if driven.is_empty() && who.licence.is_none() {
        return Err(Code::NotFound);
    }
    let points = |handled: bool| -> u32 {
        driven
            .iter()
            .filter(|(_, v)| v.handled == handled)
            .map(|(_, violation)| violation.points)
            .sum()
    };
    let mut data = Map::new();
    put(&mut data, "sfzmhm", Some(who.id_number.as_str()));
    put(&mut data, "ljjf", Some(points(true)));
    put(&mut data, "dcljf", Some(points(false)));
    put(
        &mut data,
        "wcls",
        Some(driven.iter().filter(|(_, violation)| !violation.handled).count()),
    );
    let rows: Vec<Value> = driven
        .iter()
        .map(|(vehicle, violation)| row(violation, Some(vehicle), world.today()))
        .collect();
    put(&mut data, "jls", Some(rows));
    Ok(data)
}

fn row(violation: &Violation, vehicle: Option<&Vehicle>, today: Date) -> Value {
    let paid = match (violation.fine, violation.paid) {
        (0, _) => "9",
        (_, true) => "1",
        (_, false) => "0",
    };
    let mut data = Map::new();
    put(
        &mut data,
        "wfsj",
        Some(violation.at.on(today).strftime("%Y-%m-%d %H:%M:%S").to_string()),
    );
    put(&mut data, "wfdz", Some(violation.place.as_str()));
    put(&mut data, "wfxw", Some(violation.act.as_str()));
    put(&mut data, "wfdm", Some(violation.code.as_str()));
    put(&mut data, "fkje", Some(violation.fine));
    put(&mut data, "wfjfs", Some(violation.points));
    put(&mut data, "clbj", Some(if violation.handled { "1" } else { "0" }));
    put(&mut data, "jkbj", Some(paid));
    put(&mut data, "cljgmc", Some(violation.authority.as_str()));
    put(&mut data, "jdsbh", violation.decision.as_deref());
    let image = violation.image.as_deref();
    put(
        &mut data,
        "zjtp",
        image.map(|id| json!({ "digest": picture::digest(&picture::evidence(id)), "handle": id })),
    );
    put(&mut data, "hphm", vehicle.map(|vehicle| vehicle.plate.as_str()));
    put(&mut data, "hpzl", vehicle.map(|vehicle| vehicle.class.as_str()));
    Value::Object(data)
}

/// The image behind a handle, for the driver of that violation and for owner and co-owner of the vehicle.
pub(super) fn evidence(world: &World<'_>, body: &[u8]) -> Answered {
    let OfEvidence {
        qqlsh,
        xm,
        sfzmhm,
        zjbh,
    } = wire::read(body)?;
    let asked = wire::asked(&qqlsh, &xm, &sfzmhm, world.today())?;
    wire::evidence_handle(&zjbh)?;
    let who = world.person(&asked)?;
    let is_theirs = |owned: &Owned| {
        let mut shown = owned
            .vehicle()
            .violations
            .iter()
            .filter(|violation| violation.image.as_deref() == Some(zjbh.as_str()));
        shown.any(|violation| is_owner(&who, owned) || violation.driver.as_deref() == Some(who.id.as_str()))
    };
    if !Owned::all().any(|owned| is_theirs(&owned)) {
        return Err(Code::NotFound);
    }
    let mut data = Map::new();
    put(&mut data, "tp", Some(STANDARD.encode(picture::evidence(&zjbh))));
    Ok(data)
}

pub(super) fn licence(world: &World<'_>, body: &[u8]) -> Answered {
    let (who, today) = (world.person_alone(body)?, world.today());
    let licence = who.licence.as_ref().ok_or(Code::NotFound)?;
    let issued = licence.first_issued.on(today);
    let mut data = Map::new();
    put(&mut data, "sfzmhm", Some(who.id_number.as_str()));
    put(
        &mut data,
        "zjhm",
        Some(licence.number.as_ref().unwrap_or(&who.id_number).as_str()),
    );
    put(&mut data, "dabh", Some(licence.file_number.as_str()));
    put(&mut data, "zjcx", Some(split_classes(&licence.classes)));
    put(&mut data, "zt", Some(licence.states.as_str()));
    put(&mut data, "cclzrq", Some(issued.to_string()));
    put(&mut data, "yxqs", Some(licence.valid_from.on(today).to_string()));
    put(
        &mut data,
        "yxqz",
        licence.valid_until.map(|day| day.on(today).to_string()),
    );
    put(
        &mut data,
        "cqyx",
        Some(if licence.valid_until.is_none() { "1" } else { "0" }),
    );
    put(&mut data, "ljjf", Some(licence.points));
    put(&mut data, "dcljf", Some(who.points_pending()));
    let (start, end) = cycle(issued, today).unzip();
    put(&mut data, "jfzqqs", start.map(|day| day.to_string()));
    put(&mut data, "jfzqqz", end.map(|day| day.to_string()));
    put(
        &mut data,
        "xcsyrq",
        licence.next_review.map(|day| day.on(today).to_string()),
    );
    put(
        &mut data,
        "sxqz",
        licence.trainee_until.map(|day| day.on(today).to_string()),
    );
    put(&mut data, "fzjg", Some("样板市公安局交通警察支队（模拟）"));
    Ok(data)
}

/// `C1E` as `C1,E`.
fn split_classes(printed: &str) -> String {
    let mut split = String::with_capacity(printed.len() * 2);
    for character in printed.chars() {
        if character.is_ascii_uppercase() && !split.is_empty() {
            split.push(',');
        }
        split.push(character);
    }
    split
}

/// The cycle of points that runs on `today`: its first and its last day.
///
/// A cycle is twelve months from the day of first issue. A licence issued on 29 February has cycles that end on
/// 28 February; the next starts the day after, which in common years is 1 March.
fn cycle(issued: Date, today: Date) -> Option<(Date, Date)> {
    let start_in = |year: i16| {
        Date::new(year, issued.month(), issued.day())
            .or_else(|_| Date::new(year, issued.month() + 1, 1))
            .ok()
    };
    let this_year = start_in(today.year())?;
    let (start, next) = if this_year <= today {
        (this_year, start_in(today.year() + 1)?)
    } else {
        (start_in(today.year() - 1)?, this_year)
    };
    Some((start, next.yesterday().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_end_the_day_before_the_anniversary() {
        let cases = [
            ("2012-08-06", "2026-11-22", "2026-08-06", "2027-08-05"),
            ("2012-08-06", "2026-08-05", "2025-08-06", "2026-08-05"),
            ("2012-08-06", "2026-08-06", "2026-08-06", "2027-08-05"),
            ("2020-01-01", "2026-12-31", "2026-01-01", "2026-12-31"),
            ("2020-02-29", "2026-02-28", "2025-03-01", "2026-02-28"),
            ("2020-02-29", "2026-03-01", "2026-03-01", "2027-02-28"),
            ("2020-02-29", "2028-02-28", "2027-03-01", "2028-02-28"),
            ("2020-02-29", "2028-02-29", "2028-02-29", "2029-02-28"),
        ];
        for (issued, today, start, end) in cases {
            let (from, to) = cycle(issued.parse().unwrap(), today.parse().unwrap()).unwrap();
            assert_eq!(
                (from.to_string().as_str(), to.to_string().as_str()),
                (start, end),
                "{issued} on {today}"
            );
        }
    }

    #[test]
    fn classes_are_told_apart() {
        for (printed, split) in [
            ("C1", "C1"),
            ("C1E", "C1,E"),
            ("A1A2D", "A1,A2,D"),
            ("DEF", "D,E,F"),
        ] {
            assert_eq!(split_classes(printed), split);
        }
    }
}
