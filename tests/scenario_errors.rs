//! A file that cannot be run says why, and where; the exit code is 2.

mod common;

use std::fs;

use common::command::{folder, text, vbus_in};

/// A bus with a reader, for what follows it.
const BUS: &str = "[[bus]]\nname = \"vbus\"\n\n[[bus.reader]]\nid = 7\n\n";

/// Every kind of wrong file.
const WRONG: &[(&str, &str)] = &[
    ("not-toml", "[[bus]\nname = \"vbus\"\n"),
    ("unknown-key", "[[bus]]\nname = \"vbus\"\nextra_stak = 3\n"),
    ("unknown-table", "[[buss]]\nname = \"vbus\"\n"),
    ("unknown-choice", "[[bus]]\nname = \"vbus\"\nformat = \"internal\"\n"),
    ("wrong-type", "[[bus]]\nname = \"vbus\"\nextra_stack = \"three\"\n"),
    ("too-big-for-its-type", "[[bus]]\nname = \"vbus\"\nextra_stack = 200\n"),
    ("missing-key", "[[bus]]\nextra_stack = 3\n"),
    ("key-of-a-filter", "[[bus]]\nname = \"vbus\"\nupper_filters = [{ name = \"x\", pases = \"skip\" }]\n"),
    ("unknown-call", "[[bus]]\nname = \"vbus\"\ndriver = { forward = [\"format\", \"snd\"] }\n"),
    ("bad-bus-name", "[[bus]]\nname = \"my bus\"\n"),
    ("two-buses-of-a-name", "[[bus]]\nname = \"vbus\"\n[[bus]]\nname = \"VBUS\"\n"),
    ("two-readers-of-an-id", "[[bus]]\nname = \"vbus\"\nreader = [{ id = 7 }, { id = 7 }]\n"),
    ("stack-too-deep", "[[bus]]\nname = \"vbus\"\nextra_stack = 124\n"),
    ("reader-stack-too-deep", "[[bus]]\nname = \"vbus\"\n\n[[bus.reader]]\nid = 7\nextra_stack = 125\n"),
    ("unknown-card", "[[bus]]\nname = \"vbus\"\nreader = [{ id = 7, card = \"iso7861\" }]\n"),
    ("no-such-card-file", "[[bus]]\nname = \"vbus\"\nreader = [{ id = 7, card = { profile = \"none.toml\" } }]\n"),
    ("no-address", "[[bus]]\nname = \"vbus\"\nreader = [{ id = 7, card = { remote = \"localhost\" } }]\n"),
    ("card-of-the-network", "[[bus]]\nname = \"vbus\"\nreader = [{ id = 7, card = { remote = \"0.0.0.0:0\" } }]\n"),
    ("no-action", "+[[step]]\nname = \"nothing\"\n"),
    ("two-actions", "+[[step]]\nadvance = { ms = 1 }\npower_up = {}\n"),
    ("unknown-action", "+[[step]]\nunplugg = { reader = 7 }\n"),
    ("unknown-reader", "+[[step]]\nforward = { reader = 8 }\n"),
    ("unknown-bus", "+[[step]]\nplug = { bus = \"vbuss\", reader = 7 }\n"),
    ("which-bus", "+[[bus]]\nname = \"other\"\n\n[[step]]\nplug = { reader = 7 }\n"),
    ("no-bus", "[[step]]\nopen = { as = \"h\" }\n"),
    ("unknown-handle", "+[[step]]\nopen = { as = \"bus\" }\n\n[[step]]\nclose = { handle = \"buss\" }\n"),
    ("unknown-request", "+[[step]]\nwait = { request = \"r\" }\n"),
    (
        "request-named-twice",
        "+[[step]]\nforward = { reader = 7, as = \"r\" }\n\n[[step]]\nforward = { reader = 7, as = \"r\" }\n",
    ),
    (
        "read-of-an-unknown-handle",
        "+[[step]]\nopen = { as = \"bus\" }\n\n[[step]]\nread = { handle = \"buss\", length = 4 }\n",
    ),
    ("read-without-length", "+[[step]]\nopen = { as = \"bus\" }\n\n[[step]]\nread = { handle = \"bus\" }\n"),
    (
        "write-of-no-hex",
        "+[[step]]\nopen = { as = \"bus\" }\n\n[[step]]\nwrite = { handle = \"bus\", data = \"0g\" }\n",
    ),
    (
        "negative-offset",
        "+[[step]]\nopen = { as = \"bus\" }\n\n[[step]]\nread = { handle = \"bus\", length = 4, offset = -1 }\n",
    ),
    ("unknown-io-type", "[[bus]]\nname = \"vbus\"\nio_type = \"bufered\"\n"),
    ("unknown-call-of-a-read", "[[bus]]\nname = \"vbus\"\ndriver = { read = [\"give-outptu\"] }\n"),
    (
        "unknown-thread",
        "+[[step]]\nthread = \"worker\"\nplug = { reader = 7 }\n\n[[step]]\nexit_thread = { thread = \"wroker\" }\n",
    ),
    (
        "thread-that-ended",
        "+[[step]]\nthread = \"worker\"\nplug = { reader = 7 }\n\n[[step]]\nexit_thread = { thread = \"worker\" }\n\n\
         [[step]]\nthread = \"worker\"\nplug = { reader = 7 }\n",
    ),
    ("target-by-a-name-that-is-not-asked-for", "+[[step]]\nopen_target = { reader = 7, name = \"x\" }\n"),
    (
        "unknown-target-state",
        "+[[step]]\nstop_target = { reader = 7 }\nexpect.target = [{ reader = 7, state = \"stoped\" }]\n",
    ),
    (
        "target-of-an-unknown-reader",
        "+[[step]]\nstop_target = { reader = 7 }\nexpect.target = [{ reader = 8, state = \"stopped\" }]\n",
    ),
    ("allocation-number-nothing", "+[[step]]\nfail_allocation = { nth = 0 }\n"),
    ("queue-of-a-reader", "+[[step]]\nstop_queue = { reader = 7 }\n"),
    ("unknown-status", "+[[step]]\nforward = { reader = 7 }\nexpect.status = \"STATUS_CANCELED\"\n"),
    ("status-too-big", "+[[step]]\nforward = { reader = 7 }\nexpect.status = 0x1C00000D0\n"),
    ("unknown-ioctl", "+[[step]]\nforward = { reader = 7, ioctl = \"IOCTL_SMARTCARD_POWR\" }\n"),
    ("bad-hex", "+[[step]]\nforward = { reader = 7, input = \"00 B0 8x\" }\n"),
    ("odd-hex", "+[[step]]\nforward = { reader = 7, input = \"00 B0 8\" }\n"),
    ("unknown-expectation", "+[[step]]\npower_up = {}\nexpect = { statsu = \"STATUS_SUCCESS\" }\n"),
    ("include-that-is-not-there", "include = [\"shared/none.toml\"]\n"),
    ("include-of-itself", "include = [\"include-of-itself.toml\"]\n"),
];

