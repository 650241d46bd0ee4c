//! What can be said of an identifier without asking anybody: the answer of `mingcha inspect`.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    CertificateNumber, IdNumber, IdentifierError, LicenceFileNumber, Parsed, Plate, Sex, Vin, Warning,
    divisions,
};

/// What a text is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InspectType {
    /// [`IdNumber`].
    IdNumber,
    /// [`Plate`].
    Plate,
    /// [`Vin`].
    Vin,
    /// [`CertificateNumber`].
    CertificateNumber,
    /// [`LicenceFileNumber`].
    LicenceFileNumber,
}

impl InspectType {
    /// Every type.
    pub const ALL: [InspectType; 5] = [
        Self::IdNumber,
        Self::Plate,
        Self::Vin,
        Self::CertificateNumber,
        Self::LicenceFileNumber,
    ];

    /// The name by which the command line knows the type.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::IdNumber => "id-number",
            Self::Plate => "plate",
            Self::Vin => "vin",
            Self::CertificateNumber => "certificate-number",
            Self::LicenceFileNumber => "licence-file-number",
        }
    }

    /// The type of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An error or a warning as it is printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The stable code.
    pub code: &'static str,
    /// The English text; it never repeats the identifier.
    pub message: String,
    /// Which character of the typed text is meant, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// What may have been meant there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<char>,
}

impl From<&IdentifierError> for Finding {
    fn from(error: &IdentifierError) -> Self {
        Finding {
            code: error.code(),
            message: error.to_string(),
            position: error.position(),
            suggestion: error.suggestion(),
        }
    }
}

impl From<&Warning> for Finding {
    fn from(warning: &Warning) -> Self {
        Finding {
            code: warning.code(),
            message: warning.to_string(),
            position: None,
            suggestion: None,
        }
    }
}

/// What can be said of one text. Serialises with exactly these members.
#[derive(Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Whether the text is a well-formed identifier of its type; not whether it exists.
    pub valid: bool,
    /// The identifier in its normal form; `null` where it is not valid.
    pub normalized: Option<String>,
    /// What the identifier says about itself.
    pub facts: BTreeMap<String, Value>,
    /// Why it is not valid: one error, the first from the left.
    pub errors: Vec<Finding>,
    /// What is odd about it.
    pub warnings: Vec<Finding>,
}

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspection")
            .field("valid", &self.valid)
            .field("errors", &self.errors)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// Says of a text what can be said without asking anybody. `today` is the day in China.
#[must_use]
pub fn inspect(kind: InspectType, raw: &str, today: Date) -> Inspection {
    match kind {
        InspectType::IdNumber => report(IdNumber::parse(raw, today), IdNumber::expose, |number| {
            id_number(number, today)
        }),
        InspectType::Plate => report(Plate::parse(raw), Plate::expose, plate),
        InspectType::Vin => report(Vin::parse(raw), Vin::expose, vin),
        InspectType::CertificateNumber => {
            let parsed = CertificateNumber::parse(raw).and_then(|parsed| {
                if parsed.value.is_future(today) {
                    Err(IdentifierError::YearImpossible)
                } else {
                    Ok(parsed)
                }
            });
            report(parsed, CertificateNumber::expose, certificate_number)
        }
        InspectType::LicenceFileNumber => report(
            LicenceFileNumber::parse(raw),
            LicenceFileNumber::expose,
            licence_file_number,
        ),
    }
}

fn report<T>(
    parsed: Result<Parsed<T>, IdentifierError>,
    expose: fn(&T) -> &str,
    facts: impl FnOnce(&T) -> Value,
) -> Inspection {
    match parsed {
        Ok(Parsed { value, warnings }) => Inspection {
            valid: true,
            normalized: Some(expose(&value).to_owned()),
            facts: match facts(&value) {
                Value::Object(members) => members.into_iter().collect(),
                _ => BTreeMap::new(),
            },
            errors: Vec::new(),
            warnings: warnings.iter().map(Finding::from).collect(),
        },
        Err(error) => Inspection {
            valid: false,
            normalized: None,
            facts: BTreeMap::new(),
            errors: vec![Finding::from(&error)],
            warnings: Vec::new(),
        },
    }
}

fn id_number(number: &IdNumber, today: Date) -> Value {
    let division = number.division().map(|division| {
        json!({
            "code": division.code.to_string(),
            "name": number.division_name(),
            "retired": divisions::is_retired(division.code),
            "first_year": division.first_year,
            "last_year": division.last_year,
        })
    });
    let country = number
        .country()
        .map(|country| json!({ "number": country.number, "letters": country.letters, "zh": country.zh, "en": country.en }));
    let sex = number.sex().map(|sex| match sex {
        Sex::Female => "female",
        Sex::Male => "male",
    });
    json!({
        "document": number.document().code(),
        "birth": number.birth().map(|birth| birth.to_string()),
        "age": number.age_on(today),
        "sex": sex,
        "division": division,
        "country": country,
    })
}

fn plate(plate: &Plate) -> Value {
    let classes: Vec<Value> = plate
        .possible_classes()
        .map(|class| json!({ "code": class.code(), "zh": class.zh(), "en": class.en() }))
        .collect();
    let colours: Vec<&str> = plate
        .possible_colours()
        .into_iter()
        .map(|colour| colour.code())
        .collect();
    json!({
        "kind": plate.kind().code(),
        "covered": plate.covered(),
        "province": plate.province(),
        "province_name": plate.province_name(),
        "authority": plate.authority(),
        "city": plate.city(),
        "plate_classes": classes,
        "colours": colours,
    })
}

fn vin(vin: &Vin) -> Value {
    let check_digit = vin
        .check_digit()
        .map(|check| json!({ "valid": check.valid, "applies": check.applies }));
    let maker = vin.maker().map(|maker| json!({ "en": maker.en, "zh": maker.zh }));
    json!({
        "form": if vin.is_legacy() { "legacy-frame-number" } else { "vin" },
        "sentinel": vin.is_sentinel(),
        "wmi": vin.wmi(),
        "vds": vin.vds(),
        "vis": vin.vis(),
        "maker": maker,
        "small_maker": vin.is_small_maker(),
        "region": vin.region().map(|region| region.code()),
        "years": vin.possible_years(),
        "check_digit": check_digit,
        "serial": vin.serial(),
    })
}

fn certificate_number(number: &CertificateNumber) -> Value {
    let division = number.division();
    let name = division.and_then(|division| divisions::full_name(division.code, number.year()?));
    json!({
        "kind": number.kind().code(),
        "office": number.office(),
        "office_division": name,
        "office_retired": division.map(|division| divisions::is_retired(division.code)),
        "year": number.year(),
        "serial": number.serial(),
    })
}

fn licence_file_number(number: &LicenceFileNumber) -> Value {
    json!({
        "region": number.expose().get(..4),
        "province": number.province_name(),
        "city": number.city_name(),
        "serial": number.serial(),
    })
}
