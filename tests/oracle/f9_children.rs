//! The children of a bus: lists, scans, iterations, every state in which a child can be when something happens to it or
//! to its parent.

use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{
    BusInformation, CapabilityFlags, DeviceObject, Guid, IdType, Machine, NtStatus, PnpAnswer, PnpMinor, PnpParameters,
    RelationType, TextType,
};

use super::case::{Case, Event};
use super::f9_target;
use super::lives::{self, Lives, asked, lower, send_and_record};
use super::world::*;

/// What a case asks of its drivers, and what there is.
#[derive(Default)]
pub struct Scene {
    wanted: Wanted,
    bus: Option<Device>,
    /// The children's PDOs and devices, by id.
    children: [Option<(Device, DeviceObject)>; 4],
    /// What gives a child its queue, if somebody else has to say.
    kid_queue: Option<MakeQueue>,
}

type MakeQueue = fn(&mut Machine, Device) -> Result<(), NtStatus>;

impl Scene {
    /// The scene of a case about targets of children.
    pub fn for_targets(raw: bool, kid_queue: MakeQueue) -> Scene {
        let wanted = Wanted { raw, ..Wanted::default() };
        Scene { wanted, kid_queue: Some(kid_queue), ..Scene::default() }
    }
}

#[derive(Clone, Default)]
struct Wanted {
    addresses: bool,
    raw: bool,
    callbacks: bool,
    create_fails: String,
}

pub fn run(case: &Case) -> Vec<Event> {
    if case.text_of("part") == "target" {
        return f9_target::run(case);
    }
    let mut m = machine(Behaviour::succeed(0));
    let wanted = Wanted {
        addresses: case.is_set("addressDescription"),
        raw: case.is_set("raw"),
        callbacks: case.is_set("pdoCallbacks"),
        create_fails: case.text_of("createFails").to_owned(),
    };
    m.add_extension(Lives::default());
    m.add_extension(Scene { wanted, ..Scene::default() });
    let driver = Driver::create(&mut m, "oracle", driver_config(case, device_add), Attributes::none());
    name(&mut m, driver.object().handle(), "<DRIVER>");
    name(&mut m, driver.object().address(), "<DRIVER.obj>");
    name(&mut m, driver.globals_address(), "<FXGLOBALS>");
    let outcome = m.run(|m| {
        make_bus(m, driver);
        for step in case.text_of("script").split(' ').filter(|step| !step.is_empty()) {
            play(m, step);
            m.run_ready();
        }
    });
    finish(m, outcome)
}

fn scene(m: &mut Machine) -> &mut Scene {
    m.extension_mut::<Scene>()
}

pub fn bus(m: &mut Machine) -> Device {
    scene(m).bus.unwrap()
}

/// A child's device and PDO.
pub fn child(m: &mut Machine, id: usize) -> Option<(Device, DeviceObject)> {
    scene(m).children[id]
}

fn bus_object(m: &mut Machine) -> DeviceObject {
    let bus = bus(m);
    bus.device_object(m)
}

fn list(m: &mut Machine) -> ChildList {
    let bus = bus(m);
    bus.default_child_list(m).unwrap()
}

/// The bus is added before anything is written down.
pub fn make_bus(m: &mut Machine, driver: Driver) {
    let bottom = target_device(m, 1, "<BUSPDO>");
    bottom.driver(m).set_all_majors(m, lower);
    record_frees(m);
    m.on_pnp_request(asked);
    let status = without_traces(m, |m| add_device_to(m, driver, bottom));
    assert_eq!(status, STATUS_SUCCESS, "the bus of a case is added");
    start(m, driver);
}

