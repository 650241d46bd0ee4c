//! A crowd of any size for benchmarks: each person is computed from their number, plate or phone when asked for,
//! so that memory does not grow with the crowd.
//!
//! Person `i` was born `i mod 18,000` days after 1950-01-01 and has the sequence `i / 18,000 + 1` of that day, in a
//! division whose code was withdrawn before any number was given out; owns one car; and holds one phone.

use domain::{
    identifiers::{IdNumber, Vin},
    words::Bilingual,
};
use jiff::civil::{Date, date};

use crate::{
    day::Day,
    persona::{Persona, Vehicle},
};

/// 运城县 until 1982.
const DIVISION: &str = "142721";
const DAYS: u64 = 18_000;
const FIRST_DAY: Date = date(1950, 1, 1);
/// Sequences go to 999, so that this many people have numbers.
const MAX: u64 = DAYS * 999;
/// Letters under which no traffic authority gives out plates; each has room for 24 × 24 × 1,000 plates of two
/// letters and three digits.
const AUTHORITIES: [&str; 32] = [
    "浙P", "浙Q", "浙R", "浙S", "浙T", "浙U", "浙V", "浙W", "苏Q", "苏R", "苏S", "苏T", "苏U", "苏V", "苏W",
    "苏X", "琼K", "琼L", "琼M", "琼N", "琼P", "琼Q", "琼R", "琼S", "宁K", "宁L", "宁M", "宁N", "宁P", "宁Q",
    "宁R", "宁S",
];
const LETTERS: &[u8; 24] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
/// Without Q, which no VIN has.
const PLANTS: &[u8; 23] = b"ABCDEFGHJKLMNPRSTUVWXYZ";
const PER_AUTHORITY: u64 = 24 * 24 * 1000;
const SURNAMES: [&str; 10] = ["甄", "应", "贾", "宓", "臧", "邰", "鄢", "尹", "汲", "仰"];
const GIVEN: [&str; 10] = ["一", "二", "三", "四", "五", "六", "七", "八", "九", "十"];

/// So many people besides the personas.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Crowd(u64);

impl Crowd {
    /// A crowd of `size` people, at most 17,982,000.
    pub(crate) fn of(size: u64) -> Self {
        Crowd(size.min(MAX))
    }

    fn member(self, i: u64) -> Option<Persona> {
        if i < self.0 { crowd_member(i) } else { None }
    }

    pub(crate) fn by_number(self, number: &str) -> Option<Persona> {
        let rest = number.strip_prefix(DIVISION)?;
        let digits = |range: std::ops::Range<usize>| rest.get(range)?.parse().ok();
        let birth = Date::new(
            digits(0..4)?,
            digits(4..6)?.try_into().ok()?,
            digits(6..8)?.try_into().ok()?,
        )
        .ok()?;
        let day = u64::try_from(FIRST_DAY.until(birth).ok()?.get_days())
            .ok()
            .filter(|day| *day < DAYS)?;
        let sequence = u64::try_from(digits(8..11)?).ok()?;
        self.member(sequence.checked_sub(1)? * DAYS + day)
            .filter(|who| who.id_number == number)
    }

    pub(crate) fn by_phone(self, phone: &str) -> Option<Persona> {
        let i = phone
            .strip_prefix("179")
            .filter(|digits| digits.len() == 8)?
            .parse::<u64>()
            .ok()?;
        self.member(i.checked_sub(FIRST_PHONE)?)
    }

    pub(crate) fn by_plate(self, plate: &str, class: &str) -> Option<Persona> {
        let (authority, serial) = plate
            .split_at_checked(4)
            .filter(|(_, serial)| serial.len() == 5 && class == "02")?;
        let authority = AUTHORITIES.iter().position(|known| *known == authority)? as u64;
        let letter = |at: usize| {
            LETTERS
                .iter()
                .position(|known| *known == serial.as_bytes()[at])
                .map(|i| i as u64)
        };
        let digits: u64 = serial.get(2..)?.parse().ok()?;
        let i = authority * PER_AUTHORITY + (letter(0)? * 24 + letter(1)?) * 1000 + digits;
        self.member(i)
            .filter(|who| who.vehicles.iter().any(|vehicle| vehicle.plate == plate))
    }
}

/// Phones from 179-2000-0000 on, which the personas do not use.
const FIRST_PHONE: u64 = 20_000_000;

