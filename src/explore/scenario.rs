//! Exploring a scenario: its steps with threads race, and what it expects must be so in every schedule.

use super::{Exploration, Failure, Found, Options, Progress, Race, explore_with_progress};
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
        self.play(None)?;
        Ok(explore_with_progress(options, |race| self.play_once(race), progress))
    }

    fn play_once(&self, race: &mut Race) -> Result<(), Failure> {
        let Played { outcome, irps_out, stop } = self.play(Some(race)).map_err(|error| error.to_string())?;
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
    pub fn replaying(&self, found: &Found) -> Scenario {
        let title = format!("{} ({})", self.title, found.failure);
        Scenario { title, schedule: Some(found.schedule.clone()), ..self.clone() }
    }
}
