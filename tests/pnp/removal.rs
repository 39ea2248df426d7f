//! Who goes along with a removed device, and who can refuse it.

use vbus::wdm::constants::*;
use vbus::wdm::{
    CapabilityFlags, DevNode, Machine, NodeState, OpenOptions, PnpDeviceState, PnpMinor, Problem, RelationType,
    VetoType,
};

use crate::bench::{self, Bench, bench, bus_node, child, plug, take_table};
use crate::function::GUID_CHILD;

fn with_children(children: &[u32]) -> Machine {
    let mut m = bench();
    plug(&mut m, children);
    take_table(&mut m);
    m
}

fn veto(m: &Machine) -> (VetoType, &str) {
    let veto = m.last_veto().unwrap();
    (veto.kind, veto.name.as_str())
}

#[test]
fn removal_relations_go_along_and_stay_on_their_bus() {
    let mut m = with_children(&[1, 2, 3]);
    m.extension_mut::<Bench>().relations = vec![(1, RelationType::Removal, vec![3])];
    let [first, second, third] = [1, 2, 3].map(|number| child(&m, number));
    m.remove_device(first).unwrap().unwrap();
    let states = [first, second, third].map(|node| node.state(&m).unwrap());
    assert_eq!(states, [NodeState::Removed, NodeState::Started, NodeState::Removed]);
    approve!("pnp_removal_relations", take_table(&mut m));
}

#[test]
fn relations_that_point_at_each_other_are_asked_once() {
    let mut m = with_children(&[1, 2]);
    let relations = vec![(1, RelationType::Removal, vec![2]), (2, RelationType::Removal, vec![1])];
    m.extension_mut::<Bench>().relations = relations;
    let node = child(&m, 2);
    m.remove_device(node).unwrap().unwrap();
    assert_eq!([1, 2].map(|number| child(&m, number).state(&m).unwrap()), [NodeState::Removed; 2]);
}

#[test]
fn ejection_relations_are_removed_and_not_ejected() {
    let mut m = bench();
    m.extension_mut::<Bench>().capabilities = CapabilityFlags::EJECT_SUPPORTED;
    plug(&mut m, &[1, 2]);
    m.extension_mut::<Bench>().relations = vec![(1, RelationType::Ejection, vec![2])];
    take_table(&mut m);
    let nodes = [1, 2].map(|number| child(&m, number));
    m.eject_device(nodes[0]).unwrap().unwrap();
    assert_eq!(nodes.map(|node| node.state(&m).unwrap()), [NodeState::HeldForEject, NodeState::Removed]);
    assert_eq!(nodes[0].problem(&m), Some(Problem::HeldForEject));
    approve!("pnp_ejection_relations", take_table(&mut m));
}

#[test]
fn a_device_that_cannot_be_ejected_is_held_without_an_eject_irp() {
    let mut m = with_children(&[1]);
    let node = child(&m, 1);
    m.eject_device(node).unwrap().unwrap();
    assert_eq!(node.state(&m), Some(NodeState::HeldForEject));
    assert!(!take_table(&mut m).contains("EJECT"));
    plug(&mut m, &[1]);
    assert_eq!(node.state(&m), Some(NodeState::HeldForEject), "until somebody takes it out");
    plug(&mut m, &[]);
    plug(&mut m, &[1]);
    assert_eq!(child(&m, 1).state(&m), Some(NodeState::Started));
}

#[test]
fn a_veto_says_what_it_was_and_where_it_came_from() {
    let mut m = with_children(&[1]);
    let (bus, node) = (bus_node(&m), child(&m, 1));
    let path = node.instance_path(&m);
    bench::refuse(&mut m, "function", PnpMinor::QueryRemoveDevice, STATUS_DEVICE_NOT_READY);
    assert_eq!(m.remove_device(bus).unwrap(), Err(STATUS_DEVICE_NOT_READY));
    assert_eq!(veto(&m), (VetoType::Device, &*path));

    let link = m.interfaces(GUID_CHILD).remove(0);
    let file = m.create_file(&link, OpenOptions::READ_WRITE).unwrap().unwrap();
    assert_eq!(m.disable_device(bus).unwrap(), Err(STATUS_DEVICE_BUSY));
    assert_eq!(veto(&m), (VetoType::OutstandingOpen, &*path));

    plug(&mut m, &[]);
    assert_eq!(m.remove_device(bus).unwrap(), Err(STATUS_DEVICE_BUSY));
    assert_eq!(veto(&m), (VetoType::PendingClose, &*path));
    m.close_handle(file).unwrap();
    assert_eq!(m.remove_device(bus).unwrap(), Ok(()));
    assert_eq!(m.devnode_count(), 0);
}

