//! Who a device is, which drivers it gets, and what a bus must not report.

use vbus::wdm::constants::*;
use vbus::wdm::{CapabilityFlags, Installation, Machine, NodeState, PnpMinor, PnpRequest, Problem, RelationType, Stop};

use crate::bench::{self, Bench, bench, bus_node, child, plug};
use crate::function;

fn bug_check(m: &mut Machine, code: u32) -> [u64; 4] {
    match m.stopped() {
        Some(Stop::BugCheck(check)) if check.code == code => check.parameters,
        other => panic!("{other:?} is not bug check 0x{code:X}"),
    }
}

/// Asks the bus again, whatever becomes of it.
fn try_to_plug(m: &mut Machine, children: &[u32]) {
    m.extension_mut::<Bench>().plugged = children.to_vec();
    let pdo = bus_node(m).pdo(m).unwrap();
    _ = m.run(|m| m.invalidate_device_relations(pdo));
}

#[test]
fn a_device_is_known_by_everything_that_it_was_asked() {
    let mut m = bench();
    plug(&mut m, &[7]);
    approve!("pnp_device_info", format!("{:#?}", child(&m, 7).info(&m).unwrap()));
}

#[test]
fn an_instance_id_that_is_unique_only_on_its_bus_gets_a_prefix_that_tells_the_buses_apart() {
    let mut m = bench();
    plug(&mut m, &[7]);
    let of_first_bus = child(&m, 7).instance_path(&m);
    assert!(of_first_bus.starts_with("BUS\\Child\\1&") && of_first_bus.ends_with("&0&07"), "{of_first_bus}");
    let second = m.add_root_device("ROOT\\BUS").unwrap();
    let of_second_bus = second.children(&m)[0].instance_path(&m);
    assert!(of_second_bus.ends_with("&0&07") && of_second_bus != of_first_bus, "{of_second_bus}");
    assert_eq!(m.interfaces(function::GUID_CHILD).len(), 2, "each has a link of its own");

    m.extension_mut::<Bench>().capabilities = CapabilityFlags::UNIQUE_ID;
    plug(&mut m, &[8]);
    assert_eq!(child(&m, 8).instance_path(&m), "BUS\\Child\\08");
}

#[test]
fn the_most_specific_id_that_something_is_installed_for_decides() {
    let mut m = bench();
    let drivers = ["generic", "slot"].map(|name| function::driver(&mut m, name));
    let names = |m: &Machine, number| bench::pdo(m, number).top_of_stack(m).driver_name(m).to_owned();
    for (id, driver) in ["BUS\\Generic", "bus\\child&slot_02"].into_iter().zip(drivers) {
        m.install(Installation { hardware_id: id.into(), function: Some(driver), ..Installation::default() });
    }
    plug(&mut m, &[1, 2]);
    assert_eq!([names(&m, 1), names(&m, 2)], ["filter", "slot"], "its own hardware id goes before the common one");
    m.uninstall("BUS\\Child");
    plug(&mut m, &[1, 2, 3]);
    assert_eq!(names(&m, 3), "generic", "a compatible id is better than nothing");
}

#[test]
fn a_bus_can_drive_a_raw_device_alone_and_a_disabled_one_gets_no_drivers() {
    let mut m = bench();
    m.uninstall("BUS\\Child");
    m.extension_mut::<Bench>().capabilities = CapabilityFlags::RAW_DEVICE_OK;
    plug(&mut m, &[1]);
    assert_eq!(child(&m, 1).state(&m), Some(NodeState::Started));
    assert_eq!(bench::pdo(&m, 1).stack(&m).len(), 1);

    let mut m = bench();
    m.extension_mut::<Bench>().capabilities = CapabilityFlags::HARDWARE_DISABLED;
    plug(&mut m, &[1]);
    assert_eq!(child(&m, 1).problem(&m), Some(Problem::HardwareDisabled));
    assert_eq!(bench::pdo(&m, 1).stack(&m).len(), 1);
}

#[test]
fn a_driver_that_fails_add_device_ends_the_building_of_the_stack() {
    let mut m = bench();
    let failing = m.create_driver("failing");
    failing.set_add_device(&mut m, |_, _, _| STATUS_INSUFFICIENT_RESOURCES);
    m.install(Installation { hardware_id: "BUS\\Child".into(), function: Some(failing), ..Installation::default() });
    plug(&mut m, &[1]);
    let node = child(&m, 1);
    assert_eq!(node.state(&m), Some(NodeState::Failed(STATUS_INSUFFICIENT_RESOURCES)));
    assert_eq!(node.problem(&m), Some(Problem::FailedAdd));
}

