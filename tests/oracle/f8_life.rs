//! Whole lives of devices: scripts of PnP and power IRPs, requests, files, and what drivers ask meanwhile.

use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{
    DeviceObject, FileObject, Guid, IoType, Irp, Machine, Major, NtStatus, OpenOptions, Parameters, PnpMinor,
    PnpParameters, RelationType, Ticks, UsageType,
};

use super::case::{Case, Event};
use super::lives::{self, Lives, asked, call_and_wait, lower, send_and_record};
use super::world::*;

/// What a case asks of its driver, and what there is of it.
#[derive(Default)]
struct Scene {
    wanted: Wanted,
    calls: Vec<&'static str>,
    driver: Option<Driver>,
    device: Option<Device>,
    device_object: Option<DeviceObject>,
    queue: Option<Queue>,
    held: Vec<Request>,
    irps: Vec<Irp>,
    requests: usize,
    files: Vec<FileObject>,
    opened: usize,
}

#[derive(Clone, Default)]
struct Wanted {
    kind: String,
    callbacks: String,
    queue: String,
    on_stop: String,
    fail: String,
    files: i8,
    idle: i8,
    interface: bool,
    shutdown: bool,
}

pub fn run(case: &Case) -> Vec<Event> {
    let mut m = machine(Behaviour::succeed(0));
    let text = |key: &str| case.text_of(key).to_owned();
    let wanted = Wanted {
        kind: text("kind"),
        callbacks: text("callbacks"),
        queue: text("queue"),
        on_stop: text("evtIoStop"),
        fail: text("fail"),
        files: case.number_of("files"),
        idle: case.number_of("s0Idle"),
        interface: case.is_set("interface"),
        shutdown: case.is_set("shutdownNotification"),
    };
    m.add_extension(Lives { lower_start_fails: wanted.fail == "lowerStart", ..Lives::default() });
    m.add_extension(Scene { wanted, ..Scene::default() });
    let config = DriverConfig { unload: Some(|_, _| {}), ..driver_config(case, device_add) };
    let driver = Driver::create(&mut m, "oracle", config, Attributes::none());
    name(&mut m, driver.object().handle(), "<DRIVER>");
    let driver_object = driver.driver_object(&m).address();
    name(&mut m, driver_object, "<DRVOBJ>");
    name(&mut m, driver.globals_address(), "<FXGLOBALS>");
    m.extension_mut::<Scene>().driver = Some(driver);
    let outcome = m.run(|m| {
        make_device(m, driver, case.text_of("kind"));
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

fn device(m: &mut Machine) -> Device {
    scene(m).device.unwrap()
}

/// Makes the device of the case, and begins to write down.
fn make_device(m: &mut Machine, driver: Driver, kind: &str) {
    let is_pdo = kind.starts_with("pdo");
    let bottom = target_device(m, 1, if is_pdo { "<BUSPDO>" } else { "<PDO0>" });
    let bottom_driver = bottom.driver(m);
    bottom_driver.set_all_majors(m, lower);
    make_files(m);
    m.on_idle(|m| lives::is_waiting(m) && complete_one_held(m));
    record_frees(m);
    m.on_pnp_request(asked);
    if kind == "control" {
        start(m, driver);
        let init = DeviceInit::control(driver, "\\Device\\OracleC");
        _ = create(m, init);
        return;
    }
    if !is_pdo {
        start(m, driver);
        let status = add_device_to(m, driver, bottom);
        return record(m, format!("addDevice {}", hex(status)));
    }
    let bus = without_traces(m, |m| make_bus(m, driver, bottom));
    start(m, driver);
    let init = DeviceInit::pdo_of(m, bus);
    let child = create(m, init).unwrap();
    let status = NtStatus::from(bus.add_static_child(m, child));
    record(m, format!("addStaticChild {}", hex(status)));
    m.run_ready();
    let bus_object = bus.device_object(m);
    send_and_record(m, bus_object, PnpMinor::QueryDeviceRelations, PnpParameters::Relations(RelationType::Bus));
    m.run_ready();
}

/// A started bus, of which nothing is written down.
fn make_bus(m: &mut Machine, driver: Driver, bottom: DeviceObject) -> Device {
    scene(m).wanted.kind.insert_str(0, "bus of ");
    let status = add_device_to(m, driver, bottom);
    assert_eq!(status, STATUS_SUCCESS, "the bus of a case is added");
    let bus = scene(m).device.take().unwrap();
    let bus_object = bus.device_object(m);
    name(m, bus.object().handle(), "<BUS>");
    name(m, bus_object.address(), "<BUSFDO>");
    let target = vbus::wdf::layer::default_target(m, bus).unwrap();
    name(m, target.handle(), "<BUSTGT>");
    send_pnp(m, bus_object, PnpMinor::StartDevice);
    let kind = scene(m).wanted.kind.split_off("bus of ".len());
    scene(m).wanted.kind = kind;
    bus
}

fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    if scene(m).wanted.kind.starts_with("bus of ") {
        scene(m).device = Some(init.create(m, Attributes::none())?);
        return Ok(());
    }
    create(m, init)?;
    if scene(m).wanted.fail == "addDeviceAfterCreate" { Err(STATUS_INSUFFICIENT_RESOURCES) } else { Ok(()) }
}

fn create(m: &mut Machine, mut init: DeviceInit) -> Result<Device, NtStatus> {
    let wanted = scene(m).wanted.clone();
    let object = match wanted.kind.as_str() {
        "filter" => {
            init = init.filter();
            "<FILTER>"
        }
        "pdo" => {
            init = init.raw();
            "<PDO>"
        }
        "pdoNotPolicyOwner" => {
            init = init.power_policy_owner(false);
            "<PDO>"
        }
        "fdoNotPolicyOwner" => {
            init = init.power_policy_owner(false);
            "<FDO>"
        }
        "control" => "<CDO>",
        _ => "<FDO>",
    };
    let callbacks = callbacks(&wanted.callbacks);
    init = init.callbacks(callbacks);
    init = match wanted.files {
        0 => init,
        1 => init.file_objects(FileConfig::new()),
        2 => init.file_objects(FileConfig::new().on_create(file_created)),
        files => {
            let config = FileConfig::new().on_create(file_created).on_cleanup(file_cleaned_up).on_close(file_closed);
            init.file_objects(if files == 4 { config.auto_forward(true) } else { config })
        }
    };
    if wanted.shutdown {
        init = init.shutdown_notification(shut_down);
    }
    let attributes = Attributes::none().context(()).on_cleanup(cleaned_up).on_destroy(destroyed);
    let device = init.create(m, attributes)?;
    let device_object = device.device_object(m);
    name(m, device.object().handle(), "<DEV>");
    name(m, device_object.address(), object);
    if let Some(target) = vbus::wdf::layer::default_target(m, device) {
        name(m, target.handle(), "<DEVTGT>");
    }
    (scene(m).device, scene(m).device_object) = (Some(device), Some(device_object));
    record(m, "WdfDeviceCreate 0x00000000".to_owned());
    make_queue(m, device, &wanted);
    if wanted.interface {
        let status = NtStatus::from(device.create_interface(m, Guid(0x1234), None));
        record(m, format!("createInterface {}", hex(status)));
    }
    if wanted.idle != 0 {
        let up_on_system_wake = (wanted.idle == 2).then_some(true);
        let settings = IdleSettings { timeout_ms: 100, up_on_system_wake, ..IdleSettings::default() };
        let status = NtStatus::from(device.assign_s0_idle_settings(m, settings));
        record(m, format!("assignS0Idle {}", hex(status)));
    }
    Ok(device)
}

fn make_queue(m: &mut Machine, device: Device, wanted: &Wanted) {
    let config = match wanted.queue.as_str() {
        "sequential" => Queue::config(Dispatch::Sequential).power_managed(false).on_default(presented),
        "pmSequential" => Queue::config(Dispatch::Sequential).power_managed(true).on_default(presented),
        "pmParallel" => Queue::config(Dispatch::Parallel).power_managed(true).on_default(presented),
        "pmManual" => Queue::config(Dispatch::Manual).power_managed(true),
        _ => return,
    };
    let config = match wanted.on_stop.as_str() {
        "noCallback" => config,
        _ => config.on_stop(stopping).on_resume(resuming),
    };
    let attributes = Attributes::none().context(()).on_cleanup(cleaned_up).on_destroy(destroyed);
    let queue = config.create_default_with(m, device, attributes);
    let status = queue.map_or_else(|status| status, |_| STATUS_SUCCESS);
    if let Ok(queue) = queue {
        name(m, queue.object().handle(), "<QUEUE>");
        scene(m).queue = Some(queue);
    }
    record(m, format!("WdfIoQueueCreate {}", hex(status)));
}

fn cleaned_up(m: &mut Machine, object: Object) {
    let shown = name_of(m, object.handle());
    record(m, format!("evt ContextCleanup {shown}"));
}

fn destroyed(m: &mut Machine, object: Object) {
    let shown = name_of(m, object.handle());
    record(m, format!("evt ContextDestroy {shown}"));
}

fn callbacks(which: &str) -> PnpCallbacks {
    if which == "none" {
        return PnpCallbacks::default();
    }
    let basic = PnpCallbacks {
        prepare_hardware: Some(|m, _| evt(m, "PrepareHardware", None)),
        release_hardware: Some(|m, _| evt(m, "ReleaseHardware", None)),
        d0_entry: Some(|m, _, state| evt(m, "D0Entry", Some(state))),
        d0_exit: Some(|m, _, state| evt(m, "D0Exit", Some(state))),
        ..PnpCallbacks::default()
    };
    if which == "basic" {
        return basic;
    }
    PnpCallbacks {
        d0_entry_post_interrupts_enabled: Some(|m, _, state| evt(m, "D0EntryPostInterruptsEnabled", Some(state))),
        d0_exit_pre_interrupts_disabled: Some(|m, _, state| evt(m, "D0ExitPreInterruptsDisabled", Some(state))),
        self_managed_io_init: Some(|m, _| evt(m, "SelfManagedIoInit", None)),
        self_managed_io_suspend: Some(|m, _| evt(m, "SelfManagedIoSuspend", None)),
        self_managed_io_restart: Some(|m, _| evt(m, "SelfManagedIoRestart", None)),
        self_managed_io_flush: Some(|m, _| notice(m, "SelfManagedIoFlush")),
        self_managed_io_cleanup: Some(|m, _| notice(m, "SelfManagedIoCleanup")),
        query_remove: Some(|m, _| evt(m, "QueryRemove", None)),
        query_stop: Some(|m, _| evt(m, "QueryStop", None)),
        surprise_removal: Some(|m, _| notice(m, "SurpriseRemoval")),
        usage_notification: Some(|m, _, file, in_path| {
            record(m, format!("evt UsageNotification <DEV> {} {}", file as u8, u8::from(in_path)));
        }),
        relations_query: Some(|m, _, kind| record(m, format!("evt RelationsQuery <DEV> {}", kind as u8))),
        ..basic
    }
}

fn notice(m: &mut Machine, callback: &'static str) {
    record(m, format!("evt {callback} <DEV>"));
}

/// A callback runs, and fails if the case says so.
fn evt(m: &mut Machine, callback: &'static str, state: Option<PowerDeviceState>) -> Result<(), NtStatus> {
    let Scene { wanted, calls, .. } = scene(m);
    calls.push(callback);
    let times = calls.iter().filter(|&&known| known == callback).count();
    let (failing, at) = match wanted.fail.as_str() {
        "prepareHardware" => ("PrepareHardware", 1),
        "prepareHardwareSecondTime" => ("PrepareHardware", 2),
        "releaseHardware" => ("ReleaseHardware", 1),
        "d0Entry" => ("D0Entry", 1),
        "d0EntrySecondTime" => ("D0Entry", 2),
        "d0EntryPostInterrupts" => ("D0EntryPostInterruptsEnabled", 1),
        "d0Exit" => ("D0Exit", 1),
        "selfManagedIoInit" => ("SelfManagedIoInit", 1),
        "selfManagedIoSuspend" => ("SelfManagedIoSuspend", 1),
        "selfManagedIoRestart" => ("SelfManagedIoRestart", 1),
        "queryStop" => ("QueryStop", 1),
        "queryRemove" => ("QueryRemove", 1),
        _ => ("", 0),
    };
    let status = match callback {
        _ if (failing, at) != (callback, times) => STATUS_SUCCESS,
        "PrepareHardware" => STATUS_DEVICE_CONFIGURATION_ERROR,
        "QueryStop" | "QueryRemove" => STATUS_DEVICE_BUSY,
        _ => STATUS_DEVICE_DATA_ERROR,
    };
    let state = state.map_or(String::new(), |state| format!(" {state:?}"));
    record(m, format!("evt {callback} <DEV> {}{state}", hex(status)));
    if status.is_success() { Ok(()) } else { Err(status) }
}

fn play(m: &mut Machine, step: &str) {
    use PnpMinor::*;
    let (bus, removal) = (PnpParameters::Relations(RelationType::Bus), PnpParameters::Relations(RelationType::Removal));
    let eject = PnpParameters::Relations(RelationType::Ejection);
    let pnp = |m: &mut Machine, minor, parameters| {
        let device = scene(m).device_object.unwrap();
        lives::pnp(m, device, minor, parameters);
    };
    let target = PnpParameters::Relations(RelationType::Target);
    match step {
        "start" => pnp(m, StartDevice, PnpParameters::None),
        "qremove" => pnp(m, QueryRemoveDevice, PnpParameters::None),
        "cremove" => pnp(m, CancelRemoveDevice, PnpParameters::None),
        "remove" => pnp(m, RemoveDevice, PnpParameters::None),
        "qstop" => pnp(m, QueryStopDevice, PnpParameters::None),
        "cstop" => pnp(m, CancelStopDevice, PnpParameters::None),
        "stop" => pnp(m, StopDevice, PnpParameters::None),
        "surprise" => pnp(m, SurpriseRemoval, PnpParameters::None),
        "caps" => pnp(m, QueryCapabilities, PnpParameters::None),
        "state" => pnp(m, QueryPnpDeviceState, PnpParameters::None),
        "bus" => pnp(m, QueryDeviceRelations, bus),
        "removal" => pnp(m, QueryDeviceRelations, removal),
        "eject" => pnp(m, QueryDeviceRelations, eject),
        "target" => pnp(m, QueryDeviceRelations, target),
        "res" => pnp(m, QueryResources, PnpParameters::None),
        "resreq" => pnp(m, QueryResourceRequirements, PnpParameters::None),
        "paging+" => pnp(m, DeviceUsageNotification, PnpParameters::Usage { kind: UsageType::Paging, in_path: true }),
        "paging-" => pnp(m, DeviceUsageNotification, PnpParameters::Usage { kind: UsageType::Paging, in_path: false }),
        "send" => send(m, None),
        "sendf" => {
            let file = scene(m).opened - 1;
            let file = scene(m).files[file];
            send(m, Some(file));
        }
        "cancel" => {
            let irp = *scene(m).irps.last().unwrap();
            let cancelled = irp.cancel(m);
            record(m, format!("IoCancelIrp {}", u8::from(cancelled)));
        }
        "complete" => while complete_one_held(m) {},
        "retrieve" => retrieve(m),
        "q" => queue_state(m),
        "states" => {
            let device = device(m);
            let (pnp, power, policy) =
                (device.pnp_state(m) as u16, device.power_state(m) as u16, device.power_policy_state(m) as u16);
            record(m, format!("states {pnp} {power} {policy}"));
        }
        "open" => {
            scene(m).opened += 1;
            file_irp(m, Major::Create);
        }
        "cleanup" => file_irp(m, Major::Cleanup),
        "close" => file_irp(m, Major::Close),
        "advance" => {
            record(m, "advance 200ms".to_owned());
            pass_time(m);
        }
        "finish" => {
            let device = device(m);
            device.finish_initializing(m);
            record(m, "finishInitializing".to_owned());
        }
        "del" => {
            let device = device(m);
            record(m, "WdfObjectDelete".to_owned());
            m.extension_mut::<Lives>().waiting = true;
            device.delete(m);
            m.extension_mut::<Lives>().waiting = false;
        }
        "shutdown" => shutdown(m),
        "setfailed" | "setfailedR" => set_failed(m, step == "setfailedR"),
        "devstate" => {
            let device = device(m);
            device.set_device_state(m, DeviceState { not_disableable: Some(true), ..DeviceState::default() });
            record(m, "setDeviceState notDisableable".to_owned());
        }
        "stopidle" | "stopidleW" => {
            let (device, wait) = (device(m), step == "stopidleW");
            let status = device.stop_idle(m, wait);
            record(m, format!("stopIdle{} {}", if wait { "Wait" } else { "" }, hex(status)));
        }
        "resumeidle" => {
            let device = device(m);
            device.resume_idle(m);
            record(m, "resumeIdle".to_owned());
        }
        "unload" => {
            record(m, "unload".to_owned());
            let driver = scene(m).driver.unwrap();
            driver.unload(m);
        }
        state => {
            let device = scene(m).device_object.unwrap();
            lives::power(m, device, state);
        }
    }
}

fn set_failed(m: &mut Machine, restart: bool) {
    let device = device(m);
    let (action, shown) = match restart {
        true => (FailedAction::AttemptRestart, "attemptRestart"),
        false => (FailedAction::NoRestart, "noRestart"),
    };
    record(m, format!("setFailed {shown}"));
    device.set_failed(m, action);
}

fn pass_time(m: &mut Machine) {
    m.wait_at_most(Ticks::from_millis(200), |_| false);
}

fn send(m: &mut Machine, file: Option<FileObject>) {
    let device = scene(m).device_object.unwrap();
    let irp = m.allocate_irp(m[device].stack_size + 1).unwrap();
    m[irp].io_status.status = STATUS_NOT_SUPPORTED;
    scene(m).irps.push(irp);
    irp_name(m, irp);
    let location = m[irp].next_mut();
    location.major = Major::InternalDeviceControl;
    location.file = file;
    location.parameters =
        Parameters::DeviceIoControl { output_length: 0, input_length: 0, code: CODE, type3_input: None };
    let status = irp.call_driver(m, device);
    record(m, format!("dispatchReturned {}", hex(status)));
}

fn presented(m: &mut Machine, _: Queue, request: Request) {
    scene(m).requests += 1;
    let number = scene(m).requests;
    let shown = name_request(m, request, number);
    let irp = request.irp(m).unwrap();
    let irp = irp_name(m, irp);
    record(m, format!("queueCallback {shown} {irp}"));
    if scene(m).wanted.on_stop == "markedCancelable" {
        let status = NtStatus::from(request.mark_cancelable_ex(m, cancelled));
        record(m, format!("markCancelable {}", hex(status)));
    }
    scene(m).held.push(request);
}

fn cancelled(m: &mut Machine, request: Request) {
    let shown = request_name(m, request);
    record(m, format!("evt RequestCancel {shown}"));
    scene(m).held.retain(|&held| held != request);
    request.complete(m, STATUS_CANCELLED);
}

/// Somebody completes the oldest request that the driver holds.
fn complete_one_held(m: &mut Machine) -> bool {
    let Some(&request) = scene(m).held.first() else { return false };
    let shown = request_name(m, request);
    scene(m).held.remove(0);
    if scene(m).wanted.on_stop == "markedCancelable" {
        let status = NtStatus::from(request.unmark_cancelable(m));
        record(m, format!("unmarkCancelable {}", hex(status)));
    }
    record(m, format!("idle complete {shown}"));
    request.complete(m, STATUS_SUCCESS);
    true
}

fn stopping(m: &mut Machine, _: Queue, request: Request, action: StopAction) {
    let shown = request_name(m, request);
    record(m, format!("evtIoStop {shown} 0x{:x}", action.0));
    let requeue = match scene(m).wanted.on_stop.as_str() {
        "ack" => false,
        "ackRequeue" => true,
        "complete" => {
            scene(m).held.retain(|&held| held != request);
            record(m, format!("complete {shown}"));
            return request.complete(m, STATUS_CANCELLED);
        }
        _ => return,
    };
    if requeue {
        scene(m).held.retain(|&held| held != request);
    }
    record(m, format!("stopAcknowledge {}", u8::from(requeue)));
    request.stop_acknowledge(m, requeue);
}

fn resuming(m: &mut Machine, _: Queue, request: Request) {
    let shown = request_name(m, request);
    record(m, format!("evtIoResume {shown}"));
}

fn retrieve(m: &mut Machine) {
    let queue = scene(m).queue.unwrap();
    let found = queue.retrieve_next(m);
    let status = found.map_or_else(|status| status, |_| STATUS_SUCCESS);
    record(m, format!("retrieve {}", hex(status)));
    if let Ok(request) = found {
        presented(m, queue, request);
    }
}

fn queue_state(m: &mut Machine) {
    let Some(queue) = scene(m).queue else { return };
    let (state, (waiting, owned)) = (queue.state(m), queue.counts(m));
    record(m, format!("queueState 0x{:x} {waiting} {owned}", state.0));
}

/// File objects that have nothing to do with the device of the case.
fn make_files(m: &mut Machine) {
    let driver = m.create_driver("elsewhere");
    driver.set_major(m, Major::Create, pnp_has_nothing_to_say);
    let elsewhere = m.create_device(driver);
    m[elsewhere].initializing = false;
    m[elsewhere].io_type = IoType::Buffered;
    m.name_device(elsewhere, "\\Device\\Elsewhere").unwrap();
    for number in 1..=2 {
        let file = m.create_file("\\Device\\Elsewhere", OpenOptions::READ_WRITE).unwrap().unwrap();
        name(m, file.address(), &format!("<FILE{number}>"));
        scene(m).files.push(file);
    }
}

fn file_irp(m: &mut Machine, major: Major) {
    let number = scene(m).opened;
    let file = scene(m).files[number - 1];
    let device = scene(m).device_object.unwrap();
    let shown = name_of(m, device.address());
    record(m, format!("fileSend {} <FILE{number}> {shown}", major.name().replace("IRP_MJ_", "")));
    let irp = m.allocate_irp(m[device].stack_size).unwrap();
    name(m, irp.address(), FILE_IRP);
    let location = m[irp].next_mut();
    (location.major, location.file) = (major, Some(file));
    call_and_wait(m, device, irp);
    let status = m[irp].io_status.status;
    record(m, format!("fileDone {}", hex(status)));
}

fn file_name(m: &mut Machine, file: Option<WdfFileObject>) -> String {
    let Some(file) = file else { return "<NULL>".to_owned() };
    let shown = name_of(m, file.object().handle());
    if !shown.starts_with("<WDFFILE") {
        let shown = format!("<WDFFILE{}>", scene(m).opened);
        name(m, file.object().handle(), &shown);
        return shown;
    }
    shown
}

fn file_created(m: &mut Machine, _: Device, request: Request, file: Option<WdfFileObject>) {
    let shown = file_name(m, file);
    record(m, format!("evt FileCreate {shown}"));
    let fails = scene(m).wanted.fail == "fileCreate";
    request.complete(m, if fails { STATUS_ACCESS_DENIED } else { STATUS_SUCCESS });
}

fn file_cleaned_up(m: &mut Machine, _: Device, file: Option<WdfFileObject>) {
    let shown = file_name(m, file);
    record(m, format!("evt FileCleanup {shown}"));
}

fn file_closed(m: &mut Machine, _: Device, file: Option<WdfFileObject>) {
    let shown = file_name(m, file);
    record(m, format!("evt FileClose {shown}"));
}

fn shutdown(m: &mut Machine) {
    let device = scene(m).device_object.unwrap();
    let irp = m.allocate_irp(m[device].stack_size).unwrap();
    name(m, irp.address(), "<SHUTIRP>");
    m[irp].next_mut().major = Major::Shutdown;
    let status = irp.call_driver(m, device);
    record(m, format!("dispatchReturned {}", hex(status)));
}

fn shut_down(m: &mut Machine, _: Device) {
    record(m, "evt Shutdown <DEV>".to_owned());
}
