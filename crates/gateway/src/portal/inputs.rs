//! Inputs of a form, made from the types of a kind's key and claims, and precise words for what was typed wrong.

use domain::{
    identifiers::{
        CertificateNumber, IdNumber, IdentifierError, LicenceFileNumber, PersonName, Phone, Plate,
        PlateClass, Vin,
    },
    kind::{FieldType, Kind},
    words::{AskedFreshness, Mode},
};
use jiff::civil::Date;
use serde_json::json;
use sources::{Choices, Region};

use super::{Form, Page, messages, provinces};

/// The classes that most people have, which stand first.
const COMMON_CLASSES: [u8; 5] = [2, 52, 1, 7, 15];

/// The names of what is chosen about where the answer comes from.
pub(super) const FRESHNESS: &str = "freshness";
pub(super) const REGION: &str = "region";

/// One input.
#[derive(Debug)]
pub(super) struct Input {
    /// The name in the form.
    pub(super) name: String,
    /// What it is called.
    pub(super) label: String,
    /// How to type it.
    pub(super) hint: Option<String>,
    /// What was typed.
    pub(super) value: String,
    /// What is wrong with it.
    pub(super) error: Option<String>,
    /// May be left empty.
    pub(super) optional: bool,
    /// What to choose from; empty where it is typed.
    pub(super) options: Vec<Choice>,
    /// The `type` of the input.
    pub(super) html_type: &'static str,
}

impl Input {
    /// The ids of what stands beside it, for `aria-describedby`.
    pub(super) fn described_by(&self) -> Option<String> {
        let hint = self.hint.as_ref().map(|_| format!("{}-hint", self.name));
        let wrong = self.error.as_ref().map(|_| format!("{}-wrong", self.name));
        let both: Vec<_> = hint.into_iter().chain(wrong).collect();
        (!both.is_empty()).then(|| both.join(" "))
    }
}

/// One thing to choose.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) code: String,
    pub(super) name: String,
    pub(super) chosen: bool,
}

/// The inputs for a question of this mode and purpose; `form` is what was typed before, if anything was.
pub(super) fn inputs(
    page: &Page,
    kind: &Kind,
    (mode, purpose): (Mode, &str),
    form: Option<&Form>,
    today: Date,
) -> Vec<Input> {
    let one = |prefix: &str, id: &str, label: &str, of_type: &FieldType, optional: bool| {
        let name = format!("{prefix}{id}");
        let value = form.map(|f| f.get(&name).to_owned()).unwrap_or_default();
        let check = form.is_some() && !(optional && value.is_empty());
        let error = check
            .then(|| problem_of_question(page, of_type, &value, today))
            .flatten();
        Input {
            label: label.to_owned(),
            hint: hint(of_type).map(|key| page.t(key)),
            options: choices(page, of_type, &value, optional),
            html_type: if matches!(of_type, FieldType::Date) {
                "date"
            } else {
                "text"
            },
            name,
            value,
            error,
            optional,
        }
    };
    let keys = kind
        .key
        .iter()
        .map(|k| one("key.", &k.id, page.of(&k.name), &k.of_type, false));
    // A picture is claimed on a page of its own, with a consent of its own.
    let claims = kind
        .claims_for(purpose)
        .filter(|c| mode == Mode::Match && !matches!(c.of_type, FieldType::Image));
    let claims = claims.map(|c| one("claims.", &c.id, page.of(&c.name), &c.of_type, true));
    let mut inputs: Vec<Input> = keys.chain(claims).collect();
    mind_class(page, kind, &mut inputs);
    inputs
}

/// Where plate and class are each right and no vehicle has them together: says which classes the plate can have.
fn mind_class(page: &Page, kind: &Kind, inputs: &mut [Input]) {
    let at = |wanted| kind.key.iter().position(|part| part.of_type == wanted);
    let (Some(plate), Some(class)) = (at(FieldType::Plate), at(FieldType::PlateClass)) else {
        return;
    };
    // The parts of the key come first, in their order.
    let typed = |at: usize| {
        inputs
            .get(at)
            .map(|input| input.value.as_str())
            .unwrap_or_default()
    };
    let (Ok(plate), Ok(chosen)) = (Plate::parse(typed(plate)), PlateClass::parse(typed(class))) else {
        return;
    };
    if plate.value.fits(chosen) {
        return;
    }
    let names: Vec<_> = plate
        .value
        .possible_classes()
        .map(|possible| class_name(page, possible))
        .collect();
    let key = format!("input-{}", IdentifierError::PlateClassMismatch.code());
    if let Some(input) = inputs.get_mut(class) {
        input.error = Some(page.with(&key, names.join(&page.t("comma"))));
    }
}

/// What can be chosen about where the answer comes from; nothing where it does not matter.
pub(super) fn wishes(page: &Page, choices: &Choices, form: Option<&Form>) -> Vec<Input> {
    let select = |name: &str, (label, hint): (String, String), options: Vec<(String, String)>| {
        let value = form.map(|f| f.get(name).to_owned()).unwrap_or_default();
        let option = |(code, name): (String, String)| Choice {
            chosen: code == value,
            code,
            name,
        };
        Input {
            name: name.to_owned(),
            label,
            hint: Some(hint),
            options: options.into_iter().map(option).collect(),
            value,
            error: None,
            optional: false,
            html_type: "text",
        }
    };
    // The first is what is asked where nothing is chosen.
    let wishes = [AskedFreshness::Any, AskedFreshness::Realtime];
    let wishes = wishes.map(|wish| (wish.code().to_owned(), page.word("wish", wish.code())));
    let unnamed = (String::new(), page.t("region-unnamed"));
    let region = |r: &Region| (r.division_code(), region_name(page, r));
    let regions = std::iter::once(unnamed).chain(choices.regions.iter().map(region));
    let freshness = choices.freshness.then(|| {
        select(
            FRESHNESS,
            (page.t("ask-freshness"), page.t("ask-freshness-hint")),
            wishes.into(),
        )
    });
    let region = (!choices.regions.is_empty()).then(|| {
        select(
            REGION,
            (page.t("ask-region"), page.t("ask-region-hint")),
            regions.collect(),
        )
    });
    region.into_iter().chain(freshness).collect()
}

