//! One framework device on a root-enumerated PDO, whose callbacks are noted between the states that its log names.

use vbus::wdf::*;
use vbus::wdm::{
    DevNode, DeviceObject, Installation, IoctlCode, Irp, Machine, Major, NtStatus, Observation, Parameters, PnpMinor,
    PowerMinor, Step,
};

/// What the driver makes for its new device.
pub type Build = fn(&mut Machine, Device) -> Result<(), NtStatus>;

/// How the device is made.
#[derive(Clone, Copy, Default)]
pub struct Plan {
    pub kind: Kind,
    /// The driver has no callbacks.
    pub deaf: bool,
    /// The callback that fails, which time, and with what.
    pub fails: Option<(&'static str, usize, NtStatus)>,
    /// The default queue, with what else the driver makes.
    pub build: Option<Build>,
}

#[derive(Clone, Copy, Default)]
pub enum Kind {
    #[default]
    Function,
    /// A function driver that leaves power policy to another one.
    NotPolicyOwner,
    /// A filter above a plain function driver.
    Filter,
}

/// What was seen, with the log's sequence number at that moment.
#[derive(Default)]
struct Seen {
    plan: Plan,
    notes: Vec<(u32, String)>,
    calls: Vec<&'static str>,
    driver: Option<Driver>,
    device: Option<Device>,
    /// Where the last story ended.
    told: u32,
}

pub struct Bench {
    pub machine: Machine,
    pub node: DevNode,
}

impl Bench {
    /// A machine whose device is started, or failed to.
    pub fn new(plan: Plan) -> Bench {
        let mut machine = Machine::new();
        machine.add_extension(Seen { plan, ..Seen::default() });
        let config = DriverConfig { device_add: Some(device_add), verbose: true, log_pages: 16, ..Default::default() };
        let driver = Driver::create(&mut machine, "bench", config, Attributes::none());
        machine.extension_mut::<Seen>().driver = Some(driver);
        let own = driver.driver_object(&machine);
        let (function, upper_filters) = match plan.kind {
            Kind::Filter => (plain_function(&mut machine), vec![own]),
            _ => (own, Vec::new()),
        };
        let function = Some(function);
        machine.install(Installation {
            hardware_id: "ROOT\\BENCH".into(),
            function,
            upper_filters,
            ..Default::default()
        });
        machine.on_irp_step(seen);
        let node = machine.add_root_device("ROOT\\BENCH").unwrap();
        Bench { machine, node }
    }

    pub fn device(&self) -> Device {
        self.machine.extension::<Seen>().device.unwrap()
    }

    /// What happened since the last story, in order: IRPs as they reach the stack, states, callbacks.
    pub fn story(&mut self) -> String {
        let seen = self.machine.extension_mut::<Seen>();
        let (driver, told) = (seen.driver.unwrap(), seen.told);
        let mut notes = std::mem::take(&mut seen.notes).into_iter().peekable();
        let mut story = Story::default();
        for line in driver.log_after(&self.machine, told) {
            while let Some((_, note)) = notes.next_if(|&(at, _)| at < line.sequence) {
                story.say(&note);
            }
            story.log(&line);
        }
        notes.for_each(|(_, note)| story.say(&note));
        self.machine.extension_mut::<Seen>().told = driver.log_sequence(&self.machine);
        story.end()
    }

    /// The callbacks since the last time.
    pub fn callbacks(&mut self) -> Vec<String> {
        let notes = std::mem::take(&mut self.machine.extension_mut::<Seen>().notes);
        notes.into_iter().map(|(_, note)| note).filter(|note| note.starts_with("Evt")).collect()
    }

    /// Sends an internal control request to the top of the stack.
    pub fn send(&mut self) -> Irp {
        let top = self.node.pdo(&self.machine).unwrap().top_of_stack(&self.machine);
        let m = &mut self.machine;
        let irp = m.allocate_irp(m[top].stack_size).unwrap();
        let location = m[irp].next_mut();
        location.major = Major::InternalDeviceControl;
        let code = IoctlCode(0x0022_0003);
        location.parameters =
            Parameters::DeviceIoControl { output_length: 0, input_length: 0, code, type3_input: None };
        m.run(|m| irp.call_driver(m, top)).unwrap();
        irp
    }
}

/// A story in the making: states of one machine that follow one another share a line.
#[derive(Default)]
struct Story {
    text: String,
    machine: &'static str,
}

impl Story {
    fn say(&mut self, note: &str) {
        let indent = if note.starts_with("IRP_MN") { "" } else { "  " };
        self.line(&format!("{indent}{note}"));
    }

    fn line(&mut self, line: &str) {
        self.machine = "";
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text += line;
    }

    fn log(&mut self, line: &LogLine) {
        if let Some((machine, state)) = state(line) {
            if self.machine == machine {
                self.text += &format!(", {state}");
            } else {
                self.line(&format!("    {machine:<16} {state}"));
                self.machine = machine;
            }
            return;
        }
        match line.function {
            "FxPkgIo::ResumeProcessingForPower" => self.line("    queues           resume"),
            "FxPkgIo::StopProcessingForPower" => {
                let action = between(&line.message, "FxIoStopProcessingForPower", " ").unwrap_or("?");
                self.line(&format!("    queues           {action}"));
            }
            _ if line.level <= Level::Warning => self.line(&format!("    {}", without_addresses(&line.message))),
            _ => {}
        }
    }

