//! `vbus sweep`.

use std::fmt::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use vbus::Scenario;
use vbus::style::{BOLD, GREEN, PLAIN, RED};
use vbus::sweep::{Cell, Sweep, Vary};

use super::text::write_wrapped;
use super::{Format, Verdict, print};

#[derive(clap::Args)]
pub(super) struct Options {
    /// The scenario
    file: PathBuf,
    /// A parameter and its values, once or twice: bus.vbus0.extra_stack=0..=5, framework.verifier=false,true,
    /// bus.vbus0.upper_filters=[[], ["a"]]
    #[arg(long, required = true, value_name = "PATH=RANGE", value_parser = |text: &str| text.parse::<Vary>())]
    vary: Vec<Vary>,
    /// Draw the table as a picture, too
    #[arg(long, value_name = "PATH")]
    svg: Option<PathBuf>,
}

/// From this many cells on there is a bar, on a terminal.
const LONG: usize = 200;

pub(super) fn run(options: &Options, format: Format) -> anyhow::Result<Verdict> {
    anyhow::ensure!(options.vary.len() <= 2, "a table has two sides: --vary can be said once or twice");
    let scenario = Scenario::load(&options.file)?;
    let count: usize = options.vary.iter().map(|vary| vary.values.len()).product();
    let bar = if count < LONG { ProgressBar::hidden() } else { ProgressBar::new(count as u64) };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len}  {per_sec}  {eta} left")?;
    let bar = bar.with_style(style);
    let sweep = Sweep::run(&scenario, &options.vary, || bar.inc(1))?;
    bar.finish_and_clear();
    print(format, &Table(&sweep), &sweep)?;
    if let Some(path) = &options.svg {
        let drawn = super::picture::draw(&sweep);
        std::fs::write(path, drawn).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(if sweep.smallest.is_some() { Verdict::AsExpected } else { Verdict::NotAsExpected })
}

/// A sweep as a table: a row for each value, or for each value of the first parameter and a column for each of the other.
struct Table<'s>(&'s Sweep);

/// The values of the parameter that changes fastest, and the rows of cells.
pub(super) fn grid(sweep: &Sweep) -> (Vec<&str>, Vec<&[Cell]>) {
    let first = sweep.cells.first().map(|cell| &cell.values[0]);
    let columns = match sweep.paths.len() {
        2 => sweep.cells.iter().take_while(|cell| Some(&cell.values[0]) == first).count().max(1),
        _ => 1,
    };
    let names = sweep.cells.iter().take(columns).map(|cell| cell.values.last().map_or("", String::as_str));
    (names.collect(), sweep.cells.chunks(columns).collect())
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sweep = self.0;
        let (columns, rows) = grid(sweep);
        match sweep.paths.len() {
            1 => write_list(f, sweep)?,
            _ => write_grid(f, sweep, &columns, &rows)?,
        }
        writeln!(f)?;
        let mut text = String::new();
        match &sweep.smallest {
            Some(values) => {
                let pairs = sweep.paths.iter().zip(values).map(|(path, value)| format!("{path} = {value}"));
                let pairs = pairs.collect::<Vec<_>>().join(", ");
                write_wrapped(&mut text, "", "  ", &format!("the first that works: {GREEN}{pairs}{PLAIN}"))?;
            }
            None => writeln!(text, "{RED}none works{PLAIN}")?,
        }
        f.write_str(&text)
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, sweep: &Sweep) -> fmt::Result {
    let width = sweep.cells.iter().map(|cell| cell.values[0].chars().count()).chain([sweep.paths[0].len()]).max();
    let width = width.unwrap_or(0);
    writeln!(f, "{BOLD}{:>width$}  result{PLAIN}", sweep.paths[0])?;
    for cell in &sweep.cells {
        let style = if cell.works { GREEN } else { RED };
        writeln!(f, "{:>width$}  {style}{}{PLAIN}", cell.values[0], cell.result)?;
    }
    Ok(())
}

fn write_grid(f: &mut fmt::Formatter<'_>, sweep: &Sweep, columns: &[&str], rows: &[&[Cell]]) -> fmt::Result {
    let first = rows.iter().map(|row| row[0].values[0].chars().count()).max().unwrap_or(0);
    let width = columns.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(2);
    writeln!(f, "down: {}", sweep.paths[0])?;
    writeln!(f, "across: {}\n", sweep.paths[1])?;
    let names: Vec<String> = columns.iter().map(|name| format!("{name:>width$}")).collect();
    writeln!(f, "{BOLD}{:>first$}  {}{PLAIN}", "", names.join("  "))?;
    let mut results: Vec<&str> = Vec::new();
    for row in rows {
        write!(f, "{BOLD}{:>first$}{PLAIN}", row[0].values[0])?;
        for cell in *row {
            let (style, shown) = match cell.works {
                true => (GREEN, "ok".to_owned()),
                false => {
                    let known = results.iter().position(|known| *known == cell.result);
                    let number = known.unwrap_or_else(|| {
                        results.push(&cell.result);
                        results.len() - 1
                    });
                    (RED, letter(number))
                }
            };
            write!(f, "  {style}{shown:>width$}{PLAIN}")?;
        }
        writeln!(f)?;
    }
    if !results.is_empty() {
        writeln!(f)?;
    }
    for (number, result) in results.iter().enumerate() {
        writeln!(f, "{}  {result}", letter(number))?;
    }
    Ok(())
}

/// a, b, … z, 26, 27, …
pub(super) fn letter(number: usize) -> String {
    match u8::try_from(number) {
        Ok(small @ 0..26) => char::from(b'a' + small).to_string(),
        _ => number.to_string(),
    }
}
