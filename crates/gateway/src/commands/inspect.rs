//! `mingcha inspect`: what an identifier says by itself, without asking anybody.

use std::{
    io::{self, BufRead, BufWriter, ErrorKind, Read, Write},
    process::ExitCode,
};

use clap::Args;
use domain::identifiers::{InspectType, inspect};
use jiff::civil::Date;

use super::Outcome;
use crate::start::World;

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

/// Bytes of a line that are read: no identifier is as long. What is cut off counts as a character that none has.
const MAX_LINE: u64 = 4096;

/// Prints one JSON object for each identifier; fails if any is not valid.
///
/// # Errors
/// Standard input cannot be read, or standard output cannot be written.
pub fn run(args: &InspectArgs, world: &World) -> Outcome {
    let output = BufWriter::new(std::io::stdout().lock());
    match tell_all(args, world.clock.now().date_in_china(), output) {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        // Whoever reads has enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
    }
}

/// Whether all are valid.
fn tell_all(args: &InspectArgs, today: Date, mut output: impl Write) -> io::Result<bool> {
    let mut all_valid = true;
    let mut tell = |raw: &str| {
        let inspection = inspect(args.of_type, raw, today);
        all_valid &= inspection.valid;
        writeln!(output, "{}", serde_json::to_string(&inspection)?)
    };
    if let Some(value) = &args.value {
        tell(value)?;
    }
    if args.stdin {
        let mut input = io::stdin().lock();
        while let Some(line) = read_line(&mut input)? {
            tell(&line)?;
        }
    }
    output.flush()?;
    Ok(all_valid)
}

/// The next line, in bounded memory.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = vec![];
    if input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let whole = line.last() == Some(&b'\n') || (line.len() as u64) < MAX_LINE;
    let mut text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned();
    if !whole {
        text.push(char::REPLACEMENT_CHARACTER);
        input.skip_until(b'\n')?;
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_is_cut_and_the_next_one_is_read() {
        let long = [b"1".repeat(10_000), b"\nnext\nlast".to_vec()].concat();
        let mut input = long.as_slice();
        let mut lines = std::iter::from_fn(|| read_line(&mut input).unwrap());
        let first = lines.next().unwrap();
        assert!(first.ends_with(char::REPLACEMENT_CHARACTER) && first.len() < 5000);
        assert_eq!(lines.collect::<Vec<_>>(), ["next", "last"]);
    }
}
