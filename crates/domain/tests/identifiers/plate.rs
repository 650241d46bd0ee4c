//! Number plates and their classes.

use domain::identifiers::{IdentifierError, Plate, PlateClass, PlateKind};

use crate::{accepted, check, verdict};

fn parse(raw: &str) -> Plate {
    accepted(raw, Plate::parse(raw))
}

#[test]
fn kinds_are_recognised() {
    use PlateKind as K;
    let table: [(&str, PlateKind, &str, &str); 38] = [
        ("京A12345", K::Ordinary, "01 02 05 06 07 08 11 12 13", "ok"),
        ("京·A12345", K::Ordinary, "01 02 05 06 07 08 11 12 13", "ok"),
        ("粤B1A2B3", K::Ordinary, "01 02 05 06 07 08 11 12 13", "ok"),
        (
            "粤BABC12",
            K::Ordinary,
            "01 02 05 06 07 08 11 12 13",
            "UNUSUAL_SERIAL",
        ),
        ("鲁O12345", K::Ordinary, "01 02 05 06 07 08 11 12 13", "ok"),
        (
            "藏Z12345",
            K::Ordinary,
            "01 02 05 06 07 08 11 12 13",
            "UNKNOWN_AUTHORITY",
        ),
        ("粤BD12345", K::NewEnergySmall, "52", "ok"),
        ("粤BA12345", K::NewEnergySmall, "52", "ok"),
        ("粤BB12345", K::NewEnergySmall, "52", "ok"),
        ("粤BC12345", K::NewEnergySmall, "52", "ok"),
        ("粤BE12345", K::NewEnergySmall, "52", "ok"),
        ("粤BF12345", K::NewEnergySmall, "52", "ok"),
        ("粤BG12345", K::NewEnergySmall, "52", "ok"),
        ("粤BH12345", K::NewEnergySmall, "52", "ok"),
        ("粤BJ12345", K::NewEnergySmall, "52", "ok"),
        ("粤BK12345", K::NewEnergySmall, "52", "ok"),
        ("粤BDZ1234", K::NewEnergySmall, "52", "ok"),
        ("粤B12345D", K::NewEnergyLarge, "51", "ok"),
        ("粤B12345A", K::NewEnergyLarge, "51", "ok"),
        ("粤B12345K", K::NewEnergyLarge, "51", "ok"),
        ("京A1234挂", K::Trailer, "15", "ok"),
        ("京A1234学", K::DrivingSchool, "16 17", "ok"),
        ("京A1234警", K::Police, "23 24", "ok"),
        ("粤Z1234港", K::HongKong, "", "CLASS_UNKNOWN"),
        ("粤ZAB12澳", K::Macao, "", "CLASS_UNKNOWN"),
        ("沪22478领", K::Consulate, "04 10", "ok"),
        ("闽20401领", K::Consulate, "04 10", "ok"),
        ("粤A0002领", K::Consulate, "04 10", "ok"),
        ("使014578", K::Embassy, "03 09", "ok"),
        ("224578使", K::Embassy, "03 09", "ok"),
        ("京X2345应急", K::Emergency, "", "CLASS_UNKNOWN"),
        ("川S2345应急", K::Emergency, "", "CLASS_UNKNOWN"),
        ("京12345应急", K::Emergency, "", "CLASS_UNKNOWN"),
        ("京A1234试", K::Test, "18 19 22", "ok"),
        ("京A1234超", K::Oversize, "22", "ok"),
        ("VA12345", K::Army, "", "NOT_COVERED"),
        ("WJ京1234X", K::ArmedPolice, "", "NOT_COVERED"),
        ("苏01-12345", K::Tractor, "14 25", "NOT_COVERED"),
    ];
    for (raw, kind, classes, expected) in table {
        assert_eq!(verdict(&Plate::parse(raw)), expected, "{raw}");
        let plate = parse(raw);
        assert_eq!(plate.kind(), kind, "{raw}");
        let codes: Vec<String> = plate.possible_classes().map(PlateClass::code).collect();
        assert_eq!(codes.join(" "), classes, "{raw}");
        assert_eq!(plate.covered(), expected != "NOT_COVERED", "{raw}");
    }
}

#[test]
fn what_is_typed_is_normalised() {
    for raw in [
        "粤B·D12345",
        "粤b d12345",
        "粤ＢＤ１２３４５",
        "粤B-D12345",
        " 粤B•D12345 ",
        "粤B.D12345",
        "粤Bｄ１２３４５",
        "粤B－D12345",
    ] {
        assert_eq!(parse(raw).expose(), "粤BD12345", "{raw}");
    }
}

