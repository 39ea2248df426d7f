//! What a bad line does to commands: nothing, as long as it gives the protocols a chance.

mod common;

use common::{BOTH_ATR, Echo, Session, T0_ATR, T1_ATR, T1_CRC_ATR, bytes};
use proptest::prelude::*;
use vbus_reader::transmission::t0::{Acknowledge, Mapping, Style};
use vbus_reader::transmission::{ContactCard, Faults, LineTiming, Lossy};

/// APDUs of every case, short and extended.
fn apdu() -> impl Strategy<Value = Vec<u8>> {
    let data = prop_oneof![
        3 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => proptest::collection::vec(any::<u8>(), 0..700),
    ];
    let le = prop_oneof![3 => 0..=64usize, 1 => 0..=700usize];
    (any::<[u8; 2]>(), data, le, any::<bool>()).prop_map(|([p1, p2], data, ne, extended)| {
        // The card's commands that may have data have a bit of their own in INS. With T=0 a command without data and
        // without Le cannot be told from one that asks for 256 bytes, but by it.
        let ins = if data.is_empty() && ne > 0 { 0x84 } else { 0x14 };
        let mut apdu = vec![0x00, ins, p1, p2];
        let extended = extended || data.len() > 255 || ne > 256;
        match (extended, data.len()) {
            (true, 0) if ne > 0 => apdu.push(0),
            (_, 0) => {}
            (true, len) => apdu.extend([0, (len >> 8) as u8, len as u8]),
            (false, len) => apdu.push(len as u8),
        }
        apdu.extend(&data);
        match (extended, ne) {
            (_, 0) => {}
            (true, ne) => apdu.extend([(ne >> 8) as u8, ne as u8]),
            (false, ne) => apdu.push(ne as u8),
        }
        apdu
    })
}

fn apdus() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(apdu(), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn with_t1_every_command_arrives_once_and_is_answered_as_without_the_line(
        apdus in apdus(), seed in any::<u64>(), crc in any::<bool>(),
    ) {
        let card = ContactCard::new(Echo::new(if crc { T1_CRC_ATR } else { T1_ATR }));
        let faults = Faults { seed, rate: 160, spare: 2, characters_are_repeated: false };
        let mut session = Session::new(Lossy::new(card, faults), LineTiming::PausesOnly);
        for apdu in &apdus {
            prop_assert_eq!(session.t1(apdu), Ok(Echo::answer(apdu)));
        }
        prop_assert_eq!(&session.card.card().card().commands, &apdus);
    }

    #[test]
    fn with_t0_every_command_arrives_once_and_is_answered_as_without_the_line(
        apdus in apdus(), seed in any::<u64>(), single in any::<bool>(), nulls in 0..3u8,
    ) {
        let acknowledge = if single { Acknowledge::Single } else { Acknowledge::All };
        let card = ContactCard::new(Echo::new(T0_ATR)).t0_style(Style { acknowledge, nulls });
        let faults = Faults { seed, rate: 160, spare: 0, characters_are_repeated: true };
        let mut session = Session::new(Lossy::new(card, faults), LineTiming::PausesOnly);
        for apdu in &apdus {
            // What has data has an answer as well: the card of a T=0 line cannot know whether one is wanted.
            let answer = session.t0(Mapping::Apdu, apdu);
            match apdu.get(1) {
                Some(0x14) if has_no_le(apdu) => prop_assert!(answer.is_ok_and(|answer| answer.len() == 2)),
                _ => prop_assert_eq!(answer, Ok(as_with_t0(apdu))),
            }
        }
        prop_assert_eq!(session.card.card().card().commands.len(), apdus.len());
    }
}

fn has_no_le(apdu: &[u8]) -> bool {
    vbus_reader::apdu::Command::parse(apdu).is_ok_and(|command| command.expected.is_none())
}

/// The card is asked for everything with T=0 where it takes data; the sender takes what it wants of it.
fn as_with_t0(apdu: &[u8]) -> Vec<u8> {
    let mut answer = Echo::answer(apdu);
    let parsed = vbus_reader::apdu::Command::parse(apdu).unwrap();
    let extended = parsed.data.len() > 255;
    let ne = parsed.expected.unwrap_or(0) as usize;
    if !extended && ne > 256 {
        // Nobody can ask for more than 256 bytes without ENVELOPE, which takes no part in a command that fits.
        answer.truncate(256);
        answer.extend([0x90, 0x00]);
    }
    answer
}

#[test]
fn the_faults_do_strike() {
    let faults = Faults { seed: 1, rate: 160, spare: 2, characters_are_repeated: false };
    let mut session = Session::new(Lossy::new(ContactCard::new(Echo::new(T1_ATR)), faults), LineTiming::PausesOnly);
    for _ in 0..100 {
        session.t1(&bytes("00 84 00 00 08")).unwrap();
    }
    assert!(session.card.spoiled() > 30, "{}", session.card.spoiled());
}

#[test]
fn a_recovery_reads_as_approved() {
    let faults = Faults { seed: 11, rate: 200, spare: 2, characters_are_repeated: false };
    let card = Lossy::new(ContactCard::new(Echo::new(BOTH_ATR)), faults);
    let mut session = Session::new(card, LineTiming::PausesOnly);
    session.pps(1, Some(0x13)).unwrap();
    for _ in 0..3 {
        session.t1(&bytes("00 14 00 00 02 AA BB 02")).unwrap();
    }
    approve!("reader_t1_recovery", session.recording());
}

#[test]
fn a_line_that_is_always_bad_ends_every_command_with_an_error() {
    let faults = Faults { seed: 1, rate: 255, spare: 0, characters_are_repeated: false };
    let mut failures = 0;
    for seed in 0..40 {
        let card = Lossy::new(ContactCard::new(Echo::new(T1_ATR)), Faults { seed, ..faults });
        failures += u32::from(Session::new(card, LineTiming::PausesOnly).t1(&bytes("00 84 00 00 08")).is_err());
    }
    assert!(failures > 30, "{failures} of 40");
}
