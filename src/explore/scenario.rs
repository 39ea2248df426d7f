//! Exploring a scenario: its steps with threads race, and what it expects must be so in every schedule.

use super::{Exploration, Failure, Options, Progress, Race, Schedule, explore_with_progress};
use crate::run::{Played, RunError};
use crate::scenario::Scenario;

impl Scenario {
    /// Explores the schedules of the scenario's racing steps.
    ///
    /// # Errors
    /// [`RunError`] if there is nothing to play.
    pub fn explore(&self, options: &Options, progress: Progress<'_>) -> Result<Exploration, RunError> {
        self.check()?;
        // Whatever keeps one run from being built keeps all.
        self.play(None, |_| {})?;
        Ok(explore_with_progress(options, |race| self.play_once(race), progress))
    }

    fn play_once(&self, race: &mut Race) -> Result<(), Failure> {
        let Played { outcome, stage, stop, .. } = self.play(Some(race), |_| {}).map_err(|error| error.to_string())?;
        let irps_out = stage.m.irps_out();
        let failed = outcome.steps.iter().find_map(|step| Some((step, step.failures.first()?)));
        match (failed, stop) {
            (None, None) if irps_out > 0 => Err(Failure::Lost(irps_out)),
            // A stop that was expected ends everything.
            (None, _) => Ok(()),
            (Some(_), Some(stop)) => Err(Failure::Stopped(stop)),
            (Some((step, failure)), None) => Err(Failure::Expectation(format!("{}: {failure}", step.name))),
        }
    }

    /// The scenario that replays a failure.
    pub fn replaying(&self, failure: &str, schedule: &Schedule) -> Scenario {
        let title = format!("{} ({failure})", self.title);
        Scenario { title, schedule: Some(schedule.clone()), ..self.clone() }
    }
}
