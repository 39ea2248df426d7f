//! Spreading an exploration over machines: disjoint parts, and their results put together again.

use std::fmt;
use std::io::BufRead;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Exploration, Schedule};

/// The `part`-th of `of` disjoint parts of all schedules, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    part: u64,
    of: u64,
}

/// Why something is no part, or no result of one.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ShardError {
    /// The text is not `K/N` with 1 ≤ K ≤ N.
    #[error("{0:?} names no part: write K/N with K from 1 to N, such as 2/8")]
    NoPart(String),
    /// A line is no result of an exploration.
    #[error("line {line} is no result of an exploration: {reason}")]
    NoResult {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Results of different explorations, or not all of one.
    #[error("{0}")]
    DoNotBelongTogether(String),
}

impl Shard {
    /// Everything.
    pub const WHOLE: Shard = Shard { part: 1, of: 1 };

    /// Whether the part has the `number`-th.
    pub(super) fn has(self, number: u64) -> bool {
        number % self.of == self.part - 1
    }

    /// How many of `total` the part has.
    pub(super) fn part_of(self, total: u64) -> u64 {
        (total + self.of - self.part) / self.of
    }

    /// The number, among all, of the part's own `number`-th.
    pub(super) fn number(self, number: u64) -> u64 {
        number * self.of + self.part - 1
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Shard, ShardError> {
        let numbers = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((part, of)) if 1 <= part && part <= of => Ok(Shard { part, of }),
            _ => Err(ShardError::NoPart(text.to_owned())),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

/// What a part of an exploration came to: one line of JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// What was explored.
    pub title: String,
    /// `K/N`.
    pub shard: String,
    /// How many schedules were run.
    pub schedules: u64,
    /// The smallest failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureLine>,
}

/// A failure in such a line. They are ordered: the smallest has the fewest switches, then the fewest choices.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct FailureLine {
    /// How many switches it needs.
    pub preemptions: usize,
    /// How many choices the run made.
    pub choices: usize,
    /// The schedule that replays it.
    pub schedule: Schedule,
    /// What failed.
    pub failure: String,
    /// The whole story, as a person reads it.
    pub story: String,
}

impl Summary {
    /// The line of an exploration.
    pub fn of(title: &str, shard: Shard, exploration: &Exploration) -> Summary {
        let failure = exploration.failure.as_ref().map(|found| FailureLine {
            preemptions: found.schedule.switches.len(),
            choices: found.choices,
            schedule: found.schedule.clone(),
            failure: found.failure.to_string(),
            story: found.to_string(),
        });
        Summary { title: title.to_owned(), shard: shard.to_string(), schedules: exploration.schedules, failure }
    }
}

/// Puts the parts of one exploration together: all of them must be there, each once, in any order.
///
/// # Errors
/// [`ShardError`].
pub fn merge(lines: impl BufRead) -> Result<Summary, ShardError> {
    let mut parts: Vec<(Shard, Summary)> = Vec::new();
    for (at, line) in lines.lines().enumerate() {
        let no_result = |reason: String| ShardError::NoResult { line: at + 1, reason };
        let line = line.map_err(|error| no_result(error.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        let summary: Summary = serde_json::from_str(&line).map_err(|error| no_result(error.to_string()))?;
        let shard = summary.shard.parse().map_err(|error: ShardError| no_result(error.to_string()))?;
        parts.push((shard, summary));
    }
    let Some((Shard { of, .. }, first)) = parts.first() else {
        return Err(ShardError::DoNotBelongTogether("there are no results to put together".to_owned()));
    };
    let (of, title) = (*of, first.title.clone());
    if let Some((_, other)) = parts.iter().find(|(shard, summary)| shard.of != of || summary.title != title) {
        let text = format!(
            "parts of different explorations: {title:?} in {of} parts, and {:?}, part {}",
            other.title, other.shard
        );
        return Err(ShardError::DoNotBelongTogether(text));
    }
    for part in 1..=of {
        let there = parts.iter().filter(|(shard, _)| shard.part == part).count();
        if there != 1 {
            let text = format!("part {part}/{of} is there {there} times: each part belongs to the whole once");
            return Err(ShardError::DoNotBelongTogether(text));
        }
    }
    let schedules = parts.iter().map(|(_, summary)| summary.schedules).sum();
    let failure = parts.into_iter().filter_map(|(_, summary)| summary.failure).min();
    Ok(Summary { title, shard: Shard::WHOLE.to_string(), schedules, failure })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_disjoint_and_together_everything() {
        for of in 1..7 {
            for total in 0..30 {
                let mut all: Vec<u64> = (1..=of)
                    .map(|part| Shard { part, of })
                    .flat_map(|shard| (0..shard.part_of(total)).map(move |number| shard.number(number)))
                    .collect();
                all.sort_unstable();
                assert_eq!(all, (0..total).collect::<Vec<_>>(), "{total} in {of} parts");
            }
        }
    }

    #[test]
    fn a_part_is_k_of_n() {
        assert_eq!("2/8".parse(), Ok(Shard { part: 2, of: 8 }));
        for wrong in ["", "2", "0/8", "9/8", "a/b", "1/0", "-1/2"] {
            assert_eq!(wrong.parse::<Shard>(), Err(ShardError::NoPart(wrong.to_owned())));
        }
    }
}
