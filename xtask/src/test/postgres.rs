//! PostgreSQL for the tests: the one that is named, or a private cluster in a temporary folder that goes away.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use crate::{machine, run};

/// The variable that names a database for tests.
pub(crate) const VARIABLE: &str = "MINGCHA_TEST_POSTGRES";
/// How long a new server may take until it answers: a slow disk needs a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the environment names one.
pub(crate) fn is_named() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// A server that can be written to. A private one stops when this is dropped.
pub(crate) struct Server {
    /// How the tests reach it.
    pub(crate) url: String,
    private: Option<Private>,
}

struct Private {
    folder: PathBuf,
    process: Child,
}

impl Server {
    /// The named server, or a private one.
    ///
    /// # Errors
    /// The private one does not start; the text says what it wrote.
    pub(crate) fn find_or_start() -> Result<Self, String> {
        if let Ok(url) = std::env::var(VARIABLE) {
            eprintln!("PostgreSQL: the one that {VARIABLE} names");
            return Ok(Server { url, private: None });
        }
        let folder = std::env::temp_dir().join(format!("mingcha-postgres-{}", std::process::id()));
        let port = free_port()?;
        let process = start(&folder, port).inspect_err(|_| drop(fs::remove_dir_all(&folder)))?;
        let mut private = Private { folder, process };
        private.wait_until_ready(port)?;
        eprintln!("PostgreSQL: a private cluster on port {port}");
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        Ok(Server {
            url,
            private: Some(private),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.private.take().is_some() {
            eprintln!("PostgreSQL: the private cluster is stopped");
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // An interrupt is PostgreSQL's fast shutdown: it rolls back what is open and ends.
        let asked = Command::new("kill")
            .args(["-INT", &self.process.id().to_string()])
            .status();
        if !asked.is_ok_and(|s| s.success()) {
            drop(self.process.kill());
        }
        drop(self.process.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

impl Private {
    fn wait_until_ready(&mut self, port: u16) -> Result<(), String> {
        let ready = program("pg_isready")?;
        let port = port.to_string();
        let step = Duration::from_millis(100);
        let steps = PATIENCE.as_millis() / step.as_millis();
        for _ in 0..steps {
            let asked = Command::new(&ready)
                .args(["-q", "-h", "127.0.0.1", "-p", &port])
                .status();
            if asked.is_ok_and(|s| s.success()) {
                return Ok(());
            }
            if self.process.try_wait().is_ok_and(|ended| ended.is_some()) {
                break;
            }
            sleep(step);
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        Err(format!("PostgreSQL does not start: {}", log.trim()))
    }
}

/// Makes a cluster and starts it. fsync stays on: what the tests show must hold with it.
fn start(folder: &Path, port: u16) -> Result<Child, String> {
    let told = |e: std::io::Error| format!("{}: {e}", folder.display());
    fs::create_dir_all(folder).map_err(told)?;
    let owner = owner()?;
    if let Some((user, group)) = owner {
        chown(folder, Some(user), Some(group)).map_err(told)?;
    }
    let data = folder.join("data");
    let mut make = command(&program("initdb")?, owner, folder);
    make.arg("-D").arg(&data);
    make.args([
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-locale",
        "--no-sync",
    ]);
    run::output(&mut make)?;
    let log = fs::File::create(folder.join("log")).map_err(told)?;
    let mut serve = command(&program("postgres")?, owner, folder);
    serve
        .arg("-D")
        .arg(&data)
        .args(["-p", &port.to_string()])
        .arg("-k")
        .arg(folder);
    for setting in [
        "listen_addresses=127.0.0.1",
        "max_connections=400",
        "fsync=on",
        "synchronous_commit=on",
    ] {
        serve.args(["-c", setting]);
    }
    serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    serve.spawn().map_err(|e| format!("postgres cannot be run: {e}"))
}

/// PostgreSQL refuses to run as root, so then it runs as the user of its package.
fn owner() -> Result<Option<(u32, u32)>, String> {
    if !machine::is_root() {
        return Ok(None);
    }
    let found = machine::user_id("postgres").zip(machine::group_id("postgres"));
    found
        .map(Some)
        .ok_or_else(|| "PostgreSQL does not run as root, and there is no user postgres".to_owned())
}

fn command(program: &Path, owner: Option<(u32, u32)>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

fn program(name: &str) -> Result<PathBuf, String> {
    machine::postgres_program(name).ok_or_else(|| format!("{name} of PostgreSQL is not there"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "asks the system for a port, and lets it go"
)]
pub(super) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    listener
        .map(|a| a.port())
        .map_err(|e| format!("no free port: {e}"))
}
