//! Every key of the configuration is described in the handbook of operations, with its default where it has a number
//! for one; every metric is; and the handbook names no other.

use std::collections::{BTreeMap, BTreeSet};

use super::{Problem, Tree, tree::File};

const CODE: &str = "crates/gateway/src/config.rs";
const HANDBOOK: &str = "docs/operations.md";
/// The heading of the handbook under which tables list the keys, one row each, the key first.
const HEADING: &str = "## Configuration";

/// Keys without a description, and descriptions without a key.
pub(super) fn documented(tree: &Tree) -> Vec<Problem> {
    let (Some(code), Some(handbook)) = (tree.file(CODE), tree.file(HANDBOOK)) else {
        return vec![Problem::in_file(HANDBOOK, format!("is missing, or {CODE} is"))];
    };
    let keys = keys(code);
    let described = described(handbook);
    if keys.is_empty() {
        return vec![Problem::in_file(CODE, "has no struct Config with public keys")];
    }
    let missing = keys.iter().filter(|k| !described.contains_key(*k));
    let missing = missing.map(|k| Problem::in_file(HANDBOOK, format!("does not describe the key `{k}`")));
    let unknown = described.iter().filter(|(k, _)| !keys.contains(*k));
    let defaults = defaults(code).into_iter().filter_map(|(key, number)| {
        let row = described.get(&key)?;
        let (_, text) = handbook.lines().find(|(n, _)| n == row)?;
        let told = text.split([' ', '.', ';', '|']).any(|word| word == number);
        (!told).then(|| {
            Problem::at(
                HANDBOOK,
                *row,
                format!("does not say that `{key}` is {number} by default"),
            )
        })
    });
    missing
        .chain(unknown.map(|(k, n)| Problem::at(HANDBOOK, *n, format!("`{k}` is no key of {CODE}"))))
        .chain(defaults)
        .collect()
}

/// The keys as an operator writes them: `limits.codes_per_day`.
fn keys(code: &File) -> BTreeSet<String> {
    let structs = structs(code);
    let mut keys = BTreeSet::new();
    let mut next = vec![(String::new(), "Config".to_owned())];
    while let Some((prefix, name)) = next.pop() {
        for (field, of) in structs.get(name.as_str()).into_iter().flatten() {
            let key = format!("{prefix}{field}");
            let inner = structs
                .keys()
                .find(|s| of.split(|c: char| !c.is_alphanumeric()).any(|word| word == **s));
            match inner {
                Some(inner) => next.push((format!("{key}."), (*inner).to_owned())),
                None => drop(keys.insert(key)),
            }
        }
    }
    keys
}

/// The numbers that `impl Default` of a part of the configuration gives, as people write them: `50,000`.
fn defaults(code: &File) -> Vec<(String, String)> {
    let mut defaults = vec![];
    let mut inside = None;
    for (_, line) in code.lines() {
        if let Some(name) = line
            .strip_prefix("impl Default for ")
            .and_then(|l| l.strip_suffix(" {"))
        {
            inside = Some(name.to_lowercase());
        } else if line == "}" {
            inside = None;
        } else if let (Some(part), Some((field, value))) = (&inside, line.trim().split_once(": "))
            && let Ok(number) = value.trim_end_matches(',').replace('_', "").parse::<u64>()
        {
            defaults.push((format!("{part}.{field}"), grouped(number)));
        }
    }
    defaults
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let is_start = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    let with_comma = |(at, digit): (usize, char)| {
        if is_start(at) {
            format!(",{digit}")
        } else {
            digit.to_string()
        }
    };
    digits.chars().enumerate().map(with_comma).collect()
}

/// Metrics that the handbook does not have, and those that only the handbook has.
pub(super) fn metrics(tree: &Tree) -> Vec<Problem> {
    let Some(handbook) = tree.file(HANDBOOK) else {
        return vec![Problem::in_file(HANDBOOK, "is missing")];
    };
    let sources = tree
        .with("rs")
        .filter(|f| f.path.starts_with("crates/") && f.path.contains("/src/"));
    let counted: BTreeSet<&str> = sources
        .flat_map(|f| f.text.split("!(\"mingcha_").skip(1))
        .filter_map(name)
        .collect();
    let described: BTreeSet<&str> = handbook
        .text
        .split("| `mingcha_")
        .skip(1)
        .filter_map(name)
        .collect();
    let missing = counted
        .difference(&described)
        .map(|m| format!("does not describe the metric mingcha_{m}"));
    let unknown = described
        .difference(&counted)
        .map(|m| format!("mingcha_{m} is counted nowhere"));
    missing
        .chain(unknown)
        .map(|what| Problem::in_file(HANDBOOK, what))
        .collect()
}

