//! T=0: command TPDUs with their procedure bytes, and what becomes of APDUs.

mod common;

use common::{Echo, Session, T0_ATR, bytes, hex};
use proptest::prelude::*;
use vbus_reader::transmission::t0::{Acknowledge, Mapping, Style, T0Error};
use vbus_reader::transmission::{ContactCard, Contacts, LineTiming, Reset, Signal};
use vbus_wdm::Ticks;

/// A card that answers to what it is sent with what a script says, whatever it is.
struct Script {
    answers: Vec<(Vec<u8>, Signal)>,
    next: usize,
}

impl Script {
    /// Each line is `sent > answer`; in the answer `(n)` is a pause of n milliseconds and `!` marks a wrong parity.
    fn new(script: &str) -> Script {
        let lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
        let answers = lines.map(|line| {
            let (sent, answer) = line.split_once('>').expect("sent > answer");
            let mut signal = Signal::new();
            for word in answer.split_whitespace() {
                if let Some(pause) = word.strip_prefix('(') {
                    signal.pause(Ticks::from_millis(pause.trim_end_matches(')').parse().unwrap()));
                } else if let Some(wrong) = word.strip_suffix('!') {
                    signal.push_wrong(bytes(wrong)[0]);
                } else {
                    signal.push(bytes(word)[0]);
                }
            }
            (bytes(sent), signal)
        });
        Script { answers: answers.collect(), next: 0 }
    }
}

impl Contacts for Script {
    fn reset(&mut self, _: Reset, _: u32, line: &mut Signal) {
        line.extend(&[0x3B, 0x00]);
    }

    fn power_down(&mut self) {}

    fn receive(&mut self, sent: &Signal, line: &mut Signal) {
        let Some((expected, answer)) = self.answers.get(self.next) else { panic!("surplus {}", hex(sent.bytes())) };
        assert_eq!(hex(sent.bytes()), hex(expected));
        line.append(answer);
        self.next += 1;
    }
}

#[track_caller]
fn check(mapping: Mapping, apdu: &str, script: &str, expected: Result<&str, T0Error>) -> Ticks {
    let mut session = Session::new(Script::new(script), LineTiming::PausesOnly);
    let answer = session.t0(mapping, &bytes(apdu));
    assert_eq!(answer.map(|answer| hex(&answer)), expected.map(|text| hex(&bytes(text))), "{apdu}");
    assert_eq!(session.card.next, session.card.answers.len(), "the whole script was played");
    session.elapsed
}

#[test]
fn each_short_case_has_its_tpdu() {
    let check = |apdu, script, answer| check(Mapping::Apdu, apdu, script, Ok(answer));
    // 1: P3 is added.
    check("00 44 00 00", "00 44 00 00 00 > 90 00", "90 00");
    // 2S: data comes in.
    check("00 B0 00 00 03", "00 B0 00 00 03 > B0 01 02 03 90 00", "01 02 03 90 00");
    check("00 B0 00 00 00", "00 B0 00 00 00 > 6C 02\n 00 B0 00 00 02 > B0 01 02 90 00", "01 02 90 00");
    check("00 B0 00 00 03", "00 B0 00 00 03 > 67 00", "67 00");
    // 3S: data goes out.
    check("00 D6 00 00 02 AA BB", "00 D6 00 00 02 > D6\n AA BB > 90 00", "90 00");
    check("00 D6 00 00 02 AA BB", "00 D6 00 00 02 > 69 82", "69 82");
    // 4S: data goes out, and what comes back is fetched.
    check(
        "00 A4 00 00 02 3F 00 00",
        "00 A4 00 00 02 > A4
         3F 00 > 61 03
         00 C0 00 00 03 > C0 6F 01 00 90 00",
        "6F 01 00 90 00",
    );
    check("00 A4 00 00 02 3F 00 00", "00 A4 00 00 02 > A4\n 3F 00 > 90 00", "90 00");
    check(
        "00 A4 00 00 02 3F 00 02",
        "00 A4 00 00 02 > A4
         3F 00 > 61 03
         00 C0 00 00 02 > C0 6F 01 61 01",
        "6F 01 90 00",
    );
    check(
        "00 A4 00 00 02 3F 00 00",
        "00 A4 00 00 02 > A4
         3F 00 > 61 00
         00 C0 00 00 00 > 6C 01
         00 C0 00 00 01 > C0 6F 62 83",
        "6F 62 83",
    );
}

