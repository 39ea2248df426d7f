//! One run: threads race on a machine, and what must hold afterwards is looked at.

use std::sync::Arc;

use vbus_wdm::{Machine, Stop, Ticks};

use super::crew::Crew;
use super::processors::{Code, Limits, Run, Turn};
use super::schedule::{Chooser, Policy};
use super::{Failure, Schedule};

/// The threads that race in one run of an exploration, given to the closure that builds the machine.
pub struct Race {
    crew: Arc<Crew>,
    threads: Vec<(String, Code)>,
    chooser: Chooser,
    turns: Vec<Turn>,
    limits: Limits,
    leaves_requests: bool,
}

/// What one run came to.
pub(super) struct Ran {
    pub(super) choices: Vec<u8>,
    pub(super) taken: Schedule,
    pub(super) turns: Vec<Turn>,
    pub(super) failure: Option<Failure>,
}

impl Race {
    pub(super) fn new(crew: &Arc<Crew>, policy: Policy, limits: Limits) -> Race {
        Race {
            crew: Arc::clone(crew),
            threads: Vec::new(),
            chooser: Chooser::new(policy),
            turns: Vec::new(),
            limits,
            leaves_requests: false,
        }
    }

    /// A race that takes turns by this schedule.
    pub(crate) fn replaying(schedule: Schedule) -> Race {
        Race::new(&Crew::new(), Policy::Recorded(schedule), Limits::default())
    }

    /// Adds a thread: a program's, or a driver's own. An undisturbed run runs the threads in the order in which they were
    /// added, each as far as it comes.
    pub fn thread(&mut self, name: &str, code: impl FnOnce(&mut Machine) + Send + 'static) {
        self.threads.push((name.to_owned(), Box::new(code)));
    }

    /// Time passes only when everybody waits: no timer fires while anything else can run. Otherwise a processor may be so
    /// slow that the next timer, if it is due within a minute, fires at any boundary.
    pub fn time_stands_still(&mut self) {
        self.limits.time_passes = false;
    }

    /// Requests may be out when all threads are done and nothing is left to run, as in a driver that keeps some for later.
    /// Without this they are lost.
    pub fn leaves_requests(&mut self) {
        self.leaves_requests = true;
    }

    /// Runs the threads, and everything that they make ready, to the end.
    ///
    /// # Errors
    /// What stopped the machine, or a request that is lost.
    pub fn run(&mut self, m: &mut Machine) -> Result<(), Failure> {
        let threads = std::mem::take(&mut self.threads);
        let none = Chooser::new(Policy::Recorded(Schedule::default()));
        let chooser = std::mem::replace(&mut self.chooser, none);
        m.run(|m| {
            let left = Run::threads(&self.crew, chooser, self.limits, threads, m);
            self.chooser = left.chooser;
            self.turns.extend(left.turns);
            if let Some(ending) = left.ending {
                ending.go_on(m);
            }
        })?;
        match m.irps_out() {
            0 => Ok(()),
            _ if self.leaves_requests => Ok(()),
            out => Err(Failure::Lost(out)),
        }
    }

    pub(super) fn over(self, failure: Option<Failure>) -> Ran {
        let Chooser { choices, taken, .. } = self.chooser;
        Ran { choices, taken, turns: self.turns, failure }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { settle: Ticks::from_millis(10_000), time_passes: true, pauses: 20_000 }
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Failure {
        Failure::Stopped(stop)
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Failure {
        Failure::Expectation(text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Failure {
        Failure::Expectation(text.to_owned())
    }
}
