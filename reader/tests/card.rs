//! The built-in card as a reader sees it: scripts of command and response APDUs.

mod common;

use common::{bytes, hex};
use vbus_reader::card::iso7816::Iso7816Card;
use vbus_reader::card::{Card, Reset, SHORT_RESPONSE_LEN_MAX};

/// Runs a script on a new card with serial 7, after a cold reset. One step per line: `command > response`, both in
/// hexadecimal with ASCII between single quotes; or `reset` (warm), `cold reset`, `power down`.
#[track_caller]
fn check(script: &str) {
    let mut card = Iso7816Card::new(7);
    card.reset(Reset::Cold, &mut Vec::new());
    let mut response = Vec::with_capacity(SHORT_RESPONSE_LEN_MAX);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line {
            "reset" => drop(card.reset(Reset::Warm, &mut Vec::new())),
            "cold reset" => drop(card.reset(Reset::Cold, &mut Vec::new())),
            "power down" => card.power_down(),
            _ => {
                let (command, expected) = line.split_once('>').expect("command > response");
                card.transmit(&bytes(command), &mut response);
                assert_eq!(hex(&response), hex(&bytes(expected)), "{line}");
            }
        }
    }
}

#[test]
fn the_first_read_after_reset_names_the_card() {
    check("00 B0 81 00 00 > 'vbus card 00000007' 9000");
    let mut card = Iso7816Card::new(u32::MAX);
    let mut response = vec![0xAA; 3];
    card.reset(Reset::Cold, &mut response);
    card.transmit(&[0x00, 0xB0, 0x81, 0x00, 0x00], &mut response);
    assert_eq!(response, b"vbus card 4294967295\x90\x00");
}

#[test]
fn both_resets_answer_with_the_atr_that_names_the_card() {
    let mut card = Iso7816Card::new(7);
    let mut atr = Vec::new();
    card.reset(Reset::Cold, &mut atr);
    assert_eq!(hex(&atr), hex(&bytes("3B 9F 13 80 01 80 73 F4 41 73 59 'vbus card' 47")));
    let cold = std::mem::take(&mut atr);
    card.reset(Reset::Warm, &mut atr);
    assert_eq!(atr, cold);
}

#[test]
fn without_power_a_card_is_mute() {
    let mut card = Iso7816Card::new(7);
    let mut response = vec![1];
    card.transmit(&[0x00, 0x84, 0x00, 0x00, 0x08], &mut response);
    assert_eq!(response, []);
    card.reset(Reset::Warm, &mut response);
    assert_eq!(response, []);
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
    card.reset(Reset::Cold, &mut Vec::new());
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
         00 20 00 03 04 '1234'   > 6A88
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
         00 B0 00 00 00 > 4703 F44173 7F6608 0202 0400 0202 0102 9000",
    );
}

#[test]
fn challenges_have_the_length_asked_for_and_depend_on_the_serial_only() {
    // Little-endian E220A8397B1DCDAF 6E789E6AA1B965F4, what splitmix64 is
    // known to give first from seed 0.
    let mut cards = [0, 0, 1].map(Iso7816Card::new);
    let mut responses = [const { Vec::new() }; 3];
    for (card, response) in cards.iter_mut().zip(&mut responses) {
        card.reset(Reset::Cold, &mut Vec::new());
        card.transmit(&bytes("00 84 00 00 09"), response);
    }
    assert_eq!(responses[0], bytes("AFCD1D7B39A820E2 F4 9000").as_slice());
    assert_eq!(responses[0], responses[1]);
    assert_ne!(responses[0], responses[2]);
    let first = responses[0].clone();
    let [card, ..] = &mut cards;
    card.reset(Reset::Warm, &mut Vec::new());
    for (command, len) in [("00 84 00 00 09", 9), ("00 84 00 00 00", 256), ("00 84 00 00 00 FFFF", 256)] {
        card.transmit(&bytes(command), &mut responses[0]);
        assert_eq!(responses[0].len(), len + 2, "{command}");
        assert_ne!(responses[0][..9], first[..9], "a reset does not rewind the generator");
    }
    check("00 84 00 00 > 6700\n 00 84 00 01 08 > 6A86\n 00 84 00 00 01 AA 08 > 6700");
}

