//! `mingcha demo` by the program itself.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

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

/// What `mingcha` says to these words about a demo's folder.
fn about(folder: &Path, words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mingcha"));
    let ended = command.args(words).arg("--data").arg(folder).output().unwrap();
    let why = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{words:?}: {why}");
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn the_folder_that_a_demo_keeps_tells_of_its_sources() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // What a person keeps in the folder themselves stays theirs.
    let theirs = ["sources/mine.toml", "own/notes.txt", "drops/mine.csv"].map(|file| folder.join(file));
    for file in &theirs {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "mine").unwrap();
    }
    about(folder, &["demo", "--once"]);
    assert!(theirs.iter().all(|file| fs::read(file).unwrap() == b"mine"));
    let shown = about(folder, &["source", "list"]);
    let heads = shown.lines().filter_map(|line| line.strip_suffix("  asked"));
    let expected = [
        "sandbox-carrier",
        "sandbox-civil-affairs",
        "sandbox-insurance",
        "sandbox-population",
        "sandbox-repair",
        "sandbox-traffic",
    ];
    assert_eq!(heads.collect::<Vec<_>>(), expected, "{shown}");
    for told in [
        "serves     vehicle-insurance read\n",
        "agreed     identity: phone\n",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    about(folder, &["source", "pause", "sandbox-repair", "--by", "wang"]);
    let shown = about(folder, &["source", "list"]);
    assert!(shown.contains("sandbox-repair  paused by wang\n"), "{shown}");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.join("demo-sources")), 0o700, "it holds keys");
}
