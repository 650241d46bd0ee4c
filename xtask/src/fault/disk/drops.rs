//! The import of a drop: each call fails once, and the process ends before each, while one drop takes the place of
//! another. Who asks then, and after the next start, is answered from the old drop or from the new one, never from half
//! of one, and nothing is lost.
//!
//! The import runs in a program of its own beside the sources' tests, which have a record holder and a clock.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{
    Found, faults,
    shim::{self, Fault, Shim},
};
use crate::run;

/// How the calls fail.
const WAYS: [Fault; 3] = [Fault::Full, Fault::Broken, Fault::Killed];
/// Rows of each drop: enough to fill some thirty pages.
const ROWS: u64 = 300;

/// What the record holder's folder has beside the drop that answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// A newer drop.
    Newer,
    /// Nothing: the drop that answers was taken away, and could not be read again.
    Nothing,
}

/// How many rows are answered from which drop.
struct Rows {
    old: u64,
    new: u64,
}

impl Rows {
    fn read(line: &Value) -> Option<Self> {
        Some(Rows {
            old: line["old"].as_u64()?,
            new: line["new"].as_u64()?,
        })
    }

    fn are_of_one(&self) -> bool {
        self.old == 0 || self.new == 0
    }

    fn is_whole(&self, holder: Holder) -> bool {
        match holder {
            Holder::Newer => [(ROWS, 0), (0, ROWS)].contains(&(self.old, self.new)),
            Holder::Nothing => (self.old, self.new) == (ROWS, 0),
        }
    }
}

/// Builds the program that imports; `planted` for the one with a bug.
///
/// # Errors
/// It does not build.
pub(super) fn build(planted: bool) -> Result<PathBuf, String> {
    let features: &[&str] = if planted { &["--features", "planted"] } else { &[] };
    let words = [
        "build",
        "--locked",
        "--quiet",
        "--package",
        "sources",
        "--example",
        "importer",
    ];
    run::show(run::cargo(words).args(features))?;
    let built = run::target().join("debug/examples/importer");
    let copy = run::target()
        .join("rigs")
        .join(if planted { "importer-planted" } else { "importer" });
    fs::create_dir_all(run::target().join("rigs")).map_err(|e| e.to_string())?;
    fs::copy(&built, &copy).map_err(|e| format!("{}: {e}", built.display()))?;
    Ok(copy)
}

/// Counts the calls of an import, and lets them fail one after the other, with a newer drop and without.
///
/// # Errors
/// The program does not import on a sound disk.
pub(super) fn measure(
    importer: &Path,
    bug: Option<&str>,
    shim: &Shim,
    folder: &Path,
    sample: Option<usize>,
) -> Result<Found, String> {
    let begun = folder.join("begun");
    fs::create_dir_all(&begun).map_err(|e| format!("{}: {e}", begun.display()))?;
    let importer = Importer {
        program: importer,
        bug,
        shim,
        folder,
    };
    importer
        .run("prepare", &begun, &[])?
        .ok_or("no drop can be prepared")?;
    let mut found = Found::default();
    for holder in [Holder::Newer, Holder::Nothing] {
        let mut sound = Found::default();
        let sites = importer.round(holder, None, &mut sound)?;
        if !sound.exceptions.is_empty() {
            return Err(format!("on a sound disk: {}", sound.exceptions.join("; ")));
        }
        eprintln!("  an import makes {sites} calls");
        found.sites += sites;
        for fault in faults(sites, &WAYS, sample) {
            found.faults += importer.round(holder, Some(fault), &mut found)? as u64;
            // A bug that is found is found.
            if bug.is_some() && found.grave > 0 {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

struct Importer<'a> {
    program: &'a Path,
    bug: Option<&'a str>,
    shim: &'a Shim,
    folder: &'a Path,
}

impl Importer<'_> {
    /// One import, and what must be true after it; how many calls were noted.
    fn round(
        &self,
        holder: Holder,
        fault: Option<(usize, Fault)>,
        found: &mut Found,
    ) -> Result<usize, String> {
        let (folder, sites) = (self.folder.join("round"), self.folder.join("sites"));
        drop(fs::remove_file(&sites));
        drop(fs::remove_dir_all(&folder));
        shim::copy(&self.folder.join("begun"), &folder)?;
        if holder == Holder::Nothing {
            let dropped = folder.join("in");
            fs::remove_dir_all(&dropped)
                .and_then(|()| fs::create_dir(&dropped))
                .map_err(|e| format!("{}: {e}", dropped.display()))?;
        }
        let nothing = Path::new("");
        let variables = self.shim.variables(&folder, nothing, &sites, fault);
        let mut wrong = vec![];
        // A process that was killed says nothing.
        if let Some(line) = self.run("import", &folder, &variables)?
            && !Rows::read(&line).is_some_and(|rows| rows.are_of_one())
        {
            wrong.push(format!("rows of two drops answer: {line}"));
        }
        let line = self
            .run("check", &folder, &[])?
            .ok_or("the check of a drop ends early")?;
        if !Rows::read(&line["before"]).is_some_and(|rows| rows.is_whole(holder)) {
            wrong.push(format!("after the next start answer {}", line["before"]));
            found.grave += 1;
        }
        let expected = match holder {
            Holder::Newer => (0, ROWS),
            Holder::Nothing => (ROWS, 0),
        };
        if Rows::read(&line["after"]).is_none_or(|rows| (rows.old, rows.new) != expected) {
            wrong.push(format!("after the next look answer {}", line["after"]));
        }
        if line["files"] != 2 {
            wrong.push(format!("{} files are left of what is one drop", line["files"]));
        }
        let noted = shim::noted(&sites, &folder);
        let place = match (fault, noted.first()) {
            (Some((at, way)), Some(call)) => format!("{} at call {at} of an import, {call}", way.word()),
            _ => "an import without a fault".to_owned(),
        };
        found
            .exceptions
            .extend(wrong.iter().map(|what| format!("{place}: {what}")));
        Ok(noted.len())
    }

    /// Runs the program; its line, or none where it was killed or found no way to go on.
    fn run(
        &self,
        verb: &str,
        folder: &Path,
        variables: &[(&'static str, String)],
    ) -> Result<Option<Value>, String> {
        let mut command = Command::new(self.program);
        command
            .args([verb, &folder.display().to_string(), &ROWS.to_string()])
            .env("MINGCHA_PLANTED", self.bug.unwrap_or_default())
            .envs(variables.iter().cloned())
            .stderr(Stdio::null());
        let done = command
            .output()
            .map_err(|e| format!("{}: {e}", self.program.display()))?;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        Ok(text
            .lines()
            .last()
            .and_then(|line| serde_json::from_str(line).ok()))
    }
}
