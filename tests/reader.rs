//! The reader: its public device, its internal side, and the cards in it.

mod common;

use common::exchange;
use vbus::bus::{IOCTL_VBUS_EXCHANGE, ReaderId};
use vbus::reader::card::{Card, Delivery, Reset};
use vbus::reader::ioctl::*;
use vbus::reader::smclib::{ATTR_ATR_STRING, PowerAction, ReaderState};
use vbus::reader::{CardFactory, ReaderConfig};
use vbus::wdm::constants::*;
use vbus::wdm::{FileObject, IoctlCode, NtStatus, OpenOptions};
use vbus::{Setup, VirtualBus};

const ATR: &str = "3B 9F 13 80 01 80 73 F4 41 73 59 76 62 75 73 20 63 61 72 64 47";

fn with_card() -> VirtualBus {
    Setup::default().bus_extra_stack(3).reader(7).build().unwrap()
}

fn open_reader(vbus: &mut VirtualBus) -> FileObject {
    let link = vbus.machine.interfaces(GUID_SMARTCARD_READER).remove(0);
    vbus.machine.create_file(&link, OpenOptions::READ_WRITE).unwrap().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}

/// A request to the reader's public device: its status and answer.
fn ask(vbus: &mut VirtualBus, file: FileObject, code: IoctlCode, input: &[u8]) -> (NtStatus, Vec<u8>) {
    let mut output = vec![0; 300];
    let result = vbus.machine.device_io_control(file, code, input, &mut output).unwrap();
    output.truncate(result.information as usize);
    (result.status, output)
}

fn word(value: u32) -> [u8; 4] {
    value.to_le_bytes()
}

#[test]
fn a_program_drives_a_whole_session_through_the_public_device() {
    let mut vbus = with_card();
    let file = open_reader(&mut vbus);
    let vbus = &mut vbus;
    let state = |vbus: &mut VirtualBus| ask(vbus, file, IOCTL_SMARTCARD_GET_STATE, &[]).1;
    assert_eq!(state(vbus), word(ReaderState::Swallowed as u32));
    assert_eq!(ask(vbus, file, IOCTL_SMARTCARD_IS_PRESENT, &[]), (STATUS_SUCCESS, vec![]));

    let (status, atr) = ask(vbus, file, IOCTL_SMARTCARD_POWER, &word(PowerAction::ColdReset as u32));
    assert_eq!((status, hex(&atr).as_str()), (STATUS_SUCCESS, ATR));
    assert_eq!(ask(vbus, file, IOCTL_SMARTCARD_GET_ATTRIBUTE, &word(ATTR_ATR_STRING)), (STATUS_SUCCESS, atr));
    assert_eq!(state(vbus), word(ReaderState::Negotiable as u32));

    assert_eq!(ask(vbus, file, IOCTL_SMARTCARD_SET_PROTOCOL, &word(3)), (STATUS_SUCCESS, word(2).to_vec()));
    assert_eq!(state(vbus), word(ReaderState::Specific as u32));

    // SELECT the application, read a secret without and with the PIN, ask for random bytes.
    let mut transmit = |apdu: &[u8]| {
        let (status, answer) = ask(vbus, file, IOCTL_SMARTCARD_TRANSMIT, &[&word(2), &word(8), apdu].concat());
        assert_eq!((status, &answer[..8]), (STATUS_SUCCESS, &[2, 0, 0, 0, 8, 0, 0, 0][..]));
        answer[8..].to_vec()
    };
    let select = [&[0x00, 0xA4, 0x04, 0x0C, 6][..], &[0xF0, 0x76, 0x62, 0x75, 0x73, 0x01]].concat();
    assert_eq!(hex(&transmit(&select)), "90 00");
    let read_secret = [0x00, 0xB0, 0x83, 0x00, 0x00];
    assert_eq!(hex(&transmit(&read_secret)), "69 82");
    assert_eq!(hex(&transmit(&[&[0x00, 0x20, 0x00, 0x01, 4], &b"0000"[..]].concat())), "63 C2");
    assert_eq!(hex(&transmit(&[&[0x00, 0x20, 0x00, 0x01, 4], &b"1234"[..]].concat())), "90 00");
    assert_eq!(transmit(&read_secret), b"vbus secret 00000007\x90\x00");
    let (first, second) = (transmit(&[0, 0x84, 0, 0, 8]), transmit(&[0, 0x84, 0, 0, 8]));
    assert_eq!((first.len(), &first[8..]), (10, &[0x90, 0x00][..]));
    assert_ne!(first, second);
}

#[test]
fn the_vendor_code_from_a_program_is_refused_and_from_the_bus_is_taken() {
    let mut vbus = with_card();
    let file = open_reader(&mut vbus);
    assert_eq!(ask(&mut vbus, file, IOCTL_VBUS_EXCHANGE, &[0, 0x84, 0, 0, 8]).0, STATUS_INVALID_DEVICE_REQUEST);
    assert_eq!(exchange(&mut vbus, 7, &[0, 0x84, 0, 0, 8]).0.status, STATUS_SUCCESS);
}

#[test]
fn smart_card_codes_reach_a_reader_through_the_bus_too() {
    let mut vbus = with_card();
    let service = vbus.service().unwrap();
    let mut output = [0; 33];
    let cold_reset = word(PowerAction::ColdReset as u32);
    let m = &mut vbus.machine;
    let result = service.control(m, ReaderId(7), IOCTL_SMARTCARD_POWER, &cold_reset, &mut output).unwrap();
    assert_eq!((result.status, hex(&output[..result.information as usize]).as_str()), (STATUS_SUCCESS, ATR));
}

