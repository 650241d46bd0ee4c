//! What travels inside a message: strict requests, and answers in the form that interfaces of this kind have.

use domain::{
    identifiers::{IdNumber, PersonName, Phone, Plate, PlateClass},
    outcome::Outcome,
    time::Timestamp,
};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::authority::{Authority, days_before};

/// What came of a request: its data, or the code that says why there is none.
pub(crate) type Answered = Result<Map<String, Value>, Code>;

/// The codes of the member `code`. docs/sandbox.md lists them for integrators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    NotFound,
    Mismatch,
    CannotCompare,
    Ambiguous,
    DocumentExpired,
    NotFiledYet,
    NotCovered,
    FaceBelowThreshold,
    Maintenance,
    Overloaded,
    /// The request breaks the agreement; the words say where, never what stood there.
    BadRequest(&'static str),
}

/// The code of an answer with data, or of values that match.
pub(crate) const SUCCESS: &str = "0";

impl Code {
    /// The text of the member `code`.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::NotFound => "1001",
            Self::Mismatch => "1002",
            Self::CannotCompare => "1003",
            Self::Ambiguous => "1004",
            Self::DocumentExpired => "1005",
            Self::NotFiledYet => "1006",
            Self::NotCovered => "1007",
            Self::FaceBelowThreshold => "1008",
            Self::Maintenance => "2001",
            Self::Overloaded => "2002",
            Self::BadRequest(_) => "4001",
        }
    }

    /// The text of the member `message`.
    fn message(self) -> String {
        let text = match self {
            Self::NotFound => "未查到记录",
            Self::Mismatch => "比对不一致",
            Self::CannotCompare => "无法比对",
            Self::Ambiguous => "结果不唯一",
            Self::DocumentExpired => "证件已过期",
            Self::NotFiledYet => "数据尚未归集",
            Self::NotCovered => "不在覆盖范围内",
            Self::FaceBelowThreshold => "人像相似度低于阈值",
            Self::Maintenance => "系统维护中",
            Self::Overloaded => "系统繁忙",
            Self::BadRequest(at) => return format!("请求不符合接口约定：{at}"),
        };
        text.to_owned()
    }

    /// The code by which an outcome is told; `found` and `match` need data, and the rest is no answer at all.
    pub(crate) fn of(outcome: Outcome) -> Option<Self> {
        Some(match outcome {
            Outcome::NotFound => Self::NotFound,
            Outcome::Mismatch => Self::Mismatch,
            Outcome::CannotCompare => Self::CannotCompare,
            Outcome::Ambiguous => Self::Ambiguous,
            Outcome::DocumentExpired => Self::DocumentExpired,
            Outcome::NotFiledYet => Self::NotFiledYet,
            Outcome::NotCovered => Self::NotCovered,
            Outcome::FaceBelowThreshold => Self::FaceBelowThreshold,
            Outcome::Maintenance => Self::Maintenance,
            Outcome::Overloaded => Self::Overloaded,
            _ => return None,
        })
    }
}

/// The whole answer: `code`, `message`, `data` where there is some, and `gxsj`, as of when the data stands.
pub(crate) fn document(answered: Answered, authority: Authority, now: Timestamp, stale_days: u32) -> Value {
    let fresh = authority.as_of(now);
    let as_of = days_before(fresh.date(), stale_days.into()).to_datetime(fresh.time());
    let (code, message, data) = match answered {
        Ok(data) => (SUCCESS, "成功".to_owned(), Some(data)),
        Err(code) => (code.code(), code.message(), None),
    };
    let mut whole = Map::new();
    whole.insert("code".into(), code.into());
    whole.insert("message".into(), message.into());
    if let Some(data) = data {
        whole.insert("data".into(), Value::Object(data));
    }
    whole.insert(
        "gxsj".into(),
        as_of.strftime("%Y-%m-%d %H:%M:%S").to_string().into(),
    );
    Value::Object(whole)
}

/// Every request names the look-up and the person; what else it needs follows. Unknown members are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfPerson {
    pub(crate) qqlsh: String,
    pub(crate) xm: String,
    pub(crate) sfzmhm: String,
}

/// A request about a vehicle.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfVehicle {
    pub(crate) qqlsh: String,
    pub(crate) xm: String,
    pub(crate) sfzmhm: String,
    pub(crate) hphm: String,
    pub(crate) hpzl: String,
}

/// A request for an evidence image.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfEvidence {
    pub(crate) qqlsh: String,
    pub(crate) xm: String,
    pub(crate) sfzmhm: String,
    pub(crate) zjbh: String,
}

