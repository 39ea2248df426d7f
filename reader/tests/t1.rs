//! T=1, block by block: what each end sends for what comes in.

mod common;

use common::{Echo, Session, T1_ATR, T1_CRC_ATR, bytes, hex};
use proptest::prelude::*;
use vbus_reader::transmission::t1::{Act, Block, BlockError, Chip, Incoming, Progress, Reader, T1Error};
use vbus_reader::transmission::{ContactCard, Edc, LineTiming};
use vbus_wdm::Ticks;

/// Runs a script against the reader's end. `apdu` begins a command; `>` is what the reader has to send, `<` what comes
/// back, without epilogues; `< silence`, `< parity` and `< broken` are what they say. `= done` with a response, or
/// `= error` ends it.
#[track_caller]
fn reader(mut reader: Reader, script: &str) -> Reader {
    let mut state = Ok(Progress::Done);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        let block = || with_epilogue(rest);
        match mark {
            "apdu" => {
                reader.start(&bytes(rest));
                state = Ok(Progress::Send);
            }
            ">" => {
                assert_eq!(state, Ok(Progress::Send), "{line}");
                assert_eq!(hex(reader.block()), hex(&block()), "{line}");
            }
            "<" => {
                state = match rest {
                    "silence" => reader.received(Incoming::Silence),
                    "parity" => reader.received(Incoming::WrongParity),
                    "broken" => reader.received(Incoming::Characters(&[0x00, 0x00, 0x01, 0xAA, 0x00])),
                    _ => reader.received(Incoming::Characters(&block())),
                }
            }
            "=" => match rest.split_once(' ').unwrap_or((rest, "")) {
                ("done", response) => {
                    assert_eq!(state, Ok(Progress::Done), "{line}");
                    assert_eq!(hex(reader.response()), hex(&bytes(response)), "{line}");
                }
                (error, _) => assert_eq!(format!("{:?}", state.unwrap_err()), error, "{line}"),
            },
            _ => panic!("what is {line}?"),
        }
    }
    reader
}

fn with_epilogue(text: &str) -> Vec<u8> {
    let mut block = bytes(text);
    Edc::Lrc.append(&mut block);
    block
}

/// A reader that says nothing of its sizes, so that scripts begin with the command.
fn plain() -> Reader {
    Reader::new(Edc::Lrc, 4, None)
}

#[test]
fn a_short_command_is_one_block_each_way_and_the_numbers_alternate() {
    let reader = reader(
        plain(),
        "apdu 00 84 00 00
         > 00 00 04 00 84 00 00
         < 00 00 02 90 00
         = done 90 00
         apdu 00 84 00 01
         > 00 40 04 00 84 00 01
         < 00 40 02 61 08
         = done 61 08
         apdu 00 84 00 02
         > 00 00 04 00 84 00 02
         < 00 00 02 90 00
         = done 90 00",
    );
    assert!(!reader.is_busy());
}

#[test]
fn the_reader_says_first_what_it_can_take() {
    let reader = reader(
        Reader::new(Edc::Lrc, 32, Some(254)),
        "apdu 00 84 00 00
         > 00 C1 01 FE
         < 00 E1 01 FE
         > 00 00 04 00 84 00 00
         < 00 00 02 90 00
         = done 90 00
         apdu 00 84 00 01
         > 00 40 04 00 84 00 01",
    );
    assert_eq!(reader.sizes(), (32, 254));
}

#[test]
fn a_size_that_comes_back_changed_or_not_at_all_is_asked_for_again() {
    reader(
        Reader::new(Edc::Lrc, 32, Some(254)),
        "apdu 00 84 00 00
         > 00 C1 01 FE
         < 00 E1 01 20
         > 00 C1 01 FE
         < silence
         > 00 C1 01 FE
         < 00 E1 01 FE
         > 00 00 04 00 84 00 00",
    );
}

#[test]
fn a_long_command_is_chained_and_each_link_acknowledged() {
    reader(
        plain(),
        "apdu 00 A4 00 0C 02 3F 00
         > 00 20 04 00 A4 00 0C
         < 00 90 00
         > 00 40 03 02 3F 00
         < 00 00 02 90 00
         = done 90 00",
    );
}

