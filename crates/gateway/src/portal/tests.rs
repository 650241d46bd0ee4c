//! Every message is said and every page is rendered, in both languages and in elder mode; no kind is known by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    decision::Reason,
    identifiers::{PlateClass, Vin, Warning},
    outcome::Outcome,
    review::{ReviewResult, ReviewState},
    words::{AskedFreshness, Bilingual, Freshness, LegalBasis, Level, Mode},
};
use fluent_bundle::FluentResource;
use sources::Span;

use super::{Page, messages, page::Context, verify::WHY};
use crate::{
    actions::{search_history::Class, strengthen::Shown},
    app::Lang,
    config::Operator,
};

mod samples;

const CRATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Codes of the API that no page can meet.
const NOT_ON_PAGES: [&str; 5] = [
    "BAD_CHANGE",
    "BAD_RECEIPT_ID",
    "BODY_NOT_JSON",
    "BODY_TOO_LARGE",
    "PHONE_OR_PERSON_TAKEN",
];
/// What is sealed about accounts and people.
const CHANGES: [&str; 15] = [
    "account-created",
    "signed-in",
    "signed-out",
    "real-name-proven",
    "phone-passed-on",
    "raised-to-L2",
    "portrait-consented",
    "raised-to-L3",
    "raised-to-L3-in-person",
    "person-erased",
    "review-submitted",
    "review-received",
    "review-not-taken",
    "review-answered",
    "review-closed",
];

fn page(lang: Lang, elder: bool, demo: bool, level: Option<Level>) -> Page {
    Page::new(Context {
        lang,
        elder,
        demo,
        level,
        path: "/".into(),
        form_token: "00".repeat(32),
        operator: Arc::new(Operator {
            name: Bilingual::new("示范运营方", "Sample operator"),
            contact: Bilingual::new("示范电话", "sample telephone"),
        }),
    })
}

