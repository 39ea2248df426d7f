//! The targets: whatever the bytes are, there is an answer or an error, and never a panic.

mod machine;

pub use machine::{ioctl, machine, vpcd};

use vbus::Scenario;
use vbus::reader::apdu::Command;
use vbus::reader::atr::Atr;
use vbus::reader::card::iso7816::Iso7816Card;
use vbus::reader::card::{Card, Description, Reset};
use vbus::reader::transmission::Edc;
use vbus::reader::transmission::t1::Block;
use vbus_ifd::message::{Answer, Ask};

/// A target with its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("scenario", scenario),
    ("log", log),
    ("atr", atr),
    ("t1", t1),
    ("apdu", apdu),
    ("card", card),
    ("ioctl", ioctl),
    ("vpcd", vpcd),
    ("handler", handler),
    ("machine", machine),
];

/// A scenario's file: what can be read can be checked and written again.
pub fn scenario(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match Scenario::parse("fuzzed.toml", text) {
        Ok(scenario) => {
            _ = scenario.check();
            let again = scenario.to_toml().expect("what was read can be written");
            Scenario::parse("fuzzed.toml", again).expect("and read again");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A log, or any other debugger text.
pub fn log(bytes: &[u8]) {
    let explanation = vbus::explain::explain(bytes).expect("memory can be read");
    _ = explanation.to_string();
}

/// An answer to reset: what is accepted can be described.
pub fn atr(bytes: &[u8]) {
    match Atr::parse(bytes) {
        Ok(atr) => _ = format!("{atr:?}"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A T=1 block, with either check.
pub fn t1(bytes: &[u8]) {
    for edc in [Edc::Lrc, Edc::Crc] {
        if let Err(error) = Block::parse(bytes, edc) {
            assert!(!error.to_string().is_empty());
        }
    }
}

/// A command APDU: a card that is powered answers every one with a status word.
pub fn apdu(bytes: &[u8]) {
    if let Err(error) = Command::parse(bytes) {
        assert!(!error.to_string().is_empty());
    }
    let (mut card, mut response) = (Iso7816Card::new(7), Vec::new());
    card.reset(Reset::Cold, &mut response);
    card.transmit(bytes, &mut response);
    assert!(response.len() >= 2, "no status word");
}

/// A description of a card: a profile, a script, or what else says of itself that it is one.
pub fn card(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Err(error) = Description::parse(text) {
        assert!(!error.to_string().is_empty());
    }
}

/// A message between pcscd's handler and us.
pub fn handler(bytes: &[u8]) {
    if let Err(error) = Ask::decode(bytes) {
        assert!(!error.to_string().is_empty());
    }
    if let Err(error) = Answer::decode(bytes) {
        assert!(!error.to_string().is_empty());
    }
}

#[cfg(test)]
mod smoke;
