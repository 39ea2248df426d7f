//! The bus as services use it: plugging, forwarding, and everything that can go wrong in between.

mod common;

use common::{READ_CARD, card_text, exchange};
use vbus::bus::{
    BusConfig, HARDWARE_ID_READER, IOCTL_VBUS_EXCHANGE, IOCTL_VBUS_PLUG_IN, IOCTL_VBUS_UNPLUG, ReaderId, Sender,
    Service,
};
use vbus::reader::ReaderConfig;
use vbus::reader::ioctl::GUID_SMARTCARD_READER;
use vbus::wdm::constants::*;
use vbus::wdm::{IoStatus, NodeState, OpenOptions, Overlapped, Step, Ticks};
use vbus::{Setup, VirtualBus};

/// A bus that is big enough, with readers that take 3 ms for each request.
fn slow(readers: u32) -> VirtualBus {
    slow_with(Sender::Original, readers)
}

fn slow_with(sender: Sender, readers: u32) -> VirtualBus {
    let reader = ReaderConfig { response_time: Ticks::from_millis(3), ..ReaderConfig::default() };
    let bus = BusConfig { sender, extra_stack: 3, ..BusConfig::default() };
    (0..readers).fold(Setup::default().bus(bus).reader_config(reader), Setup::reader).build().unwrap()
}

fn overlapped(vbus: &mut VirtualBus) -> Service {
    Service::open_with(&mut vbus.machine, 0, OpenOptions::OVERLAPPED).unwrap()
}

fn start(vbus: &mut VirtualBus, service: Service, reader: u32) -> Overlapped {
    service.start(&mut vbus.machine, ReaderId(reader), IOCTL_VBUS_EXCHANGE, READ_CARD, &[0; 64]).unwrap().unwrap()
}

fn finished(vbus: &mut VirtualBus, request: Overlapped) -> Option<IoStatus> {
    vbus.machine.overlapped_result(request, &mut [0; 64])
}

#[test]
fn two_readers_answer_each_for_itself() {
    let mut vbus = Setup::default().bus_extra_stack(3).reader(7).reader(8).build().unwrap();
    for reader in [8, 7, 8] {
        assert_eq!(exchange(&mut vbus, reader, READ_CARD).1, card_text(reader));
    }
}

#[test]
fn a_hundred_readers_on_one_bus_answer_each_for_itself() {
    let setup = (1..=100).fold(Setup::default().bus_extra_stack(3), Setup::reader);
    let mut vbus = setup.build().unwrap();
    assert_eq!(vbus.machine.interfaces(GUID_SMARTCARD_READER).len(), 100);
    for reader in 1..=100 {
        assert_eq!(exchange(&mut vbus, reader, READ_CARD), (success(20), card_text(reader)));
    }
}

fn success(information: u64) -> IoStatus {
    IoStatus { status: STATUS_SUCCESS, information }
}

#[test]
fn two_buses_have_readers_of_the_same_ids_and_do_not_mix_them_up() {
    let mut vbus = Setup::default().buses(2).bus_extra_stack(3).reader(7).build().unwrap();
    let services = [0, 1].map(|bus| Service::open(&mut vbus.machine, bus).unwrap());
    assert_eq!(services[1].unplug(&mut vbus.machine, ReaderId(7)).unwrap(), STATUS_SUCCESS);
    let results = services.map(|service| {
        service.control(&mut vbus.machine, ReaderId(7), IOCTL_VBUS_EXCHANGE, READ_CARD, &mut [0; 64]).unwrap().status
    });
    assert_eq!(results, [STATUS_SUCCESS, STATUS_NO_SUCH_DEVICE]);
}

