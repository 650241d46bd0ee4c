//! Which rules are accepted, what the others are told, and what an accepted rule can do.

use std::{collections::BTreeSet, path::Path};

use crate::support::{shipped_folders, shipped_kinds};
use domain::{
    decision::{Decision, Question},
    kind::Catalogue,
    requester::{Relation, Role},
    words::{Classification, Describes, LegalBasis, Level, Mode},
};
use policy::{DIAGNOSTIC, NOTHING_PERMITS, Policy, PolicyError, RuleFile, base_rules};

/// A person at L2 reads a field of their own vehicle: the plainest question that is permitted.
fn own_vehicle() -> Question {
    Question {
        role: Role::Person,
        relation: Relation::Own,
        level: Level::L2,
        needed: Level::L2,
        kind: "vehicle".into(),
        mode: Mode::Read,
        classification: Classification::Personal,
        describes: Describes::Subject,
        reveal: false,
        purpose: "own-information".into(),
        basis: LegalBasis::Contract,
    }
}

fn operator(text: &str) -> Result<Policy, PolicyError> {
    Policy::new(&shipped_kinds(), &[RuleFile::new("night.cedar", text)])
}

/// The kinds as shipped, but `vehicle` brings these rules of its own.
fn kinds_with_vehicle_rules(text: &str) -> Catalogue {
    let mut folders = shipped_folders();
    let vehicle = folders.iter_mut().find(|f| f.name == "vehicle").unwrap();
    vehicle.files.insert("rules.cedar".to_owned(), text.to_owned());
    Catalogue::new(&folders).unwrap()
}

fn forbidden_by(names: &[&str]) -> Decision {
    Decision::Forbid(names.iter().map(|n| (*n).to_owned()).collect())
}

/// A rule, the name by which it is told, and a part of what is said.
const WRONG: &[(&str, Option<&str>, &str)] = &[
    (
        r#"@id("x") @reason("r") permit (principal, action, resource);"#,
        Some("x"),
        "may only forbid",
    ),
    (
        r#"@id("x") forbid (principal, action, resource);"#,
        Some("x"),
        "@reason",
    ),
    (
        r#"@id("x") @reason("  ") forbid (principal, action, resource);"#,
        Some("x"),
        "@reason",
    ),
    (
        r#"@id("x") @reason forbid (principal, action, resource);"#,
        Some("x"),
        "@reason",
    ),
    (
        r#"@reason("r") forbid (principal, action, resource);"#,
        Some("number 1"),
        "@id",
    ),
    (
        r#"@id("X y") @reason("r") forbid (principal, action, resource);"#,
        Some("number 1"),
        "@id",
    ),
    (
        r#"@id("x") @reason("r") @advice("a") forbid (principal, action, resource);"#,
        Some("x"),
        "@advice means nothing",
    ),
    (
        r#"@id("x") @reason("r") forbid (principal, action, resource) when { context.revoked };"#,
        Some("x"),
        "attribute `revoked`",
    ),
    (
        r#"@id("x") @reason("r") forbid (principal, action, resource) when { context.level < "L2" };"#,
        Some("x"),
        "unexpected type",
    ),
    (
        r#"@id("x") @reason("r") forbid (principal, action, resource)
               when { context.basis == Basis::"contrakt" };"#,
        Some("x"),
        "contrakt",
    ),
    (
        r#"@id("x") @reason("r") forbid (principal, action == Action::"write", resource);"#,
        Some("x"),
        "write",
    ),
    (
        r#"@id("x") @reason("r") forbid (principal, action, resource == Kind::"spaceship");"#,
        Some("x"),
        "no record kind \"spaceship\"",
    ),
    (
        r#"@id("x") @reason("r") forbid (principal, action, resource)
               when { context has revoked && context.revoked };"#,
        Some("x"),
        "impossible",
    ),
    (
        r#"@id("x") @reason("r") forbid (principal == ?principal, action, resource);"#,
        None,
        "slot",
    ),
    (
        r#"@id("x") @reason("r") forbid (principal, action, resource"#,
        None,
        "unexpected",
    ),
    (
        r#"@id("x") @reason("r") forbid (principal, action == Action::"read", resource);
               @id("x") @reason("r") forbid (principal, action == Action::"list", resource);"#,
        Some("x"),
        "another rule",
    ),
];

