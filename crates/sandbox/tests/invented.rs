//! Nobody in the sandbox can be anybody: every number, phone, plate and VIN is valid and impossible at once.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, which may panic"
)]

use std::collections::BTreeSet;

use domain::identifiers::{
    CertificateNumber, IdDocument, IdNumber, LicenceFileNumber, PersonName, Phone, Plate, PlateClass, Vin,
    Warning, divisions,
};
use jiff::civil::{Date, date};
use sandbox::{Party, Persona, crowd_member, marriages, personas};

const TODAY: Date = date(2026, 11, 22);
/// The first identity cards, and with them the first numbers, were given out in 1984. A code withdrawn before that
/// is in nobody's number, whenever they were born.
const FIRST_NUMBERS: i16 = 1984;

fn all_numbers() -> Vec<String> {
    let of_personas = personas()
        .iter()
        .flat_map(|who| std::iter::once(&who.id_number).chain(&who.former_id_numbers));
    let of_parties = marriages()
        .iter()
        .flat_map(|marriage| &marriage.parties)
        .filter_map(|party| match party {
            Party::Other(outsider) => Some(&outsider.id_number),
            Party::Persona(_) => None,
        });
    let of_crowd = [0, 17_999, 18_000, 17_981_999].map(|i| crowd_member(i).unwrap().id_number);
    of_personas.chain(of_parties).cloned().chain(of_crowd).collect()
}

#[test]
fn every_number_is_valid_and_nobodys() {
    for text in all_numbers() {
        let parsed = IdNumber::parse(&text, TODAY).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(parsed.value.expose(), text, "in normal form");
        match parsed.value.document() {
            IdDocument::Citizen => assert_division_withdrawn(&text),
            // Sequences are given out in order from 001; 990 of one birthday are more than hold a permit.
            IdDocument::ResidencePermitHongKong
            | IdDocument::ResidencePermitMacao
            | IdDocument::ResidencePermitTaiwan => {
                assert!(text[14..17].parse::<u32>().unwrap() >= 990, "{text}")
            }
            // No region of issue is 99.
            IdDocument::Foreigner => {
                assert_eq!(&text[1..3], "99");
                assert!(parsed.warnings.contains(&Warning::UnknownDivision), "{text}");
            }
            // ISO 3166 keeps XAA to XZZ for users; no country gets them.
            IdDocument::ForeignerOld => assert!(text.starts_with('X'), "{text}"),
        }
    }
}

fn assert_division_withdrawn(number: &str) {
    let rows = divisions::of(number[..6].parse().unwrap());
    assert!(!rows.is_empty());
    for row in rows {
        let last = row
            .last_year
            .unwrap_or_else(|| panic!("{number}: the division {} is in use", row.name));
        assert!(
            last < FIRST_NUMBERS,
            "{number}: withdrawn in {last}, when numbers were given out already"
        );
        // Numbers with such codes of a whole city are seen in the wild (140120), whatever the table says.
        assert!(row.name != "市区", "{number}");
    }
}

