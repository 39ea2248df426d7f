//! Faults on scenarios: what is survived, and what is not.

mod common;

use vbus::Scenario;
use vbus::faults::{Fault, FaultsError};

const GOES_WELL: &str = r#"
title = "Plug in, ask, pull out"

[[bus]]
name = "vbus"
extra_stack = 3

[[bus.reader]]
id = 7
plugged = false

[[step]]
plug = { reader = 7 }

[[step]]
forward = { reader = 7, input = "00 B0 81 00 00" }

[[step]]
unplug = { reader = 7 }
"#;

fn tried(text: &str) -> String {
    let faults = Scenario::parse("faults.toml", text).unwrap().inject_faults().unwrap();
    let lines = faults.tried.iter().map(|tried| match &tried.failure {
        None => format!("ok   {}\n", tried.fault),
        Some(failure) => format!("FAIL {}\n     {failure}\n", tried.fault),
    });
    lines.collect()
}

#[test]
fn the_bus_and_its_readers_survive_every_fault() {
    let text = tried(GOES_WELL);
    assert!(!text.contains("FAIL"), "{text}");
    approve!("faults_survived", text);
}

#[test]
fn a_driver_that_forgets_requests_on_errors_loses_them_when_something_fails() {
    let forgetful = GOES_WELL.replace(
        "[[bus.reader]]",
        "[bus.driver]\nforward = [\"format\", \"set-completion-routine\", \"send\"]\non_format_failed = \"forget\"\n\n[[bus.reader]]",
    );
    approve!("faults_forgetful", tried(&forgetful));
}

#[test]
fn a_scenario_that_does_not_go_well_by_itself_is_refused() {
    let too_small = Scenario::load("scenarios/forward-too-small.toml").unwrap();
    assert!(too_small.inject_faults().is_ok(), "what it expects comes");
    let stops = Scenario::load("scenarios/sent-twice.toml").unwrap();
    assert_eq!(stops.inject_faults(), Err(FaultsError::NotAsExpected));
}

#[test]
fn each_allocation_of_the_steps_fails_once() {
    let faults = Scenario::parse("faults.toml", GOES_WELL).unwrap().inject_faults().unwrap();
    let numbers: Vec<u64> = faults
        .tried
        .iter()
        .filter_map(|tried| match tried.fault {
            Fault::Allocation(n, _) => Some(n),
            _ => None,
        })
        .collect();
    assert!(numbers.len() > 5, "{numbers:?}");
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}