#[test]
fn an_unknown_id_is_no_such_device_whatever_is_asked() {
    let mut vbus = Setup::default().reader(7).build().unwrap();
    assert_eq!(exchange(&mut vbus, 8, READ_CARD).0.status, STATUS_NO_SUCH_DEVICE);
    let service = vbus.service().unwrap();
    assert_eq!(service.unplug(&mut vbus.machine, ReaderId(8)).unwrap(), STATUS_NO_SUCH_DEVICE);
    assert_eq!(service.eject(&mut vbus.machine, ReaderId(8)).unwrap(), STATUS_NO_SUCH_DEVICE);
}

#[test]
fn an_id_that_is_taken_collides() {
    let mut vbus = Setup::default().reader(7).build().unwrap();
    let service = vbus.service().unwrap();
    assert_eq!(service.plug_in(&mut vbus.machine, ReaderId(7)).unwrap(), STATUS_OBJECT_NAME_COLLISION);
    assert_eq!(vbus.buses[0].children(&vbus.machine).len(), 1);
}

/// How many readers each of the bus's answers to the PnP manager named.
fn answers(vbus: &VirtualBus) -> Vec<String> {
    let log = vbus.bus_driver.log(&vbus.machine);
    let answers = log.iter().filter_map(|line| line.message.split_once("returning ")?.1.split_once(" devices"));
    answers.map(|(count, _)| count.to_owned()).collect()
}

#[test]
fn readers_that_are_plugged_in_together_are_asked_for_once() {
    let mut vbus = Setup::default().bus_extra_stack(3).log_pages(16).build().unwrap();
    let service = vbus.service().unwrap();
    let plugged = service.plug_in_all(&mut vbus.machine, &[3, 1, 2].map(ReaderId));
    assert_eq!(plugged, Ok(STATUS_SUCCESS));
    assert_eq!(answers(&vbus), ["3"]);
    assert_eq!(vbus.machine.interfaces(GUID_SMARTCARD_READER).len(), 3);
    for reader in [1, 2, 3] {
        assert_eq!(exchange(&mut vbus, reader, READ_CARD), (success(20), card_text(reader)));
    }
}

#[test]
fn of_readers_that_are_plugged_in_together_those_stay_that_were_there_and_those_come_that_were_not() {
    let mut vbus = Setup::default().bus_extra_stack(3).reader(1).reader(2).build().unwrap();
    let service = vbus.service().unwrap();
    let plugged = service.plug_in_all(&mut vbus.machine, &[2, 3, 3].map(ReaderId));
    assert_eq!(plugged, Ok(STATUS_OBJECT_NAME_COLLISION));
    for reader in [1, 2, 3] {
        assert_eq!(exchange(&mut vbus, reader, READ_CARD), (success(20), card_text(reader)));
    }
}

#[test]
fn half_an_id_plugs_nothing_in() {
    let mut vbus = Setup::default().bus_extra_stack(3).build().unwrap();
    let service = vbus.service().unwrap();
    let result = service.control(&mut vbus.machine, ReaderId(1), IOCTL_VBUS_PLUG_IN, &[2, 0], &mut []);
    assert_eq!(result.unwrap().status, STATUS_INVALID_PARAMETER);
    assert!(vbus.machine.interfaces(GUID_SMARTCARD_READER).is_empty());
}

#[test]
fn a_buffer_too_short_for_an_id_or_for_the_answer_is_too_small() {
    let mut vbus = Setup::default().bus_extra_stack(3).reader(7).build().unwrap();
    let service = vbus.service().unwrap();
    for code in [IOCTL_VBUS_PLUG_IN, IOCTL_VBUS_UNPLUG, IOCTL_VBUS_EXCHANGE] {
        for input in [&[][..], &[7, 0, 0]] {
            let result = vbus.machine.device_io_control(service.file(), code, input, &mut [0; 8]).unwrap();
            assert_eq!(result.status, STATUS_BUFFER_TOO_SMALL, "{code}, {} bytes", input.len());
        }
    }
    let short = service.control(&mut vbus.machine, ReaderId(7), IOCTL_VBUS_EXCHANGE, READ_CARD, &mut [0; 19]);
    assert_eq!(short.unwrap(), IoStatus { status: STATUS_BUFFER_TOO_SMALL, information: 0 });
}

