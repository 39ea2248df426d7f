//! The reader's control codes as a program sees them: every one, in every state, with every kind of buffer.

mod common;

use std::fmt::Write;

use common::bench::{Bench, word};
use common::{Echo, T1_ATR, bytes, hex};
use vbus_reader::card::iso7816::Iso7816Card;
use vbus_reader::ioctl::*;
use vbus_reader::smclib::*;
use vbus_wdm::constants::*;
use vbus_wdm::{IoctlCode, NtStatus};

/// Every code with buffers of every length that makes a difference: name, code, input, room for the answer.
fn requests() -> Vec<(&'static str, IoctlCode, Vec<u8>, usize)> {
    let cold = word(PowerAction::ColdReset as u32).to_vec();
    let transmit = Bench::transmission(PROTOCOL_T1, &bytes("00 84 00 00 08"));
    let attribute = word(ATTR_VENDOR_NAME).to_vec();
    vec![
        ("POWER, no input", IOCTL_SMARTCARD_POWER, vec![], 33),
        ("POWER, 3 bytes", IOCTL_SMARTCARD_POWER, vec![0, 0, 0], 33),
        ("POWER, action 3", IOCTL_SMARTCARD_POWER, word(3).to_vec(), 33),
        ("POWER, down", IOCTL_SMARTCARD_POWER, word(0).to_vec(), 0),
        ("POWER, room for 3", IOCTL_SMARTCARD_POWER, cold.clone(), 3),
        ("POWER, cold reset", IOCTL_SMARTCARD_POWER, cold, 33),
        ("POWER, warm reset", IOCTL_SMARTCARD_POWER, word(2).to_vec(), 33),
        ("GET_ATTRIBUTE, no input", IOCTL_SMARTCARD_GET_ATTRIBUTE, vec![], 32),
        ("GET_ATTRIBUTE, no room", IOCTL_SMARTCARD_GET_ATTRIBUTE, attribute.clone(), 0),
        ("GET_ATTRIBUTE, room for 3", IOCTL_SMARTCARD_GET_ATTRIBUTE, attribute.clone(), 3),
        ("GET_ATTRIBUTE, vendor name", IOCTL_SMARTCARD_GET_ATTRIBUTE, attribute, 32),
        ("GET_ATTRIBUTE, ATR", IOCTL_SMARTCARD_GET_ATTRIBUTE, word(ATTR_ATR_STRING).to_vec(), 33),
        ("GET_ATTRIBUTE, unknown", IOCTL_SMARTCARD_GET_ATTRIBUTE, word(1).to_vec(), 32),
        ("SET_ATTRIBUTE, 3 bytes", IOCTL_SMARTCARD_SET_ATTRIBUTE, vec![2, 0, 0xFF], 0),
        ("SET_ATTRIBUTE, in use", IOCTL_SMARTCARD_SET_ATTRIBUTE, [word(ATTR_DEVICE_IN_USE), word(1)].concat(), 0),
        ("SET_ATTRIBUTE, IFS", IOCTL_SMARTCARD_SET_ATTRIBUTE, [word(ATTR_SUPRESS_T1_IFS_REQUEST), word(0)].concat(), 0),
        ("SET_ATTRIBUTE, IFS, short", IOCTL_SMARTCARD_SET_ATTRIBUTE, word(ATTR_SUPRESS_T1_IFS_REQUEST).to_vec(), 0),
        ("SET_ATTRIBUTE, ATR", IOCTL_SMARTCARD_SET_ATTRIBUTE, [word(ATTR_ATR_STRING), word(0)].concat(), 0),
        ("CONFISCATE", IOCTL_SMARTCARD_CONFISCATE, vec![], 0),
        ("EJECT", IOCTL_SMARTCARD_EJECT, vec![], 0),
        ("SWALLOW", IOCTL_SMARTCARD_SWALLOW, vec![], 0),
        ("TRANSMIT, 8 bytes", IOCTL_SMARTCARD_TRANSMIT, [word(2), word(8)].concat(), 32),
        ("TRANSMIT, room for 7", IOCTL_SMARTCARD_TRANSMIT, transmit.clone(), 7),
        ("TRANSMIT, room for 17", IOCTL_SMARTCARD_TRANSMIT, transmit.clone(), 17),
        ("TRANSMIT", IOCTL_SMARTCARD_TRANSMIT, transmit, 32),
        ("TRANSMIT, other protocol", IOCTL_SMARTCARD_TRANSMIT, Bench::transmission(1, &bytes("00 84 00 00 08")), 32),
        ("SET_PROTOCOL, no input", IOCTL_SMARTCARD_SET_PROTOCOL, vec![], 4),
        ("SET_PROTOCOL, room for 3", IOCTL_SMARTCARD_SET_PROTOCOL, word(PROTOCOL_T1).to_vec(), 3),
        ("SET_PROTOCOL, T=1", IOCTL_SMARTCARD_SET_PROTOCOL, word(PROTOCOL_T1).to_vec(), 4),
        ("GET_STATE, room for 3", IOCTL_SMARTCARD_GET_STATE, vec![], 3),
        ("GET_STATE", IOCTL_SMARTCARD_GET_STATE, vec![], 4),
        ("GET_LAST_ERROR, no room", IOCTL_SMARTCARD_GET_LAST_ERROR, vec![], 0),
        ("GET_LAST_ERROR", IOCTL_SMARTCARD_GET_LAST_ERROR, vec![], 4),
        ("GET_PERF_CNTR", IOCTL_SMARTCARD_GET_PERF_CNTR, vec![], 64),
        ("GET_FEATURE_REQUEST", IOCTL_SMARTCARD_GET_FEATURE_REQUEST, vec![], 64),
        ("CCID escape", IoctlCode(0x0031_36B0), vec![], 64),
        ("obsolete READ", IoctlCode(0x0031_0020), vec![], 64),
        ("GET_STATE as METHOD_NEITHER", IoctlCode(0x0031_003B), vec![], 4),
        ("another device's code", IoctlCode(0x0022_0000), vec![], 4),
    ]
}