#[test]
fn numbers_are_of_one_person_each() {
    let all = all_numbers();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn phones_are_in_no_carriers_range() {
    let phones: Vec<&str> = personas().iter().filter_map(|who| who.phone.as_deref()).collect();
    for phone in &phones {
        assert_eq!(Phone::parse(phone).unwrap().value.expose(), *phone);
        // 179 is in no carrier's ranges (the ministry's table of March 2023); 179xx are access codes.
        assert!(phone.starts_with("1790"), "{phone}");
    }
    assert_eq!(phones.iter().collect::<BTreeSet<_>>().len(), phones.len());
}

#[test]
fn plates_are_of_no_authority_and_fit_their_class() {
    let crowd: Vec<Persona> = [0, 575_999, 576_000, 17_981_999]
        .into_iter()
        .filter_map(crowd_member)
        .collect();
    let mut seen = BTreeSet::new();
    for vehicle in personas().iter().chain(&crowd).flat_map(|who| &who.vehicles) {
        let plate = Plate::parse(&vehicle.plate).unwrap_or_else(|e| panic!("{}: {e}", vehicle.plate));
        assert!(
            plate.warnings.contains(&Warning::UnknownAuthority),
            "{}: somebody may have it",
            vehicle.plate
        );
        assert_eq!(plate.value.expose(), vehicle.plate);
        let class = PlateClass::parse(&vehicle.class).unwrap();
        assert!(
            plate.value.can_be(class) && class.covered(),
            "{} {}",
            vehicle.plate,
            vehicle.class
        );
        assert!(
            seen.insert((&vehicle.plate, &vehicle.class)),
            "{}: two vehicles",
            vehicle.plate
        );
    }
}

#[test]
fn vins_are_valid_and_of_no_vehicle() {
    let mut seen = BTreeSet::new();
    for vehicle in personas().iter().flat_map(|who| &who.vehicles) {
        let vin = Vin::parse(&vehicle.vin).unwrap_or_else(|e| panic!("{}: {e}", vehicle.vin));
        assert_eq!(vin.value.expose(), vehicle.vin);
        // SBX where makers describe the vehicle; a frame number of before 1997 begins with it.
        assert!(
            vehicle.vin[3..].starts_with("SBX") || vehicle.vin.starts_with("SBX"),
            "{}",
            vehicle.vin
        );
        assert!(seen.insert(&vehicle.vin), "{}: two vehicles", vehicle.vin);
    }
    let warned = |warning| {
        let parsed = personas()
            .iter()
            .flat_map(|who| &who.vehicles)
            .filter_map(|v| Vin::parse(&v.vin).ok());
        parsed.filter(|vin| vin.warnings.contains(&warning)).count()
    };
    assert_eq!(
        warned(Warning::CheckDigit { applies: false }),
        1,
        "one import whose check digit does not fit"
    );
    assert_eq!(
        warned(Warning::LegacyFrameNumber),
        1,
        "one frame number that is no VIN"
    );
}

#[test]
fn certificates_and_file_numbers_are_valid() {
    for marriage in marriages() {
        for number in std::iter::once(&marriage.certificate).chain(&marriage.ended_certificate) {
            let parsed = CertificateNumber::parse(number).unwrap_or_else(|e| panic!("{number}: {e}"));
            if let Some(office) = parsed.value.office() {
                assert_division_withdrawn(office);
            } else {
                assert_eq!(parsed.warnings, [Warning::LegacyCertificate], "{number}");
            }
        }
    }
    let mut seen = BTreeSet::new();
    for number in personas()
        .iter()
        .filter_map(|who| who.licence.as_ref())
        .map(|licence| &licence.file_number)
    {
        assert_eq!(LicenceFileNumber::parse(number).unwrap().value.expose(), number);
        assert!(seen.insert(number), "{number}: two licences");
    }
}

#[test]
fn names_are_names() {
    let former = personas()
        .iter()
        .flat_map(|who| who.former_names.iter().map(|former| &former.name));
    for name in personas().iter().map(|who| &who.name).chain(former) {
        let parsed = PersonName::parse(name).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((parsed.value.expose(), parsed.warnings.len()), (name.as_str(), 0));
    }
}

#[test]
fn canaries_share_no_value_with_anybody() {
    let canaries: Vec<&Persona> = personas().iter().filter(|who| who.canary).collect();
    assert_eq!(canaries.len(), 2);
    let others: BTreeSet<String> = personas()
        .iter()
        .filter(|who| !who.canary)
        .flat_map(Persona::values)
        .collect();
    for canary in canaries {
        let values = canary.values();
        assert!(
            values.len() >= 15,
            "{}: a canary takes part in everything",
            canary.id
        );
        for value in values {
            assert!(value.chars().count() >= 3, "{value} may occur by chance");
            assert!(
                !others.iter().any(|other| other.contains(&value)),
                "{value} is somebody else's too"
            );
        }
    }
}