fn name(after: &str) -> Option<&str> {
    after
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .next()
        .filter(|name| !name.is_empty())
}

/// Every struct with public fields, with each field's name and type.
fn structs(code: &File) -> BTreeMap<&str, Vec<(&str, &str)>> {
    let mut structs: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    let mut inside = None;
    for (_, line) in code.lines() {
        if let Some(name) = line
            .strip_prefix("pub struct ")
            .and_then(|l| l.strip_suffix(" {"))
        {
            structs.insert(name, vec![]);
            inside = Some(name);
        } else if line == "}" {
            inside = None;
        } else if let Some((field, of)) = line.trim().strip_prefix("pub ").and_then(|l| l.split_once(": "))
            && let Some(fields) = inside.and_then(|name| structs.get_mut(name))
        {
            fields.push((field, of));
        }
    }
    structs
}

fn described(handbook: &File) -> BTreeMap<String, usize> {
    let section = handbook.lines().skip_while(|(_, line)| *line != HEADING).skip(1);
    let section = section.take_while(|(_, line)| !line.starts_with("## "));
    let rows = section.filter_map(|(n, line)| Some((n, line.strip_prefix("| `")?.split_once('`')?.0)));
    rows.map(|(n, key)| (key.to_owned(), n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_descriptions_are_the_same() {
        let code = "pub struct Config {\n    pub name: String,\n    pub limits: Limits,\n    pub sms: Option<Sms>,\n}\n\
                    pub struct Limits {\n    pub per_day: u32,\n}\npub struct Sms {\n    pub url: String,\n}\n\
                    pub struct Other {\n    pub no_key: u32,\n}\n";
        let told = |rows: &str| {
            let handbook =
                format!("# Operations\n| `before` |\n## Configuration\n{rows}## Keys\n| `after` |\n");
            let problems = documented(&Tree::of(&[(CODE, code), (HANDBOOK, &handbook)]));
            problems.into_iter().map(|p| p.what).collect::<Vec<_>>()
        };
        assert!(told("| `name` | x |\n| `limits.per_day` | x |\n| `sms.url` | x |\n").is_empty());
        assert_eq!(
            told("| `name` | x |\n| `sms.url` | x |\n"),
            ["does not describe the key `limits.per_day`"]
        );
        let unknown = told("| `name` |\n| `limits.per_day` |\n| `sms.url` |\n| `gone` |\n");
        assert_eq!(unknown, [format!("`gone` is no key of {CODE}")]);
    }

    #[test]
    fn defaults_are_said_as_they_are() {
        let code = "pub struct Config {\n    pub limits: Limits,\n}\npub struct Limits {\n    pub per_day: u32,\n}\n\
                    impl Default for Limits {\n        Limits { }\n            per_day: 50_000,\n}\n";
        let told = |row: &str| {
            let handbook = format!("## Configuration\n| `limits.per_day` | so many a day{row} |\n");
            documented(&Tree::of(&[(CODE, code), (HANDBOOK, &handbook)])).len()
        };
        assert_eq!(
            (
                told("; 50,000"),
                told("; 50,000. No more"),
                told("; 5,000"),
                told("")
            ),
            (0, 0, 1, 1)
        );
        assert_eq!(
            [grouped(5), grouped(800), grouped(1000), grouped(1_234_567)],
            ["5", "800", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn metrics_are_the_same_in_code_and_handbook() {
        let told = |handbook: &str| {
            let code = "counter!(\"mingcha_a_total\", \"x\" => y)";
            metrics(&Tree::of(&[("crates/x/src/a.rs", code), (HANDBOOK, handbook)])).len()
        };
        assert_eq!(told("| `mingcha_a_total` | `x` |\n"), 0);
        assert_eq!(told("| `mingcha_b_total` | `x` |\n"), 2);
    }
}