#[test]
fn what_is_wrong_with_a_rule_is_told_with_file_and_rule() {
    for (text, rule, part) in WRONG {
        let error = operator(text).err().unwrap_or_else(|| panic!("accepted: {text}"));
        assert_eq!(error.file, "night.cedar", "{text}: {error}");
        assert_eq!(error.rule.as_deref(), *rule, "{text}: {error}");
        assert!(error.problem.contains(part), "{text}: {error}");
        println!("{error}");
    }
}

#[test]
fn a_kinds_rules_only_forbid_and_only_speak_of_the_kind() {
    let cases = [
        (
            r#"@id("x") @reason("r") permit (principal, action, resource == Kind::"vehicle");"#,
            "may only forbid",
        ),
        (
            r#"@id("x") forbid (principal, action, resource == Kind::"vehicle");"#,
            "@reason",
        ),
        (
            r#"@id("x") @reason("r") forbid (principal, action, resource);"#,
            "speaks of itself",
        ),
        (
            r#"@id("x") @reason("r") forbid (principal, action, resource == Kind::"marriage");"#,
            "speaks of itself",
        ),
        (
            r#"@id("x") @reason("r") forbid (principal, action, resource == Kind::"vehicle")
               when { resource.brand == "x" };"#,
            "attribute `brand`",
        ),
    ];
    for (text, part) in cases {
        let error = Policy::new(&kinds_with_vehicle_rules(text), &[]).err().unwrap();
        assert_eq!(error.file, "vehicle/rules.cedar");
        assert!(error.problem.contains(part), "{text}: {error}");
    }
    let kinds = kinds_with_vehicle_rules(
        r#"@id("no-lists") @reason("r") forbid (principal, action == Action::"list", resource == Kind::"vehicle");"#,
    );
    let policy = Policy::new(&kinds, &[]).unwrap();
    assert_eq!(policy.decide(&own_vehicle()), Decision::Permit);
    let listing = Question {
        mode: Mode::List,
        ..own_vehicle()
    };
    assert_eq!(
        Policy::new(&shipped_kinds(), &[]).unwrap().decide(&listing),
        Decision::Permit
    );
    assert_eq!(policy.decide(&listing), forbidden_by(&["vehicle:no-lists"]));
}

#[test]
fn an_operators_forbid_wins() {
    let policy = operator(
        r#"@id("closed") @reason("Closed for the move.")
           forbid (principal, action, resource == Kind::"vehicle") when { context.level < 3 };"#,
    )
    .unwrap();
    assert_eq!(
        policy.decide(&own_vehicle()),
        forbidden_by(&["night.cedar:closed"])
    );
    assert_eq!(
        policy.decide(&Question {
            level: Level::L3,
            ..own_vehicle()
        }),
        Decision::Permit
    );
    let licence = Question {
        kind: "driving-licence".into(),
        ..own_vehicle()
    };
    assert_eq!(policy.decide(&licence), Decision::Permit);
    let listed: Vec<_> = policy
        .rules()
        .iter()
        .filter(|r| r.name == "night.cedar:closed")
        .collect();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].forbids && listed[0].reason == "Closed for the move.");
}

#[test]
fn a_rule_that_fails_refuses() {
    // It is well typed, so no validator objects; its sum overflows only when it is evaluated. Cedar skips such a
    // rule, and would permit what it was meant to forbid.
    let policy = operator(
        r#"@id("overflow") @reason("r") forbid (principal, action, resource)
           when { context.level + 9223372036854775806 < 0 };"#,
    )
    .unwrap();
    assert_eq!(
        policy.decide(&own_vehicle()),
        forbidden_by(&[DIAGNOSTIC, "night.cedar:overflow"])
    );
}

