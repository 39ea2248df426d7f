//! `vbus explore` and `vbus faults`, as a user runs them.

mod common;

use std::process::Command;
use std::{env, fs};

const WRONG: &str = "scenarios/races/unplug-and-forward.toml";
const REPAIRED: &str = "scenarios/races/unplug-and-forward-repaired.toml";

/// The exit code, what was printed, and what was complained about.
fn vbus(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_vbus")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A path for this test's own file.
fn file(name: &str) -> String {
    let path = env::temp_dir().join(format!("vbus-explore-{}-{name}", std::process::id()));
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_race_of_a_scenario_is_found_and_written_as_a_scenario_that_replays_it() {
    let failing = file("failing.toml");
    let (code, text, _) = vbus(&["explore", WRONG, "--output", &failing]);
    assert_eq!(code, 1);
    approve!("explore_unplug_and_forward", text);
    let written = fs::read(&failing).unwrap();
    let (code, replayed, _) = vbus(&["run", &failing]);
    assert_eq!(code, 1);
    assert!(replayed.contains("a handle is not used after its object is gone"), "{replayed}");
    assert_eq!(vbus(&["explore", WRONG, "--output", &failing, "--jobs", "1"]), (1, text, String::new()));
    assert_eq!(fs::read(&failing).unwrap(), written, "the same on any number of cores");
    fs::remove_file(failing).unwrap();
}

#[test]
fn both_twins_go_well_undisturbed_and_the_repaired_one_in_every_schedule() {
    assert_eq!(vbus(&["run", WRONG, REPAIRED]).0, 0);
    let (code, text, _) = vbus(&["explore", REPAIRED, "--preemptions", "1", "--seeds", "200"]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn parts_of_an_exploration_are_put_together() {
    let results = file("parts.jsonl");
    let how_far = ["--format", "json", "--preemptions", "1", "--seeds", "90"];
    let parts =
        ["1/3", "2/3", "3/3"].map(|part| vbus(&[&["explore", WRONG, "--shard", part], &how_far[..]].concat()).1);
    let whole = vbus(&[&["explore", WRONG], &how_far[..]].concat());
    fs::write(&results, parts.concat()).unwrap();
    let (code, text, _) = vbus(&["explore", WRONG, "--merge", &results]);
    assert_eq!((code, whole.0), (1, 1));
    assert!(text.contains("not as expected in one of"), "{text}");
    fs::write(&results, parts[..2].concat()).unwrap();
    let (code, _, complaint) = vbus(&["explore", WRONG, "--merge", &results]);
    assert_eq!(
        (code, complaint.as_str()),
        (2, "error: part 3/3 is there 0 times: each part belongs to the whole once\n")
    );
    fs::remove_file(results).unwrap();
}

#[test]
fn a_part_that_is_none_is_refused() {
    let (code, _, complaint) = vbus(&["explore", WRONG, "--shard", "4/3"]);
    assert_eq!(code, 2);
    assert!(complaint.contains("\"4/3\" names no part: write K/N with K from 1 to N, such as 2/8"), "{complaint}");
}

#[test]
fn faults_are_listed_with_what_was_survived() {
    let (code, text, _) = vbus(&["faults", REPAIRED]);
    assert_eq!(code, 0, "{text}");
    approve!("faults_unplug_and_forward", text);
    let (code, _, complaint) = vbus(&["faults", "scenarios/sent-twice.toml"]);
    assert_eq!(code, 2);
    assert!(complaint.contains("does not go well by itself"), "{complaint}");
}

/// A slow reader, a request of a thread of the program, what ends it, and a reader that is pulled out meanwhile.
fn ending(how: &str) -> String {
    format!(
        "[[bus]]\nname = \"vbus\"\nextra_stack = 3\n[[bus.reader]]\nid = 7\nresponse_ms = 3\n\
         [[step]]\nthread = \"worker\"\nforward = {{ reader = 7, as = \"r\" }}\n\
         [[step]]\nthread = \"worker\"\n{how}\n\
         [[step]]\nthread = \"the unplugging\"\nunplug = {{ reader = 7 }}\n\
         [[step]]\nwait = {{ request = \"r\" }}\nexpect.any_status = true\n"
    )
}

#[test]
fn a_request_ends_once_however_its_cancelling_its_threads_end_its_answer_and_its_readers_removal_meet() {
    for how in ["exit_thread = { thread = \"worker\" }", "cancel = { request = \"r\" }"] {
        let path = file("ending.toml");
        fs::write(&path, ending(how)).unwrap();
        let (code, text, _) = vbus(&["explore", &path, "--preemptions", "1", "--seeds", "500"]);
        assert_eq!(code, 0, "{how}\n{text}");
        fs::remove_file(path).unwrap();
    }
}
