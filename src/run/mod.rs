//! Playing a scenario: its machine is built, its steps happen one after the other, and each is judged by what it expects.

mod act;
mod driver;
mod judge;
mod outcome;
mod race;
mod reason;
mod stage;

use thiserror::Error;
use vbus_wdm::{Stop, VerifierOptions};

use crate::explore::Race;
use crate::report;
use crate::scenario::step::{Action, Step};
use crate::scenario::{Scenario, ScenarioError};
use crate::setup::SetupError;
pub use outcome::{DeviceStack, Outcome, Record, StackDevice, StepOutcome, Stopped, Travel, TravelStep};
pub(crate) use stage::Stage;

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
    /// Plays the scenario; with a schedule, its racing steps take turns by that.
    ///
    /// # Errors
    /// [`RunError`] if there is nothing to play. A machine that stops is not an error: the outcome tells it.
    pub fn run(&self) -> Result<Outcome, RunError> {
        self.play_scheduled(false).map(|played| played.outcome)
    }

    /// Plays the scenario, and records everything from its first step on.
    ///
    /// # Errors
    /// As [`Scenario::run`].
    pub fn record(&self) -> Result<(Outcome, report::Record), RunError> {
        self.play_scheduled(true).map(|played| (played.outcome, played.record.unwrap_or_default()))
    }

    fn play_scheduled(&self, recorded: bool) -> Result<Played<'_>, RunError> {
        self.check()?;
        match &self.schedule {
            None => self.play_recorded(recorded, None, |_| {}),
            Some(schedule) => self.play_recorded(recorded, Some(&mut Race::replaying(schedule.clone())), |_| {}),
        }
    }

    /// Plays a scenario that was checked. With a `race`, neighbouring steps with threads race in it. `prepare` has the
    /// stage before the first step.
    pub(crate) fn play(
        &self,
        race: Option<&mut Race>,
        prepare: impl FnOnce(&mut Stage<'_>),
    ) -> Result<Played<'_>, RunError> {
        self.play_recorded(false, race, prepare)
    }

    fn play_recorded(
        &self,
        recorded: bool,
        mut race: Option<&mut Race>,
        prepare: impl FnOnce(&mut Stage<'_>),
    ) -> Result<Played<'_>, RunError> {
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
        if self.driver_verifier {
            stage.m.verify_drivers(VerifierOptions::default());
        }
        if recorded {
            report::start(&mut stage.m, &self.title);
        }
        prepare(&mut stage);
        let mut steps = &self.step[..];
        let racers = self.racers();
        while let Some((step, others)) = steps.split_first() {
            let races = racers[self.step.len() - steps.len()];
            let racing = steps.iter().take_while(|step| step.thread.is_some()).count();
            if let (Some(race), 1.., None) = (&mut race, racing, &stopped) {
                if recorded {
                    report::action(&mut stage.m, "a race");
                }
                let results;
                (results, stopped) = race::play(&mut stage, &steps[..racing], races, race);
                if recorded {
                    let well = results.iter().all(|result| result.failures.is_empty());
                    report::outcome(&mut stage.m, "the end of the race".to_owned(), Some(well));
                }
                outcome.steps.extend(results);
                steps = &steps[racing..];
            } else {
                steps = others;
                // A scenario that was checked has one action a step.
                let Some(action) = step.actions().next() else { continue };
                let mut result = StepOutcome::of(step, action);
                match &stopped {
                    Some(_) => result.failures.push("the machine had stopped before this step".to_owned()),
                    None => {
                        if recorded {
                            report::action(&mut stage.m, &result.name);
                        }
                        stopped = play(&mut stage, step, action, races, &mut result);
                        if recorded {
                            report::outcome(&mut stage.m, result.came_to(), Some(result.failures.is_empty()));
                        }
                    }
                }
                outcome.steps.push(result);
            }
            if let (Some(stop), None) = (&stopped, &outcome.stop) {
                outcome.stop = Some(Stopped::of(stop));
            }
        }
        outcome.stacks_after = stage.stacks();
        outcome.unfinished = stage.requests.keys().cloned().collect();
        let record = recorded.then(|| report::finish(&mut stage.m));
        Ok(Played { outcome, record, stage, stop: stopped })
    }
}

/// A scenario that was played.
pub(crate) struct Played<'s> {
    pub(crate) outcome: Outcome,
    /// What was recorded, if it was to be.
    pub(crate) record: Option<report::Record>,
    /// What is left of it all.
    pub(crate) stage: Stage<'s>,
    /// What stopped the machine.
    pub(crate) stop: Option<Stop>,
}

/// One step: what happens, what it leaves, and whether that was expected. Returns what stopped the machine.
pub(crate) fn play(
    stage: &mut Stage<'_>,
    step: &Step,
    action: Action<'_>,
    races: bool,
    result: &mut StepOutcome,
) -> Option<Stop> {
    let (marks, breaks) = (stage.log_marks(), stage.debugger_breaks());
    stage.m.watch_irps();
    let acted = stage.take_step(step, action);
    result.targets = stage.targets(step);
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
    result.failures = judge::failures(&step.expect, races, result);
    stopped
}