/// A reader in each of its states.
fn in_state(state: ReaderState) -> Bench {
    let mut bench = Bench::empty();
    if state > ReaderState::Absent {
        bench.insert(Iso7816Card::new(7));
    }
    if state >= ReaderState::Negotiable {
        assert_eq!(bench.power(PowerAction::ColdReset).0, STATUS_SUCCESS);
    }
    if state >= ReaderState::Specific {
        assert_eq!(bench.set_protocol(PROTOCOL_T1).0, STATUS_SUCCESS);
    }
    assert_eq!(bench.state(), state as u32);
    bench
}

#[test]
fn every_code_in_every_state_with_every_buffer_answers_as_approved() {
    let states = [ReaderState::Absent, ReaderState::Swallowed, ReaderState::Negotiable, ReaderState::Specific];
    let mut table = String::new();
    for (name, code, input, room) in requests() {
        writeln!(table, "{name}").unwrap();
        let mut before = None;
        for state in states {
            let (status, answer) = in_state(state).ask_for(code, &input, room);
            let line = format!("{} {}", short(status), hex(&answer));
            if before.as_ref() == Some(&line) {
                continue;
            }
            writeln!(table, "    {:<11} {}", format!("{state:?}"), line.trim_end()).unwrap();
            before = Some(line);
        }
    }
    approve!("reader_ioctls", table);
}

fn short(status: NtStatus) -> String {
    status.name().map_or_else(|| status.to_string(), |name| name.trim_start_matches("STATUS_").to_owned())
}

