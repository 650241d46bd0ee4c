//! A VIN by itself: what its characters say, offline, and whether it is the one of a record. Nobody is asked and
//! nothing is kept.

use askama::Template;
use axum::{extract::State, http::StatusCode};
use domain::{
    identifiers::{Vin, Warning},
    kind::FieldType,
};

use super::{Answer, Form, Guest, Page, Shared, html, inputs, page::html_with};

/// The form, and what was found.
#[derive(Template)]
#[template(path = "vin.html")]
pub(super) struct VinView {
    pub(super) p: Page,
    pub(super) typed: String,
    pub(super) error: Option<String>,
    /// The number in a record to compare with, where the page was opened from one.
    pub(super) record: String,
    pub(super) found: Option<Found>,
}

/// What was found about a VIN.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) number: String,
    /// Label and value, each in words.
    pub(super) facts: Vec<(String, String)>,
    /// What is odd about it, in words.
    pub(super) warnings: Vec<String>,
    /// Compared with the record's: nothing where there is none.
    pub(super) compared: Option<Compared>,
}

/// Whether two numbers are one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Compared {
    Same,
    /// The characters that differ, from 1; none where the lengths differ.
    Differs(Vec<usize>),
}

impl VinView {
    /// Where they differ; a few places are named, many are only counted.
    fn difference(&self, places: &[usize]) -> String {
        let named: Vec<String> = places.iter().map(ToString::to_string).collect();
        match places.len() {
            0 => self.p.t("vin-other-length"),
            1..=4 => self.p.with("vin-differs", named.join(&self.p.t("comma"))),
            many => self.p.with("vin-differs-much", many.to_string()),
        }
    }
}

/// The empty form.
pub(crate) async fn show(guest: Guest) -> Answer {
    html(&VinView {
        typed: String::new(),
        error: None,
        record: String::new(),
        found: None,
        p: guest.page,
    })
}

/// Reads a VIN, and compares it with the record's where the form came with one.
pub(crate) async fn read(State(app): Shared, guest: Guest, form: Form) -> Answer {
    let page = guest.page;
    let typed = form.get("vin").to_owned();
    let record = Vin::parse(form.get("record")).map(|r| r.value.expose().to_owned());
    let record = record.unwrap_or_default();
    // Opened from a record: nothing was typed yet.
    if !record.is_empty() && form.all("vin").is_empty() {
        return html(&VinView {
            typed,
            error: None,
            record,
            found: None,
            p: page,
        });
    }
    let today = app.now().date_in_china();
    let error = inputs::problem(&page, &FieldType::Vin, &typed, today);
    let found = Vin::parse(&typed).ok().map(|parsed| Found {
        facts: facts(&page, &parsed.value, today.year()),
        warnings: parsed
            .warnings
            .iter()
            // What the check digit says stands among the facts.
            .filter(|w| !matches!(w, Warning::CheckDigit { .. }))
            .map(|w| page.word("warning", w.code()))
            .collect(),
        compared: (!record.is_empty()).then(|| compare(parsed.value.expose(), &record)),
        number: parsed.value.expose().to_owned(),
    });
    let status = match error {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    html_with(
        status,
        &VinView {
            typed,
            error,
            record,
            found,
            p: page,
        },
    )
}

/// What the number says by itself. A year that has not come is not told.
fn facts(page: &Page, vin: &Vin, this_year: i16) -> Vec<(String, String)> {
    let mut facts = vec![];
    if let Some(maker) = vin.maker() {
        let name = maker.zh.filter(|_| !page.is_english()).unwrap_or(maker.en);
        facts.push((page.t("vin-maker"), name.to_owned()));
    }
    if let Some(region) = vin.region() {
        facts.push((page.t("vin-region"), page.word("vin-region", region.code())));
    }
    let years = vin.possible_years().into_iter().flatten();
    // The next model year is sold before its first of January.
    let years: Vec<String> = years
        .filter(|year| *year <= this_year + 1)
        .map(|y| y.to_string())
        .collect();
    if !years.is_empty() {
        facts.push((page.t("vin-year"), years.join(&page.t("vin-or"))));
    }
    if let Some(check) = vin.check_digit() {
        let word = match (check.valid, check.applies) {
            (true, _) => "right",
            (false, true) => "wrong",
            (false, false) => "not-used",
        };
        facts.push((page.t("vin-check"), page.word("vin-check", word)));
    }
    if let Some(serial) = vin.serial() {
        facts.push((page.t("vin-serial"), serial.to_owned()));
    }
    facts
}

fn compare(typed: &str, record: &str) -> Compared {
    if typed == record {
        return Compared::Same;
    }
    if typed.len() != record.len() {
        return Compared::Differs(vec![]);
    }
    let places = typed.bytes().zip(record.bytes()).enumerate();
    Compared::Differs(
        places
            .filter(|(_, (a, b))| a != b)
            .map(|(at, _)| at + 1)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_character_by_character() {
        let record = "LSVAA49J132047371";
        assert_eq!(compare(record, record), Compared::Same);
        assert_eq!(
            compare("LSVAA49J132047317", record),
            Compared::Differs(vec![16, 17])
        );
        assert_eq!(compare("LSVAA49J1320", record), Compared::Differs(vec![]));
    }
}
