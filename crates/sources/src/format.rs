//! How Chinese interfaces write dates, instants and amounts, turned into values of ours.

use domain::{
    kind::{FieldType, Value},
    time::Timestamp,
};
use jiff::{
    civil::{Date, DateTime, Time},
    tz,
};
use serde::Deserialize;
use serde_json::Value as Json;

/// A way of writing that the field types do not read by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Format {
    /// `20261122`.
    #[serde(rename = "yyyyMMdd")]
    CompactDate,
    /// `2026/3/5`, with or without noughts, as spreadsheets write it.
    #[serde(rename = "yyyy/M/d")]
    SlashedDate,
    /// `2026年3月5日`, with or without noughts.
    #[serde(rename = "yyyy年M月d日")]
    ChineseDate,
    /// `20261122102504` in China's time.
    #[serde(rename = "yyyyMMddHHmmss")]
    CompactDateTime,
    /// `2026-11-22 10:25:04` in China's time.
    #[serde(rename = "china-datetime")]
    ChinaDateTime,
    /// An amount in yuan, as a number or as text, with at most two decimals.
    #[serde(rename = "yuan")]
    Yuan,
}

impl Format {
    /// Whether a field of this type can be written in this way.
    pub(crate) fn fits(self, of_type: &FieldType) -> bool {
        match self {
            Format::CompactDate | Format::SlashedDate | Format::ChineseDate => *of_type == FieldType::Date,
            Format::CompactDateTime | Format::ChinaDateTime => {
                matches!(of_type, FieldType::Date | FieldType::DateTime)
            }
            Format::Yuan => *of_type == FieldType::Money,
        }
    }

    /// Reads a value; `None` where it is not written in this way.
    pub(crate) fn read(self, raw: &Json, of_type: &FieldType) -> Option<Value> {
        match (self, raw) {
            (Format::Yuan, Json::Number(number)) => {
                of_type.read(&Json::String(plain_yuan(&number.to_string()))).ok()
            }
            (Format::Yuan, Json::String(_)) => of_type.read(raw).ok(),
            (Format::CompactDate, Json::String(text)) => compact_date(text).map(Value::Date),
            (Format::CompactDate, Json::Number(number)) => compact_date(&number.to_string()).map(Value::Date),
            (Format::SlashedDate, Json::String(text)) => parted_date(text, ['/', '/'], "").map(Value::Date),
            (Format::ChineseDate, Json::String(text)) => {
                parted_date(text, ['年', '月'], "日").map(Value::Date)
            }
            (Format::CompactDateTime, Json::String(text)) => at(compact_date_time(text)?, of_type),
            (Format::CompactDateTime, Json::Number(number)) => {
                at(compact_date_time(&number.to_string())?, of_type)
            }
            (Format::ChinaDateTime, Json::String(text)) => at(china_date_time(text)?, of_type),
            _ => None,
        }
    }
}

/// Reads an instant in any of the ways above, or as RFC 3339; a bare date means its start in China.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text)
        .or_else(|| to_instant(china_date_time(text).or_else(|| compact_date_time(text))?))
        .or_else(|| Timestamp::start_of(compact_date(text).or_else(|| dashed_date(text))?))
}

/// JSON writers turn 200 into `200.0`; that is still 200 yuan.
fn plain_yuan(text: &str) -> String {
    text.strip_suffix(".0").unwrap_or(text).to_owned()
}

fn at(time: DateTime, of_type: &FieldType) -> Option<Value> {
    match of_type {
        FieldType::Date => Some(Value::Date(time.date())),
        _ => to_instant(time).map(Value::DateTime),
    }
}

fn to_instant(time: DateTime) -> Option<Timestamp> {
    let instant = tz::offset(8).to_timestamp(time).ok()?;
    Some(Timestamp(instant.as_microsecond()))
}

fn compact_date(text: &str) -> Option<Date> {
    (text.len() == 8).then_some(())?;
    Date::new(
        number(text.get(..4)?)?,
        number(text.get(4..6)?)?,
        number(text.get(6..)?)?,
    )
    .ok()
}

fn parted_date(text: &str, [year_end, month_end]: [char; 2], end: &str) -> Option<Date> {
    let (year, rest) = text.strip_suffix(end)?.split_once(year_end)?;
    let (month, day) = rest.split_once(month_end)?;
    let short = |digits: &str| matches!(digits.len(), 1 | 2);
    let sound = year.len() == 4 && short(month) && short(day);
    sound.then(|| Date::new(number(year)?, number(month)?, number(day)?).ok())?
}

fn dashed_date(text: &str) -> Option<Date> {
    let (year, month, day) = (text.get(..4)?, text.get(5..7)?, text.get(8..)?);
    let dashed = text.len() == 10 && text.get(4..5)? == "-" && text.get(7..8)? == "-";
    dashed.then(|| Date::new(number(year)?, number(month)?, number(day)?).ok())?
}

