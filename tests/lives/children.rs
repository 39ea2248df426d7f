//! Dynamic child lists: what each call says, what the PnP manager makes of it, and what becomes of the children.

use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{DevNode, NodeState};

use crate::bus::{Bus, Wanted};

fn plain() -> Bus {
    Bus::new(Wanted::default())
}

/// A bus with these children.
fn with(children: &[u64]) -> Bus {
    let mut bus = plain();
    for &child in children {
        bus.run(|m, list| list.add_or_update(m, child)).unwrap();
    }
    bus.notes();
    bus
}

#[test]
fn a_child_that_is_added_is_created_when_the_pnp_manager_asks_and_started() {
    let mut bus = plain();
    bus.run(|m, list| {
        list.add_or_update(m, 7).unwrap();
        assert_eq!(list.child(m, 7).map(|child| child.state), Some(ChildState::NotCreatedYet));
    });
    assert_eq!(bus.notes(), ["EvtChildListCreateDevice(7)", "child 7: EvtDeviceD0Entry"]);
    assert_eq!(bus.listed(), ["BUS\\Child\\7"]);
    let child = bus.child(7);
    let state = bus.run(|m, list| list.child(m, 7).map(|child| child.state));
    assert_eq!(state, Some(ChildState::Created(child)));
    bus.end();
}

#[test]
fn adding_what_is_there_is_no_news() {
    let mut bus = with(&[7]);
    assert_eq!(bus.run(|m, list| list.add_or_update(m, 7)), Err(STATUS_OBJECT_NAME_EXISTS));
    assert_eq!(bus.notes(), [""; 0]);
    bus.end();
}

#[test]
fn what_was_never_added_cannot_go_missing() {
    let mut bus = plain();
    assert_eq!(bus.run(|m, list| list.update_as_missing(m, 7)), Err(STATUS_NO_SUCH_DEVICE));
    bus.end();
}

#[test]
fn a_child_that_goes_missing_before_anybody_asked_was_never_there() {
    let mut bus = plain();
    bus.run(|m, list| {
        list.add_or_update(m, 7).unwrap();
        list.update_as_missing(m, 7).unwrap();
    });
    assert_eq!(bus.notes(), [""; 0]);
    assert_eq!(bus.listed(), [""; 0]);
    bus.end();
}

#[test]
fn a_child_that_goes_missing_is_surprise_removed_and_deleted_in_its_removal() {
    let mut bus = with(&[7]);
    bus.run(|m, list| list.update_as_missing(m, 7)).unwrap();
    let notes = [
        "child 7: EvtDeviceReportedMissing",
        "child 7: EvtDeviceSurpriseRemoval",
        "child 7: EvtDeviceD0Exit",
        "child 7: EvtCleanup",
        "child 7: EvtDestroy",
    ];
    assert_eq!(bus.notes(), notes);
    assert_eq!(bus.run(|m, list| list.child(m, 7)), None);
    bus.end();
}

#[test]
fn a_child_comes_back_while_the_old_one_is_still_there() {
    let mut bus = with(&[7]);
    let old = bus.child(7);
    bus.run(|m, list| {
        list.update_as_missing(m, 7).unwrap();
        list.add_or_update(m, 7).unwrap();
    });
    let notes = bus.notes();
    assert_eq!(notes[..2], ["EvtChildListCreateDevice(7)", "child 7: EvtDeviceReportedMissing"]);
    assert_ne!(bus.child(7), old);
    assert_eq!(bus.listed(), ["BUS\\Child\\7"]);
    bus.end();
}

#[test]
fn after_a_scan_whoever_was_not_named_is_missing() {
    let mut bus = with(&[1, 2, 3]);
    bus.run(|m, list| {
        list.begin_scan(m);
        _ = list.add_or_update(m, 2);
        list.add_or_update(m, 4).unwrap();
        assert_eq!(list.present_children(m), [1, 2, 3], "nothing changes inside a scan");
        list.end_scan(m);
    });
    assert_eq!(bus.listed(), ["BUS\\Child\\2", "BUS\\Child\\4"]);
    bus.end();
}

#[test]
fn a_scan_may_keep_everybody() {
    let mut bus = with(&[1, 2]);
    bus.run(|m, list| {
        list.begin_scan(m);
        list.update_all_as_present(m);
        list.end_scan(m);
    });
    assert_eq!(bus.notes(), [""; 0]);
    assert_eq!(bus.listed().len(), 2);
    bus.end();
}

#[test]
fn only_the_outermost_scan_sweeps() {
    let mut bus = with(&[1, 2]);
    bus.run(|m, list| {
        list.begin_scan(m);
        list.begin_scan(m);
        list.end_scan(m);
        assert_eq!(list.present_children(m), [1, 2]);
        list.end_scan(m);
    });
    assert_eq!(bus.listed(), [""; 0]);
    bus.end();
}