pub fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let addresses = scene(m).wanted.addresses;
    let config = ChildListConfig { scan: Some(scanning), addresses, ..ChildListConfig::new(create_listed) };
    let attributes = Attributes::none().context(()).on_cleanup(cleaned_up).on_destroy(destroyed);
    let bus = init.child_list(config).create(m, attributes)?;
    scene(m).bus = Some(bus);
    let bus_object = bus.device_object(m);
    name(m, bus.object().handle(), "<BUS>");
    name(m, bus_object.address(), "<BUSFDO>");
    let target = vbus::wdf::layer::default_target(m, bus).unwrap();
    name(m, target.handle(), "<BUSTGT>");
    let list = bus.default_child_list(m).unwrap();
    name(m, list.object().handle(), "<KIDLIST>");
    name(m, list.object().address(), "<KIDLIST.obj>");
    if scene(m).wanted.callbacks {
        let bus_type = Guid(0x1111);
        bus.set_bus_information_for_children(m, BusInformation { bus_type, legacy_type: 15, number: 0 });
    }
    Ok(())
}

fn scanning(m: &mut Machine, _: ChildList) {
    record(m, "evt ScanForChildren".to_owned());
}

fn create_listed(m: &mut Machine, _: ChildList, id: u64, init: DeviceInit) -> Result<(), NtStatus> {
    record(m, format!("evt ChildListCreateDevice {id}"));
    match scene(m).wanted.create_fails.as_str() {
        "child1" if id == 1 => return Err(STATUS_INSUFFICIENT_RESOURCES),
        "child1Retry" if id == 1 => return Err(STATUS_RETRY),
        _ => {}
    }
    create(m, id, init).map(|_| ())
}

/// Makes a child, and its queue.
fn create(m: &mut Machine, id: u64, mut init: DeviceInit) -> Result<Device, NtStatus> {
    let Wanted { raw, callbacks: all, .. } = scene(m).wanted;
    if scene(m).kid_queue.is_none() {
        init = init.assign_name(&format!("\\Device\\OracleKid{id}"));
    }
    init = init.callbacks(callbacks(all)).ids(PdoIds {
        device: "ORC/Child".to_owned(),
        instance: id.to_string(),
        hardware: vec!["ORC/Hw".to_owned()],
        compatible: vec!["ORC/Compat".to_owned()],
        container: None,
    });
    if raw {
        init = init.raw();
    }
    if all {
        let text = |locale| DeviceText { description: "a child".into(), location: "here".into(), locale };
        init = init.device_text(text(0x409)).default_locale(0x409);
    }
    let attributes = Attributes::none().context(()).on_cleanup(cleaned_up).on_destroy(destroyed);
    let child = init.create(m, attributes)?;
    let pdo = child.device_object(m);
    name(m, child.object().handle(), &format!("<KID{id}>"));
    name(m, pdo.address(), &format!("<KIDPDO{id}>"));
    scene(m).children[id as usize] = Some((child, pdo));
    record(m, format!("WdfDeviceCreate child {id} 0x00000000"));
    if all {
        use CapabilityFlags as Flags;
        let has = Flags::EJECT_SUPPORTED | Flags::REMOVABLE | Flags::UNIQUE_ID | Flags::SURPRISE_REMOVAL_OK;
        let (address, ui_number) = (Some(7), Some(3));
        child.set_pnp_capabilities(m, PnpCapabilities { has, address, ui_number, ..PnpCapabilities::default() });
    }
    if let Some(kid_queue) = scene(m).kid_queue {
        kid_queue(m, child)?;
        return Ok(child);
    }
    let queue =
        Queue::config(Dispatch::Parallel).power_managed(false).on_default(|_, _, _| {}).create_default(m, child)?;
    name(m, queue.object().handle(), &format!("<KIDQ{id}>"));
    Ok(child)
}