#[test]
fn two_children_with_the_same_ids_are_bug_check_0xca_1() {
    let mut m = bench();
    m.extension_mut::<Bench>().twins = true;
    plug(&mut m, &[1]);
    let old = bench::pdo(&m, 1).address();
    try_to_plug(&mut m, &[1, 2]);
    let new = bench::pdo(&m, 2).address();
    assert_eq!(bug_check(&mut m, 0xCA), [1, new, old, 0]);
}

#[test]
fn asking_something_for_a_device_that_was_never_reported_is_bug_check_0xca_2() {
    for ask in [Machine::invalidate_device_relations, Machine::invalidate_device_state, Machine::request_device_eject] {
        let mut m = bench();
        plug(&mut m, &[1]);
        let fdo = bus_node(&m).pdo(&m).unwrap().top_of_stack(&m);
        _ = m.run(|m| ask(m, fdo));
        let driver = fdo.driver(&mut m).address();
        assert_eq!(bug_check(&mut m, 0xCA), [2, fdo.address(), driver, 0]);
    }
}

#[test]
fn whoever_plays_the_pnp_manager_hears_what_drivers_ask_for_devices_that_are_not_in_the_tree() {
    let mut m = Machine::new();
    m.add_extension(Vec::<PnpRequest>::new());
    m.on_pnp_request(|m, _, request| m.extension_mut::<Vec<PnpRequest>>().push(request));
    let driver = m.create_driver("bus");
    let pdo = m.create_device(driver);
    m.run(|m| {
        m.invalidate_device_state(pdo);
        m.invalidate_device_relations(pdo);
        let link = m.register_interface(pdo, function::GUID_CHILD, "").unwrap();
        m.set_interface_state(&link, true).unwrap();
        assert_eq!(m.interfaces(function::GUID_CHILD), [link]);
        pdo.delete(m);
    })
    .unwrap();
    let heard = [
        PnpRequest::InvalidateState,
        PnpRequest::InvalidateRelations(RelationType::Bus),
        PnpRequest::RegisterInterface,
        PnpRequest::SetInterfaceState(true),
    ];
    assert_eq!(m.extension::<Vec<PnpRequest>>(), &heard);
    assert_eq!(m.interfaces(function::GUID_CHILD), Vec::<String>::new(), "it went with its device");
}

#[test]
fn an_id_with_a_comma_is_bug_check_0xca_3_with_the_kind_of_id() {
    let mut m = bench();
    m.extension_mut::<Bench>().comma_in_instance_id = true;
    try_to_plug(&mut m, &[1]);
    let pdo = bench::pdo(&m, 1).address();
    assert_eq!(bug_check(&mut m, 0xCA), [3, pdo, 0, 2]);
}

#[test]
fn reporting_a_deleted_pdo_is_bug_check_0xca_4() {
    let mut m = bench();
    m.uninstall("BUS\\Child");
    plug(&mut m, &[1]);
    let pdo = bench::pdo(&m, 1);
    m.run(|m| pdo.delete(m)).unwrap();
    assert!(pdo.exists(&m), "the PnP manager still holds it");
    try_to_plug(&mut m, &[1]);
    assert_eq!(bug_check(&mut m, 0xCA), [4, pdo.address(), 0, 0]);
}

#[test]
fn a_deleted_removal_relation_is_bug_check_0xca_b() {
    let mut m = bench();
    plug(&mut m, &[1, 2]);
    m.extension_mut::<Bench>().relations = vec![(1, RelationType::Removal, vec![2])];
    let (node, related) = (child(&m, 1), bench::pdo(&m, 2));
    m.run(|m| related.delete(m)).unwrap();
    _ = m.remove_device(node);
    assert_eq!(bug_check(&mut m, 0xCA), [0xB, related.address(), 0, 0]);
}

#[test]
fn a_device_that_comes_back_on_its_old_pdo_is_undefined() {
    let mut m = bench();
    plug(&mut m, &[1]);
    let link = m.interfaces(function::GUID_CHILD).remove(0);
    m.create_file(&link, vbus::wdm::OpenOptions::READ_WRITE).unwrap().unwrap();
    plug(&mut m, &[]);
    let pdo = bench::pdo(&m, 1);
    m[pdo].context = 0u32.into();
    try_to_plug(&mut m, &[1]);
    assert!(m.stopped().unwrap().to_string().contains("is reported with a new PDO"));
}

#[test]
fn a_question_that_a_bus_does_not_answer_leaves_nothing_behind() {
    let mut m = bench();
    for minor in [PnpMinor::QueryDeviceText, PnpMinor::QueryBusInformation, PnpMinor::QueryId] {
        bench::refuse(&mut m, "pdo", minor, STATUS_NOT_SUPPORTED);
    }
    plug(&mut m, &[1]);
    let info = child(&m, 1).info(&m).unwrap();
    assert_eq!((info.device_id.as_str(), &info.description, &info.bus), ("", &None, &None));
    assert_eq!(child(&m, 1).state(&m), Some(NodeState::Started), "its hardware ids were answered");
}
