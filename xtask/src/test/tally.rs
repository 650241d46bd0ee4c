//! What passed and what failed, by name, for the summary.

use crate::tidy;

/// One line of the summary.
struct Row {
    name: String,
    passed: u64,
    failed: u64,
}

/// The counts of a run.
#[derive(Default)]
pub(crate) struct Tally {
    rows: Vec<Row>,
}

impl Tally {
    /// Counts one check; its error is told at once.
    pub(crate) fn check(&mut self, name: &str, result: Result<(), String>) {
        if let Err(error) = &result {
            eprintln!("{name}: {error}");
        }
        self.count(name, u64::from(result.is_ok()), u64::from(result.is_err()));
    }

    /// Counts each check of the tidy test.
    pub(crate) fn tidy(&mut self, tidy: &tidy::Tidy) {
        tidy.print();
        for check in &tidy.checks {
            let fine = check.problems.is_empty();
            self.count(check.name, u64::from(fine), u64::from(!fine));
        }
    }

    /// Counts many tests at once.
    pub(crate) fn count(&mut self, name: &str, passed: u64, failed: u64) {
        self.rows.push(Row {
            name: name.to_owned(),
            passed,
            failed,
        });
    }

    /// How many passed.
    pub(crate) fn passed(&self) -> u64 {
        self.rows.iter().map(|r| r.passed).sum()
    }

    /// How many failed.
    pub(crate) fn failed(&self) -> u64 {
        self.rows.iter().map(|r| r.failed).sum()
    }

    /// A line for each.
    pub(crate) fn summary(&self) -> String {
        let line = |r: &Row| {
            let mark = if r.failed == 0 { ' ' } else { '!' };
            format!("{mark} {:6} passed {:4} failed  {}", r.passed, r.failed, r.name)
        };
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}
