//! The authorities that are played, and how old each one's data is.

use domain::{time::Timestamp, words::Freshness};
use jiff::civil::{Date, DateTime, Weekday, time};

/// One played record holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authority {
    /// The population register.
    Population,
    /// Traffic management: vehicles, licences, violations.
    Traffic,
    /// Civil affairs: the marriage register.
    CivilAffairs,
    /// A telephone carrier.
    Carrier,
    /// The insurers' platform.
    Insurance,
    /// The repair shops' platform.
    Repair,
}

impl Authority {
    /// Every authority, in the order of the documentation.
    pub const ALL: [Authority; 6] = [
        Self::Population,
        Self::Traffic,
        Self::CivilAffairs,
        Self::Carrier,
        Self::Insurance,
        Self::Repair,
    ];

    /// Its part of the path, its name in handshakes after `sandbox-`, and the stem of its source file.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Population => "population",
            Self::Traffic => "traffic",
            Self::CivilAffairs => "civil-affairs",
            Self::Carrier => "carrier",
            Self::Insurance => "insurance",
            Self::Repair => "repair",
        }
    }

    /// Whether it is asked in the clear by an API key and signs its replies, instead of message encryption.
    #[must_use]
    pub fn signs(self) -> bool {
        self == Self::Repair
    }

    /// The freshness that it promises.
    #[must_use]
    pub fn freshness(self) -> Freshness {
        match self {
            Self::Insurance => Freshness::Daily,
            Self::Repair => Freshness::Weekly,
            _ => Freshness::Realtime,
        }
    }

    /// As of when its data stands, in China's time: now; yesterday at 03:00; the last Monday at 03:00.
    #[must_use]
    pub fn as_of(self, now: Timestamp) -> DateTime {
        let present = in_china(now);
        let at_three = |date: Date| date.to_datetime(time(3, 0, 0, 0));
        match self.freshness() {
            Freshness::Realtime => present,
            Freshness::Daily => at_three(days_before(present.date(), 1)),
            Freshness::Weekly => {
                let since_monday = i64::from(present.weekday().since(Weekday::Monday));
                let monday = at_three(days_before(present.date(), since_monday));
                if monday <= present {
                    monday
                } else {
                    at_three(days_before(monday.date(), 7))
                }
            }
        }
    }
}

/// The wall clock in China (UTC+8) to the second.
pub(crate) fn in_china(now: Timestamp) -> DateTime {
    let seconds = jiff::Timestamp::from_second(now.0.div_euclid(1_000_000)).unwrap_or(jiff::Timestamp::MAX);
    jiff::tz::offset(8).to_datetime(seconds)
}

/// The day `days` before, or the first day that there is.
pub(crate) fn days_before(date: Date, days: i64) -> Date {
    date.saturating_sub(jiff::Span::new().try_days(days).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_as_old_as_promised() {
        // A Wednesday at noon in China.
        let now = Timestamp::parse_rfc3339("2026-11-25T12:00:00+08:00").unwrap();
        let shown = |authority: Authority, now| authority.as_of(now).strftime("%Y-%m-%d %H:%M").to_string();
        assert_eq!(shown(Authority::Traffic, now), "2026-11-25 12:00");
        assert_eq!(shown(Authority::Insurance, now), "2026-11-24 03:00");
        assert_eq!(shown(Authority::Repair, now), "2026-11-23 03:00");
        let early_monday = Timestamp::parse_rfc3339("2026-11-23T02:59:59+08:00").unwrap();
        assert_eq!(shown(Authority::Repair, early_monday), "2026-11-16 03:00");
        assert_eq!(shown(Authority::Insurance, early_monday), "2026-11-22 03:00");
    }

    #[test]
    fn extreme_instants_do_not_panic() {
        for micros in [i64::MIN, 0, i64::MAX] {
            for authority in Authority::ALL {
                assert!(authority.as_of(Timestamp(micros)) <= in_china(Timestamp(micros)));
            }
        }
    }
}
