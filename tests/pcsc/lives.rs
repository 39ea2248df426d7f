//! Cards and readers that come and go while programs use them, and `vbus serve` that does.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::world::{self, Process, Serve, Talk, World, answers, file, opensc, pyscard, run, text, until};

const READER: &str = "vbus reader 7 00 00";

fn has_card(reader: usize) -> bool {
    opensc(reader, &["-a"]).starts_with("3b:9f")
}

pub fn a_card_pulled_out_ends_a_transaction() {
    let mut world = World::with(&["7=built-in"]);
    let mut client = Talk::start("removal.py", &[READER]);
    client.expect("in a transaction");
    assert_eq!(world.serve.tell("remove 7"), "reader 7: card removed");
    client.tell("removed");
    client.expect("the card is gone");
    assert_eq!(world.serve.tell("insert 7"), "reader 7: card inserted");
    client.tell("inserted");
    client.expect("ok");
    client.end();
}

pub fn cards_that_come_and_go_are_seen_at_once() {
    let mut world = World::with(&["7=built-in"]);
    let mut client = Talk::start("events.py", &[READER]);
    let mut took = Duration::ZERO;
    let changes = [("remove 7", "empty"), ("insert 7", "present")];
    const ROUNDS: u32 = 8;
    for (command, seen) in (0..ROUNDS).flat_map(|_| changes) {
        client.tell("go on");
        client.expect("waiting");
        thread::sleep(Duration::from_millis(50));
        let begun = Instant::now();
        world.serve.tell(command);
        client.expect(seen);
        took += begun.elapsed();
    }
    // pcscd's own looks, 0.4 s from each other, would be 0.2 s for each.
    let each = took / (2 * ROUNDS);
    assert!(each < Duration::from_millis(100), "{each:?} until a change is seen");
    client.end();
}

pub fn a_card_exchanged_faster_than_anybody_looks_is_noticed() {
    let mut world = World::with(&["7=built-in"]);
    let mut client = Talk::start("exchange.py", &[READER, "5"]);
    for _ in 0..5 {
        client.expect("connected");
        let said = world.serve.tell_at_once(&["remove 7", "insert 7"]);
        assert_eq!(said, ["reader 7: card removed", "reader 7: card inserted"]);
        client.tell("exchanged");
    }
    client.expect("ok");
    client.end();
}

pub fn an_unplugged_child_has_no_card() {
    let mut world = World::with(&["7=unplugged"]);
    let listed = text(&run("opensc-tool", &["-l"]));
    assert!(listed.contains("0    No              vbus reader 7 00 00"), "{listed}");
    assert_eq!(world.serve.tell("plug 7"), "reader 7: plugged in: STATUS_SUCCESS");
    until("the reader's card is seen", || has_card(0));
    assert_eq!(world.serve.tell("plug 7"), "reader 7: plugged in: 0xc0000035(STATUS_OBJECT_NAME_COLLISION)");
    assert_eq!(world.serve.tell("unplug 7"), "reader 7: unplugged: STATUS_SUCCESS");
    until("the reader is empty", || opensc(0, &["-a"]).contains("Card not present"));
    assert_eq!(world.serve.tell("unplug 7"), "reader 7: unplugged: 0xc000000e(STATUS_NO_SUCH_DEVICE)");
    assert_eq!(world.serve.tell("plug 7"), "reader 7: plugged in: STATUS_SUCCESS");
    until("the reader's card is seen again", || has_card(0));
}

pub fn a_scenario_is_played_in_real_time() {
    let begun = Instant::now();
    let mut world = World::with(&[file("real_time.toml").to_str().unwrap()]);
    world.serve.hear("plug reader 8: STATUS_SUCCESS");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    until("the reader that came has a card", || has_card(1));
    world.serve.hear("remove reader 7: STATUS_SUCCESS");
    assert!(begun.elapsed() >= Duration::from_secs(2));
    until("the card that went is gone", || opensc(0, &["-a"]).contains("Card not present"));
    assert!(has_card(1));
}

pub fn a_thousand_sessions_leave_nothing_behind() {
    let world = World::with(&["7=built-in"]);
    let sessions = |count: &str| assert_eq!(pyscard("sessions.py", &[READER, count]).trim(), "ok");
    let open = |process: &Process| (process.open_files(), process.threads());
    // The first ones fill what grows once.
    sessions("100");
    let (serve, pcscd) = (&world.serve.process, &world.pcscd);
    let before = (open(serve), open(pcscd), serve.memory());
    sessions("1000");
    until("what clients had open is closed", || open(pcscd) <= before.1);
    assert_eq!(open(serve), before.0, "files and threads of vbus serve");
    let grown = serve.memory().saturating_sub(before.2);
    assert!(grown < 512, "{grown} KiB more for a thousand sessions");
}

pub fn both_signals_end_it_cleanly() {
    let mut world = World::with(&["7=built-in"]);
    assert!(has_card(0));
    let socket = world.directory.join("vbus.sock");
    for signal in ["INT", "TERM"] {
        assert!(socket.exists());
        world.serve.process.signal(signal);
        assert_eq!(world.serve.process.wait(), Some(0), "{signal}");
        assert!(!socket.exists(), "{signal} leaves the socket's name");
        until("the reader is of no use", || !has_card(0));
        let arguments =
            ["7=built-in", "--reader-conf", "conf/reader.conf", "--socket", "vbus.sock", "--trace", "trace"];
        world.serve = Serve::start(&world.directory, &arguments);
        until("pcscd finds the reader again", || has_card(0));
    }
    // One that was killed leaves its socket, and the next one takes it over; one that runs keeps it.
    world.serve.process.signal("KILL");
    world.serve.process.wait();
    let arguments = ["7=built-in", "--reader-conf", "conf/reader.conf", "--socket", "vbus.sock"];
    world.serve = Serve::start(&world.directory, &arguments);
    let mut second = Command::new(env!("CARGO_BIN_EXE_vbus"));
    let second =
        second.arg("serve").args(arguments).current_dir(&world.directory).stdin(Stdio::null()).output().unwrap();
    assert_eq!(second.status.code(), Some(2), "{}", text(&second));
    assert!(text(&second).contains("another `vbus serve` listens there"), "{}", text(&second));
}

pub fn a_pin_counter_survives_a_restart() {
    let directory = world::directory();
    let card = file("card.toml");
    let arguments =
        [card.to_str().unwrap(), "--keep", "cards", "--reader-conf", "conf/reader.conf", "--socket", "vbus.sock"];
    let wrong = "00:20:00:01:04:39:39:39:39";
    for expected in ["63C2", "63C1", "63C0", "6983"] {
        let serve = Serve::start(&directory, &arguments);
        let mut pcscd = world::pcscd(&directory.join("conf"));
        assert_eq!(answers(0, &[wrong]), [expected]);
        drop(serve);
        world::end(&mut pcscd);
    }
}
