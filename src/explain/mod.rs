//! From a debugger's text to a reason: reads WDF logs in the layouts that people really have, mixed with the output of
//! other commands, and says what failed first and why, by the framework's own rules.
//!
//! Reading is streaming: a line at a time, with a bounded amount kept of any text. What a line is comes from the model's
//! own trace sites, so that what vbus writes and what it reads cannot drift apart.

mod assemble;
mod causes;
mod debugger;
mod explanation;
mod facts;
mod input;
mod layout;
mod numbers;
mod print;
mod recipes;
mod reproduce;
mod shortfall;
mod story;
mod template;

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use thiserror::Error;

pub use explanation::{BugCheckSeen, Explained, Explanation, Input, RequestStory, StepSeen, TargetStory};
pub use facts::StackEntry;
pub use layout::Layout;
pub use numbers::{Known, Locations, Missing};
pub use shortfall::{Shortfall, Stack, grows_with, write_stacks};
pub use story::Moment;

use assemble::Assembler;
use input::Lines;
use story::Story;

/// What to read.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// A log or any debugger text; standard input without it, or with -
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Write a scenario that shows the first failure again, for vbus run
    #[arg(long, value_name = "OUT.TOML")]
    pub scenario: Option<PathBuf>,
}

/// Why a text could not be explained.
#[derive(Debug, Error)]
pub enum ExplainError {
    /// The file could not be read.
    #[error("cannot read {file}: {reason}")]
    Read {
        /// Which.
        file: String,
        /// Why not.
        reason: io::Error,
    },
    /// Nobody types a log.
    #[error(
        "no file given, and standard input is a terminal\n\
         help: vbus explain FILE, or pipe the text in: what !wdfkd.wdflogdump, !wdfkd.wdfcrashdump, !analyze -v or !irp print"
    )]
    Terminal,
}

/// Reads what the options name, and explains it.
///
/// # Errors
/// [`ExplainError`].
pub fn run(options: &Options) -> Result<Explanation, ExplainError> {
    let file = options.file.as_ref().filter(|file| file.as_os_str() != "-");
    let name = file.map_or_else(|| "standard input".to_owned(), |file| file.display().to_string());
    let read = match file {
        Some(file) => File::open(file).and_then(explain),
        None if io::stdin().is_terminal() => return Err(ExplainError::Terminal),
        None => explain(io::stdin().lock()),
    };
    read.map_err(|reason| ExplainError::Read { file: name, reason })
}

/// Explains a text of any length.
///
/// # Errors
/// The reader's. No text is an error.
pub fn explain(text: impl Read) -> io::Result<Explanation> {
    let mut lines = Lines::new(text)?;
    let (mut assembler, mut story) = (Assembler::new(), Story::default());
    let mut count = 0;
    while let Some((number, line)) = lines.next()? {
        assembler.line(number, &line, &mut story);
        count = number;
    }
    assembler.finish(&mut story);
    story.finish(count);
    Ok(Explanation::of(story))
}
