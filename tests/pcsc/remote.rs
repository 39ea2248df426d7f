//! Both directions of vpcd's protocol: an emulator's card in our reader, and our card in a vpcd.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::world::{self, Process, Serve, World, answers, opensc, pyscard, python, text, until};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("loopback is there").port()
}

pub fn viccs_card_is_in_our_reader() {
    let port = free_port();
    let world = World::with(&[&format!("7=remote:{port}")]);
    assert!(opensc(0, &["-a"]).contains("Card not present"));
    // As packaged, its modules are where Python does not look.
    let path = format!("/usr/lib/python3/site-packages/virtualsmartcard:{}", python().display());
    let mut command = Command::new("/usr/bin/python3");
    command.args(["/usr/bin/vicc", "--type", "iso7816", "--hostname", "127.0.0.1", "--port", &port.to_string()]);
    let vicc = Process::start(
        command.env("PYTHONPATH", path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()),
    );
    until("vicc's card is in", || opensc(0, &["-a"]).trim() == "3b:95:13:81:01:80:73:ff:01:00:0b");
    assert_eq!(
        answers(0, &["00:A4:00:0C:02:3F:00", "00:84:00:00:08", "00:A4:04:00:02:A0:00"]),
        ["9000", "9000", "6A82"]
    );
    assert!(world.trace().contains("TRANSMIT 00 84 00 00 08"));
    drop(vicc);
    until("the card went with vicc", || opensc(0, &["-a"]).contains("Card not present"));
}

/// An emulator whose card has an ATR and then hears commands, of which it tells, and answers none.
fn stuck_emulator(port: u16) -> (Receiver<Vec<u8>>, TcpStream) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("vbus serve waits for it");
    let ours = stream.try_clone().expect("a handle of the same socket");
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut message = vec![0; u16::from_be_bytes(length).into()];
            let whole = stream.read_exact(&mut message).is_ok();
            match message[..] {
                [4] if whole => stream.write_all(&[0, 4, 0x3B, 0x80, 0x01, 0x81]).unwrap_or(()),
                [_] => {}
                _ => _ = tell.send(message),
            }
        }
    });
    (told, ours)
}

/// A client that waits for an answer of the first reader's card.
fn stuck_client(told: &Receiver<Vec<u8>>) -> Process {
    let mut command = Command::new("opensc-tool");
    command.args(["-r", "0", "-c", "default", "-s", "00:84:00:00:08"]);
    let client = Process::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
    assert!(told.recv_timeout(Duration::from_secs(20)).is_ok(), "the emulator has a command");
    client
}

pub fn a_remote_card_that_is_stuck_holds_up_nobody_else() {
    let port = free_port();
    let mut world = World::with(&[&format!("7=remote:{port}"), "8=built-in"]);
    let (told, stream) = stuck_emulator(port);
    until("the emulator's card is in", || opensc(0, &["-a"]).trim() == "3b:80:01:81");
    let mut client = stuck_client(&told);
    let since = Instant::now();
    // (opensc-tool asks every reader what it can, and so waits for this one.)
    let other = ["vbus reader 8 01 00", "100"];
    assert_eq!(pyscard("round_trips.py", &other).trim(), "ok");
    assert_eq!(world.serve.tell("remove 8"), "reader 8: card removed");
    assert_eq!(world.serve.tell("insert 8"), "reader 8: card inserted");
    assert!(
        since.elapsed() < Duration::from_secs(8),
        "{:?}, where a silent card is given up after 10 s",
        since.elapsed()
    );
    assert!(client.0.try_wait().is_ok_and(|ended| ended.is_none()), "it still waits for its card");
    // It is given up, and what was inserted is gone.
    client.wait();
    assert!(world.trace().contains("STATUS_IO_TIMEOUT"), "{}", world.trace());
    drop(stream);

    // A pcscd that dies with a command out leaves nothing behind that would hold up the next one.
    until("the emulator's card is out", || opensc(0, &["-a"]).contains("Card not present"));
    let (told, _stream) = stuck_emulator(port);
    until("the emulator's card is in again", || opensc(0, &["-a"]).trim() == "3b:80:01:81");
    let _client = stuck_client(&told);
    world.pcscd.signal("KILL");
    world.pcscd.wait();
    fs::remove_file("/run/pcscd/pcscd.comm").expect("a pcscd that was killed leaves its socket");
    let begun = Instant::now();
    world.pcscd = world::pcscd(&world.directory.join("conf"));
    assert_eq!(pyscard("round_trips.py", &other).trim(), "ok");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

pub fn emulators_come_over_the_network_where_allowed() {
    let directory = world::directory();
    let port = free_port();
    let card = format!("7=remote:0.0.0.0:{port}");
    let arguments = [&card, "--reader-conf", "conf/reader.conf", "--socket", "vbus.sock"];
    let mut refused = Command::new(env!("CARGO_BIN_EXE_vbus"));
    let refused = refused.arg("serve").args(arguments).current_dir(&directory).stdin(Stdio::null()).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused).contains("is not a loopback address: whoever reaches it"), "{}", text(&refused));
    assert!(text(&refused).contains("--allow-network"), "{}", text(&refused));

    let (serve, said) = Serve::start_and_listen(&directory, &[&arguments[..], &["--allow-network"]].concat());
    let note = format!("a card emulator that connects to 0.0.0.0:{port}, over the network and without protection");
    assert!(said.iter().any(|line| line.contains(&note)), "{said:?}");
    let _emulator = stuck_emulator(port);
    drop(serve);
}

pub fn our_card_is_in_debians_vpcd() {
    let directory = world::directory();
    let port = free_port();
    fs::create_dir(directory.join("conf")).unwrap();
    // The port is what follows the last colon; the name in front has to be a file.
    let conf = format!(
        "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:{port}\nCHANNELID {port}\n\
         LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so\n"
    );
    fs::write(directory.join("conf/vpcd"), conf).unwrap();
    let mut pcscd = world::pcscd(&directory.join("conf"));
    let address = format!("127.0.0.1:{port}");
    let mut serve = Serve::start(&directory, &["7=built-in", "--vpcd", &address]);
    until("our card is in", || opensc(0, &["-a"]).trim().starts_with("3b:9f:13:80"));
    assert_eq!(answers(0, &["00:A4:00:0C:02:DF:01", "00:B0:81:00:04"]), ["9000", "9000"]);

    let begun = Instant::now();
    let count = 500;
    assert_eq!(pyscard("round_trips.py", &["Virtual PCD 00 00", &count.to_string()]).trim(), "ok");
    // With the stall it is 40 ms for each of them.
    let each = begun.elapsed() / count;
    assert!(each < Duration::from_millis(10), "{each:?} for a round trip");

    assert_eq!(serve.tell("remove 7"), "reader 7: card removed");
    until("our card is out", || opensc(0, &["-a"]).contains("Card not present"));
    assert_eq!(serve.tell("insert 7"), "reader 7: card inserted");
    until("our card is in again", || opensc(0, &["-a"]).trim().starts_with("3b:9f:13:80"));
    serve.process.signal("TERM");
    assert_eq!(serve.process.wait(), Some(0));
    until("our card went with us", || opensc(0, &["-a"]).contains("Card not present"));
    world::end(&mut pcscd);
}
