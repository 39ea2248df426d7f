//! `--format json` of every command: one object, whose shape is approved and documented.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use common::command::{folder, root, vbus, vbus_in};
use serde_json::Value;

const TOO_SMALL: &str = "scenarios/forward-too-small.toml";
const REPAIRED: &str = "scenarios/forward-too-small-repaired.toml";

/// What a command prints, which is one object on one line.
fn object(arguments: &[&str]) -> Value {
    let output = vbus(&[&["--format", "json"], arguments].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert!(value.is_object(), "{arguments:?}");
    value
}

/// Every path to a key: `scenarios[].steps[].status`.
fn paths(value: &Value, so_far: &str, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = if so_far.is_empty() { key.clone() } else { format!("{so_far}.{key}") };
                all.insert(path.clone());
                paths(value, &path, all);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| paths(value, &format!("{so_far}[]"), all)),
        _ => {}
    }
}

/// What may be keys in a text: the words that stand in code.
fn words(text: &str) -> BTreeSet<&str> {
    let is_of_a_key = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let prose = text.split("```").step_by(2);
    let code = prose.flat_map(|prose| prose.split('`').skip(1).step_by(2));
    code.flat_map(|code| code.split(move |c| !is_of_a_key(c))).collect()
}

/// The shape of a command's objects, which is in its section of the document.
fn shape(command: &str, objects: &[Value]) -> String {
    let document = fs::read_to_string(root().join("docs/json.md")).unwrap();
    let begin =
        document.find(&format!("## `vbus {command}`")).unwrap_or_else(|| panic!("docs/json.md has no {command}"));
    let section = document[begin..].split("\n## ").next().unwrap();
    let mut all = BTreeSet::new();
    objects.iter().for_each(|object| paths(object, "", &mut all));
    let documented = words(section);
    for path in &all {
        let key = path.rsplit('.').next().unwrap().trim_end_matches("[]");
        assert!(documented.contains(key), "docs/json.md does not have {path} of {command}");
    }
    format!("{command}\n{}\n", all.iter().map(|path| format!("    {path}\n")).collect::<String>())
}

#[test]
fn every_command_prints_an_object_of_the_shape_that_is_documented() {
    let folder = folder("json");
    let page = folder.join("page.json");
    let expected_target = folder.join("target.toml");
    fs::write(
        &expected_target,
        "[[bus]]\nname = \"vbus\"\n[[bus.reader]]\nid = 7\n[[step]]\nstop_target = { reader = 7 }\n\
         expect.target = [{ reader = 7, state = \"stopped\" }]\n[[step]]\nforward = { reader = 7, as = \"r\" }\n",
    )
    .unwrap();
    let (target, page) = (expected_target.to_str().unwrap(), page.to_str().unwrap());
    let races = ["scenarios/races/unplug-and-forward.toml", "scenarios/races/unplug-and-forward-repaired.toml"];
    let stops = ["scenarios/sent-twice.toml", "scenarios/request-forgotten.toml"];
    let run =
        [&["run", TOO_SMALL, REPAIRED, "scenarios/tracked-twice.toml", target, "no-such.toml"], &stops[..]].concat();
    let how_far = ["--preemptions", "1", "--seeds", "10"];
    let mut all = shape("repro", &[object(&["repro"])]);
    all += &shape("run", &[object(&run)]);
    all += &shape("check", &[object(&["check", TOO_SMALL, REPAIRED])]);
    all += &shape("diff", &[object(&["diff", TOO_SMALL, REPAIRED]), object(&["diff", TOO_SMALL, TOO_SMALL])]);
    all += &shape("sweep", &[object(&["sweep", TOO_SMALL, "--vary", "bus.extra_stack=0..=5"])]);
    all +=
        &shape("explore", &[object(&["explore", races[0]]), object(&[&["explore", races[1]], &how_far[..]].concat())]);
    all += &shape("faults", &[object(&["faults", races[1]]), object(&["faults", races[0]])]);
    all += &shape("apdu", &[object(&["apdu", "--trace", "built-in", "00 B0 81 00 00"])]);
    all += &shape("report", &[object(&["report", TOO_SMALL, "-o", page])]);
    all += &shape("schema`, `vbus completions", &[object(&["completions", "bash"])]);
    approve!("json_shapes", all);
    let written: Value = serde_json::from_str(&fs::read_to_string(page).unwrap()).unwrap();
    assert_eq!(written, object(&["report", TOO_SMALL]), "the file has what else is printed");
    assert!(serde_json::from_slice::<Value>(&vbus(&["--format", "json", "schema"]).stdout).unwrap().is_object());
}

