//! The command line.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use vbus::{explain, repro};

/// A virtual bus and smart-card-reader device-stack emulator: the WDM/KMDF request path, exact, on any machine.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Whether output is coloured; NO_COLOR turns colours off as well
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    color: Color,
}

#[derive(Subcommand)]
enum Command {
    /// Tell the story end to end: the failing bus, its log, the reason, the smallest fix, the fixed bus
    Repro(repro::Options),
    /// Read a WDF log or other debugger text, say what failed first and why, and what to do
    Explain(explain::Options),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs: one JSON object
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    fn choose(self) {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// Exit codes: 0 as expected, 1 not as expected, 2 cannot be run (clap's own for bad arguments, too).
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    arguments.color.choose();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("\x1b[1;31merror\x1b[0m: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Repro(options) => {
            let story = repro::run(options).context("the story's stacks could not be built")?;
            match arguments.format {
                Format::Text => anstream::print!("{story}"),
                Format::Json => println!("{}", serde_json::to_string(&story).context("the story as JSON")?),
            }
        }
        Command::Explain(options) => {
            let explanation = explain::run(options)?;
            match arguments.format {
                Format::Text => anstream::print!("{explanation}"),
                Format::Json => println!("{}", serde_json::to_string(&explanation).context("the explanation as JSON")?),
            }
            if explanation.is_empty() {
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
