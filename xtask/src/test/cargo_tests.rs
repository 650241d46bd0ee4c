//! Tests in Rust, by cargo-nextest where it is there and by `cargo test` where not, and how many ran on each database.

use std::{collections::BTreeMap, fs, path::Path};

use super::{
    mariadb,
    postgres::{self, Server},
    tally::Tally,
};
use crate::{machine, run};

/// Crates whose tests run on database servers.
const ON_DATABASES: [&str; 3] = ["store", "gateway", "sources"];
/// Where the tests' databases write down each case that passed: a line with the engine and the test's name.
const CASES_VARIABLE: &str = "MINGCHA_TEST_CASES";
/// So many tests at a time on each core: half of their time they wait for disks, servers and deadlines.
const AT_ONCE_PER_CORE: usize = 2;
/// A sign of life after so many tests.
const TOLD_EACH: u64 = 200;

/// Runs the tests that need no database, those that do, or both.
///
/// # Errors
/// A database server cannot be started.
pub(crate) fn run(without: bool, with: bool, tally: &mut Tally) -> Result<(), String> {
    let server = if with {
        Some((Server::find_or_start()?, mariadb::Server::find_or_start()?))
    } else {
        None
    };
    let cases = run::target().join("database-cases.txt");
    fs::create_dir_all(run::target()).map_err(|e| format!("{}: {e}", run::target().display()))?;
    fs::write(&cases, "").map_err(|e| format!("{}: {e}", cases.display()))?;
    let mut packages = vec!["--workspace"];
    if !(without && with) {
        packages = ON_DATABASES
            .iter()
            .flat_map(|name| ["--package", *name])
            .collect();
    }
    if without && !with {
        packages = ON_DATABASES
            .iter()
            .flat_map(|name| ["--exclude", *name])
            .collect();
        packages.insert(0, "--workspace");
    }
    let variables = [(CASES_VARIABLE, cases.display().to_string())];
    let urls = server.iter().flat_map(|(postgres, mariadb)| {
        [
            (postgres::VARIABLE, postgres.url.clone()),
            (mariadb::VARIABLE, mariadb.url.clone()),
        ]
    });
    let variables: BTreeMap<_, _> = variables.into_iter().chain(urls).collect();
    if run::which("cargo-nextest").is_some() {
        let at_once = AT_ONCE_PER_CORE * machine::cores();
        let at_once = format!("--test-threads={at_once}");
        let fast = [
            "nextest",
            "run",
            "--locked",
            "--no-fail-fast",
            "--color",
            "never",
            &at_once,
        ];
        count("tests", &fast, &packages, &variables, nextest_line, tally)?;
        let doc = ["test", "--locked", "--no-fail-fast", "--doc"];
        count(
            "examples in the documentation",
            &doc,
            &packages,
            &variables,
            libtest_line,
            tally,
        )?;
    } else {
        let plain = ["test", "--locked", "--no-fail-fast"];
        count(
            "tests and examples in the documentation",
            &plain,
            &packages,
            &variables,
            libtest_line,
            tally,
        )?;
    }
    if with {
        both_halves(&cases, tally);
    }
    Ok(())
}

/// What one line of a test runner's output adds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// The line is only a sign of life, of which there are many.
    quiet: bool,
}

fn count(
    name: &str,
    command: &[&str],
    packages: &[&str],
    variables: &BTreeMap<&str, String>,
    read: fn(&str) -> Counted,
    tally: &mut Tally,
) -> Result<(), String> {
    let (mut sum, mut alive) = (Counted::default(), 0);
    let mut cargo = run::cargo(command.iter().chain(packages));
    let fine = run::lines(cargo.envs(variables), |line| {
        let found = read(line);
        (sum.passed, sum.failed) = (sum.passed + found.passed, sum.failed + found.failed);
        sum.skipped += found.skipped;
        if !found.quiet {
            eprintln!("{line}");
            return;
        }
        alive += 1;
        if alive % TOLD_EACH == 0 {
            eprintln!("     {alive} so far");
        }
    })?;
    if sum.skipped > 0 {
        eprintln!("{} tests were skipped; here that is a failure", sum.skipped);
    }
    // What did not even build told no count.
    let unknown = u64::from(!fine && sum.failed == 0);
    tally.count(name, sum.passed, sum.failed + sum.skipped + unknown);
    Ok(())
}

