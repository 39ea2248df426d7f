//! What the cases are played on: a framework device, plain targets, and a recorder of everything that happens.

use std::collections::BTreeMap;

use vbus::iotarget::{CompletionParams, IoTarget, SentKind};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{
    DeviceObject, Installation, IoctlCode, Irp, Machine, Major, NtStatus, Observation, Parameters, PnpAnswer, PnpMinor,
    PnpParameters, RelationType, Step, Stop,
};

use super::case::{Case, Event, trace_text};

/// The control code of every request of the cases.
pub const CODE: IoctlCode = IoctlCode(0x0022_0003);

/// Writes down events, with the trace messages that came before each.
#[derive(Default)]
pub struct Recorder {
    events: Vec<Event>,
    names: BTreeMap<u64, String>,
    /// The drivers whose logs are written down; what the second one says is marked.
    heard: Vec<Heard>,
    irps: usize,
    requests: usize,
    /// Steps of IRPs are not written down.
    quiet: bool,
    /// That the framework frees an IRP of its own is.
    frees: bool,
    /// That a file is created, cleaned up or closed is.
    files: bool,
}

/// A driver, with the last log record and the last debugger break of it that was written down.
#[derive(Clone, Copy)]
struct Heard {
    driver: Driver,
    sequence: u32,
    breaks: usize,
}

/// What a plain target does with what it is sent.
#[derive(Clone, Copy)]
pub struct Behaviour {
    pub status: NtStatus,
    pub information: u64,
    pub pends: Pends,
}

/// Whether a plain target keeps what it is sent, and lets go of it when that is cancelled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pends {
    Never,
    Deaf,
    Cancelable,
}

impl Behaviour {
    /// Completes at once with success and some Information.
    pub fn succeed(information: u64) -> Behaviour {
        Behaviour { status: STATUS_SUCCESS, information, pends: Pends::Never }
    }
}

/// What the plain targets do, and the IRPs that they hold, oldest first.
pub struct Targets {
    pub behaviour: Behaviour,
    held: Vec<(DeviceObject, Irp)>,
}

impl Targets {
    pub fn hold_some(&self) -> bool {
        !self.held.is_empty()
    }
}

/// The name of every PnP IRP, whoever made it.
pub const PNP_IRP: &str = "<PNPIRP>";

/// The name of every power IRP, and of every create, cleanup and close.
pub const POWER_IRP: &str = "<POWIRP>";
pub const FILE_IRP: &str = "<FILEIRP>";

/// Names a handle or an address for the rest of the case.
pub fn name(m: &mut Machine, value: u64, name: &str) {
    m.extension_mut::<Recorder>().names.insert(value, name.to_owned());
}

/// The name of an address: a name that was given, or one for an unnamed pointer.
pub fn name_of(m: &mut Machine, value: u64) -> String {
    let names = &m.extension::<Recorder>().names;
    names.get(&value).cloned().unwrap_or_else(|| format!("<P{value}>"))
}

/// An IRP's name; new ones are numbered.
pub fn irp_name(m: &mut Machine, irp: Irp) -> String {
    let recorder = m.extension_mut::<Recorder>();
    if !recorder.names.contains_key(&irp.address()) {
        recorder.irps += 1;
        let name = format!("<IRP{}>", recorder.irps);
        recorder.names.insert(irp.address(), name);
    }
    name_of(m, irp.address())
}

/// A request's name; new ones are numbered. Its object has the name with `.obj`.
pub fn request_name(m: &mut Machine, request: Request) -> String {
    let object = request.object();
    let recorder = m.extension_mut::<Recorder>();
    if !recorder.names.contains_key(&object.handle()) {
        recorder.requests += 1;
        let number = recorder.requests;
        recorder.names.insert(object.handle(), format!("<REQ{number}>"));
        recorder.names.insert(object.address(), format!("<REQ{number}.obj>"));
    }
    name_of(m, object.handle())
}

/// Writes an event down.
pub fn record(m: &mut Machine, event: String) {
    drain(m);
    m.extension_mut::<Recorder>().events.push(Event(format!("* {event}")));
}

