//! Steps that race: each thread of the scenario takes its own in order, on a processor of its own.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use vbus_wdm::{Machine, Stop};

use super::act::Done;
use super::judge;
use super::outcome::{self, StepOutcome, Stopped};
use super::stage::{Names, Stage};
use crate::explore::{Failure, Race};
use crate::scenario::Scenario;
use crate::scenario::step::Step;

/// What the threads leave: what each step came to, by its number in the race, and what each thread knows in the end.
#[derive(Default)]
struct Left {
    done: Vec<(usize, Done, u64)>,
    names: Vec<Names>,
}

/// Plays steps that race, or that one thread takes while what it started goes on beside it. Returns what they came to, in their order in the file, and what stopped the machine.
pub(super) fn play(
    stage: &mut Stage<'_>,
    steps: &[Step],
    races: bool,
    race: &mut Race,
) -> (Vec<StepOutcome>, Option<Stop>) {
    // Whoever comes first in a schedule, the threads are the same.
    for name in steps.iter().filter_map(|step| step.thread.as_ref()) {
        stage.thread(name);
    }
    let left = Arc::new(Mutex::new(Left::default()));
    let before = stage.names();
    // What a thread does outlives this call as far as the compiler knows.
    let scenario = Arc::new(Scenario { step: steps.to_vec(), ..stage.scenario.clone() });
    for (at, step) in steps.iter().enumerate() {
        if steps[..at].iter().any(|earlier| earlier.thread == step.thread) {
            continue;
        }
        let name = step.thread.clone().unwrap_or_default();
        let thread = Thread { name: name.clone(), scenario: Arc::clone(&scenario), left: Arc::clone(&left) };
        let names = before.clone();
        race.thread(&name, move |m| thread.run(m, names));
    }
    let (marks, breaks) = (stage.log_marks(), stage.debugger_breaks());
    // A later step may wait for what is out.
    race.leaves_requests();
    let stop = match race.run(&mut stage.m) {
        Err(Failure::Stopped(stop)) => Some(stop),
        _ => None,
    };
    let left = std::mem::take(&mut *left.lock().unwrap_or_else(PoisonError::into_inner));
    for after in &left.names {
        stage.learn(&before, after);
    }
    let log = outcome::records(stage.log_since(&marks));
    let breaks = stage.debugger_breaks() - breaks;
    let ends_in_stop = stop.as_ref().and_then(|_| {
        let unfinished = |&at: &usize| !left.done.iter().any(|(done, ..)| *done == at);
        let expects = (0..steps.len()).filter(unfinished).find(|&at| steps[at].expect.stops());
        expects.or_else(|| (0..steps.len()).find(unfinished))
    });
    let results = steps.iter().enumerate().filter_map(|(at, step)| {
        let mut result = StepOutcome::of(step, step.actions().next()?);
        (result.log, result.debugger_breaks) = (log.clone(), breaks);
        if let Some((_, done, at_ticks)) = left.done.iter().find(|(done, ..)| *done == at) {
            (result.status, result.information, result.output) = (done.status, done.information, done.output.clone());
            result.at_ticks = *at_ticks;
        } else if ends_in_stop == Some(at) {
            result.stop = stop.as_ref().map(Stopped::of);
        }
        result.targets = stage.targets(step);
        result.failures = judge::failures(&step.expect, races, &result);
        Some(result)
    });
    (results.collect(), stop)
}

/// One thread of the race.
struct Thread {
    name: String,
    /// Its steps are those of the race.
    scenario: Arc<Scenario>,
    left: Arc<Mutex<Left>>,
}

impl Thread {
    fn run(self, m: &mut Machine, mut names: Names) {
        let steps = self.scenario.step.iter().enumerate();
        for (at, step) in steps.filter(|(_, step)| step.thread.as_deref() == Some(&self.name)) {
            let Some(action) = step.actions().next() else { continue };
            let mut stage = Stage::of(&self.scenario, std::mem::take(m), names);
            let acted = catch_unwind(AssertUnwindSafe(|| stage.take_step(step, action)));
            names = stage.names();
            *m = stage.m;
            match acted {
                Ok(Ok(done)) => self.leave(|left| left.done.push((at, done, m.now().0))),
                // Inside a run a machine that stops unwinds.
                Ok(Err(_)) => break,
                Err(unwinding) => resume_unwind(unwinding),
            }
        }
        self.leave(|left| left.names.push(names));
    }

    fn leave(&self, what: impl FnOnce(&mut Left)) {
        what(&mut self.left.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