#[test]
fn odd_instruction_codes_carry_offset_and_data_in_objects() {
    check(
        "00 B1 00 01 03 54 01 0A 00        > 53 08 '00000007' 9000
         00 B1 2F 02 04 54 02 00 11 00     > 53 01 '7' 9000
         00 B1 00 00 03 54 01 00 05        > 53 03 'vbu' 9000
         00 B1 00 00 03 54 01 12 00        > 6B00
         00 B1 00 00 02 54 01 00           > 6A80
         00 B1 00 00 03 53 01 00 00        > 6A80
         00 B1 44 44 03 54 01 00 00        > 6A82
         00 B1 00 00 05 54 03 01 00 00 00  > 6B00
         00 A4 00 0C 02 DF01               > 9000
         00 B1 00 00 03 54 01 00 00        > 6986
         00 D7 01 02 07 54 01 3E 53 02 C0DE > 9000
         00 B0 82 3D 00                    > 00 C0DE 9000
         00 D7 01 02 07 54 01 3F 53 02 C0DE > 6700
         00 D7 01 01 06 54 01 00 53 01 00  > 6982",
    );
}

#[test]
fn writing_ors_and_erasing_zeroes() {
    check(
        "00 A4 00 0C 02 DF01    > 9000
         00 D6 82 00 02 0F0F    > 9000
         00 D0 82 00 02 F003    > 9000
         00 B0 82 00 03         > FF0F00 9000
         00 0E 82 01 02 0002    > 9000
         00 B0 82 00 03         > FF0000 9000
         00 D6 82 3F 01 AA      > 9000
         00 0E 82 01            > 9000
         00 B0 82 3F 01         > 00 9000
         00 0E 82 05 02 0005    > 6B00
         00 0E 00 40            > 6B00
         00 D0 84 00 01 01      > 6982",
    );
}

#[test]
fn records_are_read_by_number_and_by_direction() {
    check(
        "00 A4 00 0C 02 DF01    > 9000
         00 B2 01 2C 00         > 'record one      ' 9000
         00 B2 03 04 10         > 'record three    ' 9000
         00 B2 04 04 00         > 6A83
         00 B2 00 04 00         > 6A83
         00 B2 00 00 00         > 'record one      ' 9000
         00 B2 00 02 00         > 'record two      ' 9000
         00 B2 00 04 00         > 'record two      ' 9000
         00 B2 00 02 00         > 'record three    ' 9000
         00 B2 00 02 00         > 6A83
         00 B2 00 03 00         > 'record two      ' 9000
         00 B2 00 01 00         > 'record three    ' 9000
         00 B2 72 00 00         > 'record one      ' 9000
         00 B2 73 00 00         > 6A83
         00 B2 01 04 08         > 6C10
         00 B2 01 04            > 6C10
         00 B2 02 05 00         > 'record two      record three    ' 9000
         00 B2 02 06 00         > 'record three    record two      ' 9000
         00 B2 02 05 10         > 'record two      ' 6110
         00 C0 00 00 10         > 'record three    ' 9000
         00 B2 01 07 00         > 6A86
         00 B2 01 F4 00         > 6A82
         00 B0 85 00 00         > 6981
         00 B2 01 0C 00         > 6981",
    );
}

#[test]
fn records_are_updated_appended_and_searched() {
    check(
        "00 A4 00 0C 02 DF01    > 9000
         00 DC 01 2C 10 'new record one  '  > 6982
         00 20 00 01 04 '1234'  > 9000
         00 DC 01 2C 10 'new record one  '  > 9000
         00 B2 01 2C 00         > 'new record one  ' 9000
         00 DC 01 2C 03 'new'   > 6700
         00 DC 09 2C 10 'new record one  '  > 6A83
         00 E2 00 28 10 'record four     '  > 9000
         00 B2 00 04 00         > 'record four     ' 9000
         00 E2 00 28 10 'record five     '  > 6A84
         00 E2 01 28 10 'record five     '  > 6A86
         00 A2 01 2C 06 'record' 00 > 01 02 03 04 9000
         00 A2 03 2D 06 'record' 00 > 03 02 01 9000
         00 A2 01 2C 05 'three' 00  > 03 9000
         00 A2 01 2C 04 'nine' 00   > 6282
         00 A2 01 2C            > 6700
         00 D2 01 2C 10 00000000000000000000000000000001 > 9000
         00 B2 01 2C 00         > 'new record one !' 9000
         00 DC 01 34 05 'other' > 9000
         00 B2 01 34 00         > 'other' 9000
         00 DC 01 34 21 '0123456789012345678901234567890123' > 6700
         00 E2 00 30 01 'x'     > 9000
         00 B2 03 34 00         > 'x' 9000",
    );
}

#[test]
fn the_newest_record_of_a_cyclic_file_is_the_first() {
    check(
        "00 A4 00 0C 02 DF01    > 9000
         00 B2 01 3C 00         > 'newest  ' 9000
         00 E2 00 38 08 'appended' > 9000
         00 B2 01 3C 00         > 'appended' 9000
         00 B2 04 3C 00         > 'oldest  ' 9000
         00 DC 00 3B 08 'updated ' > 9000
         00 B2 01 3C 00         > 'updated ' 9000
         00 B2 04 3C 00         > 'older   ' 9000
         00 B2 05 3C 00         > 6A83
         00 DC 02 3C 08 'in place' > 9000
         00 B2 02 3C 00         > 'in place' 9000",
    );
}

