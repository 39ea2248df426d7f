//! A sent request comes back, from wherever it was.
//!
//! Up to three may want to complete it at once: its completion, somebody who cancels it, its timer. Each holds a
//! completion reference, and whoever gives the last one back completes it.
//!
//! Source: S/targets/general/fxiotarget.cpp:1880-2451; S/core/fxrequestbase.cpp:420-470;
//! S/inc/private/km/fxiotargetkm.hpp:150-195.

use vbus_wdf::layer::{Parts, sites, take_fx, trace};
use vbus_wdf::{Handle, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, DeviceObject, IoStatus, Irp, Machine, NtStatus, Span};

use crate::state::parts;
use crate::target::IoTarget;

/// The WDM completion routine of every request that is sent to a target. It always keeps the IRP: the request goes on
/// upwards only when its driver completes it.
pub(crate) fn request_completed(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, context: Context) -> NtStatus {
    let data = &m[irp];
    if data.pending_returned && data.current_location() <= data.stack_count() {
        irp.mark_pending(m);
    }
    if let Some(request) = Request::from_context(context) {
        came_back(m, request);
    }
    STATUS_MORE_PROCESSING_REQUIRED
}

/// RequestCompletionRoutine: the lower driver is done with the request, or it never got it.
pub(crate) fn came_back(m: &mut Machine, request: Request) {
    let handle = request.object().handle();
    let mut fx = take_fx(m);
    let Parts { driver, state, .. } = parts(&mut fx, request);
    let Some(target) = state.target else { return };
    let timer = state.timer.take();
    state.references -= 1;
    let deferred = state.references > 0;
    fx.trace(driver, &sites::COMPLETION, [handle]);
    if timer.is_some_and(|timer| m.cancel_timer(timer)) {
        trace(m, driver, &sites::CANCEL_TIMER, [request.object().address()]);
    }
    if deferred {
        // Somebody cancels it at this moment, and completes it when that call returns.
        return trace(m, driver, &sites::COMPLETION_DEFERRED, [handle]);
    }
    let set_event = settle(m, target, request);
    trace(m, driver, &sites::COMPLETION_DONE, [handle]);
    complete_submitted(m, request, target);
    if set_event {
        trace(m, driver, &sites::COMPLETION_STOP_EVENT, [target.object().handle(), target.stop_event()]);
    }
}

/// Fails a request that waited at its target: with this status, as if a lower driver had said so.
pub(crate) fn fail_pended(m: &mut Machine, request: Request, status: NtStatus) {
    if let Some(irp) = request.current_irp(m) {
        m[irp].io_status = IoStatus { status, information: 0 };
    }
    came_back(m, request);
}

/// The last completion reference is gone: a cancelled request whose timer did it timed out, and it is out no more.
/// Returns whether somebody waits for that.
pub(crate) fn settle(m: &mut Machine, target: IoTarget, request: Request) -> bool {
    let mut fx = take_fx(m);
    let Parts { irp, state, .. } = parts(&mut fx, request);
    if let Some(irp) = irp.filter(|_| state.timed_out)
        && m[irp].io_status.status == STATUS_CANCELLED
    {
        m[irp].io_status.status = STATUS_IO_TIMEOUT;
    }
    remove_from_sent(m, target, request)
}

/// RemoveCompletedRequestLocked. A target that is being closed lets go of its device with the last request, before that
/// one's completion routine runs. Returns whether the stop event is to be set.
fn remove_from_sent(m: &mut Machine, target: IoTarget, request: Request) -> bool {
    let mut fx = take_fx(m);
    let Parts { state, .. } = parts(&mut fx, request);
    let ignored = std::mem::take(&mut state.ignores_state);
    state.timed_out = false;
    let body = target.body_in(&mut fx);
    let driver = body.driver;
    let list = if ignored { &mut body.ignored } else { &mut body.sent };
    // The youngest is the likeliest: look from the end.
    if let Some(at) = list.iter().rposition(|&sent| sent == request) {
        list.remove(at);
    }
    let set_event = if body.removing {
        body.sent.is_empty() && body.ignored.is_empty()
    } else {
        body.waiting && !ignored && body.sent.is_empty()
    };
    let clear = set_event && body.removing;
    if set_event {
        (body.removing, body.waiting) = (false, false);
    }
    fx.trace(driver, &sites::REMOVE_COMPLETED, [target.object().handle(), request.object().handle()]);
    if clear {
        target.clear_pointers(m);
    }
    set_event
}

