//! What developers run: `cargo xtask test`, `tidy`, `fault`, `bench`, `shots`.
//!
//! It is the first thing that a fresh machine compiles, so it needs little, and it builds the rest itself.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for developers speaks to a terminal"
)]

mod bench;
mod browser;
mod fault;
mod http;
mod log;
mod machine;
mod people;
mod program;
mod random;
mod run;
mod scratch;
mod shots;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "What developers of Mingcha run")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every check and every test, and print how many passed
    Test(test::Options),
    /// Check the tree without building it: sizes, names, links, words
    Tidy,
    /// Measure what a look-up costs beside a proxy that checks nothing
    Bench(bench::Options),
    /// Take a picture of every page of the portal
    Shots(shots::Options),
    /// Break things on purpose and count what must not be
    #[command(subcommand)]
    Fault(fault::Rig),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Test(options) => test::test(&options),
        Command::Shots(options) => shots::shots(&options),
        Command::Fault(rig) => fault::fault(&rig),
        Command::Bench(options) => bench::bench(&options),
        Command::Tidy => tidy::tidy(&run::root()).report(),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