fn callbacks(all: bool) -> PnpCallbacks {
    let some = PnpCallbacks {
        prepare_hardware: Some(|m, device| evt(m, device, "PrepareHardware")),
        release_hardware: Some(|m, device| evt(m, device, "ReleaseHardware")),
        d0_entry: Some(|m, device, _| evt(m, device, "D0Entry")),
        d0_exit: Some(|m, device, _| evt(m, device, "D0Exit")),
        surprise_removal: Some(|m, device| _ = evt(m, device, "SurpriseRemoval")),
        ..PnpCallbacks::default()
    };
    match all {
        false => some,
        true => PnpCallbacks {
            resources_query: Some(|m, device, _| evt(m, device, "ResourcesQuery")),
            resource_requirements_query: Some(|m, device, _| evt(m, device, "ResourceRequirementsQuery")),
            eject: Some(|m, device| evt(m, device, "Eject")),
            set_lock: Some(|m, device, lock| {
                let shown = name_of(m, device.object().handle());
                record(m, format!("evt SetLock {shown} {}", u8::from(lock)));
                Ok(())
            }),
            reported_missing: Some(|m, device| _ = evt(m, device, "ReportedMissing")),
            ..some
        },
    }
}

pub fn evt(m: &mut Machine, device: Device, callback: &str) -> Result<(), NtStatus> {
    let shown = name_of(m, device.object().handle());
    record(m, format!("evt {callback} {shown}"));
    Ok(())
}

pub fn cleaned_up(m: &mut Machine, object: Object) {
    let shown = name_of(m, object.handle());
    record(m, format!("evt ContextCleanup {shown}"));
}

pub fn destroyed(m: &mut Machine, object: Object) {
    let shown = name_of(m, object.handle());
    record(m, format!("evt ContextDestroy {shown}"));
}

pub fn play(m: &mut Machine, step: &str) {
    let digits = step.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let id = step[digits.len()..].parse::<u64>().unwrap_or(0);
    if step == "start0" {
        let bus = bus_object(m);
        without_traces(m, |m| send_pnp(m, bus, PnpMinor::StartDevice));
    } else if !(of_list(m, digits, id) || of_static_list(m, digits, id) || of_bus(m, step)) {
        of_child(m, digits, id);
    }
}

/// What the bus driver does with its list. Returns whether it was that.
fn of_list(m: &mut Machine, step: &str, id: u64) -> bool {
    let list = list(m);
    let addresses = scene(m).wanted.addresses;
    match step {
        "add" | "upd" => {
            let (port, what) = if step == "add" { (10, "addChild") } else { (20, "updateChild") };
            let added = if addresses { list.add_or_update_at(m, id, port + id) } else { list.add_or_update(m, id) };
            record(m, format!("{what} {id} {}", hex(added.into())));
        }
        "miss" => {
            let status = list.update_as_missing(m, id).into();
            record(m, format!("childMissing {id} {}", hex(status)));
        }
        "begin" => {
            record(m, "beginScan".to_owned());
            list.begin_scan(m);
        }
        "end" => {
            record(m, "endScan".to_owned());
            list.end_scan(m);
        }
        "all" => {
            record(m, "updateAllPresent".to_owned());
            list.update_all_as_present(m);
        }
        "pdo" => retrieve(m, id),
        "addr" => {
            let found = list.address(m, id);
            record(m, format!("retrieveAddress {id} {}", shown(found)));
        }
        "iter" => iterate(m, id as u32),
        "eject" => {
            let asked = list.request_eject(m, id);
            record(m, format!("requestChildEject {id} {}", u8::from(asked)));
        }
        "rel" => relations(m),
        _ => return false,
    }
    true
}

fn shown(answer: Result<u64, NtStatus>) -> String {
    match answer {
        Ok(value) => format!("0x00000000 {value}"),
        Err(status) => format!("{} 0", hex(status)),
    }
}

fn retrieve(m: &mut Machine, id: u64) {
    let list = list(m);
    let none = if scene(m).wanted.addresses { 0 } else { -1 };
    let found = list.child(m, id);
    let address = found.and_then(|found| found.address).map_or(none, |address| address as i64);
    let (device, status) = match found.map(|found| found.state) {
        None => ("<NULL>".to_owned(), "NoSuchDevice"),
        Some(ChildState::NotCreatedYet) => ("<NULL>".to_owned(), "NotYetCreated"),
        Some(ChildState::Created(device)) => (name_of(m, device.object().handle()), "Success"),
    };
    record(m, format!("retrievePdo {id} {device} {status} {address}"));
}

