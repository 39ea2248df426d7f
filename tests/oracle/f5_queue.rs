//! Queues: what they present and when, and what stop, purge, drain, cancel, forward and requeue do to that.

use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Irp, Machine, Major, NtStatus, PnpMinor};

use super::case::{Case, Event};
use super::world::*;

/// What the queue's callbacks do, and what they saw.
struct Scene {
    config: Option<(QueueConfig, bool)>,
    action: String,
    queue: Option<Queue>,
    manual: Option<Queue>,
    device: Option<Device>,
    /// What the driver was given, oldest first; `None` once it is completed.
    presented: Vec<Option<Request>>,
    sent: Vec<Irp>,
}

pub fn run(case: &Case) -> Vec<Event> {
    let mut m = machine(Behaviour::succeed(0));
    let action = case.text_of("action").to_owned();
    let (dispatch, manual) = match case.text_of("dispatch") {
        "sequential" => (Dispatch::Sequential, false),
        "manual" => (Dispatch::Manual, true),
        _ => (Dispatch::Parallel, false),
    };
    let mut config = Queue::config(dispatch).power_managed(case.text_of("powerManaged") != "no");
    if !manual {
        config = config.on_default(presented);
    }
    if case.is_set("presentedLimit") {
        config = config.presented_limit(case.number_of("presentedLimit") as u32);
    }
    m.add_extension(Scene {
        config: Some((config, action == "forwardToManual")),
        action,
        queue: None,
        manual: None,
        device: None,
        presented: Vec::new(),
        sent: Vec::new(),
    });
    let config = driver_config(case, device_add);
    let driver = Driver::create(&mut m, "oracle", config, Attributes::none());
    let pdo = target_device(&mut m, 1, "<PDO>");
    pdo.driver(&mut m).set_major(&mut m, Major::Pnp, pnp_agrees);
    let added = m.run(|m| add_device_to(m, driver, pdo)).unwrap();
    assert_eq!(added, STATUS_SUCCESS, "the device of a case is added");
    start(&mut m, driver);
    let outcome = m.run(|m| play(m, case));
    finish(m, outcome)
}

fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let device = init.create(m, Attributes::none())?;
    name(m, device.object().handle(), "<DEV>");
    let device_object = device.device_object(m).address();
    name(m, device_object, "<FDO>");
    let (config, with_manual) = m.extension_mut::<Scene>().config.take().unwrap();
    let queue = config.create_default(m, device)?;
    name(m, queue.object().handle(), "<QUEUE>");
    let scene = m.extension_mut::<Scene>();
    (scene.device, scene.queue) = (Some(device), Some(queue));
    if with_manual {
        let manual = Queue::config(Dispatch::Manual).power_managed(false).create(m, device)?;
        name(m, manual.object().handle(), "<MQ>");
        m.extension_mut::<Scene>().manual = Some(manual);
    }
    Ok(())
}

/// The driver has another request.
fn got(m: &mut Machine, request: Request) -> String {
    let scene = m.extension_mut::<Scene>();
    scene.presented.push(Some(request));
    let number = scene.presented.len();
    name_request(m, request, number)
}

fn presented(m: &mut Machine, _: Queue, request: Request) {
    let shown = got(m, request);
    let irp = request.current_irp(m).unwrap();
    let irp = irp_name(m, irp);
    record(m, format!("queueCallback {shown} {irp}"));
    match m.extension::<Scene>().action.as_str() {
        "completeInline" => {
            *m.extension_mut::<Scene>().presented.last_mut().unwrap() = None;
            request.complete(m, STATUS_SUCCESS);
        }
        "cancelPresentedMarked" => {
            let marked = request.mark_cancelable_ex(m, cancelled);
            record(m, format!("markCancelable {}", hex(NtStatus::from(marked))));
        }
        "forwardToManual" => {
            let manual = m.extension::<Scene>().manual.unwrap();
            let forwarded = request.forward_to(m, manual);
            record(m, format!("forward {}", hex(NtStatus::from(forwarded))));
            if forwarded.is_ok() {
                *m.extension_mut::<Scene>().presented.last_mut().unwrap() = None;
            }
        }
        _ => {}
    }
}

fn cancelled(m: &mut Machine, request: Request) {
    let scene = m.extension_mut::<Scene>();
    scene.presented.iter_mut().filter(|known| **known == Some(request)).for_each(|known| *known = None);
    let shown = name_of(m, request.object().handle());
    record(m, format!("evtRequestCancel {shown}"));
    request.complete(m, STATUS_CANCELLED);
}

