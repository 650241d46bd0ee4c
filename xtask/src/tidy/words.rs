//! The text speaks of the project alone: no path of a machine, no host of a registry, no word about its making.

use super::{Problem, Tree};

/// First folders of paths that exist on one machine only. Below `/tmp`, `/usr` and `/etc` things are everywhere.
const MACHINES: [&str; 6] = ["home", "root", "Users", "work", "mnt", "Volumes"];

/// Written apart, so that this file does not find itself.
const REGISTRIES: [&str; 8] = [
    concat!("crates", ".io"),
    concat!("registry.npm", "js.org"),
    concat!("npm", "mirror.com"),
    concat!("pypi", ".org"),
    concat!("rs", "proxy.cn"),
    concat!("mirrors.us", "tc.edu"),
    concat!("mirrors.tu", "na."),
    concat!("proxy.go", "lang.org"),
];

/// Written apart, so that this file does not find itself. Whole words, in any case.
const PROCESS: [&str; 12] = [
    concat!("chat", "gpt"),
    concat!("cl", "aude"),
    concat!("co", "pilot"),
    concat!("ll", "m"),
    concat!("ll", "ms"),
    concat!("sub", "agent"),
    concat!("sub", "agents"),
    concat!("co-authored", "-by"),
    concat!("as an a", "i"),
    concat!("a", "i-generated"),
    concat!("language mo", "del"),
    concat!("this pr", "ompt"),
];

/// Paths that exist on one machine only.
pub(super) fn machine_paths(tree: &Tree) -> Vec<Problem> {
    find(tree, |line| {
        MACHINES.iter().find_map(|name| path_below(line, name))
    })
}

fn path_below(line: &str, name: &str) -> Option<String> {
    let path = format!("/{name}/");
    let (before, after) = line.split_once(&path)?;
    // In `crates/work/x` or `https://x.test/home/` it is no path of a machine.
    let begins = !before.ends_with(|c: char| c.is_alphanumeric() || "_.-}>~".contains(c));
    let goes_on = after.starts_with(|c: char| c.is_alphanumeric() || c == '.');
    (begins && goes_on).then(|| format!("{path}... is a path of one machine"))
}

/// Hosts of registries, which belong into lock files only.
pub(super) fn registries(tree: &Tree) -> Vec<Problem> {
    find(tree, |line| {
        let host = REGISTRIES.iter().find(|host| line.contains(**host))?;
        Some(format!("{host} is a host of a registry"))
    })
}

/// Words about how the text came to be.
pub(super) fn process(tree: &Tree) -> Vec<Problem> {
    find(tree, |line| {
        let line = line.to_lowercase();
        let word = PROCESS.iter().find(|word| has_word(&line, word))?;
        Some(format!("\"{word}\" speaks of something else than the project"))
    })
}

fn has_word(line: &str, word: &str) -> bool {
    let joins = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(joins) && !line[at + word.len()..].starts_with(joins))
}

fn find(tree: &Tree, wrong: impl Fn(&str) -> Option<String>) -> Vec<Problem> {
    let mut problems = vec![];
    for file in tree.files.iter().filter(|f| !f.is_lock()) {
        let found = file
            .lines()
            .filter_map(|(n, line)| Some(Problem::at(&file.path, n, wrong(line)?)));
        problems.extend(found);
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Tree {
        Tree::of(&[("a.md", text)])
    }

    #[test]
    fn a_path_of_a_machine_is_told() {
        for (before, after, told) in [
            ("see ", "me/x", 1),
            ("\"", "x", 1),
            ("https://x.test", "x", 0),
            ("crates", "x", 0),
            ("", " or", 0),
        ] {
            let text = format!("{before}/{}/{after}", MACHINES[0]);
            assert_eq!(machine_paths(&tree(&text)).len(), told, "{text}");
        }
        assert!(machine_paths(&tree("/tmp/x /usr/lib/x /etc/x")).is_empty());
    }

    #[test]
    fn hosts_and_words_are_told_and_lock_files_are_not() {
        for host in REGISTRIES {
            assert_eq!(registries(&tree(host)).len(), 1, "{host}");
            assert!(registries(&Tree::of(&[("Cargo.lock", host)])).is_empty());
        }
        for word in PROCESS {
            assert_eq!(process(&tree(&word.to_uppercase())).len(), 1, "{word}");
            assert!(process(&tree(&format!("x{word}"))).is_empty());
        }
    }
}
