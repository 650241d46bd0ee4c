//! Documents do not drift: what is there is named in ARCHITECTURE.md, and what a document names is there.

use super::{Problem, Tree, tree::File};

const MAP: &str = "ARCHITECTURE.md";
/// Folders of which every part is named in the map.
const NAMED: [&str; 2] = ["crates", "kinds"];
/// Where a path in a document begins, if it is one of ours.
const OURS: [&str; 7] = [
    "crates/",
    "kinds/",
    "policies/",
    "docs/",
    "xtask/",
    ".ci/",
    ".cargo/",
];

/// Every crate and every kind stands in the map.
pub(super) fn everything_is_named(tree: &Tree) -> Vec<Problem> {
    let Some(map) = tree.file(MAP) else {
        return vec![Problem::in_file(MAP, "is missing")];
    };
    let mut problems = vec![];
    for parent in NAMED {
        for name in tree.folders(parent) {
            let path = format!("{parent}/{name}");
            if !code_spans(map).any(|(_, span)| span == path || span.starts_with(&format!("{path}/"))) {
                problems.push(Problem::in_file(MAP, format!("does not name `{path}`")));
            }
        }
    }
    problems
}

/// Every path of ours in a document exists, and so does the function that stands behind `::`. What holds `<name>`,
/// `*` or `...` is a pattern and not looked up.
pub(super) fn everything_named_exists(tree: &Tree) -> Vec<Problem> {
    let mut problems = vec![];
    for file in tree.with("md") {
        for (line, span) in code_spans(file) {
            let path = span.split([' ', ':', '#']).next().unwrap_or_default();
            let is_pattern = path.contains(['<', '*', '{', '$']) || path.contains("...");
            let is_ours = OURS.iter().any(|prefix| path.starts_with(prefix));
            if !is_ours || is_pattern {
                continue;
            }
            let function = span.strip_prefix(path).and_then(|rest| rest.strip_prefix("::"));
            let has_it = |name: &str| {
                tree.file(path)
                    .is_some_and(|f| f.text.contains(&format!("fn {name}(")))
            };
            if !tree.has(path) {
                problems.push(Problem::at(&file.path, line, format!("`{path}` does not exist")));
            } else if let Some(name) = function.filter(|name| !has_it(name)) {
                problems.push(Problem::at(
                    &file.path,
                    line,
                    format!("`{path}` has no function {name}"),
                ));
            }
        }
    }
    problems
}

/// A document that a comment or a document refers to is one of the project's.
pub(super) fn documents(tree: &Tree) -> Vec<Problem> {
    let mut problems = vec![];
    let texts = tree
        .files
        .iter()
        .filter(|f| f.is("rs") || f.is("md") || f.is("toml") || f.is("sql"));
    for file in texts.filter(|f| !f.path.starts_with("xtask/src/tidy")) {
        for (line, text) in file.lines() {
            for name in mentioned(text) {
                let ours = tree
                    .with("md")
                    .any(|f| f.path == name || f.path.ends_with(&format!("/{name}")));
                if !ours {
                    problems.push(Problem::at(
                        &file.path,
                        line,
                        format!("{name} is no document of the project"),
                    ));
                }
            }
        }
    }
    problems
}

/// Names such as `SECURITY.md` in a line, without the folder.
fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "._-*{}".contains(c)));
    let words = words.map(|w| w.trim_end_matches('.'));
    let is_name = |w: &&str| {
        w.strip_suffix(".md")
            .is_some_and(|stem| !stem.is_empty() && !stem.contains(['*', '{']))
    };
    words.filter(is_name)
}

/// What stands between single backticks, with its line; blocks of code are left out.
fn code_spans(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    let lines = file.lines().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        in_block ^= fence;
        !in_block && !fence
    });
    lines.flat_map(|(n, line)| line.split('`').skip(1).step_by(2).map(move |span| (n, span)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(problems: Vec<Problem>) -> Vec<String> {
        problems.into_iter().map(|p| p.what).collect()
    }

    #[test]
    fn what_the_map_leaves_out_is_told() {
        let tree = Tree::of(&[
            (MAP, "`crates/a` and `kinds/k/kind.toml`\n```\n`crates/b`\n```\n"),
            ("crates/a/Cargo.toml", ""),
            ("crates/b/Cargo.toml", ""),
            ("kinds/k/kind.toml", ""),
        ]);
        assert_eq!(told(everything_is_named(&tree)), ["does not name `crates/b`"]);
    }

    #[test]
    fn what_is_named_and_not_there_is_told() {
        let text =
            "`crates/a`, `crates/a/src/x.rs:12`, `crates/<name>`, `crates/gone/`, `docs/api`, `crates`\n";
        let tree = Tree::of(&[(MAP, text), ("crates/a/src/x.rs", "")]);
        let gone = ["`crates/gone/` does not exist", "`docs/api` does not exist"];
        assert_eq!(told(everything_named_exists(&tree)), gone);
    }

    #[test]
    fn a_document_of_somewhere_else_is_told() {
        let tree = Tree::of(&[
            ("SECURITY.md", ""),
            ("docs/operations.md", ""),
            (
                "a.rs",
                "//! See SECURITY.md, docs/operations.md and elsewhere.md.\n// notice.*.md\n",
            ),
        ]);
        assert_eq!(
            told(documents(&tree)),
            ["elsewhere.md is no document of the project"]
        );
    }
}
