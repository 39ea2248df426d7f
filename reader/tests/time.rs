//! Requests that take time: cards that work, cards that fail, cards that are pulled out, and who waits for whom.

mod common;

use common::bench::{Bench, word};
use common::{BOTH_ATR, Echo, T0_ATR, T1_ATR, bytes, hex};
use vbus_reader::ReaderConfig;
use vbus_reader::card::iso7816::Iso7816Card;
use vbus_reader::card::script::ScriptedCard;
use vbus_reader::ioctl::*;
use vbus_reader::smclib::{PROTOCOL_RAW, PROTOCOL_T0, PROTOCOL_T1, PowerAction, ReaderState};
use vbus_reader::transmission::t0::Mapping;
use vbus_reader::transmission::{Contacts, LineTiming, Reset, Signal};
use vbus_reader::{CardFactory, Inserted};
use vbus_wdm::constants::*;
use vbus_wdm::{NtStatus, Ticks};

const COMMAND: &[u8] = &[0x00, 0x84, 0x00, 0x00, 0x04];

fn script(text: &str) -> ScriptedCard {
    ScriptedCard::parse(text).unwrap()
}

#[test]
fn a_whole_session_with_the_built_in_card_reads_as_approved() {
    let mut bench = Bench::empty();
    bench.slot.record(&mut bench.machine);
    bench.insert(Iso7816Card::new(7));
    bench.connect_t1();
    for command in ["00 A4 04 00 06 F0 'vbus' 01 00", "00 20 00 01 04 '1234'", "00 B0 83 00 00"] {
        bench.transmit(PROTOCOL_T1, &bytes(command)).unwrap();
    }
    bench.power(PowerAction::ColdReset);
    bench.set_protocol(PROTOCOL_T0);
    for command in ["00 A4 04 00 06 F0 'vbus' 01", "00 C0 00 00 14", "00 B0 81 00 04"] {
        bench.transmit(PROTOCOL_T0, &bytes(command)).unwrap();
    }
    approve!("reader_session", bench.slot.take_recording(&mut bench.machine));
}

#[test]
fn a_card_that_works_lets_virtual_time_pass_and_the_request_waits() {
    let mut bench = Bench::with(Echo::slow(T1_ATR, Ticks::from_millis(3)));
    bench.connect_t1();
    let request = bench.start(IOCTL_SMARTCARD_TRANSMIT, &Bench::transmission(PROTOCOL_T1, COMMAND));
    bench.advance_ms(2);
    assert_eq!(bench.status(request), None);
    bench.advance_ms(1);
    let (status, answer) = bench.ended(request, 300).unwrap();
    assert_eq!((status, &answer[8..]), (STATUS_SUCCESS, &Echo::answer(COMMAND)[..]));
}

#[test]
fn requests_run_one_after_the_other_in_the_order_they_came() {
    let mut bench = Bench::with(Echo::slow(T1_ATR, Ticks::from_millis(10)));
    bench.connect_t1();
    let transmission = Bench::transmission(PROTOCOL_T1, COMMAND);
    let requests: Vec<_> = (0..4).map(|_| bench.start(IOCTL_SMARTCARD_TRANSMIT, &transmission)).collect();
    let state = bench.start(IOCTL_SMARTCARD_GET_STATE, &[]);
    for (at, request) in requests.into_iter().enumerate() {
        bench.advance_ms(9);
        assert_eq!(bench.status(request), None, "request {at}");
        bench.advance_ms(1);
        assert_eq!(bench.status(request), Some(STATUS_SUCCESS), "request {at}");
    }
    assert_eq!(bench.status(state), Some(STATUS_SUCCESS), "what needs no card waits as well");
}

#[test]
fn a_request_that_waits_for_its_turn_can_be_cancelled_and_one_that_is_with_the_card_cannot() {
    let mut bench = Bench::with(Echo::slow(T1_ATR, Ticks::from_millis(10)));
    bench.connect_t1();
    let transmission = Bench::transmission(PROTOCOL_T1, COMMAND);
    let [running, waiting, last] = [(); 3].map(|()| bench.start(IOCTL_SMARTCARD_TRANSMIT, &transmission));
    assert!(!bench.machine.cancel_io(running).unwrap());
    assert!(bench.machine.cancel_io(waiting).unwrap());
    assert_eq!(bench.status(waiting), Some(STATUS_CANCELLED));
    bench.advance_ms(20);
    assert_eq!((bench.status(running), bench.status(last)), (Some(STATUS_SUCCESS), Some(STATUS_SUCCESS)));
}

