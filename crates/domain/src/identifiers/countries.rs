//! Countries of ISO 3166 by number and by three letters, as foreigners' permanent residence cards name them.

use std::sync::LazyLock;

/// One country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166-1 numeric, three digits.
    pub number: &'static str,
    /// ISO 3166-1 alpha-3.
    pub letters: &'static str,
    /// The Chinese name.
    pub zh: &'static str,
    /// The English name.
    pub en: &'static str,
}

static TABLE: LazyLock<Vec<Country>> = LazyLock::new(|| {
    include_str!("../../data/countries.tsv")
        .lines()
        .filter_map(read)
        .collect()
});

fn read(line: &'static str) -> Option<Country> {
    let mut columns = line.split('\t');
    Some(Country {
        number: columns.next()?,
        letters: columns.next()?,
        zh: columns.next()?,
        en: columns.next()?,
    })
}

/// The country with this ISO 3166-1 number or these three letters.
#[must_use]
pub fn find(code: &str) -> Option<&'static Country> {
    TABLE
        .iter()
        .find(|country| country.number == code || country.letters == code)
}
