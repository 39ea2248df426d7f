//! Misuse: what a driver must not do with a request, and what happens when it does.

use vbus::iotarget::{CompletionParams, Data, IoTarget, ReuseParams, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Machine, NtStatus, Ticks};

use super::case::{Case, Event};
use super::world::*;

/// What the case is about, and where it has come.
struct Scene {
    misuse: String,
    presented: Option<Request>,
    driver: Driver,
    device: Device,
    target: IoTarget,
    other: IoTarget,
    resent: bool,
}

pub fn run(case: &Case) -> Vec<Event> {
    let misuse = case.text_of("misuse").to_owned();
    let mut m = machine(Behaviour { pends: pends(&misuse), ..Behaviour::succeed(4) });
    let Fixture { driver, device } = fixture(&mut m, case.is_set("ver"), Some(hold));
    let (target, other) =
        m.run(|m| (open(m, device, "<TGT>", "<TDEV>"), open(m, device, "<TGT2>", "<TDEV2>"))).unwrap();
    m.add_extension(Scene { misuse, presented: None, driver, device, target, other, resent: false });
    let request = m.run(|m| request(m, case)).unwrap();
    start(&mut m, driver);
    let outcome = m.run(|m| {
        play(m, request);
        targets_complete(m, STATUS_SUCCESS, 5);
    });
    finish(m, outcome)
}

/// Whether the target keeps what it gets: where the case needs a request that is out.
fn pends(misuse: &str) -> Pends {
    match misuse {
        "sendAgainAfterCompletionNoReuse"
        | "sendToOtherTargetThanFormatted"
        | "sendInCompletionRoutineSameTarget"
        | "reformatAndResendInCompletionRoutine" => Pends::Never,
        _ => Pends::Cancelable,
    }
}

fn open(m: &mut Machine, device: Device, target: &str, on: &str) -> IoTarget {
    let on = target_device(m, 2, on);
    open_target(m, device, on, target)
}

fn hold(m: &mut Machine, _: Queue, request: Request) {
    let presented = &mut m.extension_mut::<Scene>().presented;
    if presented.is_none() {
        *presented = Some(request);
    }
}

fn request(m: &mut Machine, case: &Case) -> Request {
    let Scene { device, target, .. } = *m.extension::<Scene>();
    let request = if case.text_of("req") == "dispatched" {
        send_down(m, device, 8, 6);
        m.extension::<Scene>().presented.unwrap()
    } else {
        target.create_request(m, Attributes::none()).unwrap()
    };
    request_name(m, request);
    let irp = request.current_irp(m).unwrap();
    irp_name(m, irp);
    request
}