/// A review that is handed in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfReview {
    pub(crate) qqlsh: String,
    pub(crate) xm: String,
    pub(crate) sfzmhm: String,
    pub(crate) fhbh: String,
    pub(crate) sqly: String,
    #[serde(default)]
    pub(crate) fj1: Option<String>,
    #[serde(default)]
    pub(crate) fj2: Option<String>,
    #[serde(default)]
    pub(crate) fj3: Option<String>,
}

/// A question how far a review is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfReviewStatus {
    pub(crate) qqlsh: String,
    pub(crate) xm: String,
    pub(crate) sfzmhm: String,
    pub(crate) slh: String,
}

/// A comparison of name and number, and of the document's validity if that is claimed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfIdentity {
    pub(crate) qqlsh: String,
    pub(crate) xm: String,
    pub(crate) sfzmhm: String,
    #[serde(default)]
    pub(crate) yxqz: Option<String>,
    #[serde(default)]
    pub(crate) cqyx: Option<String>,
}

/// A comparison of a picture.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfPortrait {
    pub(crate) qqlsh: String,
    pub(crate) xm: String,
    pub(crate) sfzmhm: String,
    pub(crate) zp: String,
}

/// A comparison of a phone's holder.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfPhone {
    pub(crate) qqlsh: String,
    pub(crate) xm: String,
    pub(crate) sfzmhm: String,
    pub(crate) sjhm: String,
}

/// What every request carries, checked: name and number as a careful connector would send them.
pub(crate) struct Asked {
    pub(crate) name: PersonName,
    pub(crate) number: IdNumber,
}

/// Reads a request of one type.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Code> {
    object(body).map_err(|_| Code::BadRequest("成员缺失、多余或类型不对"))
}

/// Reads an object. Alone, serde would also take an array of the members in their order.
pub(crate) fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<T> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(serde::de::Error::custom("expected an object"));
    }
    serde_json::from_slice(body)
}

/// Checks what every request carries. Nothing is normalised: a register compares what it is sent.
pub(crate) fn asked(serial: &str, name: &str, number: &str, today: Date) -> Result<Asked, Code> {
    let hyphenated = serial.len() == 36 && !serial.contains(|c: char| c.is_ascii_uppercase());
    if !hyphenated || uuid::Uuid::try_parse(serial).is_err() {
        return Err(Code::BadRequest("qqlsh"));
    }
    let name = PersonName::parse(name).map_err(|_| Code::BadRequest("xm"))?.value;
    let parsed = IdNumber::parse(number, today)
        .map_err(|_| Code::BadRequest("sfzmhm"))?
        .value;
    if parsed.expose() != number {
        return Err(Code::BadRequest("sfzmhm"));
    }
    Ok(Asked { name, number: parsed })
}

/// Checks plate and class, which must be in normal form and fit each other.
pub(crate) fn plate(plate: &str, class: &str) -> Result<(), Code> {
    let parsed = Plate::parse(plate).map_err(|_| Code::BadRequest("hphm"))?.value;
    let class_parsed = PlateClass::parse(class).map_err(|_| Code::BadRequest("hpzl"))?;
    if parsed.expose() != plate || class_parsed.code() != class {
        return Err(Code::BadRequest("hphm, hpzl"));
    }
    if !parsed.covered() || !class_parsed.covered() {
        Err(Code::NotCovered)
    } else {
        Ok(())
    }
}

/// Checks the handle of an evidence image: at most 64 letters, digits and hyphens.
pub(crate) fn evidence_handle(handle: &str) -> Result<(), Code> {
    let sound = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if (1..=64).contains(&handle.len()) && handle.chars().all(sound) {
        Ok(())
    } else {
        Err(Code::BadRequest("zjbh"))
    }
}

/// Checks the number of a review, ours or theirs: at most 64 letters, digits and hyphens.
pub(crate) fn review_number(number: &str, member: &'static str) -> Result<(), Code> {
    let sound = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if (1..=64).contains(&number.len()) && number.chars().all(sound) {
        Ok(())
    } else {
        Err(Code::BadRequest(member))
    }
}

/// Checks a phone, which must be in normal form.
pub(crate) fn phone(phone: &str) -> Result<(), Code> {
    let parsed = Phone::parse(phone).map_err(|_| Code::BadRequest("sjhm"))?.value;
    if parsed.expose() == phone {
        Ok(())
    } else {
        Err(Code::BadRequest("sjhm"))
    }
}
