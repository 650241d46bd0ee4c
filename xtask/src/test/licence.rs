//! The part of `deny.toml` that needs no tool and no network: licences, where packages come from, and doubles.
//!
//! `cargo deny check` reads the same file and besides asks for advisories; it is for machines that have it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use toml::Table;

use super::dependencies::{Metadata, Package};
use crate::run;

/// Checks every package of the lock file against `deny.toml`.
///
/// # Errors
/// Names each package and what is wrong with it.
pub(crate) fn check(metadata: &Metadata) -> Result<(), String> {
    let file = run::root().join("deny.toml");
    let text = fs::read_to_string(&file).map_err(|e| format!("deny.toml: {e}"))?;
    let problems = problems(metadata, &Rules::parse(&text)?);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join("; "))
    }
}

/// An exception and why it is one.
struct Skip {
    name: String,
    version: String,
}

struct Rules {
    allowed: BTreeSet<String>,
    skips: Vec<Skip>,
    skipped_trees: Vec<Skip>,
}

impl Rules {
    fn parse(text: &str) -> Result<Self, String> {
        let file: Table = text.parse().map_err(|e| format!("deny.toml: {e}"))?;
        let allowed = file
            .get("licenses")
            .and_then(|l| l.get("allow"))
            .and_then(|a| a.as_array());
        let allowed = allowed.ok_or("deny.toml: licenses.allow is missing")?;
        Ok(Rules {
            allowed: allowed
                .iter()
                .filter_map(|l| l.as_str())
                .map(str::to_owned)
                .collect(),
            skips: skips(&file, "skip")?,
            skipped_trees: skips(&file, "skip-tree")?,
        })
    }
}

fn skips(file: &Table, key: &str) -> Result<Vec<Skip>, String> {
    let listed = file
        .get("bans")
        .and_then(|b| b.get(key))
        .and_then(|s| s.as_array());
    let mut skips = vec![];
    for entry in listed.into_iter().flatten() {
        let word = |name: &str| entry.get(name).and_then(|w| w.as_str()).unwrap_or_default();
        let (name, version) = word("crate").split_once('@').unwrap_or((word("crate"), ""));
        if name.is_empty() || word("reason").is_empty() {
            return Err(format!(
                "deny.toml: every {key} names a crate and a reason: {entry}"
            ));
        }
        skips.push(Skip {
            name: name.to_owned(),
            version: version.to_owned(),
        });
    }
    Ok(skips)
}

impl Skip {
    /// `0.21` skips 0.21.7 and not 0.210.0.
    fn covers(&self, package: &Package) -> bool {
        let rest = package.version.strip_prefix(&self.version);
        self.name == package.name
            && (self.version.is_empty() || rest.is_some_and(|r| r.is_empty() || r.starts_with(['.', '-'])))
    }
}

fn problems(metadata: &Metadata, rules: &Rules) -> Vec<String> {
    let mut problems = vec![];
    for package in metadata.packages.values().filter(|p| !p.source.is_empty()) {
        if !permitted(&package.licence, &rules.allowed) {
            problems.push(format!(
                "{} has the licence \"{}\"",
                package.name, package.licence
            ));
        }
        if !package.source.starts_with("registry+") {
            problems.push(format!("{} comes from {}", package.name, package.source));
        }
    }
    problems.extend(doubles(metadata, rules));
    problems
}

/// Packages of which two versions are built, besides those that are skipped; and skips that skip nothing.
fn doubles(metadata: &Metadata, rules: &Rules) -> Vec<String> {
    let ours = metadata
        .ours()
        .flat_map(|p| p.normal.iter().chain(&p.dev))
        .cloned();
    let is_skipped = |p: &Package| rules.skipped_trees.iter().any(|s| s.covers(p));
    let built = metadata.closure(ours, is_skipped);
    let mut versions: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for package in built.iter().filter_map(|id| metadata.packages.get(id)) {
        versions.entry(&package.name).or_default().push(package);
    }
    let mut problems = vec![];
    let mut used = BTreeSet::new();
    for (name, packages) in versions {
        let doubled = packages.len() > 1;
        let skip_of = |p: &Package| rules.skips.iter().position(|s| s.covers(p));
        if doubled {
            used.extend(packages.iter().filter_map(|p| skip_of(p)));
        }
        let left: Vec<&str> = packages
            .iter()
            .filter(|p| skip_of(p).is_none())
            .map(|p| p.version.as_str())
            .collect();
        if doubled && left.len() > 1 {
            problems.push(format!("{name} is built in versions {}", left.join(" and ")));
        }
    }
    let unused = rules.skips.iter().enumerate().filter(|(i, _)| !used.contains(i));
    problems.extend(
        unused.map(|(_, s)| format!("deny.toml: {}@{} is skipped and is no double", s.name, s.version)),
    );
    problems
}

