//! Time as a parameter: instants in UTC microseconds, and the clock that the program passes in.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{civil::Date, tz::TimeZone};

/// An instant: microseconds since 1970-01-01T00:00:00Z. This is also how instants are stored and sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The instant `seconds` later (earlier when negative); it saturates at the ends of time.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_micros(seconds.saturating_mul(1_000_000))
    }

    /// The instant `micros` microseconds later (earlier when negative); it saturates at the ends of time.
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Self {
        Timestamp(self.0.saturating_add(micros))
    }

    /// The calendar date in China (UTC+8, one zone, no summer time since 1991), where dates of the law are counted.
    #[must_use]
    pub fn date_in_china(self) -> Date {
        self.zoned().date()
    }

    /// RFC 3339 in UTC with whole seconds, as the API shows it: `2026-11-22T02:25:04Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_microsecond(self.0.div_euclid(1_000_000).saturating_mul(1_000_000))
            .unwrap_or(jiff::Timestamp::MAX)
            .to_string()
    }

    /// `2026-11-22 10:25` in China's time, as a page shows it.
    #[must_use]
    pub fn for_people(self) -> String {
        self.zoned().strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// Reads RFC 3339 with any offset.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>()
            .ok()
            .map(|t| Timestamp(t.as_microsecond()))
    }

    /// Midnight in China at the start of `date`; `None` at the very edge of representable time.
    #[must_use]
    pub fn start_of(date: Date) -> Option<Self> {
        let zoned = date.to_zoned(china()).ok()?;
        Some(Timestamp(zoned.timestamp().as_microsecond()))
    }

    fn zoned(self) -> jiff::Zoned {
        jiff::Timestamp::from_microsecond(self.0)
            .unwrap_or(jiff::Timestamp::MAX)
            .to_zoned(china())
    }
}

fn china() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}

/// Where the time comes from. Only the program's entry makes a real one; everything else is given one.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// A clock that stands still until it is told to move: for tests and for replays.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        ManualClock(AtomicI64::new(start.0))
    }

    /// Shows `now` from here on, be it earlier or later.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves by `seconds`.
    pub fn advance_seconds(&self, seconds: i64) {
        self.0
            .fetch_add(seconds.saturating_mul(1_000_000), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_counted_in_china() {
        let evening_in_london = Timestamp::parse_rfc3339("2026-11-21T16:00:00Z").unwrap();
        assert_eq!(evening_in_london.date_in_china().to_string(), "2026-11-22");
        assert_eq!(evening_in_london.for_people(), "2026-11-22 00:00");
        assert_eq!(
            Timestamp::start_of(evening_in_london.date_in_china()),
            Some(evening_in_london)
        );
        assert_eq!(evening_in_london.rfc3339(), "2026-11-21T16:00:00Z");
    }

    #[test]
    fn extreme_instants_do_not_panic() {
        for micros in [i64::MIN, -1, 0, i64::MAX] {
            let t = Timestamp(micros);
            let _ = (
                t.rfc3339(),
                t.for_people(),
                t.date_in_china(),
                t.plus_seconds(i64::MAX),
                t.plus_seconds(i64::MIN),
            );
        }
    }
}
