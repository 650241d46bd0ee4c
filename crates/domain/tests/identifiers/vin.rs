//! Vehicle identification numbers.

use std::collections::BTreeSet;

use domain::identifiers::{CheckDigit, IdentifierError, Region, Vin, Warning};
use proptest::prelude::*;

use crate::{accepted, check, verdict};

fn parse(raw: &str) -> Vin {
    accepted(raw, Vin::parse(raw))
}

#[test]
fn vins_are_judged() {
    check(
        Vin::parse,
        &[
            ("1M8GDM9AXKP042788", "ok"),
            ("LSVAA49J132047371", "ok"),
            ("lsvaa49j1 3204 7371", "ok"),
            ("ＬＳＶＡＡ４９Ｊ１３２０４７３７１", "ok"),
            // A real Porsche, which uses neither check digit nor year code as others do.
            ("WP0ZZZ99ZTS392124", "CHECK_DIGIT"),
            ("11111111111111111", "SENTINEL"),
            ("LLLLLLLLLLLLLLLLL", "error CHECK_DIGIT"),
            ("LSVAA49J232047371", "error CHECK_DIGIT"),
            ("LSVAA49J132047372", "error CHECK_DIGIT"),
            ("1M8GDM9A1KP042788", "CHECK_DIGIT"),
            ("LSVAA49J1320473", "error WRONG_LENGTH"),
            ("LSVAA49J1320473711", "error WRONG_LENGTH"),
            ("LSVAA49J1320473711234", "error WRONG_LENGTH"),
            ("LSVAA49J13204737中", "error CHARACTER"),
            ("LSVAA49J13204737\u{200f}1", "error INVISIBLE_CHARACTER"),
            ("JN1-123456", "LEGACY_FRAME_NUMBER"),
            ("BJ2020-9412345", "LEGACY_FRAME_NUMBER"),
            ("BJ20中20", "error CHARACTER"),
            ("0000000", "error SENTINEL"),
            ("ABCDEFG", "error SHAPE"),
            ("1234", "error WRONG_LENGTH"),
            ("", "error EMPTY"),
        ],
    );
}

#[test]
fn letters_no_vin_has_are_suggested_away() {
    let table = [
        ("LSVAA49J1320473I1", 16, Some('1')),
        ("LSVAA49J132O47371", 12, Some('0')),
        ("LSV-AA49J-132Q47371", 14, Some('0')),
    ];
    for (raw, position, suggestion) in table {
        let error = Vin::parse(raw).unwrap_err();
        assert_eq!(
            error,
            IdentifierError::Character { position, suggestion },
            "{raw}"
        );
    }
    let error = Vin::parse("LSVAA49J232047371").unwrap_err();
    assert_eq!(error, IdentifierError::CheckDigit { expected: '1' });
}

#[test]
fn facts_are_read() {
    let vin = parse("LSVAA49J132047371");
    assert_eq!(
        (vin.wmi(), vin.vds(), vin.vis()),
        (Some("LSV"), Some("AA49J1"), Some("32047371"))
    );
    assert_eq!(vin.maker().and_then(|maker| maker.zh), Some("上汽大众"));
    assert_eq!(vin.region(), Some(Region::China));
    assert_eq!(vin.possible_years(), Some([2003, 2033]));
    assert_eq!(vin.serial(), Some("047371"));
    assert_eq!(
        vin.check_digit(),
        Some(CheckDigit {
            valid: true,
            applies: true
        })
    );
    assert!(!vin.is_sentinel() && !vin.is_legacy());

    let porsche = parse("WP0ZZZ99ZTS392124");
    assert_eq!(
        porsche.check_digit(),
        Some(CheckDigit {
            valid: false,
            applies: false
        })
    );
    assert_eq!(porsche.region(), Some(Region::Europe));
    assert!(porsche.maker().is_some_and(|maker| maker.en.contains("Porsche")));

    let placeholder = parse("11111111111111111");
    assert!(placeholder.is_sentinel());

    let frame = parse("BJ2020-9412345");
    assert!(frame.is_legacy());
    assert_eq!(frame.expose(), "BJ20209412345");
    assert_eq!(
        (
            frame.wmi(),
            frame.possible_years(),
            frame.check_digit(),
            frame.maker()
        ),
        (None, None, None, None)
    );
}