#[test]
fn everybody_that_was_asked_hears_that_a_removal_is_cancelled_and_nobody_else() {
    let mut m = with_children(&[1, 2, 3]);
    bench::refuse(&mut m, "pdo", PnpMinor::QueryRemoveDevice, STATUS_UNSUCCESSFUL);
    let relations = vec![(3, RelationType::Removal, vec![1, 2])];
    m.extension_mut::<Bench>().relations = relations;
    let node = child(&m, 3);
    assert_eq!(m.remove_device(node).unwrap(), Err(STATUS_UNSUCCESSFUL), "child 3 itself is asked first");
    let cancelled = |m: &mut Machine| take_table(m).matches("CANCEL_REMOVE").count();
    assert_eq!(cancelled(&mut m), 1);

    let link = m.interfaces(GUID_CHILD).remove(1);
    let file = m.create_file(&link, OpenOptions::READ_WRITE).unwrap().unwrap();
    assert_eq!(m.remove_device(node).unwrap(), Err(STATUS_DEVICE_BUSY), "child 2 is open");
    assert_eq!(cancelled(&mut m), 3);
    m.close_handle(file).unwrap();
    assert_eq!(m.remove_device(node).unwrap(), Ok(()));
}

#[test]
fn a_device_that_must_not_be_disabled_keeps_its_bus_enabled_too() {
    let mut m = bench();
    m.extension_mut::<Bench>().device_state = PnpDeviceState::NOT_DISABLEABLE.bits().into();
    plug(&mut m, &[1]);
    let (bus, node) = (bus_node(&m), child(&m, 1));
    for refused in [node, bus] {
        assert!(!refused.is_disableable(&m));
        assert_eq!(m.disable_device(refused).unwrap(), Err(STATUS_PLUGPLAY_QUERY_VETOED));
        assert_eq!(veto(&m), (VetoType::NonDisableable, &*refused.instance_path(&m)));
    }
    assert_eq!(m.remove_device(bus).unwrap(), Err(STATUS_PLUGPLAY_QUERY_VETOED), "a root device is not uninstalled");

    m.extension_mut::<Bench>().device_state = 0;
    let pdo = bench::pdo(&m, 1);
    m.run(|m| m.invalidate_device_state(pdo)).unwrap();
    assert_eq!(m.disable_device(bus).unwrap(), Ok(()));
    assert_eq!((bus.state(&m), bus.problem(&m)), (Some(NodeState::Disabled), Some(Problem::Disabled)));
    assert_eq!(bus.children(&m), Vec::<DevNode>::new());
    m.extension_mut::<Bench>().plugged = vec![4];
    assert_eq!(m.enable_device(bus).unwrap(), Some(NodeState::Started));
    assert_eq!(child(&m, 4).state(&m), Some(NodeState::Started));
}

#[test]
fn a_disabled_device_is_asked_before_its_bus_goes_and_a_device_without_drivers_is_not() {
    let mut m = with_children(&[1]);
    let node = child(&m, 1);
    m.disable_device(node).unwrap().unwrap();
    m.uninstall("BUS\\Child");
    plug(&mut m, &[1, 2]);
    assert_eq!(
        (child(&m, 2).state(&m), child(&m, 2).problem(&m)),
        (Some(NodeState::Present), Some(Problem::FailedInstall))
    );
    take_table(&mut m);
    let bus = bus_node(&m);
    m.remove_device(bus).unwrap().unwrap();
    approve!("pnp_removal_of_idle_children", take_table(&mut m));
}

#[test]
fn a_bus_that_is_pulled_out_goes_when_the_last_handle_below_it_is_closed() {
    let mut m = with_children(&[1, 2]);
    let (bus, link) = (bus_node(&m), m.interfaces(GUID_CHILD).remove(0));
    let file = m.create_file(&link, OpenOptions::READ_WRITE).unwrap().unwrap();
    let pdo = bus.pdo(&m).unwrap();
    m.extension_mut::<Bench>().bus_state = PnpDeviceState::REMOVED.bits().into();
    m.run(|m| m.invalidate_device_state(pdo)).unwrap();
    assert_eq!(bus.state(&m), Some(NodeState::AwaitingClose));
    assert_eq!(bus.children(&m).len(), 1, "child 2 is gone already");
    bench::note(&mut m, "child 1 is closed");
    m.close_handle(file).unwrap();
    assert_eq!((bus.state(&m), m.devnode_count()), (Some(NodeState::Removed), 1));
    approve!("pnp_removal_of_a_pulled_bus", take_table(&mut m));
}
