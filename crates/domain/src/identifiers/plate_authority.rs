//! Which city's authority gives out a plate, and which province its character stands for.

use std::sync::LazyLock;

use super::divisions;

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

/// Province character, authority letter, name of the city.
static AUTHORITIES: LazyLock<Vec<(char, char, &'static str)>> = LazyLock::new(|| {
    include_str!("../../data/plate_authorities.tsv")
        .lines()
        .filter_map(read)
        .collect()
});

fn read(line: &'static str) -> Option<(char, char, &'static str)> {
    let mut columns = line.split('\t');
    Some((
        columns.next()?.parse().ok()?,
        columns.next()?.parse().ok()?,
        columns.next()?,
    ))
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
    AUTHORITIES
        .iter()
        .find(|row| row.0 == province && row.1 == letter)
        .map(|row| row.2)
}
