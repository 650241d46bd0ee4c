//! What the machine must have beside the Rust toolchain, and how it gets it.
//!
//! On Debian as root, what is missing is installed. Elsewhere it is named, and nothing is skipped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::available_parallelism,
};

use crate::run;

/// How many cores this process may use.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Something that a part of the tests needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// A PostgreSQL server's programs.
    Postgres,
    /// A MariaDB server's programs.
    MariaDb,
    /// The browser of the browser tests.
    Chromium,
    /// Chinese letters for it.
    CjkFonts,
    /// What drives the browser.
    Node,
    /// What fetches the driver, by lock file.
    Npm,
    /// What shows the system calls of `fault order`.
    Strace,
}

impl Need {
    fn package(self) -> &'static str {
        match self {
            Need::Postgres => "postgresql",
            Need::MariaDb => "mariadb-server",
            Need::Chromium => "chromium",
            Need::CjkFonts => "fonts-noto-cjk",
            Need::Node => "nodejs",
            Need::Npm => "npm",
            Need::Strace => "strace",
        }
    }

    fn is_there(self) -> bool {
        match self {
            Need::Postgres => postgres_program("initdb").is_some(),
            Need::MariaDb => mariadb_program("mariadbd").is_some(),
            Need::Chromium => chromium().is_some(),
            Need::CjkFonts => has_cjk_font(),
            Need::Node => run::which("node").is_some(),
            Need::Npm => run::which("npm").is_some(),
            Need::Strace => run::which("strace").is_some(),
        }
    }
}

/// A program of PostgreSQL's server: Debian keeps them outside the search path, by version; the newest is taken.
pub(crate) fn postgres_program(program: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let version = |p: &Path| p.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions
        .map(|v| v.path())
        .filter(|v| version(v).is_some())
        .max_by_key(|v| version(v));
    let installed = newest
        .map(|v| v.join("bin").join(program))
        .filter(|p| p.is_file());
    installed.or_else(|| run::which(program))
}

/// A program of MariaDB's server, which Debian keeps where only root looks.
pub(crate) fn mariadb_program(program: &str) -> Option<PathBuf> {
    let kept = PathBuf::from("/usr/sbin").join(program);
    run::which(program).or_else(|| kept.is_file().then_some(kept))
}

/// The browser.
pub(crate) fn chromium() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .find_map(|name| run::which(name))
}

fn has_cjk_font() -> bool {
    let noto = [
        "/usr/share/fonts/opentype/noto",
        "/usr/share/fonts/noto-cjk",
        "/usr/share/fonts/google-noto-cjk",
    ];
    let files = noto
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .flatten();
    let mut names = files.map(|f| f.file_name().to_string_lossy().into_owned());
    names.any(|name| name.contains("CJK"))
}

/// Whether the program runs as root.
pub(crate) fn is_root() -> bool {
    user_id("").is_some_and(|id| id == 0)
}

/// The number of a user of the system; of oneself for the empty name.
pub(crate) fn user_id(name: &str) -> Option<u32> {
    number("-u", name)
}

/// The number of a user's main group.
pub(crate) fn group_id(name: &str) -> Option<u32> {
    number("-g", name)
}

fn number(option: &str, name: &str) -> Option<u32> {
    let user = Some(name).filter(|n| !n.is_empty());
    let told = Command::new("id")
        .arg(option)
        .args(user)
        .output()
        .ok()
        .filter(|o| o.status.success())?;
    String::from_utf8(told.stdout).ok()?.trim().parse().ok()
}

/// Whether all of `needs` are there.
///
/// # Errors
/// Names what is missing.
pub(crate) fn require(needs: &[Need]) -> Result<(), String> {
    let list = packages(needs).join(" ");
    if list.is_empty() {
        return Ok(());
    }
    Err(format!(
        "this machine lacks: {list}. On Debian: apt-get install {list}; elsewhere install what corresponds to it"
    ))
}

/// Makes sure that all of `needs` are there: installs what is missing on Debian as root.
///
/// # Errors
/// Names what is missing, where it may not be installed from here or could not be.
pub(crate) fn ensure(needs: &[Need]) -> Result<(), String> {
    let missing = packages(needs);
    if missing.is_empty() || !is_debian() || !is_root() {
        return require(needs);
    }
    let list = missing.join(" ");
    eprintln!("installing what is missing: {list}");
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
        command
    };
    run::show(apt().arg("update"))?;
    run::show(
        apt()
            .args(["install", "-y", "--no-install-recommends"])
            .args(&missing),
    )?;
    require(needs)
}

/// The packages that bring what is missing.
fn packages(needs: &[Need]) -> Vec<&'static str> {
    needs
        .iter()
        .filter(|need| !need.is_there())
        .map(|need| need.package())
        .collect()
}

fn is_debian() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    release.lines().any(|line| line == "ID=debian")
}
