//! Both directions of vpcd's protocol: an emulator's card in our reader, and our card in a vpcd.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::world::{self, Process, Serve, World, answers, opensc, pyscard, python, until};

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
