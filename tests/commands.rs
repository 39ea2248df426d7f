//! The command line beyond the scenarios: formats, exit codes, tables, pictures.

mod common;

use std::fs;

use common::command::{folder, text, vbus, vbus_in};
use serde_json::Value;

const TOO_SMALL: &str = "scenarios/forward-too-small.toml";
const REPAIRED: &str = "scenarios/forward-too-small-repaired.toml";

fn json(arguments: &[&str]) -> Value {
    serde_json::from_slice(&vbus(arguments).stdout).unwrap()
}

#[test]
fn run_as_json_has_the_documented_shape() {
    let result = json(&["run", "--format", "json", TOO_SMALL]);
    assert_eq!(result["as_expected"], true);
    let scenario = &result["scenarios"][0];
    assert_eq!(scenario["file"], TOO_SMALL);
    assert_eq!(scenario["stacks"][1]["target_stack_size"], 4);
    let step = &scenario["steps"][0];
    assert_eq!((&step["action"], &step["status"]), (&"forward".into(), &"STATUS_REQUEST_NOT_ACCEPTED".into()));
    let calls: Vec<_> = step["irps"].as_array().unwrap().iter().filter(|irp| irp["step"] == "call").collect();
    assert_eq!(calls.last().unwrap()["driver"], "vbus");
    let keys: Vec<&String> = step.as_object().unwrap().keys().collect();
    approve!("run_json_keys", format!("{keys:?}\n{:#}\n{:#}", scenario["stacks"], step["irps"][0]));
}

#[test]
fn a_step_that_does_not_come_out_as_expected_fails_the_run_with_exit_code_1() {
    let folder = folder("unexpected");
    let scenario = r#"
        title = "Everything that can be expected, and is not so"
        [[bus]]
        name = "vbus"
        [[bus.reader]]
        id = 7
        [[step]]
        name = "wrong in every way"
        forward = { reader = 7 }
        expect.status = "STATUS_CANCELLED"
        expect.output = "90 00"
        expect.information = 2
        expect.log = ["Exit WDFIOTARGET", "FxIoTargetFormatIoctl - enter", "no such line"]
        expect.no_log = ["Cannot reallocate"]
        expect.stack_locations = [{ driver = "scfilter", location = 4 }]
        expect.debugger_breaks = 3
        [[step]]
        name = "no stop where one was expected"
        advance = { ms = 1 }
        expect.bug_check = { code = 0x10D, parameters = [6] }
        [[step]]
        name = "an error that nobody expected"
        forward = { reader = 7 }
        [[step]]
        name = "a stop that nobody expected"
        stop_queue = {}
        [[step]]
        forward = { reader = 7 }
        [[step]]
        name = "not reached"
        advance = { ms = 1 }
    "#;
    fs::write(folder.join("unexpected.toml"), scenario).unwrap();
    approve!("run_unexpected", text(&vbus_in(&folder, &["run", "unexpected.toml", "--junit", "out.xml"])));
    approve!("run_unexpected_junit", fs::read_to_string(folder.join("out.xml")).unwrap());
}

#[test]
fn the_worst_of_several_files_decides_the_exit_code() {
    let run = |files: &[&str]| vbus(&[&["run"], files].concat()).status.code();
    assert_eq!(run(&[TOO_SMALL, REPAIRED]), Some(0));
    assert_eq!(run(&[TOO_SMALL, "no-such-file.toml"]), Some(2));
    assert_eq!(vbus(&["run"]).status.code(), Some(2));
}

#[test]
fn colour_is_for_terminals_or_who_asks_for_it() {
    let coloured = |arguments: &[&str]| vbus(&[&["run", TOO_SMALL], arguments].concat()).stdout.contains(&0x1b);
    assert!(!coloured(&[]));
    assert!(!coloured(&["--color", "never"]));
    assert!(coloured(&["--color", "always"]));
}

#[test]
fn check_names_every_edge_that_is_too_small_with_the_smallest_fix() {
    approve!("check", text(&vbus(&["check", TOO_SMALL, REPAIRED])));
    assert_eq!(vbus(&["check", REPAIRED]).status.code(), Some(0));
    let edge = &json(&["check", "--format", "json", TOO_SMALL])["scenarios"][0]["edges"][0];
    assert_eq!((&edge["have"], &edge["need"], &edge["minimum"]), (&1.into(), &4.into(), &5.into()));
}

#[test]
fn a_sweep_finds_the_smallest_value_that_works() {
    approve!("sweep", text(&vbus(&["sweep", TOO_SMALL, "--vary", "bus.extra_stack=0..=5"])));
    let swept = json(&["sweep", "--format", "json", TOO_SMALL, "--vary", "bus.vbus.extra_stack=0..=5"]);
    assert_eq!(swept["smallest"], serde_json::json!(["3"]));
    assert_eq!(swept["cells"].as_array().unwrap().len(), 6);
}

#[test]
fn two_parameters_make_a_grid_and_a_picture() {
    let folder = folder("sweep");
    let picture = folder.join("grid.svg");
    let picture = picture.to_str().unwrap();
    let varied = ["--vary", "bus.extra_stack=0..=5", "--vary", "bus.reader.7.extra_stack=1,2,3"];
    approve!("sweep_grid", text(&vbus(&[&["sweep", TOO_SMALL, "--svg", picture], &varied[..]].concat())));
    approve!("sweep_grid_svg", fs::read_to_string(picture).unwrap());
}

#[test]
fn lists_booleans_and_names_can_be_swept_too() {
    let sweep = |vary: &str| text(&vbus(&["sweep", TOO_SMALL, "--vary", vary]));
    let all = [
        sweep(r#"bus.upper_filters=[[], ["a"], [{ name = "a", passes = "skip" }]]"#),
        sweep("framework.verifier=false,true"),
        sweep("bus.sender=original,driver-created"),
        sweep("step.0.forward.reader=7"),
    ];
    approve!("sweep_kinds", all.join("\n"));
}

#[test]
fn a_sweep_that_cannot_be_made_says_why() {
    let sweep = |vary: &str| text(&vbus(&["sweep", TOO_SMALL, "--vary", vary]));
    let all = [
        sweep("bus.extra_stak=0..3"),
        sweep("bus.nobus.reader.8.extra_stack=0..3"),
        sweep("bus.extra_stack"),
        sweep("bus.extra_stack=3..1"),
        sweep("bus.extra_stack=0..1000000000"),
        sweep("bus.extra_stack=100,200"),
        sweep("title.long=1"),
    ];
    approve!("sweep_errors", all.join("\n"));
}

#[test]
fn the_schema_knows_every_key_and_the_completions_every_command() {
    let schema: Value = json(&["schema"]);
    let step = schema["$defs"]["Step"]["properties"].as_object().unwrap();
    approve!("schema_step_keys", step.keys().cloned().collect::<Vec<_>>().join("\n"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let completions = text(&vbus(&["completions", shell]));
        for command in ["repro", "run", "check", "diff", "sweep", "schema", "completions"] {
            assert!(completions.contains(command), "{shell}: {command}");
        }
    }
}
