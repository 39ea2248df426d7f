//! Playing a scenario with other values: one parameter, or two as a grid.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;
use thiserror::Error;
use toml::{Table, Value};

use crate::run::{Outcome, RunError};
use crate::scenario::{Scenario, ScenarioError};

/// A parameter of a scenario and the values that it takes, in their order.
#[derive(Clone, PartialEq, Debug)]
pub struct Vary {
    /// Where the parameter is: `bus.vbus0.extra_stack`.
    pub path: String,
    /// Its values.
    pub values: Vec<Value>,
}

/// Why a sweep cannot be made.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum SweepError {
    /// A range is not written as one.
    #[error("`{0}` says no range: write PATH=0..=5, PATH=0..6, PATH=true,false or PATH=[1, 4]")]
    NoRange(String),
    /// A range has too many values.
    #[error("{path} would take {count} values, and a sweep has at most {MOST_CELLS} cells")]
    TooMany {
        /// The parameter.
        path: String,
        /// How many.
        count: usize,
    },
    /// A path leads nowhere.
    #[error("{path} leads nowhere: {reason}")]
    NoSuchPath {
        /// The parameter.
        path: String,
        /// Where it ends.
        reason: String,
    },
    /// A value makes the scenario wrong.
    #[error("with {values} the scenario cannot be run: {reason}")]
    Wrong {
        /// The values.
        values: String,
        /// Why.
        reason: String,
    },
    /// The scenario cannot be written down, so it cannot be changed.
    #[error("the scenario cannot be written as TOML: {0}")]
    Unwritable(#[from] toml::ser::Error),
}

/// A sweep's size is limited so that a slip of the finger does not fill the memory.
pub const MOST_CELLS: usize = 100_000;

/// The scenario with one value for each parameter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Cell {
    /// The values, as TOML.
    pub values: Vec<String>,
    /// Whether every step succeeded, whatever the scenario expects.
    pub works: bool,
    /// Whether everything was as the scenario expects.
    pub as_expected: bool,
    /// The status of the first step that failed, else of the last; or what stopped the machine.
    pub result: String,
}

/// All cells; the last parameter changes fastest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Sweep {
    /// The parameters' paths.
    pub paths: Vec<String>,
    /// The cells.
    pub cells: Vec<Cell>,
    /// The first cell that works, in the order of the values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest: Option<Vec<String>>,
}

impl FromStr for Vary {
    type Err = SweepError;

    fn from_str(text: &str) -> Result<Vary, SweepError> {
        let wrong = || SweepError::NoRange(text.to_owned());
        let (path, values) = text.split_once('=').ok_or_else(wrong)?;
        let (path, values) = (path.trim(), values.trim());
        if path.is_empty() || values.is_empty() {
            return Err(wrong());
        }
        let values = match values.split_once("..") {
            Some((low, high)) => {
                let (high, inclusive) = high.strip_prefix('=').map_or((high, false), |high| (high, true));
                let number = |text: &str| text.trim().parse::<i64>().map_err(|_| wrong());
                let (low, high) = (number(low)?, number(high)?);
                let count = high.saturating_sub(low).saturating_add(inclusive.into());
                match usize::try_from(count) {
                    Ok(count) if count > MOST_CELLS => {
                        return Err(SweepError::TooMany { path: path.to_owned(), count });
                    }
                    Ok(1..) => (low..low + count).map(Value::Integer).collect(),
                    _ => return Err(wrong()),
                }
            }
            None if values.starts_with('[') => match one_value(values) {
                Some(Value::Array(values)) if !values.is_empty() => values,
                _ => return Err(wrong()),
            },
            None => {
                let word = |text: &str| one_value(text).unwrap_or_else(|| Value::String(text.to_owned()));
                values.split(',').map(|text| word(text.trim())).collect()
            }
        };
        Ok(Vary { path: path.to_owned(), values })
    }
}

fn one_value(text: &str) -> Option<Value> {
    toml::from_str::<Table>(&format!("value = {text}")).ok()?.remove("value")
}

impl Sweep {
    /// Plays the scenario with every combination of values, on as many threads as the machine has processors. `done` hears
    /// of every cell that is through, on any of the threads.
    ///
    /// # Errors
    /// [`SweepError`], of the first combination that cannot be played.
    pub fn run(scenario: &Scenario, varied: &[Vary], done: impl Fn() + Sync) -> Result<Sweep, SweepError> {
        let count = varied.iter().fold(1usize, |count, vary| count.saturating_mul(vary.values.len()));
        if count > MOST_CELLS {
            let path = varied.iter().map(|vary| vary.path.as_str()).collect::<Vec<_>>().join(" x ");
            return Err(SweepError::TooMany { path, count });
        }
        let document = Table::try_from(scenario)?;
        let next = AtomicUsize::new(0);
        let work = || {
            let mut cells = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return cells;
                }
                cells.push((number, play(scenario, &document, varied, number)));
                done();
            }
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(count);
        let mut cells: Vec<(usize, Result<Cell, SweepError>)> = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            // A panic of a worker is this one's too.
            workers
                .into_iter()
                .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        cells.sort_by_key(|(number, _)| *number);
        let cells: Vec<Cell> = cells.into_iter().map(|(_, cell)| cell).collect::<Result<_, _>>()?;
        let smallest = cells.iter().find(|cell| cell.works).map(|cell| cell.values.clone());
        Ok(Sweep { paths: varied.iter().map(|vary| vary.path.clone()).collect(), cells, smallest })
    }
}