/// Hands the result to the driver's completion routine.
pub(crate) fn complete_submitted(m: &mut Machine, request: Request, target: IoTarget) {
    let exit = m.exit();
    let mut fx = take_fx(m);
    let Parts { irp, state, moves, sent_to, .. } = parts(&mut fx, request);
    if moves != state.moves {
        exit.undefined("WdfRequestForwardToIoQueue", "a request that is out at a target is not handed to a queue");
    }
    *sent_to = None;
    let (mut params, routine) = (state.params, state.routine.take());
    let buffered = state.formatting.as_ref().and_then(|formatting| formatting.buffered);
    state.formatted = false;
    state.target = None;
    params.io_status = irp.map(|irp| m[irp].io_status).unwrap_or_default();
    params.output_length = params.io_status.information;
    if let Some((buffer, Some(output))) = buffered {
        copy_back(m, buffer, output, params.output_length);
    }
    if let Some((routine, context)) = routine {
        routine(m, request, target, &params, context);
    }
    request.release(m);
}

/// The framework's own copy-back: as many bytes as Information says, whatever the status is.
fn copy_back(m: &mut Machine, buffer: Span, output: Span, information: u64) {
    let part = u32::try_from(information).ok().and_then(|length| buffer.part(0, length));
    match part.filter(|part| part.len() <= output.len()) {
        Some(part) => _ = m.copy_bytes(part, output),
        None => m.undefined(
            "FxIoTarget::RequestCompletionRoutine",
            "IoStatus.Information of a buffered request is at most its output length: the framework copies that many \
             bytes without another look",
        ),
    }
}

/// HandleFailedResubmit: a request that waited could not be sent when the target was started.
pub(crate) fn resubmit_failed(m: &mut Machine, request: Request, target: IoTarget) {
    let handle = request.object().handle();
    let mut fx = take_fx(m);
    let driver = parts(&mut fx, request).driver;
    fx.trace(driver, &sites::RESUBMIT_FAILED, [handle]);
    let set_event = settle(m, target, request);
    trace(m, driver, &sites::RESUBMIT_COMPLETED, [handle]);
    complete_submitted(m, request, target);
    if set_event {
        trace(m, driver, &sites::RESUBMIT_STOP_EVENT, [target.object().handle(), target.stop_event()]);
    }
}

/// The timer of a request fires: it is cancelled, and completed here if it comes back inside that.
pub(crate) fn timed_out(m: &mut Machine, context: Context) {
    // A request that is gone took its timer with it; this is for one whose timer was on its way.
    let Some(request) = Request::from_context(context).filter(|request| request.object().exists(m)) else { return };
    let mut fx = take_fx(m);
    let Parts { driver, state, .. } = parts(&mut fx, request);
    let (Some(target), Some(_)) = (state.target, state.timer.take()) else { return };
    let handle = request.object().handle();
    fx.trace(driver, &sites::TIMER_FIRED, [target.object().handle(), handle]);
    // A request that came back took its timer: this one is out.
    let Parts { state, .. } = parts(&mut fx, request);
    state.timed_out = true;
    state.references += 1;
    crate::cancel::cancel(m, request);
    let mut fx = take_fx(m);
    let Parts { state, .. } = parts(&mut fx, request);
    state.references -= 1;
    if state.references > 0 {
        return;
    }
    let set_event = settle(m, target, request);
    trace(m, driver, &sites::TIMER_COMPLETED, [handle]);
    complete_submitted(m, request, target);
    if set_event {
        trace(m, driver, &sites::TIMER_STOP_EVENT, [target.object().handle(), target.stop_event()]);
    }
}
