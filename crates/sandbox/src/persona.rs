//! What is known of one invented person: the shape of `personas/*.toml`.

use std::{collections::BTreeMap, fmt};

use domain::{outcome::Outcome, words::Bilingual};
use jiff::civil::Date;
use serde::Deserialize;

use crate::day::{Day, Moment};

/// One invented person with all that the played registers hold of them.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Persona {
    /// A slug such as `wang-xiulan`.
    pub id: String,
    /// What this persona is good for, in a line.
    pub about: Bilingual,
    /// As on the document.
    pub name: String,
    /// Names before the present one; nothing is found under them.
    #[serde(default)]
    pub former_names: Vec<FormerName>,
    /// In normal form.
    pub id_number: String,
    /// Numbers before the present one; nothing is found under them.
    #[serde(default)]
    pub former_id_numbers: Vec<String>,
    /// The document's last day, where it is not the usual one of [`Persona::document_ends`].
    #[serde(default)]
    pub document_until: Option<Day>,
    /// The mobile number that they use.
    #[serde(default)]
    pub phone: Option<String>,
    /// The persona in whose name the carrier has that number, if it is somebody else.
    #[serde(default)]
    pub phone_in_name_of: Option<String>,
    /// Personas who are their children; both parents name them.
    #[serde(default)]
    pub children: Vec<String>,
    /// Every value of theirs occurs nowhere else, so that a leak of it is found by searching.
    #[serde(default)]
    pub canary: bool,
    /// What a path answers about them always, such as `"civil-affairs/marriage/query" = "not_filed_yet"`.
    #[serde(default)]
    pub always: BTreeMap<String, Outcome>,
    /// Their driving licence.
    #[serde(default)]
    pub licence: Option<Licence>,
    /// The vehicles in their name.
    #[serde(default)]
    pub vehicles: Vec<Vehicle>,
}

/// A name until a day.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerName {
    /// The name.
    pub name: String,
    /// The last day on which it was theirs.
    pub until: Day,
}

/// A driving licence. Letters of states: docs/sandbox.md, "Codes".
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// The number printed on it, where it is not the holder's present one.
    #[serde(default)]
    pub number: Option<String>,
    /// 档案编号.
    pub file_number: String,
    /// Classes as printed, such as `C1E`.
    pub classes: String,
    /// The day of first issue, from which the cycles of points count.
    pub first_issued: Day,
    /// First day of validity.
    pub valid_from: Day,
    /// Last day of validity; none where it is valid without limit.
    #[serde(default)]
    pub valid_until: Option<Day>,
    /// Letters of states, separated by commas.
    pub states: String,
    /// Points of this cycle, from violations dealt with.
    pub points: u32,
    /// Next review (审验) or medical examination.
    #[serde(default)]
    pub next_review: Option<Day>,
    /// Last day of the trainee year.
    #[serde(default)]
    pub trainee_until: Option<Day>,
}

/// A vehicle. Letters of colour, fuel, use and states: docs/sandbox.md, "Codes".
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vehicle {
    /// In normal form.
    pub plate: String,
    /// 号牌种类, two digits.
    pub class: String,
    /// VIN, or the frame number of an old vehicle.
    pub vin: String,
    /// Engine number; none for electric vehicles and trailers.
    #[serde(default)]
    pub engine: Option<String>,
    /// Make.
    pub brand: String,
    /// Model.
    pub model: String,
    /// 车辆类型 in words.
    pub kind: String,
    /// Letter of the colour.
    pub colour: String,
    /// Letter of the fuel.
    pub fuel: String,
    /// Letter of the use.
    pub r#use: String,
    /// First registered.
    pub registered: Day,
    /// In the present owner's name since, if not from the first registration on.
    #[serde(default)]
    pub owned_since: Option<Day>,
    /// Inspection valid until.
    pub inspection_until: Day,
    /// Must be scrapped by.
    #[serde(default)]
    pub scrap_deadline: Option<Day>,
    /// Letters of states, separated by commas.
    pub states: String,
    /// The persona who owns it too.
    #[serde(default)]
    pub co_owner: Option<String>,
    /// Its violations.
    #[serde(default)]
    pub violations: Vec<Violation>,
    /// Its insurance.
    #[serde(default)]
    pub policies: Vec<Policy>,
    /// Until when traffic management was told that it is insured, where that is not what the insurers say.
    #[serde(default)]
    pub insured_until_as_told: Option<Day>,
    /// Its visits to repair shops.
    #[serde(default)]
    pub repairs: Vec<Repair>,
}