#[test]
fn a_template_of_a_file_with_records_tells_their_length_and_number() {
    check("00 A4 08 04 04 DF01 0105 00 > 6215 80 02 0030 82 05 02 41 0010 03 83 02 0105 88 01 28 8A 01 05 9000");
}

#[test]
fn a_pin_is_changed_by_whoever_knows_it() {
    check(
        "00 24 00 01 08 '9999' '5678'  > 63C2
         00 24 00 01 08 '1234' '5678'  > 9000
         00 20 00 01 04 '1234'         > 63C2
         00 24 00 01 10 '5678' FFFFFFFF '123456' FFFF > 9000
         00 20 00 01 06 '123456'       > 9000
         00 24 01 01 04 '0000'         > 9000
         00 20 00 01 04 '0000'         > 9000
         00 24 00 01 07 '0000' '123'   > 6700
         00 20 00 01                   > 9000
         reset
         00 24 01 01 04 '1111'         > 6982
         00 24 02 01 04 '1111'         > 6A86",
    );
}

#[test]
fn a_blocked_pin_is_unblocked_by_another() {
    check(
        "00 20 00 01 04 '0000'         > 63C2
         00 20 00 01 04 '0000'         > 63C1
         00 20 00 01 04 '0000'         > 63C0
         00 20 00 01 04 '1234'         > 6983
         00 2C 00 01 0C '87654321' '5678' > 63C9
         00 2C 00 01 0C '12345678' '5678' > 9000
         00 20 00 01                   > 63C3
         00 20 00 01 04 '5678'         > 9000
         00 20 00 01 04 '0000'         > 63C2
         00 2C 01 01 08 '12345678'     > 9000
         00 20 00 01                   > 63C3
         00 2C 02 01 04 '9999'         > 9000
         00 2C 03 01                   > 9000
         00 20 00 01 04 '9999'         > 9000
         reset
         00 2C 03 01                   > 6982
         00 2C 00 02 08 '12345678'     > 6985
         00 26 00 01 04 '9999'         > 6985",
    );
}

#[test]
fn verify_gives_the_verified_state_up_on_request() {
    check(
        "00 20 00 01 04 '1234' > 9000
         00 20 FF 01           > 9000
         00 20 00 01           > 63C3",
    );
}

#[test]
fn data_objects_are_read_and_stored_by_their_tags() {
    check(
        "00 CA 00 5E 00         > '00000007' 9000
         00 CA 00 5E 03         > '000' 6105
         00 C0 00 00 05         > '00007' 9000
         00 CA 00 5E            > 6C08
         00 CA 00 5F 00         > 6A88
         00 CB 3F FF 03 5C 01 5E 00        > 5E 08 '00000007' 9000
         00 CB 3F FF 05 5C 03 DF30 5E 00   > DF30 04 'vbus' 5E 08 '00000007' 9000
         00 CB 3F FF 05 5C 03 5FC102 00    > 6A88
         00 CB 3F FF 02 5C 01 00           > 6A80
         00 DA DF 30 05 'hello'            > 9000
         00 CA DF 30 00                    > 'hello' 9000
         00 DB 3F FF 06 DF30 03 'abc'      > 9000
         00 CA DF 30 00                    > 'abc' 9000
         00 DA 00 5E 01 00                 > 6982
         00 DB 3F FF                       > 6700
         00 DB 3F FF 02 DF30               > 6A80",
    );
}

#[test]
fn channels_are_opened_used_and_closed_each_with_its_own_selection() {
    check(
        "00 70 00 00 01         > 01 9000
         00 70 00 00            > 6C01
         00 70 00 02            > 9000
         00 70 00 02            > 6985
         00 70 00 00 01         > 03 9000
         00 70 00 00 01         > 6A81
         00 70 00 09            > 6A81
         01 A4 00 0C 02 DF01    > 9000
         01 B0 81 00 04         > 'vbus' 9000
         00 B0 00 00 01         > 6986
         02 B0 00 00 01         > 6986
         01 70 80 00            > 9000
         01 B0 81 00 04         > 6881
         00 70 80 01            > 6881
         00 70 80 00            > 6A86
         00 70 01 00            > 6A86
         44 B0 00 00 01         > 6881
         reset
         02 B0 00 00 01         > 6881",
    );
}

#[test]
fn a_channel_that_is_opened_from_another_begins_where_that_one_is() {
    check(
        "00 70 00 01            > 9000
         01 A4 00 0C 02 DF01    > 9000
         01 70 00 02            > 9000
         02 B0 81 00 04         > 'vbus' 9000
         02 B0 82 00 01         > 00 9000",
    );
}
