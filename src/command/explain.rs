//! `vbus explain`.

use std::fs;

use anyhow::Context;
use vbus::explain;

use super::{Format, Verdict, complain, print};

pub use explain::Options;

pub fn run(options: &Options, format: Format) -> anyhow::Result<Verdict> {
    let explanation = explain::run(options)?;
    print(format, &explanation, &explanation)?;
    if explanation.is_empty() {
        return Ok(Verdict::NotAsExpected);
    }
    let Some(path) = &options.scenario else { return Ok(Verdict::AsExpected) };
    match explanation.scenario() {
        Ok(scenario) => {
            fs::write(path, scenario).with_context(|| format!("cannot write {}", path.display()))?;
            // Programs get their one object and nothing else.
            if format == Format::Text {
                anstream::println!("\nwritten: {0}; confirm it with: vbus run {0}", path.display());
            }
            Ok(Verdict::AsExpected)
        }
        Err(reason) => {
            complain(&format!("{} was not written: {reason}", path.display()));
            Ok(Verdict::NotAsExpected)
        }
    }
}
