//! The table of all permissions, as people read it: `/policies/matrix.snap` must be what the policy answers.
//!
//! `MINGCHA_UPDATE_SNAPSHOTS=1 cargo test -p policy matrix` writes it anew.

use std::{fmt::Write as _, path::Path, sync::Arc};

use crate::support::{field_sorts, shipped_kinds};
use domain::{
    decision::{Decision, Question},
    kind::Kind,
    requester::{Relation, Role},
    words::{Classification, Describes, LegalBasis, Level, Mode},
};
use policy::Policy;

const HEAD: &str = "\
# Who may look: what the policy answers, for every combination.
#
# A cell has one letter for each assurance level, L1 L2 L3. Each letter takes in those above it:
#   .  nothing
#   s  what describes the subject (masked where the kind masks it)
#   t  what describes a third person, behind its mask
#   r  both without the mask
# and a cell that fits none of these spells its fields out. `needs` is the level that the kind asks for the purpose.
# A purpose that the kind does not name is `(another)`.
#
# Written by MINGCHA_UPDATE_SNAPSHOTS=1 cargo test -p policy matrix
";

#[test]
fn the_matrix_is_what_the_policy_answers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/matrix.snap");
    let now = matrix();
    if std::env::var("MINGCHA_UPDATE_SNAPSHOTS").is_ok_and(|v| v == "1") {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let difference = difference(&kept, &now);
    assert!(
        difference.is_empty(),
        "policies/matrix.snap is stale (- kept, + answered now):\n{difference}"
    );
    misses_no_combination(&kept);
}

/// Counts the rows on their own, so that a slip in what writes them is seen.
fn misses_no_combination(kept: &str) {
    for &role in Role::ALL {
        for &relation in Relation::ALL {
            for loaded in shipped_kinds().in_order() {
                for &mode in Mode::ALL {
                    let start = row_start(role, relation, &loaded.kind.id, mode);
                    let rows: Vec<_> = kept.lines().filter(|line| line.starts_with(&start)).collect();
                    assert_eq!(rows.len(), loaded.kind.purposes.len() + 1, "rows of {start}");
                    for row in rows {
                        // The four that the row starts with, purpose, needs, and one cell for each basis.
                        assert_eq!(row.split_whitespace().count(), 6 + LegalBasis::ALL.len(), "{row}");
                    }
                }
            }
        }
    }
}

fn matrix() -> String {
    let kinds = shipped_kinds();
    let policy = Policy::new(&kinds, &[]).unwrap();
    let mut text = HEAD.to_owned();
    for loaded in kinds.in_order() {
        let kind = &loaded.kind;
        let bases: Vec<_> = LegalBasis::ALL.iter().map(|b| b.code()).collect();
        let head = "role   relation kind                 mode      purpose           needs";
        writeln!(text, "\n{head} {}", bases.join(" ")).unwrap();
        for &role in Role::ALL {
            for &relation in Relation::ALL {
                for &mode in Mode::ALL {
                    rows(&policy, kind, role, relation, mode, &mut text);
                }
            }
        }
    }
    text.push_str("\n# The rules, and why.\n");
    for rule in policy.rules() {
        let does = if rule.forbids { "forbids" } else { "permits" };
        writeln!(text, "{does} {}: {}", rule.name, rule.reason).unwrap();
    }
    text
}

fn row_start(role: Role, relation: Relation, kind: &str, mode: Mode) -> String {
    format!(
        "{:<6} {:<8} {:<20} {:<9} ",
        role.code(),
        relation.code(),
        kind,
        mode.code()
    )
}

/// One row for each purpose of the kind, and one for a purpose that it does not name.
fn rows(policy: &Policy, kind: &Kind, role: Role, relation: Relation, mode: Mode, text: &mut String) {
    let another = "(another)".to_owned();
    for purpose in kind.purposes.iter().chain([&another]) {
        let needed = kind.level_for(purpose);
        let start = row_start(role, relation, &kind.id, mode);
        write!(text, "{start}{purpose:<17} {:<5}", needed.code()).unwrap();
        for &basis in LegalBasis::ALL {
            let question = Question {
                role,
                relation,
                level: Level::L1,
                needed,
                kind: kind.id.as_str().into(),
                mode,
                classification: Classification::General,
                describes: Describes::Subject,
                reveal: false,
                purpose: purpose.as_str().into(),
                basis,
            };
            let cell: String = Level::ALL
                .iter()
                .map(|&level| letter(policy, &question, level))
                .collect();
            write!(text, " {cell:<width$}", width = basis.code().len()).unwrap();
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
}

/// What is permitted at this level, of all that a field can be.
fn letter(policy: &Policy, question: &Question, level: Level) -> String {
    let permitted: Vec<_> = field_sorts()
        .into_iter()
        .filter(|&(classification, describes, reveal)| {
            // A look-up that lifts a mask needs L3, as `LookupRequest::needed_level` says.
            let needed = if reveal { Level::L3 } else { question.needed };
            let asked = Question {
                level,
                needed,
                classification,
                describes,
                reveal,
                kind: Arc::clone(&question.kind),
                purpose: Arc::clone(&question.purpose),
                ..*question
            };
            policy.decide(&asked) == Decision::Permit
        })
        .collect();
    let whole = |keep: fn(Describes, bool) -> bool| -> Vec<_> {
        field_sorts()
            .into_iter()
            .filter(|&(_, describes, reveal)| keep(describes, reveal))
            .collect()
    };
    let letters = [
        (".", whole(|_, _| false)),
        (
            "s",
            whole(|describes, reveal| describes == Describes::Subject && !reveal),
        ),
        ("t", whole(|_, reveal| !reveal)),
        ("r", whole(|_, _| true)),
    ];
    match letters.into_iter().find(|(_, sorts)| *sorts == permitted) {
        Some((letter, _)) => letter.to_owned(),
        None => {
            let sorts = permitted.iter().map(|(classification, describes, reveal)| {
                format!(
                    "{classification}/{describes}{}",
                    if *reveal { "/reveal" } else { "" }
                )
            });
            format!("{{{}}}", sorts.collect::<Vec<_>>().join(","))
        }
    }
}

/// The lines that differ, with their numbers; enough to see what changed, the file itself shows the rest.
fn difference(kept: &str, now: &str) -> String {
    let (kept, now): (Vec<_>, Vec<_>) = (kept.lines().collect(), now.lines().collect());
    let mut text = String::new();
    for line in 0..kept.len().max(now.len()) {
        let (old, new) = (kept.get(line), now.get(line));
        if old != new {
            for (sign, side) in [('-', old), ('+', new)] {
                if let Some(side) = side {
                    writeln!(text, "{:>4} {sign} {side}", line + 1).unwrap();
                }
            }
        }
    }
    text
}
