//! Identifiers of people and vehicles: every example and trap of the domain's facts, as tables.

mod certificate_and_file;
mod hostile;
mod id_number;
mod inspect;
mod person_name;
mod phone;
mod plate;
mod vin;

use domain::identifiers::{IdentifierError, Parsed};
use jiff::civil::{Date, date};

/// The day on which the tests take place.
pub(crate) fn today() -> Date {
    date(2026, 11, 20)
}

/// What a parser made of a text: `ok`, the codes of the warnings, or the code of the error.
pub(crate) fn verdict<T>(parsed: &Result<Parsed<T>, IdentifierError>) -> String {
    match parsed {
        Ok(parsed) if parsed.warnings.is_empty() => "ok".to_owned(),
        Ok(parsed) => {
            let codes: Vec<&str> = parsed.warnings.iter().map(|warning| warning.code()).collect();
            codes.join(" ")
        }
        Err(error) => format!("error {}", error.code()),
    }
}

/// The value of a text that must be accepted.
#[expect(clippy::panic, reason = "a helper of tests, which fail by panicking")]
pub(crate) fn accepted<T>(raw: &str, parsed: Result<Parsed<T>, IdentifierError>) -> T {
    match parsed {
        Ok(parsed) => parsed.value,
        Err(error) => panic!("{raw:?}: {error}"),
    }
}

/// Checks a table of texts and verdicts, and tells of all lines that are wrong at once.
pub(crate) fn check<T>(parse: impl Fn(&str) -> Result<Parsed<T>, IdentifierError>, table: &[(&str, &str)]) {
    let wrong: Vec<String> = table
        .iter()
        .map(|(raw, expected)| (raw, expected, verdict(&parse(raw))))
        .filter(|(_, expected, found)| *expected != found)
        .map(|(raw, expected, found)| format!("{raw:?}: expected {expected}, found {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
