//! Mobile numbers.

use domain::identifiers::Phone;

use crate::check;

#[test]
fn numbers_are_judged() {
    check(
        Phone::parse,
        &[
            ("13812345678", "ok"),
            ("+8613812345678", "ok"),
            ("＋８６ １３８-１２３４-５６７８", "ok"),
            ("(+86) 138 1234 5678", "ok"),
            ("+86 (138) 1234 5678", "ok"),
            ("008613812345678", "ok"),
            ("8613812345678", "ok"),
            ("19912345678", "ok"),
            ("+85291234567", "error NOT_MAINLAND"),
            ("+12025550123", "error NOT_MAINLAND"),
            ("0085291234567", "error NOT_MAINLAND"),
            ("12812345678", "error NOT_MOBILE"),
            ("01012345678", "error NOT_MOBILE"),
            ("95588", "error NOT_MOBILE"),
            ("1381234567", "error WRONG_LENGTH"),
            ("138123456789", "error WRONG_LENGTH"),
            ("1381234567a", "error CHARACTER"),
            ("138+12345678", "error CHARACTER"),
            ("", "error EMPTY"),
            ("+", "error NOT_MAINLAND"),
            ("()", "error NOT_MOBILE"),
        ],
    );
}

#[test]
fn numbers_have_one_form() {
    for raw in [
        "13812345678",
        "+86 138 1234 5678",
        "(+86)13812345678",
        "0086-138-1234-5678",
    ] {
        let phone = Phone::parse(raw).unwrap().value;
        assert_eq!(phone.expose(), "13812345678", "{raw}");
        assert_eq!(phone.international().as_str(), "+8613812345678");
        assert_eq!(phone.masked(), "138****5678");
        assert_eq!(format!("{phone:?}"), "Phone(redacted)");
    }
}
