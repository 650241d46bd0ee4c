//! `cargo xtask shots`: a picture of every page of the router at two widths, in Chinese, in English and in elder mode.

use std::path::PathBuf;

use clap::Args;

use crate::{browser, machine, run};

/// What is taken.
#[derive(Args)]
pub(crate) struct Options {
    /// Where the pictures go; `target/shots` if it is not said
    #[arg(long)]
    out: Option<PathBuf>,
    /// Only pages whose name begins so
    #[arg(long)]
    only: Option<String>,
}

/// Takes them. A page of the router without a shot fails.
///
/// # Errors
/// Something is missing on this machine, or the demo does not start.
pub(crate) fn shots(options: &Options) -> Result<bool, String> {
    machine::ensure(&browser::NEEDS)?;
    let out = options.out.clone().unwrap_or_else(|| run::target().join("shots"));
    let out = std::path::absolute(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    let mut arguments = vec!["--out".to_owned(), out.display().to_string()];
    if let Some(only) = &options.only {
        arguments.extend(["--only".to_owned(), only.clone()]);
    }
    let (told, content) = browser::drive("shots.mjs", &arguments)?;
    if let Some(told) = &told {
        println!("{told}");
    }
    Ok(content && told.is_some())
}
