//! Identity numbers of citizens, permit holders and foreigners.

use domain::identifiers::{IdDocument, IdNumber, IdentifierError, Sex};
use jiff::civil::{Date, date};
use proptest::prelude::*;

use crate::{accepted, check, today, verdict};

fn parse(raw: &str) -> IdNumber {
    accepted(raw, IdNumber::parse(raw, today()))
}

#[test]
fn numbers_are_judged() {
    check(
        |raw| IdNumber::parse(raw, today()),
        &[
            // The examples of GB 11643 itself; the second was born a century before its code.
            ("11010519491231002X", "ok"),
            ("440524188001010014", "BIRTH_BEFORE_DIVISION"),
            // Residence permits of Hong Kong, Macao and Taiwan residents.
            ("810000199408230021", "ok"),
            ("81000019980902013X", "ok"),
            ("820000200009100032", "ok"),
            ("830000199201300022", "ok"),
            ("830000200209060065", "ok"),
            // Foreigners, new and old.
            ("932682198501010017", "ok"),
            ("SAU32008501011", "error WRONG_LENGTH"),
            // Travel permits and passports are no ID numbers.
            ("H12345678", "error WRONG_LENGTH"),
            ("M1234567801", "error WRONG_LENGTH"),
            ("12345678", "error WRONG_LENGTH"),
            ("E12345678", "error WRONG_LENGTH"),
            ("SAU320085010112345", "error CHARACTER"),
            ("SAU320850101123", "OLD_FOREIGNER_CARD"),
            ("QQQ320850101123", "OLD_FOREIGNER_CARD UNKNOWN_COUNTRY"),
            ("AAA000000000000", "error SENTINEL"),
            // Width, case, separators.
            ("11010519491231002x", "ok"),
            ("１１０１０５１９４９１２３１００２ｘ", "ok"),
            (" 110105 19491231-002·X\n", "ok"),
            ("110105.1949.1231－002X", "ok"),
            // Placeholders.
            ("111111111111111111", "error SENTINEL"),
            ("000000000000000", "error SENTINEL"),
            ("123456789012345678", "error SENTINEL"),
            ("110105000000000029", "error SENTINEL"),
            ("110105000000002", "error SENTINEL"),
            // One thing wrong at a time.
            ("110105194912310021", "error CHECK_CHARACTER"),
            ("11010519491231003X", "error CHECK_CHARACTER"),
            ("999999194912310026", "error CHECK_CHARACTER"),
            ("999999194913310026", "error BIRTH_INVALID"),
            ("199999194912310026", "error UNKNOWN_DIVISION"),
            ("110105194902300027", "error BIRTH_INVALID"),
            ("110105194913010027", "error BIRTH_INVALID"),
            ("110105179912310027", "error BIRTH_TOO_EARLY"),
            ("110105205001010027", "error BIRTH_IN_FUTURE"),
            ("110105202611210027", "error BIRTH_IN_FUTURE"),
            ("1101051949123100", "error WRONG_LENGTH"),
            ("1101051949123100200", "error WRONG_LENGTH"),
            ("", "error EMPTY"),
            (" - · ", "error EMPTY"),
            ("11010519491231002Y", "error CHARACTER"),
            ("1101051949X231002X", "error CHARACTER"),
            ("中中中中中中", "error WRONG_LENGTH"),
            ("ééééééééé", "error WRONG_LENGTH"),
            ("11010519491231002\u{202e}X", "error INVISIBLE_CHARACTER"),
            ("11010519491231002\0X", "error INVISIBLE_CHARACTER"),
            ("110105194912310０２x", "ok"),
            ("１1０105١٩٤٩1231002X", "error CHARACTER"),
        ],
    );
    let long = "1".repeat(65);
    assert_eq!(verdict(&IdNumber::parse(&long, today())), "error TOO_LONG");
}

