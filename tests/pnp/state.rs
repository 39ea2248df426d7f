//! IoInvalidateDeviceState: what the PnP manager makes of a device's PNP_DEVICE_STATE.

use vbus::wdm::constants::*;
use vbus::wdm::{Irql, Machine, NodeState, PnpDeviceState, PnpMinor, Problem, Resource, ResourceKind, UsageType};

use crate::bench::{self, Bench, bench, child, plug, take_seen_by, take_table};

/// Child 1, started, whose drivers then say how it is.
fn says(state: PnpDeviceState) -> Machine {
    let mut m = bench();
    plug(&mut m, &[1]);
    take_table(&mut m);
    m.extension_mut::<Bench>().device_state = state.bits().into();
    let pdo = bench::pdo(&m, 1);
    m.run(|m| m.invalidate_device_state(pdo)).unwrap();
    m
}

const REMOVED: [&str; 4] =
    ["QUERY_PNP_DEVICE_STATE", "QUERY_DEVICE_RELATIONS RemovalRelations", "SURPRISE_REMOVAL", "REMOVE_DEVICE"];

#[test]
fn a_failed_device_goes_as_by_surprise_and_has_problem_code_43() {
    let mut m = says(PnpDeviceState::FAILED);
    assert_eq!(take_seen_by(&mut m, "child 1"), REMOVED);
    let node = child(&m, 1);
    assert_eq!(node.state(&m), Some(NodeState::Failed(STATUS_UNSUCCESSFUL)));
    assert_eq!(node.problem(&m), Some(Problem::FailedPostStart));
    assert_eq!(Problem::FailedPostStart as u8, 43);
}

#[test]
fn a_removed_device_goes_the_same_way_and_comes_back_if_its_bus_still_has_it() {
    let mut m = says(PnpDeviceState::REMOVED);
    assert_eq!(take_seen_by(&mut m, "child 1"), REMOVED);
    assert_eq!(child(&m, 1).state(&m), Some(NodeState::Removed));
    m.extension_mut::<Bench>().device_state = 0;
    plug(&mut m, &[1]);
    assert_eq!(child(&m, 1).state(&m), Some(NodeState::Started));
}

#[test]
fn what_is_only_shown_to_users_is_remembered_and_nothing_follows() {
    let shown = PnpDeviceState::DISABLED | PnpDeviceState::DONT_DISPLAY_IN_UI | PnpDeviceState::DISCONNECTED;
    let mut m = says(shown);
    assert_eq!(take_seen_by(&mut m, "child 1"), ["QUERY_PNP_DEVICE_STATE"]);
    let node = child(&m, 1);
    assert_eq!((node.state(&m), node.info(&m).unwrap().device_state), (Some(NodeState::Started), shown));
}

#[test]
fn a_device_that_needs_other_resources_is_started_on_top_and_a_failed_one_is_stopped_before() {
    let changed = PnpDeviceState::RESOURCE_REQUIREMENTS_CHANGED;
    let mut m = says(changed);
    let anew = ["QUERY_RESOURCE_REQUIREMENTS", "FILTER_RESOURCE_REQUIREMENTS"];
    assert_eq!(take_seen_by(&mut m, "child 1"), [&["QUERY_PNP_DEVICE_STATE"], &anew[..], &["START_DEVICE"]].concat());
    assert_eq!(child(&m, 1).state(&m), Some(NodeState::Started));

    let mut m = says(changed | PnpDeviceState::FAILED);
    let stopped = [&["QUERY_PNP_DEVICE_STATE", "QUERY_STOP_DEVICE"], &anew[..], &["STOP_DEVICE", "START_DEVICE"]];
    assert_eq!(take_seen_by(&mut m, "child 1"), stopped.concat());
    assert_eq!(child(&m, 1).state(&m), Some(NodeState::Started));
}

#[test]
fn start_assigns_what_the_bus_says_is_needed() {
    let mut m = bench();
    let registers = Resource { kind: ResourceKind::Memory, start: 0xFED0_0000, length: 0x1000 };
    m.extension_mut::<Bench>().requirements = vec![registers];
    plug(&mut m, &[1]);
    assert_eq!(child(&m, 1).info(&m).unwrap().requirements, [registers]);
    assert_eq!(m.extension::<Bench>().notes, [format!("started with [{registers:?}]")]);
}

#[test]
fn a_device_that_says_at_once_that_it_failed_is_not_asked_for_children() {
    let mut m = bench();
    m.extension_mut::<Bench>().device_state = PnpDeviceState::FAILED.bits().into();
    plug(&mut m, &[1]);
    let seen = take_seen_by(&mut m, "child 1");
    assert!(!seen.iter().any(|irp| irp.contains("BusRelations")), "{seen:?}");
    assert_eq!(child(&m, 1).problem(&m), Some(Problem::FailedPostStart));
}

#[test]
fn a_device_can_be_invalidated_at_dispatch_level_and_is_asked_later() {
    let mut m = bench();
    plug(&mut m, &[1]);
    take_table(&mut m);
    let pdo = bench::pdo(&m, 1);
    m.run(|m| {
        m.set_irql(Irql::Dispatch);
        m.invalidate_device_state(pdo);
        assert_eq!(take_seen_by(m, "child 1"), [""; 0]);
        m.set_irql(Irql::Passive);
    })
    .unwrap();
    assert_eq!(take_seen_by(&mut m, "child 1"), ["QUERY_PNP_DEVICE_STATE"]);
}

#[test]
fn usage_notifications_and_locks_go_through_the_whole_stack() {
    let mut m = bench();
    plug(&mut m, &[1]);
    take_table(&mut m);
    let node = child(&m, 1);
    bench::refuse(&mut m, "function", PnpMinor::DeviceUsageNotification, STATUS_NOT_SUPPORTED);
    assert_eq!(m.notify_usage(node, UsageType::Paging, true).unwrap(), STATUS_NOT_SUPPORTED);
    assert_eq!(m.notify_usage(node, UsageType::DumpFile, true).unwrap(), STATUS_SUCCESS);
    assert_eq!(m.notify_usage(node, UsageType::DumpFile, false).unwrap(), STATUS_SUCCESS);
    assert_eq!(m.lock_device(node, true).unwrap(), STATUS_SUCCESS);
    assert_eq!(m.lock_device(node, false).unwrap(), STATUS_SUCCESS);
    approve!("pnp_usage_and_locks", take_table(&mut m));
}
