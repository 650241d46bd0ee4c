//! A day in the personas' data: a date, or so many days from the sandbox's today, so that what is "due in sixty
//! days" is so whenever the sandbox runs.

use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time};
use serde::Deserialize;

use crate::authority::days_before;

/// `2019-03-14`, `+60d` or `-40d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Day {
    /// A calendar date.
    Fixed(Date),
    /// Days after today; negative before.
    FromToday(i64),
}

impl Day {
    /// The date when `today` is the day in China.
    #[must_use]
    pub fn on(self, today: Date) -> Date {
        match self {
            Day::Fixed(date) => date,
            Day::FromToday(days) => days_before(today, -days),
        }
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is neither a date nor days from today such as +60d");
        match text.strip_suffix('d') {
            Some(days) if days.starts_with(['+', '-']) => days
                .parse()
                .ok()
                .filter(|d: &i64| d.abs() < 100_000)
                .map(Day::FromToday)
                .ok_or_else(wrong),
            _ => text.parse().map(Day::Fixed).map_err(|_| wrong()),
        }
    }
}

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A day with a time of day, `-12d 08:15`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Moment {
    day: Day,
    time: Time,
}

impl Moment {
    /// The wall clock in China when `today` is the day there.
    #[must_use]
    pub fn on(self, today: Date) -> DateTime {
        self.day.on(today).to_datetime(self.time)
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (day, time) = text
            .split_once(' ')
            .ok_or_else(|| format!("{text} has no time of day"))?;
        let time = time
            .parse()
            .map_err(|_| format!("{text} has no time of day such as 08:15"))?;
        Ok(Moment {
            day: day.parse()?,
            time,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_counted() {
        let today = jiff::civil::date(2028, 2, 29);
        let on = |text: &str| text.parse::<Day>().map(|day| day.on(today).to_string());
        assert_eq!(on("2019-03-14").as_deref(), Ok("2019-03-14"));
        assert_eq!(on("+1d").as_deref(), Ok("2028-03-01"));
        assert_eq!(on("-366d").as_deref(), Ok("2027-02-28"));
        for wrong in ["60d", "+60", "+xd", "2019-02-29", "", "d", "+999999d"] {
            assert!(on(wrong).is_err(), "{wrong}");
        }
        let at = Moment::try_from("-1d 08:15".to_owned()).unwrap();
        assert_eq!(at.on(today).to_string(), "2028-02-28T08:15:00");
    }
}
