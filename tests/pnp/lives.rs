//! The IRPs of every way that a device's life can take, as the documentation's sequences have them.

use vbus::wdm::constants::*;
use vbus::wdm::{CapabilityFlags, Machine, NodeState, OpenOptions, PnpMinor, Rebalance};

use crate::bench::{self, Bench, bench, bus_node, child, plug, take_table};
use crate::function::GUID_CHILD;

/// A machine with child 1 started, and nothing in its table yet.
fn started() -> Machine {
    let mut m = bench();
    plug(&mut m, &[1]);
    take_table(&mut m);
    m
}

fn state(m: &Machine) -> NodeState {
    child(m, 1).state(m).unwrap()
}

#[test]
fn a_child_appears_is_asked_gets_its_drivers_and_starts() {
    let mut m = bench();
    approve!("pnp_life_bus_appears", take_table(&mut m));
    plug(&mut m, &[1]);
    assert_eq!(state(&m), NodeState::Started);
    approve!("pnp_life_child_appears", take_table(&mut m));
}

#[test]
fn a_device_stops_and_restarts_without_being_asked_again() {
    let mut m = started();
    let node = child(&m, 1);
    m.stop_device(node).unwrap().unwrap();
    assert_eq!(state(&m), NodeState::Stopped);
    bench::note(&mut m, "it is stopped");
    assert_eq!(m.restart_device(node).unwrap(), Some(NodeState::Started));
    approve!("pnp_life_stop_and_restart", take_table(&mut m));
}

#[test]
fn a_rebalance_that_comes_to_nothing_is_cancelled_and_who_refuses_takes_no_part() {
    let mut m = bench();
    plug(&mut m, &[1, 2]);
    take_table(&mut m);
    let nodes = [1, 2].map(|number| child(&m, number));
    bench::refuse(&mut m, "pdo", PnpMinor::QueryStopDevice, STATUS_UNSUCCESSFUL);
    bench::note(&mut m, "child 1 refuses, child 2 is stopped and restarted");
    assert_eq!(m.rebalance(&nodes, Rebalance::Done).unwrap(), [nodes[1]]);
    bench::note(&mut m, "no new resources are found");
    assert_eq!(m.rebalance(&nodes, Rebalance::GivenUp).unwrap(), nodes);
    assert_eq!(nodes.map(|node| node.state(&m)), [Some(NodeState::Started); 2]);
    approve!("pnp_life_rebalance", take_table(&mut m));
}

#[test]
fn a_device_that_fails_to_restart_goes_as_by_surprise() {
    let mut m = started();
    let node = child(&m, 1);
    m.stop_device(node).unwrap().unwrap();
    take_table(&mut m);
    bench::refuse(&mut m, "function", PnpMinor::StartDevice, STATUS_DEVICE_CONFIGURATION_ERROR);
    assert_eq!(m.restart_device(node).unwrap(), Some(NodeState::Failed(STATUS_DEVICE_CONFIGURATION_ERROR)));
    approve!("pnp_life_failed_restart", take_table(&mut m));
}

#[test]
fn a_refused_removal_is_cancelled() {
    let mut m = started();
    let node = child(&m, 1);
    bench::refuse(&mut m, "pdo", PnpMinor::QueryRemoveDevice, STATUS_UNSUCCESSFUL);
    assert_eq!(m.remove_device(node).unwrap(), Err(STATUS_UNSUCCESSFUL));
    assert_eq!(state(&m), NodeState::Started);
    approve!("pnp_life_refused_removal", take_table(&mut m));
}

#[test]
fn an_uninstalled_device_keeps_its_pdo_and_comes_back_with_the_next_enumeration() {
    let mut m = started();
    let (node, pdo) = (child(&m, 1), bench::pdo(&m, 1));
    m.remove_device(node).unwrap().unwrap();
    assert_eq!(state(&m), NodeState::Removed);
    bench::note(&mut m, "the bus is asked again");
    plug(&mut m, &[1]);
    assert_eq!((state(&m), bench::pdo(&m, 1)), (NodeState::Started, pdo));
    approve!("pnp_life_uninstall", take_table(&mut m));
}

#[test]
fn a_disabled_device_stays_down_until_it_is_enabled() {
    let mut m = started();
    let node = child(&m, 1);
    m.disable_device(node).unwrap().unwrap();
    bench::note(&mut m, "the bus is asked again");
    plug(&mut m, &[1]);
    assert_eq!(state(&m), NodeState::Disabled);
    bench::note(&mut m, "it is enabled");
    assert_eq!(m.enable_device(node).unwrap(), Some(NodeState::Started));
    approve!("pnp_life_disable_and_enable", take_table(&mut m));
}

#[test]
fn a_device_that_is_pulled_out_waits_for_its_last_handle() {
    let mut m = started();
    let node = child(&m, 1);
    let link = m.interfaces(GUID_CHILD).remove(0);
    let file = m.create_file(&link, OpenOptions::READ_WRITE).unwrap().unwrap();
    plug(&mut m, &[]);
    assert_eq!(node.state(&m), Some(NodeState::AwaitingClose));
    bench::note(&mut m, "the last handle is closed");
    m.close_handle(file).unwrap();
    assert_eq!(node.state(&m), None);
    approve!("pnp_life_pulled_out", take_table(&mut m));
}

#[test]
fn a_device_is_removed_before_it_is_ejected_and_gone_afterwards() {
    let mut m = bench();
    m.extension_mut::<Bench>().capabilities = CapabilityFlags::EJECT_SUPPORTED | CapabilityFlags::REMOVABLE;
    plug(&mut m, &[1]);
    take_table(&mut m);
    let node = child(&m, 1);
    let pdo = bench::pdo(&m, 1);
    m.run(|m| m.request_device_eject(pdo)).unwrap();
    assert_eq!(node.state(&m), Some(NodeState::HeldForEject));
    bench::note(&mut m, "the bus notices that it is gone");
    plug(&mut m, &[]);
    assert_eq!(node.state(&m), None);
    approve!("pnp_life_eject", take_table(&mut m));
}

#[test]
fn a_device_that_fails_to_start_is_removed_and_stays_on_its_bus() {
    let mut m = bench();
    bench::refuse(&mut m, "function", PnpMinor::StartDevice, STATUS_DEVICE_DATA_ERROR);
    take_table(&mut m);
    plug(&mut m, &[1]);
    assert_eq!(state(&m), NodeState::Failed(STATUS_DEVICE_DATA_ERROR));
    bench::note(&mut m, "the bus is asked again");
    plug(&mut m, &[1]);
    assert_eq!(state(&m), NodeState::Failed(STATUS_DEVICE_DATA_ERROR));
    let table = take_table(&mut m);
    let from_start = table.split_once("FILTER_RESOURCE").unwrap().1;
    approve!("pnp_life_failed_start", format!("... FILTER_RESOURCE{from_start}"));
}

#[test]
fn a_bus_goes_after_its_children_and_takes_their_pdos_along() {
    let mut m = bench();
    plug(&mut m, &[1, 2]);
    take_table(&mut m);
    let bus = bus_node(&m);
    m.remove_device(bus).unwrap().unwrap();
    assert_eq!(m.devnode_count(), 0);
    approve!("pnp_life_bus_removed", take_table(&mut m));
}
