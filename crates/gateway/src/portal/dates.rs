//! Dates, times and amounts as people write them, in China's time.

use domain::time::Timestamp;
use jiff::civil::Date;

use crate::app::Lang;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `2026年11月22日`, `22 Nov 2026`.
#[must_use]
pub(crate) fn date(lang: Lang, date: Date) -> String {
    let month = usize::from(date.month().unsigned_abs());
    match lang {
        Lang::Zh => format!("{}年{}月{}日", date.year(), month, date.day()),
        Lang::En => format!("{} {} {}", date.day(), MONTHS[(month - 1) % 12], date.year()),
    }
}

/// The date and the time to the minute.
#[must_use]
pub(crate) fn time(lang: Lang, time: Timestamp) -> String {
    let minutes = time.for_people();
    let clock = minutes.split_once(' ').map_or("", |(_, clock)| clock);
    format!("{} {clock}", date(lang, time.date_in_china()))
}

/// `¥1,234.50` from fen.
#[must_use]
pub(crate) fn money(fen: i64) -> String {
    let (yuan, cents) = (fen / 100, (fen % 100).abs());
    let digits = yuan.abs().to_string();
    let mut grouped = String::with_capacity(digits.len() + 8);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if fen < 0 { "-" } else { "" };
    format!("{sign}¥{grouped}.{cents:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_amounts() {
        let day = "2026-11-02".parse().unwrap();
        assert_eq!(date(Lang::Zh, day), "2026年11月2日");
        assert_eq!(date(Lang::En, day), "2 Nov 2026");
        let late = Timestamp::parse_rfc3339("2026-11-21T16:05:59Z").unwrap();
        assert_eq!(time(Lang::Zh, late), "2026年11月22日 00:05");
        for (fen, text) in [
            (0, "¥0.00"),
            (20_000, "¥200.00"),
            (123_456_789, "¥1,234,567.89"),
            (-5, "-¥0.05"),
        ] {
            assert_eq!(money(fen), text);
        }
        let _ = (
            money(i64::MIN),
            time(Lang::En, Timestamp(i64::MIN)),
            time(Lang::Zh, Timestamp(i64::MAX)),
        );
    }
}