/// Plays the `number`-th combination; the last parameter changes fastest.
fn play(scenario: &Scenario, document: &Table, varied: &[Vary], number: usize) -> Result<Cell, SweepError> {
    let mut document = Value::Table(document.clone());
    let mut left = number;
    let mut values = vec![String::new(); varied.len()];
    for (vary, shown) in varied.iter().zip(&mut values).rev() {
        let value = &vary.values[left % vary.values.len()];
        left /= vary.values.len();
        *shown = value.to_string();
        set(&mut document, &vary.path, value)?;
    }
    let wrong = |reason: String| {
        let pairs = varied.iter().zip(&values).map(|(vary, value)| format!("{} = {value}", vary.path));
        SweepError::Wrong { values: pairs.collect::<Vec<_>>().join(", "), reason }
    };
    let changed =
        Scenario::parse(&scenario.path, toml::to_string(&document)?).map_err(|error| wrong(plainly(&error)))?;
    let outcome = changed.run().map_err(|error| {
        wrong(match &error {
            RunError::Scenario(error) => plainly(error),
            RunError::Setup(error) => error.to_string(),
        })
    })?;
    Ok(Cell { works: outcome.worked(), as_expected: outcome.as_expected(), result: result(&outcome), values })
}

/// An error without its place, which would be in a text that nobody wrote.
fn plainly(error: &ScenarioError) -> String {
    match error {
        ScenarioError::Wrong(wrong) => match &wrong.help {
            Some(help) => format!("{}; {help}", wrong.message),
            None => wrong.message.clone(),
        },
        ScenarioError::Unreadable { .. } => error.to_string(),
    }
}

fn result(outcome: &Outcome) -> String {
    if let Some(stop) = &outcome.stop {
        let text = stop.text();
        return text.split(" (").next().unwrap_or(text).to_owned();
    }
    let failed = outcome.steps.iter().find(|step| step.status.is_some_and(|status| !status.0.is_success()));
    let step = failed.or(outcome.steps.last());
    step.and_then(|step| step.status).map_or_else(|| "no steps".to_owned(), |status| status.to_string())
}

/// Puts a value where a path leads: keys, and for lists an index or an entry's `name` or `id`. A list of one needs neither.
fn set(document: &mut Value, path: &str, value: &Value) -> Result<(), SweepError> {
    let nowhere = |reason: String| SweepError::NoSuchPath { path: path.to_owned(), reason };
    let mut keys = path.split('.').peekable();
    let mut at = document;
    while let Some(&key) = keys.peek() {
        at = match at {
            Value::Table(table) => {
                keys.next();
                if keys.peek().is_none() {
                    table.insert(key.to_owned(), value.clone());
                    return Ok(());
                }
                // What is at its default is not written down.
                table.entry(key).or_insert_with(|| Value::Table(Table::new()))
            }
            Value::Array(list) => {
                let found = entry(list, key);
                match (found, list.len()) {
                    (Some(found), _) => {
                        keys.next();
                        if keys.peek().is_none() {
                            list[found] = value.clone();
                            return Ok(());
                        }
                        &mut list[found]
                    }
                    (None, 1) => &mut list[0],
                    (None, count) => {
                        return Err(nowhere(format!("`{key}` is none of {count} entries, by index, name or id")));
                    }
                }
            }
            other => return Err(nowhere(format!("`{other}` has no `{key}`"))),
        };
    }
    Err(nowhere("it ends at a list or a table".to_owned()))
}

fn entry(list: &[Value], key: &str) -> Option<usize> {
    let named = |value: &Value| {
        let is_key = |field: &str| {
            value.get(field).is_some_and(|value| match value {
                Value::String(text) => text == key,
                Value::Integer(number) => number.to_string() == key,
                _ => false,
            })
        };
        is_key("name") || is_key("id")
    };
    list.iter().position(named).or_else(|| key.parse().ok().filter(|&index| index < list.len()))
}

impl fmt::Display for Vary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(ToString::to_string).collect();
        write!(f, "{}={}", self.path, values.join(","))
    }
}