#[test]
fn every_kind_of_wrong_file_gives_its_error_with_place_and_exit_code_2() {
    let folder = folder("wrong-scenarios");
    let mut all = String::new();
    for (name, content) in WRONG {
        let file = format!("{name}.toml");
        let content = content.strip_prefix('+').map_or(content.to_string(), |steps| format!("{BUS}{steps}"));
        fs::write(folder.join(&file), content).unwrap();
        let output = vbus_in(&folder, &["run", &file]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(output.stdout.is_empty(), "{name}");
        all += &text(&output);
        all += "\n";
    }
    approve!("scenario_errors", all);
}

#[test]
fn a_file_that_is_not_there_says_so() {
    let folder = folder("no-scenarios");
    approve!("scenario_unreadable", text(&vbus_in(&folder, &["run", "none.toml"])));
}

#[test]
fn check_diff_and_sweep_point_into_a_wrong_file_as_well() {
    let folder = folder("wrong-for-all");
    fs::write(folder.join("wrong.toml"), "[[bus]]\nnam = \"vbus\"\n").unwrap();
    let arguments: [&[&str]; 3] =
        [&["check", "wrong.toml"], &["diff", "wrong.toml", "wrong.toml"], &["sweep", "wrong.toml", "--vary", "a=1"]];
    for arguments in arguments {
        let output = vbus_in(&folder, arguments);
        let error = text(&output);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.starts_with("error: there is no key `nam` here\n --> wrong.toml:2:1\n"), "{error}");
    }
}
