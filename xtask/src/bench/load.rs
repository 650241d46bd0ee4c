//! One run of the load generator (`crates/gateway/examples/load`) against one server.

use std::{
    cell::Cell,
    fmt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::cores::Cores;
use crate::run;

/// A server that is asked.
pub(crate) struct Target {
    /// `gateway` or `proxy`, and where the load finds what it needs to ask it.
    pub(crate) what: Asked,
    /// Host and port.
    pub(crate) address: String,
    /// Its process.
    pub(crate) pid: u32,
    /// The number of its next question: it meets nobody again whom it has met a moment ago.
    pub(crate) next: Cell<u64>,
}

/// What the load has to know.
pub(crate) enum Asked {
    /// The file of tokens.
    Gateway(PathBuf),
    /// The folder of source files, and how many people there are.
    Proxy(PathBuf, u64),
}

/// How it is asked.
pub(crate) struct Load<'a> {
    pub(crate) connections: usize,
    pub(crate) seconds: f64,
    pub(crate) fields: &'a str,
    /// Questions a second; 0 is as many as are answered.
    pub(crate) rate: f64,
    /// The process behind the server, to tell whether it was the narrow place.
    pub(crate) upstream: Option<u32>,
}

/// What was measured.
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    pub(crate) cpu_us: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Cores that the process behind the server used.
    upstream_cores: Option<f64>,
    answers: u64,
    wrong: u64,
}

impl Load<'_> {
    /// Runs it on the cores that the server does not have.
    ///
    /// # Errors
    /// It cannot be run, or it failed.
    pub(crate) fn run(&self, program: &Path, cores: &Cores, target: &Target) -> Result<Measured, String> {
        let mut command = cores.others(program);
        command.args(["--address", &target.address]);
        match &target.what {
            Asked::Gateway(tokens) => {
                command.args(["--target", "gateway", "--sessions"]).arg(tokens);
                if !self.fields.is_empty() {
                    command.args(["--fields", self.fields]);
                }
            }
            Asked::Proxy(sources, people) => {
                command
                    .args(["--target", "proxy", "--people", &people.to_string(), "--sources"])
                    .arg(sources);
            }
        }
        command.args(["--first", &target.next.get().to_string()]);
        command.args(["--connections", &self.connections.to_string()]);
        command.args(["--seconds", &self.seconds.to_string()]);
        command.args(["--warm-up", &(self.seconds / 4.0).to_string()]);
        command.args(["--rate", &self.rate.to_string()]);
        for pid in std::iter::once(target.pid).chain(self.upstream) {
            command.args(["--watch", &pid.to_string()]);
        }
        let told = run::output(&mut command)?;
        let told: Value = serde_json::from_str(&told).map_err(|e| format!("the load told nonsense: {e}"))?;
        let left_out = || format!("the load left something out: {told}");
        target.next.set(told["next"].as_u64().ok_or_else(left_out)?);
        Measured::read(&told).ok_or_else(left_out)
    }
}

impl Measured {
    fn read(told: &Value) -> Option<Self> {
        let figure = |name: &str| told[name].as_f64();
        let cpu = |at: usize| told["cpu_seconds"][at].as_f64();
        let answers = told["answers"].as_u64()?;
        Some(Measured {
            per_second: figure("per_second")?,
            cpu_us: cpu(0)? * 1e6 / answers.max(1) as f64,
            p50_ms: figure("p50_ms")?,
            p99_ms: figure("p99_ms")?,
            upstream_cores: cpu(1).zip(figure("seconds")).map(|(cpu, seconds)| cpu / seconds),
            answers,
            wrong: told["wrong"].as_u64()?,
        })
    }

    /// A figure over wrong answers is none.
    ///
    /// # Errors
    /// Some answer was wrong, or there was none.
    pub(crate) fn must_be_right(&self, name: &str) -> Result<(), String> {
        match (self.wrong, self.answers) {
            (0, 1..) => Ok(()),
            (wrong, answers) => Err(format!("{name}: {answers} right answers and {wrong} wrong ones")),
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>8.0} a second, {:>6.1} µs of CPU each, p50 {:>7.3} ms, p99 {:>7.3} ms",
            self.per_second, self.cpu_us, self.p50_ms, self.p99_ms
        )?;
        match self.upstream_cores {
            Some(cores) => write!(f, "; the authorities used {cores:.2} cores"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_load_tells_is_read_and_wrong_answers_are_no_figures() {
        let told = serde_json::json!({
            "answers": 1000, "wrong": 0, "seconds": 2.0, "per_second": 500.0, "p50_ms": 1.5, "p99_ms": 4.0,
            "cpu_seconds": [0.25, 1.0],
        });
        let measured = Measured::read(&told).unwrap();
        assert_eq!((measured.cpu_us, measured.upstream_cores), (250.0, Some(0.5)));
        assert!(measured.must_be_right("x").is_ok());
        for (answers, wrong) in [(1000, 1), (0, 0)] {
            let measured = Measured {
                answers,
                wrong,
                ..Measured::read(&told).unwrap()
            };
            assert!(measured.must_be_right("x").is_err());
        }
        assert!(Measured::read(&serde_json::json!({ "answers": 1 })).is_none());
    }
}