#[test]
fn a_long_answer_is_chained_and_the_reader_acknowledges() {
    reader(
        plain(),
        "apdu 00 B0 00 00
         > 00 00 04 00 B0 00 00
         < 00 20 02 01 02
         > 00 90 00
         < 00 60 02 03 04
         > 00 80 00
         < 00 00 02 90 00
         = done 01 02 03 04 90 00
         apdu 00 B0 00 01
         > 00 40 04 00 B0 00 01",
    );
}

#[test]
fn chains_both_ways_keep_their_own_numbers() {
    reader(
        plain(),
        "apdu 00 B1 00 00 02 54 00
         > 00 20 04 00 B1 00 00
         < 00 90 00
         > 00 40 03 02 54 00
         < 00 20 02 53 01
         > 00 90 00
         < 00 40 03 AA 90 00
         = done 53 01 AA 90 00
         apdu 00 B1 00 01
         > 00 00 04 00 B1 00 01
         < 00 00 02 90 00
         = done 90 00",
    );
}

#[test]
fn more_time_is_granted_for_one_answer_and_multiplies_the_waiting_time() {
    let mut reader = reader(
        plain(),
        "apdu 00 84 00 00
         > 00 00 04 00 84 00 00
         < 00 C3 01 05
         > 00 E3 01 05",
    );
    assert_eq!(reader.waiting_multiplier(), 5);
    assert_eq!(reader.received(Incoming::Characters(&with_epilogue("00 00 02 90 00"))), Ok(Progress::Done));
    assert_eq!(reader.waiting_multiplier(), 1);
}

#[test]
fn the_card_may_change_its_size_in_the_middle_of_a_chain() {
    let reader = reader(
        plain(),
        "apdu 00 A4 00 0C 06 3F 00 DF 01 01 02
         > 00 20 04 00 A4 00 0C
         < 00 C1 01 20
         > 00 E1 01 20
         < 00 90 00
         > 00 40 07 06 3F 00 DF 01 01 02
         < 00 00 02 90 00
         = done 90 00",
    );
    assert_eq!(reader.sizes(), (32, 32));
}

#[test]
fn an_answer_that_did_not_arrive_is_asked_for_by_its_number() {
    for broken in ["silence", "parity", "broken"] {
        let error = if broken == "parity" || broken == "broken" { "81" } else { "82" };
        reader(
            plain(),
            &format!(
                "apdu 00 84 00 00
                 > 00 00 04 00 84 00 00
                 < {broken}
                 > 00 {error} 00
                 < 00 00 02 90 00
                 = done 90 00"
            ),
        );
    }
}

#[test]
fn a_block_that_the_card_did_not_get_is_sent_again() {
    reader(
        plain(),
        "apdu 00 84 00 00
         > 00 00 04 00 84 00 00
         < 00 81 00
         > 00 00 04 00 84 00 00
         < 00 82 00
         > 00 00 04 00 84 00 00
         < 00 00 02 90 00
         = done 90 00",
    );
}

#[test]
fn when_the_readers_request_for_repetition_is_lost_it_is_repeated_as_it_was() {
    reader(
        plain(),
        "apdu 00 84 00 00
         > 00 00 04 00 84 00 00
         < broken
         > 00 81 00
         < 00 92 00
         > 00 81 00
         < 00 00 02 90 00
         = done 90 00",
    );
}

#[test]
fn a_lost_link_of_the_cards_chain_is_asked_for_with_the_same_acknowledgement() {
    reader(
        plain(),
        "apdu 00 B0 00 00
         > 00 00 04 00 B0 00 00
         < 00 20 02 01 02
         > 00 90 00
         < silence
         > 00 90 00
         < 00 40 02 90 00
         = done 01 02 90 00",
    );
}

