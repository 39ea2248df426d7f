//! A framework driver with one started device, for tests of what drivers make: notes of what callbacks saw, and requests.

use vbus::wdf::*;
use vbus::wdm::{DevNode, Installation, IoctlCode, Irp, Irql, Machine, Major, NtStatus, Parameters, Stop};

/// What callbacks noted, in order.
#[derive(Default)]
struct Notes(Vec<String>);

/// How the device is made, if not just so.
pub type Build = fn(&mut Machine, DeviceInit, Attributes) -> Result<Device, NtStatus>;

pub struct Workbench {
    pub machine: Machine,
    pub driver: Driver,
    pub device: Device,
}

/// What a test wants of the driver and its device.
#[derive(Clone, Copy, Default)]
pub struct Wanted {
    pub build: Option<Build>,
    pub verifier: bool,
    pub track_handles: bool,
    pub enhanced_verifier: bool,
    pub forward_progress_test: ForwardProgressTest,
    pub compliance: bool,
    pub execution_level: ExecutionLevel,
    pub synchronization_scope: SynchronizationScope,
    /// The level and the scope are the driver's, and its device inherits them.
    pub inherited: bool,
}

impl Wanted {
    /// The attributes of the driver or of its device.
    fn attributes(self, of_driver: bool) -> Attributes {
        if self.inherited != of_driver {
            return Attributes::none();
        }
        Attributes::none().execution_level(self.execution_level).synchronization_scope(self.synchronization_scope)
    }
}

/// What [`device_add`] is to make, and what it made.
struct Making(Wanted, Option<Device>);

fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let wanted = m.extension::<Making>().0;
    let attributes = wanted.attributes(false);
    let device = match wanted.build {
        Some(build) => build(m, init, attributes)?,
        None => init.create(m, attributes)?,
    };
    m.extension_mut::<Making>().1 = Some(device);
    Ok(())
}

impl Workbench {
    pub fn new() -> Workbench {
        Workbench::with(Wanted::default())
    }

    pub fn verified() -> Workbench {
        Workbench::with(Wanted { verifier: true, ..Wanted::default() })
    }

    pub fn building(build: Build) -> Workbench {
        Workbench::with(Wanted { build: Some(build), ..Wanted::default() })
    }

    pub fn with(wanted: Wanted) -> Workbench {
        Workbench::prepared(|_| {}, wanted)
    }

    /// The same on a machine that was prepared for the driver.
    pub fn prepared(prepare: impl FnOnce(&mut Machine), wanted: Wanted) -> Workbench {
        let mut machine = Machine::new();
        prepare(&mut machine);
        machine.add_extension(Notes::default());
        machine.add_extension(Making(wanted, None));
        let config = DriverConfig {
            device_add: Some(device_add),
            unload: Some(|m, _| note(m, "EvtDriverUnload")),
            verbose: true,
            verifier: wanted.verifier,
            track_handles: wanted.track_handles,
            enhanced_verifier: wanted.enhanced_verifier,
            forward_progress_test: wanted.forward_progress_test,
            compliance: wanted.compliance,
            log_pages: 16,
            ..DriverConfig::default()
        };
        let driver = Driver::create(&mut machine, "bench", config, wanted.attributes(true));
        let function = Some(driver.driver_object(&machine));
        machine.install(Installation { hardware_id: "ROOT\\BENCH".into(), function, ..Installation::default() });
        machine.add_root_device("ROOT\\BENCH").unwrap();
        let device = machine.extension::<Making>().1.expect("the device was added");
        Workbench { machine, driver, device }
    }

    /// Runs driver code to its end.
    pub fn run<R>(&mut self, code: impl FnOnce(&mut Machine, Driver, Device) -> R) -> R {
        self.try_run(code).unwrap()
    }

    /// Runs driver code that may stop the machine.
    pub fn try_run<R>(&mut self, code: impl FnOnce(&mut Machine, Driver, Device) -> R) -> Result<R, Stop> {
        let (driver, device) = (self.driver, self.device);
        self.machine.run(|m| code(m, driver, device))
    }

    /// Takes what was noted since the last time.
    pub fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.machine.extension_mut::<Notes>().0)
    }

    /// What the code leaves in the log.
    pub fn log_of<R>(&mut self, code: impl FnOnce(&mut Machine, Driver, Device) -> R) -> String {
        let before = self.driver.log_sequence(&self.machine);
        self.run(code);
        self.log_after(before)
    }

    pub fn log_after(&self, sequence: u32) -> String {
        let lines = self.driver.log_after(&self.machine, sequence);
        lines.iter().map(|line| format!("{}\n", line.message)).collect()
    }

    /// How often the verifier broke into the debugger so far.
    pub fn breaks(&self) -> usize {
        self.driver.debugger_breaks(&self.machine).len()
    }

    /// Uninstalls the device.
    pub fn remove_device(&mut self) {
        self.run(|m, _, device| remove_device(m, device));
    }
}

/// Uninstalls a device.
pub fn remove_device(m: &mut Machine, device: Device) {
    let pdo = device.pdo(m).unwrap();
    let node = DevNode::of(m, pdo).unwrap();
    m.remove_device(node).unwrap().unwrap();
}

/// Notes something; the level is said where it is not PASSIVE_LEVEL.
pub fn note(m: &mut Machine, what: impl AsRef<str>) {
    let level = if m.irql() == Irql::Passive { "" } else { " at DISPATCH_LEVEL" };
    let what = format!("{}{level}", what.as_ref());
    m.extension_mut::<Notes>().0.push(what);
}

/// The name by which notes speak of an object.
struct Name(&'static str);

/// Attributes of an object whose end is noted.
pub fn named(name: &'static str) -> Attributes {
    Attributes::none()
        .context(Name(name))
        .on_cleanup(|m, object| note_of(m, object, "cleanup of"))
        .on_destroy(|m, object| note_of(m, object, "destroy of"))
}

pub fn note_of(m: &mut Machine, object: Object, what: &str) {
    let name = object.context::<Name>(m).0;
    note(m, format!("{what} {name}"));
}

/// Code at DISPATCH_LEVEL.
pub fn at_dispatch<R>(m: &mut Machine, code: impl FnOnce(&mut Machine) -> R) -> R {
    m.set_irql(Irql::Dispatch);
    let result = code(m);
    m.set_irql(Irql::Passive);
    result
}

/// Sends an internal control request to a device. It is there as long as it is not completed.
pub fn send(m: &mut Machine, device: Device) -> (Irp, NtStatus) {
    let top = device.device_object(m);
    let irp = m.allocate_irp(m[top].stack_size).unwrap();
    let location = m[irp].next_mut();
    location.major = Major::InternalDeviceControl;
    location.parameters = Parameters::DeviceIoControl {
        output_length: 0,
        input_length: 0,
        code: IoctlCode(0x0022_0003),
        type3_input: None,
    };
    let status = irp.call_driver(m, top);
    (irp, status)
}

/// The first parameters of a bug check 0x10D, WDF_VIOLATION.
pub fn violation(stop: Stop) -> Vec<u64> {
    match stop {
        Stop::BugCheck(check) if check.code == 0x10D => check.parameters[..3].to_vec(),
        other => panic!("WDF_VIOLATION, not {other}"),
    }
}