fn compact_date_time(text: &str) -> Option<DateTime> {
    (text.len() == 14).then_some(())?;
    let time = Time::new(
        number(text.get(8..10)?)?,
        number(text.get(10..12)?)?,
        number(text.get(12..)?)?,
        0,
    )
    .ok()?;
    Some(compact_date(text.get(..8)?)?.to_datetime(time))
}

fn china_date_time(text: &str) -> Option<DateTime> {
    let (date, time) = text.split_once(' ')?;
    let colons = time.len() == 8 && time.get(2..3)? == ":" && time.get(5..6)? == ":";
    colons.then_some(())?;
    let time = Time::new(
        number(time.get(..2)?)?,
        number(time.get(3..5)?)?,
        number(time.get(6..)?)?,
        0,
    )
    .ok()?;
    Some(dashed_date(date)?.to_datetime(time))
}

/// Digits only: `parse` alone would accept a sign.
fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(format: Format, of_type: &FieldType, raw: &Json, expected: Option<&str>) {
        let read = format.read(raw, of_type).map(|v| v.text().into_owned());
        assert_eq!(read.as_deref(), expected, "{format:?} {raw}");
    }

    #[test]
    fn dates_are_read_exactly() {
        let date = |raw, expected| check(Format::CompactDate, &FieldType::Date, &raw, expected);
        date(json!("20240229"), Some("2024-02-29"));
        date(json!(20_240_229), Some("2024-02-29"));
        for raw in ["20230229", "00000000", "2024-229", "+2240229", "２０24", ""] {
            date(json!(raw), None);
        }
        let compact =
            |of_type, raw, expected| check(Format::CompactDateTime, &of_type, &json!(raw), expected);
        compact(
            FieldType::DateTime,
            "20261122102504",
            Some("2026-11-22T02:25:04Z"),
        );
        compact(FieldType::Date, "20261122002504", Some("2026-11-22"));
        compact(FieldType::DateTime, "20261122250000", None);
        let dashed =
            |raw, expected| check(Format::ChinaDateTime, &FieldType::DateTime, &json!(raw), expected);
        dashed("2026-11-22 10:25:04", Some("2026-11-22T02:25:04Z"));
        for raw in [
            "2026-11-22T10:25:04",
            "2026-11-22 1:25:04",
            "２０26-11-22 10:25",
            "2026-11-22 10:25:04Z",
        ] {
            dashed(raw, None);
        }
    }

    #[test]
    fn dates_of_spreadsheets_are_read_exactly() {
        let slashed = |raw, expected| check(Format::SlashedDate, &FieldType::Date, &json!(raw), expected);
        slashed("2024/2/29", Some("2024-02-29"));
        slashed("2024/02/29", Some("2024-02-29"));
        for raw in [
            "2023/2/29",
            "24/2/9",
            "2024/2/029",
            "2024/2",
            "2024/2/+9",
            "2024/2/9/1",
            "2024/2/9 0:00",
        ] {
            slashed(raw, None);
        }
        let chinese = |raw, expected| check(Format::ChineseDate, &FieldType::Date, &json!(raw), expected);
        chinese("2024年2月29日", Some("2024-02-29"));
        for raw in ["2024年2月29", "2024年13月1日", "二〇二四年2月1日"] {
            chinese(raw, None);
        }
    }

    #[test]
    fn amounts_are_read_exactly() {
        let yuan = |raw, expected| check(Format::Yuan, &FieldType::Money, &raw, expected);
        yuan(json!("200.5"), Some("20050"));
        yuan(json!(200), Some("20000"));
        yuan(json!(200.0), Some("20000"));
        yuan(json!(19.99), Some("1999"));
        for raw in [
            json!(0.001),
            json!(-1),
            json!(1e300),
            json!(true),
            json!(null),
            json!("1 000"),
        ] {
            yuan(raw, None);
        }
    }

    #[test]
    fn instants_are_read_in_every_agreed_way() {
        for text in [
            "2026-11-22T02:25:04Z",
            "2026-11-22T10:25:04+08:00",
            "2026-11-22 10:25:04",
            "20261122102504",
        ] {
            assert_eq!(instant(text).unwrap().rfc3339(), "2026-11-22T02:25:04Z", "{text}");
        }
        for text in ["2026-11-22", "20261122"] {
            assert_eq!(instant(text).unwrap().rfc3339(), "2026-11-21T16:00:00Z", "{text}");
        }
        assert_eq!(instant("2026-11-22 10:25"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,24}|[0-9: -]{0,20}") {
            let raw = Json::String(text.clone());
            for format in [Format::CompactDate, Format::SlashedDate, Format::ChineseDate, Format::CompactDateTime, Format::ChinaDateTime, Format::Yuan] {
                for of_type in [FieldType::Date, FieldType::DateTime, FieldType::Money] {
                    let _ = format.read(&raw, &of_type);
                }
            }
            let _ = instant(&text);
        }
    }
}
