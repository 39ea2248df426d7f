//! A bus that goes, with children in every state, and children that hand their requests to it.

use vbus::wdf::{Device, DispatchIrpFlags, FailedAction, ForwardProgressPolicy, Handle};
use vbus::wdm::constants::*;
use vbus::wdm::{DevNode, IoctlCode, Irp, Machine, Major, NtStatus, Parameters};

use crate::bus::{Bus, Wanted};

/// How the bus goes.
#[derive(Clone, Copy)]
enum Way {
    Uninstalled,
    Disabled,
    GivenUp,
}

/// What became of the child before.
#[derive(Clone, Copy)]
enum Child {
    Started,
    NeverStarted,
    Disabled,
    Missing,
    Ejected,
}

fn with_child(child: Child) -> Bus {
    let dead = matches!(child, Child::NeverStarted).then_some(7);
    let mut bus = Bus::new(Wanted { dead, ..Wanted::default() });
    bus.run(|m, list| list.add_or_update(m, 7)).unwrap();
    match child {
        Child::Started | Child::NeverStarted => {}
        Child::Disabled => {
            let device = bus.child(7);
            let pdo = bus.run(|m, _| device.device_object(m));
            let node = DevNode::of(&bus.machine, pdo).unwrap();
            bus.machine.disable_device(node).unwrap().unwrap();
        }
        Child::Missing => bus.run(|m, list| list.update_as_missing(m, 7)).unwrap(),
        Child::Ejected => assert!(bus.run(|m, list| list.request_eject(m, 7))),
    }
    bus.notes();
    bus
}

fn go(bus: &mut Bus, way: Way) {
    match way {
        Way::Uninstalled => bus.machine.remove_device(bus.node).unwrap().unwrap(),
        Way::Disabled => bus.machine.disable_device(bus.node).unwrap().unwrap(),
        Way::GivenUp => {
            let device = bus.device();
            bus.machine.run(|m| device.set_failed(m, FailedAction::NoRestart)).unwrap();
        }
    }
}

#[test]
fn whatever_state_a_child_is_in_it_ends_once_when_its_bus_goes() {
    use Child::*;
    let children = [
        ("started", Started),
        ("never started", NeverStarted),
        ("disabled", Disabled),
        ("missing", Missing),
        ("ejected", Ejected),
    ];
    let ways = [("uninstalled", Way::Uninstalled), ("disabled", Way::Disabled), ("given up", Way::GivenUp)];
    let mut table = String::new();
    for (state, child) in children {
        for (how, way) in ways {
            let mut bus = with_child(child);
            go(&mut bus, way);
            table += &format!("child {state}, its bus is {how}\n");
            bus.notes().iter().for_each(|note| table += &format!("    {note}\n"));
            bus.end();
        }
    }
    approve!("parents_that_go", table);
}

#[test]
fn a_pdo_that_may_forward_has_as_many_locations_more_as_its_bus_has() {
    let sizes = |forwards| {
        let mut bus = Bus::new(Wanted { forwards, ..Wanted::default() });
        bus.run(|m, list| list.add_or_update(m, 7)).unwrap();
        let (parent, child) = (bus.device(), bus.child(7));
        let sizes = bus.run(|m, _| {
            let (parent, child) = (parent.device_object(m), child.device_object(m));
            (m[parent].stack_size, m[child].stack_size)
        });
        bus.end();
        sizes
    };
    assert_eq!(sizes(false), (2, 1));
    assert_eq!(sizes(true), (2, 3));
}

/// Sends a control request to a child.
fn send(m: &mut Machine, child: Device) -> Irp {
    let top = child.device_object(m);
    let irp = m.allocate_irp(m[top].stack_size).unwrap();
    let location = m[irp].next_mut();
    location.major = Major::InternalDeviceControl;
    let code = IoctlCode(0x0022_0003);
    location.parameters = Parameters::DeviceIoControl { output_length: 0, input_length: 0, code, type3_input: None };
    assert_eq!(irp.call_driver(m, top), STATUS_PENDING);
    irp
}

#[test]
fn a_request_that_is_handed_to_the_bus_is_the_buss_in_a_location_of_its_own() {
    let mut bus = Bus::new(Wanted { forwards: true, ..Wanted::default() });
    bus.run(|m, list| list.add_or_update(m, 7)).unwrap();
    let (parent, child) = (bus.device(), bus.child(7));
    let irp = bus.run(|m, _| send(m, child));
    let [held] = bus.held()[..] else { panic!("the bus holds the request") };
    assert_eq!(bus.run(|m, _| held.queue(m).map(|queue| queue.device(m))), Some(parent));
    assert_eq!((bus.machine[irp].stack_count(), bus.machine[irp].current_location()), (3, 2));
    bus.complete_held();
    assert_eq!(bus.machine[irp].io_status.status, STATUS_SUCCESS);
    bus.end();
}