#[test]
fn whoever_sends_tpdus_sees_what_the_card_says() {
    let check = |apdu, script, answer| check(Mapping::Tpdu, apdu, script, Ok(answer));
    check("00 B0 00 00 00", "00 B0 00 00 00 > 6C 02", "6C 02");
    // Le after data does not fit a TPDU.
    check("00 A4 00 00 02 3F 00 00", "00 A4 00 00 02 > A4\n 3F 00 > 61 03", "61 03");
    check("00 C0 00 00 03", "00 C0 00 00 03 > C0 6F 01 00 90 00", "6F 01 00 90 00");
    check("00 A4 00 00", "00 A4 00 00 00 > 61 20", "61 20");
}

#[test]
fn extended_lengths_are_fetched_in_pieces_and_sent_in_envelopes() {
    let all: Vec<u8> = (0..=255).collect();
    check(
        Mapping::Apdu,
        "00 B0 00 00 00 01 02",
        &format!("00 B0 00 00 00 > B0 {} 61 10\n 00 C0 00 00 02 > C0 AA BB 61 0E", hex(&all)),
        Ok(&format!("{} AA BB 90 00", hex(&all))),
    );
    // A short Lc in extended form needs no envelope.
    check(Mapping::Apdu, "00 D6 00 00 00 00 02 AA BB", "00 D6 00 00 02 > D6\n AA BB > 90 00", Ok("90 00"));
    let data = hex(&[0x55; 256]);
    let first = format!("00 D6 00 00 00 01 00 {}", hex(&[0x55; 248]));
    check(
        Mapping::Apdu,
        &format!("00 D6 00 00 00 01 00 {data}"),
        &format!(
            "00 C2 00 00 FF > C2
             {first} > 90 00
             00 C2 00 00 08 > C2
             {} > 90 00
             00 C2 00 00 00 > 90 00",
            hex(&[0x55; 8])
        ),
        Ok("90 00"),
    );
    check(
        Mapping::Apdu,
        &format!("00 D6 00 00 00 01 00 {data}"),
        &format!("00 C2 00 00 FF > C2\n {first} > 6D 00"),
        Ok("6D 00"),
    );
}

#[test]
fn a_card_takes_one_byte_at_a_time_or_asks_for_time_in_between() {
    let elapsed = check(
        Mapping::Apdu,
        "00 D6 00 00 03 AA BB CC",
        "00 D6 00 00 03 > 60 (800) 60 (800) 29
         AA > 29
         BB > 60 (500) D6
         CC > (100) 90 00",
        Ok("90 00"),
    );
    assert_eq!(elapsed, Ticks::from_millis(2200));
    check(Mapping::Apdu, "00 B0 00 00 02", "00 B0 00 00 02 > 4F 01 60 4F 02 90 00", Ok("01 02 90 00"));
}

#[test]
fn a_silence_of_more_than_the_work_waiting_time_ends_the_command() {
    // 892.8 ms with the defaults at 4 MHz.
    let waited = check(Mapping::Apdu, "00 B0 00 00 02", "00 B0 00 00 02 > (893) B0 01 02 90 00", Err(T0Error::Silence));
    assert_eq!(waited, Ticks(8_928_000));
    check(Mapping::Apdu, "00 B0 00 00 02", "00 B0 00 00 02 > (892) B0 01 02 90 00", Ok("01 02 90 00"));
    check(Mapping::Apdu, "00 B0 00 00 02", "00 B0 00 00 02 > B0 01", Err(T0Error::Silence));
    check(Mapping::Apdu, "00 B0 00 00 02", "00 B0 00 00 02 >", Err(T0Error::Silence));
}