#[test]
fn every_year_code_is_a_pair() {
    let codes = "ABCDEFGHJKLMNPRSTVWXY123456789";
    for (at, code) in codes.chars().enumerate() {
        let vin = Vin::compose("1M8GDM9A", &format!("{code}P042788")).unwrap();
        let first = 1980 + i16::try_from(at).unwrap();
        assert_eq!(vin.possible_years(), Some([first, first + 30]), "{code}");
    }
    for code in ["U", "Z", "0"] {
        let vin = Vin::compose("1M8GDM9A", &format!("{code}P042788")).unwrap();
        assert_eq!(vin.possible_years(), None);
        assert_eq!(verdict(&Vin::parse(vin.expose())), "YEAR_CODE");
    }
}

#[test]
fn makers_of_the_table_are_known() {
    let table = [
        "LSV", "LFV", "LSG", "LVS", "LBV", "LE4", "LHG", "LVH", "LFM", "LVG", "LGB", "LGX", "LC0", "L6T",
        "LRW", "LGW", "LVV", "LSJ", "LDC", "LJ1", "LZW", "LS5", "LMG",
    ];
    for wmi in table {
        let vin = Vin::compose(&format!("{wmi}AA49J"), "32047371").unwrap();
        assert!(vin.maker().is_some_and(|maker| maker.zh.is_some()), "{wmi}");
    }
    let unknown = Vin::compose("LXXAA49J", "32047371").unwrap();
    assert!(unknown.maker().is_none());
}

#[test]
fn small_makers_have_three_digits_and_others_four() {
    let small = Vin::compose("LA9AA49J", "32ABC371").unwrap();
    assert!(small.is_small_maker());
    assert_eq!(small.serial(), Some("371"));
    assert_eq!(verdict(&Vin::parse(small.expose())), "ok");
    let odd = Vin::compose("LSVAA49J", "3204A371").unwrap();
    assert_eq!(verdict(&Vin::parse(odd.expose())), "UNUSUAL_SERIAL");
}

#[test]
fn a_wrong_check_digit_is_excused_only_where_makers_need_not_use_it() {
    for (raw, applies) in [("1M8GDM9A1KP042788", true), ("WP0ZZZ99ZTS392124", false)] {
        let parsed = Vin::parse(raw).unwrap();
        assert_eq!(parsed.warnings, [Warning::CheckDigit { applies }], "{raw}");
        let excused = parsed.warnings[0].to_string().contains("do not use it");
        assert_eq!(excused, !applies, "{raw}");
    }
}

#[test]
fn the_codes_of_warnings_about_vins_are_all_there_are() {
    let samples = [
        "WP0ZZZ99ZTS39A124",
        "WP0ZZZ99ZUS392124",
        "11111111111111111",
        "JN1-123456",
    ];
    let warned = samples.map(|raw| Vin::parse(raw).unwrap().warnings);
    let seen: BTreeSet<_> = warned.iter().flatten().map(Warning::code).collect();
    assert_eq!(seen, BTreeSet::from(Warning::CODES_OF_VINS));
}

#[test]
fn nothing_shows_the_vin() {
    assert_eq!(format!("{:?}", parse("LSVAA49J132047371")), "Vin(redacted)");
    assert_eq!(parse("LSVAA49J132047371").masked(), "LSV************71");
    assert!(Vin::compose("LSVAA49", "932047371").is_err() && Vin::compose("", "").is_err());
}

proptest! {
    #[test]
    fn no_other_warning_is_given_about_a_vin(raw in "[A-HJ-NPR-Z0-9]{5,20}") {
        for warning in Vin::parse(&raw).into_iter().flat_map(|parsed| parsed.warnings) {
            prop_assert!(Warning::CODES_OF_VINS.contains(&warning.code()), "{}", warning.code());
        }
    }

    #[test]
    fn every_composed_vin_is_accepted(before in "L[A-HJ-NPR-Z0-9]{7}", after in "[A-HJ-NPR-TV-Y1-9][A-HJ-NPR-Z0-9][0-9]{6}") {
        let vin = Vin::compose(&before, &after).unwrap();
        prop_assert_eq!(&parse(vin.expose()), &vin);
        prop_assert_eq!(vin.check_digit(), Some(CheckDigit { valid: true, applies: true }));
    }
}
