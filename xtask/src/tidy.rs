//! The tidy test: what a reader of the tree relies on, checked without building it.
//!
//! It reads the folder as it is, so it works in an archive without a history too.

mod configuration;
mod handlers;
mod kinds;
mod links;
mod modules;
mod names;
mod source;
mod tree;
mod words;

use std::path::Path;

pub(crate) use tree::Tree;

/// Something that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) file: String,
    /// 0 where it concerns the whole file.
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl Problem {
    fn at(file: &str, line: usize, what: impl Into<String>) -> Self {
        Problem {
            file: file.to_owned(),
            line,
            what: what.into(),
        }
    }

    fn in_file(file: &str, what: impl Into<String>) -> Self {
        Problem::at(file, 0, what)
    }
}

/// One check and what it found.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) problems: Vec<Problem>,
}

/// All checks.
pub(crate) struct Tidy {
    pub(crate) checks: Vec<Check>,
    /// What is worth a look and no failure.
    pub(crate) notes: Vec<String>,
}

type CheckFunction = fn(&Tree) -> Vec<Problem>;

const CHECKS: [(&str, CheckFunction); 16] = [
    ("every file says what it is for", source::purpose),
    ("no file is longer than 800 lines", source::length),
    ("nothing is unfinished or silenced", source::unfinished),
    ("every unwrap says why it cannot fail", source::unwraps),
    ("every file is compiled", modules::reachable),
    ("a handler takes at most four extractors", handlers::extractors),
    (
        "ARCHITECTURE.md names every crate and kind",
        names::everything_is_named,
    ),
    (
        "every path that a document names exists",
        names::everything_named_exists,
    ),
    ("every document that is named exists", names::documents),
    ("the core knows no record kind", kinds::unknown_to_the_core),
    ("links lead somewhere", links::resolve),
    ("no path of a machine", words::machine_paths),
    ("no host of a package registry", words::registries),
    ("no word about how the text was made", words::process),
    (
        "every configuration key and its default are documented",
        configuration::documented,
    ),
    ("every metric is documented", configuration::metrics),
];

/// Checks the tree below `root`.
pub(crate) fn tidy(root: &Path) -> Tidy {
    let tree = match Tree::read(root) {
        Ok(tree) => tree,
        Err(error) => {
            let problems = vec![Problem::in_file(".", error)];
            return Tidy {
                checks: vec![Check {
                    name: "the tree can be read",
                    problems,
                }],
                notes: vec![],
            };
        }
    };
    let checks = CHECKS
        .iter()
        .map(|(name, check)| Check {
            name,
            problems: check(&tree),
        })
        .collect();
    Tidy {
        checks,
        notes: source::long(&tree),
    }
}

impl Tidy {
    /// Prints what was found, to standard error.
    pub(crate) fn print(&self) {
        for note in &self.notes {
            eprintln!("note: {note}");
        }
        for check in self.checks.iter().filter(|c| !c.problems.is_empty()) {
            eprintln!("NOT SO: {}", check.name);
            for Problem { file, line, what } in &check.problems {
                let place = if *line > 0 {
                    format!("{file}:{line}")
                } else {
                    file.clone()
                };
                eprintln!("  {place}: {what}");
            }
        }
    }

    /// Prints it with the counts; whether all is tidy.
    pub(crate) fn report(&self) -> Result<bool, String> {
        self.print();
        let failed = self.checks.iter().filter(|c| !c.problems.is_empty()).count();
        println!("{} passed, {failed} failed", self.checks.len() - failed);
        Ok(failed == 0)
    }
}