#[test]
fn without_a_command_the_vendor_code_answers_the_atr() {
    assert_eq!(hex(&exchange(&mut with_card(), 7, &[]).1), ATR);
}

#[test]
fn a_request_that_the_reader_cannot_serve_has_a_status_of_its_own() {
    let mut vbus = with_card();
    let file = open_reader(&mut vbus);
    let transmit = [&word(2), &word(8), &[0, 0x84, 0, 0, 8][..]].concat();
    let cases: [(IoctlCode, &[u8], NtStatus); 7] = [
        (IOCTL_SMARTCARD_TRANSMIT, &transmit, STATUS_INVALID_DEVICE_STATE),
        (IOCTL_SMARTCARD_TRANSMIT, &[1, 2], STATUS_INVALID_PARAMETER),
        (IOCTL_SMARTCARD_SET_PROTOCOL, &word(2), STATUS_INVALID_DEVICE_STATE),
        (IOCTL_SMARTCARD_POWER, &word(9), STATUS_INVALID_PARAMETER),
        (IOCTL_SMARTCARD_POWER, &[], STATUS_INVALID_PARAMETER),
        (IOCTL_SMARTCARD_GET_ATTRIBUTE, &word(ATTR_ATR_STRING), STATUS_INVALID_DEVICE_STATE),
        (IOCTL_SMARTCARD_GET_ATTRIBUTE, &word(1), STATUS_NOT_SUPPORTED),
    ];
    for (code, input, expected) in cases {
        assert_eq!(ask(&mut vbus, file, code, input), (expected, vec![]), "{code} {input:?}");
    }
}

#[test]
fn an_empty_reader_has_no_media() {
    let reader = ReaderConfig { card: CardFactory::none(), ..ReaderConfig::default() };
    let mut vbus = Setup::default().bus_extra_stack(3).reader_config(reader).reader(7).build().unwrap();
    let file = open_reader(&mut vbus);
    assert_eq!(ask(&mut vbus, file, IOCTL_SMARTCARD_GET_STATE, &[]).1, word(ReaderState::Absent as u32));
    assert_eq!(ask(&mut vbus, file, IOCTL_SMARTCARD_IS_ABSENT, &[]).0, STATUS_SUCCESS);
    let cold_reset = word(PowerAction::ColdReset as u32);
    assert_eq!(ask(&mut vbus, file, IOCTL_SMARTCARD_POWER, &cold_reset).0, STATUS_NO_MEDIA);
    assert_eq!(exchange(&mut vbus, 7, &[]).0.status, STATUS_NO_MEDIA);
}

#[test]
fn transmit_honours_the_header_length_and_the_protocol_that_was_chosen() {
    let mut vbus = with_card();
    let file = open_reader(&mut vbus);
    ask(&mut vbus, file, IOCTL_SMARTCARD_POWER, &word(PowerAction::ColdReset as u32));
    ask(&mut vbus, file, IOCTL_SMARTCARD_SET_PROTOCOL, &word(1));
    let command = [0, 0x84, 0, 0, 8];
    let mut with = |protocol: u32, header: u32, padding: &[u8]| {
        let input = [&word(protocol)[..], &word(header), padding, &command].concat();
        ask(&mut vbus, file, IOCTL_SMARTCARD_TRANSMIT, &input)
    };
    assert_eq!(with(1, 8, &[]).1.len(), 18);
    assert_eq!(with(1, 12, &[0xFF; 4]).1.len(), 18, "the APDU begins where the header says that it ends");
    assert_eq!(with(2, 8, &[]).0, STATUS_INVALID_DEVICE_STATE);
    assert_eq!(with(1, 4, &[]).0, STATUS_INVALID_PARAMETER);
    assert_eq!(with(1, u32::MAX, &[]).0, STATUS_INVALID_PARAMETER);
}

/// A card that offers T=0 alone: its ATR has no TD1.
struct OldCard;

impl Card for OldCard {
    fn reset(&mut self, _: Reset, atr: &mut Vec<u8>) -> Delivery {
        atr.clear();
        atr.extend([0x3B, 0x00]);
        Delivery::default()
    }

    fn power_down(&mut self) {}

    fn transmit(&mut self, _: &[u8], response: &mut Vec<u8>) -> Delivery {
        response.clear();
        Delivery::default()
    }
}

#[test]
fn only_a_protocol_that_the_card_offers_can_be_chosen() {
    let reader = ReaderConfig { card: CardFactory::new(|_| Some(OldCard.into())), ..ReaderConfig::default() };
    let mut vbus = Setup::default().bus_extra_stack(3).reader_config(reader).reader(7).build().unwrap();
    let file = open_reader(&mut vbus);
    ask(&mut vbus, file, IOCTL_SMARTCARD_POWER, &word(PowerAction::ColdReset as u32));
    let (t0, t1, default) = (1, 2, 0x8000_0000);
    for (wanted, expected) in [
        (t1, (STATUS_NOT_SUPPORTED, vec![])),
        (4, (STATUS_INVALID_DEVICE_REQUEST, vec![])),
        (default, (STATUS_SUCCESS, word(t0).to_vec())),
        (t0 | t1, (STATUS_SUCCESS, word(t0).to_vec())),
    ] {
        assert_eq!(ask(&mut vbus, file, IOCTL_SMARTCARD_SET_PROTOCOL, &word(wanted)), expected, "{wanted:#x}");
    }
}