fn play(m: &mut Machine, case: &Case) {
    let queue = m.extension::<Scene>().queue.unwrap();
    let action = case.text_of("action").to_owned();
    if case.text_of("powerManaged") == "startBeforeSend" {
        start_device(m);
    }
    if action == "stopBeforeSend" {
        queue.stop(m, Some(stopped), Context(0));
        record_state(m, "afterStop");
    }
    for _ in 0..case.number_of("requests") {
        send_one(m, None);
    }
    record_state(m, "afterSend");
    if case.text_of("powerManaged") == "startAfterSend" {
        start_device(m);
        record_state(m, "afterStart");
    }
    act(m, &action, queue, case.text_of("dispatch") == "manual");
    record_state(m, "end");
}

fn act(m: &mut Machine, action: &str, queue: Queue, manual: bool) {
    match action {
        "stopBeforeSend" => {
            queue.start(m);
            record_state(m, "afterStart");
        }
        "stopWhilePresented" => {
            queue.stop(m, Some(stopped), Context(0));
            record_state(m, "afterStop");
        }
        "purgeAfter" => {
            queue.purge(m, Some(purged), Context(0));
            record_state(m, "afterPurge");
        }
        "drainAfter" => {
            queue.drain(m, Some(drained), Context(0));
            record_state(m, "afterDrain");
            send_one(m, Some("<IRPX>"));
        }
        "cancelPresentedMarked" | "holdThenCancelQueued" => {
            let sent = &m.extension::<Scene>().sent;
            let irp = if action == "cancelPresentedMarked" { sent[0] } else { *sent.last().unwrap() };
            let shown = irp_name(m, irp);
            let had_routine = irp.cancel(m);
            record(m, format!("IoCancelIrp {shown} {}", u8::from(had_routine)));
        }
        "requeueManual" => {
            if let Ok(request) = retrieve(m, queue) {
                name_request(m, request, 1);
                let requeued = request.requeue(m);
                record(m, format!("requeue {}", hex(NtStatus::from(requeued))));
            }
        }
        _ => {}
    }
    let source = m.extension::<Scene>().manual.or(manual.then_some(queue));
    if let Some(source) = source {
        let tries = if action == "requeueManual" { 3 } else { 4 };
        for _ in 0..tries {
            match retrieve(m, source) {
                Ok(request) => {
                    got(m, request);
                    if action == "completeInline" {
                        *m.extension_mut::<Scene>().presented.last_mut().unwrap() = None;
                        request.complete(m, STATUS_SUCCESS);
                    }
                }
                Err(_) => break,
            }
        }
    }
    complete_presented(m, action != "stopWhilePresented");
    if action == "stopWhilePresented" {
        queue.start(m);
    }
}

fn retrieve(m: &mut Machine, queue: Queue) -> Result<Request, NtStatus> {
    let retrieved = queue.retrieve_next(m);
    record(m, format!("retrieve {}", hex(NtStatus::from(retrieved.map(|_| ())))));
    retrieved
}

/// Completes what the driver has, and with `all` what it gets meanwhile.
fn complete_presented(m: &mut Machine, all: bool) {
    let now = m.extension::<Scene>().presented.len();
    for at in 0.. {
        let presented = &mut m.extension_mut::<Scene>().presented;
        if at >= presented.len() || !all && at >= now {
            return;
        }
        let Some(request) = presented[at].take() else { continue };
        let shown = name_of(m, request.object().handle());
        record(m, format!("complete {shown}"));
        request.complete(m, STATUS_SUCCESS);
    }
}

fn send_one(m: &mut Machine, named: Option<&str>) {
    let device = m.extension::<Scene>().device.unwrap();
    let irp = m.allocate_irp(2).unwrap();
    match named {
        Some(shown) => name(m, irp.address(), shown),
        None => {
            irp_name(m, irp);
            m.extension_mut::<Scene>().sent.push(irp);
        }
    }
    dispatch_irp(m, device, irp);
}

fn start_device(m: &mut Machine) {
    let device = m.extension::<Scene>().device.unwrap();
    let device_object = device.device_object(m);
    let status = without_traces(m, |m| send_pnp(m, device_object, PnpMinor::StartDevice));
    record(m, format!("start {}", hex(status)));
}

fn record_state(m: &mut Machine, when: &str) {
    let queue = m.extension::<Scene>().queue.unwrap();
    let (waiting, owned) = queue.counts(m);
    let QueueState(bits) = queue.state(m);
    record(m, format!("queueState {when} 0x{bits:x} {waiting} {owned}"));
}

fn stopped(m: &mut Machine, _: Queue, _: Context) {
    record(m, "queueStateCallback stopped".to_owned());
}

fn purged(m: &mut Machine, _: Queue, _: Context) {
    record(m, "queueStateCallback purged".to_owned());
}

fn drained(m: &mut Machine, _: Queue, _: Context) {
    record(m, "queueStateCallback drained".to_owned());
}