#[test]
fn a_late_atr_is_waited_for_and_a_missing_one_is_not_waited_for_for_ever() {
    let mut bench = Bench::with(script(
        "atr = \"3B 80 01 81\"\n[[reset]]\nafter_ms = 30\n[[reset]]\nfault = \"mute\"\n[[reset]]\nafter_ms = 893",
    ));
    assert_eq!(bench.power(PowerAction::ColdReset).0, STATUS_SUCCESS);
    assert_eq!(bench.now_ms(), 30.0);
    // 9600 etu at 4 MHz.
    for _ in 0..2 {
        let before = bench.now_ms();
        assert_eq!(bench.power(PowerAction::ColdReset).0, STATUS_UNRECOGNIZED_MEDIA);
        assert_eq!(bench.now_ms() - before, 892.8);
        assert_eq!(bench.state(), ReaderState::Swallowed as u32);
    }
}

/// What becomes of one command to a scripted card, and how long it takes.
fn outcome(atr: &str, protocol: u32, exchange: &str) -> (Result<String, NtStatus>, f64) {
    let text = format!("atr = \"{atr}\"\n[[exchange]]\ncommand = \"*\"\nresponse = \"01 02 03 04 90 00\"\n{exchange}");
    let mut bench = Bench::with(script(&text));
    bench.connect(protocol);
    let before = bench.now_ms();
    let answer = bench.transmit(protocol, COMMAND).map(|answer| hex(&answer));
    (answer, bench.now_ms() - before)
}

#[test]
fn with_t1_a_fault_is_recovered_from_and_one_that_lasts_is_a_protocol_error() {
    let good = Ok("01 02 03 04 90 00".to_owned());
    for fault in ["bad-checksum", "wrong-parity"] {
        assert_eq!(outcome(T1_ATR, PROTOCOL_T1, &format!("fault = \"{fault}\"")), (good.clone(), 0.0), "{fault}");
        let (answer, _) = outcome(T1_ATR, PROTOCOL_T1, &format!("fault = \"{fault}\"\nfault_times = 100"));
        assert_eq!(answer, Err(STATUS_DEVICE_PROTOCOL_ERROR), "{fault}");
    }
    // BWT is 1429.5 ms and a bit: it passes for every block that does not come.
    let (answer, took) = outcome(T1_ATR, PROTOCOL_T1, "fault = \"mute\"");
    assert_eq!((answer, took), (good.clone(), 1429.503));
    // CWT ends a block that is cut short.
    let (answer, took) = outcome(T1_ATR, PROTOCOL_T1, "fault = \"short\"");
    assert_eq!((answer, took), (good, 762.879));
}

#[test]
fn a_card_that_never_answers_is_given_up_after_all_repetitions() {
    let text = format!("atr = \"{T1_ATR}\"\notherwise = \"\"");
    let mut bench = Bench::with(script(&text));
    bench.connect_t1();
    assert_eq!(bench.transmit(PROTOCOL_T1, COMMAND), Err(STATUS_DEVICE_PROTOCOL_ERROR));
    // The card answers everything that concerns the protocol, so that only the commands are silences: the first one, and
    // one after each of three resynchronisations.
    assert_eq!(bench.now_ms(), 4.0 * 1429.503);
}

#[test]
fn with_t0_a_parity_is_repeated_and_a_silence_is_a_timeout() {
    let good = Ok("01 02 03 04 90 00".to_owned());
    assert_eq!(outcome(T0_ATR, PROTOCOL_T0, ""), (good.clone(), 0.0));
    assert_eq!(outcome(T0_ATR, PROTOCOL_T0, "fault = \"wrong-parity\"\nfault_times = 3"), (good, 0.0));
    let (answer, _) = outcome(T0_ATR, PROTOCOL_T0, "fault = \"wrong-parity\"\nfault_times = 4");
    assert_eq!(answer, Err(STATUS_DEVICE_PROTOCOL_ERROR));
    for fault in ["mute", "short"] {
        let exchange = format!("fault = \"{fault}\"");
        assert_eq!(outcome(T0_ATR, PROTOCOL_T0, &exchange), (Err(STATUS_IO_TIMEOUT), 892.8), "{fault}");
    }
}

#[test]
fn a_card_without_a_line_has_delays_and_faults_as_well() {
    let outcome = |exchange: &str| {
        let text = format!("atr = \"{T1_ATR}\"\n[[exchange]]\ncommand = \"*\"\nresponse = \"90 00\"\n{exchange}");
        let mut bench = Bench::with(Inserted::apdus(script(&text)));
        bench.connect_t1();
        (bench.transmit(PROTOCOL_T1, COMMAND).map(|answer| hex(&answer)), bench.now_ms())
    };
    assert_eq!(outcome("after_ms = 4000"), (Ok("90 00".to_owned()), 4000.0));
    assert_eq!(outcome("fault = \"mute\"").0, Err(STATUS_IO_TIMEOUT));
    assert_eq!(outcome("fault = \"bad-checksum\"").0, Err(STATUS_DEVICE_PROTOCOL_ERROR));
}