#[test]
fn strangers_meet_silence() {
    let policy = Policy::new(&shipped_kinds(), &[]).unwrap();
    let other = Question {
        relation: Relation::Other,
        ..own_vehicle()
    };
    assert_eq!(policy.decide(&other), forbidden_by(&[NOTHING_PERMITS]));
    let unknown = Question {
        kind: "no-such-kind".into(),
        ..own_vehicle()
    };
    assert_eq!(
        policy.decide(&unknown),
        forbidden_by(&["mode-not-of-kind", "purpose-not-of-kind"])
    );
    let odd = Question {
        kind: "\"; permit (principal, action, resource);".into(),
        ..own_vehicle()
    };
    assert_ne!(policy.decide(&odd), Decision::Permit);
}

#[test]
fn too_much_is_refused() {
    let long = format!("// {}", "x".repeat(64 * 1024));
    assert!(operator(&long).err().unwrap().problem.contains("at most 65536"));
    let rule = |i: usize| {
        format!(
            "@id(\"r-{i}\") @reason(\"r\") forbid (principal, action, resource) when {{ context.reveal }};\n"
        )
    };
    let many: String = (0..513).map(rule).collect();
    assert!(operator(&many).err().unwrap().problem.contains("at most 512"));
}

#[test]
fn the_version_changes_with_every_text() {
    let kinds = shipped_kinds();
    let rule = r#"@id("x") @reason("r") forbid (principal, action, resource) when { context.reveal };"#;
    let file = |name: &str, text: &str| vec![RuleFile::new(name, text)];
    let mut changed_base = base_rules();
    changed_base[0].text.push_str("// a remark\n");
    let version = |p: Result<Policy, PolicyError>| p.unwrap().version();
    let versions = [
        version(Policy::new(&kinds, &[])),
        version(Policy::new(&kinds, &file("a", rule))),
        version(Policy::new(&kinds, &file("b", rule))),
        version(Policy::new(&kinds, &file("a", &format!("{rule} ")))),
        version(Policy::with_base(&changed_base, &kinds, &[])),
        version(Policy::new(&kinds_with_vehicle_rules("// none\n"), &[])),
    ];
    assert_eq!(BTreeSet::from(versions).len(), versions.len());
    assert_eq!(version(Policy::new(&kinds, &[])), versions[0]);
    let [a, b] = [RuleFile::new("a", rule), RuleFile::new("b", rule)];
    let both = version(Policy::new(&kinds, &[a.clone(), b.clone()]));
    assert_eq!(
        both,
        version(Policy::new(&kinds, &[b, a])),
        "the order of files means nothing"
    );
}

#[test]
fn every_file_of_rules_is_embedded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let on_disk: BTreeSet<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "cedar"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    let embedded: BTreeSet<_> = base_rules().into_iter().map(|f| (f.name, f.text)).collect();
    assert_eq!(on_disk, embedded);
}

#[test]
fn the_schema_has_the_words_of_the_code() {
    // A word that the code has and the schema lacks would be a diagnostic, and so a refusal, at the first question.
    let schema = include_str!("../../../../policies/schema.cedarschema");
    let words = |name: &str| -> BTreeSet<String> {
        let list = schema.split(&format!("entity {name} enum [")).nth(1).unwrap();
        list.split(']')
            .next()
            .unwrap()
            .split(',')
            .map(|w| w.trim().trim_matches('"').to_owned())
            .collect()
    };
    let codes = |codes: &[&str]| -> BTreeSet<String> { codes.iter().map(|c| (*c).to_owned()).collect() };
    macro_rules! same {
        ($name:literal, $of:ty) => {
            assert_eq!(
                words($name),
                codes(&<$of>::ALL.iter().map(|v| v.code()).collect::<Vec<_>>())
            );
        };
    }
    same!("Role", Role);
    same!("Relation", Relation);
    same!("Classification", Classification);
    same!("Describes", Describes);
    same!("Basis", LegalBasis);
    same!("Mode", Mode);
}

#[test]
fn it_is_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Policy>();
}