#[test]
fn a_character_with_a_wrong_parity_comes_again_and_not_for_ever() {
    check(Mapping::Apdu, "00 B0 00 00 01", "00 B0 00 00 01 > B0 00! 00! 00! 01 90 00", Ok("01 90 00"));
    check(
        Mapping::Apdu,
        "00 B0 00 00 01",
        "00 B0 00 00 01 > B0 00! 00! 00! 00! 01 90 00",
        Err(T0Error::Parity { times: 4 }),
    );
}

#[test]
fn what_is_no_procedure_byte_or_comes_out_of_turn_ends_the_command() {
    let check = |apdu, script, error| check(Mapping::Apdu, apdu, script, Err(error));
    check("00 B0 00 00 01", "00 B0 00 00 01 > 12", T0Error::Procedure { found: 0x12, ins: 0xB0 });
    check("00 44 00 00", "00 44 00 00 00 > 44", T0Error::NothingLeft { ins: 0x44 });
    check("00 D6 00 00 01 AA", "00 D6 00 00 01 > D6\n AA > D6", T0Error::NothingLeft { ins: 0xD6 });
    check("00 D6 00 00 01 AA", "00 D6 00 00 01 > D6 D6", T0Error::OutOfTurn { count: 1 });
    check("00 44 00 00", "00 44 00 00 00 > 90 00 00", T0Error::OutOfTurn { count: 1 });
}

#[test]
fn commands_that_cannot_be_sent_are_refused_with_a_reason() {
    let refused = |mapping, apdu: &str| {
        let mut session = Session::new(Script::new(""), LineTiming::PausesOnly);
        session.t0(mapping, &bytes(apdu)).unwrap_err()
    };
    assert_eq!(refused(Mapping::Tpdu, "00 A4"), T0Error::NoHeader { len: 2 });
    assert_eq!(refused(Mapping::Tpdu, "00 A4 00 00 02 3F"), T0Error::Length { len: 6 });
    assert_eq!(refused(Mapping::Tpdu, "00 60 00 00"), T0Error::Instruction { ins: 0x60 });
    assert_eq!(refused(Mapping::Apdu, "00 90 00 00 01 AA"), T0Error::Instruction { ins: 0x90 });
    assert_eq!(refused(Mapping::Tpdu, "00 B0 00 00 00 01 02"), T0Error::Extended { len: 7 });
    assert_eq!(
        refused(Mapping::Tpdu, "00 6A 00 00").to_string(),
        "INS 6A cannot be sent with T=0: a card that acknowledges it would seem to send SW1"
    );
}

#[test]
fn a_card_that_only_announces_more_is_given_up_in_the_end() {
    struct Endless;
    impl Contacts for Endless {
        fn reset(&mut self, _: Reset, _: u32, line: &mut Signal) {
            line.extend(&[0x3B, 0x00]);
        }
        fn power_down(&mut self) {}
        fn receive(&mut self, _: &Signal, line: &mut Signal) {
            line.extend(&[0x61, 0x10]);
        }
    }
    let mut session = Session::new(Endless, LineTiming::PausesOnly);
    let end = session.t0(Mapping::Apdu, &bytes("00 B0 00 00 00"));
    assert!(matches!(end, Err(T0Error::Endless { .. })), "{end:?}");
}

#[test]
fn a_whole_exchange_reads_as_approved() {
    let style = Style { acknowledge: Acknowledge::All, nulls: 1 };
    let card = ContactCard::new(Echo::new(T0_ATR)).t0_style(style);
    let mut session = Session::new(card, LineTiming::PausesOnly);
    for command in ["00 11 01 02 03 AA BB CC 05", "00 84 00 00 04", "00 54 00 00"].map(bytes) {
        assert_eq!(session.t0(Mapping::Apdu, &command).unwrap(), Echo::answer(&command));
    }
    approve!("reader_t0_exchange", session.recording());
}

