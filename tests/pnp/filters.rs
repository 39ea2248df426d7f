//! Filters of a device, of its class, and one that comes late; and interfaces that drivers lend each other.

use vbus::wdm::constants::*;
use vbus::wdm::{
    Context, DeviceObject, FilterStyle, Guid, Installation, Interface, InterfaceQuery, Machine, NtStatus, PnpAnswer,
    PnpMinor, PnpParameters, create_filter,
};

use crate::bench::{bench, child, pdo, plug, take_table};
use crate::bus::{GUID_SLOT_INTERFACE, SlotInterface};
use crate::function;

#[test]
fn class_filters_are_outside_of_the_devices_own() {
    let mut m = bench();
    let mut filter = |name| vec![create_filter(&mut m, name, FilterStyle::Copy)];
    let (lower_filters, lower_class_filters) = (filter("lower"), filter("lower class"));
    let (upper_filters, upper_class_filters) = (filter("upper"), filter("upper class"));
    let function = Some(function::driver(&mut m, "function"));
    let hardware_id = "BUS\\Child".to_owned();
    m.install(Installation {
        hardware_id,
        lower_filters,
        lower_class_filters,
        function,
        upper_filters,
        upper_class_filters,
    });
    plug(&mut m, &[1]);
    let stack = pdo(&m, 1).stack(&m);
    let seen: Vec<_> = stack.iter().map(|device| (device.driver_name(&m), m[*device].stack_size)).collect();
    assert_eq!(seen, [("upper class", 6), ("upper", 5), ("function", 4), ("lower class", 3), ("lower", 2), ("bus", 1)]);
}

#[test]
fn a_filter_that_attaches_to_a_running_stack_sees_the_close_of_its_own_attaching_and_every_irp_after() {
    let mut m = bench();
    plug(&mut m, &[1]);
    m.create_symbolic_link("\\??\\Child", pdo(&m, 1)).unwrap();
    take_table(&mut m);
    m.watch_irps();
    let late = create_filter(&mut m, "late", FilterStyle::Copy);
    let filter = m.create_device(late);
    let below = m.run(|m| filter.attach_by_name(m, "\\??\\Child")).unwrap().unwrap();
    assert_eq!((below.driver_name(&m), m[below].stack_size, m[filter].stack_size), ("filter", 3, 4));
    let calls: Vec<_> = m
        .take_observations()
        .into_iter()
        .filter_map(|seen| match seen.step {
            vbus::wdm::Step::Call { device, major } => Some(format!("{} {}", device.driver_name(&m), major.name())),
            _ => None,
        })
        .collect();
    assert_eq!(
        calls,
        [
            "filter IRP_MJ_CREATE",
            "function IRP_MJ_CREATE",
            "late IRP_MJ_CLEANUP",
            "filter IRP_MJ_CLEANUP",
            "function IRP_MJ_CLEANUP",
            "late IRP_MJ_CLOSE",
            "filter IRP_MJ_CLOSE",
            "function IRP_MJ_CLOSE"
        ]
    );
    m[filter].initializing = false;
    assert_eq!(m.run(|m| filter.attach_by_name(m, "\\??\\Nothing")).unwrap(), Err(STATUS_OBJECT_NAME_NOT_FOUND));

    let node = child(&m, 1);
    m.remove_device(node).unwrap().unwrap();
    assert_eq!(pdo(&m, 1).stack(&m).len(), 1, "the late filter left with the others");
}

fn ask(m: &mut Machine, device: DeviceObject, interface: &'static Guid) -> Result<Interface, NtStatus> {
    let query = InterfaceQuery { interface, size: 40, version: 1, specific_data: Context(0) };
    let empty = PnpAnswer::Interface(Interface { size: 40, version: 1, ..Interface::default() });
    let minor = PnpMinor::QueryInterface;
    match device.send_pnp(m, minor, PnpParameters::Interface(query), empty) {
        (status, PnpAnswer::Interface(interface)) => status.status.ok().map(|()| interface),
        (status, _) => Err(status.status),
    }
}

#[test]
fn a_driver_borrows_an_interface_from_the_bus_below_it() {
    static GUID_UNKNOWN: Guid = Guid(5);
    let mut m = bench();
    plug(&mut m, &[3]);
    take_table(&mut m);
    let top = pdo(&m, 3).top_of_stack(&m);
    m.run(|m| {
        assert_eq!(ask(m, top, &GUID_UNKNOWN).unwrap_err(), STATUS_NOT_SUPPORTED);
        let interface = ask(m, top, &GUID_SLOT_INTERFACE).unwrap();
        let slot = interface.routines::<SlotInterface>().unwrap();
        assert!(interface.routines::<u32>().is_none(), "it is of the type that both know");
        assert_eq!((slot.number)(m, interface.context), 3);
        interface.dereference.unwrap()(m, interface.context);
    })
    .unwrap();
    approve!("pnp_query_interface", take_table(&mut m));
}
