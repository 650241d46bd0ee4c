//! Every decision equals the model, over all questions there are; and the comparison finds every planted bug.

use crate::support::{compare::compare, every_question, kinds_and_purposes, planted::planted, shipped_kinds};
use domain::decision::Decision;
use policy::{Policy, base_rules};

#[test]
fn every_decision_equals_the_model() {
    let kinds = shipped_kinds();
    let policy = Policy::new(&kinds, &[]).unwrap();
    let result = compare(&policy, &kinds, false);
    println!(
        "{} questions compared, {} exceptions",
        result.asked, result.exceptions
    );
    // 3 relations x 3 levels x 3 needed x 4 modes x 7 bases x 3 classifications x 2 describes x 2 reveal = 9,072.
    assert_eq!(
        result.asked,
        9_072 * u64::try_from(kinds_and_purposes(&kinds).len()).unwrap()
    );
    assert_eq!(result.exceptions, 0, "{:?}", result.first);
}

#[test]
fn every_planted_bug_is_found() {
    let kinds = shipped_kinds();
    for (bug, base) in planted(&base_rules()) {
        let policy = Policy::with_base(&base, &kinds, &[]).unwrap();
        let result = compare(&policy, &kinds, true);
        assert!(result.exceptions > 0, "not found: {bug}");
        println!("found: {bug}");
    }
}

#[test]
fn a_kept_answer_is_the_same_answer() {
    let kinds = shipped_kinds();
    let policy = Policy::new(&kinds, &[]).unwrap();
    let (kind, purpose) = &kinds_and_purposes(&kinds)[0];
    let mut first = Vec::new();
    for _ in 0..2 {
        let mut answers = Vec::new();
        every_question(kind, purpose, &mut |question| {
            answers.push(policy.decide(question));
            answers.len() < 2_000
        });
        if first.is_empty() {
            first = answers;
        } else {
            assert_eq!(first, answers);
        }
    }
    assert!(first.iter().any(|d| matches!(d, Decision::Forbid(_))));
}