#[test]
fn retired_and_odd_divisions_stay_valid() {
    let table = [
        ("440401", 1990, "ok"),
        ("140120", 1980, "ok"),
        ("441282", 1993, "ok"),
        ("500154", 1993, "BIRTH_BEFORE_DIVISION"),
        ("411082", 1989, "BIRTH_BEFORE_DIVISION"),
        ("440524", 1985, "ok"),
        ("440524", 1995, "BIRTH_AFTER_DIVISION"),
        ("362324", 1980, "ok"),
        ("362324", 1990, "ok"),
        ("441900", 1990, "ok"),
        ("110000", 1990, "DIVISION_NOT_COUNTY"),
        ("440400", 1990, "DIVISION_NOT_COUNTY"),
        ("710000", 1990, "ok"),
    ];
    for (division, year, expected) in table {
        let number = IdNumber::compose(division, date(year, 5, 6), 12).unwrap();
        assert_eq!(
            verdict(&IdNumber::parse(number.expose(), today())),
            expected,
            "{division} {year}"
        );
    }
    let old = IdNumber::compose("362324", date(1980, 5, 6), 12).unwrap();
    assert_eq!(old.division_name().as_deref(), Some("江西省宜春地区丰城县"));
    assert_eq!(old.division().unwrap().last_year, Some(1981));
    assert_eq!(
        parse("11010519491231002X").division_name().as_deref(),
        Some("北京市朝阳区")
    );
}

#[test]
fn fifteen_digits_become_eighteen() {
    let table = [
        ("110105491231002", "11010519491231002X"),
        ("110105800101995", "19800101"),
        ("110105800101996", "18800101"),
        ("110105800101999", "18800101"),
    ];
    for (short, part) in table {
        let parsed = IdNumber::parse(short, today()).unwrap();
        assert_eq!(parsed.warnings[0].code(), "FIFTEEN_DIGITS");
        assert!(
            parsed.value.expose().contains(part),
            "{short} {}",
            parsed.value.expose()
        );
        assert_eq!(verdict(&IdNumber::parse(parsed.value.expose(), today())), "ok");
    }
    assert_eq!(parse("110105491231002"), parse("11010519491231002X"));
    // 1900 was no leap year; 2000 was, but a number of 15 digits is never that young.
    assert_eq!(
        verdict(&IdNumber::parse("110105000229002", today())),
        "error BIRTH_INVALID"
    );
    assert_eq!(
        verdict(&IdNumber::parse("11010549123100X", today())),
        "error CHARACTER"
    );
}

#[test]
fn leap_days_are_counted() {
    for (year, exists) in [(2000, true), (1900, false), (2024, true), (2023, false)] {
        let body = format!("110105{year}0229002");
        let verdicts: Vec<String> = "0123456789X"
            .chars()
            .map(|check| verdict(&IdNumber::parse(&format!("{body}{check}"), today())))
            .collect();
        let accepted = verdicts.iter().filter(|verdict| *verdict == "ok").count();
        assert_eq!(accepted, usize::from(exists), "{year}: {verdicts:?}");
    }
}

#[test]
fn facts_are_read() {
    type Row = (
        &'static str,
        IdDocument,
        Option<Date>,
        Option<Sex>,
        Option<&'static str>,
    );
    let table: [Row; 6] = [
        (
            "11010519491231002X",
            IdDocument::Citizen,
            Some(date(1949, 12, 31)),
            Some(Sex::Female),
            None,
        ),
        (
            "810000199408230021",
            IdDocument::ResidencePermitHongKong,
            Some(date(1994, 8, 23)),
            Some(Sex::Female),
            None,
        ),
        (
            "820000200009100032",
            IdDocument::ResidencePermitMacao,
            Some(date(2000, 9, 10)),
            Some(Sex::Male),
            None,
        ),
        (
            "830000199201300022",
            IdDocument::ResidencePermitTaiwan,
            Some(date(1992, 1, 30)),
            Some(Sex::Female),
            None,
        ),
        (
            "932682198501010017",
            IdDocument::Foreigner,
            Some(date(1985, 1, 1)),
            Some(Sex::Male),
            Some("SAU"),
        ),
        (
            "sau-3208-501011-23",
            IdDocument::ForeignerOld,
            None,
            None,
            Some("SAU"),
        ),
    ];
    for (raw, document, birth, sex, country) in table {
        let number = parse(raw);
        assert_eq!(number.document(), document, "{raw}");
        assert_eq!(number.birth(), birth, "{raw}");
        assert_eq!(number.sex(), sex, "{raw}");
        assert_eq!(number.country().map(|country| country.letters), country, "{raw}");
    }
}

