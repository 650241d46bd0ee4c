//! The program's commands, each run as its user would: the demo once through, identifiers from standard input, the
//! kinds, and what an operator does with a deployment that is not running.

use std::{
    fs,
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};

use super::{
    exported,
    shipped::{self, Place},
    tally::Tally,
};
use crate::{random::Dice, run, scratch::Scratch};

/// What `mingcha inspect` reads.
const IDENTIFIERS: [&str; 5] = [
    "id-number",
    "plate",
    "vin",
    "certificate-number",
    "licence-file-number",
];
/// Random lines for each of them: a million in all.
const LINES: usize = 200_000;
/// What identifiers are made of, so that some lines come close to being one.
const ALPHABET: &[u8] = "0123456789XxJLB-OI京粤ＡＢ０１ \t\0\u{202e}学警".as_bytes();

/// Who plays with invented people, and by which options it is told where to listen.
const OF_THIS_MACHINE: [(&str, &str); 3] = [
    ("demo", "--listen"),
    ("demo", "--metrics"),
    ("sandbox", "--listen"),
];
/// Where everybody would reach it.
const OUTSIDE: [&str; 2] = ["0.0.0.0:0", "[::]:0"];

/// Runs what needs no deployment.
///
/// # Errors
/// The program cannot be run.
pub(super) fn alone(program: &Path, tally: &mut Tally) -> Result<(), String> {
    tally.check("demo --once", demo_once(program));
    for (command, option) in OF_THIS_MACHINE {
        let name = format!("{command} {option} keeps to this machine");
        tally.check(&name, keeps_to_this_machine(program, command, option));
    }
    for of_type in IDENTIFIERS {
        let name = format!("inspect --stdin, {LINES} lines as {of_type}");
        tally.check(&name, inspects(program, of_type));
    }
    tally.check("inspect VALUE --json, as it is documented", inspects_one(program));
    for entry in fs::read_dir(run::root().join("kinds")).map_err(|e| e.to_string())? {
        let folder = entry.map_err(|e| e.to_string())?.path();
        let checked = output(Command::new(program).args(["kind", "check"]).arg(&folder));
        let name = format!("kind check {}", folder.file_name().unwrap_or_default().display());
        tally.check(&name, checked.and_then(succeeded).map(drop));
    }
    Ok(())
}

/// Eight rows, each with its source and its age, each verified.
fn demo_once(program: &Path) -> Result<(), String> {
    let kinds = fs::read_dir(run::root().join("kinds"))
        .map_err(|e| e.to_string())?
        .count();
    let scratch = Scratch::new("once")?;
    let mut command = Command::new(program);
    command
        .args(["demo", "--once", "--data"])
        .arg(scratch.path().join("data"));
    let said = succeeded(output(&mut command)?)?;
    let rows = said.lines().filter(|line| line.contains("verified, ")).count();
    if rows == kinds && said.contains(&format!("{kinds} rows, 0 off")) {
        Ok(())
    } else {
        Err(format!("{kinds} kinds and this table:\n{said}"))
    }
}

/// It does not listen where others reach it, says why, and has made nothing by then.
fn keeps_to_this_machine(program: &Path, command: &str, option: &str) -> Result<(), String> {
    // A demo that listened all the same would end by itself.
    let words: &[&str] = match command {
        "demo" => &["--once", "--data"],
        _ => &["--write-sources"],
    };
    let scratch = Scratch::new("outside")?;
    let folder = scratch.path().join("made");
    for address in OUTSIDE {
        let mut asked = Command::new(program);
        asked.args([command, option, address]).args(words).arg(&folder);
        asked
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let child = asked.spawn().map_err(|e| e.to_string())?;
        shipped::refuses(child, "listens on this machine only").map_err(|e| format!("{address}: {e}"))?;
        if folder.exists() {
            return Err(format!("{address}: it refused, and made {}", folder.display()));
        }
    }
    Ok(())
}