/// Writes down the trace messages and debugger breaks since the last event, in the order of all drivers.
fn drain(m: &mut Machine) {
    let heard = m.extension::<Recorder>().heard.clone();
    let mut said = Vec::new();
    for (number, Heard { driver, sequence, breaks }) in heard.into_iter().enumerate() {
        let lines = driver.log_after(m, sequence);
        let new_breaks = driver.debugger_breaks(m)[breaks..].to_vec();
        let mut pending = new_breaks.iter().peekable();
        for line in &lines {
            let text = trace_text(line.level as u8, line.function, &line.message);
            let text = with_names(m, &text);
            said.push((line.moment, if number == 0 { text } else { format!("2 {text}") }));
            while pending.next_if(|&&at| at == line.sequence).is_some() {
                said.push((line.moment, "* DbgBreakPoint".to_owned()));
            }
        }
        said.extend(pending.map(|_| (u64::MAX, "* DbgBreakPoint".to_owned())));
        let heard = &mut m.extension_mut::<Recorder>().heard[number];
        heard.sequence = lines.last().map_or(sequence, |line| line.sequence);
        heard.breaks += new_breaks.len();
    }
    said.sort_by_key(|&(moment, _)| moment);
    m.extension_mut::<Recorder>().events.extend(said.into_iter().map(|(_, text)| Event(text)));
}

/// Replaces every 16-digit address by its name.
fn with_names(m: &mut Machine, text: &str) -> String {
    let mut named = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        match (digits, u64::from_str_radix(&rest[..digits], 16)) {
            (16, Ok(0)) => named += "<NULL>",
            (16, Ok(value)) => named += &name_of(m, value),
            (0, _) => {
                let next = rest.chars().next().map_or(1, char::len_utf8);
                named += &rest[..next];
                rest = &rest[next..];
                continue;
            }
            _ => named += &rest[..digits],
        }
        rest = &rest[digits..];
    }
    named
}

/// A machine with a recorder; everything from here on is written down once `start` is called.
pub fn machine(behaviour: Behaviour) -> Machine {
    let mut m = Machine::new();
    m.add_extension(Recorder::default());
    m.add_extension(Targets { behaviour, held: Vec::new() });
    m
}

/// Begins to write down what the driver logs and what becomes of IRPs.
pub fn start(m: &mut Machine, driver: Driver) {
    start_log(m, driver);
    m.on_irp_step(step);
}

/// Begins to write down what the driver logs.
pub fn start_log(m: &mut Machine, driver: Driver) {
    drain(m);
    m.extension_mut::<Recorder>().heard.clear();
    hear(m, driver);
}

/// Writes down what one more driver logs, too.
pub fn hear(m: &mut Machine, driver: Driver) {
    let heard = Heard { driver, sequence: driver.log_sequence(m), breaks: driver.debugger_breaks(m).len() };
    m.extension_mut::<Recorder>().heard.push(heard);
}

/// Stops to write down what drivers log and, if that is said, what becomes of IRPs. Returns who was heard.
pub fn hush(m: &mut Machine, irps_too: bool) -> Vec<Driver> {
    drain(m);
    let recorder = m.extension_mut::<Recorder>();
    recorder.quiet = irps_too;
    std::mem::take(&mut recorder.heard).into_iter().map(|heard| heard.driver).collect()
}

/// Goes on to write down.
pub fn unhush(m: &mut Machine, drivers: Vec<Driver>) {
    m.extension_mut::<Recorder>().quiet = false;
    drivers.into_iter().for_each(|driver| hear(m, driver));
}

fn step(m: &mut Machine, seen: Observation) {
    if m.extension::<Recorder>().quiet {
        return;
    }
    let event = match seen.step {
        Step::Done if m.extension::<Recorder>().files && is_named(m, seen.irp, FILE_IRP) => {
            format!("fileDone {}", hex(seen.status))
        }
        Step::Free if m.extension::<Recorder>().files && is_named(m, seen.irp, FILE_IRP) => {
            drain(m);
            m.extension_mut::<Recorder>().names.remove(&seen.irp.address());
            return;
        }
        Step::Done if is_senders(m, seen.irp) => return,
        Step::Free if is_senders(m, seen.irp) => {
            drain(m);
            if m.extension::<Recorder>().frees {
                record(m, "freeIrp".to_owned());
            }
            m.extension_mut::<Recorder>().names.remove(&seen.irp.address());
            return;
        }
        Step::Done => {
            let (status, pending) = (hex(seen.status), u8::from(seen.pending_returned));
            format!("done {} {status} {} {pending}", irp_name(m, seen.irp), seen.information)
        }
        Step::Free => {
            let event = match m.extension::<Recorder>().frees {
                true => "freeIrp".to_owned(),
                false => format!("freeIrp {}", irp_name(m, seen.irp)),
            };
            record(m, event);
            // The next IRP in this place is another one.
            m.extension_mut::<Recorder>().names.remove(&seen.irp.address());
            return;
        }
        Step::Call { device, major: Major::Create | Major::Cleanup | Major::Close } => {
            return file_call(m, seen, device);
        }
        Step::Call { major: major @ (Major::Pnp | Major::Power), .. } => {
            name(m, seen.irp.address(), if major == Major::Pnp { PNP_IRP } else { POWER_IRP });
            return;
        }
        Step::Complete { .. } if seen.irp.has_cancel_routine(m) => "CompleteWithCancelRoutine".to_owned(),
        _ => return,
    };
    record(m, event);
}

