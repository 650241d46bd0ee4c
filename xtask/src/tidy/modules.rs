//! Every file of Rust is compiled: from each root of a crate, `mod` by `mod`, all of its files are reached.

use std::collections::BTreeSet;

use super::{Problem, Tree};

/// Files that no `mod` leads to.
pub(super) fn reachable(tree: &Tree) -> Vec<Problem> {
    let mut reached = BTreeSet::new();
    for file in tree.with("rs").filter(|f| is_root(tree, &f.path)) {
        reach(tree, &file.path, true, &mut reached);
    }
    let dead = tree.with("rs").filter(|f| !reached.contains(&f.path));
    dead.map(|f| Problem::in_file(&f.path, "no mod leads to it, so nobody compiles it"))
        .collect()
}

/// What cargo itself compiles: libraries, programs, tests and examples, each a file or a folder with a main file.
fn is_root(tree: &Tree, path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    // A package is where its manifest is.
    let package = (1..parts.len()).rev().find(|n| {
        tree.file(&format!("{}/Cargo.toml", parts[..*n].join("/")))
            .is_some()
    });
    let Some(package) = package else { return false };
    matches!(
        parts[package..],
        ["build.rs"]
            | ["src", "lib.rs" | "main.rs"]
            | ["src", "bin", _]
            | ["src", "bin", _, "main.rs"]
            | ["tests" | "examples" | "benches", _]
            | ["tests" | "examples" | "benches", _, "main.rs"]
    )
}

fn reach(tree: &Tree, path: &str, is_root: bool, reached: &mut BTreeSet<String>) {
    let Some(file) = tree.file(path) else { return };
    if !reached.insert(path.to_owned()) {
        return;
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let below = if is_root || name == "mod.rs" {
        folder.to_owned()
    } else {
        format!("{folder}/{}", name.trim_end_matches(".rs"))
    };
    let mut named = None;
    for (_, line) in file.lines() {
        let line = line.trim();
        if let Some(at) = line
            .strip_prefix("#[path = \"")
            .and_then(|p| p.strip_suffix("\"]"))
        {
            named = Some(format!("{folder}/{at}"));
            continue;
        }
        let Some(module) = declared(line) else {
            // Other attributes may stand between a path and its module.
            if !line.starts_with("#[") {
                named = None;
            }
            continue;
        };
        let places = match named.take() {
            Some(place) => vec![without_dots(&place)],
            None => vec![format!("{below}/{module}.rs"), format!("{below}/{module}/mod.rs")],
        };
        for place in places {
            // A file that a path names keeps its modules beside it, as a mod.rs does.
            let like_root = place.ends_with("/mod.rs");
            reach(tree, &place, like_root, reached);
        }
    }
}

/// The module that a line declares in a file of its own.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_prefix("#[cfg(test)] ").unwrap_or(line);
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.trim_start(),
        None => line,
    };
    line.strip_prefix("mod ")?.strip_suffix(';')
}

fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = vec![];
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            other => parts.push(other),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_mod_leads_to_is_told() {
        let tree = Tree::of(&[
            ("crates/x/Cargo.toml", ""),
            (
                "crates/x/src/lib.rs",
                "mod a;\npub(crate) mod b;\nmod inline {\n}\n// mod dead;\n",
            ),
            ("crates/x/src/a.rs", "pub mod deep;\n"),
            ("crates/x/src/a/deep.rs", ""),
            ("crates/x/src/b/mod.rs", "#[cfg(test)]\nmod c;\n"),
            ("crates/x/src/b/c.rs", ""),
            ("crates/x/src/dead.rs", ""),
            (
                "crates/x/examples/e.rs",
                "#[path = \"../tests/support/mod.rs\"]\n#[expect(x)]\nmod support;\n",
            ),
            ("crates/x/tests/suite/main.rs", "mod one;\n"),
            ("crates/x/tests/suite/one.rs", ""),
            ("crates/x/tests/suite/two.rs", ""),
            ("crates/x/tests/support/mod.rs", "mod part;\n"),
            ("crates/x/tests/support/part.rs", ""),
        ]);
        let told: Vec<String> = reachable(&tree).into_iter().map(|p| p.file).collect();
        assert_eq!(told, ["crates/x/src/dead.rs", "crates/x/tests/suite/two.rs"]);
    }
}
