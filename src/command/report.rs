//! `vbus report`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use vbus::{Scenario, report};

use super::{Format, Verdict, complain};

#[derive(clap::Args)]
pub(super) struct Options {
    /// A scenario file
    file: PathBuf,
    /// Where the page goes; else to the standard output
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
}

/// The page, or with `--format json` what it is drawn from.
pub(super) fn run(options: &Options, format: Format) -> anyhow::Result<Verdict> {
    let (outcome, record) = match Scenario::load(&options.file).map_err(Into::into).and_then(|it| it.record()) {
        Ok(played) => played,
        Err(error @ vbus::run::RunError::Scenario(_)) => {
            complain(&error.to_string());
            return Ok(Verdict::CannotRun);
        }
        Err(error) => return Err(error.into()),
    };
    let made = match format {
        Format::Text => report::page(&record),
        Format::Json => serde_json::to_string(&record).context("the recording as JSON")? + "\n",
    };
    match &options.output {
        Some(path) => {
            std::fs::write(path, made).with_context(|| format!("{} cannot be written", path.display()))?;
            anstream::println!("{}: {}", path.display(), report::summary(&record));
        }
        // Whoever reads may have enough before the end.
        None => _ = std::io::stdout().write_all(made.as_bytes()),
    }
    Ok(if outcome.as_expected() { Verdict::AsExpected } else { Verdict::NotAsExpected })
}