#[test]
fn a_reader_that_was_pulled_out_can_be_plugged_in_again() {
    let mut vbus = Setup::default().bus_extra_stack(3).reader(7).build().unwrap();
    let service = vbus.service().unwrap();
    for _ in 0..3 {
        assert_eq!(service.unplug(&mut vbus.machine, ReaderId(7)).unwrap(), STATUS_SUCCESS);
        assert_eq!(vbus.machine.interfaces(GUID_SMARTCARD_READER), Vec::<String>::new());
        assert_eq!(service.plug_in(&mut vbus.machine, ReaderId(7)).unwrap(), STATUS_SUCCESS);
        assert_eq!(exchange(&mut vbus, 7, READ_CARD).1, card_text(7));
    }
    assert_eq!(vbus.machine.devnode_count(), 2);
}

#[test]
fn an_ejected_reader_leaves_and_the_other_stays() {
    let mut vbus = Setup::default().bus_extra_stack(3).reader(7).reader(8).build().unwrap();
    let service = vbus.service().unwrap();
    assert_eq!(service.eject(&mut vbus.machine, ReaderId(7)).unwrap(), STATUS_SUCCESS);
    assert_eq!(exchange(&mut vbus, 7, READ_CARD).0.status, STATUS_NO_SUCH_DEVICE);
    assert_eq!(exchange(&mut vbus, 8, READ_CARD).1, card_text(8));
    assert_eq!(vbus.machine.devnode_count(), 2, "the bus and reader 8");
    assert_eq!(service.plug_in(&mut vbus.machine, ReaderId(7)).unwrap(), STATUS_SUCCESS);
    assert_eq!(exchange(&mut vbus, 7, READ_CARD).1, card_text(7));
}

#[test]
fn an_open_handle_vetoes_an_eject_and_holds_back_the_removal_of_a_pulled_reader() {
    let mut vbus = Setup::default().bus_extra_stack(3).reader(7).build().unwrap();
    let service = vbus.service().unwrap();
    let link = vbus.machine.interfaces(GUID_SMARTCARD_READER).remove(0);
    let program = vbus.machine.create_file(&link, OpenOptions::READ_WRITE).unwrap().unwrap();
    let node = vbus.buses[0].children(&vbus.machine)[0];

    assert_eq!(service.eject(&mut vbus.machine, ReaderId(7)).unwrap(), STATUS_SUCCESS, "asked for, not yet done");
    assert_eq!(node.state(&vbus.machine), Some(NodeState::Started));
    assert_eq!(exchange(&mut vbus, 7, READ_CARD).1, card_text(7));

    assert_eq!(service.unplug(&mut vbus.machine, ReaderId(7)).unwrap(), STATUS_SUCCESS);
    assert_eq!(node.state(&vbus.machine), Some(NodeState::AwaitingClose));
    assert_eq!(exchange(&mut vbus, 7, READ_CARD).0.status, STATUS_NO_SUCH_DEVICE);
    vbus.machine.close_handle(program).unwrap();
    assert_eq!(node.state(&vbus.machine), None);
}

#[test]
fn a_request_whose_reader_is_pulled_out_ends_once_and_says_that_it_is_removed() {
    let mut vbus = slow(2);
    let service = overlapped(&mut vbus);
    let requests: Vec<Overlapped> = (0..5).map(|_| start(&mut vbus, service, 1)).collect();
    let other = start(&mut vbus, service, 0);
    vbus.machine.watch_irps();
    let unplugging = Service::open(&mut vbus.machine, 0).unwrap();
    assert_eq!(unplugging.unplug(&mut vbus.machine, ReaderId(1)).unwrap(), STATUS_SUCCESS);

    for request in requests {
        assert_eq!(finished(&mut vbus, request).unwrap().status, STATUS_DEVICE_REMOVED);
        assert_eq!(finished(&mut vbus, request), None, "and not a second time");
    }
    let seen = vbus.machine.take_observations();
    let of_removed = seen.iter().filter(|seen| seen.step == Step::Done && seen.status == STATUS_DEVICE_REMOVED);
    assert_eq!(of_removed.count(), 5);
    assert_eq!(finished(&mut vbus, other), None, "the other reader still thinks");
    vbus.machine.advance(Ticks::from_millis(3)).unwrap();
    assert_eq!(finished(&mut vbus, other), Some(success(20)));
    assert_eq!(vbus.machine.devnode_count(), 2);
}

