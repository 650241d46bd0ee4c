//! A disk that fails at one call: a small library in C, which is put before the C library of the program under test.
//!
//! A tracer counts calls for each thread by itself, so that "the 40th" would be one in each thread, or in none.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::run;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// EIO: the disk is broken.
    Broken,
    /// ENOSPC: it is full, after half of what was to be written.
    Full,
    /// The process ends before the call.
    Killed,
}

impl Fault {
    /// The word of the error.
    pub(super) fn word(self) -> &'static str {
        match self {
            Fault::Broken => "EIO",
            Fault::Full => "ENOSPC",
            Fault::Killed => "KILL",
        }
    }
}

/// The library.
pub(super) struct Shim(PathBuf);

/// Compiles it.
///
/// # Errors
/// There is no C compiler.
pub(super) fn build(folder: &Path) -> Result<Shim, String> {
    let source = run::root().join("xtask/src/fault/disk/failing.c");
    let library = folder.join("failing.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-Wall", "-Wextra", "-shared", "-fPIC", "-o"]);
    run::show(compiler.arg(&library).arg(source))?;
    Ok(Shim(library))
}

impl Shim {
    /// The variables by which the calls below `folder`, but for those below `except`, are counted into `sites`, or one
    /// of them fails.
    pub(super) fn variables(
        &self,
        folder: &Path,
        except: &Path,
        sites: &Path,
        fault: Option<(usize, Fault)>,
    ) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.display().to_string();
        let (at, word) = fault.map_or((0, ""), |(at, fault)| (at, fault.word()));
        vec![
            ("LD_PRELOAD", text(&self.0)),
            ("DISK_FOLDER", format!("{}/", folder.display())),
            ("DISK_EXCEPT", text(except)),
            ("DISK_SITES", text(sites)),
            ("DISK_AT", at.to_string()),
            ("DISK_ERROR", word.to_owned()),
        ]
    }
}

/// The calls that were noted, without the folder in which everything lies.
pub(super) fn noted(sites: &Path, folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(sites).unwrap_or_default();
    let folder = format!("{}/", folder.display());
    text.lines().map(|line| line.replace(&folder, "")).collect()
}

/// Copies a folder and all that is in it.
///
/// # Errors
/// It cannot be read, or the copy cannot be written.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let told = |e: std::io::Error| format!("{} to {}: {e}", from.display(), to.display());
    fs::create_dir_all(to).map_err(told)?;
    for entry in fs::read_dir(from).map_err(told)? {
        let entry = entry.map_err(told)?;
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &copied)?;
        } else {
            fs::copy(&path, &copied).map_err(told)?;
        }
    }
    Ok(())
}