#[test]
fn a_wrong_number_an_unknown_pcb_and_a_length_that_is_not_true_are_errors_like_any_other() {
    for wrong in ["00 40 02 90 00", "00 10 02 90 00", "00 00 03 90 00", "00 E0 00", "00 C4 00", "12 00 02 90 00"] {
        reader(
            plain(),
            &format!(
                "apdu 00 84 00 00
                 > 00 00 04 00 84 00 00
                 < {wrong}
                 > 00 82 00
                 < 00 00 02 90 00
                 = done 90 00"
            ),
        );
    }
}

#[test]
fn after_two_repetitions_both_sides_begin_anew_and_the_command_is_sent_once_more() {
    reader(
        Reader::new(Edc::Lrc, 4, Some(254)),
        "apdu 00 84 00 00
         > 00 C1 01 FE
         < 00 E1 01 FE
         > 00 00 04 00 84 00 00
         < broken
         > 00 81 00
         < broken
         > 00 81 00
         < broken
         > 00 C0 00
         < silence
         > 00 C0 00
         < 00 E0 00
         > 00 C1 01 FE
         < 00 E1 01 FE
         > 00 00 04 00 84 00 00
         < 00 00 02 90 00
         = done 90 00",
    );
}

#[test]
fn after_three_attempts_to_begin_anew_the_card_has_to_be_reset() {
    reader(
        plain(),
        "apdu 00 84 00 00
         > 00 00 04 00 84 00 00
         < silence
         > 00 82 00
         < silence
         > 00 82 00
         < silence
         > 00 C0 00
         < silence
         > 00 C0 00
         < 00 00 02 90 00
         > 00 C0 00
         < silence
         = Exhausted",
    );
}

#[test]
fn a_card_may_give_up_a_chain_that_it_receives() {
    reader(
        plain(),
        "apdu 00 A4 00 0C 02 3F 00
         > 00 20 04 00 A4 00 0C
         < 00 C2 00
         > 00 E2 00
         < 00 90 00
         = Aborted
         apdu 00 84 00 00
         > 00 40 04 00 84 00 00
         < 00 00 02 90 00
         = done 90 00",
    );
}

#[test]
fn a_card_may_give_up_its_own_chain_and_answer_something_else() {
    reader(
        plain(),
        "apdu 00 B0 00 00
         > 00 00 04 00 B0 00 00
         < 00 20 02 01 02
         > 00 90 00
         < 00 C2 00
         > 00 E2 00
         < 00 40 02 64 00
         = done 64 00",
    );
}

#[test]
fn a_card_that_only_asks_for_time_is_given_up_in_the_end() {
    let mut reader = plain();
    reader.start(&[0, 0x84, 0, 0]);
    let request = with_epilogue("00 C3 01 FF");
    let end = (0..20_000).find_map(|_| reader.received(Incoming::Characters(&request)).err());
    assert_eq!(end, Some(T1Error::Endless));
}

#[test]
fn a_chain_without_an_end_is_given_up() {
    let mut reader = Reader::new(Edc::Lrc, 32, Some(254));
    reader.start(&[0, 0x84, 0, 0]);
    reader.received(Incoming::Characters(&with_epilogue("00 E1 01 FE"))).unwrap();
    let link = |at: usize| {
        let mut block = vec![0x00, if at.is_multiple_of(2) { 0x20 } else { 0x60 }, 254];
        block.extend([0xAA; 254]);
        Edc::Lrc.append(&mut block);
        block
    };
    let end = (0..1000).find_map(|at| reader.received(Incoming::Characters(&link(at))).err().map(|error| (at, error)));
    assert_eq!(end, Some((258, T1Error::Overlong)));
}