#[test]
fn a_card_that_takes_its_time_sends_null_bytes() {
    let slow = Echo::slow(T0_ATR, Ticks::from_millis(2000));
    let mut session = Session::new(ContactCard::new(slow), LineTiming::PausesOnly);
    let command = bytes("00 84 00 00 04");
    assert_eq!(session.t0(Mapping::Apdu, &command).unwrap(), Echo::answer(&command));
    assert_eq!(session.elapsed, Ticks::from_millis(2000));
    approve!("reader_t0_null_bytes", session.recording());
}

#[test]
fn a_command_is_executed_once_however_its_answer_is_fetched() {
    let mut session = Session::new(ContactCard::new(Echo::new(T0_ATR)), LineTiming::PausesOnly);
    // The card has 4 bytes for a command that asks for all: 6C04, and the repetition is answered from what waits.
    struct Four(u32);
    impl vbus_reader::card::Card for Four {
        fn reset(&mut self, _: Reset, atr: &mut Vec<u8>) -> vbus_reader::card::Delivery {
            atr.clear();
            atr.extend([0x3B, 0x00]);
            Default::default()
        }
        fn power_down(&mut self) {}
        fn transmit(&mut self, _: &[u8], response: &mut Vec<u8>) -> vbus_reader::card::Delivery {
            self.0 += 1;
            response.clear();
            response.extend([1, 2, 3, self.0 as u8, 0x90, 0x00]);
            Default::default()
        }
    }
    let mut four = Session::new(ContactCard::new(Four(0)), LineTiming::PausesOnly);
    assert_eq!(hex(&four.t0(Mapping::Apdu, &bytes("00 84 00 00 00")).unwrap()), "01 02 03 01 90 00");
    assert_eq!(hex(&four.t0(Mapping::Apdu, &bytes("00 84 00 00 00")).unwrap()), "01 02 03 02 90 00");
    let long = [&bytes("00 11 00 00 00 02 58")[..], &[7; 600], &bytes("03 00")].concat();
    assert_eq!(session.t0(Mapping::Apdu, &long).unwrap(), Echo::answer(&long));
    assert_eq!(session.card.card().commands.len(), 1);
}

/// A card that puts these characters on the line whenever it is sent something.
struct Noise(Signal);

impl Contacts for Noise {
    fn reset(&mut self, _: Reset, _: u32, line: &mut Signal) {
        line.extend(&[0x3B, 0x00]);
    }

    fn power_down(&mut self) {}

    fn receive(&mut self, _: &Signal, line: &mut Signal) {
        line.append(&self.0);
    }
}

proptest! {
    #[test]
    fn any_apdu_to_any_card_ends(
        apdu in proptest::collection::vec(any::<u8>(), 0..300),
        noise in proptest::collection::vec(any::<u8>(), 0..20),
        tpdu in any::<bool>(),
    ) {
        let mut signal = Signal::new();
        signal.extend(&noise);
        let mapping = if tpdu { Mapping::Tpdu } else { Mapping::Apdu };
        let mut session = Session::new(Noise(signal), LineTiming::PausesOnly);
        if let Ok(answer) = session.t0(mapping, &apdu) {
            prop_assert!(answer.len() >= 2);
        }
    }

    #[test]
    fn any_characters_to_a_card_are_survived(
        turns in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..20),
        single in any::<bool>(),
    ) {
        let acknowledge = if single { Acknowledge::Single } else { Acknowledge::All };
        let mut card = ContactCard::new(Echo::new(T0_ATR)).t0_style(Style { acknowledge, nulls: 0 });
        let (mut sent, mut line) = (Signal::new(), Signal::new());
        card.reset(Reset::Cold, 4000, &mut line);
        for turn in turns {
            sent.clear();
            sent.extend(&turn);
            line.clear();
            card.receive(&sent, &mut line);
        }
    }
}