fn play(m: &mut Machine, request: Request) {
    let Scene { driver, target, other, .. } = *m.extension::<Scene>();
    let misuse = m.extension::<Scene>().misuse.clone();
    match misuse.as_str() {
        "sendTwiceWhilePending" => {
            format_and_send(m, request);
            send_again(m, request, target);
        }
        "sendUnformatted" => send_again(m, request, target),
        "sendAgainAfterCompletionNoReuse" => {
            format_and_send(m, request);
            send_again(m, request, target);
        }
        "completeWhileSent" => {
            format_and_send(m, request);
            complete(m, request, STATUS_SUCCESS);
        }
        "completeTwice" => {
            // Only what was dispatched goes when it is completed.
            if m.extension::<Scene>().presented.is_some() {
                request.reference(m);
            }
            complete(m, request, STATUS_SUCCESS);
            complete(m, request, STATUS_SUCCESS);
        }
        "completeCreated" => complete(m, request, STATUS_SUCCESS),
        "reuseWhilePending" => {
            format_and_send(m, request);
            reuse(m, request);
        }
        "reuseTwice" => {
            reuse(m, request);
            reuse(m, request);
        }
        "reuseDispatched" => reuse(m, request),
        "deleteWhilePending" => {
            format_and_send(m, request);
            delete(m, request);
        }
        "deleteDispatched" => delete(m, request),
        "completeThenSend" => {
            format(m, request);
            complete(m, request, STATUS_SUCCESS);
            request.set_completion_routine(m, completed, Context(0));
            send_again(m, request, target);
        }
        "markCancelableThenSend" => {
            format(m, request);
            mark(m, request);
            with_routine(m, request);
            send_again(m, request, target);
        }
        "sendThenMarkCancelable" => {
            format_and_send(m, request);
            mark(m, request);
        }
        "setCompletionRoutineAfterSend" => {
            format_and_send(m, request);
            with_routine(m, request);
            record(m, "setCompletionRoutine".to_owned());
        }
        "sendAndForgetWithCompletionRoutine" => {
            format(m, request);
            with_routine(m, request);
            send_with(m, request, target, SendOptions::none().and_send_and_forget());
        }
        "sendNullTarget" => {
            format(m, request);
            with_routine(m, request);
            let target = IoTarget::from_handle(m, driver, Object::null());
            send_again(m, request, target);
        }
        "sendToOtherTargetThanFormatted" => {
            format(m, request);
            with_routine(m, request);
            send_again(m, request, other);
        }
        "requeueSentRequest" => {
            format_and_send(m, request);
            let requeued = request.requeue(m);
            record(m, format!("requeue {}", hex(NtStatus::from(requeued))));
        }
        "forwardToOwnQueueWhileSent" => {
            format_and_send(m, request);
            let queue = request.queue(m).unwrap();
            let forwarded = request.forward_to(m, queue);
            record(m, format!("forward {}", hex(NtStatus::from(forwarded))));
        }
        "getStatusWhilePending" => format_and_send(m, request),
        "changeTargetPending" => {
            format_and_send(m, request);
            let changed = request.change_target(m, other);
            record(m, format!("changeTarget {}", hex(NtStatus::from(changed))));
        }
        "allocTimerThenSendTimeout" => {
            format(m, request);
            let allocated = request.allocate_timer(m);
            record(m, format!("allocateTimer {}", hex(NtStatus::from(allocated))));
            with_routine(m, request);
            send_with(m, request, target, SendOptions::none().with_timeout(Ticks::from_millis(100)));
            m.advance(Ticks::from_millis(200)).unwrap();
        }
        "sendInCompletionRoutineSameTarget" | "reformatAndResendInCompletionRoutine" => format_and_send(m, request),
        "cancelSentNeverSent" => {
            let cancelled = request.cancel_sent(m);
            record(m, format!("cancelSent {}", u8::from(cancelled)));
        }
        "completeWithPendingStatus" => {
            record(m, "complete pending".to_owned());
            request.complete(m, STATUS_PENDING);
        }
        "formatDispatchedWithSendAndForgetUsingCurrentType" => {
            request.format_using_current_type(m);
            record(m, "format current void".to_owned());
            send_with(m, request, target, SendOptions::none().and_send_and_forget());
        }
        "stopAcknowledgeNotStopping" => {
            request.stop_acknowledge(m, false);
            record(m, "stopAcknowledge".to_owned());
        }
        "syncSendFromCreatedWithoutIrp" => {
            let bare = Request::create(m, driver, Attributes::none()).unwrap();
            request_name(m, bare);
            send_with(m, bare, target, SendOptions::none().and_synchronous());
        }
        "formatWithBadTargetHandle" => {
            let target = IoTarget::from_handle(m, driver, request.object());
            _ = target.format_internal_ioctl(m, request, CODE, Data::None, Data::None);
        }
        "requestIsCanceledOnCreated" => {
            let cancelled = request.is_cancelled(m);
            record(m, format!("isCanceled {}", u8::from(cancelled)));
        }
        "unmarkNotMarked" => {
            let unmarked = request.unmark_cancelable(m);
            record(m, format!("unmark {}", hex(NtStatus::from(unmarked))));
        }
        "getParametersAfterComplete" => {
            request.reference(m);
            complete(m, request, STATUS_SUCCESS);
            let parameters = request.parameters(m);
            record(m, format!("getParameters {}", parameters.major as u8));
        }
        unknown => panic!("no such misuse: {unknown}"),
    }
}

fn format(m: &mut Machine, request: Request) {
    let target = m.extension::<Scene>().target;
    let formatted = target.format_internal_ioctl(m, request, CODE, Data::None, Data::None);
    record(m, format!("format intioctl {}", hex(NtStatus::from(formatted))));
}

fn with_routine(m: &mut Machine, request: Request) {
    request.set_completion_routine(m, completed, Context(0));
}

fn format_and_send(m: &mut Machine, request: Request) {
    let target = m.extension::<Scene>().target;
    format(m, request);
    with_routine(m, request);
    send_again(m, request, target);
}

fn send_again(m: &mut Machine, request: Request, target: IoTarget) {
    let sent = request.send(m, target, SendOptions::none());
    let status = hex(request.status(m));
    record(m, format!("send {} {status}", u8::from(sent)));
}

fn send_with(m: &mut Machine, request: Request, target: IoTarget, options: SendOptions) {
    let sent = request.send(m, target, options);
    record(m, format!("send {}", u8::from(sent)));
}

fn complete(m: &mut Machine, request: Request, status: NtStatus) {
    record(m, "complete".to_owned());
    request.complete(m, status);
}

fn reuse(m: &mut Machine, request: Request) {
    let reused = request.reuse(m, ReuseParams::default());
    record(m, format!("reuse 0 {}", hex(NtStatus::from(reused))));
}

fn delete(m: &mut Machine, request: Request) {
    record(m, "delete".to_owned());
    request.delete(m);
}

fn mark(m: &mut Machine, request: Request) {
    let marked = request.mark_cancelable_ex(m, |_, _| {});
    record(m, format!("markCancelable {}", hex(NtStatus::from(marked))));
}

fn completed(m: &mut Machine, request: Request, target: IoTarget, params: &CompletionParams, _: Context) {
    record_completion(m, request, target, params);
    let misuse = m.extension::<Scene>().misuse.clone();
    if m.extension::<Scene>().resent {
        return;
    }
    m.extension_mut::<Scene>().resent = true;
    match misuse.as_str() {
        "sendInCompletionRoutineSameTarget" => {}
        "reformatAndResendInCompletionRoutine" => {
            if m.extension::<Scene>().presented.is_none() {
                reuse(m, request);
            }
            format(m, request);
            with_routine(m, request);
        }
        _ => return,
    }
    let sent = request.send(m, target, SendOptions::none());
    record(m, format!("resend {}", u8::from(sent)));
}
