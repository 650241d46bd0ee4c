//! The core knows no record kind: outside the sandbox, no program text names one.

use super::{Problem, Tree, tree::File};

/// Proving a real name is a look-up of this kind; the actions that do so name it, and nothing else does.
const PROOFING: &str = "identity";
/// Who may name it.
const PROVES: [&str; 2] = [
    "crates/gateway/src/actions/prove_real_name.rs",
    "crates/gateway/src/actions/strengthen.rs",
];

/// Texts in the code of the core that are the id of a kind.
pub(super) fn unknown_to_the_core(tree: &Tree) -> Vec<Problem> {
    let kinds = tree.folders("kinds");
    let mut problems = vec![];
    for file in tree.with("rs").filter(|f| is_core(f)) {
        // An example in the API's document is for its reader, and no program text depends on it.
        let mut in_example = false;
        for (line, text) in file.lines().take_while(|(_, line)| line.trim() != "mod tests {") {
            in_example = (in_example || text.contains("[schema(example = json!(")) && !text.ends_with("))]");
            if in_example || text.trim_start().starts_with("//") {
                continue;
            }
            let named = kinds.iter().filter(|kind| text.contains(&format!("\"{kind}\"")));
            let wrong = named.filter(|kind| *kind != PROOFING || !may_name_proofing(file));
            problems.extend(
                wrong.map(|kind| Problem::at(&file.path, line, format!("names the record kind {kind}"))),
            );
        }
    }
    problems
}

/// The sandbox plays authorities, which know what they keep. Identifiers are of papers and not of kinds.
fn is_core(file: &File) -> bool {
    let others = ["crates/sandbox/", "crates/domain/src/identifiers/"];
    file.path.starts_with("crates/")
        && file.path.contains("/src/")
        && !others.iter().any(|other| file.path.starts_with(other))
}

/// In HTTP, `identity` is also the name of an encoding, and the sources speak HTTP.
fn may_name_proofing(file: &File) -> bool {
    PROVES.contains(&file.path.as_str()) || file.path.starts_with("crates/sources/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_in_the_core_is_told() {
        let told = |path: &str, text: &str| {
            let kinds = [
                ("kinds/marriage/kind.toml", ""),
                ("kinds/identity/kind.toml", ""),
                (path, text),
            ];
            unknown_to_the_core(&Tree::of(&kinds)).len()
        };
        assert_eq!(told("crates/domain/src/a.rs", "if id == \"marriage\" {}\n"), 1);
        let example = "#[schema(example = json!({\n\"kind\": \"marriage\"\n}))]\n";
        assert_eq!(told("crates/gateway/src/a.rs", example), 0);
        let after = format!("{example}if id == \"marriage\" {{}}\n");
        assert_eq!(told("crates/gateway/src/a.rs", &after), 1);
        assert_eq!(
            told(
                "crates/domain/src/a.rs",
                "// such as \"marriage\"\nlet marriage = 1;\n"
            ),
            0
        );
        assert_eq!(told("crates/domain/src/a.rs", "mod tests {\n\"marriage\"\n"), 0);
        assert_eq!(told("crates/sandbox/src/a.rs", "\"marriage\"\n"), 0);
        assert_eq!(told(PROVES[0], "\"identity\"\n"), 0);
        assert_eq!(told(PROVES[0], "\"marriage\"\n"), 1);
        assert_eq!(told("crates/gateway/src/actions/decide.rs", "\"identity\"\n"), 1);
    }
}
