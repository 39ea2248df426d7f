//! A framework bus with a child list, under a PnP manager: raw children whose PDOs answer requests themselves.

use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{CapabilityFlags, Context, DevNode, Guid, Installation, Machine, Major, NtStatus};

/// What the bus does where it has a choice, and what was seen.
#[derive(Default)]
struct Scene {
    wanted: Wanted,
    bus: Option<Device>,
    /// The children's devices, in the order of their creation.
    children: Vec<(u64, Device)>,
    notes: Vec<String>,
    held: Vec<Request>,
    /// Where children hand requests to.
    parent_queue: Option<Queue>,
}

#[derive(Clone, Copy, Default)]
pub struct Wanted {
    /// Children have addresses.
    pub addresses: bool,
    /// How creating a child of this number fails, each time.
    pub refuses: Option<(u64, NtStatus)>,
    /// What EvtChildListScanForChildren finds.
    pub finds: &'static [u64],
    /// The child that cannot be powered up.
    pub dead: Option<u64>,
    /// Children may hand requests to their bus, and do.
    pub forwards: bool,
    /// Children give IRPs to their bus's queue, allowed or not, with these flags.
    pub dispatches: Option<DispatchIrpFlags>,
}

pub struct Bus {
    pub machine: Machine,
    pub node: DevNode,
    pub driver: Driver,
}

impl Bus {
    pub fn new(wanted: Wanted) -> Bus {
        let mut machine = Machine::new();
        machine.add_extension(Scene { wanted, ..Scene::default() });
        let config = DriverConfig {
            device_add: Some(device_add),
            unload: Some(|_, _| {}),
            verbose: true,
            verifier: true,
            log_pages: 16,
            ..DriverConfig::default()
        };
        let driver = Driver::create(&mut machine, "bus", config, Attributes::none());
        let function = Some(driver.driver_object(&machine));
        machine.install(Installation { hardware_id: "ROOT\\BUS".into(), function, ..Installation::default() });
        let node = machine.add_root_device("ROOT\\BUS").unwrap();
        Bus { machine, node, driver }
    }

    pub fn device(&self) -> Device {
        self.machine.extension::<Scene>().bus.unwrap()
    }

    /// Runs driver code with the child list.
    pub fn run<R>(&mut self, code: impl FnOnce(&mut Machine, ChildList) -> R) -> R {
        let bus = self.device();
        self.machine
            .run(|m| {
                let list = bus.default_child_list(m).unwrap();
                code(m, list)
            })
            .unwrap()
    }

    /// What was noted since the last time.
    pub fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.machine.extension_mut::<Scene>().notes)
    }

    /// The device of the child that was created last under this number.
    pub fn child(&self, id: u64) -> Device {
        let children = &self.machine.extension::<Scene>().children;
        children.iter().rev().find(|&&(number, _)| number == id).unwrap().1
    }

    /// The children as the PnP manager sees them, by their instance paths.
    pub fn listed(&self) -> Vec<String> {
        let m = &self.machine;
        self.node.children(m).into_iter().map(|node| node.instance_path(m)).collect()
    }

    /// What is held of the children's requests.
    pub fn held(&self) -> Vec<Request> {
        self.machine.extension::<Scene>().held.clone()
    }

    /// Completes what the children hold.
    pub fn complete_held(&mut self) {
        self.machine.run(|m| complete_held(m, STATUS_SUCCESS)).unwrap();
    }

    /// Removes the bus, and unloads its driver: nothing may be left of either.
    pub fn end(mut self) {
        if self.node.exists(&self.machine) {
            self.machine.remove_device(self.node).unwrap().unwrap();
        }
        let driver = self.driver;
        self.machine.run(|m| driver.unload(m)).unwrap();
        assert_eq!(self.machine.devnode_count(), 0);
        let log = driver.log(&self.machine).iter().map(|line| format!("{line}\n")).collect::<String>();
        assert!(!log.contains("leaked"), "{log}");
        assert!(!driver.object().exists(&self.machine), "the driver's last reference is gone");
    }
}

pub fn note(m: &mut Machine, what: impl Into<String>) {
    m.extension_mut::<Scene>().notes.push(what.into());
}

/// Completes what the children hold.
pub fn complete_held(m: &mut Machine, status: NtStatus) -> bool {
    let held = std::mem::take(&mut m.extension_mut::<Scene>().held);
    let any = !held.is_empty();
    for request in held {
        request.complete(m, status);
    }
    any
}

fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let addresses = m.extension::<Scene>().wanted.addresses;
    let config = ChildListConfig { scan: Some(scan), addresses, ..ChildListConfig::new(create_child) };
    let bus = init.child_list(config).create(m, Attributes::none())?;
    let queue = Queue::config(Dispatch::Parallel).on_default(hold).create(m, bus)?;
    let scene = m.extension_mut::<Scene>();
    (scene.bus, scene.parent_queue) = (Some(bus), Some(queue));
    Ok(())
}

fn scan(m: &mut Machine, list: ChildList) {
    let Wanted { finds, addresses, .. } = m.extension::<Scene>().wanted;
    if addresses {
        return;
    }
    for &child in finds {
        // Whoever is there already is updated.
        _ = list.add_or_update(m, child);
    }
}

/// The device interface of the children.
pub const GUID_CHILD: Guid = Guid(0xC41D_0000_0000_4000_8000_0000_0000_0002);

/// Which child a PDO is.
struct Child(u64);

fn create_child(m: &mut Machine, _: ChildList, id: u64, init: DeviceInit) -> Result<(), NtStatus> {
    note(m, format!("EvtChildListCreateDevice({id})"));
    if let Some((refused, status)) = m.extension::<Scene>().wanted.refuses
        && refused == id
    {
        return Err(status);
    }
    let ids = PdoIds {
        device: "BUS\\Child".to_owned(),
        instance: id.to_string(),
        hardware: vec!["BUS\\Child".to_owned()],
        ..PdoIds::default()
    };
    let callbacks = PnpCallbacks {
        d0_entry: Some(|m, device, _| powered_up(m, device)),
        d0_exit: Some(|m, device, _| of_child(m, device, "EvtDeviceD0Exit")),
        surprise_removal: Some(|m, device| _ = of_child(m, device, "EvtDeviceSurpriseRemoval")),
        reported_missing: Some(|m, device| _ = of_child(m, device, "EvtDeviceReportedMissing")),
        eject: Some(|m, device| of_child(m, device, "EvtDeviceEject")),
        ..PnpCallbacks::default()
    };
    let attributes = Attributes::none()
        .context(Child(id))
        .on_cleanup(|m, object| of_object(m, object, "EvtCleanup"))
        .on_destroy(|m, object| of_object(m, object, "EvtDestroy"));
    let Wanted { forwards, dispatches, .. } = m.extension::<Scene>().wanted;
    let init = if forwards { init.allow_forwarding_to_parent() } else { init };
    let child = init.ids(ids).raw().callbacks(callbacks).create(m, attributes)?;
    let has = CapabilityFlags::UNIQUE_ID | CapabilityFlags::REMOVABLE | CapabilityFlags::EJECT_SUPPORTED;
    child.set_pnp_capabilities(m, PnpCapabilities { has, ..PnpCapabilities::default() });
    child.create_interface(m, GUID_CHILD, None)?;
    let arrives = if forwards { to_parent } else { hold };
    Queue::config(Dispatch::Parallel).on_default(arrives).create_default(m, child)?;
    if dispatches.is_some() {
        child.configure_wdm_irp_dispatch(m, Major::InternalDeviceControl, Some(dispatch_to_parent), Context(0))?;
    }
    m.extension_mut::<Scene>().children.push((id, child));
    Ok(())
}

fn dispatch_to_parent(m: &mut Machine, child: Device, asked: WdmIrp) -> NtStatus {
    let Scene { parent_queue, wanted, .. } = m.extension::<Scene>();
    let (queue, flags) = (parent_queue.unwrap(), wanted.dispatches.unwrap());
    child.dispatch_irp_to_queue(m, asked.irp, queue, flags)
}

fn hold(m: &mut Machine, _: Queue, request: Request) {
    m.extension_mut::<Scene>().held.push(request);
}

fn to_parent(m: &mut Machine, _: Queue, request: Request) {
    let queue = m.extension::<Scene>().parent_queue.unwrap();
    if let Err(status) = request.forward_to_parent(m, queue) {
        request.complete(m, status);
    }
}

fn powered_up(m: &mut Machine, device: Device) -> Result<(), NtStatus> {
    let id = device.context::<Child>(m).0;
    of_child(m, device, "EvtDeviceD0Entry")?;
    if m.extension::<Scene>().wanted.dead == Some(id) { Err(STATUS_DEVICE_DATA_ERROR) } else { Ok(()) }
}

fn of_child(m: &mut Machine, device: Device, what: &str) -> Result<(), NtStatus> {
    of_object(m, device.object(), what);
    Ok(())
}

fn of_object(m: &mut Machine, object: Object, what: &str) {
    let id = object.context::<Child>(m).0;
    note(m, format!("child {id}: {what}"));
}
