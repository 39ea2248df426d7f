//! A reader whose system sleeps: the card loses its power, a tracking request survives, and another card may be in the slot
//! afterwards.

mod common;

use common::bench::Bench;
use vbus_reader::card::iso7816::Iso7816Card;
use vbus_reader::ioctl::*;
use vbus_reader::smclib::{PROTOCOL_T1, PowerAction};
use vbus_wdm::SystemPowerState;
use vbus_wdm::constants::*;

const ABSENT: u32 = 1;
const SWALLOWED: u32 = 3;
const NEGOTIABLE: u32 = 5;

/// S3, something that happens to the slot, S0.
fn sleep(bench: &mut Bench, change: impl FnOnce(&mut Bench)) {
    bench.machine.sleep(SystemPowerState::Sleeping3).unwrap().unwrap();
    change(bench);
    bench.machine.wake().unwrap();
}

fn pull(bench: &mut Bench) {
    let slot = bench.slot;
    slot.remove(&mut bench.machine).unwrap();
}

#[test]
fn a_sleep_with_an_empty_slot_leaves_the_tracking_request_waiting() {
    let mut bench = Bench::empty();
    let request = bench.start(IOCTL_SMARTCARD_IS_PRESENT, &[]);
    sleep(&mut bench, |_| ());
    assert_eq!(bench.status(request), None);
    sleep(&mut bench, |bench| bench.insert(Iso7816Card::new(8)));
    assert_eq!(bench.status(request), Some(STATUS_SUCCESS));
    assert_eq!(bench.state(), SWALLOWED);
}

#[test]
fn a_card_that_comes_while_the_reader_sleeps_is_seen_when_it_wakes() {
    let mut bench = Bench::empty();
    let request = bench.start(IOCTL_SMARTCARD_IS_PRESENT, &[]);
    sleep(&mut bench, |bench| {
        bench.insert(Iso7816Card::new(8));
        assert_eq!(bench.status(request), None, "no interrupt comes from a device without power");
    });
    assert_eq!(bench.status(request), Some(STATUS_SUCCESS));
}

#[test]
fn a_card_that_is_there_before_and_after_a_sleep_may_be_another_one() {
    let mut bench = Bench::with(Iso7816Card::new(7));
    let request = bench.start(IOCTL_SMARTCARD_IS_ABSENT, &[]);
    sleep(&mut bench, |_| ());
    assert_eq!(bench.status(request), Some(STATUS_SUCCESS), "whoever watches has to look again");
}

#[test]
fn a_card_loses_its_power_and_its_protocol_and_may_be_gone_afterwards() {
    let mut bench = Bench::with(Iso7816Card::new(7));
    assert_eq!(bench.power(PowerAction::ColdReset).0, STATUS_SUCCESS);
    assert_eq!(bench.state(), NEGOTIABLE);
    sleep(&mut bench, |_| ());
    assert_eq!(bench.state(), SWALLOWED);
    assert_eq!(bench.transmit(PROTOCOL_T1, &[0, 0x84, 0, 0, 8]), Err(STATUS_INVALID_DEVICE_STATE));
    let request = bench.start(IOCTL_SMARTCARD_IS_ABSENT, &[]);
    sleep(&mut bench, pull);
    assert_eq!(bench.state(), ABSENT);
    assert_eq!(bench.status(request), Some(STATUS_SUCCESS));
}

#[test]
fn a_request_that_comes_while_the_reader_sleeps_waits_until_it_wakes() {
    let mut bench = Bench::with(Iso7816Card::new(7));
    bench.machine.sleep(SystemPowerState::Sleeping3).unwrap().unwrap();
    let request = bench.start(IOCTL_SMARTCARD_GET_STATE, &[]);
    assert_eq!(bench.status(request), None);
    bench.machine.wake().unwrap();
    assert_eq!(bench.status(request), Some(STATUS_SUCCESS));
}
