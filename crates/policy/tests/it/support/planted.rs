//! Bugs in the base rules that the comparison must find.

use policy::RuleFile;

/// Bugs to plant into the base rules: what is replaced by what. Besides these, each rule is left out once.
const SLIPS: &[(&str, &str)] = &[
    (
        "context.level < context.needed",
        "context.level + 1 < context.needed",
    ),
    ("context.level < context.needed", "context.needed < context.level"),
    (
        "context.needed < resource.getTag",
        "context.needed > resource.getTag",
    ),
    ("context.level < 2", "context.level < 1 || context.level > 3"),
    ("context.level >= 3", "context.level >= 2"),
    (
        "context.relation == Relation::\"own\" &&\n  context.purpose",
        "context.purpose",
    ),
    (
        "[Relation::\"own\", Relation::\"claimed\"]",
        "[Relation::\"own\", Relation::\"other\"]",
    ),
    (
        "unless { context.relation == Relation::\"own\" }",
        "unless { context.relation == Relation::\"claimed\" }",
    ),
    (
        "Basis::\"contract\", Basis::\"statutory-duty\"]",
        "Basis::\"contract\", Basis::\"emergency\"]",
    ),
    ("resource in Mode::\"predicate\"", "resource in Mode::\"read\""),
    ("when { context.reveal }", "when { !context.reveal }"),
];

/// The base rules with one bug each, and what was done.
pub(crate) fn planted(base: &[RuleFile]) -> Vec<(String, Vec<RuleFile>)> {
    let mut mutants = Vec::new();
    for (i, file) in base.iter().enumerate() {
        let with = |text: String| {
            let mut files = base.to_vec();
            files[i].text = text;
            files
        };
        let starts: Vec<usize> = file.text.match_indices("@id(").map(|(at, _)| at).collect();
        for (n, &start) in starts.iter().enumerate() {
            let end = starts.get(n + 1).copied().unwrap_or(file.text.len());
            let name = file.text[start..].split('"').nth(1).unwrap();
            let text = format!("{}{}", &file.text[..start], &file.text[end..]);
            mutants.push((format!("without {name}"), with(text)));
        }
        for (from, to) in SLIPS.iter().filter(|(from, _)| file.text.contains(from)) {
            mutants.push((format!("{from} -> {to}"), with(file.text.replace(from, to))));
        }
    }
    let rules: usize = base.iter().map(|f| f.text.matches("@id(").count()).sum();
    assert_eq!(
        mutants.len(),
        rules + SLIPS.len(),
        "a slip finds no place, or more than one file, in the rules"
    );
    mutants
}