    fn end(self) -> String {
        self.text + "\n"
    }
}

/// The state that a line says is entered, and whose.
fn state(line: &LogLine) -> Option<(&'static str, &str)> {
    let (machine, prefix) = match line.function {
        "FxPkgPnp::PnpEnterNewState" => ("PnP", "WdfDevStatePnp"),
        "FxPkgPnp::PowerEnterNewState" => ("power", "WdfDevStatePower"),
        "FxPkgPnp::PowerPolicyEnterNewState" => ("power policy", "WdfDevStatePwrPol"),
        "FxPkgPnp::NotPowerPolicyOwnerEnterNewState" => ("power policy", "WdfDevStatePwrPol"),
        "FxPowerIdleMachine::ProcessEventLocked" => ("idle", "FxIdle"),
        "FxSelfManagedIoMachine::ProcessEvent" => ("self-managed I/O", "FxSelfManagedIo"),
        _ => return None,
    };
    let state = between(&line.message, " entering ", " from ")?.split(' ').next_back()?;
    Some((machine, state.trim_start_matches(prefix)))
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split(after).next()
}

/// A message without what differs from object to object.
fn without_addresses(message: &str) -> String {
    let words = message.trim_end().split(' ').map(|word| {
        let digits = word.trim_start_matches("0x").trim_end_matches(',');
        let is_address = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_address { "..." } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

pub fn note(m: &mut Machine, what: impl Into<String>) {
    let driver = m.extension::<Seen>().driver.unwrap();
    let at = driver.log_sequence(m);
    m.extension_mut::<Seen>().notes.push((at, what.into()));
}

/// A callback comes, and fails if the plan says so.
pub fn evt(m: &mut Machine, callback: &'static str, state: Option<PowerDeviceState>) -> Result<(), NtStatus> {
    let state = state.map_or(String::new(), |state| format!("({state:?})"));
    note(m, format!("EvtDevice{callback}{state}"));
    let Seen { calls, plan, .. } = m.extension_mut::<Seen>();
    calls.push(callback);
    let times = calls.iter().filter(|&&known| known == callback).count();
    match plan.fails {
        Some((failing, time, status)) if (failing, time) == (callback, times) => Err(status),
        _ => Ok(()),
    }
}

fn notice(m: &mut Machine, callback: &'static str) {
    note(m, format!("EvtDevice{callback}"));
}

fn callbacks() -> PnpCallbacks {
    PnpCallbacks {
        prepare_hardware: Some(|m, _| evt(m, "PrepareHardware", None)),
        release_hardware: Some(|m, _| evt(m, "ReleaseHardware", None)),
        d0_entry: Some(|m, _, state| evt(m, "D0Entry", Some(state))),
        d0_entry_post_interrupts_enabled: Some(|m, _, state| evt(m, "D0EntryPostInterruptsEnabled", Some(state))),
        d0_exit_pre_interrupts_disabled: Some(|m, _, state| evt(m, "D0ExitPreInterruptsDisabled", Some(state))),
        d0_exit: Some(|m, _, state| evt(m, "D0Exit", Some(state))),
        self_managed_io_init: Some(|m, _| evt(m, "SelfManagedIoInit", None)),
        self_managed_io_suspend: Some(|m, _| evt(m, "SelfManagedIoSuspend", None)),
        self_managed_io_restart: Some(|m, _| evt(m, "SelfManagedIoRestart", None)),
        self_managed_io_flush: Some(|m, _| notice(m, "SelfManagedIoFlush")),
        self_managed_io_cleanup: Some(|m, _| notice(m, "SelfManagedIoCleanup")),
        query_remove: Some(|m, _| evt(m, "QueryRemove", None)),
        query_stop: Some(|m, _| evt(m, "QueryStop", None)),
        surprise_removal: Some(|m, _| notice(m, "SurpriseRemoval")),
        ..PnpCallbacks::default()
    }
}

fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let plan = m.extension::<Seen>().plan;
    let init = match plan.kind {
        Kind::Function => init,
        Kind::NotPolicyOwner => init.power_policy_owner(false),
        Kind::Filter => init.filter(),
    };
    let init = if plan.deaf { init } else { init.callbacks(callbacks()) };
    let attributes = Attributes::none()
        .context(())
        .on_cleanup(|m, _| note(m, "EvtCleanup of the device"))
        .on_destroy(|m, _| note(m, "EvtDestroy of the device"));
    let device = init.create(m, attributes)?;
    m.extension_mut::<Seen>().device = Some(device);
    plan.build.map_or(Ok(()), |build| build(m, device))
}

/// A WDM function driver that passes everything down.
fn plain_function(m: &mut Machine) -> vbus::wdm::DriverObject {
    vbus::wdm::create_filter(m, "function", vbus::wdm::FilterStyle::Copy)
}

/// Notes PnP and power IRPs as they reach the top of the stack, and when they reach the PDO.
fn seen(m: &mut Machine, seen: Observation) {
    let Step::Call { device, major: Major::Pnp | Major::Power } = seen.step else { return };
    let location = *m[seen.irp].current();
    let (name, parameters) = match location.parameters {
        Parameters::Power(parameters) => {
            let name = PowerMinor::from_number(location.minor.into()).map_or("?", PowerMinor::name);
            (name, parameters.to_string())
        }
        Parameters::Pnp(parameters) => {
            (PnpMinor::from_code(location.minor).map_or("?", PnpMinor::name), parameters.to_string())
        }
        _ => (PnpMinor::from_code(location.minor).map_or("?", PnpMinor::name), String::new()),
    };
    if is_top(m, device) {
        note(m, format!("{name} {parameters}").trim_end());
    } else if device.lower_device(m).is_none() {
        note(m, format!("  {name} reaches the PDO"));
    }
}

fn is_top(m: &Machine, device: DeviceObject) -> bool {
    device.top_of_stack(m) == device
}