#[test]
fn an_ejected_reader_answers_what_it_was_asked_before_it_goes() {
    let mut vbus = slow(1);
    let service = overlapped(&mut vbus);
    let request = start(&mut vbus, service, 0);
    let ejecting = Service::open(&mut vbus.machine, 0).unwrap();
    assert_eq!(ejecting.eject(&mut vbus.machine, ReaderId(0)).unwrap(), STATUS_SUCCESS);
    assert_eq!(finished(&mut vbus, request), Some(success(20)));
    assert_eq!(vbus.machine.devnode_count(), 1);
}

#[test]
fn a_cancelled_request_ends_once_as_cancelled_and_the_reader_goes_on() {
    for sender in [Sender::Original, Sender::DriverCreated] {
        cancelled_and_kept(slow_with(sender, 1));
    }
}

fn cancelled_and_kept(mut vbus: VirtualBus) {
    let service = overlapped(&mut vbus);
    let (cancelled, kept) = (start(&mut vbus, service, 0), start(&mut vbus, service, 0));
    assert!(vbus.machine.cancel_io(cancelled).unwrap());
    assert_eq!(finished(&mut vbus, cancelled).unwrap().status, STATUS_CANCELLED);
    vbus.machine.advance(Ticks::from_millis(3)).unwrap();
    assert_eq!(finished(&mut vbus, kept), Some(success(20)));
    assert!(!vbus.machine.cancel_io(kept).unwrap(), "there is nothing left to cancel");
}

#[test]
fn removing_the_bus_takes_its_readers_along_and_leaves_nothing() {
    let mut vbus = Setup::default().bus_extra_stack(3).reader(7).reader(8).build().unwrap();
    let bus = vbus.buses[0];
    vbus.machine.remove_device(bus).unwrap().unwrap();
    assert_eq!(vbus.machine.devnode_count(), 0);
    assert_eq!(vbus.machine.interfaces(GUID_SMARTCARD_READER), Vec::<String>::new());
}

#[test]
fn a_reader_without_a_driver_is_not_ready() {
    let mut vbus = Setup::default().bus_extra_stack(3).build().unwrap();
    let service = vbus.service().unwrap();
    vbus.machine.uninstall(HARDWARE_ID_READER);
    assert_eq!(service.plug_in(&mut vbus.machine, ReaderId(7)).unwrap(), STATUS_SUCCESS);
    assert_eq!(exchange(&mut vbus, 7, READ_CARD).0.status, STATUS_DEVICE_NOT_READY);
    assert_eq!(service.unplug(&mut vbus.machine, ReaderId(7)).unwrap(), STATUS_SUCCESS);
    assert_eq!(vbus.machine.devnode_count(), 1);
}

#[test]
fn a_reader_that_comes_back_while_a_program_holds_the_old_one_open_is_a_new_device() {
    let mut vbus = Setup::default().bus_extra_stack(3).reader(7).build().unwrap();
    let service = vbus.service().unwrap();
    let link = vbus.machine.interfaces(GUID_SMARTCARD_READER).remove(0);
    let program = vbus.machine.create_file(&link, OpenOptions::READ_WRITE).unwrap().unwrap();
    assert_eq!(service.unplug(&mut vbus.machine, ReaderId(7)).unwrap(), STATUS_SUCCESS);
    assert_eq!(vbus.machine.interfaces(GUID_SMARTCARD_READER), Vec::<String>::new());
    assert_eq!(service.plug_in(&mut vbus.machine, ReaderId(7)).unwrap(), STATUS_SUCCESS);

    assert_eq!(exchange(&mut vbus, 7, READ_CARD), (success(20), card_text(7)));
    assert_eq!(vbus.machine.devnode_count(), 3, "the bus, the old reader and the new one");
    vbus.machine.close_handle(program).unwrap();
    assert_eq!(vbus.machine.devnode_count(), 2);
    assert_eq!(vbus.machine.interfaces(GUID_SMARTCARD_READER), [link], "the old one's end disables nothing of the new");
    assert_eq!(exchange(&mut vbus, 7, READ_CARD), (success(20), card_text(7)));
}

