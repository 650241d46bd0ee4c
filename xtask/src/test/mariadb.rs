//! MariaDB for the tests: the one that is named, or a private server in a temporary folder that goes away.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use super::postgres::free_port;
use crate::{machine, run};

/// The variable that names a database for tests.
pub(crate) const VARIABLE: &str = "MINGCHA_TEST_MARIADB";
/// How long a new server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the environment names one.
pub(crate) fn is_named() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// A server that can be written to. A private one stops when this is dropped.
pub(crate) struct Server {
    /// How the tests reach it.
    pub(crate) url: String,
    _private: Option<Private>,
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
            eprintln!("MariaDB: the one that {VARIABLE} names");
            return Ok(Server { url, _private: None });
        }
        let folder = std::env::temp_dir().join(format!("mingcha-mariadb-{}", std::process::id()));
        let port = free_port()?;
        let process = start(&folder, port).inspect_err(|_| drop(fs::remove_dir_all(&folder)))?;
        let mut private = Private { folder, process };
        private.wait_until_ready(port)?;
        eprintln!("MariaDB: a private server on port {port}");
        let url = format!("mysql://root@127.0.0.1:{port}/test");
        Ok(Server {
            url,
            _private: Some(private),
        })
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let asked = Command::new("kill")
            .args(["-TERM", &self.process.id().to_string()])
            .status();
        if !asked.is_ok_and(|s| s.success()) {
            drop(self.process.kill());
        }
        drop(self.process.wait());
        drop(fs::remove_dir_all(&self.folder));
        eprintln!("MariaDB: the private server is stopped");
    }
}

impl Private {
    fn wait_until_ready(&mut self, port: u16) -> Result<(), String> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let step = Duration::from_millis(100);
        for _ in 0..PATIENCE.as_millis() / step.as_millis() {
            if is_there(address) {
                return Ok(());
            }
            if self.process.try_wait().is_ok_and(|ended| ended.is_some()) {
                break;
            }
            sleep(step);
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        Err(format!("MariaDB does not start: {}", log.trim()))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask is no part of what is shipped, and asks only whether a port answers"
)]
fn is_there(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

/// Makes a data folder, whose root has no password and whose database is `test`, and starts a server on it.
fn start(folder: &Path, port: u16) -> Result<Child, String> {
    let told = |e: std::io::Error| format!("{}: {e}", folder.display());
    fs::create_dir_all(folder).map_err(told)?;
    let data = format!("--datadir={}", folder.join("data").display());
    let user = machine::is_root().then_some("--user=root");
    let mut make = Command::new(program("mariadb-install-db")?);
    make.arg("--no-defaults").arg(&data).args(user);
    make.args(["--auth-root-authentication-method=normal", "--skip-name-resolve"]);
    run::output(&mut make)?;
    let log = fs::File::create(folder.join("log")).map_err(told)?;
    let mut serve = Command::new(program("mariadbd")?);
    serve
        .arg("--no-defaults")
        .arg(&data)
        .args(user)
        .arg(format!("--port={port}"));
    serve.arg(format!("--socket={}", folder.join("socket").display()));
    serve.args(["--bind-address=127.0.0.1", "--skip-name-resolve"]);
    serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    serve.spawn().map_err(|e| format!("mariadbd cannot be run: {e}"))
}

fn program(name: &str) -> Result<PathBuf, String> {
    machine::mariadb_program(name).ok_or_else(|| format!("{name} of MariaDB is not there"))
}