#[test]
fn a_card_that_is_pulled_out_ends_what_it_was_asked_with_no_media() {
    let mut bench = Bench::with(Echo::slow(T1_ATR, Ticks::from_millis(100)));
    bench.connect_t1();
    let transmission = Bench::transmission(PROTOCOL_T1, COMMAND);
    let [running, waiting] = [(); 2].map(|()| bench.start(IOCTL_SMARTCARD_TRANSMIT, &transmission));
    let slot = bench.slot;
    slot.remove_after(&mut bench.machine, Ticks::from_millis(50));
    bench.advance_ms(50);
    assert_eq!((bench.status(running), bench.status(waiting)), (Some(STATUS_NO_MEDIA), Some(STATUS_NO_MEDIA)));
    assert_eq!(bench.state(), ReaderState::Absent as u32);
    // Its timer does not go off in the next card's time.
    bench.insert(Echo::slow(T1_ATR, Ticks::from_millis(100)));
    bench.connect_t1();
    let next = bench.start(IOCTL_SMARTCARD_TRANSMIT, &transmission);
    bench.advance_ms(99);
    assert_eq!(bench.status(next), None);
    bench.advance_ms(1);
    assert_eq!(bench.status(next), Some(STATUS_SUCCESS));
}

#[test]
fn a_card_that_is_pulled_out_while_it_answers_to_a_reset_is_no_media() {
    let mut bench = Bench::with(script("atr = \"3B 80 01 81\"\n[[reset]]\nafter_ms = 30"));
    let reset = bench.start(IOCTL_SMARTCARD_POWER, &word(PowerAction::ColdReset as u32));
    bench.advance_ms(10);
    bench.slot.remove(&mut bench.machine).unwrap();
    assert_eq!(bench.status(reset), Some(STATUS_NO_MEDIA));
}

#[test]
fn after_a_failure_a_reset_makes_everything_good_again() {
    for (atr, protocol) in [(T1_ATR, PROTOCOL_T1), (T0_ATR, PROTOCOL_T0)] {
        let text = format!(
            "atr = \"{atr}\"\notherwise = \"90 00\"\n[[exchange]]\ncommand = \"*\"\nresponse = \"90 00\"
             fault = \"mute\"\nfault_times = 100\ntimes = 1"
        );
        let mut bench = Bench::with(script(&text));
        bench.connect(protocol);
        assert!(bench.transmit(protocol, &bytes("00 20 00 01")).is_err());
        assert_eq!(bench.state(), ReaderState::Specific as u32);
        bench.power(PowerAction::WarmReset);
        bench.set_protocol(protocol);
        assert_eq!(bench.transmit(protocol, &bytes("00 20 00 01")), Ok(vec![0x90, 0x00]));
    }
}

#[test]
fn the_reader_maps_apdus_with_t0_if_it_is_told_to() {
    let select = bytes("00 A4 04 00 06 F0 'vbus' 01 00");
    let answer = |mapping| {
        let config = ReaderConfig { t0: mapping, ..ReaderConfig::default() };
        let mut bench = Bench::configured(config, Iso7816Card::new(7));
        bench.connect_t0();
        bench.transmit(PROTOCOL_T0, &select).map(|answer| hex(&answer[answer.len() - 2..]))
    };
    assert_eq!(answer(Mapping::Tpdu), Ok("61 14".to_owned()));
    assert_eq!(answer(Mapping::Apdu), Ok("90 00".to_owned()));
    let refused = |apdu: &[u8]| {
        let mut bench = Bench::with(Iso7816Card::new(7));
        bench.connect_t0();
        bench.transmit(PROTOCOL_T0, apdu)
    };
    assert_eq!(refused(&bytes("00 B0 00 00 00 01 00")), Err(STATUS_INVALID_PARAMETER), "an extended one");
    assert_eq!(refused(&bytes("00 A4")), Err(STATUS_INSUFFICIENT_RESOURCES));
    assert_eq!(refused(&bytes("00 90 00 00")), Err(STATUS_INVALID_PARAMETER), "an INS that is no INS");
}