#[test]
fn every_attribute_answers_as_approved() {
    let tags: [(&str, u32); 40] = [
        ("VENDOR_NAME", ATTR_VENDOR_NAME),
        ("VENDOR_IFD_TYPE", ATTR_VENDOR_IFD_TYPE),
        ("VENDOR_IFD_VERSION", ATTR_VENDOR_IFD_VERSION),
        ("VENDOR_IFD_SERIAL_NO", ATTR_VENDOR_IFD_SERIAL_NO),
        ("CHANNEL_ID", ATTR_CHANNEL_ID),
        ("PROTOCOL_TYPES", ATTR_PROTOCOL_TYPES),
        ("DEFAULT_CLK", ATTR_DEFAULT_CLK),
        ("MAX_CLK", ATTR_MAX_CLK),
        ("DEFAULT_DATA_RATE", ATTR_DEFAULT_DATA_RATE),
        ("MAX_DATA_RATE", ATTR_MAX_DATA_RATE),
        ("MAX_IFSD", ATTR_MAX_IFSD),
        ("POWER_MGMT_SUPPORT", ATTR_POWER_MGMT_SUPPORT),
        ("USER_TO_CARD_AUTH_DEVICE", 0x0005_0140),
        ("USER_AUTH_INPUT_DEVICE", 0x0005_0142),
        ("CHARACTERISTICS", ATTR_CHARACTERISTICS),
        ("CURRENT_PROTOCOL_TYPE", ATTR_CURRENT_PROTOCOL_TYPE),
        ("CURRENT_CLK", ATTR_CURRENT_CLK),
        ("CURRENT_F", ATTR_CURRENT_F),
        ("CURRENT_D", ATTR_CURRENT_D),
        ("CURRENT_N", ATTR_CURRENT_N),
        ("CURRENT_W", ATTR_CURRENT_W),
        ("CURRENT_IFSC", ATTR_CURRENT_IFSC),
        ("CURRENT_IFSD", ATTR_CURRENT_IFSD),
        ("CURRENT_BWT", ATTR_CURRENT_BWT),
        ("CURRENT_CWT", ATTR_CURRENT_CWT),
        ("CURRENT_EBC_ENCODING", ATTR_CURRENT_EBC_ENCODING),
        ("EXTENDED_BWT", ATTR_EXTENDED_BWT),
        ("ICC_PRESENCE", ATTR_ICC_PRESENCE),
        ("ICC_INTERFACE_STATUS", ATTR_ICC_INTERFACE_STATUS),
        ("CURRENT_IO_STATE", 0x0009_0302),
        ("ATR_STRING", ATTR_ATR_STRING),
        ("ICC_TYPE_PER_ATR", ATTR_ICC_TYPE_PER_ATR),
        ("ESC_RESET", 0x0007_A000),
        ("DEVICE_UNIT", ATTR_DEVICE_UNIT),
        ("DEVICE_IN_USE", ATTR_DEVICE_IN_USE),
        ("DEVICE_FRIENDLY_NAME_A", 0x7FFF_0003),
        ("DEVICE_SYSTEM_NAME_W", 0x7FFF_0006),
        ("PERF_NUM_TRANSMISSIONS", ATTR_PERF_NUM_TRANSMISSIONS),
        ("PERF_BYTES_TRANSMITTED", ATTR_PERF_BYTES_TRANSMITTED),
        ("PERF_TRANSMISSION_TIME", ATTR_PERF_TRANSMISSION_TIME),
    ];
    let mut empty = Bench::empty();
    let mut connected = in_state(ReaderState::Specific);
    connected.transmit(PROTOCOL_T1, &bytes("00 84 00 00 08")).unwrap();
    let mut table = format!("{:<26} {:<34} with a card in T=1\n", "", "empty");
    for (name, tag) in tags {
        let value = |bench: &mut Bench| match bench.ask(IOCTL_SMARTCARD_GET_ATTRIBUTE, &word(tag)) {
            (STATUS_SUCCESS, value) if name.starts_with("VENDOR") && name != "VENDOR_IFD_VERSION" => {
                format!("{:?}", String::from_utf8(value).unwrap())
            }
            (STATUS_SUCCESS, value) => match <[u8; 4]>::try_from(&value[..]) {
                Ok(word) => format!("{:#x}", u32::from_le_bytes(word)),
                Err(_) => hex(&value),
            },
            (status, _) => short(status),
        };
        let (empty, connected) = (value(&mut empty), value(&mut connected));
        writeln!(table, "{name:<26} {empty:<34} {connected}").unwrap();
    }
    approve!("reader_attributes", table);
}

#[test]
fn the_states_follow_the_card() {
    let mut bench = Bench::empty();
    let mut seen = vec![bench.state()];
    bench.insert(Iso7816Card::new(7));
    seen.push(bench.state());
    assert_eq!(bench.power(PowerAction::WarmReset).0, STATUS_SUCCESS, "a warm reset without power is a cold one");
    seen.push(bench.state());
    bench.set_protocol(PROTOCOL_T1);
    seen.push(bench.state());
    assert_eq!(bench.power(PowerAction::WarmReset).0, STATUS_SUCCESS);
    seen.push(bench.state());
    assert_eq!(bench.power(PowerAction::Down), (STATUS_SUCCESS, vec![]));
    seen.push(bench.state());
    bench.power(PowerAction::ColdReset);
    bench.slot.remove(&mut bench.machine).unwrap().unwrap();
    seen.push(bench.state());
    use ReaderState::{Absent, Negotiable, Specific, Swallowed};
    let states = [Absent, Swallowed, Negotiable, Specific, Negotiable, Swallowed, Absent];
    assert_eq!(seen, states.map(|state| state as u32));
}

