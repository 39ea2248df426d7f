use super::*;
use crate::device::DriverObject;
use crate::irp::Irp;

/// A function driver that passes every PnP IRP down and, on REMOVE, takes its device off the stack.
fn add_device(m: &mut Machine, driver: DriverObject, pdo: DeviceObject) -> NtStatus {
    let device = m.create_device(driver);
    if let Err(status) = device.attach_to_stack(m, pdo) {
        return status;
    }
    m[device].initializing = false;
    STATUS_SUCCESS
}

fn pass_down(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    let location = m[irp].current();
    let remove = location.major == Major::Pnp && location.minor == PnpMinor::RemoveDevice as u8;
    m[irp].skip_current_location();
    let lower = device.lower_device(m).unwrap();
    let status = irp.call_driver(m, lower);
    if remove {
        device.detach(m);
        device.delete(m);
    }
    status
}

fn function_driver(m: &mut Machine, name: &str) -> DriverObject {
    let driver = m.create_driver(name);
    driver.set_all_majors(m, pass_down);
    driver.set_add_device(m, add_device);
    driver
}

#[test]
fn a_root_device_gets_its_filters_around_its_function_driver_and_each_adds_one_location() {
    let mut machine = Machine::new();
    let installation = Installation {
        hardware_id: "ROOT\\X".into(),
        lower_filters: vec![function_driver(&mut machine, "lower")],
        function: Some(function_driver(&mut machine, "function")),
        upper_filters: vec![function_driver(&mut machine, "upper")],
        ..Installation::default()
    };
    machine.install(installation);
    let node = machine.add_root_device("ROOT\\X").unwrap();
    assert_eq!(node.state(&machine), Some(NodeState::Started));
    let stack = node.pdo(&machine).unwrap().stack(&machine);
    let seen: Vec<_> = stack.iter().map(|device| (device.driver_name(&machine), machine[*device].stack_size)).collect();
    assert_eq!(seen, [("upper", 4), ("function", 3), ("lower", 2), ("PnpManager", 1)]);
}

#[test]
fn removing_a_root_device_leaves_nothing_behind() {
    let mut machine = Machine::new();
    let function = Some(function_driver(&mut machine, "function"));
    machine.install(Installation { hardware_id: "ROOT\\X".into(), function, ..Installation::default() });
    let node = machine.add_root_device("ROOT\\X").unwrap();
    machine.remove_device(node).unwrap().unwrap();
    assert_eq!((machine.devnode_count(), machine.devices.len(), machine.irps.len()), (0, 0, 0));
}

#[test]
fn an_open_handle_vetoes_an_orderly_removal() {
    let mut machine = Machine::new();
    let function = Some(function_driver(&mut machine, "function"));
    machine.install(Installation { hardware_id: "ROOT\\X".into(), function, ..Installation::default() });
    let node = machine.add_root_device("ROOT\\X").unwrap();
    let pdo = node.pdo(&machine).unwrap();
    machine.create_symbolic_link("\\??\\X", pdo).unwrap();
    let file = machine.create_file("\\\\.\\X", crate::file::OpenOptions::READ_WRITE).unwrap().unwrap();
    assert_eq!(machine.remove_device(node).unwrap(), Err(STATUS_DEVICE_BUSY));
    assert_eq!(machine.close_handle(file).unwrap(), STATUS_SUCCESS);
    assert_eq!(machine.close_handle(file).unwrap(), STATUS_INVALID_HANDLE);
    assert_eq!(machine.remove_device(node).unwrap(), Ok(()));
}

#[test]
fn a_device_without_a_driver_stays_present_and_unstarted() {
    let mut machine = Machine::new();
    let node = machine.add_root_device("ROOT\\NOBODY").unwrap();
    assert_eq!(node.state(&machine), Some(NodeState::Present));
}
