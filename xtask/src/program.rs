//! The program under test: built as it is, or with a bug planted, and started as the demo.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread::sleep,
    time::Duration,
};

use ledger::VerifierKey;

use crate::{http::Client, run};

/// How long a start may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// As it is.
    Plain,
    /// With bugs that a variable switches on.
    Planted,
    /// As it is shipped, without the demo.
    Shipped,
}

/// Builds the program and gives the path of a copy: the next build writes over the original.
///
/// # Errors
/// It does not build.
pub(crate) fn build(build: Build, release: bool) -> Result<PathBuf, String> {
    let name = match build {
        Build::Plain => "mingcha",
        Build::Planted => "mingcha-planted",
        Build::Shipped => "mingcha-shipped",
    };
    eprintln!("building {name}");
    let mut cargo = run::cargo([
        "build",
        "--locked",
        "--quiet",
        "--package",
        "gateway",
        "--bin",
        "mingcha",
    ]);
    if release {
        cargo.arg("--release");
    }
    match build {
        Build::Plain => {}
        Build::Planted => drop(cargo.args(["--features", "planted"])),
        Build::Shipped => drop(cargo.arg("--no-default-features")),
    }
    run::show(&mut cargo)?;
    let profile = if release { "release" } else { "debug" };
    let (built, folder) = (
        run::target().join(profile).join("mingcha"),
        run::target().join("rigs").join(profile),
    );
    let copy = folder.join(name);
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    fs::copy(&built, &copy).map_err(|e| format!("{}: {e}", copy.display()))?;
    Ok(copy)
}

/// How the demo is started, again and again at the same addresses.
#[derive(Clone)]
pub(crate) struct Setup<'a> {
    program: &'a Path,
    folder: &'a Path,
    bug: Option<&'a str>,
    trace: &'a str,
    under: Vec<String>,
    further: Vec<String>,
    variables: Vec<(&'static str, String)>,
    /// Where the portal and the API are.
    pub(crate) address: SocketAddr,
    /// Where the metrics are.
    pub(crate) metrics: SocketAddr,
}

/// A running demo. It is killed when this is dropped.
pub(crate) struct Demo {
    process: Child,
    /// How long it took until it answered.
    pub(crate) ready_after: Duration,
}

impl<'a> Setup<'a> {
    /// This program; everything that it writes goes into this folder.
    ///
    /// # Errors
    /// There are no free ports.
    pub(crate) fn new(program: &'a Path, folder: &'a Path) -> Result<Self, String> {
        let (address, metrics) = (free_address()?, free_address()?);
        Ok(Setup {
            program,
            folder,
            bug: None,
            trace: "warn",
            under: vec![],
            further: vec![],
            variables: vec![],
            address,
            metrics,
        })
    }

    /// With a planted bug that acts.
    pub(crate) fn with_bug(self, bug: Option<&'a str>) -> Self {
        Setup { bug, ..self }
    }

    /// With more or fewer traces.
    pub(crate) fn with_trace(self, trace: &'a str) -> Self {
        Setup { trace, ..self }
    }

    /// Under another program, such as `strace` and its options.
    pub(crate) fn with_under(self, under: Vec<String>) -> Self {
        Setup { under, ..self }
    }

    /// With further options of the demo.
    pub(crate) fn with_further(self, further: Vec<String>) -> Self {
        Setup { further, ..self }
    }

    /// Registers so many of the computed crowd in a new database; the token of each.
    ///
    /// # Errors
    /// It fails.
    pub(crate) fn seed(&self, people: usize) -> Result<Vec<String>, String> {
        let tokens = run::output(self.command().args(["--seed", &people.to_string()]))?;
        Ok(tokens.lines().map(str::to_owned).collect())
    }

    /// With these variables of the environment.
    pub(crate) fn with_variables(self, variables: Vec<(&'static str, String)>) -> Self {
        Setup { variables, ..self }
    }

    /// The folder of the demo's database.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The journal of the simulated authorities.
    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.join("authorities.journal")
    }

    /// Where standard error goes, which is where traces are.
    pub(crate) fn traces(&self) -> PathBuf {
        self.folder.join("traces")
    }

