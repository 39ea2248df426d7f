//! The card as a reader sees it: scripts of command and response APDUs.

mod atr;
mod robustness;

use super::iso7816::Iso7816Card;
use super::{Card, Mute, SHORT_RESPONSE_LEN_MAX};

/// Runs a script on a new card with serial 7, after a cold reset. One step per
/// line: `command > response`, both in hexadecimal with ASCII between single
/// quotes; or `reset` (warm), `cold reset`, `power down`.
#[track_caller]
fn check(script: &str) {
    let mut card = Iso7816Card::new(7);
    card.cold_reset().expect("an ATR");
    let mut response = Vec::with_capacity(SHORT_RESPONSE_LEN_MAX);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line {
            "reset" => card.warm_reset().map(drop).expect("an ATR"),
            "cold reset" => card.cold_reset().map(drop).expect("an ATR"),
            "power down" => card.power_down(),
            _ => {
                let (command, expected) = line.split_once('>').expect("command > response");
                card.transmit(&bytes(command), &mut response);
                assert_eq!(response, bytes(expected), "{line}, but got {response:02X?}");
            }
        }
    }
}

/// Decodes the notation of [`check`].
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, part) in text.split('\'').enumerate() {
        if index % 2 == 1 {
            bytes.extend(part.as_bytes());
            continue;
        }
        let digits: Vec<u8> = part.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
        assert_eq!(digits.len() % 2, 0, "half a byte in {text}");
        bytes.extend(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]));
    }
    bytes
}

#[test]
fn the_first_read_after_reset_names_the_card() {
    check("00 B0 81 00 00 > 'vbus card 00000007' 9000");
    let mut card: Box<dyn Card> = Box::new(Iso7816Card::new(u32::MAX));
    let mut response = vec![0xAA; 3];
    card.cold_reset().expect("an ATR");
    card.transmit(&[0x00, 0xB0, 0x81, 0x00, 0x00], &mut response);
    assert_eq!(response, b"vbus card 4294967295\x90\x00");
}

#[test]
fn both_resets_answer_with_the_atr_that_names_the_card() {
    let mut card = Iso7816Card::new(7);
    let atr = card.cold_reset().expect("an ATR");
    assert_eq!(card.warm_reset(), Ok(atr));
    assert_eq!(atr.as_bytes(), bytes("3B 9F 13 80 01 80 73 F4 21 60 59 'vbus card' 34"));
    assert_eq!(atr.historical_bytes(), bytes("80 73 F4 21 60 59 'vbus card'"));
    assert_eq!(atr.protocols().collect::<Vec<_>>(), [0, 1]);
    assert_eq!((atr.default_protocol(), atr.is_negotiable()), (0, true));
}

#[test]
fn without_power_a_card_is_mute() {
    let mut card = Iso7816Card::new(7);
    let mut response = vec![1];
    card.transmit(&[0x00, 0x84, 0x00, 0x00, 0x08], &mut response);
    assert_eq!(response, []);
    assert_eq!(card.warm_reset(), Err(Mute));
    check(
        "power down
         00 B0 81 00 00 >
         power down
         cold reset
         00 B0 81 00 04 > 'vbus' 9000",
    );
}

#[test]
fn classes_instructions_and_lengths_are_refused_in_that_way() {
    check(
        "FF B0 81 00 00 > 6E00
         80 B0 81 00 00 > 6E00
         20 B0 81 00 00 > 6E00
         01 B0 81 00 00 > 6881
         4F B0 81 00 00 > 6881
         0C B0 81 00 00 > 6882
         60 B0 81 00 00 > 6882
         10 B0 81 00 00 > 6884
         00 B1 81 00 00 > 6D00
         00 FF 00 00    > 6D00
         >                6700
         00 B0 81       > 6700
         00 B0 81 00 02 01 > 6700",
    );
}

#[test]
fn select_by_id_answers_with_the_template_p2_asks_for() {
    check(
        "00 A4 00 00 02 3F00 00 > 6F0A 82 01 38 83 02 3F00 8A 01 05 9000
         00 A4 00 00 00         > 6F0A 82 01 38 83 02 3F00 8A 01 05 9000
         00 A4 00 04 02 2F02 00 > 6211 80 02 0012 82 01 01 83 02 2F02 88 01 08 8A 01 05 9000
         00 A4 00 04 02 2F01 00 > 6210 80 02 0010 82 01 01 83 02 2F01 88 00 8A 01 05 9000
         00 A4 00 00 02 DF01 00 > 6F12 82 01 38 83 02 DF01 84 06 F0 'vbus' 01 8A 01 05 9000
         00 A4 00 0C 02 3F00    > 9000
         00 A4 00 0C            > 9000
         00 A4 00 08 02 3F00 00 > 6A86
         00 A4 00 0E 02 3F00    > 6A86
         00 A4 00 4C 02 3F00    > 6A86
         00 A4 05 0C 02 3F00    > 6A86
         00 A4 00 0C 02 4444    > 6A82
         00 A4 00 0C 01 3F      > 6700",
    );
}

