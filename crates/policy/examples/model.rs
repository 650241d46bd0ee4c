//! The fault rig `model`: compares every decision with the naive model, plants bugs into the base rules and must
//! find each. It ends with one line of JSON on standard output.
//!
//! `cargo run --release -p policy --example model`

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a rig reports to a terminal, and stops when its files are not there"
)]

#[path = "../tests/it/support/mod.rs"]
mod support;

use policy::{Policy, PolicyError, base_rules};
use support::{compare::compare, planted::planted, shipped_kinds};

fn main() -> Result<(), PolicyError> {
    let kinds = shipped_kinds();
    eprintln!("asking every question about {} kinds ...", kinds.in_order().len());
    let result = compare(&Policy::new(&kinds, &[])?, &kinds, false);
    if let Some((question, model, answer)) = &result.first {
        eprintln!("{question:?}: the model says {model:?}, the policy {answer:?}");
    }
    let bugs = planted(&base_rules());
    let mut missed = 0;
    for (i, (bug, base)) in bugs.iter().enumerate() {
        let found = compare(&Policy::with_base(base, &kinds, &[])?, &kinds, true).exceptions > 0;
        eprintln!(
            "planted {}/{}: {} {bug:?}",
            i + 1,
            bugs.len(),
            if found { "found" } else { "MISSED" }
        );
        missed += usize::from(!found);
    }
    println!(
        r#"{{"rig":"model","n":{},"exceptions":{},"planted_caught":{},"planted":{},"planted_missed":{missed}}}"#,
        result.asked,
        result.exceptions,
        missed == 0,
        bugs.len(),
    );
    if result.exceptions > 0 || missed > 0 {
        std::process::exit(1);
    }
    Ok(())
}
