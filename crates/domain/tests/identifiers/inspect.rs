//! The JSON of `mingcha inspect`.

use domain::identifiers::{InspectType, inspect};
use serde_json::{Value, json};

use crate::today;

#[expect(clippy::unwrap_used, reason = "a helper of tests, which fail by panicking")]
fn json_of(kind: &str, raw: &str) -> Value {
    let kind = InspectType::from_name(kind).unwrap();
    serde_json::to_value(inspect(kind, raw, today())).unwrap()
}

#[test]
fn an_identity_number_tells_what_it_says() {
    assert_eq!(
        json_of("id-number", "11010519491231002x"),
        json!({
            "valid": true,
            "normalized": "11010519491231002X",
            "facts": {
                "document": "citizen",
                "birth": "1949-12-31",
                "age": 76,
                "sex": "female",
                "division": {
                    "code": "110105", "name": "北京市朝阳区", "retired": false, "first_year": null, "last_year": null,
                },
                "country": null,
            },
            "errors": [],
            "warnings": [],
        })
    );
    let foreigner = json_of("id-number", "932682198501010017");
    assert_eq!(foreigner["facts"]["document"], "foreigner");
    assert_eq!(foreigner["facts"]["country"]["zh"], "沙特阿拉伯");
    assert_eq!(foreigner["facts"]["division"], Value::Null);
    let retired = json_of("id-number", "440524188001010014");
    assert_eq!(retired["facts"]["division"]["retired"], true);
    assert_eq!(retired["warnings"][0]["code"], "BIRTH_BEFORE_DIVISION");
}

#[test]
fn a_plate_tells_what_it_says() {
    let plate = json_of("plate", "粤b·d12345");
    assert_eq!(plate["normalized"], "粤BD12345");
    assert_eq!(
        plate["facts"],
        json!({
            "kind": "new-energy-small", "covered": true, "province": "粤", "province_name": "广东省",
            "authority": "B", "city": "深圳", "colours": ["gradient-green"],
            "plate_classes": [{ "code": "52", "zh": "小型新能源汽车", "en": "small new-energy vehicle" }],
        })
    );
    let army = json_of("plate", "VA12345");
    assert_eq!(
        (&army["valid"], &army["facts"]["covered"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(army["warnings"][0]["code"], "NOT_COVERED");
}

#[test]
fn a_vin_tells_what_it_says() {
    let vin = json_of("vin", "LSVAA49J132047371");
    assert_eq!(
        vin["facts"],
        json!({
            "form": "vin", "sentinel": false, "wmi": "LSV", "vds": "AA49J1", "vis": "32047371",
            "maker": { "en": "SAIC Volkswagen", "zh": "上汽大众" }, "small_maker": false, "region": "china",
            "years": [2003, 2033], "check_digit": { "valid": true, "applies": true }, "serial": "047371",
        })
    );
    let sentinel = json_of("vin", "11111111111111111");
    assert_eq!(
        (&sentinel["valid"], &sentinel["warnings"][0]["code"]),
        (&json!(true), &json!("SENTINEL"))
    );
    let porsche = json_of("vin", "WP0ZZZ99ZTS392124");
    assert_eq!(
        (&porsche["valid"], &porsche["warnings"][0]["code"]),
        (&json!(true), &json!("CHECK_DIGIT"))
    );
    assert_eq!(
        json_of("vin", "BJ2020-9412345")["facts"]["form"],
        "legacy-frame-number"
    );
}

#[test]
fn certificates_and_files_tell_what_they_say() {
    let certificate = json_of("certificate-number", "J1101012010000001");
    assert_eq!(certificate["normalized"], "J110101-2010-000001");
    assert_eq!(
        certificate["facts"],
        json!({
            "kind": "marriage", "office": "110101", "office_division": "北京市东城区", "office_retired": false,
            "year": 2010, "serial": "000001",
        })
    );
    assert_eq!(
        json_of("certificate-number", "J110101-2027-000001")["errors"][0]["code"],
        "YEAR_IMPOSSIBLE"
    );
    let file = json_of("licence-file-number", "440300012345");
    assert_eq!(
        file["facts"],
        json!({ "region": "4403", "province": "广东省", "city": "深圳市", "serial": "00012345" })
    );
}

#[test]
fn an_error_points_and_suggests_but_never_repeats() {
    assert_eq!(
        json_of("id-number", "1101O519491231002X"),
        json!({
            "valid": false, "normalized": null, "facts": {}, "warnings": [],
            "errors": [{
                "code": "CHARACTER", "message": "character 5 cannot stand there; 0 may be meant",
                "position": 5, "suggestion": "0",
            }],
        })
    );
    let names: Vec<&str> = InspectType::ALL.into_iter().map(InspectType::name).collect();
    assert_eq!(
        names,
        [
            "id-number",
            "plate",
            "vin",
            "certificate-number",
            "licence-file-number"
        ]
    );
    assert_eq!(InspectType::from_name("phone"), None);
    let shown = format!(
        "{:?}",
        inspect(InspectType::IdNumber, "11010519491231002X", today())
    );
    assert!(!shown.contains("1949"), "{shown}");
}