#[test]
fn a_card_that_leaves_nothing_to_negotiate_is_specific_at_once() {
    // TA2: T=1, and the mode cannot change.
    let mut bench = Bench::with(Echo::new("3B 80 91 81 01 91"));
    bench.power(PowerAction::ColdReset);
    assert_eq!(bench.state(), ReaderState::Specific as u32);
    assert_eq!(bench.set_protocol(PROTOCOL_T0), (STATUS_SUCCESS, word(PROTOCOL_T1).to_vec()), "it stays as it is");
    let command = bytes("00 84 00 00 04");
    assert_eq!(bench.transmit(PROTOCOL_T1, &command), Ok(Echo::answer(&command)));
}

#[test]
fn the_mask_decides_which_protocol_is_chosen() {
    for (atr, mask, expected) in [
        (common::BOTH_ATR, PROTOCOL_OPTIMAL, Ok(PROTOCOL_T1)),
        (common::BOTH_ATR, PROTOCOL_T0 | PROTOCOL_T1, Ok(PROTOCOL_T1)),
        (common::BOTH_ATR, PROTOCOL_T0, Ok(PROTOCOL_T0)),
        (common::BOTH_ATR, PROTOCOL_DEFAULT, Ok(PROTOCOL_T0)),
        (common::BOTH_ATR, PROTOCOL_DEFAULT | PROTOCOL_T1, Ok(PROTOCOL_T1)),
        (common::BOTH_ATR, PROTOCOL_RAW, Ok(PROTOCOL_RAW)),
        (common::BOTH_ATR, PROTOCOL_RAW | PROTOCOL_T0, Ok(PROTOCOL_T0)),
        (common::BOTH_ATR, 4, Err(STATUS_INVALID_DEVICE_REQUEST)),
        (common::T0_ATR, PROTOCOL_T1, Err(STATUS_NOT_SUPPORTED)),
        (T1_ATR, PROTOCOL_T0, Err(STATUS_NOT_SUPPORTED)),
        ("3B 80 0E 8E", PROTOCOL_OPTIMAL, Err(STATUS_NOT_SUPPORTED)),
    ] {
        let mut bench = Bench::with(Echo::new(atr));
        assert_eq!(bench.power(PowerAction::ColdReset).0, STATUS_SUCCESS);
        let answer = match bench.set_protocol(mask) {
            (STATUS_SUCCESS, chosen) => Ok(u32::from_le_bytes(chosen.try_into().unwrap())),
            (status, _) => Err(status),
        };
        assert_eq!(answer, expected, "{atr}, {mask:#x}");
        let state = if expected.is_ok() { ReaderState::Specific } else { ReaderState::Negotiable };
        assert_eq!(bench.state(), state as u32);
    }
}

#[test]
fn an_atr_that_says_nothing_or_nonsense_is_unrecognized_media() {
    for atr in ["", "3B", "00 00", "3B 80 01 80", "3B 10 71", "3B 80 40 00"] {
        let mut bench = Bench::with(Echo::new(atr));
        assert_eq!(bench.power(PowerAction::ColdReset), (STATUS_UNRECOGNIZED_MEDIA, vec![]), "{atr}");
        assert_eq!(bench.state(), ReaderState::Swallowed as u32);
        assert_eq!(bench.ask(IOCTL_SMARTCARD_GET_ATTRIBUTE, &word(ATTR_ATR_STRING)).0, STATUS_INVALID_DEVICE_STATE);
    }
}

#[test]
fn the_header_of_a_transmission_says_where_its_data_begins() {
    let mut bench = Bench::with(Echo::new(T1_ATR));
    bench.connect_t1();
    let command = bytes("00 84 00 00 04");
    let mut with = |header: u32, padding: usize| {
        let input = [&word(PROTOCOL_T1)[..], &word(header), &vec![0xFF; padding], &command].concat();
        bench.ask(IOCTL_SMARTCARD_TRANSMIT, &input)
    };
    let expected = [&word(PROTOCOL_T1)[..], &word(8), &Echo::answer(&command)].concat();
    assert_eq!(with(8, 0), (STATUS_SUCCESS, expected.clone()));
    assert_eq!(with(12, 4), (STATUS_SUCCESS, expected));
    assert_eq!(with(13, 0).0, STATUS_INVALID_PARAMETER, "nothing is left");
    assert_eq!(with(7, 0).0, STATUS_INVALID_PARAMETER);
}

