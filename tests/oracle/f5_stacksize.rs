//! StackSize after WdfDeviceCreate, for combinations of options.

use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{DeviceObject, Machine, Major, NtStatus, Stop};

use super::case::{Case, Event};
use super::world::*;

/// The options of a case, and the device that they made.
#[derive(Default)]
struct Wanted {
    filter: bool,
    preprocess: Vec<(&'static str, Major)>,
    remove_lock: bool,
    self_target: bool,
    forward: bool,
    device: Option<Device>,
}

pub fn run(case: &Case) -> Vec<Event> {
    let mut m = machine(Behaviour::succeed(0));
    let preprocess = match case.number_of("preprocess") {
        0 => vec![],
        1 => vec![("INTIOCTL", Major::InternalDeviceControl)],
        2 => vec![("INTIOCTL", Major::InternalDeviceControl), ("IOCTL", Major::DeviceControl)],
        _ => vec![("PNP", Major::Pnp)],
    };
    let wanted = Wanted {
        filter: case.text_of("kind") == "filter",
        preprocess,
        remove_lock: case.is_set("removeLockForIo"),
        self_target: case.is_set("selfIoTarget"),
        forward: case.is_set("forwardToParent"),
        device: None,
    };
    let config = driver_config(case, device_add);
    let driver = Driver::create(&mut m, "oracle", config, Attributes::none().context(wanted));
    let pdo = target_device(&mut m, case.number_of("lowerStack"), "<PDO0>");
    pdo.driver(&mut m).set_major(&mut m, Major::Pnp, pnp_has_nothing_to_say);
    let outcome = match case.text_of("kind") {
        "pdo" | "control" => beside_a_bus(&mut m, case, driver, pdo),
        _ => on_a_stack(&mut m, driver, pdo),
    };
    finish(m, outcome)
}

fn add_device(m: &mut Machine, driver: Driver, pdo: DeviceObject) -> (NtStatus, Option<Device>) {
    let driver_object = driver.driver_object(m);
    let add_device = m[driver_object].add_device.unwrap();
    (add_device(m, driver_object, pdo), driver.context::<Wanted>(m).device)
}

fn on_a_stack(m: &mut Machine, driver: Driver, pdo: DeviceObject) -> Result<(), Stop> {
    start_log(m, driver);
    m.run(|m| {
        let (status, device) = add_device(m, driver, pdo);
        record(m, format!("addDevice {}", hex(status)));
        if let Some(device) = device {
            let device_object = device.device_object(m);
            let (lower, own) = (m[pdo].stack_size, m[device_object].stack_size);
            record(m, format!("stackSize lowerPdo {lower} device {own}"));
        }
    })
}

fn beside_a_bus(m: &mut Machine, case: &Case, driver: Driver, pdo: DeviceObject) -> Result<(), Stop> {
    // The bus is an FDO without options.
    let wanted = std::mem::take(driver.context::<Wanted>(m));
    let bus = m.run(|m| add_device(m, driver, pdo))?.1.unwrap();
    *driver.context::<Wanted>(m) = wanted;
    start_log(m, driver);
    m.run(|m| {
        let control = case.text_of("kind") == "control";
        let init = if control {
            DeviceInit::control(driver, "\\Device\\Oracle")
        } else {
            DeviceInit::pdo_of(m, bus).assign_name("\\Device\\Child")
        };
        let created = create(m, driver, init);
        let kind = if control { "controlCreate" } else { "pdoCreate" };
        record(m, format!("{kind} {}", hex(NtStatus::from(created.map(|_| ())))));
        if let Ok(device) = created {
            let (parent, own) = (bus.device_object(m), device.device_object(m));
            let [lower, parent, own] = [pdo, parent, own].map(|device| m[device].stack_size);
            record(m, format!("stackSize lowerPdo {lower} parent {parent} device {own}"));
        }
    })
}

fn device_add(m: &mut Machine, driver: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let init = if driver.context::<Wanted>(m).filter { init.filter() } else { init };
    let device = create(m, driver, init)?;
    name(m, device.object().handle(), "<DEV>");
    let address = device.device_object(m).address();
    name(m, address, "<FDO>");
    driver.context::<Wanted>(m).device = Some(device);
    Ok(())
}

fn create(m: &mut Machine, driver: Driver, mut init: DeviceInit) -> Result<Device, NtStatus> {
    for (shown, major) in driver.context::<Wanted>(m).preprocess.clone() {
        init = init.preprocess(major, |m, device, irp| {
            m[irp].skip_current_location();
            device.dispatch_preprocessed(m, irp)
        });
        record(m, format!("assignPreprocess {shown} {}", hex(STATUS_SUCCESS)));
    }
    let Wanted { remove_lock, self_target, forward, .. } = *driver.context::<Wanted>(m);
    if remove_lock {
        init = init.remove_lock_for_io();
    }
    if self_target {
        init = init.allow_self_target();
    }
    if forward {
        init = init.allow_forwarding_to_parent();
    }
    init.create(m, Attributes::none())
}
