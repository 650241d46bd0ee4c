//! docs/sandbox.md tells integrators of every path, persona and code.

use sandbox::{Authority, personas};

const PAGE: &str = include_str!("../../../docs/sandbox.md");

#[test]
fn every_persona_is_listed_with_what_they_are_good_for() {
    for who in personas() {
        let line = format!("| `{}` | {} | {} |", who.id, who.name, who.about.en);
        assert!(PAGE.contains(&line), "docs/sandbox.md lacks: {line}");
    }
    assert_eq!(
        PAGE.lines()
            .filter(|line| line.starts_with("| `") && line.ends_with(". |"))
            .count(),
        personas().len()
    );
}

#[test]
fn every_authority_and_path_is_described() {
    for authority in Authority::ALL {
        assert!(
            PAGE.contains(&format!("\n### {}\n", authority.slug())),
            "{authority:?}"
        );
    }
    for path in [
        "vehicle/query",
        "vehicle/list",
        "vehicle/violations",
        "vehicle/insurance",
        "licence/query",
        "driver/violations",
        "evidence/query",
        "review/submit",
        "review/query",
        "identity/match",
        "identity/portrait",
        "holder/match",
        "marriage/query",
        "policy/query",
        "record/query",
    ] {
        assert!(PAGE.contains(&format!("\n**`{path}`**")), "{path}");
    }
}
