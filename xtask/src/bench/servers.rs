//! The servers of a run: simulated authorities, proxy, gateways. Each ends when it is dropped.

use std::{
    cell::Cell,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::{
    Bench,
    load::{Asked, Target},
};
use crate::{
    program,
    run::{self, Stopwatch},
};

/// How long a server may take to answer at first.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a gateway is left alone before its memory is read.
const REST: Duration = Duration::from_secs(2);

/// The suite of cryptography.
#[derive(Clone, Copy)]
pub(crate) enum Suite {
    Intl,
    Gm,
}

impl Suite {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Suite::Intl => "intl",
            Suite::Gm => "gm",
        }
    }
}

/// A process that ends with this.
struct Running(Child);

impl Running {
    /// Starts it; its standard output is read by the caller.
    fn start(command: &mut Command) -> Result<Self, String> {
        let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        started
            .map(Running)
            .map_err(|e| format!("{}: {e}", command.get_program().to_string_lossy()))
    }

    /// The host and port in the first line that has a URL.
    fn address(&mut self) -> Result<String, String> {
        let output = self.0.stdout.take().ok_or("a server has no output")?;
        let told = BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let rest = line.split_once("http://")?.1;
                Some(rest.split(['/', ';', ' ']).next()?.to_owned())
            });
        told.ok_or_else(|| "a server ended without telling where it listens".to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The simulated authorities.
pub(crate) struct Sandbox {
    process: Running,
    address: String,
    sources: PathBuf,
    suite: Suite,
}

impl Sandbox {
    /// Starts them with the whole crowd, which costs no memory.
    ///
    /// # Errors
    /// They do not start.
    pub(crate) fn start(bench: &Bench, suite: Suite) -> Result<Self, String> {
        let sources = bench.place.at(&format!("sources-{}", suite.name()));
        let mut command = bench.cores.others(&bench.programs.gateway);
        command.args([
            "sandbox",
            "--listen",
            "127.0.0.1:0",
            "--suite",
            suite.name(),
            "--write-sources",
        ]);
        command
            .arg(&sources)
            .args(["--crowd", &bench.options.people.to_string()]);
        let mut process = Running::start(&mut command)?;
        let address = process.address()?;
        Ok(Sandbox {
            process,
            address,
            sources,
            suite,
        })
    }

    /// Their process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

/// The reverse proxy.
pub(crate) struct Proxy {
    /// For the load.
    pub(crate) target: Target,
    _process: Running,
}

impl Proxy {
    /// Starts it before the authorities.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start(bench: &Bench, upstream: &Sandbox) -> Result<Self, String> {
        let mut command = bench.cores.server(&bench.programs.proxy);
        let mut process = Running::start(command.arg(format!("http://{}", upstream.address)))?;
        let what = Asked::Proxy(upstream.sources.clone(), bench.options.people);
        let target = Target {
            what,
            address: process.address()?,
            pid: process.0.id(),
            next: Cell::new(0),
        };
        Ok(Proxy {
            target,
            _process: process,
        })
    }
}

/// A gateway on one database.
pub(crate) struct Gateway {
    /// For the load.
    pub(crate) target: Target,
    /// From exec to the first answered look-up.
    pub(crate) first_answer_ms: f64,
    process: Running,
}

impl Gateway {
    /// Starts it and waits for its first look-up.
    ///
    /// # Errors
    /// It does not start, or does not answer.
    pub(crate) fn start(
        bench: &Bench,
        program: &Path,
        database: &str,
        sandbox: &Sandbox,
    ) -> Result<Self, String> {
        let address = program::free_address()?;
        let tokens = bench.place.tokens(database);
        let request = first_request(&tokens, &address)?;
        let mut command = bench.cores.server(program);
        command.args([
            "demo",
            "--suite",
            sandbox.suite.name(),
            "--listen",
            &address.to_string(),
            "--data",
        ]);
        command
            .arg(bench.place.at(database))
            .arg("--sources")
            .arg(&sandbox.sources);
        let watch = Stopwatch::start();
        let process = Running::start(&mut command)?;
        wait_for_answer(address, &request, &watch)?;
        let first_answer_ms = watch.elapsed().as_secs_f64() * 1000.0;
        let target = Target {
            what: Asked::Gateway(tokens),
            address: address.to_string(),
            pid: process.0.id(),
            next: Cell::new(0),
        };
        Ok(Gateway {
            target,
            first_answer_ms,
            process,
        })
    }

    /// Its resident memory after a rest, in MB.
    ///
    /// # Errors
    /// The system does not tell.
    pub(crate) fn idle_rss_mb(&self) -> Result<f64, String> {
        thread::sleep(REST);
        let path = format!("/proc/{}/status", self.target.pid);
        let status = fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|l| l.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        Ok(kilobytes.ok_or_else(|| format!("{path} has no VmRSS"))? / 1024.0)
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// It does not end well.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        run::show(Command::new("kill").args(["-TERM", &self.target.pid.to_string()]))?;
        let ended = self.process.0.wait().map_err(|e| e.to_string())?;
        if ended.success() {
            Ok(())
        } else {
            Err(format!("the gateway ended with {ended}"))
        }
    }
}

/// Registers so many people in a new database, on all cores, and keeps their tokens.
///
/// # Errors
/// It fails.
pub(crate) fn seed(bench: &Bench, database: &str, suite: Suite, people: u64) -> Result<(), String> {
    let tokens = bench.place.tokens(database);
    let file = File::create(&tokens).map_err(|e| format!("{}: {e}", tokens.display()))?;
    let mut command = Command::new(&bench.programs.gateway);
    command.args([
        "demo",
        "--suite",
        suite.name(),
        "--seed",
        &people.to_string(),
        "--data",
    ]);
    // The keys that it makes are for this run only, so that the warning to keep a copy is noise.
    command
        .arg(bench.place.at(database))
        .stdout(file)
        .env("MINGCHA_TRACE", "error");
    run::show(&mut command)
}

/// A look-up of the first person's identity, which needs no key, as text of HTTP.
fn first_request(tokens: &Path, address: &SocketAddr) -> Result<String, String> {
    let all = fs::read_to_string(tokens).map_err(|e| format!("{}: {e}", tokens.display()))?;
    let token = all.lines().next().ok_or("there are no people")?;
    let body = r#"{"kind":"vehicle","mode":"list","subject":"self","purpose":"own-information"}"#;
    Ok(format!(
        "POST /v1/lookups HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn wait_for_answer(address: SocketAddr, request: &str, watch: &Stopwatch) -> Result<(), String> {
    let answer = loop {
        #[expect(
            clippy::disallowed_methods,
            reason = "the benchmark is a client of the gateway"
        )]
        match TcpStream::connect(address) {
            Ok(stream) => break ask(stream, request)?,
            Err(_) if watch.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(1)),
            Err(e) => return Err(format!("the gateway does not answer: {e}")),
        }
    };
    if answer.contains("\"outcome\":\"found\"") {
        Ok(())
    } else {
        Err(format!("the first look-up was answered: {answer}"))
    }
}

fn ask(mut stream: TcpStream, request: &str) -> Result<String, String> {
    let mut answer = String::new();
    let exchange = stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.write_all(request.as_bytes()))
        .and_then(|()| stream.read_to_string(&mut answer));
    exchange
        .map(|_| answer)
        .map_err(|e| format!("the gateway does not answer: {e}"))
}
