//! `mingcha inspect`: what an identifier says by itself, without asking anybody.

use std::{io::BufRead, process::ExitCode};

use clap::Args;
use domain::identifiers::{InspectType, inspect};

use super::Outcome;
use crate::{error::StartError, start::World};

/// Read an identifier: valid or not, its normal form, what it says, what is odd about it.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// `id-number`, `plate`, `vin`, `certificate-number` or `licence-file-number`.
    #[arg(long = "type", value_name = "TYPE", value_parser = read_type)]
    of_type: InspectType,
    /// The identifier.
    #[arg(required_unless_present = "stdin")]
    value: Option<String>,
    /// Read identifiers from standard input, one a line; bytes that are not UTF-8 are replaced.
    #[arg(long)]
    stdin: bool,
    /// Print JSON; it is also what is printed without this.
    #[arg(long)]
    json: bool,
}

fn read_type(name: &str) -> Result<InspectType, String> {
    InspectType::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = InspectType::ALL.iter().map(|t| t.name()).collect();
        format!("one of {}", names.join(", "))
    })
}

/// Prints one JSON object for each identifier; fails if any is not valid.
///
/// # Errors
/// Standard input cannot be read.
#[expect(clippy::print_stdout, reason = "the result is what the command prints")]
pub fn run(args: &InspectArgs, world: &World) -> Outcome {
    let today = world.clock.now().date_in_china();
    let mut all_valid = true;
    let mut tell = |raw: &str| -> Result<(), StartError> {
        let inspection = inspect(args.of_type, raw, today);
        all_valid &= inspection.valid;
        println!(
            "{}",
            serde_json::to_string(&inspection).map_err(|e| StartError(e.to_string()))?
        );
        Ok(())
    };
    if let Some(value) = &args.value {
        tell(value)?;
    }
    if args.stdin {
        let mut input = std::io::stdin().lock();
        let mut line = vec![];
        while input.read_until(b'\n', &mut line)? > 0 {
            tell(String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).as_ref())?;
            line.clear();
        }
    }
    Ok(if all_valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
