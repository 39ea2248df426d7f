//! `vbus diff`.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use vbus::Scenario;
use vbus::diff::{self, Row};
use vbus::run::{Outcome, StepOutcome};
use vbus::style::{BOLD, DIM, GREEN, PLAIN, RED};

use super::text::{count, wrapped};
use super::{Format, Verdict, print};

#[derive(clap::Args)]
pub(super) struct Options {
    /// The scenario that fails, say
    a: PathBuf,
    /// Its repaired twin
    b: PathBuf,
    /// How many lines that both logs have are shown around each difference
    #[arg(long, value_name = "N", default_value_t = 2)]
    context: usize,
    /// How many columns there are
    #[arg(long, value_name = "N", default_value_t = super::text::WIDTH, value_parser = width)]
    width: usize,
}

fn width(text: &str) -> Result<usize, String> {
    let width: usize = text.parse().map_err(|_| format!("`{text}` is no number of columns"))?;
    (40..=1000).contains(&width).then_some(width).ok_or_else(|| "it takes 40 to 1000 columns".to_owned())
}

#[derive(Serialize)]
struct Difference {
    a: Side,
    b: Side,
    /// How many rows are the same before the first that is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_difference: Option<usize>,
    rows: Vec<Row>,
    #[serde(skip)]
    context: usize,
    #[serde(skip)]
    width: usize,
}

#[derive(Serialize)]
struct Side {
    file: String,
    title: String,
    as_expected: bool,
    /// The steps' names and results.
    steps: Vec<[String; 2]>,
}

pub(super) fn run(options: &Options, format: Format) -> anyhow::Result<Verdict> {
    let play = |path: &PathBuf| -> anyhow::Result<(Side, Outcome)> {
        let outcome = Scenario::load(path)?.run()?;
        let steps = outcome.steps.iter().map(|step| [step.name.clone(), result(step)]).collect();
        let (title, as_expected) = (outcome.title.clone(), outcome.as_expected());
        Ok((Side { file: path.display().to_string(), title, as_expected, steps }, outcome))
    };
    let ((a, outcome_a), (b, outcome_b)) = (play(&options.a)?, play(&options.b)?);
    let rows = diff::rows(&outcome_a, &outcome_b);
    let first_difference = rows.iter().position(|row| matches!(row, Row::Different { .. }));
    let verdict = if a.as_expected && b.as_expected { Verdict::AsExpected } else { Verdict::NotAsExpected };
    let difference = Difference { a, b, first_difference, rows, context: options.context, width: options.width };
    print(format, &difference, &difference)?;
    Ok(verdict)
}

fn is_one_sided(row: &Row) -> bool {
    matches!(row, Row::Different { a: None, .. } | Row::Different { b: None, .. })
}

fn result(step: &StepOutcome) -> String {
    match (&step.stop, step.status) {
        (Some(stop), _) => stop.text().to_owned(),
        (None, Some(status)) => status.to_string(),
        (None, None) => "not reached".to_owned(),
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (style, plain) = (BOLD, PLAIN);
        self.write_pair(f, ' ', &self.a.file, &self.b.file, (style, plain))?;
        self.write_pair(f, ' ', &self.a.title, &self.b.title, ("", ""))?;
        writeln!(f)?;
        for at in 0..self.a.steps.len().max(self.b.steps.len()) {
            let step =
                |side: &Side| side.steps.get(at).map_or_else(String::new, |[name, result]| format!("{name}: {result}"));
            let (a, b) = (step(&self.a), step(&self.b));
            let mark = if a == b { ' ' } else { '|' };
            self.write_pair(f, mark, &a, &b, ("", ""))?;
        }
        writeln!(f)?;
        let Some(first) = self.first_difference else {
            return writeln!(f, "the logs are the same: {}", count(self.rows.len(), "line"));
        };
        writeln!(f, "{DIM}{} the same before the first difference{PLAIN}", count(first, "line"))?;
        self.write_rows(f)
    }
}

impl Difference {
    /// How many rows in a row are shown that only one log has.
    fn one_sided_most(&self) -> usize {
        8 + self.context
    }

    fn write_rows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let different = |at: &usize| matches!(self.rows[*at], Row::Different { .. });
        let near = |at: usize| {
            let around = at.saturating_sub(self.context)..self.rows.len().min(at + self.context + 1);
            around.into_iter().any(|at| different(&at))
        };
        let (mut hidden, mut one_sided) = (0, 0);
        for (at, row) in self.rows.iter().enumerate() {
            if !near(at) {
                hidden += 1;
                continue;
            }
            if hidden > 0 && at > self.first_difference.unwrap_or(0) {
                writeln!(f, "{DIM}    ... {} the same{PLAIN}", count(hidden, "line"))?;
            }
            hidden = 0;
            one_sided = if is_one_sided(row) { one_sided + 1 } else { 0 };
            if one_sided > self.one_sided_most() {
                if !self.rows.get(at + 1).is_some_and(is_one_sided) {
                    let more = count(one_sided - self.one_sided_most(), "more line");
                    writeln!(f, "{DIM}    ... {more} that only one log has{PLAIN}")?;
                }
                continue;
            }
            match row {
                Row::Same { both } => self.write_pair(f, ' ', both, both, (DIM, PLAIN))?,
                Row::Different { a: Some(a), b: Some(b) } => self.write_pair(f, '|', a, b, ("", ""))?,
                Row::Different { a: Some(a), .. } => self.write_pair(f, '<', a, "", (RED, PLAIN))?,
                Row::Different { b, .. } => self.write_pair(f, '>', "", b.as_deref().unwrap_or(""), (GREEN, PLAIN))?,
            }
        }
        if hidden > 0 {
            writeln!(f, "{DIM}    ... {} the same to the end{PLAIN}", count(hidden, "line"))?;
        }
        Ok(())
    }

    /// Two texts beside each other, each broken to its half of the width, with a mark between them.
    fn write_pair(
        &self,
        f: &mut fmt::Formatter<'_>,
        mark: char,
        a: &str,
        b: &str,
        (style, plain): (&str, &str),
    ) -> fmt::Result {
        let half = (self.width - 3) / 2;
        let (a, b) = (wrapped(a, half), wrapped(b, half));
        for at in 0..a.len().max(b.len()) {
            let (a, b) = (a.get(at).map_or("", String::as_str), b.get(at).map_or("", String::as_str));
            let line = format!("{a:<half$} {mark} {b}");
            writeln!(f, "{style}{}{plain}", line.trim_end())?;
        }
        Ok(())
    }
}
