//! Reading a scenario's files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::Scenario;
use super::bus::Bus;
use super::framework::Framework;
use super::source::{Place, ScenarioError, Source, from_toml};
use super::step::Step;
use crate::explore::Schedule;

/// One file, with where its parts stand.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    title: String,
    include: Vec<Spanned<String>>,
    framework: Option<Framework>,
    driver_verifier: Option<bool>,
    schedule: Option<Schedule>,
    bus: Vec<Spanned<Bus>>,
    step: Vec<Spanned<Step>>,
}

impl Scenario {
    /// Reads a scenario and what it includes, and checks every name in it.
    ///
    /// # Errors
    /// [`ScenarioError`], with the place in the file.
    pub fn load(path: impl AsRef<Path>) -> Result<Scenario, ScenarioError> {
        let mut scenario = Scenario::default();
        add_file(&mut scenario, path.as_ref(), None, &mut Vec::new())?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Reads a scenario from a text that stands for the file at `path`.
    ///
    /// # Errors
    /// [`ScenarioError`], with the place in the text.
    pub fn parse(path: impl AsRef<Path>, text: impl Into<String>) -> Result<Scenario, ScenarioError> {
        let mut scenario = Scenario::default();
        let source = Source { path: path.as_ref().to_owned(), text: text.into() };
        add(&mut scenario, source, &mut Vec::new())?;
        scenario.check()?;
        Ok(scenario)
    }
}

/// Adds a file to the scenario. `included` says where that is asked for; `open` are the files that are being read.
fn add_file(
    scenario: &mut Scenario,
    path: &Path,
    included: Option<&Place>,
    open: &mut Vec<PathBuf>,
) -> Result<(), ScenarioError> {
    let text = fs::read_to_string(path).map_err(|error| match included {
        Some(place) => place.error(format!("{} cannot be read: {error}", path.display())),
        None => ScenarioError::Unreadable { path: path.display().to_string(), reason: error.to_string() },
    })?;
    // What cannot be resolved was read just now: then the path itself is the best name that it has.
    let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if let (true, Some(place)) = (open.contains(&canonical), included) {
        return Err(place.error(format!("{} includes itself", path.display())));
    }
    open.push(canonical);
    add(scenario, Source { path: path.to_owned(), text }, open)?;
    open.pop();
    Ok(())
}

fn add(scenario: &mut Scenario, source: Source, open: &mut Vec<PathBuf>) -> Result<(), ScenarioError> {
    let source = Arc::new(source);
    let file: File = toml::from_str(&source.text).map_err(|error| from_toml(&source, &error))?;
    for include in &file.include {
        let folder = source.path.parent().unwrap_or(Path::new(""));
        let place = Place::new(&source, include.span());
        add_file(scenario, &folder.join(include.get_ref()), Some(&place), open)?;
    }
    // The outermost file comes last and says what the scenario is.
    scenario.title = file.title;
    scenario.schedule = file.schedule;
    scenario.path.clone_from(&source.path);
    if let Some(framework) = file.framework {
        scenario.framework = framework;
    }
    if let Some(driver_verifier) = file.driver_verifier {
        scenario.driver_verifier = driver_verifier;
    }
    for bus in file.bus {
        let place = Some(Place::new(&source, bus.span()));
        scenario.bus.push(Bus { place, ..bus.into_inner() });
    }
    for step in file.step {
        let place = Some(Place::new(&source, step.span()));
        scenario.step.push(Step { place, ..step.into_inner() });
    }
    Ok(())
}