#[test]
fn a_program_can_ask_for_the_initial_ifs_request_to_be_left_out() {
    let mut bench = Bench::with(Echo::new(T1_ATR));
    let suppress = [word(ATTR_SUPRESS_T1_IFS_REQUEST), word(1)].concat();
    assert_eq!(bench.ask(IOCTL_SMARTCARD_SET_ATTRIBUTE, &suppress).0, STATUS_SUCCESS);
    bench.connect_t1();
    bench.slot.record(&mut bench.machine);
    bench.transmit(PROTOCOL_T1, &bytes("00 84 00 00 04")).unwrap();
    assert_eq!(bench.slot.take_recording(&mut bench.machine).turns(), 1);
}

#[test]
fn transmissions_are_counted() {
    let mut bench = Bench::with(Echo::slow(T1_ATR, vbus_wdm::Ticks::from_millis(20)));
    bench.connect_t1();
    for _ in 0..3 {
        bench.transmit(PROTOCOL_T1, &bytes("00 84 00 00 08")).unwrap();
    }
    let mut counter = |tag| {
        let (_, value) = bench.ask(IOCTL_SMARTCARD_GET_ATTRIBUTE, &word(tag));
        u32::from_le_bytes(value.try_into().unwrap())
    };
    assert_eq!(counter(ATTR_PERF_NUM_TRANSMISSIONS), 3);
    assert_eq!(counter(ATTR_PERF_BYTES_TRANSMITTED), 3 * (5 + 10));
    assert_eq!(counter(ATTR_PERF_TRANSMISSION_TIME), 60_000);
}

#[test]
fn the_last_error_is_that_of_the_last_request_that_took_time() {
    let mut bench = Bench::with(Echo::slow(T1_ATR, vbus_wdm::Ticks::from_millis(20)));
    let last = |bench: &mut Bench| {
        let (_, answer) = bench.ask(IOCTL_SMARTCARD_GET_LAST_ERROR, &[]);
        NtStatus(u32::from_le_bytes(answer.try_into().unwrap()))
    };
    bench.connect_t1();
    let request = bench.start(IOCTL_SMARTCARD_TRANSMIT, &Bench::transmission(PROTOCOL_T1, &bytes("00 84 00 00 08")));
    bench.slot.remove(&mut bench.machine).unwrap();
    assert_eq!(bench.status(request), Some(STATUS_NO_MEDIA));
    assert_eq!(last(&mut bench), STATUS_NO_MEDIA);
    bench.insert(Echo::slow(T1_ATR, vbus_wdm::Ticks::from_millis(20)));
    bench.connect_t1();
    bench.transmit(PROTOCOL_T1, &bytes("00 84 00 00 08")).unwrap();
    assert_eq!(last(&mut bench), STATUS_SUCCESS);
}

proptest::proptest! {
    #[test]
    fn any_request_ends_and_stops_nothing(
        requests in proptest::collection::vec(
            (0..20u16, proptest::prelude::any::<bool>(), proptest::collection::vec(proptest::prelude::any::<u8>(), 0..20), 0..40usize),
            1..12,
        ),
        state in 0..4usize,
    ) {
        let states = [ReaderState::Absent, ReaderState::Swallowed, ReaderState::Negotiable, ReaderState::Specific];
        let mut bench = in_state(states[state]);
        for (function, tame, mut input, room) in requests {
            // Half of them have a word in front that means something.
            if tame && input.len() >= 4 {
                input[1..4].fill(0);
                input[0] %= 4;
            }
            let code = IoctlCode(u32::from(FILE_DEVICE_SMARTCARD) << 16 | u32::from(function) << 2);
            match bench.start_for(code, &input, room) {
                Ok(request) if bench.ended(request, room).is_none() => {
                    // Tracking: it ends when the card comes or goes.
                    proptest::prop_assert!(matches!(code, IOCTL_SMARTCARD_IS_PRESENT | IOCTL_SMARTCARD_IS_ABSENT));
                    bench.machine.cancel_io(request).unwrap();
                    proptest::prop_assert_eq!(bench.status(request), Some(STATUS_CANCELLED));
                }
                _ => {}
            }
        }
        proptest::prop_assert!(bench.machine.stopped().is_none());
    }
}
