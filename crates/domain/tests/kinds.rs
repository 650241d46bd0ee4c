//! The shipped record kinds load, say everything that they must say, and their examples come out as written; broken
//! kinds are refused with file and line.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stop where a test cannot go on"
)]

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use domain::{
    decision::Reason,
    example::Example,
    identifiers::{IdNumber, IdentifierError, Warning},
    kind::{
        Catalogue, CatalogueError, Claim, FieldType, KeyPart, Kind, KindFolder, LoadedKind, Notice,
        NoticeSlots, SLOTS,
    },
    lookup::{LookupRequest, RawLookup, RequestProblem, SubjectRef},
    purpose::{Purpose, PurposeRegister},
    requester::Relation,
    words::{Bilingual, LegalBasis, Level, Mode},
};
use jiff::civil::{Date, date};
use serde_json::{Value as Json, json};

const TODAY: Date = date(2026, 11, 21);

const SHIPPED: [&str; 8] = [
    "vehicle",
    "vehicle-violations",
    "vehicle-maintenance",
    "vehicle-insurance",
    "driving-licence",
    "traffic-violations",
    "marriage",
    "identity",
];

/// The shipped folders, in the order of [`SHIPPED`].
fn shipped() -> Vec<KindFolder> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kinds");
    SHIPPED.iter().map(|name| folder(&root, name)).collect()
}

fn folder(root: &Path, name: &str) -> KindFolder {
    let mut files = BTreeMap::new();
    for (directory, prefix) in [
        (root.join(name), ""),
        (root.join(name).join("examples"), "examples/"),
    ] {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let file = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
                files.insert(file, fs::read_to_string(path).unwrap());
            }
        }
    }
    KindFolder {
        name: name.to_owned(),
        files,
        loaded: false,
    }
}

fn catalogue() -> Catalogue {
    Catalogue::new(&shipped()).unwrap_or_else(|e| panic!("{e}"))
}

fn file_of(kind: &str, name: &str) -> String {
    let folders = shipped();
    folders.iter().find(|f| f.name == kind).unwrap().files[name].clone()
}

/// The rows of a table, without its heading; `\n` in a cell is a new line.
fn table(text: &str) -> Vec<[String; 5]> {
    let cells = |line: &str| {
        line.split('\t')
            .map(|c| c.replace("\\n", "\n"))
            .collect::<Vec<_>>()
    };
    text.lines()
        .skip(1)
        .map(|line| cells(line).try_into().unwrap())
        .collect()
}

fn register() -> PurposeRegister {
    let purpose = |code: &str, bases| Purpose {
        code: code.to_owned(),
        name: Bilingual::new(code, code),
        bases,
        pia: Some("PIA-1".to_owned()),
        fields: BTreeMap::new(),
    };
    PurposeRegister::new(vec![
        purpose("own-information", vec![LegalBasis::Contract]),
        purpose("account-proofing", vec![LegalBasis::Consent]),
    ])
    .unwrap()
}

/// Who may look, in the plainest words: oneself, at the level that is needed.
fn decide(request: &LookupRequest, relation: Relation, level: Level) -> Result<(), Reason> {
    match relation {
        _ if level < request.needed_level() => Err(Reason::LevelTooLow),
        Relation::Own | Relation::Claimed => Ok(()),
        Relation::Other => Err(Reason::NoGrant),
    }
}

fn run(kind: &Arc<LoadedKind>, text: &str) -> Result<(), String> {
    let example = Example::parse("example.toml", text).map_err(|e| e.to_string())?;
    example.run(kind, &register(), TODAY, decide)
}

#[test]
fn the_folders_are_the_shipped_kinds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kinds");
    let mut found: Vec<String> = fs::read_dir(root)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    let mut expected = SHIPPED.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(found, expected);
    let catalogue = catalogue();
    let order: Vec<&str> = catalogue.in_order().iter().map(|k| k.kind.id.as_str()).collect();
    assert_eq!(order, SHIPPED);
}

#[test]
fn levels_modes_and_parts_are_as_designed() {
    let catalogue = catalogue();
    for entry in catalogue.in_order() {
        let kind = &entry.kind;
        let expected = if kind.id == "marriage" {
            Level::L3
        } else {
            Level::L2
        };
        assert_eq!(kind.level_for("own-information"), expected, "{}", kind.id);
        assert_eq!(
            (kind.retention.answer_minutes, kind.retention.evidence_years),
            (10, 3),
            "{}",
            kind.id
        );
    }
    let identity = &catalogue.get("identity").unwrap().kind;
    assert_eq!(
        (identity.level_for("account-proofing"), identity.modes.as_slice()),
        (Level::L1, &[Mode::Match][..])
    );
    assert_eq!(catalogue.get("vehicle").unwrap().kind.parts, SHIPPED[1..4]);
    let listable: Vec<&str> = catalogue.listable().iter().map(|k| k.kind.id.as_str()).collect();
    assert_eq!(listable, ["vehicle"]);
}