#[test]
fn raw_sends_characters_and_hears_characters() {
    let mut bench = Bench::with(Echo::new(T0_ATR));
    bench.connect(PROTOCOL_RAW);
    assert_eq!(bench.transmit(PROTOCOL_RAW, COMMAND).map(|answer| hex(&answer)), Ok("84 00 07 0E 15 90 00".to_owned()));
    assert_eq!(bench.transmit(PROTOCOL_RAW, &[0x00]), Err(STATUS_IO_TIMEOUT), "a header that is not whole");
}

/// Answers to PPS with something else, as often as it is told, and forwards everything to a good card.
struct Stubborn {
    card: Box<dyn Contacts>,
    refusals: u32,
    answer: Vec<u8>,
}

impl Contacts for Stubborn {
    fn reset(&mut self, reset: Reset, clock_khz: u32, line: &mut Signal) {
        self.card.reset(reset, clock_khz, line);
    }

    fn power_down(&mut self) {
        self.card.power_down();
    }

    fn receive(&mut self, sent: &Signal, line: &mut Signal) {
        if sent.bytes().first() == Some(&0xFF) && self.refusals > 0 {
            self.refusals -= 1;
            return line.extend(&self.answer);
        }
        self.card.receive(sent, line);
    }
}

fn stubborn(atr: &str, refusals: u32, answer: &str) -> Bench {
    let card = Box::new(vbus_reader::transmission::ContactCard::new(Echo::new(atr)));
    let mut bench = Bench::with(Inserted::contacts(Stubborn { card, refusals, answer: bytes(answer) }));
    bench.slot.record(&mut bench.machine);
    bench
}

#[test]
fn a_card_that_refuses_the_rate_is_reset_and_gets_the_protocol_without_it() {
    let mut bench = stubborn(BOTH_ATR, 1, "");
    bench.connect_t1();
    assert_eq!(bench.transmit(PROTOCOL_T1, COMMAND), Ok(Echo::answer(COMMAND)));
    approve!("reader_pps_refused", bench.slot.take_recording(&mut bench.machine));
    // Where the protocol is the default one, no second PPS is needed.
    let mut bench = stubborn(BOTH_ATR, 1, "FF 10 14 FB");
    bench.connect_t0();
    assert_eq!(bench.transmit(PROTOCOL_T0, COMMAND), Ok(Echo::answer(COMMAND)));
}

#[test]
fn a_card_that_refuses_the_protocol_as_well_has_none() {
    for (answer, expected) in [("", STATUS_IO_TIMEOUT), ("FF 00 FF", STATUS_DEVICE_PROTOCOL_ERROR)] {
        let mut bench = stubborn(BOTH_ATR, 2, answer);
        bench.power(PowerAction::ColdReset);
        assert_eq!(bench.set_protocol(PROTOCOL_T1).0, expected);
        assert_eq!(bench.state(), ReaderState::Negotiable as u32);
    }
}

#[test]
fn characters_take_their_time_if_the_reader_is_told_so() {
    let took = |line| {
        let mut bench = Bench::configured(ReaderConfig { line, ..ReaderConfig::default() }, Echo::new(T1_ATR));
        bench.connect_t1();
        bench.transmit(PROTOCOL_T1, COMMAND).unwrap();
        bench.now_ms()
    };
    assert_eq!(took(LineTiming::PausesOnly), 0.0);
    // ATR 4, S(IFS) 5 each way, 9 out, 10 back: 33 characters of 12 etu.
    assert_eq!(took(LineTiming::Characters), 33.0 * 1.116);
}

#[test]
fn a_long_apdu_goes_each_way_in_chains() {
    let mut bench = Bench::with(Echo::new(T1_ATR));
    bench.connect_t1();
    let command = [&bytes("00 11 01 02 00 FF FF")[..], &[0x55; 65_535], &[0, 0]].concat();
    let (status, answer) = bench.ask(IOCTL_SMARTCARD_TRANSMIT, &Bench::transmission(PROTOCOL_T1, &command));
    assert_eq!(status, STATUS_SUCCESS);
    assert_eq!(answer[8..], Echo::answer(&command));
}

#[test]
fn the_same_session_gives_the_same_recording() {
    let session = || {
        let text = "atr = \"3B 80 01 81\"\n[[exchange]]\ncommand = \"*\"\nresponse = \"90 00\"\nafter_ms = 2000\nfault = \"mute\"";
        let mut bench = Bench::new(ReaderConfig { card: CardFactory::none(), ..ReaderConfig::default() });
        bench.slot.record(&mut bench.machine);
        bench.insert(script(text));
        bench.connect_t1();
        bench.transmit(PROTOCOL_T1, COMMAND).unwrap();
        (bench.slot.take_recording(&mut bench.machine).to_string(), bench.now_ms())
    };
    assert_eq!(session(), session());
}
