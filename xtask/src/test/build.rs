//! What the compiler, clippy and rustdoc say. A warning is a failure.

use super::tally::Tally;
use crate::run;

/// Every target with every default, the program as it is shipped, and the documentation.
pub(crate) fn lint(tally: &mut Tally) {
    let clippy = |what: &[&str]| {
        let arguments = ["clippy", "--locked", "--quiet"]
            .iter()
            .chain(what)
            .chain(&["--", "-D", "warnings"]);
        run::show(&mut run::cargo(arguments))
    };
    tally.check("clippy", clippy(&["--workspace", "--all-targets"]));
    let shipped = ["--package", "gateway", "--no-default-features", "--all-targets"];
    tally.check("clippy without the demo", clippy(&shipped));
    let mut doc = run::cargo(["doc", "--locked", "--quiet", "--workspace", "--no-deps"]);
    tally.check(
        "links of the documentation",
        run::show(doc.env("RUSTDOCFLAGS", "-D warnings")),
    );
}
