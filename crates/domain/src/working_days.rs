//! Working days in China: weekdays, less public holidays, plus the days on which those are made up for.
//!
//! Which days those are is announced year by year and cannot be computed. They stand in `data/working_days.tsv`; for
//! a year that is not there the weekday alone counts, and the answer says that it is an estimate.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use jiff::civil::{Date, Weekday};

/// The most working days that are counted at once: ten years of them.
const MAX_DAYS: u32 = 2_600;

/// A date that was counted in working days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The date.
    pub date: Date,
    /// A year on the way is not announced yet, so that holidays may move it.
    pub estimated: bool,
}

/// What is announced.
struct Calendar {
    /// `true` for a day off, `false` for one that is worked although it is on a weekend.
    off: BTreeMap<Date, bool>,
    years: BTreeSet<i16>,
}

static CALENDAR: LazyLock<Calendar> = LazyLock::new(|| read(include_str!("../data/working_days.tsv")));

/// The date `days` working days after `start`; the day itself does not count, whatever it is (民法典 201). At most
/// 2,600 days are counted.
#[must_use]
pub fn after(start: Date, days: u32) -> Due {
    let (mut date, mut left, mut estimated) = (start, days.min(MAX_DAYS), false);
    while left > 0 {
        let Ok(next) = date.tomorrow() else { break };
        date = next;
        estimated |= !is_announced(date.year());
        left -= u32::from(is_working_day(date));
    }
    Due { date, estimated }
}

/// Whether offices work on this day, by the announcement or, for a year without one, by the weekday.
#[must_use]
pub fn is_working_day(date: Date) -> bool {
    match CALENDAR.off.get(&date) {
        Some(off) => !off,
        None => !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday),
    }
}

/// Whether the holidays of this year are known.
#[must_use]
pub fn is_announced(year: i16) -> bool {
    CALENDAR.years.contains(&year)
}

/// Lines that cannot be read are left out; a test finds them.
fn read(text: &str) -> Calendar {
    let mut calendar = Calendar {
        off: BTreeMap::new(),
        years: BTreeSet::new(),
    };
    for (first, last, off) in text.lines().filter_map(line) {
        calendar.years.insert(first.year());
        let days = first.series(jiff::Span::new().days(1));
        calendar
            .off
            .extend(days.take_while(|day| *day <= last).map(|day| (day, off)));
    }
    calendar
}

fn line(line: &str) -> Option<(Date, Date, bool)> {
    let mut columns = line.split('\t');
    let first = columns.next()?.parse().ok()?;
    let last = columns.next()?.parse().ok()?;
    match columns.next()? {
        "off" => Some((first, last, true)),
        "work" => Some((first, last, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn every_line_of_the_file_is_read_and_makes_sense() {
        let text = include_str!("../data/working_days.tsv");
        let lines: Vec<_> = text.lines().filter(|l| !l.starts_with('#')).collect();
        assert!(lines.len() >= 30);
        for text in lines {
            let (first, last, off) = line(text).unwrap_or_else(|| panic!("{text}"));
            assert!(first <= last && first.year() == last.year(), "{text}");
            // Nobody is told to work on a day on which they work anyway.
            let weekend = matches!(first.weekday(), Weekday::Saturday | Weekday::Sunday);
            assert!(off || (first == last && weekend), "{text}");
        }
        // The law gives eleven days a year until 2024 and thirteen since (全国年节及纪念日放假办法 2). What else is off
        // is made up for, so that no more days than those are lost to work.
        for (year, given) in [(2024, 11), (2025, 13), (2026, 13)] {
            let of_year = CALENDAR.off.iter().filter(|(day, _)| day.year() == year);
            let lost: i32 = of_year
                .map(|(day, off)| match (off, day.weekday()) {
                    (true, Weekday::Saturday | Weekday::Sunday) => 0,
                    (true, _) => 1,
                    (false, _) => -1,
                })
                .sum();
            assert!((given - 4..=given).contains(&lost), "{year}: {lost}");
        }
    }

    #[test]
    fn known_dates_are_counted() {
        for (start, days, due) in [
            // National Day 2026: Thursday to Wednesday, and the Saturday after it is worked.
            ("2026-09-30", 1, "2026-10-08"),
            ("2026-09-30", 3, "2026-10-10"),
            ("2026-09-30", 4, "2026-10-12"),
            // A Sunday is worked for it before: between a Friday and a Monday lies one day.
            ("2026-09-18", 2, "2026-09-21"),
            // Mid-autumn 2026 is a Friday.
            ("2026-09-24", 1, "2026-09-28"),
            // Spring Festival 2026: nine days off, Saturdays before and after are worked.
            ("2026-02-13", 1, "2026-02-14"),
            ("2026-02-13", 2, "2026-02-24"),
            ("2026-02-24", 4, "2026-02-28"),
            ("2026-02-24", 5, "2026-03-02"),
            // Spring Festival 2025 begins on its eve; a Sunday before and a Saturday after are worked.
            ("2025-01-24", 3, "2025-02-05"),
            ("2025-02-05", 3, "2025-02-08"),
            // National Day with Mid-autumn 2025: eight days.
            ("2025-09-30", 3, "2025-10-11"),
            // Labour Day 2024.
            ("2024-04-26", 4, "2024-05-06"),
            ("2024-05-10", 1, "2024-05-11"),
            // Begun on a day off, that day does not count either.
            ("2026-10-03", 1, "2026-10-08"),
            // No day at all, and an ordinary week.
            ("2026-11-22", 0, "2026-11-22"),
            ("2026-11-22", 5, "2026-11-27"),
        ] {
            let counted = after(date(start), days);
            assert_eq!(
                counted,
                Due {
                    date: date(due),
                    estimated: false
                },
                "{days} after {start}"
            );
        }
    }

    #[test]
    fn a_year_without_an_announcement_is_an_estimate() {
        let counted = after(date("2026-12-30"), 3);
        assert_eq!(
            counted,
            Due {
                date: date("2027-01-04"),
                estimated: true
            }
        );
        assert!(!after(date("2026-12-28"), 3).estimated, "all of it lies in 2026");
        assert!(after(date("2019-09-30"), 1).estimated);
        assert!(!is_announced(2027) && is_announced(2024));
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        assert_eq!(after(Date::MAX, 5).date, Date::MAX);
        assert!(after(Date::MIN, u32::MAX).date > Date::MIN);
    }

    proptest! {
        /// Counted the slow way, day by day.
        #[test]
        fn so_many_working_days_lie_between(offset in 0_i32..1000, days in 1_u32..60) {
            let start = date("2024-01-01").checked_add(jiff::Span::new().days(offset)).unwrap();
            let due = after(start, days).date;
            prop_assert!(is_working_day(due));
            let all = start.tomorrow().unwrap().series(jiff::Span::new().days(1));
            let worked = all.take_while(|day| *day <= due).filter(|day| is_working_day(*day)).count();
            prop_assert_eq!(worked, days as usize);
        }
    }
}