#[test]
fn bad_plates_are_refused() {
    check(
        Plate::parse,
        &[
            ("", "error EMPTY"),
            ("京", "error WRONG_LENGTH"),
            ("京A", "error WRONG_LENGTH"),
            ("京A1234", "error WRONG_LENGTH"),
            ("京A123456789", "error WRONG_LENGTH"),
            ("A12345", "error UNKNOWN_PROVINCE"),
            ("国A12345", "error UNKNOWN_PROVINCE"),
            ("AB12345", "error UNKNOWN_PROVINCE"),
            ("粤BL12345", "error NEW_ENERGY_PATTERN"),
            ("粤BDAB123", "error NEW_ENERGY_PATTERN"),
            ("粤B123456", "error NEW_ENERGY_PATTERN"),
            ("粤B1234D5", "error NEW_ENERGY_PATTERN"),
            ("粤B12345L", "error NEW_ENERGY_PATTERN"),
            ("京A1234港", "error SUFFIX_PATTERN"),
            ("粤B1234澳", "error SUFFIX_PATTERN"),
            ("京A12345警", "error WRONG_LENGTH"),
            ("京A123挂", "error WRONG_LENGTH"),
            ("使01457", "error WRONG_LENGTH"),
            ("使01457A", "error CHARACTER"),
            ("京Y2345应急", "error CHARACTER"),
            ("京1234A应急", "error CHARACTER"),
            ("京XA345应急", "error CHARACTER"),
            ("川S23A5应急", "error CHARACTER"),
            ("京X234O应急", "error CHARACTER"),
            ("京X23456应急", "error WRONG_LENGTH"),
            ("京I12345", "error CHARACTER"),
            ("京A12京45", "error CHARACTER"),
            ("京A12\u{200b}345", "error INVISIBLE_CHARACTER"),
            ("WJ", "error SHAPE"),
            ("WJ京", "error SHAPE"),
            ("应急", "error UNKNOWN_PROVINCE"),
            ("京应急", "error WRONG_LENGTH"),
            ("使", "error WRONG_LENGTH"),
            ("领", "error UNKNOWN_PROVINCE"),
            ("京领", "error WRONG_LENGTH"),
        ],
    );
}

#[test]
fn look_alikes_are_suggested_and_never_changed() {
    let table = [
        ("京A12O45", 5, Some('0')),
        ("京A·1234I", 8, Some('1')),
        ("粤BDO1234", 4, Some('0')),
        ("鲁012345", 2, Some('O')),
        ("京012345", 2, None),
        ("京a1２ｏ45", 5, Some('0')),
    ];
    for (raw, position, suggestion) in table {
        let error = Plate::parse(raw).unwrap_err();
        assert_eq!(
            error,
            IdentifierError::Character { position, suggestion },
            "{raw}"
        );
    }
    let error = Plate::parse("粤B·D1A345").unwrap_err();
    assert_eq!(error, IdentifierError::NewEnergyPattern { position: 6 });
}

#[test]
fn the_authority_names_its_city() {
    let table = [
        ("粤B12345", Some('B'), Some("深圳"), Some("广东省")),
        ("鲁Y12345", Some('Y'), Some("烟台"), Some("山东省")),
        ("京N12345", Some('N'), Some("北京"), Some("北京市")),
        ("粤Z1234港", Some('Z'), Some("港澳入出境车"), Some("广东省")),
        ("藏Z12345", Some('Z'), None, Some("西藏自治区")),
        ("京X2345应急", None, None, Some("北京市")),
        ("沪22478领", None, None, Some("上海市")),
        ("苏0112345", None, None, Some("江苏省")),
        ("使014578", None, None, None),
        ("WJ京12345", None, None, None),
    ];
    for (raw, letter, city, province) in table {
        let plate = parse(raw);
        assert_eq!(
            (plate.authority(), plate.city(), plate.province_name()),
            (letter, city, province),
            "{raw}"
        );
    }
}

#[test]
fn one_text_can_be_of_two_classes() {
    let plate = parse("京A12345");
    let class = |code| PlateClass::parse(code).unwrap();
    assert!(plate.can_be(class("01")) && plate.can_be(class("02")) && plate.can_be(class("07")));
    assert!(!plate.can_be(class("52")) && !plate.can_be(class("15")));
    assert!(parse("粤Z1234港").can_be(class("05")));
    let colours = |raw: &str| {
        parse(raw)
            .possible_colours()
            .iter()
            .map(|c| c.code())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(colours("京A12345"), "blue yellow black");
    assert_eq!(colours("粤BD12345"), "gradient-green");
    assert_eq!(colours("粤B12345D"), "yellow-green");
    assert_eq!(colours("京A1234警"), "white");
    assert_eq!(colours("粤Z1234港"), "black");
    assert_eq!(colours("VA12345"), "");
}

#[test]
fn classes_are_read_by_code() {
    let codes: Vec<String> = PlateClass::all().map(PlateClass::code).collect();
    assert_eq!(codes.len(), 27);
    assert!(codes.is_sorted() && codes.first().unwrap() == "01" && codes.last().unwrap() == "52");
    for code in &codes {
        assert_eq!(&PlateClass::parse(code).unwrap().code(), code);
    }
    assert_eq!(PlateClass::parse(" ０２ ").unwrap().zh(), "小型汽车");
    assert_eq!(PlateClass::parse("2"), PlateClass::parse("02"));
    for bad in ["", "00", "26", "50", "53", "002", "2A", "+2", "二", "-1"] {
        assert_eq!(
            PlateClass::parse(bad),
            Err(IdentifierError::UnknownPlateClass),
            "{bad}"
        );
    }
    assert!(!PlateClass::parse("14").unwrap().covered() && PlateClass::parse("01").unwrap().covered());
}

#[test]
fn nothing_shows_the_plate() {
    assert_eq!(format!("{:?}", parse("京A12345")), "Plate(redacted)");
    assert_eq!(parse("京A12345").masked(), "京A***45");
    assert_eq!(parse("粤BD12345").masked(), "粤B****45");
}

#[test]
fn a_class_that_no_such_plate_has_does_not_fit() {
    let class = |number| PlateClass::from_number(number).unwrap();
    for (plate, number, fits) in [
        ("京A12345", 2, true),
        ("京A12345", 52, false),
        ("京AD12345", 52, true),
        ("京AD12345", 2, false),
        ("京A1234挂", 1, false),
        // Of these no class is known.
        ("粤Z1234港", 2, true),
        // What is in another register is answered as not covered, not refused.
        ("京A12345", 14, true),
        ("京0112345", 2, true),
        ("VA12345", 2, true),
    ] {
        assert_eq!(parse(plate).fits(class(number)), fits, "{plate} {number}");
    }
}
