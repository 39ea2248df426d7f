//! A bus with a child whose PDO forwards its requests to a queue of the bus, and the whole life of such a child.

use vbus::iotarget::{CompletionParams, Data, IoTarget, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, DeviceObject, Machine, Major, NtStatus, PnpMinor, PnpRequest};

use super::case::{Case, Event};
use super::world::*;

/// The bus and its children, and what the bus does with what they forward.
struct Scene {
    allow_forward: bool,
    action: String,
    parent_queue: Dispatch,
    bus: Option<Device>,
    target: Option<IoTarget>,
    queue: Option<Queue>,
    children: Vec<Device>,
    held: Option<Request>,
}

pub fn run(case: &Case) -> Vec<Event> {
    let whole_life = case.is_set("fullLifecycleWithPnpTraces");
    let pends = if case.text_of("busTarget") == "pend" { Pends::Deaf } else { Pends::Never };
    let mut m = machine(Behaviour { pends, ..Behaviour::succeed(4) });
    let parent_queue = match case.text_of("parentQueue") {
        "sequential" => Dispatch::Sequential,
        "manual" => Dispatch::Manual,
        _ => Dispatch::Parallel,
    };
    m.add_extension(Scene {
        allow_forward: case.is_set("allowForward") || whole_life,
        action: if whole_life { "sendToBusTarget".to_owned() } else { case.text_of("parentAction").to_owned() },
        parent_queue,
        bus: None,
        target: None,
        queue: None,
        children: Vec::new(),
        held: None,
    });
    let config = driver_config(case, device_add);
    let driver = Driver::create(&mut m, "oracle", config, Attributes::none());
    let pdo = target_device(&mut m, case.number_of("lowerStack").max(1), "<PDO0>");
    pdo.driver(&mut m).set_major(&mut m, Major::Pnp, pnp_agrees);
    m.on_pnp_request(asked);
    start(&mut m, driver);
    let outcome = m.run(|m| {
        without_traces(m, |m| {
            let status = add_device_to(m, driver, pdo);
            let bus = m.extension::<Scene>().bus.unwrap();
            let bus = bus.device_object(m);
            let size = m[bus].stack_size;
            record(m, format!("addDevice {} {size}", hex(status)));
        });
        if whole_life {
            live(m);
        } else {
            play(m, case);
        }
    });
    finish(m, outcome)
}

fn asked(m: &mut Machine, pdo: DeviceObject, request: PnpRequest) {
    let pdo = name_of(m, pdo.address());
    let PnpRequest::InvalidateRelations(kind) = request else { return };
    record(m, format!("invalidate {pdo} {}", kind as u8));
}

fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let bus = init.default_child_list(create_child).create(m, Attributes::none())?;
    name(m, bus.object().handle(), "<BUS>");
    let device_object = bus.device_object(m).address();
    name(m, device_object, "<BUSFDO>");
    let list = bus.default_child_list(m).unwrap();
    name(m, list.object().handle(), "<KIDLIST>");
    let dispatch = m.extension::<Scene>().parent_queue;
    let mut config = Queue::config(dispatch).power_managed(false);
    if dispatch != Dispatch::Manual {
        config = config.on_default(parent_presented);
    }
    let queue = config.create(m, bus)?;
    name(m, queue.object().handle(), "<PARQ>");
    let target = IoTarget::default_of(m, bus).unwrap();
    name(m, target.object().handle(), "<BUSTGT>");
    let scene = m.extension_mut::<Scene>();
    (scene.bus, scene.queue, scene.target) = (Some(bus), Some(queue), Some(target));
    Ok(())
}

fn create_child(m: &mut Machine, _: ChildList, id: u64, init: DeviceInit) -> Result<(), NtStatus> {
    let allow = m.extension::<Scene>().allow_forward;
    let init = if allow { init.raw().allow_forwarding_to_parent() } else { init.raw() };
    let created = init.create(m, Attributes::none());
    if let Ok(child) = created {
        name(m, child.object().handle(), &format!("<KID{id}>"));
        let pdo = child.device_object(m);
        name(m, pdo.address(), &format!("<KIDPDO{id}>"));
        let size = m[pdo].stack_size;
        record(m, format!("evtChildCreate {id} 0x00000000 {size}"));
        let config = Queue::config(Dispatch::Parallel).power_managed(false).on_default(child_presented);
        let queue = config.create_default(m, child)?;
        name(m, queue.object().handle(), &format!("<KIDQ{id}>"));
        m.extension_mut::<Scene>().children.push(child);
    }
    created.map(|_| ())
}

fn locations(m: &mut Machine, request: Request) -> String {
    let name = request_name(m, request);
    let irp = request.current_irp(m).unwrap();
    irp_name(m, irp);
    format!("{name} {} {}", m[irp].stack_count(), m[irp].current_location())
}

fn child_presented(m: &mut Machine, _: Queue, request: Request) {
    let seen = locations(m, request);
    record(m, format!("childQueueCallback {seen}"));
    let queue = m.extension::<Scene>().queue.unwrap();
    let forwarded = request.forward_to_parent(m, queue);
    record(m, format!("forwardToParent {}", hex(NtStatus::from(forwarded))));
    if let Err(status) = forwarded {
        request.complete(m, status);
    }
}

