//! What programs see of readers and cards.

use std::fs;
use std::process::{Command, Stdio};

use super::world::{World, answers, file, opensc, pyscard, run, text, until};

const ATR: &str = "3b:9f:13:80:01:80:73:f4:41:73:59:76:62:75:73:20:63:61:72:64:47";

pub fn readers_are_listed_with_and_without_cards() {
    let _world = World::with(&["7=built-in", "8=empty"]);
    let listed = text(&run("opensc-tool", &["-l"]));
    let rows: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(rows.contains(&"0 Yes vbus reader 7 00 00".split(' ').collect()), "{listed}");
    assert!(rows.contains(&"1 No vbus reader 8 01 00".split(' ').collect()), "{listed}");
    let scanned = text(&run("pcsc_scan", &["-r"]));
    assert!(scanned.contains("vbus reader 7 00 00") && scanned.contains("vbus reader 8 01 00"), "{scanned}");
}

pub fn the_atr_is_the_cards() {
    let _world = World::with(&["7=built-in", "8=empty"]);
    assert_eq!(opensc(0, &["-a"]).trim(), ATR);
    assert!(opensc(1, &["-a"]).contains("Card not present"));
    let scanned = text(&run("pcsc_scan", &["-c"]));
    assert!(scanned.contains("3B 9F 13 80 01 80 73 F4 41 73 59 76 62 75 73 20 63 61 72 64 47"), "{scanned}");
}

pub fn opensc_reads_a_file_by_its_commands() {
    let _world = World::with(&["7=built-in"]);
    let printed = opensc(0, &["-s", "00:A4:08:0C:04:DF:01:01:01", "-s", "00:B0:00:00:00"]);
    assert!(printed.contains("vbus application"), "{printed}");
    assert_eq!(answers(0, &["00:A4:00:0C:02:12:34", "00:FE:00:00"]), ["6A82", "6D00"]);
}

pub fn scriptor_selects_and_reads_and_resets() {
    let world = World::with(&["7=built-in"]);
    let script = world.directory.join("script");
    fs::write(&script, "00 A4 00 0C 02 DF 01\n00 B0 81 00 05\nreset\n00 B0 81 00 04\n").unwrap();
    let printed = text(&run("scriptor", &["-r", "vbus reader 7 00 00", script.to_str().unwrap()]));
    // The application's file has the same short identifier as the card's own, which is current again after the reset.
    assert!(printed.contains("76 62 75 73 20 90 00"), "{printed}");
    assert!(printed.contains("76 62 75 73 90 00"), "{printed}");
    assert!(world.trace().contains("POWER reset"), "{printed}");
}

pub fn a_pin_is_verified_blocked_and_unblocked() {
    let world = World::with(&["7=built-in"]);
    let select = "00:A4:00:0C:02:DF:01";
    let (right, wrong) = ("00:20:00:01:04:31:32:33:34", "00:20:00:01:04:39:38:37:36");
    assert_eq!(answers(0, &[select, "00:B0:83:00:04", right, "00:B0:83:00:04"]), ["9000", "6982", "9000", "9000"]);
    assert_eq!(answers(0, &[select, wrong, wrong, wrong, right]), ["9000", "63C2", "63C1", "63C0", "6983"]);
    let unblock = "00:2C:00:01:0C:31:32:33:34:35:36:37:38:31:32:33:34";
    assert_eq!(answers(0, &[select, unblock, right]), ["9000", "9000", "9000"]);

    let trace = world.trace();
    assert!(trace.contains("TRANSMIT 00 20 00 01 04 ** ** ** **\n"), "the command is there, and its data is not");
    assert!(trace.contains("TRANSMIT 00 2C 00 01 0C **"));
    assert!(trace.contains("-> STATUS_SUCCESS 63 C2\n"));
    for secret in ["31 32 33 34", "39 38 37 36"] {
        assert!(!trace.contains(secret), "{secret} is in the trace log");
    }
    // Every APDU was an IRP that the bus sent on to its target.
    assert!(trace.contains("FxIoTargetFormatIoctl - enter: WDFIOTARGET"));
}

pub fn apdus_may_be_short_and_extended() {
    let _world = World::with(&[file("extended.toml").to_str().unwrap()]);
    assert_eq!(pyscard("extended.py", &["vbus reader 1 00 00"]).trim(), "ok");
}

pub fn a_card_with_t0_announces_what_is_to_be_fetched() {
    let _world = World::with(&[file("t0.toml").to_str().unwrap()]);
    let printed = pyscard("t0.py", &["vbus reader 1 00 00"]);
    assert_eq!(printed.trim(), "ok");
}

pub fn attributes_and_features_are_answered() {
    let _world = World::with(&["7=built-in"]);
    assert_eq!(pyscard("attributes.py", &["vbus reader 7 00 00"]).trim(), "ok");
}

pub fn scdaemon_finds_no_application_on_the_card() {
    let world = World::with(&["7=built-in"]);
    let home = world.directory.join("gnupg");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("scdaemon.conf"), "disable-ccid\npcsc-shared\n").unwrap();
    fs::write(home.join("input"), "SERIALNO\nBYE\n").unwrap();
    let mut command = Command::new("/usr/lib/gnupg/scdaemon");
    command.arg("--homedir").arg(&home).arg("--server").stdin(Stdio::from(fs::File::open(home.join("input")).unwrap()));
    let printed = text(&command.output().unwrap());
    assert!(printed.contains("ERR 100696144 No such device <SCD>"), "{printed}");
    // It looked for OpenPGP first.
    assert!(world.trace().contains("TRANSMIT 00 A4 04 00 06 D2 76 00 01 24 01"));
}

pub fn two_clients_share_and_exclude_each_other() {
    let world = World::with(&["7=built-in"]);
    assert_eq!(pyscard("sharing.py", &["vbus reader 7 00 00"]).trim(), "ok");
    until("the card is powered down when nobody uses it", || world.trace().contains("POWER down"));
}
