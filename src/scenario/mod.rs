//! Scenarios: a device stack and what happens on it, written as TOML.
//!
//! One subject a file, as in the format itself: [`framework`], [`bus`], [`reader`], [`card`], [`filter`], [`queue`], [`driver`],
//! [`step`] with what a [`program`] and a [`target`] do, [`expect`]. [`Scenario::load`] reads a file with all that it includes, and checks every name in it;
//! [`Scenario::run`] plays it.

pub mod bus;
pub mod card;
mod check;
pub mod driver;
pub mod expect;
pub mod filter;
pub mod framework;
mod load;
pub mod program;
pub mod queue;
pub mod reader;
pub mod source;
pub mod step;
pub mod target;
pub mod value;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::explore::Schedule;
use bus::Bus;
use filter::is_default;
use framework::Framework;
use step::Step;

pub use source::ScenarioError;

/// A scenario.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// What it shows, in a line.
    #[serde(skip_serializing_if = "is_default")]
    pub title: String,
    /// Files whose framework settings, buses and steps come before this one's; paths from this file's folder.
    #[serde(skip_serializing_if = "is_default")]
    pub include: Vec<String>,
    /// Driver Verifier's I/O verification is on for every driver, from the first step on.
    #[serde(skip_serializing_if = "is_default")]
    pub driver_verifier: bool,
    /// The framework's settings.
    #[serde(skip_serializing_if = "is_default")]
    pub framework: Framework,
    /// The buses with their readers.
    #[serde(skip_serializing_if = "is_default")]
    pub bus: Vec<Bus>,
    /// How the threads of racing steps take turns, as `vbus explore` found it: `vbus run` replays that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// What happens.
    #[serde(skip_serializing_if = "is_default")]
    pub step: Vec<Step>,
    /// The file that it was read from, or stands for.
    #[serde(skip)]
    pub path: PathBuf,
}

impl Scenario {
    /// The JSON schema of a scenario file, for editors.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Scenario)
    }

    /// The scenario as a file: what is at its default is left out.
    ///
    /// # Errors
    /// The TOML writer's.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// Which steps race: those whose neighbours other threads take.
    pub(crate) fn racers(&self) -> Vec<bool> {
        let mut races = Vec::with_capacity(self.step.len());
        for group in self.step.chunk_by(|one, next| one.thread.is_some() && next.thread.is_some()) {
            let several = group.iter().any(|step| step.thread != group[0].thread);
            races.resize(races.len() + group.len(), several);
        }
        races
    }

    /// The bus that a step means: the one it names, or the only one.
    pub(crate) fn bus_index(&self, name: Option<&str>) -> Option<usize> {
        match name {
            Some(name) => self.bus.iter().position(|bus| bus.name() == name),
            None => (self.bus.len() == 1).then_some(0),
        }
    }
}