#[test]
fn an_irp_that_a_child_gives_to_its_buss_queue_goes_on_in_the_buss_location() {
    let dispatches = Some(DispatchIrpFlags::NONE);
    let mut bus = Bus::new(Wanted { forwards: true, dispatches, ..Wanted::default() });
    bus.run(|m, list| list.add_or_update(m, 7)).unwrap();
    let (parent, child) = (bus.device(), bus.child(7));
    let irp = bus.run(|m, _| send(m, child));
    let [held] = bus.held()[..] else { panic!("the bus holds the request") };
    assert_eq!(bus.run(|m, _| held.device(m)), Some(parent), "it was the bus's from the beginning");
    assert_eq!((bus.machine[irp].stack_count(), bus.machine[irp].current_location()), (3, 2));
    let parent = bus.run(|m, _| parent.device_object(m));
    assert_eq!(bus.machine[irp].current().device, Some(parent));
    bus.complete_held();
    assert_eq!(bus.machine[irp].io_status.status, STATUS_SUCCESS);
    bus.end();
}

/// What the verifier says of an IRP that a child gives to its bus's queue.
fn verified(wanted: Wanted) -> (NtStatus, String) {
    let mut bus = Bus::new(wanted);
    bus.run(|m, list| list.add_or_update(m, 7)).unwrap();
    let child = bus.child(7);
    let before = bus.driver.log_sequence(&bus.machine);
    let irp = bus.run(|m, _| {
        let top = child.device_object(m);
        let irp = m.allocate_irp(m[top].stack_size).unwrap();
        m[irp].next_mut().major = Major::InternalDeviceControl;
        irp.call_driver(m, top);
        irp
    });
    let log = bus.driver.log_after(&bus.machine, before);
    let line = log.iter().rev().find(|line| line.function == "Vf_VerifyWdfDeviceWdmDispatchIrpToIoQueue");
    let (status, text) = (bus.machine[irp].io_status.status, line.map(|line| line.message.clone()));
    bus.end();
    (status, text.unwrap_or_default())
}

#[test]
fn the_verifier_asks_whether_the_child_may_and_whether_the_flags_are_known() {
    let dispatches = Some(DispatchIrpFlags::NONE);
    let (status, line) = verified(Wanted { dispatches, ..Wanted::default() });
    assert_eq!(status, STATUS_INVALID_DEVICE_REQUEST);
    assert!(line.starts_with("WdfPdoInitSetForwardRequestToParent not called on Device 0x"), "{line}");
    let dispatches = Some(DispatchIrpFlags(8));
    let (status, line) = verified(Wanted { forwards: true, dispatches, ..Wanted::default() });
    assert_eq!(status, STATUS_INVALID_PARAMETER);
    assert!(line.starts_with("Flags 0x8 are invalid, "), "{line}");
}

#[test]
fn the_verifier_hands_no_reserved_request_to_the_bus() {
    let mut bus = Bus::new(Wanted { forwards: true, ..Wanted::default() });
    bus.run(|m, list| list.add_or_update(m, 7)).unwrap();
    let child = bus.child(7);
    bus.run(|m, _| {
        let queue = child.default_queue(m).unwrap();
        queue.assign_forward_progress_policy(m, ForwardProgressPolicy::always(1)).unwrap();
    });
    let before = bus.driver.log_sequence(&bus.machine);
    bus.machine.fail_allocations_of("FxRequest::_CreateForPackage");
    let irp = bus.run(|m, _| send(m, child));
    assert_eq!(bus.machine[irp].io_status.status, STATUS_INVALID_DEVICE_REQUEST);
    let log = bus.driver.log_after(&bus.machine, before);
    let refusal = log.iter().find(|line| line.function == "FxIoQueue::Vf_VerifyForwardRequestToParent").unwrap();
    assert!(refusal.message.starts_with("Cannot forward reserved WDFREQUEST 0x"), "{refusal}");
    let parent = format!("to a parent WDFDEVICE 0x{:016X}, ", bus.device().object().handle());
    assert!(refusal.message.contains(&parent), "{refusal}");
    assert!(bus.held().is_empty());
    bus.end();
}