#[test]
fn marriage_says_what_it_is_not() {
    let catalogue = catalogue();
    let kind = &catalogue.get("marriage").unwrap().kind;
    assert!(kind.mark.as_ref().unwrap().zh.contains("非加盖公章证明"));
    assert!(
        kind.statement
            .as_ref()
            .unwrap()
            .zh
            .contains("婚姻登记未记载配偶去世，不代表您目前的婚姻状况")
    );
    assert!(
        kind.not_found_statement
            .as_ref()
            .unwrap()
            .zh
            .contains("不等于未婚")
    );
}

#[test]
fn notices_fill_and_leave_no_slot() {
    let slots: NoticeSlots = SLOTS
        .iter()
        .map(|s| ((*s).to_owned(), format!("<{s}>")))
        .collect();
    for entry in catalogue().in_order() {
        for text in [&entry.notice.zh, &entry.notice.en] {
            let (filled, _) = Notice::fill(text, &slots).unwrap();
            assert!(SLOTS.iter().all(|s| filled.contains(&format!("<{s}>"))) && !filled.contains("{{"));
            assert!(text.lines().next().unwrap().starts_with("# "));
        }
        assert!(entry.notice.zh.contains("谁看过我") && entry.notice.en.contains("Who looked at me"));
    }
}

#[test]
fn every_example_comes_out_as_written() {
    for entry in catalogue().in_order() {
        let refusals = entry
            .examples
            .values()
            .filter(|t| !t.contains("decision = \"permit\""))
            .count();
        assert!(entry.examples.len() >= 3 && refusals >= 1, "{}", entry.kind.id);
        for (name, text) in &entry.examples {
            run(entry, text).unwrap_or_else(|e| panic!("{}/{name}: {e}", entry.kind.id));
        }
    }
}