fn iterate(m: &mut Machine, flags: u32) {
    let list = list(m);
    let mut iteration = list.begin_iteration(m, Which(flags));
    record(m, format!("beginIteration {flags}"));
    loop {
        match list.next_device(m, &mut iteration) {
            Ok(Retrieved { child, state: ChildState::Created(device), .. }) => {
                let device = name_of(m, device.object().handle());
                record(m, format!("next 0x00000000 {device} {child} Success"));
            }
            Ok(Retrieved { child, .. }) => record(m, format!("next 0x00000000 <NULL> {child} NotYetCreated")),
            Err(status) => {
                record(m, format!("next {} <NULL> -1 Undefined", hex(status)));
                break;
            }
        }
    }
    list.end_iteration(m, iteration);
    record(m, "endIteration".to_owned());
}

/// Asks the bus for its children.
fn relations(m: &mut Machine) {
    let bus = bus_object(m);
    let parameters = PnpParameters::Relations(RelationType::Bus);
    let (_, _, answer) = send_and_record(m, bus, PnpMinor::QueryDeviceRelations, parameters);
    let pdos = if let PnpAnswer::Relations(pdos) = answer { pdos } else { Vec::new() };
    let mut reported = "reported".to_owned();
    for pdo in pdos {
        reported += " ";
        reported += &name_of(m, pdo.address());
    }
    record(m, reported);
}

/// What the bus driver does with children that it makes itself. Returns whether it was that.
fn of_static_list(m: &mut Machine, step: &str, id: u64) -> bool {
    let bus = bus(m);
    match step {
        "skid" => {
            let init = DeviceInit::pdo_of(m, bus);
            record(m, "WdfPdoInitAllocate 1".to_owned());
            create(m, id, init).unwrap();
        }
        "seta" => {
            let Some((child, _)) = scene(m).children[id as usize] else { return true };
            record(m, format!("WdfFdoAddStaticChild {id}"));
            let status = bus.add_static_child(m, child).into();
            record(m, format!("addStaticChild {id} {}", hex(status)));
        }
        "siter" => {
            let mut next = None;
            bus.lock_static_children(m);
            loop {
                next = bus.next_static_child(m, next, Which(id as u32));
                let shown = next.map_or("<NULL>".to_owned(), |next| name_of(m, next.object().handle()));
                record(m, format!("nextStatic {shown}"));
                if next.is_none() {
                    break;
                }
            }
            bus.unlock_static_children(m);
        }
        "slock" => {
            record(m, "lockStatic".to_owned());
            bus.lock_static_children(m);
        }
        "sunlock" => {
            record(m, "unlockStatic".to_owned());
            bus.unlock_static_children(m);
        }
        _ => return false,
    }
    true
}

/// What the managers send to the bus. Returns whether it was that.
fn of_bus(m: &mut Machine, step: &str) -> bool {
    let bus = bus_object(m);
    let minor = match step {
        "start" => PnpMinor::StartDevice,
        "bqrm" => PnpMinor::QueryRemoveDevice,
        "bcrm" => PnpMinor::CancelRemoveDevice,
        "brm" => PnpMinor::RemoveDevice,
        "bsurp" => PnpMinor::SurpriseRemoval,
        "bqstop" => PnpMinor::QueryStopDevice,
        "bstop" => PnpMinor::StopDevice,
        _ => match step.strip_prefix('b').filter(|rest| rest.starts_with('S')) {
            Some(state) => {
                lives::power(m, bus, state);
                return true;
            }
            None => return false,
        },
    };
    lives::pnp(m, bus, minor, PnpParameters::None);
    true
}

