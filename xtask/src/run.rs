//! Running other programs: where, with what shown, and what they said.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The root of the workspace: the folder above this package, or where one stands if cargo did not start us.
pub(crate) fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    package
        .as_deref()
        .and_then(Path::parent)
        .map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// The folder in which cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// `cargo` as it was called, at the root of the workspace, by the lock file.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(arguments)
        .current_dir(root())
        .env("CARGO_TERM_COLOR", "never");
    // What cargo tells the program that it runs would make the packages below think that they are this one.
    for (name, _) in std::env::vars_os().filter(|(n, _)| is_cargos_word(n)) {
        command.env_remove(name);
    }
    command
}

fn is_cargos_word(name: &OsStr) -> bool {
    name.to_str()
        .is_some_and(|n| n.starts_with("CARGO_PKG_") || n.starts_with("CARGO_MANIFEST_"))
}

/// Runs a program that writes to this terminal.
///
/// # Errors
/// It is missing, or it failed.
pub(crate) fn show(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| cannot_run(command, &e))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} failed ({status})", name(command)))
    }
}

/// Runs a program and gives what it wrote to standard output; its standard error goes to the terminal.
///
/// # Errors
/// It is missing, or it failed.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let done = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| cannot_run(command, &e))?;
    if !done.status.success() {
        return Err(format!("{} failed ({})", name(command), done.status));
    }
    String::from_utf8(done.stdout).map_err(|_| format!("{} did not write UTF-8", name(command)))
}

/// Runs a program and hands each line that it writes, to either stream, to `line`; whether it succeeded.
///
/// # Errors
/// It is missing.
pub(crate) fn lines(command: &mut Command, mut line: impl FnMut(&str) + Send) -> Result<bool, String> {
    let spawned = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.map_err(|e| cannot_run(command, &e))?;
    let (sender, receiver) = std::sync::mpsc::channel();
    let streams: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|s| Box::new(s) as Box<dyn Read + Send>),
        child.stderr.take().map(|s| Box::new(s) as Box<dyn Read + Send>),
    ];
    thread::scope(|scope| {
        for stream in streams.into_iter().flatten() {
            let sender = sender.clone();
            scope.spawn(move || read_lines(stream, &sender));
        }
        drop(sender);
        for text in receiver {
            line(&text);
        }
    });
    let status = child.wait().map_err(|e| cannot_run(command, &e))?;
    Ok(status.success())
}

fn read_lines(stream: impl Read, sender: &std::sync::mpsc::Sender<String>) {
    let mut reader = BufReader::new(stream);
    let mut bytes = vec![];
    while reader.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        bytes.clear();
        if sender.send(text).is_err() {
            break;
        }
    }
}

/// Where a program is on the search path.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// How long something takes.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// From now on.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a check took is told to the developer, nothing more"
    )]
    pub(crate) fn start() -> Self {
        Stopwatch(Instant::now())
    }

    /// Until now.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

fn name(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn cannot_run(command: &Command, error: &std::io::Error) -> String {
    format!(
        "{} cannot be run: {error}",
        command.get_program().to_string_lossy()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_streams_arrive_and_the_end_is_told() {
        let mut seen = vec![];
        let script = "echo one; echo two >&2; exit 3";
        let fine = lines(Command::new("sh").args(["-c", script]), |l| {
            seen.push(l.to_owned())
        })
        .unwrap();
        seen.sort();
        assert_eq!((fine, seen), (false, vec!["one".to_owned(), "two".to_owned()]));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = show(&mut Command::new("no-such-program")).unwrap_err();
        assert!(error.contains("no-such-program"), "{error}");
    }
}