#[test]
fn select_walks_the_tree_by_child_parent_and_path() {
    check(
        "00 A4 01 0C 02 DF01 > 9000
         00 B0 81 00 10      > 'vbus application' 9000
         00 A4 01 0C 02 0101 > 6A82
         00 A4 02 0C 02 0102 > 9000
         00 B0 00 3E 02      > 0000 9000
         00 A4 02 0C 02 2F02 > 6A82
         00 A4 03 0C         > 9000
         00 A4 03 0C         > 6A82
         00 A4 03 0C 02 3F00 > 6700
         00 A4 02 0C 02 DF01 > 6A82
         00 A4 08 0C 04 DF01 0101      > 9000
         00 B0 00 00 04                > 'vbus' 9000
         00 A4 08 0C 06 3F00 DF02 0201 > 9000
         00 A4 08 0C 02 3F00           > 9000
         00 A4 09 0C 04 DF02 0201      > 9000
         00 A4 09 0C 04 DF02 0201      > 6A82
         00 A4 09 0C 01 DF             > 6700
         00 A4 08 0C                   > 6700",
    );
}

#[test]
fn select_by_name_takes_whole_and_partial_aids_in_order() {
    check(
        "00 A4 04 0C 06 F0 'vbus' 02 > 9000
         00 A4 04 04 05 F0 'vbus' 00 > 6212 82 01 38 83 02 DF01 84 06 F0 'vbus' 01 8A 01 05 9000
         00 A4 04 06 05 F0 'vbus' 00 > 6212 82 01 38 83 02 DF02 84 06 F0 'vbus' 02 8A 01 05 9000
         00 A4 04 0E 05 F0 'vbus'    > 6A82
         00 A4 04 07 05 F0 'vbus' 00 > 6212 82 01 38 83 02 DF01 84 06 F0 'vbus' 01 8A 01 05 9000
         00 A4 04 0D 05 F0 'vbus'    > 9000
         00 B0 81 01 01              > 01 9000
         00 A4 04 0C 07 D2760001240102 > 6A82
         00 A4 04 0C                 > 6700
         00 A4 04 0C 11 0000000000000000 0000000000000000 00 > 6700",
    );
}

#[test]
fn a_failed_select_leaves_the_selection_alone() {
    check(
        "00 A4 08 0C 04 DF01 0101 > 9000
         00 A4 00 0C 02 4444      > 6A82
         00 A4 00 00 02 3F00 05   > 6C0C
         00 B0 00 05 00           > 'application' 9000",
    );
}

#[test]
fn read_binary_tells_wrong_offsets_lengths_and_targets_apart() {
    check(
        "00 B0 00 00 00 > 6986
         00 B0 80 00 00 > 6A86
         00 B0 9F 00 00 > 6A86
         00 B0 A1 00 00 > 6A86
         00 B0 82 00 00 > 6A82
         00 B0 81 12 00 > 6B00
         00 B0 81 0A 08 > '00000007' 9000
         00 B0 81 0A 09 > '00000007' 6282
         00 B0 00 11 00 > '7' 9000
         00 B0 00 11 00 0001 > '7' 9000
         00 B0 00 11 00 0002 > '7' 6282
         00 B0 00 11 00 0000 > '7' 9000
         00 B0 7F FF 00 > 6B00
         00 B0 00 00    > 6C12
         00 B0 00 00 01 AA 00 > 6700
         00 A4 00 0C 02 DF01 > 9000
         00 B0 00 00 00 > 6986
         00 B0 83 00 00 > 6982",
    );
}

#[test]
fn a_large_ef_comes_in_pieces_of_at_most_256_bytes() {
    let mut card = Iso7816Card::new(7);
    card.cold_reset().expect("an ATR");
    let mut response = Vec::new();
    card.transmit(&bytes("00 A4 08 0C 04 DF02 0201"), &mut response);
    // Ne given, bytes and status got, at the offset where 257 bytes are left.
    let at = [0x02, 0xFF];
    for (le, len, status) in [("00", 256, [0x90, 0]), ("00 0101", 256, [0x90, 0]), ("00 0102", 256, [0x62, 0x82])] {
        card.transmit(&[&[0x00, 0xB0, at[0], at[1]], &bytes(le)[..]].concat(), &mut response);
        let (data, sw) = response.split_last_chunk().expect("a status");
        assert_eq!((data.len(), *sw), (len, status), "Le {le}");
        assert_eq!(data[..3], [0x01, 0x03, 0x04], "2 + FF, 3 + 00, 3 + 01");
    }
}

