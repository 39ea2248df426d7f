//! The bus's I/O target on a child that goes: a request in flight, notifications, every way to let go of the target.

use vbus::iotarget::{CompletionParams, Data, IoTarget, OpenParams, SendOptions, SendRequest, SentIo, TargetState};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, DeviceObject, Irp, Machine, Major, NtStatus, OpenOptions, PnpMinor, TargetEvent};

use super::case::{Case, Event};
use super::f9_children::{self, evt, make_bus};
use super::lives::{Lives, record_lower};
use super::world::*;

/// What the name of the first child is, and how the target opens it.
const NAME: &str = "\\??\\OracleKid";

struct Scene {
    function: String,
    action: String,
    open: String,
    power_managed: bool,
    verifier: bool,
    target: Option<IoTarget>,
    request: Option<Request>,
    /// What the child's driver holds.
    held: Option<Held>,
    /// Who was heard before a step said that nobody is.
    hushed: Vec<Driver>,
}

#[derive(Clone, Copy)]
enum Held {
    Request(Request),
    Irp(DeviceObject, Irp),
}

pub fn run(case: &Case) -> Vec<Event> {
    let mut m = machine(Behaviour::succeed(0));
    m.add_extension(Lives::default());
    let config = driver_config(case, f9_children::device_add);
    let driver = Driver::create(&mut m, "oracle", config, Attributes::none());
    name(&mut m, driver.globals_address(), "<FXGLOBALS>");
    m.add_extension(Scene {
        function: case.text_of("function").to_owned(),
        action: case.text_of("childAction").to_owned(),
        open: case.text_of("open").to_owned(),
        power_managed: case.is_set("powerManaged"),
        verifier: case.is_set("ver"),
        target: None,
        request: None,
        held: None,
        hushed: Vec::new(),
    });
    let raw = case.text_of("function") == "pdoQueue";
    m.add_extension(f9_children::Scene::for_targets(raw, kid_queue));
    record_files(&mut m);
    m.on_idle(|m| {
        let holds = scene(m).held.is_some();
        if holds {
            let_go_of_held(m, "idle");
        }
        holds
    });
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

fn play(m: &mut Machine, step: &str) {
    match step.trim_end_matches('0') {
        "/" => {
            let heard = hush(m, true);
            scene(m).hushed = heard;
        }
        "~" => {
            let heard = hush(m, false);
            scene(m).hushed = heard;
        }
        "|" => {
            let heard = std::mem::take(&mut scene(m).hushed);
            unhush(m, heard);
        }
        "func" => put_function_on(m),
        "filt" => attach_filter(m),
        "topen" => open(m),
        "tsend" => send(m),
        "kcomplete" => match scene(m).held {
            Some(_) => let_go_of_held(m, "child"),
            None => record(m, "nothingPending".to_owned()),
        },
        "notifyQR" => notify(m, "queryRemove", TargetEvent::QueryRemove),
        "notifyRC" => notify(m, "removeCancelled", TargetEvent::RemoveCancelled),
        "notifyRM" => notify(m, "removeComplete", TargetEvent::RemoveComplete),
        of_target if of_target.starts_with('t') => of_target_step(m, of_target),
        _ => f9_children::play(m, step),
    }
}

fn of_target_step(m: &mut Machine, step: &str) {
    let target = scene(m).target.unwrap();
    match step {
        "tclose" => {
            record(m, "WdfIoTargetClose".to_owned());
            target.close(m);
            info(m);
        }
        "tcloseqr" => {
            record(m, "WdfIoTargetCloseForQueryRemove".to_owned());
            target.close_for_query_remove(m);
            info(m);
        }
        "tstop" => {
            record(m, "WdfIoTargetStop leaveSentIoPending".to_owned());
            target.stop(m, SentIo::LeavePending);
        }
        "tpurge" => {
            record(m, "WdfIoTargetPurge".to_owned());
            target.purge(m, false);
        }
        "tcancel" => {
            let request = scene(m).request.unwrap();
            let cancelled = request.cancel_sent(m);
            record(m, format!("cancelSent {}", u8::from(cancelled)));
        }
        "tdel" => {
            record(m, "WdfObjectDelete <TGT>".to_owned());
            target.delete(m);
        }
        "tinfo" => info(m),
        unknown => record(m, format!("the model knows no step {unknown}")),
    }
}

/// What the target is now.
fn info(m: &mut Machine) {
    let heard = hush(m, false);
    let target = scene(m).target.unwrap();
    let state = match target.state(m) {
        TargetState::Started => "Started",
        TargetState::Stopped => "Stopped",
        TargetState::Closed => "Closed",
        TargetState::ClosedForQueryRemove => "ClosedForQueryRemove",
        TargetState::Purged => "Purged",
        _ => "?",
    };
    let device = target.device_object(m);
    let size = device.map_or(-1, |device| m[device].stack_size);
    let (pdo, file) = (target.physical_device(m), target.file_object(m));
    let shown = |m: &mut Machine, address: Option<u64>| address.map_or("<NULL>".to_owned(), |known| name_of(m, known));
    let device = shown(m, device.map(DeviceObject::address));
    let pdo = shown(m, pdo.map(DeviceObject::address));
    let file = shown(m, file.map(|file| file.address()));
    unhush(m, heard);
    record(m, format!("target {state} {device} {size} {pdo} {file}"));
}

fn open(m: &mut Machine) {
    let bus = f9_children::bus(m);
    let (_, pdo) = f9_children::child(m, 0).unwrap();
    let attributes = Attributes::none().context(()).on_cleanup(f9_children::cleaned_up);
    let created = IoTarget::create(m, bus, attributes.on_destroy(f9_children::destroyed));
    let target = created.unwrap();
    name(m, target.object().handle(), "<TGT>");
    name(m, target.object().address(), "<TGT.obj>");
    scene(m).target = Some(target);
    record(m, "WdfIoTargetCreate 0x00000000".to_owned());
    let by_name = OpenParams::by_name(NAME, OpenOptions::OVERLAPPED);
    let params = match scene(m).open.as_str() {
        "existingPdo" => OpenParams::existing_device(pdo),
        "existingTop" => OpenParams::existing_device(pdo.top_of_stack(m)),
        "byNameDefault" => by_name,
        _ => by_name.on_query_remove(query_remove).on_remove_canceled(canceled).on_remove_complete(complete),
    };
    let status = NtStatus::from(target.open(m, params));
    record(m, format!("WdfIoTargetOpen {}", hex(status)));
    info(m);
}

fn query_remove(m: &mut Machine, target: IoTarget) -> Result<(), NtStatus> {
    record(m, "evt IoTargetQueryRemove <TGT>".to_owned());
    target.close_for_query_remove(m);
    Ok(())
}

fn canceled(m: &mut Machine, target: IoTarget) {
    record(m, "evt IoTargetRemoveCanceled <TGT>".to_owned());
    let status = NtStatus::from(target.open(m, OpenParams::reopen()));
    record(m, format!("WdfIoTargetOpen reopen {}", hex(status)));
}

fn complete(m: &mut Machine, target: IoTarget) {
    record(m, "evt IoTargetRemoveComplete <TGT>".to_owned());
    target.close(m);
}

fn notify(m: &mut Machine, shown: &str, event: TargetEvent) {
    let (_, pdo) = f9_children::child(m, 0).unwrap();
    record(m, format!("notify {shown}"));
    let status = NtStatus::from(m.notify_target_device(pdo, event));
    record(m, format!("notified {}", hex(status)));
    info(m);
}

fn send(m: &mut Machine) {
    let target = scene(m).target.unwrap();
    let attributes = Attributes::none().context(()).parent(target).on_cleanup(f9_children::cleaned_up);
    let created = target.create_request(m, attributes.on_destroy(f9_children::destroyed));
    let request = match created {
        Ok(request) => request,
        Err(status) => return record(m, format!("WdfRequestCreate {}", hex(status))),
    };
    request_name(m, request);
    scene(m).request = Some(request);
    let formatted = target.format_internal_ioctl(m, request, CODE, Data::None, Data::None);
    record(m, format!("format {}", hex(formatted.into())));
    if let Some(irp) = request.irp(m) {
        irp_name(m, irp);
    }
    let routine = |m: &mut Machine, request: Request, target: IoTarget, params: &CompletionParams, _| {
        let (request_name, target) = (request_name(m, request), name_of(m, target.object().handle()));
        let (status, information) = (hex(params.io_status.status), params.io_status.information);
        let now = hex(request.status(m));
        record(m, format!("completionRoutine {request_name} {target} {status} {information} {now}"));
    };
    request.set_completion_routine(m, routine, Context(0));
    let sent = request.send(m, target, SendOptions::none());
    let status = hex(request.status(m));
    record(m, format!("send {} {status}", u8::from(sent)));
}

/// The queue of a child whose PDO answers itself.
fn kid_queue(m: &mut Machine, child: Device) -> Result<(), NtStatus> {
    let queue = make_queue(m, child)?;
    name(m, queue.object().handle(), "<KIDQ0>");
    let pdo = child.device_object(m);
    m.create_symbolic_link(NAME, pdo)
}

fn make_queue(m: &mut Machine, device: Device) -> Result<Queue, NtStatus> {
    let power_managed = scene(m).power_managed;
    let config = Queue::config(Dispatch::Parallel).power_managed(power_managed).on_default(presented);
    let config = if power_managed { config.on_stop(stopping) } else { config };
    config.create_default(m, device)
}

fn presented(m: &mut Machine, _: Queue, request: Request) {
    name(m, request.object().handle(), "<CREQ>");
    let irp = request.irp(m).unwrap();
    let (count, current) = (m[irp].stack_count(), m[irp].current_location());
    let irp = irp_name(m, irp);
    record(m, format!("childQueueCallback <CREQ> {irp} {count} {current}"));
    match scene(m).action.as_str() {
        "answer" => return request.complete_with_information(m, STATUS_SUCCESS, 4),
        "pendCancelable" => {
            let status = NtStatus::from(request.mark_cancelable_ex(m, cancelled));
            record(m, format!("markCancelable {}", hex(status)));
        }
        _ => {}
    }
    scene(m).held = Some(Held::Request(request));
}

fn cancelled(m: &mut Machine, request: Request) {
    record(m, "evt RequestCancel <CREQ>".to_owned());
    scene(m).held = None;
    request.complete(m, STATUS_CANCELLED);
}

fn stopping(m: &mut Machine, _: Queue, _: Request, action: StopAction) {
    record(m, format!("evtIoStop <CREQ> 0x{:x}", action.0));
}

/// The child's driver completes what it holds, because the script says so or because somebody waits for it.
fn let_go_of_held(m: &mut Machine, why: &str) {
    match scene(m).held.take() {
        Some(Held::Request(request)) => {
            if scene(m).action == "pendCancelable" {
                let status = NtStatus::from(request.unmark_cancelable(m));
                record(m, format!("unmarkCancelable {}", hex(status)));
            }
            record(m, format!("{why} complete <CREQ>"));
            request.complete_with_information(m, STATUS_SUCCESS, 5);
        }
        Some(Held::Irp(device, irp)) => {
            irp.set_cancel_routine(m, None);
            let (device, shown) = (name_of(m, device.address()), irp_name(m, irp));
            record(m, format!("targetCompletes {device} {shown} 0x00000000 5"));
            irp.complete_with(m, STATUS_SUCCESS, 5);
        }
        None => {}
    }
}

/// The child's function driver comes.
fn put_function_on(m: &mut Machine) {
    let (_, pdo) = f9_children::child(m, 0).unwrap();
    if scene(m).function == "wdm" {
        let driver = m.create_driver("function");
        driver.set_all_majors(m, function);
        driver.set_major(m, Major::InternalDeviceControl, function_io);
        let device = m.create_device(driver);
        device.attach_to_stack(m, pdo).unwrap();
        m[device].initializing = false;
        return name(m, device.address(), "<FUNC>");
    }
    let config = DriverConfig {
        device_add: Some(function_add),
        verbose: true,
        verifier: scene(m).verifier,
        log_pages: 16,
        ..DriverConfig::default()
    };
    let driver = Driver::create(m, "oracle2", config, Attributes::none());
    name(m, driver.globals_address(), "<FXGLOBALS2>");
    scene(m).hushed.push(driver);
    let status = add_device_to(m, driver, pdo);
    record(m, format!("addDevice2 {}", hex(status)));
}

fn function_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let callbacks = PnpCallbacks {
        prepare_hardware: Some(|m, device| evt(m, device, "PrepareHardware")),
        release_hardware: Some(|m, device| evt(m, device, "ReleaseHardware")),
        d0_entry: Some(|m, device, _| evt(m, device, "D0Entry")),
        d0_exit: Some(|m, device, _| evt(m, device, "D0Exit")),
        surprise_removal: Some(|m, device| _ = evt(m, device, "SurpriseRemoval")),
        ..PnpCallbacks::default()
    };
    let device = init.callbacks(callbacks).create(m, Attributes::none())?;
    let device_object = device.device_object(m);
    name(m, device.object().handle(), "<FDEV>");
    name(m, device_object.address(), "<FUNCFDO>");
    let target = vbus::wdf::layer::default_target(m, device).unwrap();
    name(m, target.handle(), "<FDEVTGT>");
    let queue = make_queue(m, device)?;
    name(m, queue.object().handle(), "<FUNCQ>");
    Ok(())
}