/// One identifier of each type by the documented form, valid and not; a type that there is not; none at all.
fn inspects_one(program: &Path) -> Result<(), String> {
    const CASES: [(&str, &str, bool); 10] = [
        ("id-number", "11010519491231002X", true),
        ("id-number", "110105194912310021", false),
        ("plate", "京A·12345", true),
        ("plate", "京A1234O", false),
        ("vin", "LSVAA49J132047371", true),
        ("vin", "LSVAA49J232047371", false),
        ("certificate-number", "J110101-2010-000001", true),
        ("certificate-number", "1", false),
        ("licence-file-number", "440312345645", true),
        ("licence-file-number", "44031234564", false),
    ];
    for (of_type, value, valid) in CASES {
        let done = output(Command::new(program).args(["inspect", "--type", of_type, value, "--json"]))?;
        let told: serde_json::Value =
            serde_json::from_slice(&done.stdout).map_err(|e| format!("{of_type} {value}: no JSON: {e}"))?;
        let members = ["valid", "normalized", "facts", "errors", "warnings"];
        let whole = told.as_object().is_some_and(|told| {
            told.len() == members.len() && members.iter().all(|member| told.contains_key(*member))
        });
        let code = i32::from(!valid);
        if !whole || told["valid"] != valid || done.status.code() != Some(code) {
            return Err(format!(
                "{of_type} {value} ended with {} and said {told}",
                done.status
            ));
        }
    }
    for wrong in [
        &["--type", "passport", "1", "--json"][..],
        &["--type", "vin", "--json"],
    ] {
        let done = output(Command::new(program).arg("inspect").args(wrong))?;
        if done.status.code() != Some(2) || !done.stdout.is_empty() {
            return Err(format!("{wrong:?} ended with {}", done.status));
        }
    }
    Ok(())
}

