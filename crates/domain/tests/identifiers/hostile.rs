//! Bytes that mean harm: no parser panics, and what one accepts reads back as itself.
//!
//! `MINGCHA_RANDOM_INPUTS` raises the number of pseudo-random texts above a million.

use domain::identifiers::{
    CertificateNumber, IdNumber, IdentifierError, InspectType, LicenceFileNumber, NameComparison, Parsed,
    PersonName, Phone, Plate, PlateClass, SourceEncoding, Vin, inspect,
};
use proptest::prelude::*;

use crate::{accepted, today};

/// What stands in identifiers, and what is known to upset their parsers.
const PIECES: &[&str] = &[
    "0",
    "1",
    "2",
    "9",
    "19491231",
    "11010519491231002",
    "00000000",
    "X",
    "x",
    "O",
    "I",
    "L",
    "J",
    "B",
    "BJ110101",
    "-2010-",
    "LSV",
    "WJ",
    "SAU",
    "京",
    "粤",
    "粤Z",
    "使",
    "领",
    "港",
    "应",
    "急",
    "学",
    "挂",
    "A",
    "D",
    "·",
    "•",
    "．",
    "－",
    " ",
    "　",
    "０",
    "ｘ",
    "+86",
    "0086",
    "(",
    ")",
    "王",
    "\u{f92c}",
    "\u{20bb7}",
    "\u{e815}",
    "e\u{301}",
    "\u{fe00}",
    "\0",
    "\u{202e}",
    "\u{200d}",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
    "٣",
    "é",
    "ß",
    "İ",
    "🚗",
    "\t",
    "\n",
];

/// The xorshift64* generator: the same texts in every run.
struct Generator(u64);

impl Generator {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    /// Raw bytes read as lossy UTF-8, or pieces that are near to identifiers.
    fn text(&mut self) -> String {
        if self.below(2) == 0 {
            let bytes: Vec<u8> = (0..self.below(40)).map(|_| (self.next() >> 40) as u8).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            (0..self.below(12))
                .map(|_| PIECES[self.below(PIECES.len())])
                .collect()
        }
    }
}

/// Whether the text was accepted. What is accepted must be accepted again in its normal form, unchanged.
fn stands<T>(
    raw: &str,
    parse: impl Fn(&str) -> Result<Parsed<T>, IdentifierError>,
    expose: impl Fn(&T) -> &str,
    masked: impl Fn(&T) -> String,
) -> bool {
    match parse(raw) {
        Ok(parsed) => {
            let normal = expose(&parsed.value).to_owned();
            assert!(masked(&parsed.value).contains('*'), "{raw:?}");
            let again = accepted(&normal, parse(&normal));
            assert_eq!(expose(&again), normal, "{raw:?}");
            true
        }
        Err(error) => {
            assert!(!error.code().is_empty());
            assert!(
                error
                    .position()
                    .is_none_or(|at| (1..=raw.chars().count()).contains(&at)),
                "{raw:?} {error:?}"
            );
            false
        }
    }
}

/// Feeds a text to every parser; returns how many accepted it.
fn feed(raw: &str) -> usize {
    let accepted = [
        stands(
            raw,
            |raw| IdNumber::parse(raw, today()),
            IdNumber::expose,
            IdNumber::masked,
        ),
        stands(raw, Plate::parse, Plate::expose, Plate::masked),
        stands(raw, Vin::parse, Vin::expose, Vin::masked),
        stands(
            raw,
            CertificateNumber::parse,
            CertificateNumber::expose,
            CertificateNumber::masked,
        ),
        stands(
            raw,
            LicenceFileNumber::parse,
            LicenceFileNumber::expose,
            LicenceFileNumber::masked,
        ),
        stands(raw, Phone::parse, Phone::expose, Phone::masked),
        stands(raw, PersonName::parse, PersonName::expose, PersonName::masked),
        PlateClass::parse(raw).is_ok(),
    ];
    accepted.into_iter().filter(|accepted| *accepted).count()
}

#[test]
fn a_million_texts_upset_nothing() {
    let count = std::env::var("MINGCHA_RANDOM_INPUTS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1_000_000_usize);
    let share = |seed: u64| {
        let mut generator = Generator(0x6d69_6e67_6368_6131 + seed);
        (0..count / 4).map(|_| feed(&generator.text())).sum::<usize>()
    };
    let accepted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|seed| scope.spawn(move || share(seed))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // Were nothing accepted, the texts would test only the first lines of each parser.
    assert!(accepted > count / 100, "{accepted} of {count}");
}

#[test]
fn what_upset_others_is_refused() {
    for raw in [
        "中中中中中中",
        "ééééééééé",
        "😀😀😀😀😂",
        "11010519491231００２\u{85}中",
        "\u{feff}",
        "京",
        "使",
        "应急",
        "京应急",
        "WJ",
    ] {
        feed(raw);
        for kind in InspectType::ALL {
            assert!(!inspect(kind, raw, today()).valid, "{raw:?}");
        }
    }
    let endless = "1".repeat(10_000_000);
    assert_eq!(feed(&endless), 0);
}

#[test]
fn no_message_repeats_what_was_typed() {
    let typed = [
        "11010519491231003X",
        "LSVAA49J232047371",
        "粤BL12345",
        "J110101-2110-000001",
        "12812345678",
        "王小明7",
    ];
    for raw in typed {
        for kind in InspectType::ALL {
            for finding in inspect(kind, raw, today()).errors {
                assert!(!finding.message.contains(raw), "{raw}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_survived(raw in any::<String>(), other in any::<String>()) {
        feed(&raw);
        if let Ok(name) = PersonName::parse(&raw) {
            let answer = name.value.compare_with_source(name.value.expose(), SourceEncoding::Gbk);
            prop_assert_eq!(answer, NameComparison::Same);
            prop_assert_ne!(name.value.compare_with_source(&format!("{other}?"), SourceEncoding::Gbk), NameComparison::Same);
        }
        for kind in InspectType::ALL {
            let inspection = inspect(kind, &raw, today());
            prop_assert_eq!(inspection.valid, inspection.errors.is_empty());
        }
    }
}
