//! The rig `model` is a program of its own beside the policy, which knows the questions; it prints its own line.

use crate::run;

/// Runs it.
///
/// # Errors
/// It does not build.
pub(super) fn run() -> Result<bool, String> {
    let arguments = [
        "run",
        "--locked",
        "--quiet",
        "--release",
        "--package",
        "policy",
        "--example",
        "model",
    ];
    let status = run::cargo(arguments).status().map_err(|e| e.to_string())?;
    Ok(status.success())
}
