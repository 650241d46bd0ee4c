//! The packages that the lock file names, and who depends on whom, as `cargo metadata` tells it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::run;

/// One package.
#[derive(Debug, Clone, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: String,
    /// Where it comes from; empty for ours.
    pub(crate) source: String,
    /// Ids that it depends on to be built or to run.
    pub(crate) normal: BTreeSet<String>,
    /// Ids that its tests depend on.
    pub(crate) dev: BTreeSet<String>,
}

/// All packages by id.
pub(crate) struct Metadata {
    pub(crate) packages: BTreeMap<String, Package>,
}

impl Metadata {
    /// The members of the workspace.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|p| p.source.is_empty())
    }

    /// Everything that is needed to build these, themselves included; not their tests, and nothing that `without`
    /// leaves out.
    pub(crate) fn closure(
        &self,
        roots: impl IntoIterator<Item = String>,
        without: impl Fn(&Package) -> bool,
    ) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut next: Vec<String> = roots.into_iter().collect();
        while let Some(id) = next.pop() {
            if let Some(package) = self.packages.get(&id)
                && !without(package)
                && found.insert(id)
            {
                next.extend(package.normal.iter().cloned());
            }
        }
        found
    }

    /// The name behind an id.
    pub(crate) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.packages.get(id).map_or(id, |p| &p.name)
    }
}

/// Reads them, for Linux, by the lock file.
///
/// # Errors
/// The lock file is out of date, or cargo's answer is not understood.
pub(crate) fn read() -> Result<Metadata, String> {
    let platform = "x86_64-unknown-linux-gnu";
    let arguments = [
        "metadata",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        platform,
    ];
    parse(&run::output(&mut run::cargo(arguments))?)
}

/// Understands what `cargo metadata` writes.
pub(crate) fn parse(json: &str) -> Result<Metadata, String> {
    let told: Value = serde_json::from_str(json).map_err(|e| format!("cargo metadata: {e}"))?;
    let mut packages = BTreeMap::new();
    for node in list(&told["resolve"]["nodes"]) {
        let mut package = Package::default();
        for needed in list(&node["deps"]) {
            let id = text(&needed["pkg"]);
            for kind in list(&needed["dep_kinds"]) {
                let of_tests = kind["kind"] == "dev";
                let set = if of_tests {
                    &mut package.dev
                } else {
                    &mut package.normal
                };
                set.insert(id.clone());
            }
        }
        packages.insert(text(&node["id"]), package);
    }
    for described in list(&told["packages"]) {
        if let Some(package) = packages.get_mut(&text(&described["id"])) {
            package.name = text(&described["name"]);
            package.version = text(&described["version"]);
            package.licence = text(&described["license"]);
            package.source = text(&described["source"]);
        }
    }
    if packages.is_empty() {
        return Err("cargo metadata names no package".to_owned());
    }
    Ok(Metadata { packages })
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
