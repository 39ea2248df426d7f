//! Other interleavings: what a driver does when other processors come between its steps.
//!
//! A closure builds a machine, names the threads that race on it and says what must hold afterwards; [`explore`] runs it
//! again and again, each time with another schedule: first the undisturbed one, then every one that differs from it in
//! one place, in two, up to a bound, then as many random ones as are asked for. The failure that it finds is the
//! smallest of its kind, and comes with the [`Schedule`] that replays it.
//!
//! ```
//! use vbus::explore::{Options, explore};
//! use vbus::wdm::Machine;
//!
//! let found = explore(&Options::default(), |race| {
//!     let mut machine = Machine::new();
//!     machine.add_extension(Vec::<&str>::new());
//!     race.thread("a", |m| m.extension_mut::<Vec<&str>>().push("a"));
//!     race.thread("b", |m| m.extension_mut::<Vec<&str>>().push("b"));
//!     race.run(&mut machine)?;
//!     if machine.extension::<Vec<&str>>() == &["b", "a"] { Err("b was first".into()) } else { Ok(()) }
//! });
//! assert_eq!(found.failure.unwrap().schedule.to_string(), "0:1");
//! ```
//!
//! # What is covered
//! Threads of control switch where drivers call DDIs, where the framework calls drivers, and where somebody waits: any of
//! them may stand still there, as long as it likes, while the others go on. What lies between two such places is one
//! step. A race between two plain reads and writes of memory with no DDI between them is not seen, nor is one inside the
//! framework or the I/O manager, whose own locks make their steps whole (but for the one step of the framework that does
//! its work under its lock twice: a reserved request that comes back to its queue). A DPC runs on the processor that queued it.

mod crew;
mod minimise;
mod processors;
mod race;
mod scenario;
mod schedule;
mod search;
mod shard;

use std::fmt;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Serialize;
use vbus_wdm::Stop;

pub use processors::Turn;
pub use race::Race;
pub use schedule::{Schedule, Switch};
pub use shard::{FailureLine, Shard, ShardError, Summary, merge};

use crew::Crew;
use processors::Limits;
use race::Ran;
use schedule::Policy;

/// How far an exploration goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// All schedules that leave the undisturbed one at up to so many places.
    pub preemptions: u32,
    /// How many random schedules follow.
    pub seeds: u64,
    /// The first seed.
    pub first_seed: u64,
    /// At how many places a random schedule drops the thread that runs behind all others.
    pub drops: u32,
    /// At most so many schedules in all.
    pub schedules: u64,
    /// On how many cores.
    pub jobs: NonZero<usize>,
    /// Which part of all schedules.
    pub shard: Shard,
}

impl Default for Options {
    /// Up to two preemptions, then a thousand seeds, on one core.
    fn default() -> Options {
        Options {
            preemptions: 2,
            seeds: 1000,
            first_seed: 0,
            drops: 2,
            schedules: u64::MAX,
            jobs: NonZero::<usize>::MIN,
            shard: Shard::WHOLE,
        }
    }
}

/// What an exploration tells while it runs: how many schedules it ran so far.
pub type Progress<'a> = &'a (dyn Fn(u64) + Sync);

/// What an exploration came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exploration {
    /// How many schedules were run to find that out: the same on any number of cores.
    pub schedules: u64,
    /// The smallest failure, if there was one.
    pub failure: Option<Found>,
}

/// A failure, and how it is met again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// What failed.
    pub failure: Failure,
    /// The schedule that replays it.
    pub schedule: Schedule,
    /// How many choices the run made.
    pub choices: usize,
    /// The places at which it leaves the undisturbed run.
    pub turns: Vec<Turn>,
    /// The seed that found it, before it was made smaller; `None` if it was found in order.
    pub seed: Option<u64>,
}

/// What failed in a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The machine stopped: a bug check, a hang, undefined behaviour.
    Stopped(Stop),
    /// So many requests are out, and nothing is left that could complete them.
    Lost(usize),
    /// The closure said so.
    Expectation(String),
    /// Code of the closure or of a driver panicked.
    Panicked(String),
}

impl Failure {
    /// Whether it is the same failure, as far as making a schedule smaller goes.
    fn is_like(&self, other: &Failure) -> bool {
        match (self, other) {
            (Failure::Stopped(Stop::BugCheck(one)), Failure::Stopped(Stop::BugCheck(other))) => one.code == other.code,
            (Failure::Lost(_), Failure::Lost(_)) => true,
            (one, other) => one == other,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Stopped(stop) => stop.fmt(f),
            Failure::Lost(1) => write!(f, "a request is lost: it is out, and nothing is left that could complete it"),
            Failure::Lost(out) => write!(f, "{out} requests are lost: nothing is left that could complete them"),
            Failure::Expectation(text) => text.fmt(f),
            Failure::Panicked(text) => write!(f, "a panic: {text}"),
        }
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.failure)?;
        writeln!(f, "  schedule {}, of {} choices", self.schedule, self.choices)?;
        for Turn { at, left, ddi, to } in &self.turns {
            match left.as_str() {
                "" => writeln!(f, "  {at:>5}  at the beginning: {to} runs")?,
                left => writeln!(f, "  {at:>5}  {left}, at {ddi}: {to} runs")?,
            }
        }
        Ok(())
    }
}

/// Explores a closure's schedules.
///
/// The closure is called for every schedule, on several threads if there are several cores. It must build the same machine
/// each time: what it does may depend on nothing but the machine.
pub fn explore(options: &Options, code: impl Fn(&mut Race) -> Result<(), Failure> + Sync) -> Exploration {
    search::search(options, &code, &|_| {})
}

/// As [`explore`], telling how far it is.
pub fn explore_with_progress(
    options: &Options,
    code: impl Fn(&mut Race) -> Result<(), Failure> + Sync,
    progress: Progress<'_>,
) -> Exploration {
    search::search(options, &code, progress)
}

/// Runs one schedule: replays what an exploration found.
///
/// # Errors
/// What failed.
pub fn replay(schedule: &Schedule, code: impl Fn(&mut Race) -> Result<(), Failure> + Sync) -> Result<(), Box<Found>> {
    let mut ran = run_once(&Crew::new(), Policy::Recorded(schedule.clone()), &code);
    if ran.failure.is_none() && ran.taken != *schedule {
        let text = format!("the schedule {schedule} belongs to another run: this one does not have its choices");
        ran.failure = Some(Failure::Expectation(text));
    }
    if ran.failure.is_some() { Err(Box::new(search::found(ran, None))) } else { Ok(()) }
}

type Closure<'a> = &'a (dyn Fn(&mut Race) -> Result<(), Failure> + Sync);

fn run_once(crew: &Arc<Crew>, policy: Policy, code: Closure<'_>) -> Ran {
    let mut race = Race::new(crew, policy, Limits::default());
    let outcome = catch_unwind(AssertUnwindSafe(|| code(&mut race)));
    let failure = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        Err(payload) => Some(Failure::Panicked(processors::panic_message(payload.as_ref()))),
    };
    race.over(failure)
}

impl Serialize for Failure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
