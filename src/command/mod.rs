//! The commands: what they are told, and how they print what the library found out.

mod check;
mod diff;
mod explain;
mod explore;
mod faults;
mod junit;
mod picture;
mod report;
mod run;
mod sweep;
mod text;

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use serde::Serialize;
use vbus::{Scenario, apdu, repro};

/// A virtual bus and smart-card-reader device-stack emulator: the WDM/KMDF request path, exact, on any machine.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// When output is coloured; auto is on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    color: Color,
}

#[derive(Subcommand)]
enum Command {
    /// Tell the story end to end: the failing bus, its log, the reason, the smallest fix, the fixed bus
    Repro(repro::Options),
    /// Run scenarios: their devices, steps, results and log; fails where an expectation fails
    Run(run::Options),
    /// Compute every forwarding edge's budget without running, and name each that is too small with the smallest fix
    Check(check::Options),
    /// Run two scenarios and set their logs side by side: where the failing one leaves the repaired one
    Diff(diff::Options),
    /// Run a scenario with other values of one parameter, or of two as a grid; the smallest value that works
    Sweep(sweep::Options),
    /// Run a scenario's racing steps under other schedules; the smallest that fails, as a scenario that replays it
    Explore(explore::Options),
    /// Try short memory, wrong, late and absent answers, pended requests and pulled-out readers on a scenario
    Faults(faults::Options),
    /// Run a scenario and draw what happened: one self-contained HTML page, with every request's way through the stacks
    Report(report::Options),
    /// Send command APDUs through bus, target and reader to a card, without any service
    Apdu(apdu::Options),
    /// Make readers with cards real PC/SC readers of this machine, in real time
    #[cfg(unix)]
    Serve(vbus::serve::Options),
    /// Print the JSON schema of scenario files, for editors
    Schema,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Read a WDF log or other debugger text, say what failed first and why, and what to do
    Explain(explain::Options),
}

/// For people, or for programs.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs: one JSON object
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// How a command ended, where it could be run at all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Verdict {
    /// Exit code 0.
    AsExpected,
    /// Exit code 1.
    NotAsExpected,
    /// Exit code 2, with the reason printed already.
    CannotRun,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> ExitCode {
        ExitCode::from(verdict as u8)
    }
}

/// Runs what the command line says. Exit codes: 0 as expected, 1 not as expected, 2 cannot be run (clap's own for bad
/// arguments, too).
pub fn main() -> ExitCode {
    let Arguments { command, format, color } = Arguments::parse();
    match color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    match run(&command, format) {
        Ok(verdict) => verdict.into(),
        Err(error) => {
            let error = format!("{error:#}");
            complain(&error);
            if format == Format::Json {
                // Programs get an object whatever happens.
                let plain = anstream::adapter::strip_str(&error).to_string();
                let reason = plain.strip_prefix("error: ").unwrap_or(&plain);
                // Where nobody listens any more, the exit code still says it.
                _ = write_out(&mut std::io::stdout(), &format!("{}\n", serde_json::json!({ "error": reason })));
            }
            Verdict::CannotRun.into()
        }
    }
}

fn run(command: &Command, format: Format) -> anyhow::Result<Verdict> {
    match command {
        Command::Repro(options) => {
            let story = repro::run(options).context("the story's stacks could not be built")?;
            print(format, &story, &story)?;
            Ok(Verdict::AsExpected)
        }
        Command::Run(options) => run::run(options, format),
        Command::Check(options) => check::run(options, format),
        Command::Diff(options) => diff::run(options, format),
        Command::Sweep(options) => sweep::run(options, format),
        Command::Explore(options) => explore::run(options, format),
        Command::Faults(options) => faults::run(options, format),
        Command::Report(options) => report::run(options, format),
        Command::Apdu(options) => {
            let session = apdu::run(options)?;
            print(format, &session, &session)?;
            Ok(if session.is_answered() { Verdict::AsExpected } else { Verdict::NotAsExpected })
        }
        #[cfg(unix)]
        Command::Serve(options) => {
            let voice = match format {
                Format::Text => vbus::serve::Voice::People,
                Format::Json => vbus::serve::Voice::Programs,
            };
            vbus::serve::run(options, voice)?;
            Ok(Verdict::AsExpected)
        }
        Command::Schema => {
            write_out(&mut std::io::stdout(), &format!("{:#}\n", Scenario::schema().as_value()))?;
            Ok(Verdict::AsExpected)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "vbus", &mut script);
            let script = String::from_utf8(script).context("the completions as text")?;
            let json = serde_json::json!({ "shell": shell.to_string(), "script": script });
            print(format, &script, &json)?;
            Ok(Verdict::AsExpected)
        }
        Command::Explain(options) => explain::run(options, format),
    }
}

/// Prints a result in the form that was asked for.
fn print(format: Format, text: &impl Display, json: &impl Serialize) -> anyhow::Result<()> {
    match format {
        Format::Text => write_out(&mut anstream::stdout(), text),
        Format::Json => {
            let line = serde_json::to_string(json).context("the result as JSON")? + "\n";
            write_out(&mut std::io::stdout(), &line)
        }
    }
}

/// Writes to the standard output. Whoever reads it may have enough before the end.
fn write_out(out: &mut impl Write, text: &impl Display) -> anyhow::Result<()> {
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("the standard output cannot be written"),
    }
}

/// Prints an error. One that points into a file says itself that it is one.
fn complain(error: &str) {
    match error.starts_with('\x1b') {
        true => anstream::eprintln!("{error}"),
        false => anstream::eprintln!("\x1b[1;31merror\x1b[0m: {error}"),
    }
}