/// `Summary [ 1.2s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 0 skipped`
fn nextest_line(line: &str) -> Counted {
    let trimmed = line.trim_start();
    if trimmed.starts_with("PASS ") {
        return Counted {
            quiet: true,
            ..Counted::default()
        };
    }
    let counts = trimmed
        .strip_prefix("Summary ")
        .and_then(|s| s.split_once("run: "));
    let Some((_, counts)) = counts else {
        return Counted::default();
    };
    let mut sum = Counted::default();
    for part in counts.split(", ") {
        let mut words = part.split(' ');
        let number = words
            .next()
            .and_then(|n| n.parse::<u64>().ok())
            .unwrap_or_default();
        match words.next() {
            Some("passed") => sum.passed += number,
            Some("skipped") => sum.skipped += number,
            _ => sum.failed += number,
        }
    }
    sum
}

/// `test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s`
fn libtest_line(line: &str) -> Counted {
    if line.starts_with("test ") && line.ends_with("... ok") {
        return Counted {
            quiet: true,
            ..Counted::default()
        };
    }
    let Some((_, counts)) = line
        .strip_prefix("test result: ")
        .and_then(|c| c.split_once(". "))
    else {
        return Counted {
            quiet: line.is_empty(),
            ..Counted::default()
        };
    };
    let of = |word: &str| {
        let part = counts.split("; ").find_map(|p| p.strip_suffix(word));
        part.and_then(|n| n.trim().parse().ok()).unwrap_or_default()
    };
    Counted {
        passed: of("passed"),
        failed: of("failed"),
        skipped: of("ignored"),
        quiet: false,
    }
}

/// Each case must have passed on both engines.
fn both_halves(cases: &Path, tally: &mut Tally) {
    let text = fs::read_to_string(cases).unwrap_or_default();
    let on = |engine: &str| {
        text.lines()
            .filter(|l| l.split(' ').next() == Some(engine))
            .count()
    };
    let (sqlite, postgres) = (on("sqlite"), on("postgres"));
    println!("cases that passed on SQLite: {sqlite}, on PostgreSQL: {postgres}");
    let fine = sqlite > 0 && sqlite == postgres;
    let wrong =
        || format!("{sqlite} cases passed on SQLite and {postgres} on PostgreSQL; each must pass on both");
    tally.check(
        "as many cases on SQLite as on PostgreSQL",
        if fine { Ok(()) } else { Err(wrong()) },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_nextest_are_read() {
        let line =
            "     Summary [   1.234s] 345 tests run: 340 passed (1 slow), 3 failed, 1 timed out, 1 skipped";
        assert_eq!(
            nextest_line(line),
            Counted {
                passed: 340,
                failed: 4,
                skipped: 1,
                quiet: false
            }
        );
        assert_eq!(
            nextest_line("     Summary [ 0.1s] 1 test run: 1 passed, 0 skipped").passed,
            1
        );
        assert!(nextest_line("        PASS [   0.005s] (1/2) domain kinds::all").quiet);
        assert_eq!(nextest_line("   Compiling summary v1.0.0"), Counted::default());
    }

    #[test]
    fn the_counts_of_libtest_are_read() {
        let line = "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(
            libtest_line(line),
            Counted {
                passed: 3,
                failed: 2,
                skipped: 1,
                quiet: false
            }
        );
        assert!(libtest_line("test tests::one ... ok").quiet);
        assert_eq!(libtest_line("test tests::one ... FAILED"), Counted::default());
    }
}