#[test]
fn the_recordings_keys_are_in_the_documents_of_report_and_explain() {
    let recording = object(&["report", "scenarios/forward-too-small-repaired.toml"]);
    let explained = object(&["explain", "scenarios/logs/forward-too-small.txt"]);
    for (document, value) in [("report.md", recording), ("explain.md", explained)] {
        let text = fs::read_to_string(root().join("docs").join(document)).unwrap();
        let mut all = BTreeSet::new();
        paths(&value, "", &mut all);
        let documented = words(&text);
        for path in all {
            let key = path.rsplit('.').next().unwrap();
            assert!(documented.contains(key), "{document} does not have {path}");
        }
    }
}

#[test]
fn what_cannot_be_run_is_an_object_too_with_exit_code_2() {
    let folder = folder("json-errors");
    fs::write(folder.join("wrong.toml"), "[[bus]]\nnam = \"vbus\"\n").unwrap();
    let commands: [&[&str]; 9] = [
        &["check", "wrong.toml"],
        &["check", "no-such.toml"],
        &["diff", "wrong.toml", "wrong.toml"],
        &["sweep", "wrong.toml", "--vary", "a=1"],
        &["explore", "wrong.toml"],
        &["faults", "wrong.toml"],
        &["report", "wrong.toml"],
        &["explain", "no-such.txt"],
        &["serve", "wrong.toml"],
    ];
    for command in commands {
        let output = vbus_in(&folder, &[&["--format", "json"], command].concat());
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let value: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let error = value["error"].as_str().unwrap();
        assert!(!error.is_empty() && !error.contains('\u{1b}') && !error.starts_with("error"), "{command:?}: {error}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("error"), "{command:?}");
    }
    let run: Value =
        serde_json::from_slice(&vbus_in(&folder, &["--format", "json", "run", "wrong.toml"]).stdout).unwrap();
    assert!(run["scenarios"][0]["error"].as_str().unwrap().contains("there is no key `nam` here"));
}

#[test]
fn whoever_has_read_enough_may_go() {
    for arguments in [&["--format", "json", "run", TOO_SMALL][..], &["run", "--log", "all", TOO_SMALL], &["schema"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vbus"))
            .args(arguments)
            .current_dir(root())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), complaint.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

/// Serves two cards in the slots of a vpcd that is not there, and says three lines to its console.
#[cfg(unix)]
#[test]
fn a_served_readers_events_are_an_object_a_line() {
    use std::io::{BufRead, BufReader, Write};
    let mut child = Command::new(env!("CARGO_BIN_EXE_vbus"))
        .args(["--format", "json", "serve", "3=built-in", "7=unplugged", "--vpcd", "127.0.0.1:1"])
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let serving = next();
    assert_eq!(serving["event"], "serving");
    assert_eq!(serving["readers"][0]["vpcd"], "127.0.0.1:1");
    let plugged: Vec<&Value> = serving["readers"].as_array().unwrap().iter().map(|reader| &reader["plugged"]).collect();
    assert_eq!(plugged, [true, false]);
    let mut console = child.stdin.take().unwrap();
    console.write_all(b"plug 7\nnonsense\nquit\n").unwrap();
    let answers = [next(), next()];
    assert!(answers.iter().all(|answer| answer["event"] == "answer"));
    assert!(answers[0]["text"].as_str().unwrap().starts_with("reader 7: plugged in"), "{answers:?}");
    let shapes = shape("serve", &[serving, answers[0].clone()]);
    assert!(shapes.contains("    readers[].card\n") && shapes.contains("    text\n"), "{shapes}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