/// A traffic violation.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// When.
    pub at: Moment,
    /// Where.
    pub place: String,
    /// What was done.
    pub act: String,
    /// Code of GA/T 16.31; the points are never read from it.
    pub code: String,
    /// Fine in yuan.
    pub fine: u32,
    /// Points; they count only once it is dealt with.
    pub points: u32,
    /// Dealt with.
    #[serde(default)]
    pub handled: bool,
    /// The fine is paid.
    #[serde(default)]
    pub paid: bool,
    /// The police office.
    pub authority: String,
    /// Number of the decision, once dealt with.
    #[serde(default)]
    pub decision: Option<String>,
    /// The persona who drove, where that is known.
    #[serde(default)]
    pub driver: Option<String>,
    /// Handle of the evidence image.
    #[serde(default)]
    pub image: Option<String>,
}

/// An insurance policy.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// 1 compulsory, 2 commercial.
    pub kind: String,
    /// The insurer.
    pub insurer: String,
    /// Number of the policy.
    pub number: String,
    /// First day.
    pub from: Day,
    /// Last day.
    pub until: Day,
    /// The persona insured, if not the owner.
    #[serde(default)]
    pub insured: Option<String>,
}

/// A visit to a repair shop.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repair {
    /// The day.
    pub on: Day,
    /// Odometer in kilometres.
    pub km: u32,
    /// The shop.
    pub shop: String,
    /// What was done.
    pub work: String,
}

/// One registration of a marriage and what became of it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marriage {
    /// Husband and wife.
    pub parties: [Party; 2],
    /// What is registered now.
    pub state: MarriageState,
    /// Day of the marriage.
    pub registered: Day,
    /// The office.
    pub office: String,
    /// Number of the marriage certificate.
    pub certificate: String,
    /// Day of the divorce's registration, of the judgment or of the annulment.
    #[serde(default)]
    pub ended: Option<Day>,
    /// Number of the divorce certificate.
    #[serde(default)]
    pub ended_certificate: Option<String>,
    /// Day on which both applied for divorce.
    #[serde(default)]
    pub divorce_applied: Option<Day>,
}

/// One of the two: a persona, or somebody of whom nothing else is known.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub enum Party {
    /// A persona's id.
    Persona(String),
    /// An invented person outside the cast.
    Other(Outsider),
}

/// An invented person of whom only name and number are known.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outsider {
    /// As on the document.
    pub name: String,
    /// In normal form.
    pub id_number: String,
}

/// What the register says of a marriage. It does not know divorces by a court, nor deaths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarriageState {
    /// A marriage.
    Married,
    /// A divorce registered by an office.
    Divorced,
    /// Declared void.
    Void,
    /// Annulled.
    Annulled,
}

impl Persona {
    /// The document's last day; none for one that is valid without limit.
    ///
    /// As 居民身份证法 article 5 has it: for 5 years below 16, 10 years from 16, 20 years from 26, and without
    /// limit from 46 on. The last card is taken to be issued on the birthday on which the band begins.
    #[must_use]
    pub fn document_ends(&self, today: Date) -> Option<Date> {
        if let Some(day) = self.document_until {
            return Some(day.on(today));
        }
        let number = domain::identifiers::IdNumber::parse(&self.id_number, today)
            .ok()?
            .value;
        let (birth, age) = (number.birth()?, number.age_on(today)?);
        let ends_at = match age {
            ..16 => (age / 5 * 5 + 5).min(16),
            16..26 => 26,
            26..46 => 46,
            _ => return None,
        };
        birth.checked_add(jiff::Span::new().years(ends_at)).ok()
    }

    /// Their violations that are not dealt with, on the vehicles in their own name: points that may come.
    #[must_use]
    pub fn points_pending(&self) -> u32 {
        let all = self.vehicles.iter().flat_map(|vehicle| &vehicle.violations);
        all.filter(|violation| !violation.handled)
            .map(|violation| violation.points)
            .sum()
    }
}

/// Says who it is by the slug alone, so that a trace of a canary shows no value of theirs.
impl fmt::Debug for Persona {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Persona({})", self.id)
    }
}
