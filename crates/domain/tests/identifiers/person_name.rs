//! Names. All are invented.

use domain::identifiers::{NameComparison, PersonName, SourceEncoding};

use crate::{accepted, check};

fn name(raw: &str) -> PersonName {
    accepted(raw, PersonName::parse(raw))
}

#[test]
fn names_are_judged() {
    check(
        PersonName::parse,
        &[
            ("王小明", "ok"),
            ("欧阳〇", "ok"),
            ("阿卜杜拉·买买提", "ok"),
            ("阿卜杜拉•买买提", "ok"),
            ("SMITH JOHN", "ok"),
            ("O'NEIL, MARY-ANN", "ok"),
            ("José Núñez", "ok"),
            ("Jose\u{301}", "ok"),
            // Extension B, extension G, extension I.
            ("李\u{20bb7}", "ok"),
            ("李\u{30edd}", "ok"),
            ("李\u{2ebf0}", "ok"),
            // A compatibility ideograph, and an ideograph with a variation selector.
            ("\u{f92c}小明", "ok"),
            ("葛\u{e0100}城", "ok"),
            ("李\u{e815}", "PRIVATE_USE_CHARACTER"),
            ("", "error EMPTY"),
            ("　 ", "error EMPTY"),
            ("··", "error SHAPE"),
            ("王小明1", "error CHARACTER"),
            ("王*明", "error CHARACTER"),
            ("王?", "error CHARACTER"),
            ("王□", "error CHARACTER"),
            ("<b>", "error CHARACTER"),
            ("\u{301}a", "error CHARACTER"),
            ("王\0明", "error INVISIBLE_CHARACTER"),
            ("王\u{202e}明", "error INVISIBLE_CHARACTER"),
            ("王\u{200b}明", "error INVISIBLE_CHARACTER"),
            ("王\n明", "error INVISIBLE_CHARACTER"),
            ("王\u{fffd}", "error INVISIBLE_CHARACTER"),
        ],
    );
    assert!(PersonName::parse(&"王".repeat(64)).is_ok());
    assert_eq!(
        PersonName::parse(&"王".repeat(65)).unwrap_err().code(),
        "TOO_LONG"
    );
    assert_eq!(PersonName::parse(" 王 1").unwrap_err().position(), Some(4));
}

#[test]
fn what_is_kept_is_what_was_written() {
    for raw in [
        "\u{f92c}小明",
        "阿卜杜拉•买买提",
        "Jose\u{301} SMITH",
        "ＡＢＣ",
        "葛\u{e0100}城",
        "\u{2f81a}",
    ] {
        assert_eq!(name(raw).expose(), raw);
    }
    assert_eq!(name("　王小明 ").expose(), "王小明");
}

#[test]
fn names_are_compared() {
    use NameComparison::{CannotCompare, Different, Same};
    let table = [
        ("王小明", "王小明", Same),
        ("王小明", "王小朋", Different),
        ("阿卜杜拉·买买提", "阿卜杜拉•买买提", Same),
        ("阿卜杜拉·买买提", "阿卜杜拉・买买提", Same),
        ("阿卜杜拉·买买提", "阿卜杜拉‧买买提", Same),
        ("阿卜杜拉·买买提", "阿卜杜拉．买买提", Same),
        ("阿卜杜拉·买买提", "阿卜杜拉 · 买买提", Same),
        ("阿卜杜拉·买买提", "阿卜杜拉买买提", Different),
        ("张三", "张　三", Same),
        ("SMITH JOHN", "smith  john", Same),
        ("SMITH JOHN", "ＳＭＩＴＨ ＪＯＨＮ", Same),
        // The order of the document counts, and so does the space between Latin words.
        ("SMITH JOHN", "JOHN SMITH", Different),
        ("ANNA LI", "AN NALI", Different),
        // A compatibility ideograph is another character than the one NFC makes of it.
        ("\u{f92c}小明", "郎小明", Different),
        ("葛\u{e0100}城", "葛城", Same),
        ("李\u{e815}", "李\u{20bb7}", CannotCompare),
        ("José", "Jose\u{301}", CannotCompare),
    ];
    for (one, other, expected) in table {
        assert_eq!(name(one).compare(&name(other)), expected, "{one} {other}");
        assert_eq!(name(other).compare(&name(one)), expected, "{other} {one}");
    }
}

#[test]
fn what_a_source_cannot_write_is_no_mismatch() {
    use NameComparison::{CannotCompare, Different, Same};
    let rare = "李\u{20bb7}";
    let table = [
        ("王小明", "王小明", SourceEncoding::Gbk, Same),
        ("王小明", "王小朋", SourceEncoding::Gbk, Different),
        ("朱镕", "朱容", SourceEncoding::Gbk, Different),
        (rare, "李?", SourceEncoding::Gbk, CannotCompare),
        (rare, "李jie", SourceEncoding::Gbk, CannotCompare),
        (rare, "李杰", SourceEncoding::Complete, Different),
        (rare, rare, SourceEncoding::Complete, Same),
        ("王小明", "王*明", SourceEncoding::Complete, CannotCompare),
        ("王小明", "", SourceEncoding::Complete, CannotCompare),
        ("阿卜杜拉•买买提", "阿卜杜拉·买买", SourceEncoding::Gbk, Different),
    ];
    for (mine, answer, encoding, expected) in table {
        assert_eq!(
            name(mine).compare_with_source(answer, encoding),
            expected,
            "{mine} {answer}"
        );
    }
    assert!(
        name("王小明").is_encodable(SourceEncoding::Gbk) && !name(rare).is_encodable(SourceEncoding::Gbk)
    );
    assert!(name(rare).is_encodable(SourceEncoding::Complete));
}

#[test]
fn masks_do_not_tell_the_length() {
    let table = [
        ("王", "*"),
        ("王明", "王*"),
        ("王小明", "王**"),
        ("阿卜杜拉·买买提", "阿**"),
        ("SMITH JOHN", "S**"),
    ];
    for (raw, masked) in table {
        assert_eq!(name(raw).masked(), masked);
        assert_eq!(format!("{:?}", name(raw)), "PersonName(redacted)");
    }
}
