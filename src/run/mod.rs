//! Playing a scenario: its machine is built, its steps happen one after the other, and each is judged by what it expects.

mod act;
mod driver;
mod judge;
mod outcome;
mod reason;
mod stage;

use thiserror::Error;
use vbus_wdm::Stop;

use crate::scenario::step::{Action, Step};
use crate::scenario::{Scenario, ScenarioError};
use crate::setup::SetupError;
pub use outcome::{DeviceStack, Outcome, Record, StackDevice, StepOutcome, Stopped, Travel, TravelStep};
use stage::Stage;

/// Why a scenario could not be played at all.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RunError {
    /// The file is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The machine could not be built.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

impl Scenario {
    /// Plays the scenario.
    ///
    /// # Errors
    /// [`RunError`] if there is nothing to play. A machine that stops is not an error: the outcome tells it.
    pub fn run(&self) -> Result<Outcome, RunError> {
        self.check()?;
        let mut stage = Stage::load(self)?;
        let mut outcome = Outcome { title: self.title.clone(), ..Outcome::default() };
        let marks = vec![0; stage.drivers.len()];
        let mut stopped = match stage.start() {
            Ok(()) => None,
            Err(SetupError::Stopped(stop)) => Some(stop),
            Err(error) => return Err(error.into()),
        };
        outcome.start_log = outcome::records(stage.log_since(&marks));
        outcome.stacks = stage.stacks();
        if let Some(stop) = &stopped {
            outcome.stop = Some(Stopped::of(stop));
        }
        for step in &self.step {
            // A scenario that was checked has one action a step.
            let Some(action) = step.actions().next() else { continue };
            let mut result = StepOutcome::of(step, action);
            match stopped.as_ref() {
                Some(_) => result.failures.push("the machine had stopped before this step".to_owned()),
                None => {
                    stopped = play(&mut stage, step, action, &mut result);
                    if result.stop.is_some() {
                        outcome.stop = result.stop.clone();
                    }
                }
            }
            outcome.steps.push(result);
        }
        outcome.stacks_after = stage.stacks();
        outcome.unfinished = stage.requests.keys().cloned().collect();
        Ok(outcome)
    }
}

/// One step: what happens, what it leaves, and whether that was expected. Returns what stopped the machine.
fn play(stage: &mut Stage<'_>, step: &Step, action: Action<'_>, result: &mut StepOutcome) -> Option<Stop> {
    let (marks, breaks) = (stage.log_marks(), stage.debugger_breaks());
    stage.m.watch_irps();
    stage.place = step.place.clone().unwrap_or_default();
    let acted = stage.act(action);
    result.at_ticks = stage.m.now().0;
    result.log = outcome::records(stage.log_since(&marks));
    result.debugger_breaks = stage.debugger_breaks() - breaks;
    result.irps = stage.travels();
    let stopped = match acted {
        Ok(done) => {
            (result.status, result.information, result.output) = (done.status, done.information, done.output);
            None
        }
        Err(stop) => {
            result.stop = Some(Stopped::of(&stop));
            Some(stop)
        }
    };
    result.reason = stopped.is_none().then(|| reason::of(stage, action, result)).flatten();
    result.failures = judge::failures(&step.expect, result);
    stopped
}