/// The division of every number was retired before the birth that it tells, so it cannot be anybody's.
#[test]
fn numbers_in_examples_are_nobodys() {
    let mut seen = 0;
    for entry in catalogue().in_order() {
        for (name, text) in &entry.examples {
            for quoted in text.split('"').skip(1).step_by(2).filter(|q| q.len() == 18) {
                let Ok(number) = IdNumber::parse(quoted, TODAY) else {
                    continue;
                };
                let retired = number
                    .warnings
                    .iter()
                    .any(|w| matches!(w, Warning::BirthAfterDivision { .. }));
                assert!(retired, "{}/{name}: {quoted}", entry.kind.id);
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "only {seen} numbers were found");
}

#[test]
fn a_wrong_expectation_is_noticed() {
    let catalogue = catalogue();
    for row in table(include_str!("data/wrong_examples.tsv")) {
        let [kind, name, from, to, problem] = row.each_ref().map(String::as_str);
        let text = file_of(kind, &format!("examples/{name}.toml"));
        let broken = text.replacen(from, to, 1);
        assert_ne!(text, broken, "{kind}/{name}: nothing to replace");
        let error = run(catalogue.get(kind).unwrap(), &broken).expect_err(from);
        assert!(error.contains(problem), "{kind}/{name}: {error}");
    }
}

#[test]
fn broken_kinds_are_refused_with_their_line() {
    for row in table(include_str!("data/broken_kinds.tsv")) {
        let [kind, from, to, at, problem] = row.each_ref().map(String::as_str);
        let text = file_of(kind, "kind.toml");
        let edited = text.replacen(from, to, 1);
        assert_ne!(text, edited, "{kind}: nothing to replace by {to}");
        let line = edited
            .find(at)
            .map(|start| 1 + edited[..start].matches('\n').count());
        let error = Kind::parse("kind.toml", &edited).expect_err(to);
        assert!(error.problem.contains(problem), "{kind}, {to}: {error}");
        assert_eq!(
            (error.file.as_str(), error.line),
            ("kind.toml", line),
            "{kind}, {to}: {error}"
        );
    }
}

/// A purpose that serves some parts of a kind bounds fields, claims and predicates alike; who names no fields gets
/// those that it serves.
#[test]
fn a_purpose_bounds_what_is_asked() {
    let catalogue = catalogue();
    let serves = |kind: &str, parts: &[&str]| {
        let mut purpose = register().get("own-information").unwrap().clone();
        purpose.fields = [(kind.to_owned(), parts.iter().map(|p| (*p).to_owned()).collect())].into();
        PurposeRegister::new(vec![purpose]).unwrap()
    };
    let ask = |kind: &str, mode, register: &PurposeRegister, raw: RawLookup| {
        let raw = RawLookup {
            purpose: "own-information".to_owned(),
            ..raw
        };
        assert_eq!(format!("{raw:?}"), "RawLookup(redacted)");
        let kind = catalogue.get(kind).unwrap();
        LookupRequest::parse(kind, mode, SubjectRef::Own, &raw, register, TODAY)
    };
    let refused = |at: &str| {
        let (reason, at) = (Reason::PurposeNotRegistered, at.to_owned());
        RequestProblem::Refused { reason, at }
    };
    let points = serves("driving-licence", &["points_confirmed"]);
    let got = ask("driving-licence", Mode::Read, &points, RawLookup::default()).unwrap();
    assert_eq!(*got.fields, ["points_confirmed"]);
    let fields = Some(vec!["points_confirmed".to_owned(), "states".to_owned()]);
    let raw = RawLookup {
        fields,
        ..RawLookup::default()
    };
    let problem = ask("driving-licence", Mode::Read, &points, raw).unwrap_err();
    assert_eq!(problem, refused("fields[1]"));

    let states = serves("driving-licence", &["states"]);
    let raw = || RawLookup {
        predicates: vec!["points-none".to_owned()],
        ..RawLookup::default()
    };
    assert!(ask("driving-licence", Mode::Predicate, &points, raw()).is_ok());
    let problem = ask("driving-licence", Mode::Predicate, &states, raw()).unwrap_err();
    assert_eq!(problem, refused("predicates[0]"));

    let phone = serves("identity", &["phone"]);
    let raw = |id: &str, value: &str| RawLookup {
        claims: [(id.to_owned(), value.into())].into(),
        ..RawLookup::default()
    };
    assert!(ask("identity", Mode::Match, &phone, raw("phone", "13900000001")).is_ok());
    let problem = ask("identity", Mode::Match, &phone, raw("valid_until", "2030-01-01")).unwrap_err();
    assert_eq!(problem, refused("claims.valid_until"));
}

/// A claim that names purposes is for these alone; one that names none, for each of the kind's.
#[test]
fn a_claim_is_for_the_purposes_that_it_names() {
    let catalogue = catalogue();
    let identity = catalogue.get("identity").unwrap();
    let picture = json!({ "digest": "9a".repeat(32), "handle": "inline" });
    let ask = |purpose: &str, id: &str, value: Json| {
        let raw = RawLookup {
            purpose: purpose.to_owned(),
            claims: [(id.to_owned(), value)].into(),
            ..RawLookup::default()
        };
        LookupRequest::parse(identity, Mode::Match, SubjectRef::Own, &raw, &register(), TODAY)
    };
    // Refused before it is read: what stands there does not matter.
    for value in [picture.clone(), json!("nonsense")] {
        assert_eq!(
            ask("own-information", "portrait", value).unwrap_err(),
            RequestProblem::Refused {
                reason: Reason::PurposeNotRegistered,
                at: "claims.portrait".to_owned(),
            }
        );
    }
    assert!(ask("account-proofing", "portrait", picture).is_ok());
    for purpose in ["own-information", "account-proofing"] {
        assert!(ask(purpose, "phone", json!("13900000001")).is_ok(), "{purpose}");
    }
    let offered = |purpose| -> Vec<&str> {
        let claims = identity.kind.claims_for(purpose);
        claims.map(|c| c.id.as_str()).collect()
    };
    assert_eq!(offered("own-information"), ["valid_until", "long_term", "phone"]);
    assert_eq!(
        offered("account-proofing"),
        ["valid_until", "long_term", "phone", "portrait"]
    );
}

/// A shipped kind that is found by a VIN, or that compares one, refuses what is a placeholder of one.
#[test]
fn nothing_is_looked_up_by_a_placeholder() {
    const PLACEHOLDER: &str = "11111111111111111";
    let mut loaded = LoadedKind::clone(catalogue().get("identity").unwrap());
    let name = Bilingual::new("车架号", "VIN");
    loaded.kind.key = vec![KeyPart {
        id: "vin".to_owned(),
        name: name.clone(),
        of_type: FieldType::Vin,
    }];
    loaded.kind.claims.push(Claim {
        id: "other_vin".to_owned(),
        name,
        of_type: FieldType::Vin,
        purposes: vec![],
    });
    let kind = Arc::new(loaded);
    let ask = |key: &str, claim: &str| {
        let raw = RawLookup {
            purpose: "own-information".to_owned(),
            key: [("vin".to_owned(), key.into())].into(),
            claims: [("other_vin".to_owned(), claim.into())].into(),
            ..RawLookup::default()
        };
        LookupRequest::parse(&kind, Mode::Match, SubjectRef::Own, &raw, &register(), TODAY).map(drop)
    };
    let refused = |at: &str| -> Result<(), RequestProblem> {
        Err(RequestProblem::BadValue {
            at: at.to_owned(),
            expected: "vin",
            why: Some(IdentifierError::Sentinel),
        })
    };
    let sound = "LSVAA49J132047371";
    assert_eq!(ask(sound, sound), Ok(()));
    assert_eq!(ask(PLACEHOLDER, sound), refused("key.vin"));
    assert_eq!(ask(sound, PLACEHOLDER), refused("claims.other_vin"));
    // In a record it stands as the source has it.
    assert!(FieldType::Vin.read(&json!(PLACEHOLDER)).is_ok());
}

/// What [`Catalogue::new`] says to the shipped folders after an edit.
fn refused(edit: impl Fn(&mut Vec<KindFolder>)) -> String {
    let mut folders = shipped();
    edit(&mut folders);
    Catalogue::new(&folders).expect_err("it was taken").to_string()
}

#[test]
fn broken_folders_are_refused_with_their_file() {
    let without = |file: &'static str| refused(move |f| drop(f[0].files.remove(file)));
    for file in ["kind.toml", "notice.zh.md", "notice.en.md"] {
        assert_eq!(without(file), format!("vehicle/{file}: this file is missing"));
    }
    for slot in SLOTS {
        let error = refused(|f| {
            let text = f[0].files.get_mut("notice.en.md").unwrap();
            *text = text.replace(&format!("{{{{{slot}}}}}"), "");
        });
        assert!(
            error.starts_with("vehicle/notice.en.md: ") && error.contains(slot),
            "{error}"
        );
    }
    let error = refused(|f| f[0].files.get_mut("notice.zh.md").unwrap().push_str("{{lawyer}}"));
    assert_eq!(error, "vehicle/notice.zh.md: there is no slot named \"lawyer\"");
    let error = refused(|f| {
        drop(f[0].files.insert(
            "permits.cedar".into(),
            "permit(principal, action, resource);".into(),
        ))
    });
    assert_eq!(error, "vehicle/permits.cedar: a kind has no such file");
    let error = refused(|f| f[0].name = "car".into());
    assert_eq!(error, "car/kind.toml: id must be the folder's name, car");
}

#[test]
fn kinds_must_fit_together() {
    let mut folders = shipped();
    let taken = KindFolder {
        loaded: true,
        ..folders[0].clone()
    };
    folders.push(taken);
    assert_eq!(
        Catalogue::new(&folders).unwrap_err(),
        CatalogueError::Twice("vehicle".into())
    );
    let error = refused(|f| drop(f.remove(2)));
    assert_eq!(error, "kind vehicle: its part vehicle-maintenance does not exist");
    let error = refused(|f| {
        let text = f[0].files.get_mut("kind.toml").unwrap();
        *text = text.replacen("\"vehicle-insurance\"]", "\"driving-licence\"]", 1);
    });
    assert_eq!(
        error,
        "kind vehicle: its part driving-licence has another key, so one report cannot join them"
    );
    // Evidence of the one would be kept for longer than its notice says.
    let error = refused(|f| {
        let last = f.last_mut().unwrap();
        let text = last.files.get_mut("kind.toml").unwrap();
        *text = text.replacen("evidence_years = 3", "evidence_years = 5", 1);
    });
    assert!(
        error.contains(": evidence_years is 5, but 3 in kind vehicle: "),
        "{error}"
    );
    let longer = |f: &mut KindFolder| {
        let text = f.files.get_mut("kind.toml").unwrap();
        *text = text.replacen("evidence_years = 3", "evidence_years = 5", 1);
    };
    let mut all = shipped();
    all.iter_mut().for_each(longer);
    assert!(
        Catalogue::new(&all).is_ok(),
        "a deployment may keep all of it longer"
    );
}

#[test]
fn the_digest_covers_every_file_and_not_the_order() {
    let digest = catalogue().digest();
    let mut folders = shipped();
    folders.reverse();
    assert_eq!(Catalogue::new(&folders).unwrap().digest(), digest);
    for i in 0..folders.len() {
        for name in folders[i].files.keys().cloned().collect::<Vec<_>>() {
            let mut changed = folders.clone();
            changed[i].files.get_mut(&name).unwrap().push('\n');
            assert_ne!(
                Catalogue::new(&changed).unwrap().digest(),
                digest,
                "{}/{name}",
                changed[i].name
            );
        }
    }
}
