//! The scripts that drive the portal in Debian's Chromium: their packages by lock file, a demo for them, their last line.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crypto::Suite;
use serde_json::Value;

use crate::{
    machine::{self, Need},
    people,
    program::{self, Build, Setup},
    run,
    scratch::Scratch,
};

/// What the scripts need.
pub(crate) const NEEDS: [Need; 4] = [Need::Chromium, Need::CjkFonts, Need::Node, Need::Npm];
/// Where they are.
const FOLDER: &str = "crates/gateway/tests/browser";
/// The file of the second source for marriages, and whom it knows: who looks at the pages of level L3.
const SECOND_SOURCE: &str = "second-source.toml";
const MARRIED: &str = "zhao-xiaomin";

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
    let mut further = ["--in-work", "1"].map(str::to_owned).to_vec();
    further.extend(second_source(&scratch.path().join("second"))?);
    let setup = Setup::new(&program, scratch.path())?.with_further(further);
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

/// A second source for marriages, with the file that it dropped today about one of the invented people: only beside
/// another one are region and freshness asked for.
fn second_source(into: &Path) -> Result<[String; 2], String> {
    let told = |e: std::io::Error| format!("{}: {e}", into.display());
    let person = people::people()?.into_iter().find(|person| person.id == MARRIED);
    let number = person.ok_or("the married persona is gone")?.id_number;
    let today = run::output(Command::new("date").arg("+%Y%m%d").env("TZ", "Asia/Shanghai"))?;
    let name = format!("marriages-{}.csv", today.trim());
    let rows = format!(
        "身份证号,登记状态,登记日期,登记机关,证件字号\n{number},1,2012-12-12,样板县民政局婚姻登记处,J322121-2012-001212\n"
    );
    let digest = Suite::Intl.hash(&[rows.as_bytes()]);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::create_dir_all(into).map_err(told)?;
    fs::write(into.join(&name), rows).map_err(told)?;
    fs::write(into.join(format!("{name}.sha256")), format!("{digest}  {name}\n")).map_err(told)?;
    let template = fs::read_to_string(folder().join(SECOND_SOURCE)).map_err(told)?;
    let file = into.join(SECOND_SOURCE);
    fs::write(&file, template.replace("{folder}", &into.display().to_string())).map_err(told)?;
    Ok(["--source".to_owned(), file.display().to_string()])
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
