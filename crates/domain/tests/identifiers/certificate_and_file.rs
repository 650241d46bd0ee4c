//! Numbers of marriage certificates and of driving licences' files.

use domain::identifiers::{CertificateKind, CertificateNumber, IdentifierError, LicenceFileNumber};

use crate::{accepted, check, today};

fn certificate(raw: &str) -> CertificateNumber {
    accepted(raw, CertificateNumber::parse(raw))
}

#[test]
fn certificates_are_judged() {
    check(
        CertificateNumber::parse,
        &[
            ("J110101-2010-000001", "ok"),
            ("L110101-2010-000001", "ok"),
            ("BJ110101-2010-000001", "ok"),
            ("BL110101-2010-000001", "ok"),
            ("j110101 2010 000001", "ok"),
            ("Ｊ１１０１０１－２０１０－０００００１", "ok"),
            ("J1101012010000001", "ok"),
            // Xuanwu district, whose code was withdrawn in 2010.
            ("J110104-2008-000001", "ok"),
            ("J110199-2010-000001", "UNKNOWN_DIVISION"),
            ("J110101-1999-000001", "YEAR_BEFORE_FORMAT"),
            ("J110101-2010-000000", "UNUSUAL_SERIAL"),
            ("J110101-1949-000001", "error YEAR_IMPOSSIBLE"),
            ("J110101-2110-000001", "error YEAR_IMPOSSIBLE"),
            ("J110101-2010-00001", "error WRONG_LENGTH"),
            ("J110101-2010-0000011", "error WRONG_LENGTH"),
            ("J11010A-2010-000001", "error CHARACTER"),
            ("(2003)沪浦结字第0012号", "LEGACY_CERTIFICATE"),
            ("京海结字第123号", "LEGACY_CERTIFICATE"),
            ("020012345", "LEGACY_CERTIFICATE"),
            // The letter was forgotten.
            ("110101-2010-000001", "error SHAPE"),
            ("结婚证书", "error SHAPE"),
            ("12", "error SHAPE"),
            ("京海结字第12<3号", "error CHARACTER"),
            ("", "error EMPTY"),
            ("J110101-2010-00000\u{2067}1", "error INVISIBLE_CHARACTER"),
        ],
    );
    let error = CertificateNumber::parse("J11O101-2010-000001").unwrap_err();
    assert_eq!(
        error,
        IdentifierError::Character {
            position: 4,
            suggestion: Some('0')
        }
    );
}

#[test]
fn certificates_tell_office_and_year() {
    let number = certificate("bj1101012010000001");
    assert_eq!(number.expose(), "BJ110101-2010-000001");
    assert_eq!(number.kind(), CertificateKind::MarriageReissued);
    assert_eq!(
        (number.office(), number.year(), number.serial()),
        (Some("110101"), Some(2010), Some("000001"))
    );
    assert_eq!(number.division().map(|division| division.name), Some("东城区"));
    assert_eq!(
        certificate("J110101-2010-000001").kind(),
        CertificateKind::Marriage
    );
    assert_eq!(
        certificate("L110101-2010-000001").kind(),
        CertificateKind::Divorce
    );
    assert_eq!(
        certificate("BL110101-2010-000001").kind(),
        CertificateKind::DivorceReissued
    );
    let old = certificate("京海结字第123号");
    assert_eq!(
        (old.kind(), old.office(), old.year()),
        (CertificateKind::Legacy, None, None)
    );
    assert!(certificate("J110101-2027-000001").is_future(today()));
    assert!(!certificate("J110101-2026-000001").is_future(today()) && !old.is_future(today()));
    assert_eq!(format!("{number:?}"), "CertificateNumber(redacted)");
    assert_eq!(certificate("J110101-2010-000001").masked(), "J110101**********01");
}

#[test]
fn licence_files_are_judged() {
    check(
        LicenceFileNumber::parse,
        &[
            ("110100012345", "ok"),
            ("1101 0001-2345", "ok"),
            ("１１０１０００１２３４５", "ok"),
            ("990100012345", "UNKNOWN_DIVISION"),
            ("111111111111", "error SENTINEL"),
            ("11010001234", "error WRONG_LENGTH"),
            ("1101000123456", "error WRONG_LENGTH"),
            ("11010001234A", "error CHARACTER"),
            ("", "error EMPTY"),
        ],
    );
    let number = LicenceFileNumber::parse("440300012345").unwrap().value;
    assert_eq!(
        (number.province_name(), number.city_name()),
        (Some("广东省"), Some("深圳市"))
    );
    assert_eq!(number.serial(), "00012345");
    assert_eq!(number.masked(), "4403******45");
    let error = LicenceFileNumber::parse("44030OO12345").unwrap_err();
    assert_eq!(
        error,
        IdentifierError::Character {
            position: 6,
            suggestion: Some('0')
        }
    );
}