/// A file IRP begins its way, if this is its first call.
fn file_call(m: &mut Machine, seen: Observation, device: DeviceObject) {
    if !m.extension::<Recorder>().files || is_named(m, seen.irp, FILE_IRP) {
        return;
    }
    let location = m[seen.irp].current();
    let (major, file) = (location.major, location.file);
    name(m, seen.irp.address(), FILE_IRP);
    let file = file.map_or(0, |file| file.address());
    if major == Major::Create {
        name(m, file, "<TFILE>");
    }
    let (file, device) = (name_of(m, file), name_of(m, device.address()));
    record(m, format!("fileSend {} {file} {device}", major.name().replace("IRP_MJ_", "")));
}

fn is_named(m: &mut Machine, irp: Irp, wanted: &str) -> bool {
    m.extension::<Recorder>().names.get(&irp.address()).is_some_and(|name| name == wanted)
}

/// What becomes of a PnP, power or file IRP is the sender's business, who writes that down.
fn is_senders(m: &mut Machine, irp: Irp) -> bool {
    let name = m.extension::<Recorder>().names.get(&irp.address());
    name.is_some_and(|name| [PNP_IRP, POWER_IRP, FILE_IRP].contains(&name.as_str()))
}

/// Whether what happens is not to be written down.
pub fn is_quiet(m: &mut Machine) -> bool {
    m.extension::<Recorder>().quiet
}

/// From now on it is written down when the framework frees an IRP that it made for PnP or power.
pub fn record_frees(m: &mut Machine) {
    m.extension_mut::<Recorder>().frees = true;
}

/// From now on it is written down when somebody opens, cleans up or closes a file.
pub fn record_files(m: &mut Machine) {
    m.extension_mut::<Recorder>().files = true;
}

/// The events of a case that ran to its end, or to what stopped it.
pub fn finish(mut m: Machine, outcome: Result<(), Stop>) -> Vec<Event> {
    drain(&mut m);
    let last = match outcome {
        Ok(()) => None,
        Err(Stop::BugCheck(check)) => {
            let words = check.parameters;
            let shown = |m: &mut Machine, word| match word {
                0 => "<NULL>".to_owned(),
                1..0x1_0000 => format!("{word:x}"),
                _ => name_of(m, word),
            };
            if check.code == 0x10D {
                name(&mut m, words[3], "<FXGLOBALS>");
                let [code, second, third, globals] = words.map(|word| shown(&mut m, word));
                Some(format!("* BUGCHECK 0x10d 0x{code} {second} {third} {globals}"))
            } else {
                // The measured side shows as many as it names.
                let [first, second, third, fourth] = words.map(|word| shown(&mut m, word));
                Some(format!("* BUGCHECK 0x{:x} {first} {second} {third} {fourth}", check.code))
            }
        }
        Err(Stop::Hang { .. }) => Some("* HANG".to_owned()),
        Err(Stop::Undefined { .. } | Stop::Panicked) => Some("* FAULT".to_owned()),
    };
    let mut events = std::mem::take(&mut m.extension_mut::<Recorder>().events);
    events.extend(last.map(Event));
    // What had no name when it was written down may have got one later.
    let names = &m.extension::<Recorder>().names;
    events.into_iter().map(|Event(text)| Event(with_late_names(&text, names))).collect()
}