/// One answer for each line, whatever stands in it, and no panic.
fn inspects(program: &Path, of_type: &str) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(["inspect", "--type", of_type, "--stdin"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    let (input, told) = (child.stdin.take(), child.stdout.take());
    let (Some(input), Some(told)) = (input, told) else {
        return Err("it has no streams".to_owned());
    };
    let seed = of_type.len() as u64;
    let writer = thread::spawn(move || write_lines(seed, input));
    let answers = BufReader::new(told).lines().map_while(Result::ok);
    let answers = answers.filter(|line| line.starts_with("{\"valid\":")).count();
    drop(writer.join());
    let done = child.wait_with_output().map_err(|e| e.to_string())?;
    // 1: some were not valid, as is to be expected. A panic ends with 101.
    if answers == LINES && done.status.code() == Some(1) {
        Ok(())
    } else {
        let errors = String::from_utf8_lossy(&done.stderr).into_owned();
        Err(format!("{answers} answers, {}: {errors}", done.status))
    }
}

fn write_lines(seed: u64, input: impl Write) -> std::io::Result<()> {
    let mut dice = Dice::new(seed);
    let mut input = BufWriter::new(input);
    for _ in 0..LINES {
        for _ in 0..dice.below(24) {
            let at = usize::try_from(dice.below(ALPHABET.len() as u64)).unwrap_or(0);
            let any = u8::try_from(dice.below(256)).unwrap_or(0);
            let byte = if dice.below(8) == 0 { any } else { ALPHABET[at] };
            input.write_all(&[if byte == b'\n' { b' ' } else { byte }])?;
        }
        input.write_all(b"\n")?;
    }
    input.flush()
}

/// How an operator rotates the root key.
const ROTATE: [&str; 4] = ["keys", "rotate", "--by", "wang"];

/// Runs what an operator does with a deployment that has run and does not run now.
pub(super) fn deployment(place: &Place<'_>, tally: &mut Tally) {
    tally.check(
        "log export writes the whole log, and neither it nor doctor changes anything",
        looks_only(place),
    );
    tally.check("keys rotate, and all is sound after it", rotates(place));
    tally.check(
        "doctor finds a database put back to an older state",
        finds_older(place),
    );
    tally.check(
        "doctor finds no deployment where there is none",
        finds_none(place),
    );
}

/// The log that is exported after the checks is the one that was exported before, and whole.
fn looks_only(place: &Place<'_>) -> Result<(), String> {
    let exported = |name: &str| -> Result<String, String> {
        let folder = place.folder.join(name);
        let said = succeeded(place.command(&["log", "export"], Some(&folder))?)?;
        exported::whole(&folder, &said)
    };
    let before = exported("export-1")?;
    let said = succeeded(place.command(&["doctor"], None)?)?;
    let after = exported("export-2")?;
    if before != after || said.contains("WRONG") || !said.contains("ok ") {
        return Err(format!("{before}\nbecame\n{after}\nand doctor said\n{said}"));
    }
    Ok(())
}

fn rotates(place: &Place<'_>) -> Result<(), String> {
    succeeded(place.command(&ROTATE, None)?)?;
    succeeded(place.command(&["doctor"], None)?).map(drop)
}

/// A copy from before the rotation, which is an entry of the log.
fn finds_older(place: &Place<'_>) -> Result<(), String> {
    let older = Database::read(place)?;
    succeeded(place.command(&ROTATE, None)?)?;
    let newer = Database::read(place)?;
    older.put(place)?;
    let done = place.command(&["doctor"], None)?;
    newer.put(place)?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    if done.status.success() || !said.contains("were sealed") {
        return Err(format!("doctor ended with {} and said: {said}", done.status));
    }
    succeeded(place.command(&["doctor"], None)?).map(drop)
}

/// A database with what SQLite keeps beside it, when nobody has it open.
struct Database([Option<Vec<u8>>; 2]);

impl Database {
    const FILES: [&str; 2] = ["data/mingcha.sqlite", "data/mingcha.sqlite-wal"];

    fn read(place: &Place<'_>) -> Result<Self, String> {
        let files = Self::FILES.map(|name| fs::read(place.folder.join(name)).ok());
        if files[0].is_none() {
            return Err(format!("{} cannot be read", Self::FILES[0]));
        }
        Ok(Database(files))
    }

    fn put(&self, place: &Place<'_>) -> Result<(), String> {
        // It is made anew from the others.
        drop(fs::remove_file(place.folder.join("data/mingcha.sqlite-shm")));
        for (name, bytes) in Self::FILES.iter().zip(&self.0) {
            let path = place.folder.join(name);
            match bytes {
                Some(bytes) => fs::write(&path, bytes).map_err(|e| format!("{name}: {e}"))?,
                None => drop(fs::remove_file(&path)),
            }
        }
        Ok(())
    }
}

/// A configuration that names another folder makes neither keys nor a database.
fn finds_none(place: &Place<'_>) -> Result<(), String> {
    let elsewhere = place.elsewhere()?;
    let done = output(
        Command::new(place.program)
            .args(["doctor", "--config"])
            .arg(&elsewhere)
            .env("SMS_AUTHORIZATION", "Bearer none"),
    )?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let made = place.folder.join("nowhere/mingcha.sqlite").exists();
    if done.status.success() || made || !said.contains("there are no root keys") {
        return Err(format!("doctor ended with {} and said: {said}", done.status));
    }
    Ok(())
}

/// Runs a program to its end.
pub(super) fn output(command: &mut Command) -> Result<Output, String> {
    let done = command.stdin(Stdio::null()).output();
    done.map_err(|e| format!("{}: {e}", command.get_program().display()))
}

/// What it said, if it ended well.
fn succeeded(done: Output) -> Result<String, String> {
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() {
        Ok(said)
    } else {
        let errors = String::from_utf8_lossy(&done.stderr);
        Err(format!("it ended with {}: {said}{errors}", done.status))
    }
}
