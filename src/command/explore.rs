//! `vbus explore`.

use std::fmt;
use std::fs;
use std::io::{self, BufReader};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use vbus::Scenario;
use vbus::explore::{FailureLine, Options as HowFar, Shard, Summary, merge};
use vbus::style::{BOLD, GREEN, PLAIN, RED};

use super::text::{count, write_wrapped};
use super::{Format, Verdict, print};

#[derive(clap::Args)]
pub(super) struct Options {
    /// The scenario
    file: PathBuf,
    /// Run all schedules that leave the undisturbed one at up to this many places
    #[arg(long, default_value_t = 2, value_name = "N")]
    preemptions: u32,
    /// Then run this many random schedules
    #[arg(long, default_value_t = 1000, value_name = "N")]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// At how many places a random schedule drops the thread that runs behind the others
    #[arg(long, default_value_t = 2, value_name = "N")]
    drops: u32,
    /// Run at most this many schedules
    #[arg(long, value_name = "N")]
    schedules: Option<u64>,
    /// On this many cores; all, if not said
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<usize>>,
    /// Run only the K-th of N disjoint parts; its result, with --format json, is a line for --merge
    #[arg(long, value_name = "K/N", default_value_t = Shard::WHOLE)]
    shard: Shard,
    /// Run nothing: put the results of all parts together, a JSON line each; - is the standard input
    #[arg(long, value_name = "PATH")]
    merge: Option<PathBuf>,
    /// Write the scenario that replays a failure
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,
}

pub(super) fn run(options: &Options, format: Format) -> anyhow::Result<Verdict> {
    let scenario = Scenario::load(&options.file)?;
    let summary = match &options.merge {
        Some(lines) => merged(lines)?,
        None => explored(options, &scenario)?,
    };
    print(format, &Text(&summary), &summary)?;
    let Some(failure) = &summary.failure else { return Ok(Verdict::AsExpected) };
    if let Some(path) = &options.output {
        let replaying = scenario.replaying(&failure.failure, &failure.schedule);
        let text = replaying.to_toml().context("the scenario as TOML")?;
        fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(Verdict::NotAsExpected)
}

fn merged(lines: &Path) -> anyhow::Result<Summary> {
    if lines == Path::new("-") {
        return Ok(merge(io::stdin().lock())?);
    }
    let file = fs::File::open(lines).with_context(|| format!("{} cannot be read", lines.display()))?;
    Ok(merge(BufReader::new(file))?)
}

fn explored(options: &Options, scenario: &Scenario) -> anyhow::Result<Summary> {
    let one = NonZero::<usize>::MIN;
    let how_far = HowFar {
        preemptions: options.preemptions,
        seeds: options.seeds,
        first_seed: options.seed,
        drops: options.drops,
        schedules: options.schedules.unwrap_or(u64::MAX),
        jobs: options.jobs.unwrap_or_else(|| thread::available_parallelism().unwrap_or(one)),
        shard: options.shard,
    };
    let bar = ProgressBar::new_spinner()
        .with_style(ProgressStyle::with_template("{spinner} {pos} schedules  {per_sec}  {elapsed}")?);
    let exploration = scenario.explore(&how_far, &|schedules| bar.set_position(schedules))?;
    bar.finish_and_clear();
    Ok(Summary::of(&scenario.title, options.shard, &exploration))
}

/// The result for people.
struct Text<'s>(&'s Summary);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Text(Summary { title, shard, schedules, failure }) = self;
        if !title.is_empty() {
            writeln!(f, "{BOLD}{title}{PLAIN}")?;
        }
        let schedules = count(usize::try_from(*schedules).unwrap_or(usize::MAX), "schedule");
        let part = if *shard == Shard::WHOLE.to_string() { String::new() } else { format!(", part {shard}") };
        match failure {
            None => writeln!(f, "{GREEN}as expected{PLAIN} in {schedules}{part}"),
            Some(FailureLine { story, .. }) => {
                writeln!(f, "{RED}not as expected{PLAIN} in one of {schedules}{part}:")?;
                let mut text = String::new();
                for line in story.lines() {
                    let own = line.len() - line.trim_start().len();
                    let indent = " ".repeat(2 + own);
                    write_wrapped(&mut text, &indent, &format!("{indent}       "), line)?;
                }
                f.write_str(&text)
            }
        }
    }
}