fn with_late_names(text: &str, names: &BTreeMap<u64, String>) -> String {
    let mut named = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("<P") {
        let end = rest[at..].find('>').map_or(rest.len(), |end| at + end + 1);
        let value = rest[at + 2..end - 1].parse::<u64>().ok();
        named += &rest[..at];
        named += value.and_then(|value| names.get(&value)).map_or(&rest[at..end], String::as_str);
        rest = &rest[end..];
    }
    named + rest
}

/// The name of a request by a number that the case gives it, whatever the place was called before.
pub fn name_request(m: &mut Machine, request: Request, number: usize) -> String {
    // The lines until now go without this name, as they did when they were measured.
    drain(m);
    let shown = format!("<REQ{number}>");
    name(m, request.object().handle(), &shown);
    name(m, request.object().address(), &format!("<REQ{number}.obj>"));
    shown
}

/// A status as events print it.
pub fn hex(status: NtStatus) -> String {
    format!("0x{:08x}", status.0)
}

/// A plain WDM device of this stack size, whose driver writes down what arrives and does as told.
pub fn target_device(m: &mut Machine, stack_size: i8, name_it: &str) -> DeviceObject {
    let driver = m.create_driver("target");
    driver.set_all_majors(m, arrive);
    driver.set_major(m, Major::Pnp, is_its_own_pdo);
    let device = m.create_device(driver);
    m[device].stack_size = stack_size;
    m[device].initializing = false;
    name(m, device.address(), name_it);
    device
}

/// The only PnP IRP that reaches a target asks for the PDO of its stack.
fn is_its_own_pdo(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    m[irp].pnp_answer = PnpAnswer::Relations(vec![device]);
    irp.complete_with(m, STATUS_SUCCESS, 0)
}

/// What a bottom PDO does with PnP IRPs that it does not know.
pub fn pnp_has_nothing_to_say(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    let status = m[irp].io_status.status;
    irp.complete_with(m, status, 0)
}

/// What a bottom PDO does with the PnP IRPs of a device's life: it agrees.
pub fn pnp_agrees(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    match PnpMinor::from_code(m[irp].current().minor) {
        Some(
            PnpMinor::StartDevice
            | PnpMinor::QueryRemoveDevice
            | PnpMinor::CancelRemoveDevice
            | PnpMinor::RemoveDevice
            | PnpMinor::SurpriseRemoval
            | PnpMinor::QueryCapabilities,
        ) => irp.complete_with(m, STATUS_SUCCESS, 0),
        _ => pnp_has_nothing_to_say(m, device, irp),
    }
}

/// Sends a PnP IRP to the top of a stack, and waits for it. Nothing of that is written down by itself.
pub fn send_pnp(m: &mut Machine, device: DeviceObject, minor: PnpMinor) -> NtStatus {
    ask_pnp(m, device, minor, PnpParameters::None).0
}

/// Asks a bus for its children, as [`send_pnp`].
pub fn bus_relations(m: &mut Machine, bus: DeviceObject) -> (NtStatus, Vec<DeviceObject>) {
    match ask_pnp(m, bus, PnpMinor::QueryDeviceRelations, PnpParameters::Relations(RelationType::Bus)) {
        (status, PnpAnswer::Relations(children)) => (status, children),
        (status, _) => (status, Vec::new()),
    }
}

fn ask_pnp(m: &mut Machine, device: DeviceObject, minor: PnpMinor, parameters: PnpParameters) -> (NtStatus, PnpAnswer) {
    let top = device.top_of_stack(m);
    let irp = m.allocate_irp(m[top].stack_size).unwrap();
    m[irp].io_status.status = STATUS_NOT_SUPPORTED;
    let location = m[irp].next_mut();
    location.major = Major::Pnp;
    location.minor = minor as u8;
    location.parameters = Parameters::Pnp(parameters);
    irp.call_driver(m, top);
    m.wait("a PnP IRP", move |m| m[irp].is_completed());
    m.run_ready();
    (m[irp].io_status.status, std::mem::take(&mut m[irp].pnp_answer))
}

/// A driver of a case, with everything in its log.
pub fn driver_config(case: &Case, device_add: DeviceAdd) -> DriverConfig {
    DriverConfig {
        device_add: Some(device_add),
        verbose: true,
        verifier: case.is_set("ver"),
        log_pages: 16,
        ..DriverConfig::default()
    }
}