/// A plain function driver: it passes on what PnP and power send, opens by itself, and goes with its device.
fn function(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    record_lower(m, device, irp);
    let (major, minor) = (m[irp].current().major, m[irp].current().minor);
    match major {
        Major::Create | Major::Cleanup | Major::Close => irp.complete_with(m, STATUS_SUCCESS, 0),
        _ => pass_down(m, device, irp, (major, minor)),
    }
}

fn pass_down(m: &mut Machine, device: DeviceObject, irp: Irp, (major, minor): (Major, u8)) -> NtStatus {
    let lower = device.lower_device(m).unwrap();
    m[irp].skip_current_location();
    let status = irp.call_driver(m, lower);
    if (major, minor) == (Major::Pnp, PnpMinor::RemoveDevice as u8) {
        device.detach(m);
        device.delete(m);
    }
    status
}

fn function_io(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    record_arrival(m, device, irp);
    match scene(m).action.as_str() {
        "answer" => return irp.complete_with(m, STATUS_SUCCESS, 4),
        "pendCancelable" => _ = irp.set_cancel_routine(m, Some(cancel_routine)),
        _ => {}
    }
    irp.mark_pending(m);
    scene(m).held = Some(Held::Irp(device, irp));
    STATUS_PENDING
}

fn cancel_routine(m: &mut Machine, device: Option<DeviceObject>, irp: Irp) {
    irp.release_cancel_spin_lock(m);
    let device = device.map_or(0, DeviceObject::address);
    let (device, shown) = (name_of(m, device), irp_name(m, irp));
    record(m, format!("cancelRoutine {device} {shown}"));
    scene(m).held = None;
    irp.complete_with(m, STATUS_CANCELLED, 0);
}

/// A filter that passes on everything comes on top.
fn attach_filter(m: &mut Machine) {
    let (_, pdo) = f9_children::child(m, 0).unwrap();
    let driver = m.create_driver("upfilter");
    driver.set_all_majors(m, filter);
    let device = m.create_device(driver);
    device.attach_to_stack(m, pdo).unwrap();
    m[device].initializing = false;
    name(m, device.address(), "<UPFILTER>");
    let size = m[device].stack_size;
    record(m, format!("attachFilter {size}"));
}

fn filter(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    let (major, minor) = (m[irp].current().major, m[irp].current().minor);
    match major {
        Major::InternalDeviceControl => record(m, "lower <UPFILTER> INTIOCTL".to_owned()),
        _ => record_lower(m, device, irp),
    }
    pass_down(m, device, irp, (major, minor))
}