#[test]
fn the_card_answers_what_the_reader_sends() {
    let mut chip = Chip::new(Edc::Lrc, 8);
    let mut told = |sent: &str| {
        let act = chip.received(Incoming::Characters(&with_epilogue(sent)));
        if act == Act::Execute {
            chip.answer(&bytes("01 02 03 04 90 00"));
        }
        hex(&chip.block()[..chip.block().len() - 1])
    };
    assert_eq!(told("00 C1 01 04"), "00 E1 01 04");
    assert_eq!(told("00 20 02 00 A4"), "00 90 00", "a link is acknowledged");
    assert_eq!(told("00 20 02 00 A4"), "00 92 00", "and asked for by its number when it comes twice");
    assert_eq!(told("00 40 02 00 00"), "00 20 04 01 02 03 04");
    assert_eq!(told("00 81 00"), "00 20 04 01 02 03 04", "sent again");
    assert_eq!(told("00 90 00"), "00 40 02 90 00");
    assert_eq!(told("00 00 09 00 84 00 00 00 00 00 00 00"), "00 82 00", "longer than its IFSC");
    assert_eq!(told("00 C0 00"), "00 E0 00");
    assert_eq!(told("00 00 02 00 84"), "00 00 06 01 02 03 04 90 00", "everything as after a reset");
}

#[test]
fn a_whole_exchange_reads_as_approved() {
    let mut session = Session::new(ContactCard::new(Echo::new(T1_ATR)), LineTiming::PausesOnly);
    let command = [&bytes("00 11 01 02 28")[..], &[0x55; 40], &[50]].concat();
    assert_eq!(session.t1(&command).unwrap(), Echo::answer(&command));
    session.card = ContactCard::new(Echo::new(T1_ATR));
    approve!("reader_t1_exchange", session.recording());
}

#[test]
fn a_card_that_needs_longer_than_the_block_waiting_time_asks_for_more() {
    // BWT is 1430 ms with these defaults: 4 s take an extension of three.
    let slow = Echo::slow(T1_ATR, Ticks::from_millis(4000));
    let mut session = Session::new(ContactCard::new(slow), LineTiming::PausesOnly);
    let command = bytes("00 11 00 00 01 AA 02");
    assert_eq!(session.t1(&command).unwrap(), Echo::answer(&command));
    assert_eq!(session.elapsed, Ticks::from_millis(4000));
    approve!("reader_t1_waiting_time_extension", session.recording());
}

#[test]
fn an_hour_of_work_is_asked_for_in_pieces() {
    let hour = Ticks::from_millis(3_600_000);
    let mut session = Session::new(ContactCard::new(Echo::slow(T1_ATR, hour)), LineTiming::PausesOnly);
    let command = bytes("00 11 00 00 01 AA 02");
    assert_eq!(session.t1(&command).unwrap(), Echo::answer(&command));
    assert_eq!(session.elapsed, hour);
}

#[test]
fn the_crc_variant_works_the_same() {
    let mut session = Session::new(ContactCard::new(Echo::new(T1_CRC_ATR)), LineTiming::PausesOnly);
    assert_eq!(session.parameters.edc, Edc::Crc);
    let command = [&bytes("00 11 01 02 28")[..], &[0x55; 40], &[50]].concat();
    assert_eq!(session.t1(&command).unwrap(), Echo::answer(&command));
}

#[test]
fn the_longest_apdu_each_way_goes_through() {
    let mut session = Session::new(ContactCard::new(Echo::new(T1_ATR)), LineTiming::PausesOnly);
    let command = [&bytes("00 11 01 02 00 FF FF")[..], &[0x55; 65_535], &[0, 0]].concat();
    let answer = session.t1(&command).unwrap();
    assert_eq!(answer.len(), 65_538);
    assert_eq!(answer, Echo::answer(&command));
}

#[test]
fn characters_take_their_time_when_they_are_charged() {
    let mut session = Session::new(ContactCard::new(Echo::new(T1_ATR)), LineTiming::Characters);
    // Four characters of ATR at 12 etu of 93 us.
    assert_eq!(session.elapsed, Ticks(4 * 11_160));
    session.t1(&bytes("00 84 00 00")).unwrap();
    // S(IFS) 5 characters each way, the command's block 8, the answer's 6.
    assert_eq!(session.elapsed, Ticks((4 + 10 + 14) * 11_160));
}