/// Calls a driver's AddDevice for a PDO.
pub fn add_device_to(m: &mut Machine, driver: Driver, pdo: DeviceObject) -> NtStatus {
    let driver_object = driver.driver_object(m);
    let add_device = m[driver_object].add_device.unwrap();
    add_device(m, driver_object, pdo)
}

/// Runs `act` without writing down what the driver logs meanwhile and what becomes of IRPs.
pub fn without_traces<R>(m: &mut Machine, act: impl FnOnce(&mut Machine) -> R) -> R {
    let heard = hush(m, true);
    let result = act(m);
    unhush(m, heard);
    result
}

fn arrive(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    record_arrival(m, device, irp);
    let Targets { behaviour, .. } = *m.extension::<Targets>();
    if behaviour.pends == Pends::Never {
        return irp.complete_with(m, behaviour.status, behaviour.information);
    }
    irp.mark_pending(m);
    m.extension_mut::<Targets>().held.push((device, irp));
    if behaviour.pends == Pends::Cancelable {
        irp.set_cancel_routine(m, Some(cancel_routine));
        if m[irp].cancel && irp.set_cancel_routine(m, None).is_some() {
            let (device, name) = (name_of(m, device.address()), irp_name(m, irp));
            record(m, format!("cancelledOnArrival {device} {name}"));
            let_go(m, irp);
        }
    }
    STATUS_PENDING
}

fn cancel_routine(m: &mut Machine, device: Option<DeviceObject>, irp: Irp) {
    irp.release_cancel_spin_lock(m);
    let device = device.map_or(0, DeviceObject::address);
    let (device, name) = (name_of(m, device), irp_name(m, irp));
    record(m, format!("cancelRoutine {device} {name}"));
    let_go(m, irp);
}

fn let_go(m: &mut Machine, irp: Irp) {
    m.extension_mut::<Targets>().held.retain(|&(_, held)| held != irp);
    irp.complete_with(m, STATUS_CANCELLED, 0);
}

/// Writes down what a plain target was sent.
pub fn record_arrival(m: &mut Machine, device: DeviceObject, irp: Irp) {
    let data = &m[irp];
    let location = data.current();
    let (count, current, control) = (data.stack_count(), data.current_location(), location.control.0);
    let word = match location.parameters {
        Parameters::DeviceIoControl { code, .. } => format!("0x{:x}", code.0),
        Parameters::Transfer { length, .. } => format!("0x{length:x}"),
        // The measured side masks what is no number here.
        _ if location.major == Major::SystemControl => "-".to_owned(),
        _ => "0x0".to_owned(),
    };
    let major = match location.major {
        Major::InternalDeviceControl => "INTIOCTL".to_owned(),
        Major::DeviceControl => "IOCTL".to_owned(),
        Major::SystemControl => "WMI".to_owned(),
        // Majors that the measured side has no name for.
        major @ (Major::FlushBuffers | Major::QueryInformation | Major::Shutdown) => (major as u8).to_string(),
        major => major.name().trim_start_matches("IRP_MJ_").to_owned(),
    };
    let (device_name, irp_name) = (name_of(m, device.address()), irp_name(m, irp));
    record(m, format!("arrive {device_name} {irp_name} {count} {current} {major} {word} {control}"));
}

/// The targets complete what they hold, oldest first.
pub fn targets_complete(m: &mut Machine, status: NtStatus, information: u64) {
    while m.extension::<Targets>().hold_some() {
        target_completes(m, status, information);
    }
}

/// A target completes the oldest IRP that one holds.
pub fn target_completes(m: &mut Machine, status: NtStatus, information: u64) {
    let (device, irp) = m.extension_mut::<Targets>().held.remove(0);
    let device = name_of(m, device.address());
    if !irp.exists(m) {
        // Freed while the target had it; it was the case's first.
        name(m, irp.address(), "<IRP1>");
        record(m, format!("targetCompletes {device} <IRP1> {} {information}", hex(status)));
        return irp.complete(m);
    }
    let name = irp_name(m, irp);
    let had_routine = irp.set_cancel_routine(m, None).is_some();
    if m.extension::<Targets>().behaviour.pends == Pends::Cancelable && !had_routine {
        record(m, "cancelRoutineAlreadyGone".to_owned());
    }
    record(m, format!("targetCompletes {device} {name} {} {information}", hex(status)));
    irp.complete_with(m, status, information);
}