fn parent_presented(m: &mut Machine, _: Queue, request: Request) {
    let seen = locations(m, request);
    record(m, format!("parentQueueCallback {seen}"));
    let Scene { target, .. } = m.extension::<Scene>();
    let target = target.unwrap();
    match m.extension::<Scene>().action.as_str() {
        "complete" => request.complete_with_information(m, STATUS_SUCCESS, 6),
        "completeError" => request.complete_with_information(m, STATUS_DEVICE_DATA_ERROR, 0),
        "hold" => m.extension_mut::<Scene>().held = Some(request),
        "sendCurrentToBusTarget" => {
            request.format_using_current_type(m);
            record(m, "format current void".to_owned());
            send(m, request, target);
        }
        _ => {
            let formatted = target.format_internal_ioctl(m, request, CODE, Data::None, Data::None);
            record(m, format!("format intioctl {}", hex(NtStatus::from(formatted))));
            match formatted {
                Ok(()) => send(m, request, target),
                Err(status) => request.complete(m, status),
            }
        }
    }
}

fn send(m: &mut Machine, request: Request, target: IoTarget) {
    request.set_completion_routine(m, completed, Context(0));
    if request.send(m, target, SendOptions::none()) {
        record(m, "send 1".to_owned());
    } else {
        let status = request.status(m);
        record(m, format!("send 0 {}", hex(status)));
        request.complete(m, status);
    }
}

fn completed(m: &mut Machine, request: Request, target: IoTarget, params: &CompletionParams, _: Context) {
    record_completion(m, request, target, params);
    request.complete_with_information(m, params.io_status.status, params.io_status.information);
}

fn bus(m: &mut Machine) -> DeviceObject {
    let bus = m.extension::<Scene>().bus.unwrap();
    bus.device_object(m)
}

fn start_bus(m: &mut Machine) {
    let bus = bus(m);
    let status = send_pnp(m, bus, PnpMinor::StartDevice);
    record(m, format!("start {}", hex(status)));
}

fn add_child(m: &mut Machine, id: u64) {
    let list = m.extension::<Scene>().bus.unwrap().default_child_list(m).unwrap();
    let added = list.add_or_update(m, id);
    record(m, format!("addChild {id} {}", hex(NtStatus::from(added))));
}

fn ask_bus(m: &mut Machine) {
    let bus = bus(m);
    let (status, children) = bus_relations(m, bus);
    record(m, format!("busRelations {} {}", hex(status), children.len()));
}

/// Sends a PnP IRP to the child with this number.
fn tell_child(m: &mut Machine, child: Device, minor: PnpMinor, shown: &str) {
    let pdo = child.device_object(m);
    let status = send_pnp(m, pdo, minor);
    record(m, format!("{shown} {}", hex(status)));
}

fn play(m: &mut Machine, case: &Case) {
    without_traces(m, |m| {
        start_bus(m);
        add_child(m, 0);
        ask_bus(m);
    });
    let child = m.extension::<Scene>().children[0];
    if case.is_set("childStarted") {
        without_traces(m, |m| tell_child(m, child, PnpMinor::StartDevice, "startChild"));
    }
    let size = case.number_of("S");
    dispatch(m, child, size, size);
    if m.extension::<Scene>().parent_queue == Dispatch::Manual {
        let queue = m.extension::<Scene>().queue.unwrap();
        let retrieved = queue.retrieve_next(m);
        record(m, format!("retrieve {}", hex(NtStatus::from(retrieved.map(|_| ())))));
        if let Ok(request) = retrieved {
            parent_presented(m, queue, request);
        }
    }
    if let Some(held) = m.extension_mut::<Scene>().held.take() {
        record(m, "parentCompletesLater".to_owned());
        held.complete_with_information(m, STATUS_SUCCESS, 3);
    }
    targets_complete(m, STATUS_SUCCESS, 5);
}

/// Two children come; one gets requests before and after it is pulled out, and goes.
fn live(m: &mut Machine) {
    start_bus(m);
    add_child(m, 0);
    add_child(m, 1);
    ask_bus(m);
    let child = m.extension::<Scene>().children[0];
    let pdo = child.device_object(m);
    send_pnp(m, pdo, PnpMinor::QueryCapabilities);
    tell_child(m, child, PnpMinor::StartDevice, "startChild");
    dispatch(m, child, 4, 4);
    dispatch(m, child, 4, 4);
    let list = m.extension::<Scene>().bus.unwrap().default_child_list(m).unwrap();
    let missing = list.update_as_missing(m, 0);
    record(m, format!("childMissing {}", hex(NtStatus::from(missing))));
    ask_bus(m);
    tell_child(m, child, PnpMinor::SurpriseRemoval, "surpriseRemoveChild");
    dispatch(m, child, 4, 4);
    tell_child(m, child, PnpMinor::RemoveDevice, "removeChild");
}
