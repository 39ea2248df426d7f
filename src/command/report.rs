//! `vbus report`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;
use vbus::run::RunError;
use vbus::{Scenario, report};

use super::{Format, Verdict, print};

#[derive(clap::Args)]
pub(super) struct Options {
    /// A scenario file
    file: PathBuf,
    /// Where the page goes; else to the standard output
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
}

/// What was written to a file.
#[derive(Serialize)]
struct Written {
    written: String,
    summary: String,
    as_expected: bool,
}

/// The page, or with `--format json` what it is drawn from.
pub(super) fn run(options: &Options, format: Format) -> anyhow::Result<Verdict> {
    let (outcome, record) = Scenario::load(&options.file).map_err(RunError::from).and_then(|it| it.record())?;
    let as_expected = outcome.as_expected();
    let made = match format {
        Format::Text => report::page(&record),
        Format::Json => serde_json::to_string(&record).context("the recording as JSON")? + "\n",
    };
    match &options.output {
        Some(path) => {
            std::fs::write(path, made).with_context(|| format!("{} cannot be written", path.display()))?;
            let summary = report::summary(&record);
            let text = format!("{}: {summary}\n", path.display());
            let written = Written { written: path.display().to_string(), summary, as_expected };
            print(format, &text, &written)?;
        }
        // Whoever reads may have enough before the end.
        None => _ = std::io::stdout().write_all(made.as_bytes()),
    }
    Ok(if as_expected { Verdict::AsExpected } else { Verdict::NotAsExpected })
}
