//! `mingcha demo` by the program itself.

use std::process::Command;

use crate::front::Server;

/// With a database for the repair shops, all of the demo is as sound as without, and nobody asks them over http.
#[test]
fn maintenance_comes_out_of_a_database_where_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_mingcha"));
    demo.args([
        "demo",
        "--once",
        "--maintenance-database",
        &Server::Postgres.url(),
        "--journal",
    ]);
    let ended = demo.arg(&journal).output().unwrap();
    let out = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{out}");
    let line = out
        .lines()
        .find(|line| line.starts_with("vehicle-maintenance"))
        .unwrap();
    assert!(
        line.contains("found") && line.contains("sandbox-repair"),
        "{line}"
    );
    let asked = std::fs::read_to_string(&journal).unwrap();
    assert!(
        asked.contains("traffic/") && !asked.contains("repair/"),
        "{asked}"
    );
    demo = Command::new(env!("CARGO_BIN_EXE_mingcha"));
    demo.args([
        "demo",
        "--once",
        "--maintenance-database",
        "postgres://u:hidden@127.0.0.1:1/x",
    ]);
    let refused = demo.output().unwrap();
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && why.contains("--maintenance-database"),
        "{why}"
    );
    assert!(!why.contains("hidden"), "{why}");
}