#[test]
fn blocks_are_taken_apart_or_refused_with_a_reason() {
    let parse = |text: &str| Block::parse(&bytes(text), Edc::Lrc).map(drop);
    assert_eq!(parse("00 00 00"), Err(BlockError::Short { len: 3, least: 4 }));
    assert_eq!(parse(""), Err(BlockError::Short { len: 0, least: 4 }));
    assert_eq!(parse("00 00 FF 00"), Err(BlockError::ReservedLength));
    assert_eq!(parse("00 00 02 90 00"), Err(BlockError::Length { announced: 6, found: 5 }));
    assert_eq!(parse("00 00 01 90 00"), Err(BlockError::Epilogue { edc: Edc::Lrc }));
    assert_eq!(parse("00 01 00 01"), Err(BlockError::ReservedPcb { pcb: 0x01 }));
    assert_eq!(parse("00 83 00 83"), Err(BlockError::ReservedPcb { pcb: 0x83 }));
    assert_eq!(parse("00 E4 00 E4"), Err(BlockError::ReservedPcb { pcb: 0xE4 }));
    assert_eq!(parse("00 80 01 00 81"), Err(BlockError::Information { pcb: 0x80, len: 1 }));
    assert_eq!(parse("00 C1 00 C1"), Err(BlockError::Information { pcb: 0xC1, len: 0 }));
    assert_eq!(parse("00 C1 01 FF 3F"), Err(BlockError::Value { pcb: 0xC1, value: 0xFF }));
    assert_eq!(parse("00 C3 01 00 C2"), Err(BlockError::Value { pcb: 0xC3, value: 0 }));
    assert_eq!(parse("00 00 01 90 00").unwrap_err().to_string(), "the Lrc of the block does not hold");
}

proptest! {
    #[test]
    fn any_characters_are_a_block_or_an_error(block in proptest::collection::vec(any::<u8>(), 0..300)) {
        for edc in [Edc::Lrc, Edc::Crc] {
            if let Ok(parsed) = Block::parse(&block, edc) {
                let mut again = Vec::new();
                parsed.write(edc, &mut again);
                prop_assert_eq!(&again, &block);
            }
        }
    }

    #[test]
    fn any_characters_with_a_good_epilogue_are_a_block_or_an_error(
        nad in any::<u8>(), pcb in any::<u8>(), information in proptest::collection::vec(any::<u8>(), 0..=254),
    ) {
        let mut block = vec![nad, pcb, information.len() as u8];
        block.extend(&information);
        Edc::Lrc.append(&mut block);
        if let Ok(parsed) = Block::parse(&block, Edc::Lrc) {
            prop_assert_eq!(parsed.information, &information[..]);
        }
    }

    #[test]
    fn whatever_a_card_sends_the_reader_ends(
        command in proptest::collection::vec(any::<u8>(), 0..40),
        blocks in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..6)), 0..40),
    ) {
        let mut reader = Reader::new(Edc::Lrc, 8, Some(254));
        reader.start(&command);
        for (pcb, information) in &blocks {
            let mut block = vec![0, *pcb, information.len() as u8];
            block.extend(information);
            Edc::Lrc.append(&mut block);
            if reader.received(Incoming::Characters(&block)) != Ok(Progress::Send) {
                return Ok(());
            }
        }
        let end = (0..20).find_map(|_| match reader.received(Incoming::Silence) {
            Ok(Progress::Send) => None,
            end => Some(end),
        });
        prop_assert_eq!(end, Some(Err(T1Error::Exhausted)));
    }

    #[test]
    fn whatever_a_reader_sends_the_card_says_something_or_nothing(
        blocks in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..6)), 0..60),
    ) {
        let mut chip = Chip::new(Edc::Lrc, 4);
        for (pcb, information) in &blocks {
            let mut block = vec![0, *pcb, information.len() as u8];
            block.extend(information);
            Edc::Lrc.append(&mut block);
            match chip.received(Incoming::Characters(&block)) {
                Act::Execute => chip.answer(&[0x90, 0x00]),
                Act::Send | Act::GoOn | Act::Listen => {}
            }
            prop_assert!(Block::parse(chip.block(), Edc::Lrc).is_ok());
        }
    }
}
