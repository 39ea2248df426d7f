//! Cancellation and time-outs: from before the send to inside the completion routine, against targets that let go of
//! what is cancelled and targets that do not.

use vbus::iotarget::{CompletionParams, Data, IoTarget, SendRequest, SentIo};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Irp, Machine, NtStatus, Ticks};

use super::case::{Case, Event};
use super::f3;
use super::world::*;

/// The request while it is a queue's and the driver has not completed it, and what its completion routine does.
struct Scene {
    presented: Option<Request>,
    is_back: bool,
    cancels_in_routine: bool,
}

pub fn run(case: &Case) -> Vec<Event> {
    let (status, information, pends) = match case.text_of("target") {
        "error" => (STATUS_DEVICE_DATA_ERROR, 0, Pends::Never),
        "pendCancelable" => (STATUS_SUCCESS, 0, Pends::Cancelable),
        "pendIgnoreCancel" => (STATUS_SUCCESS, 0, Pends::Deaf),
        _ => (STATUS_SUCCESS, 4, Pends::Never),
    };
    let mut m = machine(Behaviour { status, information, pends });
    let Fixture { driver, device } = fixture(&mut m, case.is_set("ver"), Some(hold));
    let on = target_device(&mut m, 2, "<TDEV>");
    let target = m.run(|m| open_target(m, device, on, "<TGT>")).unwrap();
    name(&mut m, target.object().address(), "<TGT.obj>");
    let cancels_in_routine = case.text_of("cancel") == "inCompletionRoutine";
    m.add_extension(Scene { presented: None, is_back: false, cancels_in_routine });
    let outcome = m.run(|m| play(m, case, driver, device, target));
    finish(m, outcome)
}

fn hold(m: &mut Machine, _: Queue, request: Request) {
    m.extension_mut::<Scene>().presented = Some(request);
}

fn play(m: &mut Machine, case: &Case, driver: Driver, device: Device, target: IoTarget) {
    let dispatched = case.text_of("req") == "dispatched";
    let request = if dispatched {
        send_down(m, device, 8, 6);
        m.extension::<Scene>().presented.unwrap()
    } else {
        target.create_request(m, Attributes::none()).unwrap()
    };
    request_name(m, request);
    let irp = request.irp(m).unwrap();
    irp_name(m, irp);
    start(m, driver);
    send_and_cancel(m, case, request, irp, target);
    if !dispatched {
        let status = hex(request.status(m));
        record(m, format!("finalStatus {status}"));
        record(m, "delete".to_owned());
        request.delete(m);
    }
}

fn send_and_cancel(m: &mut Machine, case: &Case, request: Request, irp: Irp, target: IoTarget) {
    let dispatched = case.text_of("req") == "dispatched";
    let (cancel, timeout) = (case.text_of("cancel"), case.text_of("timeout"));
    let formatted = target.format_internal_ioctl(m, request, CODE, Data::None, Data::None);
    record(m, format!("format intioctl {}", hex(NtStatus::from(formatted))));
    match cancel {
        "beforeSend" => cancel_sent(m, request),
        "originalIrpBeforeSend" => cancel_irp(m, irp),
        _ => {}
    }
    let stopped = timeout == "expiresWhileQueued" || cancel.contains("Queued");
    if stopped {
        target.stop(m, SentIo::LeavePending);
        let state = target.state(m);
        record(m, format!("state {state:?}"));
    }
    if !send(m, request, target, timeout, dispatched) {
        return;
    }
    // A request that the driver completed is gone.
    let is_there = |m: &Machine| !dispatched || m.extension::<Scene>().presented.is_some();
    if is_there(m) {
        match cancel {
            "whilePending" | "whileQueuedAtStoppedTarget" => cancel_sent(m, request),
            "whilePendingTwice" => {
                cancel_sent(m, request);
                if is_there(m) {
                    cancel_sent(m, request);
                }
            }
            "originalIrpWhilePending" | "originalIrpWhileQueued" if !m.extension::<Scene>().is_back => {
                cancel_irp(m, irp)
            }
            _ => {}
        }
    }
    if timeout == "firesBeforeCompletion" || timeout == "expiresWhileQueued" {
        advance(m);
    }
    if stopped {
        f3::start_target(m, target);
    }
    match case.text_of("lateStatus") {
        "error" => targets_complete(m, STATUS_DEVICE_DATA_ERROR, 0),
        _ => targets_complete(m, STATUS_SUCCESS, 5),
    }
    if timeout == "firesAfterCompletion" {
        advance(m);
    }
    if cancel == "afterCompletion" && is_there(m) {
        cancel_sent(m, request);
    }
}

/// Sends with the options of a time-out. Returns whether it was sent.
fn send(m: &mut Machine, request: Request, target: IoTarget, timeout: &str, dispatched: bool) -> bool {
    let options = match timeout {
        "none" => "none",
        "syncFires" => "sync|timeout",
        _ => "timeout",
    };
    request.set_completion_routine(m, completed, Context(0));
    let sent = request.send(m, target, f3::options(options));
    if dispatched && m.extension::<Scene>().presented.is_none() {
        record(m, format!("send {}", u8::from(sent)));
        return sent;
    }
    let status = request.status(m);
    record(m, format!("send {} {}", u8::from(sent), hex(status)));
    if dispatched && !sent {
        m.extension_mut::<Scene>().presented = None;
        request.complete(m, status);
    }
    sent
}

fn completed(m: &mut Machine, request: Request, target: IoTarget, params: &CompletionParams, _: Context) {
    record_completion(m, request, target, params);
    m.extension_mut::<Scene>().is_back = true;
    if m.extension::<Scene>().cancels_in_routine {
        cancel_sent(m, request);
    }
    if m.extension_mut::<Scene>().presented.take().is_some() {
        request.complete_with_information(m, params.io_status.status, params.io_status.information);
    }
}

fn cancel_sent(m: &mut Machine, request: Request) {
    let cancelled = request.cancel_sent(m);
    record(m, format!("cancelSent {}", u8::from(cancelled)));
}

fn cancel_irp(m: &mut Machine, irp: Irp) {
    let cancelled = irp.cancel(m);
    record(m, format!("IoCancelIrp {}", u8::from(cancelled)));
}

fn advance(m: &mut Machine) {
    record(m, "advance 200ms".to_owned());
    m.advance(Ticks::from_millis(200)).unwrap();
}
