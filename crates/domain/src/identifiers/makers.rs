//! Who makes a vehicle, by the first three characters of its VIN (GB 16737, ISO 3780). Source: NOTICE.

use std::sync::LazyLock;

/// A maker of vehicles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maker {
    /// Two or three characters with which the VINs of this maker start.
    pub prefix: &'static str,
    /// The name in Latin letters.
    pub en: &'static str,
    /// The Chinese name, where the table has one.
    pub zh: Option<&'static str>,
}

/// Sorted by prefix.
static TABLE: LazyLock<Vec<Maker>> = LazyLock::new(|| {
    include_str!("../../data/makers.tsv")
        .lines()
        .filter_map(read)
        .collect()
});

fn read(line: &'static str) -> Option<Maker> {
    let mut columns = line.split('\t');
    Some(Maker {
        prefix: columns.next()?,
        en: columns.next()?,
        zh: columns.next().filter(|name| !name.is_empty()),
    })
}

/// The maker of a VIN that starts with `start` (three characters), by three characters or else by two.
pub(super) fn find(start: &str) -> Option<&'static Maker> {
    exact(start).or_else(|| exact(start.get(..2)?))
}

/// The maker whose whole code is `prefix`.
pub(super) fn exact(prefix: &str) -> Option<&'static Maker> {
    TABLE
        .binary_search_by(|maker| maker.prefix.cmp(prefix))
        .ok()
        .map(|at| &TABLE[at])
}
