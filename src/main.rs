//! The command line.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use vbus::{apdu, repro};

/// A virtual bus and smart-card-reader device-stack emulator: the WDM/KMDF request path, exact, on any machine.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Subcommand)]
enum Command {
    /// Tell the story end to end: the failing bus, its log, the reason, the smallest fix, the fixed bus
    Repro(repro::Options),
    /// Send command APDUs through bus, target and reader to a card, without any service
    Apdu(apdu::Options),
    /// Make readers with cards real PC/SC readers on this machine
    #[cfg(unix)]
    Serve(vbus::serve::Options),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs: one JSON object
    Json,
}

/// Exit codes: 0 as expected, 1 not as expected, 2 cannot be run (clap's own for bad arguments, too).
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            anstream::eprintln!("\x1b[1;31merror\x1b[0m: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Returns whether it went as expected.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    match &arguments.command {
        Command::Repro(options) => {
            let story = repro::run(options).context("the story's stacks could not be built")?;
            match arguments.format {
                Format::Text => anstream::print!("{story}"),
                Format::Json => println!("{}", serde_json::to_string(&story).context("the story as JSON")?),
            }
        }
        Command::Apdu(options) => {
            let session = apdu::run(options)?;
            match arguments.format {
                Format::Text => anstream::print!("{session}"),
                Format::Json => println!("{}", serde_json::to_string(&session).context("the session as JSON")?),
            }
            return Ok(session.is_answered());
        }
        #[cfg(unix)]
        Command::Serve(options) => vbus::serve::run(options)?,
    }
    Ok(true)
}
