//! A machine with one bus of plain WDM drivers, and a table of the PnP and power IRPs that its stacks see.

use vbus::wdm::{
    CapabilityFlags, DevNode, DeviceObject, DriverObject, FilterStyle, Installation, Irp, Machine, Major, NtStatus,
    Observation, Parameters, PnpMinor, PowerMinor, RelationType, Resource, Step, create_filter,
};

use crate::{bus, function};

/// What the drivers do where they have a choice, and what was seen of them.
#[derive(Default)]
pub struct Bench {
    /// The children that are on the bus, by number.
    pub plugged: Vec<u32>,
    /// Which child has which PDO.
    pub pdos: Vec<(u32, DeviceObject)>,
    /// What a driver fails, by its service name ("pdo" is the bus driver for its children); each entry once.
    pub refusals: Vec<(&'static str, PnpMinor, NtStatus)>,
    /// What children say they can do.
    pub capabilities: CapabilityFlags,
    /// What children say they need.
    pub requirements: Vec<Resource>,
    /// Related children, by the child that is asked.
    pub relations: Vec<(u32, RelationType, Vec<u32>)>,
    /// The PNP_DEVICE_STATE that the function driver adds.
    pub device_state: u64,
    /// The same of the bus.
    pub bus_state: u64,
    /// Whether all children have the same instance id, and whether that has a comma.
    pub twins: bool,
    pub comma_in_instance_id: bool,
    /// Whether the function driver powers its device down and up with the system.
    pub power_policy: bool,
    /// The WAIT_WAKE that the bus holds for a child.
    pub wait_wake: Option<Irp>,
    /// What the function driver wrote down.
    pub notes: Vec<String>,
    /// The bus driver, the function driver and the filter above it.
    pub drivers: Vec<DriverObject>,
    lines: Vec<Line>,
    bus: Option<DevNode>,
}

struct Line {
    irp: Option<Irp>,
    device: String,
    what: String,
    drivers: Vec<String>,
    status: String,
}

/// A machine whose bus is started and empty, with a function driver and a filter above it for its children.
pub fn bench() -> Machine {
    let mut m = Machine::new();
    m.add_extension(Bench::default());
    let bus = bus::driver(&mut m);
    m.install(Installation { hardware_id: "ROOT\\BUS".into(), function: Some(bus), ..Installation::default() });
    let function = function::driver(&mut m, "function");
    let filter = create_filter(&mut m, "filter", FilterStyle::Copy);
    m.extension_mut::<Bench>().drivers = vec![bus, function, filter];
    let installation = Installation {
        hardware_id: "BUS\\Child".into(),
        function: Some(function),
        upper_filters: vec![filter],
        ..Installation::default()
    };
    m.install(installation);
    let node = m.add_root_device("ROOT\\BUS").unwrap();
    m.extension_mut::<Bench>().bus = Some(node);
    m.on_irp_step(seen);
    m
}

pub fn bus_node(m: &Machine) -> DevNode {
    m.extension::<Bench>().bus.unwrap()
}

/// Puts children into the bus's slots, and takes all others out.
pub fn plug(m: &mut Machine, children: &[u32]) {
    m.extension_mut::<Bench>().plugged = children.to_vec();
    let pdo = bus_node(m).pdo(m).unwrap();
    m.run(|m| m.invalidate_device_relations(pdo)).unwrap();
}

pub fn pdo(m: &Machine, child: u32) -> DeviceObject {
    let pdos = &m.extension::<Bench>().pdos;
    pdos.iter().rev().find(|&&(number, _)| number == child).unwrap().1
}

pub fn child(m: &Machine, number: u32) -> DevNode {
    DevNode::of(m, pdo(m, number)).unwrap()
}

/// Lets a driver fail one IRP.
pub fn refuse(m: &mut Machine, driver: &'static str, minor: PnpMinor, status: NtStatus) {
    m.extension_mut::<Bench>().refusals.push((driver, minor, status));
}

pub fn refusal(m: &mut Machine, driver: &str, minor: Option<PnpMinor>) -> Option<NtStatus> {
    let refusals = &mut m.extension_mut::<Bench>().refusals;
    let at = refusals.iter().position(|&(who, what, _)| who == driver && Some(what) == minor)?;
    Some(refusals.remove(at).2)
}

/// Writes something between the IRPs.
pub fn note(m: &mut Machine, text: impl Into<String>) {
    let line = Line { irp: None, device: String::new(), what: text.into(), drivers: Vec::new(), status: String::new() };
    m.extension_mut::<Bench>().lines.push(line);
}

/// The IRPs since the last call, one a line: to which device, what, through which drivers, how it ended.
pub fn take_table(m: &mut Machine) -> String {
    let lines = std::mem::take(&mut m.extension_mut::<Bench>().lines);
    let mut table = String::new();
    for Line { irp, device, what, drivers, status } in lines {
        table += &match irp {
            Some(_) => format!("{device:<8} {what:<58} {:<28} {status}", drivers.join(" ")).trim_end().to_owned(),
            None => format!("-- {what}"),
        };
        table.push('\n');
    }
    table
}

/// The IRPs that a device saw since the last call, without their details.
pub fn take_seen_by(m: &mut Machine, device: &str) -> Vec<String> {
    let lines = std::mem::take(&mut m.extension_mut::<Bench>().lines);
    lines.into_iter().filter(|line| line.device == device).map(|line| line.what).collect()
}

fn seen(m: &mut Machine, seen: Observation) {
    match seen.step {
        Step::Call { device, major: Major::Pnp | Major::Power } => called(m, seen.irp, device),
        Step::Free => {
            let lines = &mut m.extension_mut::<Bench>().lines;
            if let Some(line) = lines.iter_mut().find(|line| line.irp == Some(seen.irp)) {
                line.status = seen.status.name().unwrap_or("?").trim_start_matches("STATUS_").to_lowercase();
            }
        }
        _ => {}
    }
}

fn called(m: &mut Machine, irp: Irp, device: DeviceObject) {
    let driver = match device.driver_name(m) {
        "bus" if device.lower_device(m).is_none() => "pdo".to_owned(),
        name => name.to_owned(),
    };
    let lines = &mut m.extension_mut::<Bench>().lines;
    if let Some(line) = lines.iter_mut().find(|line| line.irp == Some(irp)) {
        return line.drivers.push(driver);
    }
    let location = *m[irp].current();
    let name = match location.major {
        Major::Pnp => PnpMinor::from_code(location.minor).map_or("?", PnpMinor::name),
        _ => PowerMinor::from_number(location.minor.into()).map_or("?", PowerMinor::name),
    };
    let parameters = match location.parameters {
        Parameters::Pnp(parameters) => parameters.to_string(),
        Parameters::Power(parameters) => parameters.to_string(),
        _ => String::new(),
    };
    let what = format!("{} {parameters}", name.trim_start_matches("IRP_MN_")).trim_end().to_owned();
    let device = label(m, device);
    let line = Line { irp: Some(irp), device, what, drivers: vec![driver], status: "pending".to_owned() };
    m.extension_mut::<Bench>().lines.push(line);
}

/// A stack's name in the table.
fn label(m: &Machine, device: DeviceObject) -> String {
    let stack = device.stack(m);
    let of_stack = m.extension::<Bench>().pdos.iter().rev().find(|(_, pdo)| stack.contains(pdo));
    of_stack.map_or_else(|| "bus".to_owned(), |(number, _)| format!("child {number}"))
}

/// What a driver does with an IRP that is not its business.
pub fn pass_down(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    m[irp].skip_current_location();
    let lower = device.lower_device(m).unwrap();
    irp.call_driver(m, lower)
}

/// AddDevice of every driver here.
pub fn add_device(m: &mut Machine, driver: DriverObject, pdo: DeviceObject) -> NtStatus {
    let device = m.create_device(driver);
    device.attach_to_stack(m, pdo).unwrap();
    m[device].initializing = false;
    vbus::wdm::constants::STATUS_SUCCESS
}

/// What a driver does on REMOVE.
pub fn pass_down_and_go(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    let status = pass_down(m, device, irp);
    device.detach(m);
    device.delete(m);
    status
}
