//! The scripts that drive the portal in Debian's Chromium: their packages by lock file, a demo for them, their last line.

use std::{fs, path::PathBuf, process::Command};

use serde_json::Value;

use crate::{
    machine::{self, Need},
    program::{self, Build, Setup},
    run,
    scratch::Scratch,
};

/// What the scripts need.
pub(crate) const NEEDS: [Need; 4] = [Need::Chromium, Need::CjkFonts, Need::Node, Need::Npm];
/// Where they are.
const FOLDER: &str = "crates/gateway/tests/browser";

/// Runs a script against a demo of its own; the line of JSON with which it ends, if it came so far, and whether it
/// was content.
///
/// # Errors
/// The packages cannot be fetched, or the demo does not start.
pub(crate) fn drive(script: &str, arguments: &[String]) -> Result<(Option<Value>, bool), String> {
    fetch_packages()?;
    let program = program::build(Build::Plain, false)?;
    let scratch = Scratch::new("browser")?;
    // So few at once that one more waits for its turn, and that page can be seen.
    let narrow = ["--in-work", "1"].map(str::to_owned).to_vec();
    let setup = Setup::new(&program, scratch.path())?.with_further(narrow);
    let demo = setup.start()?;
    let authorities = setup.authorities().ok_or("the demo printed no authorities")?;
    let mut node = Command::new("node");
    node.current_dir(folder())
        .arg(script)
        .args(["--base", &format!("http://{}", setup.address)])
        .args(["--authorities", &format!("http://{authorities}")])
        .args(arguments);
    if let Some(chromium) = machine::chromium() {
        node.env("CHROMIUM", chromium);
    }
    let mut last = None;
    let content = run::lines(&mut node, |line| match serde_json::from_str(line) {
        Ok(value @ Value::Object(_)) => last = Some(value),
        _ => eprintln!("{line}"),
    })?;
    demo.stop_and_wait()?;
    Ok((last, content))
}

fn folder() -> PathBuf {
    run::root().join(FOLDER)
}

/// `npm ci` where the lock file is newer than what was fetched. No script of a package runs.
fn fetch_packages() -> Result<(), String> {
    let changed = |name: &str| fs::metadata(folder().join(name)).and_then(|m| m.modified()).ok();
    let fetched = changed("node_modules/.package-lock.json");
    if fetched.is_some() && fetched >= changed("package-lock.json") {
        return Ok(());
    }
    eprintln!("fetching the browser's driver");
    let arguments = [
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel",
        "error",
    ];
    run::show(Command::new("npm").args(arguments).current_dir(folder()))
}