/// What is asked of a child, or sent to it.
fn of_child(m: &mut Machine, step: &str, id: u64) {
    let Some((child, pdo)) = scene(m).children[id as usize] else {
        return record(m, format!("noChild {id}"));
    };
    let pnp = |m: &mut Machine, minor| lives::pnp(m, pdo, minor, PnpParameters::None);
    match step {
        "smiss" => {
            let status = child.mark_missing(m).into();
            record(m, format!("WdfPdoMarkMissing {id} {}", hex(status)));
        }
        "reqeject" => {
            record(m, format!("WdfPdoRequestEject {id}"));
            child.request_eject(m);
        }
        "ident" => {
            let answer = match child.identification(m) {
                Ok(value) => format!("0x00000000 {value}"),
                Err(status) => format!("{} 9", hex(status)),
            };
            record(m, format!("pdoIdentification {id} {answer}"));
        }
        "paddr" => {
            let answer = child.address(m);
            record(m, format!("pdoAddress {id} {}", shown(answer)));
        }
        "pupd" => {
            let status = child.update_address(m, 30 + id).into();
            record(m, format!("pdoUpdateAddress {id} {}", hex(status)));
        }
        "parent" => {
            let parent = child.parent(m).map_or(0, |parent| parent.object().handle());
            let shown = name_of(m, parent);
            record(m, format!("getParent {shown}"));
        }
        "kdel" => {
            record(m, format!("WdfObjectDelete {id}"));
            child.object().delete(m);
        }
        "kstart" => pnp(m, PnpMinor::StartDevice),
        "kqrm" => pnp(m, PnpMinor::QueryRemoveDevice),
        "kcrm" => pnp(m, PnpMinor::CancelRemoveDevice),
        "krm" => pnp(m, PnpMinor::RemoveDevice),
        "ksurp" => pnp(m, PnpMinor::SurpriseRemoval),
        "kcaps" => pnp(m, PnpMinor::QueryCapabilities),
        "kstate" => pnp(m, PnpMinor::QueryPnpDeviceState),
        "kbusinfo" => pnp(m, PnpMinor::QueryBusInformation),
        "kejectirp" => pnp(m, PnpMinor::Eject),
        "kif" => pnp(m, PnpMinor::QueryInterface),
        "klock" => lives::pnp(m, pdo, PnpMinor::SetLock, PnpParameters::Lock(true)),
        "kres" => {
            pnp(m, PnpMinor::QueryResources);
            pnp(m, PnpMinor::QueryResourceRequirements);
        }
        "kids" => ask_ids(m, pdo),
        "ktext" => {
            for kind in [TextType::Description, TextType::Location] {
                for locale in [0x409, 0x407] {
                    lives::pnp(m, pdo, PnpMinor::QueryDeviceText, PnpParameters::Text { kind, locale });
                }
            }
        }
        "krel" => {
            for kind in [RelationType::Bus, RelationType::Ejection, RelationType::Removal, RelationType::Target] {
                let parameters = PnpParameters::Relations(kind);
                let (_, _, answer) = send_and_record(m, pdo, PnpMinor::QueryDeviceRelations, parameters);
                if let PnpAnswer::Relations(pdos) = answer {
                    record(m, format!("count {}", pdos.len()));
                }
            }
        }
        "kD" => lives::power(m, pdo, &format!("D{id}")),
        unknown => record(m, format!("the model knows no step {unknown}")),
    }
}

fn ask_ids(m: &mut Machine, pdo: DeviceObject) {
    for number in 0..6 {
        let kind = IdType::from_number(number).unwrap();
        let (_, _, answer) = send_and_record(m, pdo, PnpMinor::QueryId, PnpParameters::Id(kind));
        let id = match answer {
            PnpAnswer::Id(id) => id,
            PnpAnswer::Ids(ids) => ids.join(" "),
            _ => continue,
        };
        record(m, format!("id {number} {id}"));
    }
}
