//! `vbus faults`.

use std::fmt;
use std::path::PathBuf;

use vbus::Scenario;
use vbus::faults::Faults;
use vbus::style::{BOLD, GREEN, PLAIN, RED};

use super::text::{count, write_wrapped};
use super::{Format, Verdict, print};

#[derive(clap::Args)]
pub(super) struct Options {
    /// The scenario: one that goes well by itself
    file: PathBuf,
}

pub(super) fn run(options: &Options, format: Format) -> anyhow::Result<Verdict> {
    let faults = Scenario::load(&options.file)?.inject_faults()?;
    print(format, &Text(&faults), &faults)?;
    Ok(if faults.survived() { Verdict::AsExpected } else { Verdict::NotAsExpected })
}

/// The result for people.
struct Text<'f>(&'f Faults);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Text(Faults { title, tried }) = self;
        if !title.is_empty() {
            writeln!(f, "{BOLD}{title}{PLAIN}")?;
        }
        let mut text = String::new();
        for tried in tried {
            let (style, mark) = if tried.failure.is_none() { (GREEN, "ok  ") } else { (RED, "FAIL") };
            text += &format!("  {style}{mark}{PLAIN} {}\n", tried.fault);
            for line in tried.failure.iter().flat_map(|failure| failure.lines()) {
                write_wrapped(&mut text, "       ", "         ", line)?;
            }
        }
        f.write_str(&text)?;
        match tried.iter().filter(|tried| tried.failure.is_some()).count() {
            0 => writeln!(f, "{}: {GREEN}all survived{PLAIN}", count(tried.len(), "fault")),
            failed => writeln!(f, "{}: {RED}{failed} not survived{PLAIN}", count(tried.len(), "fault")),
        }
    }
}
