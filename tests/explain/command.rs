//! `vbus explain` from the command line.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const LINE: &str = "\
180: FxRequestBase::ValidateTarget - Cannot reallocate PIRP for WDFREQUEST 0000307E6A7ED198 using WDFIOTARGET 0000307E7136DC48, 0xc00000d0(STATUS_REQUEST_NOT_ACCEPTED)
";

/// Runs it with this text on standard input.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vbus"));
    command.arg("explain").args(arguments).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn standard_input_is_read_and_nothing_is_coloured_in_a_pipe() {
    let output = run(&[], LINE);
    assert_eq!(output.status.code(), Some(0));
    let out = text(&output.stdout);
    assert!(out.contains("error: STATUS_REQUEST_NOT_ACCEPTED (0xC00000D0)"), "{out}");
    assert!(!out.contains('\x1b'), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    assert!(text(&run(&["--color", "always"], LINE).stdout).contains("\x1b[1;31merror"));
    assert_eq!(text(&run(&["-"], LINE).stdout), out);
}

#[test]
fn json_has_the_shape_that_is_documented() {
    let output = run(&["--format", "json"], LINE);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["version"], 1);
    let failure = &json["failures"][0];
    assert_eq!(failure["cause"], "irp-too-small");
    assert_eq!(
        (&failure["status"], &failure["status_code"]),
        (&"STATUS_REQUEST_NOT_ACCEPTED".into(), &"0xc00000d0".into())
    );
    assert_eq!((&failure["place"]["line"], &failure["place"]["sequence"]), (&1.into(), &180.into()));
    assert_eq!(failure["request"], "0x0000307e6a7ed198");
    assert_eq!(failure["locations"]["missing"].as_array().unwrap().len(), 2);
    approve_explanation!("explain_json", serde_json::to_string_pretty(&json).unwrap());
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_that_names_it() {
    let output = run(&["no/such/file.txt"], "");
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.starts_with("error: cannot read no/such/file.txt: "), "{error}");
}

#[test]
fn a_text_without_anything_to_read_is_told_what_to_paste() {
    let output = run(&[], "hello\nworld\n");
    assert_eq!(output.status.code(), Some(1));
    let out = text(&output.stdout);
    assert!(out.contains("help: paste what one of these prints"), "{out}");
    assert!(out.contains("2 other lines not understood"), "{out}");
}

#[test]
fn a_scenario_is_written_and_vbus_run_confirms_it() {
    let folder = std::env::temp_dir().join(format!("vbus-explain-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("out.toml");
    let name = path.to_str().unwrap();
    let output = run(&["--scenario", name], LINE);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).ends_with(&format!("\nwritten: {name}; confirm it with: vbus run {name}\n")));
    let confirmed = Command::new(env!("CARGO_BIN_EXE_vbus")).args(["run", name]).output().unwrap();
    assert_eq!(confirmed.status.code(), Some(0), "{}", text(&confirmed.stdout));

    // What that prints is explained by the same cause.
    let printed = Command::new(env!("CARGO_BIN_EXE_vbus")).args(["run", "--log", "all", name]).output().unwrap();
    let again = text(&run(&[], &text(&printed.stdout)).stdout);
    assert!(
        again.contains("(of vbus run)") && again.contains("of vbus0's log: FxRequestBase::ValidateTarget"),
        "{again}"
    );
    assert!(
        again.contains("error: STATUS_REQUEST_NOT_ACCEPTED (0xC00000D0): the request's IRP has too few"),
        "{again}"
    );

    let impossible = run(&["--scenario", name], "MULTIPLE_IRP_COMPLETE_REQUESTS (44)\nArg1: 1\n");
    assert_eq!(impossible.status.code(), Some(1));
    assert!(text(&impossible.stderr).contains("no scenario shows irp-completed-twice: the drivers of a"));
    std::fs::remove_dir_all(&folder).unwrap();
}