#[test]
fn an_iteration_sees_the_kinds_it_asked_for_in_the_order_of_adding() {
    let mut bus = with(&[3, 1, 2]);
    bus.run(|m, list| {
        list.update_as_missing(m, 1).unwrap();
        list.add_or_update(m, 9).unwrap();
        let mut seen = |which| {
            let mut iteration = list.begin_iteration(m, which);
            let mut children = Vec::new();
            let end = loop {
                match list.next_device(m, &mut iteration) {
                    Ok(found) => children.push(found.child),
                    Err(status) => break status,
                }
            };
            list.end_iteration(m, iteration);
            assert_eq!(end, STATUS_NO_MORE_ENTRIES);
            children
        };
        assert_eq!(seen(Which::PRESENT), [3, 2]);
        assert_eq!(seen(Which::MISSING), [1]);
        assert_eq!(seen(Which::PENDING), [9]);
        assert_eq!(seen(Which::ALL), [3, 1, 2, 9]);
    });
    bus.end();
}

#[test]
fn a_child_that_cannot_be_created_is_dropped_and_the_others_go_on() {
    let mut bus = Bus::new(Wanted { refuses: Some((1, STATUS_INSUFFICIENT_RESOURCES)), ..Wanted::default() });
    bus.run(|m, list| {
        list.add_or_update(m, 1).unwrap();
        list.add_or_update(m, 2).unwrap();
    });
    assert_eq!(bus.listed(), ["BUS\\Child\\2"]);
    assert_eq!(bus.run(|m, list| list.update_as_missing(m, 1)), Err(STATUS_NO_SUCH_DEVICE));
    bus.end();
}

#[test]
fn the_bus_looks_for_children_when_it_is_up() {
    let mut bus = Bus::new(Wanted { finds: &[1, 2], ..Wanted::default() });
    assert_eq!(bus.listed(), ["BUS\\Child\\1", "BUS\\Child\\2"]);
    assert_eq!(bus.notes()[0], "EvtChildListCreateDevice(1)");
    bus.end();
}

#[test]
fn a_list_with_addresses_takes_a_new_address_at_once() {
    let mut bus = Bus::new(Wanted { addresses: true, ..Wanted::default() });
    bus.run(|m, list| list.add_or_update_at(m, 7, 0x10)).unwrap();
    let child = bus.child(7);
    bus.run(|m, list| {
        assert_eq!(list.add_or_update_at(m, 7, 0x20), Err(STATUS_OBJECT_NAME_EXISTS));
        assert_eq!(list.address(m, 7), Ok(0x20));
        assert_eq!(child.address(m), Ok(0x20));
        child.update_address(m, 0x30).unwrap();
        assert_eq!(list.address(m, 7), Ok(0x30));
    });
    bus.end();
}

#[test]
fn a_child_knows_its_parent_and_which_one_it_is() {
    let mut bus = with(&[7]);
    let (device, child) = (bus.device(), bus.child(7));
    bus.run(|m, _| {
        assert_eq!(child.parent(m), Some(device));
        assert_eq!(child.identification(m), Ok(7));
    });
    bus.end();
}

#[test]
fn an_ejected_child_is_removed_asked_to_eject_and_reported_missing() {
    let mut bus = with(&[7]);
    assert!(bus.run(|m, list| list.request_eject(m, 7)));
    let notes = [
        "child 7: EvtDeviceD0Exit",
        "child 7: EvtDeviceEject",
        "child 7: EvtDeviceReportedMissing",
        "child 7: EvtCleanup",
        "child 7: EvtDestroy",
    ];
    assert_eq!(bus.notes(), notes);
    bus.end();
}

#[test]
fn a_disabled_child_keeps_its_pdo_and_starts_again_on_it() {
    let mut bus = with(&[7]);
    let child = bus.child(7);
    let pdo = bus.run(|m, _| child.device_object(m));
    let node = DevNode::of(&bus.machine, pdo).unwrap();
    bus.machine.disable_device(node).unwrap().unwrap();
    assert_eq!(bus.notes(), ["child 7: EvtDeviceD0Exit"], "it is still on the bus");
    bus.machine.enable_device(node).unwrap();
    assert_eq!(node.state(&bus.machine), Some(NodeState::Started));
    assert_eq!(bus.notes(), ["child 7: EvtDeviceD0Entry"]);
    assert_eq!(bus.child(7), child);
    bus.end();
}

#[test]
fn children_go_before_their_bus() {
    let mut bus = with(&[1, 2]);
    bus.machine.remove_device(bus.node).unwrap().unwrap();
    let notes = bus.notes();
    let ends: Vec<_> = notes.iter().filter(|note| note.contains("EvtDestroy")).collect();
    assert_eq!(ends.len(), 2, "{notes:?}");
    bus.end();
}

#[test]
fn children_of_a_bus_that_sleeps_sleep_first_and_wake_after_it() {
    let mut bus = with(&[1]);
    bus.machine.sleep(vbus::wdm::SystemPowerState::Sleeping3).unwrap().unwrap();
    assert_eq!(bus.notes(), ["child 1: EvtDeviceD0Exit"]);
    bus.machine.wake().unwrap();
    assert_eq!(bus.notes(), ["child 1: EvtDeviceD0Entry"]);
    bus.end();
}
