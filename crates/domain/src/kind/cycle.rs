//! Cycles that a record says and that follow from another of its dates, such as those of a driving licence's points.

use jiff::civil::Date;
use serde::Deserialize;

use super::{Kind, Value};
use crate::record::Record;

/// A cycle of twelve months, counted from a day that the record says too, as the points of a driving licence are by the
/// rules of the Ministry of Public Security (《道路交通安全违法行为记分管理办法》, order 163 of 2021). A source that says
/// another cycle than follows from that day contradicts itself; which of its dates is wrong nobody can tell.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cycle {
    /// The field of type `date` from which cycles count.
    pub since: String,
    /// The field of type `date` with the first day of a cycle.
    pub start: String,
    /// The field of type `date` with its last day.
    pub end: String,
}

impl Cycle {
    /// The fields that it names.
    #[must_use]
    pub fn fields(&self) -> [&str; 3] {
        [&self.since, &self.start, &self.end]
    }

    /// The field in which a record says what does not follow from the others. What is missing contradicts nothing.
    fn contradiction<'a>(&'a self, record: &Record) -> Option<&'a str> {
        let date = |id: &str| match record.0.get(id) {
            Some(Value::Date(date)) => Some(*date),
            _ => None,
        };
        let since = date(&self.since)?;
        let (start, end) = (date(&self.start), date(&self.end));
        if start.is_some_and(|start| start < since || first_day_in(since, start.year()) != Some(start)) {
            return Some(&self.start);
        }
        // A cycle ends on the day before the next one starts, and is the one that the record says.
        let end = end?;
        let next = end.tomorrow().ok();
        let follows = next.is_some_and(|next| {
            let year = next.year();
            let before = year.checked_sub(1).and_then(|year| first_day_in(since, year));
            next > since
                && first_day_in(since, year) == Some(next)
                && start.is_none_or(|start| before == Some(start))
        });
        (!follows).then_some(self.end.as_str())
    }
}

/// The first day of the cycle that begins in this year. Who began on 29 February has cycles that end on 28 February;
/// the next begins on the day after, which in common years is 1 March.
fn first_day_in(since: Date, year: i16) -> Option<Date> {
    let anniversary = Date::new(year, since.month(), since.day());
    anniversary
        .or_else(|_| Date::new(year, since.month() + 1, 1))
        .ok()
}

impl Record {
    /// Takes the first and last days out of cycles in which the record contradicts itself, and names the first of them:
    /// the rest of the record stands, and nobody plans by a date that cannot be.
    pub fn drop_contradictions<'a>(&mut self, kind: &'a Kind) -> Option<&'a str> {
        let mut first = None;
        for cycle in &kind.cycles {
            if let Some(field) = cycle.contradiction(self) {
                self.0.remove(cycle.start.as_str());
                self.0.remove(cycle.end.as_str());
                first = first.or(Some(field));
            }
        }
        first
    }

    /// A field in which the record contradicts itself by the kind's own rules, if there is one.
    #[must_use]
    pub fn contradiction<'a>(&self, kind: &'a Kind) -> Option<&'a str> {
        kind.cycles.iter().find_map(|cycle| cycle.contradiction(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_follows_from_the_first_day() {
        let cycle = Cycle {
            since: "since".into(),
            start: "start".into(),
            end: "end".into(),
        };
        let check = |since: &str, start: &str, end: &str, wrong: Option<&str>| {
            let dates = [("since", since), ("start", start), ("end", end)];
            let said = dates.into_iter().filter(|(_, date)| !date.is_empty());
            let read = said.map(|(id, date)| (id.into(), Value::Date(date.parse().unwrap())));
            let record = Record(read.collect());
            assert_eq!(cycle.contradiction(&record), wrong, "{since}: {start} to {end}");
        };
        for (since, start, end) in [
            ("2012-08-06", "2026-08-06", "2027-08-05"),
            ("2012-08-06", "2012-08-06", "2013-08-05"),
            ("2020-01-01", "2026-01-01", "2026-12-31"),
            ("2021-03-01", "2027-03-01", "2028-02-29"),
            // The end is always the 28th; the start is the day after.
            ("2020-02-29", "2020-02-29", "2021-02-28"),
            ("2020-02-29", "2025-03-01", "2026-02-28"),
            ("2020-02-29", "2027-03-01", "2028-02-28"),
            ("2020-02-29", "2028-02-29", "2029-02-28"),
        ] {
            check(since, start, end, None);
            check(since, "", end, None);
            check(since, start, "", None);
            check("", start, end, None);
        }
        for (since, start, end, wrong) in [
            ("2012-08-06", "2026-01-01", "2026-12-31", "start"),
            ("2012-08-06", "2026-08-06", "2027-08-06", "end"),
            ("2012-08-06", "2026-08-06", "2028-08-05", "end"),
            ("2012-08-06", "2026-08-06", "2026-08-05", "end"),
            ("2012-08-06", "2011-08-06", "2012-08-05", "start"),
            ("2012-08-06", "", "2012-08-05", "end"),
            ("2012-08-06", "", "2026-12-31", "end"),
            ("2020-02-29", "2025-02-28", "2026-02-27", "start"),
            ("2020-02-29", "2028-03-01", "2029-02-28", "start"),
            ("2020-02-29", "2027-03-01", "2028-02-29", "end"),
        ] {
            check(since, start, end, Some(wrong));
        }
    }
}
