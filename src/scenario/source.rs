//! Where things stand in a scenario's files, and errors that point there.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::style::{BOLD, GREEN, PLAIN, RED};

/// A file's path and text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Source {
    /// The path that it was read from.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// A place in a file. The default is no place at all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    source: Arc<Source>,
    span: Range<usize>,
}

/// Why a scenario cannot be run, with the place where it says so.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("{RED}error{PLAIN}{BOLD}: {path} cannot be read: {reason}{PLAIN}")]
    Unreadable {
        /// Its path.
        path: String,
        /// The system's reason.
        reason: String,
    },
    /// What stands at a place in a file cannot be meant so.
    #[error("{0}")]
    Wrong(Box<Wrong>),
}

/// What is wrong, where, and what to write instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What to write instead.
    pub help: Option<String>,
}

impl Place {
    pub(crate) fn new(source: &Arc<Source>, span: Range<usize>) -> Place {
        Place { source: Arc::clone(source), span }
    }

    /// Another place in the same file.
    pub(crate) fn within(&self, span: Range<usize>) -> Place {
        Place::new(&self.source, span)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.source.path
    }

    /// Line and column, from 1; columns count characters.
    pub fn line_and_column(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.span.start).unwrap_or(&self.source.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The line, and how many characters of it are meant.
    fn line(&self) -> (&str, usize) {
        let (number, column) = self.line_and_column();
        let line = self.source.text.lines().nth(number - 1).unwrap_or("");
        let meant = self.source.text.get(self.span.clone()).unwrap_or("");
        let marked = meant.lines().next().unwrap_or("").chars().count();
        (line, marked.clamp(1, (line.chars().count() + 1).saturating_sub(column - 1).max(1)))
    }

    /// An error here.
    pub fn error(&self, message: impl Into<String>) -> ScenarioError {
        ScenarioError::Wrong(Box::new(Wrong { message: message.into(), place: self.clone(), help: None }))
    }

    /// An error here, with what to write instead.
    pub(crate) fn error_with_help(&self, message: impl Into<String>, help: impl Into<String>) -> ScenarioError {
        let (message, help) = (message.into(), Some(help.into()));
        ScenarioError::Wrong(Box::new(Wrong { message, place: self.clone(), help }))
    }

    /// An error here about a name that is none of those that are known: the nearest of them is the help.
    pub(crate) fn unknown<'a>(
        &self,
        message: impl Into<String>,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> ScenarioError {
        let known: Vec<&str> = known.into_iter().collect();
        match (closest(name, known.iter().copied()), known.as_slice()) {
            (Some(near), _) => self.error_with_help(message, format!("did you mean `{near}`?")),
            (None, []) => self.error(message),
            (None, known) => self.error_with_help(message, format!("there is {}", list(known))),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, column) = self.place.line_and_column();
        let (line, marked) = self.place.line();
        let path = self.place.path().display();
        let gutter = " ".repeat(number.to_string().len());
        writeln!(f, "{RED}error{PLAIN}{BOLD}: {}{PLAIN}", self.message)?;
        writeln!(f, "{gutter}--> {path}:{number}:{column}")?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {}", line.replace('\t', " "))?;
        write!(f, "{gutter} | {}{RED}{}{PLAIN}", " ".repeat(column - 1), "^".repeat(marked))?;
        match &self.help {
            Some(help) => write!(f, "\n{GREEN}help{PLAIN}: {help}"),
            None => Ok(()),
        }
    }
}

/// What the TOML reader says, in the form of all errors.
pub(crate) fn from_toml(source: &Arc<Source>, error: &toml::de::Error) -> ScenarioError {
    let place = Place::new(source, error.span().unwrap_or(0..0));
    let (message, help) = with_nearest(error.message());
    ScenarioError::Wrong(Box::new(Wrong { message, place, help }))
}

/// Serde lists all names that it expected: the nearest of them is the help, and the list stays out of the way.
fn with_nearest(message: &str) -> (String, Option<String>) {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let (Some(name), true) = (quoted.next(), unknown) else { return (in_words(message.trim_end()), None) };
    let known: Vec<&str> = quoted.collect();
    let what = if message.starts_with("unknown field") { "key" } else { "choice" };
    let help = match closest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there is {}", list(&known)),
    };
    (format!("there is no {what} `{name}` here"), Some(help))
}

/// Serde names the types of Rust, which are no words of a scenario.
fn in_words(message: &str) -> String {
    if let Some(name) = message.strip_prefix("missing field ") {
        return format!("the key {name} is missing here");
    }
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    let wanted = match expected {
        "i8" => "a whole number from -128 to 127".to_owned(),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "a boolean" => "true or false".to_owned(),
        other => other.to_owned(),
    };
    let found = found.strip_prefix("invalid type: ").or_else(|| found.strip_prefix("invalid value: "));
    let Some(found) = found else { return message.to_owned() };
    format!("{wanted} was expected here, and not {found}")
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The name that was probably meant.
fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|other| (strsim::damerau_levenshtein(name, other), other));
    scored
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, other)| distance <= other.len().max(3) / 3)
        .map(|(_, other)| other)
}

/// `; did you mean …?`, where a known name is near.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    closest(name, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}
