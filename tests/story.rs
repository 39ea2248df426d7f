//! The story as people and programs read it.

mod common;

use clap::Parser;
use serde_json::Value;
use vbus::repro::{self, Options, Story};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn tell(arguments: &str) -> Story {
    let words = ["repro"].into_iter().chain(arguments.split_whitespace());
    repro::run(&Arguments::try_parse_from(words).unwrap().options).unwrap()
}

fn text(arguments: &str) -> String {
    anstream::adapter::strip_str(&tell(arguments).to_string()).to_string()
}

fn json(arguments: &str) -> Value {
    serde_json::to_value(tell(arguments)).unwrap()
}

/// Handles and sequence numbers out, as the story's capture has its own.
fn without_addresses(line: &str) -> String {
    let (_, line) = line.split_once(": ").unwrap();
    line.split(' ')
        .map(|word| {
            let bare = word.trim_start_matches("0x").trim_end_matches(',');
            if bare.len() == 16 && bare.bytes().all(|b| b.is_ascii_hexdigit()) {
                word.replace(bare, "*")
            } else {
                word.into()
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_story_reads_as_approved() {
    approve!("story", text(""));
}

#[test]
fn the_ordinary_ioctl_prints_the_lines_of_the_storys_own_capture() {
    let story = tell("--ordinary-ioctl");
    let lines: Vec<String> = story.attempts[0].log.iter().map(|line| without_addresses(line)).collect();
    assert_eq!(
        lines,
        [
            "FxIoTargetFormatIoctl - enter: WDFIOTARGET 0x*, WDFREQUEST 0x*, IOCTL 0x55ff9c0e, internal 0, input WDFMEMORY 0x*, output WDFMEMORY 0x*",
            "FxRequestBase::ValidateTarget - Cannot reallocate PIRP for WDFREQUEST * using WDFIOTARGET *, 0xc00000d0(STATUS_REQUEST_NOT_ACCEPTED)",
            "FxIoTargetFormatIoctl - Exit WDFIOTARGET 0x*, WDFREQUEST 0x*, 0xc00000d0(STATUS_REQUEST_NOT_ACCEPTED)",
        ]
    );
    approve!("story_ordinary_ioctl", text("--ordinary-ioctl"));
}

#[test]
fn a_request_that_the_driver_created_is_forwarded_at_any_size() {
    let story = json("--driver-created");
    assert_eq!(story["minimum_bus_stack_size"], 2);
    assert_eq!(story["attempts"][0]["status"], "STATUS_SUCCESS");
    approve!("story_driver_created", text("--driver-created"));
}

#[test]
fn the_json_has_the_promised_shape() {
    let story = json("");
    assert_eq!((&story["target_stack_size"], &story["minimum_bus_stack_size"]), (&4.into(), &5.into()));
    let attempts = story["attempts"].as_array().unwrap();
    let sizes: Vec<_> = attempts.iter().map(|attempt| attempt["bus_stack_size"].as_i64().unwrap()).collect();
    assert_eq!(sizes, [2, 3, 4, 5]);
    let (first, last) = (&attempts[0], &attempts[3]);
    assert_eq!((&first["irp_stack_count"], &first["current_location"]), (&2.into(), &2.into()));
    assert_eq!(first["status_code"], "0xc00000d0");
    assert_eq!(first["failed_in"], "WdfIoTargetFormatRequestForInternalIoctl");
    assert_eq!(first["log"].as_array().unwrap().len(), 3);
    assert!(first.get("output").is_none());
    assert_eq!((&last["status"], &last["failed_in"]), (&"STATUS_SUCCESS".into(), &Value::Null));
    assert_eq!(last["output"], "7662757320636172642030303030303030379000");
}

#[test]
fn every_option_changes_the_one_thing_it_names() {
    let numbers = |arguments: &str| {
        let story = json(arguments);
        let first = &story["attempts"][0];
        [
            &story["target_stack_size"],
            &story["minimum_bus_stack_size"],
            &first["irp_stack_count"],
            &first["current_location"],
        ]
        .map(|value| value.as_i64().unwrap())
    };
    assert_eq!(numbers(""), [4, 5, 2, 2]);
    assert_eq!(numbers("--verifier"), [4, 5, 2, 2]);
    assert_eq!(numbers("--bus-stack 4"), [4, 5, 4, 4]);
    assert_eq!(numbers("--bus-stack 9"), [4, 5, 9, 9]);
    assert_eq!(numbers("--reader-extra 0"), [3, 4, 2, 2]);
    assert_eq!(numbers("--reader-extra 2"), [5, 6, 2, 2]);
    // A filter above the bus FDO raises the IRP's locations and consumes the one it raised.
    assert_eq!(numbers("--filters 3"), [4, 5, 5, 2]);
    assert_eq!(numbers("--reader-filters 0"), [3, 4, 2, 2]);
}

#[test]
fn the_error_accounts_for_every_location_that_filters_above_the_bus_used() {
    let used = |arguments: &str| text(arguments).lines().find(|line| line.contains("used")).map(str::to_owned);
    assert_eq!(used(""), None);
    assert_eq!(used("--filters 1").unwrap(), "  the driver above vbus used 1 of them");
    assert_eq!(used("--filters 3").unwrap(), "  the drivers above vbus used 3 of them");
}

#[test]
fn the_same_story_is_told_byte_for_byte_every_time() {
    assert_eq!(text("--filters 2"), text("--filters 2"));
}
