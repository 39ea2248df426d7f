//! `vbus run`.

use std::fmt::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;
use vbus::Scenario;
use vbus::run::{DeviceStack, Outcome, Record, StepOutcome, Stopped};
use vbus::style::{BOLD, DIM, GREEN, PLAIN, RED};

use super::text::{count, write_wrapped};
use super::{Format, Verdict, complain, junit, print};

#[derive(clap::Args)]
pub(super) struct Options {
    /// Scenario files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Which lines of the drivers' logs are shown
    #[arg(long, value_enum, default_value_t = Lines::Problems)]
    log: Lines,
    /// Write the results as JUnit XML, too
    #[arg(long, value_name = "PATH")]
    junit: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Lines {
    /// Errors and warnings
    Problems,
    /// Every line
    All,
    /// None
    None,
}

/// The result of all files.
#[derive(Serialize)]
pub(super) struct Results {
    as_expected: bool,
    pub(super) scenarios: Vec<FileResult>,
    #[serde(skip)]
    log: Option<Lines>,
}

/// The result of one.
#[derive(Serialize)]
pub(super) struct FileResult {
    pub(super) file: String,
    as_expected: bool,
    /// Why it could not be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(flatten)]
    pub(super) outcome: Option<Outcome>,
}

pub(super) fn run(options: &Options, format: Format) -> anyhow::Result<Verdict> {
    let mut verdict = Verdict::AsExpected;
    let mut scenarios = Vec::new();
    for file in &options.files {
        let result = Scenario::load(file).map_err(vbus::run::RunError::from).and_then(|scenario| scenario.run());
        let file = file.display().to_string();
        let result = match result {
            Ok(outcome) => {
                let as_expected = outcome.as_expected();
                FileResult { file, as_expected, error: None, outcome: Some(outcome) }
            }
            Err(error) => {
                complain(&error.to_string());
                let error = anstream::adapter::strip_str(&error.to_string()).to_string();
                FileResult { file, as_expected: false, error: Some(error), outcome: None }
            }
        };
        verdict = verdict.max(match &result {
            FileResult { error: Some(_), .. } => Verdict::CannotRun,
            FileResult { as_expected: false, .. } => Verdict::NotAsExpected,
            _ => Verdict::AsExpected,
        });
        scenarios.push(result);
    }
    let results = Results { as_expected: verdict == Verdict::AsExpected, scenarios, log: Some(options.log) };
    print(format, &results, &results)?;
    if let Some(path) = &options.junit {
        let xml = junit::document(&results);
        std::fs::write(path, xml).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(verdict)
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps = 0;
        let mut failed = 0;
        for result in &self.scenarios {
            let Some(outcome) = &result.outcome else { continue };
            write_outcome(f, &result.file, outcome, self.log.unwrap_or(Lines::Problems))?;
            writeln!(f)?;
            steps += outcome.steps.len();
            failed += usize::from(!result.as_expected);
        }
        let run = self.scenarios.iter().filter(|result| result.outcome.is_some()).count();
        if run == 0 {
            return Ok(());
        }
        let (style, verdict) = match failed {
            0 => (GREEN, "as expected".to_owned()),
            failed => (RED, format!("{failed} not as expected")),
        };
        writeln!(f, "{}, {}: {style}{verdict}{PLAIN}", count(run, "scenario"), count(steps, "step"))
    }
}

fn write_outcome(f: &mut dyn Write, file: &str, outcome: &Outcome, lines: Lines) -> fmt::Result {
    writeln!(f, "{BOLD}{file}{PLAIN}")?;
    if !outcome.title.is_empty() {
        write_wrapped(f, "  ", "  ", &outcome.title)?;
    }
    writeln!(f)?;
    outcome.stacks.iter().try_for_each(|stack| write_stack(f, stack))?;
    if let (Some(stop), true) = (&outcome.stop, outcome.steps.iter().all(|step| step.stop.is_none())) {
        write_wrapped(f, "  ", "    ", &format!("the machine stopped before the first step: {}", stop.text()))?;
    }
    writeln!(f)?;
    outcome.steps.iter().try_for_each(|step| write_step(f, step, lines))?;
    let changed: Vec<&DeviceStack> = outcome.stacks_after.iter().filter(|&stack| !before(outcome, stack)).collect();
    if !changed.is_empty() {
        writeln!(f, "\n  {}:", if outcome.stop.is_some() { "when the machine stopped" } else { "at the end" })?;
        changed.into_iter().try_for_each(|stack| write_stack(f, stack))?;
    }
    for request in &outcome.unfinished {
        writeln!(f, "  {DIM}(request {request} is still out, or nobody waited for it){PLAIN}")?;
    }
    Ok(())
}

/// Whether a stack's devices were the same before the first step.
fn before(outcome: &Outcome, stack: &DeviceStack) -> bool {
    outcome
        .stacks
        .iter()
        .any(|known| (&known.bus, known.reader, &known.devices) == (&stack.bus, stack.reader, &stack.devices))
}

/// `reader 7     scfilter 4 <- vreader 3 <- vbus0 1    target 4`
fn write_stack(f: &mut dyn Write, stack: &DeviceStack) -> fmt::Result {
    let name = match stack.reader {
        Some(id) => format!("reader {id}"),
        None => stack.bus.clone(),
    };
    let devices = stack.devices.iter().map(|device| format!("{} {} {}", device.driver, device.role, device.stack_size));
    let target = stack.target_stack_size.map_or_else(String::new, |size| format!("; the target needs {size}"));
    let line = format!("{}{target}", devices.collect::<Vec<_>>().join(" <- "));
    write_wrapped(f, &format!("  {name:<12} "), &" ".repeat(15), &line)
}

fn write_step(f: &mut dyn Write, step: &StepOutcome, lines: Lines) -> fmt::Result {
    let (style, mark) = if step.failures.is_empty() { (GREEN, "ok  ") } else { (RED, "FAIL") };
    let mut text = String::new();
    write_wrapped(&mut text, &format!("  {mark} "), "       ", &format!("{}: {}", step.name, step.came_to()))?;
    write!(f, "{}", text.replacen(mark, &format!("{style}{mark}{PLAIN}"), 1))?;
    if let Some(output) = step.output.as_ref().filter(|output| !output.0.is_empty()) {
        write_wrapped(f, "       -> ", "          ", &output.to_string())?;
    }
    let shown = step.log.iter().filter(|line| match lines {
        Lines::All => true,
        Lines::Problems => is_problem(line),
        Lines::None => false,
    });
    for line in shown {
        write_wrapped(f, "       ", "         ", &line.to_string())?;
    }
    if let Some(Stopped::BugCheck { code, parameters: [a, b, c, d], .. }) = &step.stop {
        // As the debugger says it in short, and `vbus explain` reads it.
        writeln!(f, "       BugCheck {:X}, {{{:x}, {:x}, {:x}, {:x}}}", code.0, a.0, b.0, c.0, d.0)?;
    }
    if let Some(reason) = &step.reason {
        for line in reason.lines() {
            let own = line.len() - line.trim_start().len();
            let indent = " ".repeat(7 + own);
            write_wrapped(f, &indent, &format!("{indent}  "), line)?;
        }
    }
    for failure in &step.failures {
        write_wrapped(f, "       ", "         ", failure)?;
    }
    Ok(())
}

fn is_problem(line: &Record) -> bool {
    matches!(line.level, "error" | "warning")
}
