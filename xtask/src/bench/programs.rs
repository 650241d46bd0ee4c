//! What is measured and what measures, built.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::run;

/// The programs.
pub(crate) struct Programs {
    /// The gateway with everything that a demo needs.
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
    /// Builds them: what is measured with the profile of what is shipped, gateway and proxy alike. The one that does not
    /// seal is built first and moved away at once, so that it never stays where somebody looks for the gateway; it shares
    /// the build of everything else. What only tests need is built into neither.
    ///
    /// # Errors
    /// It does not compile.
    pub(crate) fn build() -> Result<Self, String> {
        let (shipped, release) = (run::target().join("dist"), run::target().join("release"));
        let unsealed = run::target().join("bench").join("mingcha-unsealed");
        let gateway = ["gateway", "--profile", "dist", "--bin", "mingcha"];
        build(&[&gateway[..], &["--features", "bench-unsealed"]].concat())?;
        relocate(&shipped.join("mingcha"), &unsealed)?;
        build(&gateway)?;
        build(&["sandbox", "--profile", "dist", "--example", "bare_proxy"])?;
        build(&[
            "gateway",
            "--release",
            "--example",
            "load",
            "--example",
            "routing_speed",
        ])?;
        Ok(Programs {
            gateway: shipped.join("mingcha"),
            unsealed,
            proxy: shipped.join("examples/bare_proxy"),
            load: release.join("examples/load"),
            routing: release.join("examples/routing_speed"),
        })
    }
}

/// Builds these targets of a package.
fn build(what: &[&str]) -> Result<(), String> {
    let all = [&["build", "--locked", "--package"], what].concat();
    run::show(&mut run::cargo(all))
}

fn relocate(from: &Path, to: &Path) -> Result<(), String> {
    let moved = to
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::rename(from, to));
    moved.map_err(|e| format!("{} cannot be moved: {e}", from.display()))
}