/// All files below a folder of the crates by name, with their texts.
fn files(folder: &str, extension: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![std::path::PathBuf::from(CRATES).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// The portal's own sources, these tests left out.
fn sources() -> String {
    let mut rust = files("gateway/src/portal", "rs");
    rust.retain(|name, _| !["tests.rs", "samples.rs"].contains(&name.as_str()));
    let templates = files("gateway/templates", "html");
    rust.into_values().chain(templates.into_values()).collect()
}

/// The keys of a catalogue.
fn keys(text: &str) -> BTreeSet<String> {
    let resource = FluentResource::try_new(text.to_owned()).expect("the catalogue is well-formed");
    let named = text
        .lines()
        .filter(|l| l.starts_with(|c: char| c.is_ascii_alphabetic()));
    let keys: BTreeSet<_> = named.map(|l| l.split(" =").next().unwrap().to_owned()).collect();
    assert_eq!(resource.entries().count(), keys.len(), "a key stands twice");
    keys
}

/// What stands between `before` and the next quotation mark, wherever it occurs.
fn after(text: &str, before: &str) -> BTreeSet<String> {
    let rest = text.split(before).skip(1);
    rest.filter_map(|r| r.split('"').next())
        .map(str::to_owned)
        .collect()
}

/// The codes of errors that a page can meet.
fn error_codes() -> BTreeSet<String> {
    let text: String = files("gateway/src", "rs").into_values().collect();
    let flat = text.replace(['\n', ' '], "");
    let mut codes = after(&flat, "Error::bad(\"");
    codes.extend(after(&flat, "Conflict(\""));
    codes.extend(after(&flat, "=>\"").into_iter().filter(|c| {
        ["FORM_EXPIRED", "NOT_FOUND", "TOO_MANY_REQUESTS", "UNAVAILABLE"].contains(&c.as_str())
            || ["OVERLOADED", "ALREADY_WAITING", "NOT_WAITING"].contains(&c.as_str())
            || ["IMAGE_UNAVAILABLE", "INTERNAL", "NOT_PERMITTED"].contains(&c.as_str())
    }));
    let visible = Reason::ALL.iter().filter(|r| r.is_visible());
    codes.extend(visible.map(|r| r.code().to_owned()));
    codes.retain(|c| !NOT_ON_PAGES.contains(&c.as_str()));
    codes
}

/// What the page about a VIN says of its parts.
fn vin_words(all: &mut impl FnMut(&[&str], &mut dyn Iterator<Item = String>)) {
    // One first character of each region.
    let of_region = ["AAV", "JAA", "LSV", "WBA", "1G1", "6G1", "9BW"];
    let region = |start| {
        Vin::compose(&format!("{start}AAAAA"), "A0000001")
            .unwrap()
            .region()
            .unwrap()
            .code()
    };
    all(
        &["vin-region"],
        &mut of_region.map(|s| region(s).to_owned()).into_iter(),
    );
    let checks = ["right", "wrong", "not-used"];
    all(&["vin-check"], &mut checks.map(str::to_owned).into_iter());
    // What the check digit says stands among the facts.
    let warnings = Warning::CODES_OF_VINS.into_iter().filter(|w| *w != "CHECK_DIGIT");
    all(&["warning"], &mut warnings.map(str::to_owned));
}

/// What is said of an identifier that was typed wrong.
fn input_words(all: &mut impl FnMut(&[&str], &mut dyn Iterator<Item = String>)) {
    let words = |codes: &[&str]| codes.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
    let identifiers = files("domain/src/identifiers", "rs").remove("error.rs").unwrap();
    let codes = after(&identifiers, "=> \"");
    assert!(codes.len() > 15, "the codes of identifiers were not found");
    all(&["input"], &mut codes.into_iter());
    all(
        &["input"],
        &mut words(&["BAD_VALUE", "CHARACTER-suggested"]).into_iter(),
    );
    // What is right is told of every type that can be wrong in this way.
    let long = [
        "plate",
        "vin",
        "id_number",
        "phone",
        "licence_file_number",
        "certificate_number",
    ];
    all(&["input-WRONG_LENGTH"], &mut words(&long).into_iter());
    let shaped = ["plate", "vin", "person_name", "certificate_number"];
    all(&["input-SHAPE"], &mut words(&shaped).into_iter());
}

/// The messages whose names are put together from a code.
fn families() -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut all = |families: &[&str], codes: &mut dyn Iterator<Item = String>| {
        for code in codes {
            keys.extend(families.iter().map(|family| format!("{family}-{code}")));
        }
    };
    let words = |codes: &[&str]| codes.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>();
    let failures = Outcome::ALL.iter().filter(|o| o.is_failure());
    all(
        &["outcome", "outcome-next"],
        &mut Outcome::ALL.iter().map(|o| o.code().to_owned()),
    );
    all(&["outcome-next"], &mut words(&["not_live"]).into_iter());
    all(
        &["prove", "prove-next"],
        &mut failures.map(|o| o.code().to_owned()),
    );
    all(&["prove", "prove-next"], &mut words(&["not-proven"]).into_iter());
    all(&["error", "error-next"], &mut error_codes().into_iter());
    all(&["reason"], &mut Reason::ALL.iter().map(|r| r.code().to_owned()));
    all(
        &["basis"],
        &mut LegalBasis::ALL.iter().map(|b| b.code().to_owned()),
    );
    all(
        &["freshness"],
        &mut Freshness::ALL.iter().map(|f| f.code().to_owned()),
    );
    all(
        &["wish"],
        &mut AskedFreshness::ALL.iter().map(|w| w.code().to_owned()),
    );
    all(&["source-state"], &mut words(&["paused", "expired"]).into_iter());
    all(&["span"], &mut Span::ALL.iter().map(|s| s.code().to_owned()));
    all(&["mode"], &mut Mode::ALL.iter().map(|m| m.code().to_owned()));
    all(&["level"], &mut Level::ALL.iter().map(|l| l.code().to_owned()));
    all(
        &["review-state", "review-next"],
        &mut ReviewState::ALL.iter().map(|s| s.code().to_owned()),
    );
    all(
        &["review-result", "review-result-next"],
        &mut ReviewResult::ALL.iter().map(|r| r.code().to_owned()),
    );
    all(&["step-up-why"], &mut words(&["L2", "L3"]).into_iter());
    all(
        &["class", "entry"],
        &mut Class::ALL.iter().map(|c| c.word().to_owned()),
    );
    all(&["class"], &mut words(&["begun", "changed"]).into_iter());
    all(&["change"], &mut words(&CHANGES).into_iter());
    all(&["lang"], &mut Lang::ALL.map(|l| l.code().to_owned()).into_iter());
    let shown = [Shown::Page, Shown::ElderPage, Shown::ByClient];
    all(&["shown"], &mut shown.map(|s| s.code().to_owned()).into_iter());
    all(&["answer"], &mut words(&["yes", "no"]).into_iter());
    vin_words(&mut all);
    all(&["verify-why"], &mut words(&WHY).into_iter());
    let colours = PlateClass::all().filter_map(PlateClass::colour);
    all(&["colour"], &mut colours.map(|c| c.code().to_owned()));
    let collected = ["phone", "name", "key", "result", "entry", "portrait", "cookie"];
    let what = ["privacy-what", "privacy-for", "privacy-long"];
    all(&what, &mut words(&collected).into_iter());
    input_words(&mut all);
    keys
}

#[test]
fn both_catalogues_have_the_same_keys_and_no_other_is_asked_for() {
    let (zh, en) = (keys(messages::ZH), keys(messages::EN));
    assert_eq!(
        zh.symmetric_difference(&en).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    let sources = sources();
    let mut said = families();
    for call in [".t(\"", ".with(\"", ".fill(\"", "say(\"", "say(\n        \""] {
        said.extend(
            after(&sources, call)
                .into_iter()
                .filter(|k| k.contains(|c: char| c.is_lowercase())),
        );
    }
    let unknown: Vec<_> = said.iter().filter(|k| !zh.contains(*k)).collect();
    assert_eq!(unknown, Vec::<&String>::new(), "said, but not in the catalogue");
    let families = families();
    let unused = zh
        .iter()
        .filter(|k| !families.contains(*k) && !sources.contains(&format!("\"{k}\"")));
    assert_eq!(
        unused.collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "in the catalogue, but never said"
    );
}

#[test]
fn values_stand_in_both_languages_alike() {
    let values = |text: &str| -> BTreeMap<String, BTreeSet<String>> {
        let lines = text.lines().filter_map(|l| l.split_once(" = "));
        let of = |message: &str| {
            let parts = message.split("{ $").skip(1);
            parts.map(|p| p.split(' ').next().unwrap().to_owned()).collect()
        };
        lines
            .map(|(key, message)| (key.to_owned(), of(message)))
            .collect()
    };
    assert_eq!(values(messages::ZH), values(messages::EN));
    let greeting = messages::say(Lang::En, "home-hello-name", &[("value", "Wang")]);
    assert_eq!(greeting, "Welcome, Wang");
    assert_eq!(messages::say(Lang::Zh, "no-such-key", &[]), "no-such-key");
}

#[test]
fn words_that_mislead_are_not_used() {
    for word in ["存证", "凭证", "区块链"] {
        assert!(!messages::ZH.contains(word), "{word}");
    }
}

/// It is said to everybody: a text of its own would tell what register or carrier answered. Where nobody is at a
/// counter, none is promised: the operator is to be asked.
#[test]
fn a_name_that_a_carrier_cannot_write_leads_to_a_counter_or_the_operator() {
    for (lang, demo, words) in [
        (Lang::Zh, true, ["生僻字", "柜台"]),
        (
            Lang::Zh,
            false,
            [
                "生僻字",
                "还不能当面核对，您的记录暂时看不了。请联系运营方：示范电话",
            ],
        ),
        (Lang::En, true, ["rare characters", "go to a counter"]),
        (
            Lang::En,
            false,
            ["rare characters", "Please ask the operator: sample telephone"],
        ),
    ] {
        let html = samples::pages(&page(lang, false, demo, Some(Level::L1)));
        let (_, html) = html.into_iter().find(|(name, _)| *name == "prove.html").unwrap();
        assert!(words.iter().all(|word| html.contains(word)), "{html}");
        assert!(
            demo || !["柜台", "counter"].iter().any(|word| html.contains(word)),
            "{html}"
        );
    }
}

#[test]
fn no_kind_is_known_by_name() {
    let sources = sources();
    let kinds = crate::embedded::kinds();
    assert!(kinds.len() >= 8);
    for kind in kinds {
        // A word of a sentence is no name of a kind: in quotation marks or in an address it would be.
        for known in [format!("\"{}\"", kind.name), format!("/{}", kind.name)] {
            assert!(!sources.contains(&known), "{known}");
        }
    }
}

#[test]
fn every_change_that_has_a_sentence_is_sealed_somewhere() {
    let everything: String = files("gateway/src/actions", "rs")
        .into_values()
        .chain(files("store/src", "rs").into_values())
        .collect();
    for change in CHANGES {
        assert!(everything.contains(&format!("\"{change}\"")), "{change}");
    }
}

#[test]
fn every_page_is_rendered_in_every_look() {
    let looks = [
        (Lang::Zh, false),
        (Lang::En, false),
        (Lang::Zh, true),
        (Lang::En, true),
    ];
    let families = families();
    let mut rendered = BTreeSet::new();
    for ((lang, elder), demo) in looks.into_iter().flat_map(|look| [(look, true), (look, false)]) {
        for level in [None, Some(Level::L1), Some(Level::L2), Some(Level::L3)] {
            let page = page(lang, elder, demo, level);
            for (name, html) in samples::pages(&page) {
                check(name, &html, &page, &families);
                rendered.insert(name.to_owned());
            }
        }
    }
    let whole = files("gateway/templates", "html");
    let whole = whole
        .into_keys()
        .filter(|n| !n.starts_with('_') && n != "base.html")
        .filter(|n| cfg!(feature = "demo") || !["demo.html", "outbox.html"].contains(&n.as_str()));
    assert_eq!(rendered, whole.collect::<BTreeSet<_>>());
}

/// What holds of every page.
fn check(name: &str, html: &str, page: &Page, families: &BTreeSet<String>) {
    let lang = format!("<html lang=\"{}\"", page.lang_tag());
    assert!(html.contains(&lang), "{name}");
    for forbidden in ["<style", " style=", " onclick=", "javascript:", "<script>"] {
        assert!(!html.contains(forbidden), "{name}: {forbidden}");
    }
    let forms = html.matches("method=\"post\"").count();
    let tokens = html.matches("name=\"form_token\"").count();
    assert_eq!(forms, tokens, "{name}: each form has a token");
    assert_eq!(html.matches("<h1").count(), 1, "{name}: one heading of the page");
    // A key that is shown itself would be a missing message.
    let shown = html.split('>').filter_map(|rest| rest.split('<').next());
    let bare: Vec<_> = shown.filter(|text| families.contains(*text)).collect();
    assert_eq!(bare, Vec::<&str>::new(), "{name}");
    if page.is_english() {
        let own = html.replace("中文", "").replace("明</span>", "");
        let chinese = own.chars().find(|c| ('\u{4e00}'..'\u{9fff}').contains(c));
        let allowed = ["help.html", "look_up.html", "demo.html"];
        assert!(
            chinese.is_none() || allowed.contains(&name),
            "{name}: {chinese:?}"
        );
    }
}
