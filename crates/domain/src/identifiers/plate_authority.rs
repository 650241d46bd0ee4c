//! Which city's authority gives out a plate, and which province its character stands for.

use std::{collections::BTreeMap, sync::LazyLock};

use super::{area::Area, divisions};

/// The provinces' characters, each with the first two digits of its division codes.
const PROVINCES: [(char, u32); 31] = [
    ('京', 11),
    ('津', 12),
    ('冀', 13),
    ('晋', 14),
    ('蒙', 15),
    ('辽', 21),
    ('吉', 22),
    ('黑', 23),
    ('沪', 31),
    ('苏', 32),
    ('浙', 33),
    ('皖', 34),
    ('闽', 35),
    ('赣', 36),
    ('鲁', 37),
    ('豫', 41),
    ('鄂', 42),
    ('湘', 43),
    ('粤', 44),
    ('桂', 45),
    ('琼', 46),
    ('渝', 50),
    ('川', 51),
    ('贵', 52),
    ('云', 53),
    ('藏', 54),
    ('陕', 61),
    ('甘', 62),
    ('青', 63),
    ('宁', 64),
    ('新', 65),
];

/// The names of cities, by the province's character and the authority's letter.
static AUTHORITIES: LazyLock<BTreeMap<(char, char), &'static str>> = LazyLock::new(|| {
    include_str!("../../data/plate_authorities.tsv")
        .lines()
        .filter_map(read)
        .collect()
});

fn read(line: &'static str) -> Option<((char, char), &'static str)> {
    let mut columns = line.split('\t');
    let place = (columns.next()?.parse().ok()?, columns.next()?.parse().ok()?);
    Some((place, columns.next()?))
}

/// Whether this is the character of a province.
pub(super) fn is_province(character: char) -> bool {
    PROVINCES.iter().any(|(own, _)| *own == character)
}

/// The full name of the province of this character.
pub(super) fn province_name(character: char) -> Option<&'static str> {
    let code = PROVINCES.iter().find(|(own, _)| *own == character)?.1 * 10_000;
    divisions::of(code).last().map(|row| row.name)
}

/// The city whose authority gives out plates with this province and letter.
pub(super) fn city(province: char, letter: char) -> Option<&'static str> {
    AUTHORITIES.get(&(province, letter)).copied()
}

/// The area of that city; that of the province where the letter stands for no city.
pub(super) fn area(province: char, letter: Option<char>) -> Option<Area> {
    static CITIES: LazyLock<BTreeMap<(char, char), Area>> = LazyLock::new(|| {
        let known = AUTHORITIES.iter();
        known
            .filter_map(|(place, city)| Some((*place, find(place.0, city)?)))
            .collect()
    });
    let city = letter.and_then(|letter| CITIES.get(&(province, letter)).copied());
    city.or_else(|| province_code(province).map(Area::of_code))
}

fn province_code(character: char) -> Option<u32> {
    let (_, digits) = PROVINCES.iter().find(|(own, _)| *own == character)?;
    Some(digits * 10_000)
}

/// The division that a city's short name means: its own row, or that of a county directly below the province.
fn find(province: char, city: &str) -> Option<Area> {
    let upper = province_code(province)?;
    let below = |row: &&divisions::Division| {
        row.code > upper && row.code < upper + 10_000 && row.last_year.is_none() && row.name.starts_with(city)
    };
    let rows = || divisions::all().iter().filter(below);
    let whole = rows().find(|row| row.code.is_multiple_of(100));
    let row = whole.or_else(|| rows().find(|row| row.code % 10_000 >= 9_000))?;
    Some(Area::of_code(row.code))
}