/// Whether a licence expression can be met by allowed licences alone. `/` is the old way to write `OR`.
fn permitted(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    // An exception belongs to its licence: "Apache-2.0 WITH LLVM-exception" is one word.
    let joined = spaced.replace(" WITH ", "+WITH+");
    let words: Vec<&str> = joined.split_whitespace().collect();
    let mut at = 0;
    let fine = either(&words, &mut at, allowed);
    fine && at == words.len()
}

fn either(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut fine = both(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        fine |= both(words, at, allowed);
    }
    fine
}

fn both(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut fine = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        fine &= one(words, at, allowed);
    }
    fine
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let word = words.get(*at).copied().unwrap_or_default();
    *at += 1;
    if word != "(" {
        return allowed.contains(&word.replace("+WITH+", " WITH "));
    }
    let fine = either(words, at, allowed);
    let closed = words.get(*at) == Some(&")");
    *at += 1;
    fine && closed
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        licenses.allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
        bans.skip = [{ crate = "a@1", reason = "old" }]
    "#;

    /// These packages, and one of ours that needs them all.
    fn metadata(packages: &[(&str, &str, &str, &str)]) -> Metadata {
        let of = |(name, version, licence, source): &(&str, &str, &str, &str)| {
            let package = Package {
                name: (*name).to_owned(),
                version: (*version).to_owned(),
                licence: (*licence).to_owned(),
                source: (*source).to_owned(),
                ..Package::default()
            };
            (format!("{name}@{version}"), package)
        };
        let mut all: BTreeMap<String, Package> = packages.iter().map(of).collect();
        let ours = Package {
            name: "ours".to_owned(),
            normal: all.keys().cloned().collect(),
            ..Package::default()
        };
        all.insert("ours".to_owned(), ours);
        Metadata { packages: all }
    }

    #[test]
    fn licences_are_met_or_not() {
        let allowed = Rules::parse(RULES).unwrap().allowed;
        for (expression, fine) in [
            ("MIT", true),
            ("MIT OR GPL-3.0", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0 OR AGPL-3.0", false),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR GPL-3.0) AND Apache-2.0", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0 WITH Other-exception", false),
            ("(MIT", false),
            ("", false),
        ] {
            assert_eq!(permitted(expression, &allowed), fine, "{expression}");
        }
    }

    #[test]
    fn doubles_strangers_and_needless_skips_are_told() {
        let rules = Rules::parse(RULES).unwrap();
        let registry = "registry+https://example.test";
        let told = |packages: &[_]| problems(&metadata(packages), &rules).join("; ");
        let (one, two) = (("a", "1.2.0", "MIT", registry), ("a", "2.0.0", "MIT", registry));
        assert_eq!(told(&[one, two]), "");
        assert!(told(&[one]).contains("a@1 is skipped and is no double"));
        assert!(
            told(&[one, two, ("a", "3.0.0", "MIT", registry)])
                .contains("a is built in versions 2.0.0 and 3.0.0")
        );
        assert!(
            told(&[one, two, ("b", "1.0.0", "MIT", "git+https://example.test")]).contains("b comes from git")
        );
        assert!(told(&[one, two, ("c", "1.0.0", "GPL-3.0", registry)]).contains("c has the licence"));
    }

    #[test]
    fn a_skip_without_a_reason_is_refused() {
        let rules = "licenses.allow = []\nbans.skip = [{ crate = \"a@1\" }]";
        assert!(Rules::parse(rules).is_err());
    }
}
