//! Card tracking: the request that waits for a card to come or go.

mod common;

use common::bench::Bench;
use common::{Echo, T1_ATR, bytes};
use vbus_reader::card::iso7816::Iso7816Card;
use vbus_reader::ioctl::*;
use vbus_reader::smclib::{PROTOCOL_T1, PowerAction};
use vbus_reader::{Slot, SlotError};
use vbus_wdm::constants::*;
use vbus_wdm::{OpenOptions, Ticks};

#[test]
fn what_holds_already_is_answered_at_once() {
    let mut bench = Bench::empty();
    assert_eq!(bench.ask(IOCTL_SMARTCARD_IS_ABSENT, &[]), (STATUS_SUCCESS, vec![]));
    bench.insert(Iso7816Card::new(7));
    assert_eq!(bench.ask(IOCTL_SMARTCARD_IS_PRESENT, &[]), (STATUS_SUCCESS, vec![]));
}

#[test]
fn a_request_waits_until_a_card_is_inserted_or_removed() {
    let mut bench = Bench::empty();
    let present = bench.start(IOCTL_SMARTCARD_IS_PRESENT, &[]);
    bench.advance_ms(1000);
    assert_eq!(bench.status(present), None);
    bench.insert(Iso7816Card::new(7));
    assert_eq!(bench.ended(present, 300), Some((STATUS_SUCCESS, vec![])));

    let absent = bench.start(IOCTL_SMARTCARD_IS_ABSENT, &[]);
    assert_eq!(bench.power(PowerAction::ColdReset).0, STATUS_SUCCESS, "others go on meanwhile");
    assert_eq!(bench.status(absent), None, "a reset changes nothing");
    bench.slot.remove(&mut bench.machine).unwrap().unwrap();
    assert_eq!(bench.status(absent), Some(STATUS_SUCCESS));
}

#[test]
fn cards_come_and_go_at_the_moment_that_was_said() {
    let mut bench = Bench::empty();
    let slot = bench.slot;
    slot.insert_after(&mut bench.machine, Ticks::from_millis(20), Iso7816Card::new(7));
    slot.remove_after(&mut bench.machine, Ticks::from_millis(50));
    let present = bench.start(IOCTL_SMARTCARD_IS_PRESENT, &[]);
    bench.advance_ms(19);
    assert_eq!(bench.status(present), None);
    bench.advance_ms(1);
    assert_eq!(bench.status(present), Some(STATUS_SUCCESS));
    let absent = bench.start(IOCTL_SMARTCARD_IS_ABSENT, &[]);
    bench.advance_ms(29);
    assert_eq!(bench.status(absent), None);
    bench.advance_ms(1);
    assert_eq!(bench.status(absent), Some(STATUS_SUCCESS));
}

#[test]
fn both_kinds_share_one_place_and_a_second_one_is_busy() {
    let mut bench = Bench::empty();
    let first = bench.start(IOCTL_SMARTCARD_IS_PRESENT, &[]);
    assert_eq!(bench.ask(IOCTL_SMARTCARD_IS_PRESENT, &[]).0, STATUS_DEVICE_BUSY);
    assert_eq!(bench.ask(IOCTL_SMARTCARD_IS_ABSENT, &[]).0, STATUS_SUCCESS, "which needs no waiting");
    bench.insert(Iso7816Card::new(7));
    assert_eq!(bench.status(first), Some(STATUS_SUCCESS));
    let absent = bench.start(IOCTL_SMARTCARD_IS_ABSENT, &[]);
    assert_eq!(bench.ask(IOCTL_SMARTCARD_IS_ABSENT, &[]).0, STATUS_DEVICE_BUSY);
    assert_eq!(bench.status(absent), None);
}

#[test]
fn a_cancelled_request_makes_room_for_the_next() {
    let mut bench = Bench::empty();
    for _ in 0..3 {
        let request = bench.start(IOCTL_SMARTCARD_IS_PRESENT, &[]);
        assert!(bench.machine.cancel_io(request).unwrap());
        assert_eq!(bench.ended(request, 300), Some((STATUS_CANCELLED, vec![])));
    }
    let request = bench.start(IOCTL_SMARTCARD_IS_PRESENT, &[]);
    bench.insert(Iso7816Card::new(7));
    assert_eq!(bench.status(request), Some(STATUS_SUCCESS));
}

#[test]
fn closing_the_handle_cancels_its_request_and_makes_room() {
    let mut bench = Bench::empty();
    let link = bench.machine.interfaces(GUID_SMARTCARD_READER).remove(0);
    let other = bench.machine.create_file(&link, OpenOptions::OVERLAPPED).unwrap().unwrap();
    let theirs = bench.machine.start_io_control(other, IOCTL_SMARTCARD_IS_PRESENT, &[], &[]).unwrap().unwrap();
    assert_eq!(bench.ask(IOCTL_SMARTCARD_IS_PRESENT, &[]).0, STATUS_DEVICE_BUSY);
    bench.machine.close_handle(other).unwrap();
    assert_eq!(bench.status(theirs), Some(STATUS_CANCELLED));
    let ours = bench.start(IOCTL_SMARTCARD_IS_PRESENT, &[]);
    bench.insert(Iso7816Card::new(7));
    assert_eq!(bench.status(ours), Some(STATUS_SUCCESS));
}

#[test]
fn a_request_that_takes_time_and_a_tracking_request_do_not_hold_each_other_up() {
    let mut bench = Bench::with(Echo::slow(T1_ATR, Ticks::from_millis(500)));
    bench.connect_t1();
    let absent = bench.start(IOCTL_SMARTCARD_IS_ABSENT, &[]);
    let transmission = Bench::transmission(PROTOCOL_T1, &bytes("00 84 00 00 04"));
    let transmit = bench.start(IOCTL_SMARTCARD_TRANSMIT, &transmission);
    bench.advance_ms(499);
    assert_eq!((bench.status(absent), bench.status(transmit)), (None, None));
    bench.slot.remove(&mut bench.machine).unwrap();
    assert_eq!(bench.status(absent), Some(STATUS_SUCCESS));
    assert_eq!(bench.status(transmit), Some(STATUS_NO_MEDIA));
}

#[test]
fn removing_the_reader_ends_its_tracking_request() {
    let mut bench = Bench::empty();
    let request = bench.start(IOCTL_SMARTCARD_IS_PRESENT, &[]);
    // The program has to let go first, or the removal is vetoed.
    assert!(bench.machine.remove_device(bench.node).unwrap().is_err());
    bench.machine.close_handle(bench.file).unwrap();
    assert_eq!(bench.status(request), Some(STATUS_CANCELLED));
    assert_eq!(bench.machine.remove_device(bench.node).unwrap(), Ok(()));
    assert_eq!(Slot::all(&bench.machine), []);
    assert_eq!(bench.slot.insert(&mut bench.machine, Iso7816Card::new(7)).unwrap(), Err(SlotError::Gone));
}

#[test]
fn a_slot_holds_one_card() {
    let mut bench = Bench::with(Iso7816Card::new(7));
    let slot = bench.slot;
    assert_eq!(slot.insert(&mut bench.machine, Iso7816Card::new(8)).unwrap(), Err(SlotError::Occupied));
    assert!(slot.remove(&mut bench.machine).unwrap().is_some());
    assert!(slot.remove(&mut bench.machine).unwrap().is_none());
}
