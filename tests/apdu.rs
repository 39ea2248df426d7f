//! `vbus apdu`: APDUs through bus, target and reader, without any service.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the program in the folder of the cards that the tests with PC/SC use, too.
fn vbus(arguments: &[&str]) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pcsc");
    Command::new(env!("CARGO_BIN_EXE_vbus")).arg("apdu").args(arguments).current_dir(folder).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn commands_are_answered_by_the_built_in_card_and_pins_are_not_shown() {
    let output = vbus(&["built-in", "00A4000C02DF01", "00 B0 83 00 00", "00:20:00:01:04:31:32:33:34", "00B0830000"]);
    assert_eq!(output.status.code(), Some(0));
    approve!("apdu_built_in", text(&output));
}

#[test]
fn cards_are_profiles_and_scripts() {
    let output = vbus(&["card.toml", "0020000104FFFFFFFF"]);
    assert!(text(&output).ends_with("> 00 20 00 01 04 ** ** ** **\n< 63 C2\n"), "{}", text(&output));
    let output = vbus(&["t0.toml", "00A4040002F00100", "00C0000005"]);
    assert!(text(&output).ends_with("< 61 05\n> 00 C0 00 00 05\n< 6F 03 84 01 F0 90 00\n"), "{}", text(&output));
}

#[test]
fn a_scenarios_reader_is_named_where_there_are_more() {
    let output = vbus(&["real_time.toml", "00B0810004"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("the scenario has 2 readers: say which with --reader"), "{}", text(&output));
    let output = vbus(&["real_time.toml", "--reader", "7", "00B0810004"]);
    assert!(text(&output).ends_with("< 76 62 75 73 90 00\n"), "{}", text(&output));
    // This one is not plugged in before a step does it.
    let output = vbus(&["real_time.toml", "--reader", "8", "00B0810004"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).ends_with("! 0xc000000e(STATUS_NO_SUCH_DEVICE)\n"), "{}", text(&output));
}

#[test]
fn a_bus_that_is_too_small_refuses_and_the_log_says_why() {
    let output = vbus(&["too_small.toml", "--trace", "00B0810004"]);
    assert_eq!(output.status.code(), Some(1));
    let text = text(&output);
    assert!(text.contains("Cannot reallocate PIRP for WDFREQUEST"), "{text}");
    assert!(text.ends_with("! 0xc00000d0(STATUS_REQUEST_NOT_ACCEPTED)\n"), "{text}");
}

#[test]
fn programs_get_json() {
    let output = vbus(&["built-in", "--format", "json", "00B0810004"]);
    let session: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(session["exchanges"][0]["response"], "76 62 75 73 90 00");
    assert_eq!(session["exchanges"][0]["status"], "STATUS_SUCCESS");
}

#[test]
fn what_is_no_card_and_no_apdu_is_said_with_its_place() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("apdu");
    fs::create_dir_all(&folder).unwrap();
    let wrong = folder.join("wrong.toml");
    fs::write(&wrong, "[atr]\nprotocols = [1]\ncolour = 3\n").unwrap();
    let output = vbus(&[wrong.to_str().unwrap(), "00B0810004"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("wrong.toml:3:1"), "{}", text(&output));
    for (argument, says) in [
        ("00B08", "5 hexadecimal digits: bytes have two each"),
        ("00B0", "2 bytes: a command APDU begins with CLA INS P1 P2"),
        ("hello", "'h' is no hexadecimal digit"),
    ] {
        let output = vbus(&["built-in", argument]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains(says), "{}", text(&output));
    }
}
