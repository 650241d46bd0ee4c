//! The division codes of GB/T 2260 that were ever in use, with their years. Source and licence: NOTICE.

use std::sync::LazyLock;

/// One code during the years in which it meant one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// The six digits.
    pub code: u32,
    /// The place's own name, without the province and city above it.
    pub name: &'static str,
    /// The first year; `None` where the code is as old as the table, which starts about 1980.
    pub first_year: Option<i16>,
    /// The last year; `None` where the code is in use.
    pub last_year: Option<i16>,
}

impl Division {
    /// Whether the code meant this place in that year.
    #[must_use]
    pub fn covers(&self, year: i16) -> bool {
        self.first_year.is_none_or(|first| first <= year) && self.last_year.is_none_or(|last| year <= last)
    }
}

/// Sorted by code, and within one code by year.
static TABLE: LazyLock<Vec<Division>> = LazyLock::new(|| {
    include_str!("../../data/divisions.tsv")
        .lines()
        .filter_map(read)
        .collect()
});

fn read(line: &'static str) -> Option<Division> {
    let mut columns = line.split('\t');
    Some(Division {
        code: columns.next()?.parse().ok()?,
        name: columns.next()?,
        first_year: columns.next()?.parse().ok(),
        last_year: columns.next()?.parse().ok(),
    })
}

/// All rows, sorted by code and year.
#[must_use]
pub fn all() -> &'static [Division] {
    &TABLE
}

/// The rows of one code in the order of years; empty where the code was never in use.
#[must_use]
pub fn of(code: u32) -> &'static [Division] {
    let start = TABLE.partition_point(|row| row.code < code);
    let end = start + TABLE[start..].partition_point(|row| row.code == code);
    &TABLE[start..end]
}

/// What a code meant in a year; where it meant nothing then, what it meant last before, else first.
#[must_use]
pub fn at(code: u32, year: i16) -> Option<&'static Division> {
    let rows = of(code);
    rows.iter()
        .find(|row| row.covers(year))
        .or_else(|| {
            rows.iter()
                .rfind(|row| row.last_year.is_some_and(|last| last < year))
        })
        .or_else(|| rows.first())
}

/// Whether the code was once in use and is no longer.
#[must_use]
pub fn is_retired(code: u32) -> bool {
    let rows = of(code);
    !rows.is_empty() && rows.iter().all(|row| row.last_year.is_some())
}

/// Whether the code is of a province or city below which there are codes of counties.
#[must_use]
pub fn has_parts(code: u32) -> bool {
    let span = match code {
        _ if code.is_multiple_of(10_000) => 10_000,
        _ if code.is_multiple_of(100) => 100,
        _ => return false,
    };
    let next = TABLE.partition_point(|row| row.code <= code);
    TABLE.get(next).is_some_and(|row| row.code < code + span)
}

/// The name with province and city before it, as of a year, such as 广东省汕头市潮阳县.
#[must_use]
pub fn full_name(code: u32, year: i16) -> Option<String> {
    let own = at(code, year)?;
    let mut name = String::new();
    let (province, city) = (code - code % 10_000, code - code % 100);
    for upper in [Some(province), Some(city).filter(|city| *city != province)]
        .into_iter()
        .flatten()
    {
        if let Some(row) = at(upper, year).filter(|row| upper != code && !is_filler(row.name)) {
            name.push_str(row.name);
        }
    }
    name.push_str(own.name);
    Some(name)
}

/// Names that only fill a level of the code, such as 市辖区 for the districts of a city.
fn is_filler(name: &str) -> bool {
    matches!(name, "市辖区" | "县" | "市区") || name.contains("直辖")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read_and_sorted() {
        assert_eq!(
            all().len(),
            include_str!("../../data/divisions.tsv").lines().count()
        );
        assert!(all().is_sorted_by_key(|row| (row.code, row.first_year)));
        assert!(
            all()
                .iter()
                .all(|row| (110_000..840_000).contains(&row.code) && !row.name.is_empty())
        );
    }

    #[test]
    fn one_code_can_mean_two_places() {
        assert_eq!(at(362_324, 1980).map(|row| row.name), Some("丰城县"));
        assert_eq!(at(362_324, 1990).map(|row| row.name), Some("铅山县"));
        assert!(is_retired(362_324) && !is_retired(110_105) && !is_retired(999_999));
    }

    #[test]
    fn names_carry_what_is_above_them() {
        assert_eq!(full_name(440_524, 1985).as_deref(), Some("广东省汕头市潮阳县"));
        assert_eq!(full_name(110_105, 1985).as_deref(), Some("北京市朝阳区"));
        assert_eq!(full_name(810_000, 1985).as_deref(), Some("香港特别行政区"));
        assert!(has_parts(110_000) && has_parts(440_400) && !has_parts(110_105) && !has_parts(810_000));
    }
}
