//! Links between documents lead to a file, and to a heading in it where they say so.

use super::{Problem, Tree, tree::File};

/// Relative links whose file or heading is not there.
pub(super) fn resolve(tree: &Tree) -> Vec<Problem> {
    let mut problems = vec![];
    for file in tree.with("md") {
        for (line, target) in targets(file) {
            if let Some(why) = broken(tree, file, target) {
                problems.push(Problem::at(&file.path, line, format!("]({target}): {why}")));
            }
        }
    }
    problems
}

fn targets(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.lines().flat_map(|(n, line)| {
        let after = line.split("](").skip(1);
        after.filter_map(move |rest| Some((n, rest.split_once(')')?.0)))
    })
}

fn broken(tree: &Tree, from: &File, target: &str) -> Option<String> {
    if ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| target.starts_with(scheme))
    {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let folder = from.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = if path.is_empty() {
        from.path.clone()
    } else {
        join(folder, path)
    };
    if !tree.has(&path) {
        return Some(format!("{path} does not exist"));
    }
    let found = |file: &File| file.lines().filter_map(|(_, l)| slug(l)).any(|s| s == heading);
    if !heading.is_empty() && !tree.file(&path).is_some_and(found) {
        return Some(format!("{path} has no heading #{heading}"));
    }
    None
}

fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            other => parts.push(other),
        }
    }
    parts.join("/")
}

/// A heading as links name it: lower case, spaces as hyphens, no punctuation.
fn slug(line: &str) -> Option<String> {
    let heading = line
        .strip_prefix('#')?
        .trim_start_matches('#')
        .strip_prefix(' ')?;
    let letters = heading.trim().to_lowercase();
    let kept = letters
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-' || *c == '_');
    Some(kept.map(|c| if c == ' ' { '-' } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_that_lead_nowhere_are_told() {
        let text = "# A heading, 标题\n[a](b.md) [b](../README.md#the-tour) [c](#a-heading-标题) [d](https://x.test)\n\
                    [e](gone.md) [f](../README.md#gone) [g](folder)\n";
        let tree = Tree::of(&[
            ("README.md", "## The tour\n"),
            ("docs/a.md", text),
            ("docs/b.md", ""),
            ("docs/folder/x.svg", ""),
        ]);
        let told: Vec<String> = resolve(&tree).into_iter().map(|p| p.what).collect();
        assert_eq!(
            told,
            [
                "](gone.md): docs/gone.md does not exist",
                "](../README.md#gone): README.md has no heading #gone"
            ]
        );
    }
}