    fn command(&self) -> Command {
        let mut words = self
            .under
            .iter()
            .map(Into::into)
            .chain([self.program.as_os_str().to_owned()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command
            .args(words)
            .env("MINGCHA_TRACE", self.trace)
            .env_remove("MINGCHA_PLANTED")
            .envs(self.variables.iter().cloned());
        if let Some(bug) = self.bug {
            command.env("MINGCHA_PLANTED", bug);
        }
        command.arg("demo").arg("--data").arg(self.data());
        command
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// It does not, and what it said.
    pub(crate) fn start(&self) -> Result<Demo, String> {
        let (address, metrics) = (self.address, self.metrics);
        let told = |e: std::io::Error| format!("{}: {e}", self.folder.display());
        let append = |path: PathBuf| File::options().create(true).append(true).open(path).map_err(told);
        fs::create_dir_all(self.folder).map_err(told)?;
        let mut command = self.command();
        command.arg("--journal").arg(self.journal()).args(&self.further);
        command.args([
            "--listen",
            &address.to_string(),
            "--metrics",
            &metrics.to_string(),
        ]);
        command
            .stdin(Stdio::null())
            .stdout(append(self.folder.join("output"))?)
            .stderr(append(self.traces())?);
        let watch = run::Stopwatch::start();
        let process = command
            .spawn()
            .map_err(|e| format!("{}: {e}", self.program.display()))?;
        let mut demo = Demo {
            process,
            ready_after: Duration::ZERO,
        };
        while watch.elapsed() < PATIENCE {
            if Client::new(address).get("/readyz").is_ok_and(|r| r.status == 200) {
                demo.ready_after = watch.elapsed();
                return Ok(demo);
            }
            if demo.process.try_wait().is_ok_and(|ended| ended.is_some()) {
                break;
            }
            sleep(Duration::from_millis(5));
        }
        let traces = fs::read_to_string(self.traces()).unwrap_or_default();
        let last: Vec<&str> = traces.lines().rev().take(5).collect();
        Err(format!("the demo does not start: {}", last.join(" / ")))
    }

    /// Runs `demo --check` over what a demo left; whether all was sound, and what it said.
    ///
    /// # Errors
    /// It cannot be run.
    pub(crate) fn check(&self) -> Result<(bool, String), String> {
        let done = self
            .command()
            .arg("--check")
            .output()
            .map_err(|e| e.to_string())?;
        let text = [done.stdout, done.stderr].concat();
        Ok((done.status.success(), String::from_utf8_lossy(&text).into_owned()))
    }

    /// The log's public keys, as the demo printed them at its last start; by Ed25519 first.
    ///
    /// # Errors
    /// It printed none.
    pub(crate) fn log_keys(&self) -> Result<Vec<String>, String> {
        let output = fs::read_to_string(self.folder.join("output")).unwrap_or_default();
        let mut keys: Vec<String> = vec![];
        for word in output
            .split_whitespace()
            .filter(|word| VerifierKey::parse(word).is_ok())
        {
            if !keys.iter().any(|key| key == word) {
                keys.push(word.to_owned());
            }
        }
        if keys.is_empty() {
            Err("the demo printed no log key".to_owned())
        } else {
            Ok(keys)
        }
    }
}

impl Setup<'_> {
    /// Where the simulated authorities of the demo that runs listen, as it printed.
    pub(crate) fn authorities(&self) -> Option<SocketAddr> {
        let output = fs::read_to_string(self.folder.join("output")).ok()?;
        let lines = output
            .lines()
            .rev()
            .filter_map(|line| line.trim().strip_prefix("Authorities"));
        lines
            .filter_map(|line| {
                line.trim()
                    .strip_prefix("http://")?
                    .trim_end_matches('/')
                    .parse()
                    .ok()
            })
            .next()
    }
}

impl Demo {
    /// It has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.try_wait().is_ok_and(|ended| ended.is_some())
    }

    /// Kills it, as a crash does: no handler runs, nothing is flushed. Where it runs under another program, that one's
    /// child first, which would live on.
    pub(crate) fn kill(&mut self) {
        let pid = self.process.id();
        let below = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in below.split_whitespace() {
            drop(Command::new("kill").args(["-KILL", child]).status());
            // It may still be in a write; until it is gone it holds the folder.
            let watch = run::Stopwatch::start();
            while Path::new("/proc").join(child).exists() && watch.elapsed() < PATIENCE {
                sleep(Duration::from_millis(1));
            }
        }
        drop(self.process.kill());
        drop(self.process.wait());
    }

    /// Asks it to end, as an operator does, and waits for it.
    ///
    /// # Errors
    /// It did not end by itself.
    pub(crate) fn stop_and_wait(self) -> Result<(), String> {
        let pid = self.process.id();
        self.stop(pid)
    }

    /// As [`Demo::stop_and_wait`], where it runs under another program and has another number.
    ///
    /// # Errors
    /// It did not end by itself.
    pub(crate) fn stop(mut self, pid: u32) -> Result<(), String> {
        let pid = pid.to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        if !asked.is_ok_and(|s| s.success()) {
            return Err(format!("process {pid} cannot be told to end"));
        }
        let watch = run::Stopwatch::start();
        while watch.elapsed() < PATIENCE {
            if self.process.try_wait().is_ok_and(|ended| ended.is_some()) {
                return Ok(());
            }
            sleep(Duration::from_millis(10));
        }
        Err("the demo does not end".to_owned())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Ports below those that the system gives to whoever asks for any: a port of these stays free while its program is
/// down, to be started again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A port that was free a moment ago, another one at each call.
///
/// # Errors
/// There is none.
#[expect(
    clippy::disallowed_methods,
    reason = "looks whether a port is free, and lets it go"
)]
pub(crate) fn free_address() -> Result<SocketAddr, String> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % 977).unwrap_or(0) * 12;
    let port = |n: u16| PORTS.start + (own + n) % (PORTS.end - PORTS.start);
    for _ in PORTS {
        let address = SocketAddr::from((
            [127, 0, 0, 1],
            port(NEXT.fetch_add(1, Ordering::Relaxed) % 12_000),
        ));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(format!("no port of {PORTS:?} is free"))
}