/// A province by its name alone, and less than one with its digits or how its plates begin: some names stand more than
/// once in the table. What it is tells the division and not how it is written: `14`, `140000` and `晋` are one.
fn region_name(page: &Page, region: &Region) -> String {
    if page.is_english() {
        return provinces::english(region);
    }
    if region.division_code().ends_with("0000") {
        region.name.clone()
    } else {
        format!("{}（{}）", region.name, region.code)
    }
}

fn hint(of_type: &FieldType) -> Option<&'static str> {
    Some(match of_type {
        FieldType::Plate => "hint-plate",
        FieldType::PlateClass => "hint-plate-class",
        FieldType::Vin => "hint-vin",
        FieldType::IdNumber => "hint-id-number",
        FieldType::PersonName => "hint-person-name",
        FieldType::Phone => "hint-phone",
        FieldType::LicenceFileNumber => "hint-licence-file-number",
        FieldType::CertificateNumber => "hint-certificate-number",
        _ => return None,
    })
}

fn choices(page: &Page, of_type: &FieldType, value: &str, optional: bool) -> Vec<Choice> {
    let nothing = Choice {
        code: String::new(),
        name: page.t("choice-none"),
        chosen: value.is_empty(),
    };
    match of_type {
        FieldType::PlateClass => {
            let common = COMMON_CLASSES.into_iter().filter_map(PlateClass::from_number);
            let others = PlateClass::all().filter(|c| common.clone().all(|known| known != *c));
            let chosen = if value.is_empty() { "02" } else { value };
            common
                .clone()
                .chain(others)
                .map(|c| class(page, c, chosen))
                .collect()
        }
        FieldType::Code { codes } => {
            let code = |(code, name): (&String, _)| Choice {
                code: code.clone(),
                name: page.of(name).to_owned(),
                chosen: code == value,
            };
            optional
                .then_some(nothing)
                .into_iter()
                .chain(codes.iter().map(code))
                .collect()
        }
        _ => vec![],
    }
}

fn class(page: &Page, class: PlateClass, chosen: &str) -> Choice {
    let code = class.code();
    Choice {
        name: class_name(page, class),
        chosen: code == chosen,
        code,
    }
}

/// A class with its colour, as people know it.
fn class_name(page: &Page, class: PlateClass) -> String {
    let mut name = if page.is_english() {
        class.en().to_owned()
    } else {
        class.zh().to_owned()
    };
    if let Some(colour) = class.colour() {
        name = page.fill(
            "plate-class-of-colour",
            &[
                ("name", &name),
                ("colour", &page.t(&format!("colour-{}", colour.code()))),
            ],
        );
    }
    name
}

/// What is wrong with a text by which somebody looks up, in words; nothing where it is right.
fn problem_of_question(page: &Page, of_type: &FieldType, text: &str, today: Date) -> Option<String> {
    problem(page, of_type, text, today).or_else(|| {
        let wrong = of_type.read_asked(&json!(text), today).err()?;
        Some(sentence(page, of_type, &wrong.why?))
    })
}

/// What is wrong with a text as a value of this type, in words; nothing where it is right.
pub(super) fn problem(page: &Page, of_type: &FieldType, text: &str, today: Date) -> Option<String> {
    let error = match of_type {
        FieldType::Plate => Plate::parse(text).err(),
        FieldType::PlateClass => PlateClass::parse(text).err(),
        FieldType::Vin => Vin::parse(text).err(),
        FieldType::IdNumber => IdNumber::parse(text, today).err(),
        FieldType::PersonName => PersonName::parse(text).err(),
        FieldType::Phone => Phone::parse(text).err(),
        FieldType::LicenceFileNumber => LicenceFileNumber::parse(text).err(),
        FieldType::CertificateNumber => CertificateNumber::parse(text).err(),
        other => {
            let wrong = other.read_on(&json!(text), today).is_err();
            return wrong.then(|| page.t("input-BAD_VALUE"));
        }
    };
    error.map(|e| sentence(page, of_type, &e))
}

/// The sentence of an identifier's error, with what it knows: where, what was found, what is expected.
pub(super) fn sentence(page: &Page, of_type: &FieldType, error: &IdentifierError) -> String {
    let position = error.position().map(|n| n.to_string()).unwrap_or_default();
    let suggestion = error.suggestion().map(String::from).unwrap_or_default();
    let number = match error {
        IdentifierError::WrongLength { found, .. } => found.to_string(),
        IdentifierError::TooLong { limit } => limit.to_string(),
        IdentifierError::BirthTooEarly { floor } => floor.to_string(),
        IdentifierError::CheckDigit { expected } => expected.to_string(),
        _ => String::new(),
    };
    let values = [
        ("position", position.as_str()),
        ("suggestion", &suggestion),
        ("value", &number),
    ];
    let suggested = format!("input-{}-suggested", error.code());
    if !suggestion.is_empty() && messages::exists(page.lang, &suggested) {
        return page.fill(&suggested, &values);
    }
    // What is right differs: a length and a shape are told by the type.
    let of_type = format!("input-{}-{}", error.code(), of_type.word());
    if messages::exists(page.lang, &of_type) {
        return page.fill(&of_type, &values);
    }
    page.fill(&format!("input-{}", error.code()), &values)
}
