//! How long a decision takes: from what is kept, and when the rules are walked through.
//!
//! `cargo run --release -p policy --example decision_speed`

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement reports to a terminal, and stops when its files are not there"
)]

#[path = "../tests/it/support/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::hint::black_box;

use domain::decision::{Decision, Question};
use policy::Policy;
use support::{every_question, kinds_and_purposes, shipped_kinds};

/// As many different questions as fit into what is kept, so that none is asked twice of the rules.
const QUESTIONS: usize = 10_000;

/// Passes over the kept answers: 2 million decisions.
const PASSES: usize = 200;

fn main() {
    let kinds = shipped_kinds();
    let policy = Policy::new(&kinds, &[]).unwrap();
    let mut questions = Vec::new();
    for (kind, purpose) in kinds_and_purposes(&kinds) {
        every_question(&kind, &purpose, &mut |question| {
            questions.push(question.clone());
            questions.len() < QUESTIONS
        });
        if questions.len() >= QUESTIONS {
            break;
        }
    }
    let first = nanoseconds_each(&policy, &questions, 1);
    let kept = nanoseconds_each(&policy, &questions, PASSES);
    let permitted: Vec<_> = questions
        .iter()
        .filter(|q| policy.decide(q) == Decision::Permit)
        .cloned()
        .collect();
    let kept_permit = nanoseconds_each(&policy, &permitted, PASSES);
    println!(
        r#"{{"bench":"policy","n":{},"first_ns":{first},"kept_ns":{kept},"kept_permit_ns":{kept_permit}}}"#,
        questions.len(),
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement needs the clock; nothing is decided by it"
)]
fn nanoseconds_each(policy: &Policy, questions: &[Question], passes: usize) -> u128 {
    let start = std::time::Instant::now();
    for _ in 0..passes {
        for question in questions {
            black_box(policy.decide(black_box(question)));
        }
    }
    start.elapsed().as_nanos() / (questions.len() * passes) as u128
}
