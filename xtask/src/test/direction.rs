//! Who may depend on whom. What is not allowed here does not build in CI, so that the layers stay layers.

use std::collections::BTreeSet;

use super::dependencies::{Metadata, Package};

/// Each crate and what it may depend on among ours.
const MAY_DEPEND_ON: [(&str, &[&str]); 9] = [
    ("domain", &[]),
    ("ledger", &[]),
    ("crypto", &[]),
    ("policy", &["domain"]),
    ("store", &["domain", "ledger", "crypto"]),
    ("sources", &["domain", "crypto"]),
    ("sandbox", &["domain", "crypto"]),
    (
        "gateway",
        &[
            "domain", "ledger", "crypto", "policy", "store", "sources", "sandbox",
        ],
    ),
    ("xtask", &["ledger", "crypto"]),
];

/// Crates that stay mathematics and plain types: nothing that reaches outside is below them.
const PURE: [&str; 3] = ["domain", "ledger", "crypto"];

/// What reaches outside: runtimes, servers, clients, databases.
const REACHES_OUTSIDE: [&str; 10] = [
    "tokio",
    "axum",
    "hyper",
    "hyper-util",
    "reqwest",
    "ureq",
    "rusqlite",
    "tokio-postgres",
    "deadpool-postgres",
    "sqlx",
];

/// Checks every crate of ours.
///
/// # Errors
/// Names each dependency that may not be.
pub(crate) fn check(metadata: &Metadata) -> Result<(), String> {
    let ours: BTreeSet<&str> = metadata.ours().map(|p| p.name.as_str()).collect();
    let mut problems = vec![];
    for package in metadata.ours() {
        problems.extend(wrong_among_ours(metadata, package, &ours));
        problems.extend(reaches_outside(metadata, package));
    }
    for (name, _) in MAY_DEPEND_ON.iter().filter(|(name, _)| !ours.contains(name)) {
        problems.push(format!("{name} has a rule and does not exist"));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("; "))
    }
}

fn wrong_among_ours(metadata: &Metadata, package: &Package, ours: &BTreeSet<&str>) -> Vec<String> {
    let name = package.name.as_str();
    let Some((_, allowed)) = MAY_DEPEND_ON.iter().find(|(n, _)| *n == name) else {
        return vec![format!(
            "{name} has no rule; give it one in xtask/src/test/direction.rs"
        )];
    };
    let needed = package
        .normal
        .iter()
        .chain(&package.dev)
        .map(|id| metadata.name(id));
    // A crate's own tests may ask for one of its features: that is no dependency.
    let wrong = needed.filter(|n| ours.contains(n) && *n != name && !allowed.contains(n));
    wrong.map(|n| format!("{name} may not depend on {n}")).collect()
}

fn reaches_outside(metadata: &Metadata, package: &Package) -> Vec<String> {
    if !PURE.contains(&package.name.as_str()) {
        return vec![];
    }
    let below = metadata.closure(package.normal.iter().cloned(), |_| false);
    let names = below.iter().map(|id| metadata.name(id));
    let wrong = names.filter(|n| REACHES_OUTSIDE.contains(n));
    wrong
        .map(|n| format!("{} may not have {n} below it", package.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::dependencies::parse;

    /// Metadata with all our crates, of which `from` depends on `to`, which comes from elsewhere if `foreign`.
    fn with(from: &str, to: &str, foreign: bool) -> Metadata {
        let mut names: Vec<&str> = MAY_DEPEND_ON.iter().map(|(n, _)| *n).collect();
        if foreign {
            names.push(to);
        }
        let source = |n: &str| {
            if foreign && n == to {
                "\"registry\""
            } else {
                "null"
            }
        };
        let package = |n: &&str| {
            format!(
                r#"{{"id":"{n}","name":"{n}","version":"1.0.0","source":{}}}"#,
                source(n)
            )
        };
        let node = |n: &&str| {
            let needed = if *n == from {
                format!(r#"{{"pkg":"{to}","dep_kinds":[{{"kind":null}}]}}"#)
            } else {
                String::new()
            };
            format!(r#"{{"id":"{n}","deps":[{needed}]}}"#)
        };
        let packages = names.iter().map(package).collect::<Vec<_>>().join(",");
        let nodes = names.iter().map(node).collect::<Vec<_>>().join(",");
        parse(&format!(
            r#"{{"packages":[{packages}],"resolve":{{"nodes":[{nodes}]}}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn what_may_be_is_not_told_and_what_may_not_be_is() {
        for (from, to, foreign, fine) in [
            ("gateway", "store", false, true),
            ("store", "ledger", false, true),
            ("ledger", "sha2", true, true),
            ("sources", "tokio", true, true),
            ("domain", "ledger", false, false),
            ("policy", "store", false, false),
            ("sandbox", "sources", false, false),
            ("store", "gateway", false, false),
            ("crypto", "tokio", true, false),
            ("ledger", "rusqlite", true, false),
        ] {
            let told = check(&with(from, to, foreign));
            assert_eq!(told.is_ok(), fine, "{from} → {to}: {told:?}");
        }
    }

    #[test]
    fn a_crate_without_a_rule_is_told() {
        let json = r#"{"packages":[{"id":"x","name":"x","source":null}],"resolve":{"nodes":[{"id":"x","deps":[]}]}}"#;
        let told = check(&parse(json).unwrap()).unwrap_err();
        assert!(told.contains("x has no rule"), "{told}");
    }
}
