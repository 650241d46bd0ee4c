//! What is measured and what measures, built.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::run;

/// The programs.
pub(crate) struct Programs {
    /// The gateway as a newcomer builds it.
    pub(crate) gateway: PathBuf,
    /// The gateway that seals no look-up.
    pub(crate) unsealed: PathBuf,
    /// The reverse proxy.
    pub(crate) proxy: PathBuf,
    /// The load.
    pub(crate) load: PathBuf,
    /// What choosing among sources costs.
    pub(crate) routing: PathBuf,
}

impl Programs {
    /// Builds them. The one that does not seal is built first and moved away at once, so that it never stays where
    /// somebody looks for the gateway; it shares the build of everything else.
    ///
    /// # Errors
    /// It does not compile.
    pub(crate) fn build() -> Result<Self, String> {
        let (release, kept) = (run::target().join("release"), run::target().join("bench"));
        let gateway = [
            "build",
            "--release",
            "--locked",
            "--package",
            "gateway",
            "--bin",
            "mingcha",
        ];
        let unsealed = kept.join("mingcha-unsealed");
        run::show(run::cargo(gateway).args(["--features", "bench-unsealed"]))?;
        relocate(&release.join("mingcha"), &unsealed)?;
        let examples = ["bare_proxy", "load", "routing_speed"].map(|name| ["--example", name]);
        run::show(run::cargo(gateway).args(examples.concat()))?;
        Ok(Programs {
            gateway: release.join("mingcha"),
            unsealed,
            proxy: release.join("examples/bare_proxy"),
            load: release.join("examples/load"),
            routing: release.join("examples/routing_speed"),
        })
    }
}

fn relocate(from: &Path, to: &Path) -> Result<(), String> {
    let moved = to
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::rename(from, to));
    moved.map_err(|e| format!("{} cannot be moved: {e}", from.display()))
}
