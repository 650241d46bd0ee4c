//! Which cores the measured server has, and which all others.

use std::{ffi::OsStr, process::Command};

use crate::{machine, run};

/// The cores, as `taskset` writes them.
pub(crate) struct Cores {
    server: String,
    others: String,
}

impl Cores {
    /// The first so many for the server, the rest for the others.
    ///
    /// # Errors
    /// There are too few cores, or nothing that binds a program to one.
    pub(crate) fn share(server: usize) -> Result<Self, String> {
        let all = machine::cores();
        if server == 0 || all < server + 1 {
            return Err(format!(
                "{server} cores for the server leave none of {all} for the load"
            ));
        }
        if run::which("taskset").is_none() {
            return Err("taskset is missing; on Debian: apt-get install util-linux".to_owned());
        }
        eprintln!("the server has {server} of {all} cores");
        Ok(Cores {
            server: format!("0-{}", server - 1),
            others: format!("{server}-{}", all - 1),
        })
    }

    /// A program on the server's cores.
    pub(crate) fn server(&self, program: impl AsRef<OsStr>) -> Command {
        on(&self.server, program)
    }

    /// A program on the other cores.
    pub(crate) fn others(&self, program: impl AsRef<OsStr>) -> Command {
        on(&self.others, program)
    }
}

fn on(cores: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", cores]).arg(program);
    command
}
