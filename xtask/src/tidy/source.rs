//! What every file of Rust keeps to: its purpose on top, its length, nothing unfinished, no unexplained unwrap.

use super::{Problem, Tree, tree::File};

/// Longer files are told.
const SOFT: usize = 400;
/// Longer files fail.
const HARD: usize = 800;

/// Written apart, so that this file does not find itself.
const UNFINISHED: [(&str, &str); 9] = [
    (
        concat!("#[", "allow"),
        "write #[expect(lint, reason = \"...\")] instead",
    ),
    (
        concat!("#![", "allow"),
        "write #![expect(lint, reason = \"...\")] instead",
    ),
    (concat!("to", "do!"), "finish it"),
    (concat!("unimple", "mented!"), "finish it"),
    (concat!("d", "bg!("), "remove it"),
    (concat!("#[", "ignore"), "a test runs or goes"),
    (concat!("FIX", "ME"), "mend it, or say in docs what is left"),
    (concat!("TO", "DO"), "do it, or say in docs what is left"),
    (concat!("XX", "X"), "mend it, or say in docs what is left"),
];

/// Every file of Rust starts with what it is for.
pub(super) fn purpose(tree: &Tree) -> Vec<Problem> {
    let without = tree
        .with("rs")
        .filter(|f| !f.text.trim_start_matches("#!").starts_with("//! "));
    without
        .map(|f| Problem::at(&f.path, 1, "starts without `//!` and what the file is for"))
        .collect()
}

/// No file is too long to be read.
pub(super) fn length(tree: &Tree) -> Vec<Problem> {
    let too_long = tree.with("rs").filter(|f| f.text.lines().count() > HARD);
    too_long
        .map(|f| Problem::in_file(&f.path, format!("has {} lines", f.text.lines().count())))
        .collect()
}

/// Files that grow too long.
pub(super) fn long(tree: &Tree) -> Vec<String> {
    let counted = tree.with("rs").map(|f| (f.text.lines().count(), &f.path));
    counted
        .filter(|(n, _)| *n > SOFT)
        .map(|(n, path)| format!("{path} has {n} lines; {SOFT} is the aim"))
        .collect()
}

/// Nothing is left unfinished, switched off or silenced.
pub(super) fn unfinished(tree: &Tree) -> Vec<Problem> {
    let mut problems = vec![];
    for file in tree.with("rs") {
        for (n, line) in file.lines() {
            let found = UNFINISHED.iter().filter(|(word, _)| line.contains(word));
            problems
                .extend(found.map(|(word, advice)| Problem::at(&file.path, n, format!("{word}: {advice}"))));
        }
    }
    problems
}

/// Outside tests, an unwrap stands with the invariant that it relies on, on its line or the one above.
pub(super) fn unwraps(tree: &Tree) -> Vec<Problem> {
    let sources = tree.with("rs").filter(|f| is_source(f));
    sources
        .flat_map(|f| {
            unexplained(f)
                .into_iter()
                .map(|(n, l)| Problem::at(&f.path, n, l))
        })
        .collect()
}

/// What is compiled into the program. xtask, the tests and what only they use may panic.
fn is_source(file: &File) -> bool {
    let source = file.path.starts_with("crates/") && file.path.contains("/src/");
    let tests = ["/testing.rs", "/tests.rs"]
        .iter()
        .any(|end| file.path.ends_with(end));
    source && !tests && !file.path.contains("/tests/")
}

fn unexplained(file: &File) -> Vec<(usize, String)> {
    let mut found = vec![];
    let mut above = "";
    for (n, line) in file.lines() {
        // Tests stand at the end of a file.
        if line.trim() == "mod tests {" {
            break;
        }
        let unwraps = [".unwrap()", ".expect(", ".unwrap_err()"]
            .iter()
            .any(|word| line.contains(word));
        let is_comment = line.trim_start().starts_with("//");
        if unwraps && !is_comment && !line.contains("INVARIANT:") && !above.contains("INVARIANT:") {
            found.push((n, "panics without `// INVARIANT:` and why it cannot".to_owned()));
        }
        above = line;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Tree {
        Tree::of(&[("crates/x/src/a.rs", text)])
    }

    #[test]
    fn a_file_without_a_purpose_is_told() {
        assert!(purpose(&tree("//! What it is for.\n")).is_empty());
        assert_eq!(purpose(&tree("use std::fs;\n")).len(), 1);
        assert_eq!(purpose(&tree("")).len(), 1);
        assert_eq!(purpose(&tree("//!\n")).len(), 1);
    }

    #[test]
    fn lengths_have_a_soft_and_a_hard_bound() {
        let lines = |n| tree(&"x\n".repeat(n));
        assert_eq!((long(&lines(400)).len(), long(&lines(401)).len()), (0, 1));
        assert_eq!((length(&lines(800)).len(), length(&lines(801)).len()), (0, 1));
    }

    #[test]
    fn each_unfinished_thing_is_told() {
        for (word, _) in UNFINISHED {
            assert_eq!(
                unfinished(&tree(&format!("let x = 1; {word}\n"))).len(),
                1,
                "{word}"
            );
        }
        assert!(unfinished(&tree("#[expect(lint, reason = \"why\")]\n")).is_empty());
    }

    #[test]
    fn an_unwrap_needs_its_invariant() {
        for (text, told) in [
            ("a.unwrap();", 1),
            ("a.expect(\"b\");", 1),
            ("a.expect(\n\"b\",\n);", 1),
            ("a.unwrap(); // INVARIANT: it is one", 0),
            ("// INVARIANT: it is one\na.unwrap();", 0),
            ("mod tests {\na.unwrap();", 0),
            ("/// a.unwrap()", 0),
        ] {
            assert_eq!(unwraps(&tree(text)).len(), told, "{text}");
        }
    }
}