/// A framework FDO with a parallel default queue that calls `on_request`.
pub struct Fixture {
    pub driver: Driver,
    pub device: Device,
}

/// What the fixture's EvtDriverDeviceAdd needs, and what it made.
struct Made {
    on_request: Option<fn(&mut Machine, Queue, Request)>,
    device: Option<Device>,
}

pub fn fixture(m: &mut Machine, verifier: bool, on_request: Option<fn(&mut Machine, Queue, Request)>) -> Fixture {
    let config = DriverConfig {
        device_add: Some(device_add),
        verbose: true,
        verifier,
        log_pages: 16,
        ..DriverConfig::default()
    };
    let driver = Driver::create(m, "oracle", config, Attributes::none().context(Made { on_request, device: None }));
    let function = Some(driver.driver_object(m));
    m.install(Installation { hardware_id: "ROOT\\ORACLE".into(), function, ..Installation::default() });
    m.add_root_device("ROOT\\ORACLE").unwrap();
    let device = driver.context::<Made>(m).device.unwrap();
    name(m, device.object().handle(), "<DEV>");
    let device_object = device.device_object(m).address();
    name(m, device_object, "<FDO>");
    if let Some(queue) = device.default_queue(m) {
        name(m, queue.object().handle(), "<QUEUE>");
    }
    Fixture { driver, device }
}

fn device_add(m: &mut Machine, driver: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let device = init.create(m, Attributes::none())?;
    let made = driver.context::<Made>(m);
    made.device = Some(device);
    if let Some(on_request) = made.on_request {
        Queue::config(Dispatch::Parallel).power_managed(false).on_default(on_request).create_default(m, device)?;
    }
    Ok(())
}

/// A remote target of the device, open on a plain device.
pub fn open_target(m: &mut Machine, device: Device, on: DeviceObject, name_it: &str) -> IoTarget {
    let target = IoTarget::create(m, device, Attributes::none()).unwrap();
    target.open_existing_device(m, on).unwrap();
    name(m, target.object().handle(), name_it);
    target
}

/// Sends an internal control IRP of `stack` locations to the device, arriving at location `at`.
pub fn dispatch(m: &mut Machine, device: Device, stack: i8, at: i8) {
    let returned = send_down(m, device, stack, at);
    record(m, format!("dispatchReturned {}", hex(returned)));
}

/// As [`dispatch`], without an event.
pub fn send_down(m: &mut Machine, device: Device, stack: i8, at: i8) -> NtStatus {
    let irp = m.allocate_irp(stack).unwrap();
    while m[irp].current_location() > at + 1 {
        m[irp].set_next_location();
    }
    send_irp(m, device, irp)
}

/// Sends an IRP to the device as an internal control IRP, and writes down what the dispatch routine returned.
pub fn dispatch_irp(m: &mut Machine, device: Device, irp: Irp) {
    let returned = send_irp(m, device, irp);
    record(m, format!("dispatchReturned {}", hex(returned)));
}

fn send_irp(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    m[irp].io_status.status = STATUS_NOT_SUPPORTED;
    let location = m[irp].next_mut();
    location.major = Major::InternalDeviceControl;
    location.parameters =
        Parameters::DeviceIoControl { output_length: 0, input_length: 0, code: CODE, type3_input: None };
    let device_object = device.device_object(m);
    irp.call_driver(m, device_object)
}

/// Writes down a completion routine's arguments.
pub fn record_completion(m: &mut Machine, request: Request, target: IoTarget, params: &CompletionParams) {
    let kind = type_number(params.kind);
    let current = request.current_irp(m).map_or(0, |irp| m[irp].current_location());
    let (request_name, target) = (request_name(m, request), name_of(m, target.object().handle()));
    let (status, information) = (hex(params.io_status.status), params.io_status.information);
    let now = hex(request.status(m));
    record(m, format!("completionRoutine {request_name} {target} {status} {information} {kind} {now} {current}"));
}

/// WDF_REQUEST_TYPE, as completion parameters have it.
pub fn type_number(kind: SentKind) -> u8 {
    match kind {
        SentKind::NoFormat => 255,
        SentKind::Read => 3,
        SentKind::Write => 4,
        SentKind::Ioctl(_) => 14,
        SentKind::InternalIoctl(_) => 15,
        SentKind::Other => 28,
    }
}
