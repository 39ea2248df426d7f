//! `vbus report` as people call it, and as its documentation says.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs `vbus` with these words, in the project's folder.
fn vbus(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vbus")).args(words).output().unwrap()
}

/// A file of this test's own.
fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn every_command_of_the_documentation_runs() {
    let document = fs::read_to_string("docs/report.md").unwrap();
    let commands: Vec<&str> = document.lines().filter_map(|line| line.strip_prefix("vbus ")).collect();
    assert!(commands.len() >= 2);
    for command in commands {
        let page = temporary("documented.html");
        let command = command.replace("out.html", page.to_str().unwrap());
        let output = vbus(&command.split_whitespace().collect::<Vec<_>>());
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_page_goes_to_a_file_and_one_line_to_the_terminal() {
    let page = temporary("written.html");
    let output = vbus(&["report", "scenarios/forward-too-small.toml", "-o", page.to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, format!("{}: One request was sent: it failed. One ran out of stack locations.\n", page.display()));
    assert_eq!(output.status.code(), Some(0), "it failed as the scenario expects");
    let written = fs::read_to_string(page).unwrap();
    assert!(written.starts_with("<!DOCTYPE html>") && written.ends_with("</html>\n"));
    let printed = vbus(&["report", "scenarios/forward-too-small.toml"]).stdout;
    assert_eq!(String::from_utf8(printed).unwrap(), written, "without -o the same is printed");
}

#[test]
fn programs_get_what_the_page_is_drawn_from() {
    let output = vbus(&["report", "scenarios/forward-too-small.toml", "--format", "json"]);
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let requests = record["requests"].as_array().unwrap();
    let short: Vec<_> = requests.iter().map(|request| &request["shortfall"]).filter(|it| !it.is_null()).collect();
    assert_eq!(short, [&serde_json::json!({ "step": 3, "left": 1, "needed": 4 })]);
}

#[test]
fn exit_codes_are_those_of_run() {
    let wrong = temporary("not-as-expected.toml");
    fs::write(&wrong, "[[bus]]\nname = \"vbus\"\n[[bus.reader]]\nid = 7\n[[step]]\nforward = { reader = 7 }\n")
        .unwrap();
    let page = temporary("not-as-expected.html");
    let output = vbus(&["report", wrong.to_str().unwrap(), "-o", page.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(fs::read_to_string(page).unwrap().contains("not as expected"));

    let output = vbus(&["report", "scenarios/no-such-file.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no-such-file.toml"));

    let output = vbus(&["report", "scenarios/forward-too-small.toml", "-o", "no/such/folder/out.html"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no/such/folder/out.html cannot be written"));
}