#[test]
fn update_binary_writes_within_the_ef_and_survives_a_reset() {
    check(
        "00 D6 81 00 01 AA       > 6982
         00 A4 00 0C 02 DF01     > 9000
         00 D6 00 00 01 AA       > 6986
         00 D6 82 3E 02 C0DE     > 9000
         00 B0 00 3D 00          > 00 C0DE 9000
         00 D6 00 3F 01 AF       > 9000
         00 D6 00 3F 02 0102     > 6700
         00 D6 00 40 01 01       > 6B00
         00 D6 00 00             > 6700
         reset
         00 A4 08 0C 04 DF01 0102 > 9000
         00 B0 00 3D 00          > 00 C0AF 9000",
    );
}

#[test]
fn the_secret_is_readable_after_verify_until_the_next_reset() {
    for reset in ["reset", "cold reset", "power down\n cold reset"] {
        check(&format!(
            "00 A4 00 0C 02 DF01  > 9000
             00 20 00 01 04 '1234' > 9000
             00 20 00 01          > 9000
             00 B0 83 00 00       > 'vbus secret 00000007' 9000
             00 D6 84 00 01 AA    > 9000
             00 D6 83 00 01 'V'   > 9000
             {reset}
             00 B0 00 00 00       > 6986
             00 20 00 01          > 63C3
             00 A4 00 0C 02 DF01  > 9000
             00 B0 83 00 00       > 6982
             00 D6 84 00 01 AA    > 6982",
        ));
    }
}

#[test]
fn tries_survive_every_reset_until_the_pin_is_blocked() {
    check(
        "00 20 00 00 00          > 63C3
         00 20 00 01 04 '4321'   > 63C2
         reset
         00 20 00 01 04 '4321'   > 63C1
         power down
         cold reset
         00 20 00 01 08 '4321' FFFFFFFF > 63C0
         00 20 00 01 04 '1234'   > 6983
         00 20 00 01             > 6983
         00 20 00 02 04 '1234'   > 6A88
         00 20 01 01 04 '1234'   > 6A86
         00 20 00 01 01 '1'      > 6700",
    );
}

#[test]
fn a_template_without_le_waits_for_get_response_and_for_nothing_else() {
    check(
        "00 C0 00 00 00      > 6985
         00 A4 00 00 02 3F00 > 610C
         00 C0 00 00 0D      > 6C0C
         00 C0 01 00 0C      > 6A86
         00 C0 00 00         > 6700
         00 C0 00 00 02      > 6F0A 610A
         00 C0 00 00 00      > 82 01 38 83 02 3F00 8A 01 05 9000
         00 C0 00 00 00      > 6985
         00 A4 00 00 02 3F00 > 610C
         00 20 00 01         > 63C3
         00 C0 00 00 0C      > 6985
         00 A4 00 00 02 3F00 > 610C
         reset
         00 C0 00 00 0C      > 6985",
    );
}

#[test]
fn ef_dir_and_ef_atr_describe_the_card() {
    check(
        "00 B0 9E 00 00 > 611A 4F06 F0'vbus'01 5010 'vbus application' 6116 4F06 F0'vbus'02 500C 'vbus pattern' 9000
         00 A4 00 0C 02 2F01 > 9000
         00 B0 00 00 00 > 4703 F42160 7F6608 0202 0400 0202 0102 9000",
    );
}

#[test]
fn challenges_have_the_length_asked_for_and_depend_on_the_serial_only() {
    // Little-endian E220A8397B1DCDAF 6E789E6AA1B965F4, what splitmix64 is
    // known to give first from seed 0.
    let mut cards = [0, 0, 1].map(Iso7816Card::new);
    let mut responses = [const { Vec::new() }; 3];
    for (card, response) in cards.iter_mut().zip(&mut responses) {
        card.cold_reset().expect("an ATR");
        card.transmit(&bytes("00 84 00 00 09"), response);
    }
    assert_eq!(responses[0], bytes("AFCD1D7B39A820E2 F4 9000").as_slice());
    assert_eq!(responses[0], responses[1]);
    assert_ne!(responses[0], responses[2]);
    let first = responses[0].clone();
    let [card, ..] = &mut cards;
    card.warm_reset().expect("an ATR");
    for (command, len) in [("00 84 00 00 09", 9), ("00 84 00 00 00", 256), ("00 84 00 00 00 FFFF", 256)] {
        card.transmit(&bytes(command), &mut responses[0]);
        assert_eq!(responses[0].len(), len + 2, "{command}");
        assert_ne!(responses[0][..9], first[..9], "a reset does not rewind the generator");
    }
    check("00 84 00 00 > 6700\n 00 84 00 01 08 > 6A86\n 00 84 00 00 01 AA 08 > 6700");
}