#[test]
fn age_turns_on_the_birthday() {
    let number = IdNumber::compose("110105", date(2000, 2, 29), 1).unwrap();
    let table = [
        (date(2000, 2, 28), -1),
        (date(2000, 2, 29), 0),
        (date(2018, 2, 28), 17),
        (date(2018, 3, 1), 18),
        (date(2020, 2, 29), 20),
    ];
    for (day, age) in table {
        assert_eq!(number.age_on(day), Some(age), "{day}");
    }
}

#[test]
fn look_alikes_are_suggested_and_never_changed() {
    let table = [
        ("1101O519491231002X", 5, Some('0')),
        ("11 0105 1949I231002X", 13, Some('1')),
        ("  ＩI0105194912310023", 3, Some('1')),
        ("11010519491231Z02X", 15, None),
        // Fifteen characters of which the first alone is a letter: no old foreigner's card.
        ("O10105491231002", 1, Some('0')),
        ("I10105491231002", 1, Some('1')),
    ];
    for (raw, position, suggestion) in table {
        let error = IdNumber::parse(raw, today()).unwrap_err();
        assert_eq!(
            error,
            IdentifierError::Character { position, suggestion },
            "{raw}"
        );
    }
}

#[test]
fn nothing_shows_the_number() {
    let number = parse("11010519491231002X");
    assert_eq!(format!("{number:?}"), "IdNumber(redacted)");
    assert_eq!(number.masked(), "110*************2X");
    assert!(!format!("{:?}", IdNumber::parse("11010519491231002X", today())).contains("1949"));
}

#[test]
fn composing_refuses_what_cannot_be() {
    let birth = date(1990, 1, 1);
    assert_eq!(
        IdNumber::compose("110105", birth, 1000),
        Err(IdentifierError::SequenceTooLarge)
    );
    assert_eq!(
        IdNumber::compose("199999", birth, 1),
        Err(IdentifierError::UnknownDivision)
    );
    assert!(matches!(
        IdNumber::compose("11010", birth, 1),
        Err(IdentifierError::WrongLength { .. })
    ));
    assert!(matches!(
        IdNumber::compose("ABCDEF", birth, 1),
        Err(IdentifierError::Character { .. })
    ));
    assert!(IdNumber::compose("110105", date(-5, 1, 1), 1).is_err());
    assert_eq!(
        IdNumber::compose("932682", date(1985, 1, 1), 1).unwrap().expose(),
        "932682198501010017"
    );
}

proptest! {
    #[test]
    fn every_composed_number_is_accepted_and_every_slip_refused(
        year in 1950_i16..2025, month in 1_i8..=12, day in 1_i8..=28, sequence in 1_u16..990,
        place in 0_usize..18, by in 1_u32..10,
    ) {
        let number = IdNumber::compose("110105", date(year, month, day), sequence).unwrap();
        let parsed = IdNumber::parse(number.expose(), today()).unwrap();
        prop_assert_eq!(&parsed.value, &number);
        prop_assert!(parsed.warnings.is_empty());
        prop_assert_eq!(number.birth(), Some(date(year, month, day)));
        // MOD 11-2 finds every single wrong digit.
        let mut characters: Vec<char> = number.expose().chars().collect();
        if let Some(digit) = characters[place].to_digit(10) {
            characters[place] = char::from_digit((digit + by) % 10, 10).unwrap();
            let slipped: String = characters.iter().collect();
            prop_assert!(IdNumber::parse(&slipped, today()).is_err());
        }
    }
}