#[test]
fn a_reader_that_comes_goes_and_comes_before_the_bus_is_asked_is_there_once() {
    let mut vbus = Setup::default().bus_extra_stack(3).build().unwrap();
    let service = vbus.service().unwrap();
    vbus.machine
        .run(|m| {
            for plug in [true, false, true] {
                let call = if plug { Service::plug_in } else { Service::unplug };
                assert_eq!(call(service, m, ReaderId(3)).unwrap(), STATUS_SUCCESS);
            }
        })
        .unwrap();
    assert_eq!(exchange(&mut vbus, 3, READ_CARD), (success(20), card_text(3)));
    assert_eq!(vbus.machine.devnode_count(), 2);
}

#[test]
fn a_reader_that_is_ejected_twice_while_it_works_goes_once() {
    let mut vbus = slow(2);
    let service = overlapped(&mut vbus);
    let request = start(&mut vbus, service, 1);
    let ejecting = Service::open(&mut vbus.machine, 0).unwrap();
    vbus.machine
        .run(|m| {
            for _ in 0..2 {
                assert_eq!(ejecting.eject(m, ReaderId(1)).unwrap(), STATUS_SUCCESS);
            }
            assert_eq!(ejecting.unplug(m, ReaderId(1)).unwrap(), STATUS_SUCCESS);
        })
        .unwrap();
    vbus.machine.advance(Ticks::from_millis(10)).unwrap();
    assert!(finished(&mut vbus, request).is_some());
    assert_eq!(exchange(&mut vbus, 1, READ_CARD).0.status, STATUS_NO_SUCH_DEVICE);
    assert_eq!(vbus.machine.devnode_count(), 2);
}

#[test]
fn a_bus_cannot_be_uninstalled_while_a_program_holds_one_of_its_readers_open() {
    let mut vbus = Setup::default().bus_extra_stack(3).reader(7).build().unwrap();
    let service = vbus.service().unwrap();
    let link = vbus.machine.interfaces(GUID_SMARTCARD_READER).remove(0);
    let program = vbus.machine.create_file(&link, OpenOptions::READ_WRITE).unwrap().unwrap();
    assert_eq!(service.unplug(&mut vbus.machine, ReaderId(7)).unwrap(), STATUS_SUCCESS);
    service.close(&mut vbus.machine).unwrap();
    let bus = vbus.buses[0];
    assert_eq!(vbus.machine.remove_device(bus).unwrap(), Err(STATUS_DEVICE_BUSY));
    vbus.machine.close_handle(program).unwrap();
    assert_eq!(vbus.machine.remove_device(bus).unwrap(), Ok(()));
}

#[test]
fn a_bus_that_is_added_after_another_went_has_a_name_of_its_own() {
    let mut vbus = Setup::default().buses(2).bus_extra_stack(3).build().unwrap();
    let first = vbus.buses[0];
    vbus.machine.remove_device(first).unwrap().unwrap();
    let third = vbus.machine.add_root_device(vbus::bus::HARDWARE_ID_BUS).unwrap();
    assert!(third.instance_path(&vbus.machine).ends_with("0002"));
    assert_eq!(vbus.machine.interfaces(vbus::bus::GUID_DEVINTERFACE_VBUS).len(), 2);
}
