//! Invented people, kinds and files for the tests.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use domain::{
    identifiers::{IdNumber, PersonName},
    ids::LookupId,
    kind::{Catalogue, KindFolder, SLOTS, Value},
    lookup::Person,
    time::{ManualClock, Timestamp},
    words::Mode,
};
use jiff::civil::date;
use serde_json::{Value as Json, json};
use sources::{Question, Realm, SourceFile, Sources, Wanted};
use tokio::time::Instant;

pub(crate) const TRAFFIC: &str = include_str!("data/traffic.toml");
/// What is appended to [`TRAFFIC`] where it streams images too.
pub(crate) const IMAGES: &str = include_str!("data/images.toml");
/// What is appended to [`TRAFFIC`] where it takes reviews too.
pub(crate) const REVIEWS: &str = include_str!("data/reviews.toml");
pub(crate) const REGISTER: &str = include_str!("data/register.toml");
pub(crate) const CARRIER: &str = include_str!("data/carrier.toml");
pub(crate) const SHOPS: &str = include_str!("data/shops.toml");

/// 2026-11-22T02:25:04Z, half past ten in China.
pub(crate) const NOW: Timestamp = Timestamp(1_795_314_304_000_000);

/// The kinds, read once: reading them takes longer than many of the answers that are timed.
pub(crate) fn kinds() -> &'static Catalogue {
    static KINDS: LazyLock<Catalogue> = LazyLock::new(read_kinds);
    &KINDS
}

fn read_kinds() -> Catalogue {
    let notice = SLOTS.map(|slot| format!("{{{{{slot}}}}}")).join(" ");
    let folder = |name: &str, text: &str| KindFolder {
        name: name.to_owned(),
        files: BTreeMap::from([
            ("kind.toml".to_owned(), text.to_owned()),
            ("notice.zh.md".to_owned(), notice.clone()),
            ("notice.en.md".to_owned(), notice.clone()),
        ]),
        loaded: false,
    };
    let folders = [
        folder("car", include_str!("data/car.toml")),
        folder("person", include_str!("data/person.toml")),
        folder("visit", include_str!("data/shop.toml")),
    ];
    Catalogue::new(&folders).unwrap()
}

pub(crate) fn file(name: &str, text: &str, port: u16) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        text: text.replace("PORT", &port.to_string()),
    }
}

pub(crate) fn sources(files: &[SourceFile]) -> Sources {
    sources_with(files, Arc::new(ManualClock::new(NOW)))
}

pub(crate) fn sources_with(files: &[SourceFile], clock: Arc<ManualClock>) -> Sources {
    Sources::new(files, kinds(), Realm::Demo, clock, [7; 32]).unwrap()
}

/// The number of an invented person: a division code that was retired before the birth.
pub(crate) fn number(sequence: u16) -> IdNumber {
    IdNumber::compose("110104", date(1990, 1, 1), sequence).unwrap()
}

pub(crate) fn person() -> Person {
    Person {
        name: PersonName::parse("甲某").unwrap().value,
        id_number: number(1),
    }
}

pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

pub(crate) fn car_question() -> Question {
    let kind = Arc::clone(kinds().get("car").unwrap());
    Question {
        lookup: LookupId::from_bytes([9; 16]),
        fields: Arc::clone(&kind.disclosable),
        kind,
        mode: Mode::Read,
        person: person(),
        key: BTreeMap::from([
            ("plate".to_owned(), text("京A12345")),
            ("plate_class".to_owned(), text("02")),
        ]),
        claims: BTreeMap::new(),
        portrait: None,
        wanted: Wanted::default(),
        arrived: NOW,
        deadline: Instant::now() + Duration::from_secs(5),
    }
}

pub(crate) fn list_question() -> Question {
    Question {
        mode: Mode::List,
        key: BTreeMap::new(),
        fields: Arc::default(),
        ..car_question()
    }
}

pub(crate) fn match_question(claims: &[(&str, Value)]) -> Question {
    let claims = claims
        .iter()
        .map(|(id, value)| ((*id).to_owned(), value.clone()))
        .collect();
    let kind = Arc::clone(kinds().get("person").unwrap());
    Question {
        kind,
        mode: Mode::Match,
        key: BTreeMap::new(),
        fields: Arc::default(),
        claims,
        ..car_question()
    }
}

/// The visits of a vehicle to a shop, which name no owner.
pub(crate) fn visit_question() -> Question {
    let kind = Arc::clone(kinds().get("visit").unwrap());
    Question {
        fields: Arc::clone(&kind.disclosable),
        kind,
        ..car_question()
    }
}

/// The record as the test source sends it, of the subject.
pub(crate) fn car_answer() -> Json {
    json!({
        "code": 0, "sj": "2026-11-22 10:20:00", "extra": {"ignored": [1, 2, 3]},
        "d": {
            "hphm": "京A·12345", "hpzl": "02", "clsbdh": "LSVAA49J132047371", "pp": "某牌", "rl": "C",
            "djrq": "20200229", "jysj": "2026-01-31 08:00:00", "zw": 5, "se": 300.5, "zt": "AG",
            "wx": [{"dd": "某地", "sj": "20260301120000", "fy": "12.34"}, {"dd": "他处", "sj": "20260401000000"}],
            "syr": number(1).expose(), "gyr": null,
        },
    })
}