/// Person `i` of the crowd, wherever it ends: what a benchmark registers and asks about. `None` from 17,982,000 on.
#[must_use]
pub fn crowd_member(i: u64) -> Option<Persona> {
    let born = FIRST_DAY
        .checked_add(jiff::Span::new().try_days(i64::try_from(i % DAYS).ok()?).ok()?)
        .ok()?;
    let sequence = u16::try_from(i / DAYS + 1).ok()?;
    let number = IdNumber::compose(DIVISION, born, sequence).ok()?;
    let vehicle = car(i)?;
    let digit = |power: u32| usize::try_from(i / 10_u64.pow(power) % 10).unwrap_or(0);
    let name = [
        SURNAMES[digit(0)],
        GIVEN[digit(1)],
        GIVEN[digit(2)],
        GIVEN[digit(3)],
    ]
    .concat();
    Some(Persona {
        id: format!("crowd-{i}"),
        about: Bilingual::new("压力测试用的人", "One of the crowd for benchmarks"),
        name,
        former_names: Vec::new(),
        id_number: number.expose().to_owned(),
        former_id_numbers: Vec::new(),
        document_until: None,
        phone: Some(format!("179{:08}", FIRST_PHONE + i)),
        phone_in_name_of: None,
        children: Vec::new(),
        canary: false,
        always: std::collections::BTreeMap::new(),
        licence: None,
        vehicles: vec![vehicle],
    })
}

fn car(i: u64) -> Option<Vehicle> {
    let authority = AUTHORITIES.get(usize::try_from(i / PER_AUTHORITY).ok()?)?;
    let within = i % PER_AUTHORITY;
    let letter = |n: u64| usize::try_from(n % 24).ok().map(|n| char::from(LETTERS[n]));
    let plate = format!(
        "{authority}{}{}{:03}",
        letter(within / 24_000)?,
        letter(within / 1000)?,
        within % 1000
    );
    let plant = char::from(*PLANTS.get(usize::try_from(i / 1_000_000).ok()?)?);
    let vis = format!("M{plant}{:06}", i % 1_000_000);
    let vin = Vin::compose("LSVSBX0C", &vis).ok()?;
    Some(Vehicle {
        plate,
        class: "02".to_owned(),
        vin: vin.expose().to_owned(),
        engine: Some(format!("SBX{i:08}")),
        brand: "大众牌".to_owned(),
        model: "SVW7148SBX".to_owned(),
        kind: "小型轿车".to_owned(),
        colour: "A".to_owned(),
        fuel: "A".to_owned(),
        r#use: "A".to_owned(),
        registered: Day::Fixed(date(2021, 6, 1)),
        owned_since: None,
        inspection_until: Day::FromToday(200),
        scrap_deadline: None,
        states: "A".to_owned(),
        co_owner: None,
        violations: Vec::new(),
        insured_until_as_told: None,
        policies: Vec::new(),
        repairs: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use domain::identifiers::{Phone, Plate};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn everybody_is_found_by_every_key(i in 0..MAX) {
            let crowd = Crowd::of(MAX);
            let who = crowd_member(i).unwrap();
            let id = |found: Option<Persona>| found.map(|p| p.id);
            prop_assert_eq!(id(crowd.by_number(&who.id_number)), Some(who.id.clone()));
            prop_assert_eq!(id(crowd.by_phone(who.phone.as_deref().unwrap())), Some(who.id.clone()));
            let plate = &who.vehicles[0].plate;
            prop_assert_eq!(id(crowd.by_plate(plate, "02")), Some(who.id.clone()));
            prop_assert_eq!(id(crowd.by_plate(plate, "01")), None);
            prop_assert!(Plate::parse(plate).is_ok() && Phone::parse(who.phone.as_deref().unwrap()).is_ok());
            let smaller = Crowd::of(i);
            prop_assert!(smaller.by_number(&who.id_number).is_none() && smaller.by_plate(plate, "02").is_none());
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}|142721[0-9X]{0,13}|[浙苏琼宁][A-Z][0-9A-Z]{4,6}|179[0-9]{7,9}") {
            let crowd = Crowd::of(MAX);
            let _ = (crowd.by_number(&text), crowd.by_phone(&text), crowd.by_plate(&text, "02"));
        }
    }
}
