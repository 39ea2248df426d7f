//! A sent request comes back, from wherever it was.
//!
//! Up to three may want to complete it at once: its completion, somebody who cancels it, its timer. Each holds a
//! completion reference, and whoever gives the last one back completes it.
//!
//! Source: S/targets/general/fxiotarget.cpp:1880-2451; S/core/fxrequestbase.cpp:420-532, 700-812;
//! S/inc/private/km/fxiotargetkm.hpp:150-195.

use vbus_wdf::layer::{Parts, request_step, sites, take_fx, trace};
use vbus_wdf::{Handle, Request, RequestStep};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, DeviceObject, IoStatus, Irp, Machine, NtStatus, Span};

use crate::state::{CompletionParams, ContextKind, FormatContext, Routine, parts, parts_of};
use crate::sync::waiter_called;
use crate::target::IoTarget;

/// The WDM completion routine of every request that is sent to a target. It always keeps the IRP: the request goes on
/// upwards only when its driver completes it.
pub(crate) fn request_completed(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, context: Context) -> NtStatus {
    if let Some(request) = Request::from_context(context) {
        // For a request that somebody waits for, nobody above hears that it was pended.
        let waited_for = matches!(parts_of(m, request).state.routine, Routine::Waiter);
        let data = &m[irp];
        if !waited_for && data.pending_returned && data.current_location() <= data.stack_count() {
            irp.mark_pending(m);
        }
        came_back(m, request);
    }
    STATUS_MORE_PROCESSING_REQUIRED
}

/// RequestCompletionRoutine: the lower driver is done with the request, or it never got it.
pub(crate) fn came_back(m: &mut Machine, request: Request) {
    let mut fx = take_fx(m);
    let Parts { driver, state, .. } = parts(&mut fx, request);
    let Some(target) = state.target else { return };
    let (shown, timed) = (state.shown(request), state.timer.is_some());
    state.completed = true;
    if !timed {
        state.references -= 1;
    }
    let mut complete = !timed && !state.is_out();
    fx.trace(driver, &sites::COMPLETION, [shown]);
    if timed && cancel_timer(m, request) {
        let state = parts_of(m, request).state;
        state.references -= 1;
        complete = !state.is_out();
    }
    if !complete {
        // Somebody cancels it at this moment, or its timer has it, and completes it in the end.
        return trace(m, driver, &sites::COMPLETION_DEFERRED, [shown]);
    }
    let set_event = settle(m, target, request);
    trace(m, driver, &sites::COMPLETION_DONE, [shown]);
    complete_submitted(m, request, target);
    if set_event {
        trace(m, driver, &sites::COMPLETION_STOP_EVENT, [target.object().handle(), target.stop_event()]);
        target.body(m).sent_event.set();
    }
    target.request_done(m);
}

/// Fails a request that waited at its target: with this status, as if a lower driver had said so.
pub(crate) fn fail_pended(m: &mut Machine, request: Request, status: NtStatus) {
    if let Some(irp) = request.current_irp(m) {
        m[irp].io_status = IoStatus { status, information: 0 };
    }
    came_back(m, request);
}

/// FxRequestBase::CancelTimer. Returns false if the request's timer has fired and is on its way.
pub(crate) fn cancel_timer(m: &mut Machine, request: Request) -> bool {
    let Parts { driver, state, .. } = parts_of(m, request);
    let Some(timer) = state.timer else { return true };
    let cancelled = m.cancel_timer(timer);
    let site = if cancelled { &sites::CANCEL_TIMER } else { &sites::TIMER_NOT_CANCELLED };
    trace(m, driver, site, [request.object().address()]);
    if cancelled {
        parts_of(m, request).state.timer = None;
    }
    cancelled
}

/// The last completion reference is gone: a cancelled request whose timer did it timed out, and it is out no more.
/// Returns whether somebody waits for that.
pub(crate) fn settle(m: &mut Machine, target: IoTarget, request: Request) -> bool {
    let Parts { irp, state, .. } = parts_of(m, request);
    if state.timed_out {
        end_in_time_out(m, irp);
    }
    remove_from_sent(m, target, request)
}

/// A request that its timer cancelled ran out of time.
#[cold]
fn end_in_time_out(m: &mut Machine, irp: Option<Irp>) {
    if let Some(irp) = irp
        && m[irp].io_status.status == STATUS_CANCELLED
    {
        m[irp].io_status.status = STATUS_IO_TIMEOUT;
    }
}

/// RemoveCompletedRequestLocked. A target that is being closed lets go of its device with the last request, before that
/// one's completion routine runs. Returns whether the stop event is to be set.
fn remove_from_sent(m: &mut Machine, target: IoTarget, request: Request) -> bool {
    let mut fx = take_fx(m);
    let Parts { state, sent_to, .. } = parts(&mut fx, request);
    *sent_to = None;
    let ignored = std::mem::take(&mut state.ignores_state);
    (state.completed, state.timed_out) = (false, false);
    let shown = state.shown(request);
    let body = target.body_in(&mut fx);
    let driver = body.driver;
    body.forget(request, ignored);
    let set_event = if body.removing {
        body.sent.is_empty() && body.ignored.is_empty()
    } else {
        body.waiting && !ignored && body.sent.is_empty()
    };
    let clear = set_event && body.removing;
    if clear {
        body.removing = false;
    } else if set_event {
        body.waiting = false;
    }
    fx.trace(driver, &sites::REMOVE_COMPLETED, [target.object().handle(), shown]);
    if clear {
        target.clear_pointers(m);
    }
    set_event
}

/// CompleteSubmitted: hands the result to whoever is to have it.
pub(crate) fn complete_submitted(m: &mut Machine, request: Request, target: IoTarget) {
    let exit = m.exit();
    let mut fx = take_fx(m);
    let Parts { irp, driver, moves, state, .. } = parts(&mut fx, request);
    if moves != state.moves {
        exit.undefined("WdfRequestForwardToIoQueue", "a request that is out at a target is not handed to a queue");
    }
    let routine = std::mem::take(&mut state.routine);
    if fx.verifier_on(driver) {
        parts(&mut fx, request).state.formatted = false;
        if let Some(irp) = irp {
            m[irp].driver_context = [0; 4];
        }
    }
    request_step(m, request, |m| {
        let status = irp.map_or(NtStatus(0), |irp| m[irp].io_status.status);
        RequestStep::Back(target.destination(m), status)
    });
    let (io_status, output) = irp.map(|irp| (m[irp].io_status, m[irp].user_buffer)).unwrap_or_default();
    let params = match &mut parts_of(m, request).state.context {
        Some(context) => {
            let copied = finish_context(context, io_status, output);
            let params = context.params();
            if let Some((buffer, output)) = copied {
                copy_back(m, buffer, output, io_status.information);
            }
            params
        }
        None => CompletionParams { io_status, ..CompletionParams::default() },
    };
    m.boundary("a completion routine");
    match routine {
        Routine::None => {}
        Routine::Driver(routine, context) => routine(m, request, target, &params, context),
        Routine::Waiter => waiter_called(m, request, target, &params),
    }
    request.release(m);
}

/// CopyParameters: what the completion routine is given. Returns what the framework copies back, and where to.
#[inline]
fn finish_context(context: &mut FormatContext, io_status: IoStatus, output: Option<Span>) -> Option<(Span, Span)> {
    context.heard.io_status = io_status;
    if context.kind != ContextKind::Io {
        return None;
    }
    context.heard.output_length = io_status.information;
    let buffer = context.buffer.filter(|_| context.copies_back)?;
    let output = output.filter(|output| !output.is_null())?;
    context.copies_back = false;
    Some((buffer, output))
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
    let mut fx = take_fx(m);
    let Parts { driver, state, .. } = parts(&mut fx, request);
    let shown = state.shown(request);
    fx.trace(driver, &sites::RESUBMIT_FAILED, [shown]);
    let set_event = settle(m, target, request);
    trace(m, driver, &sites::RESUBMIT_COMPLETED, [shown]);
    complete_submitted(m, request, target);
    if set_event {
        trace(m, driver, &sites::RESUBMIT_STOP_EVENT, [target.object().handle(), target.stop_event()]);
        target.body(m).sent_event.set();
    }
    target.request_done(m);
}

/// TimerCallback: the request is cancelled, and completed here if it comes back inside that, or is back already.
pub(crate) fn timed_out(m: &mut Machine, context: Context) {
    // A request that is gone took its timer with it; this is for one whose timer was on its way.
    let Some(request) = Request::from_context(context).filter(|request| request.object().exists(m)) else { return };
    let mut fx = take_fx(m);
    let Parts { driver, state, .. } = parts(&mut fx, request);
    let (Some(target), Some(_)) = (state.target, state.timer.take()) else { return };
    let (shown, back) = (state.shown(request), state.completed);
    if !back {
        state.timed_out = true;
        state.references += 1;
    }
    fx.trace(driver, &sites::TIMER_FIRED, [target.object().handle(), shown]);
    if !back {
        crate::cancel::cancel(m, request);
    }
    let Parts { irp, state, .. } = parts_of(m, request);
    state.references -= 1;
    if state.is_out() {
        return;
    }
    let set_event = remove_from_sent(m, target, request);
    end_in_time_out(m, irp);
    trace(m, driver, &sites::TIMER_COMPLETED, [shown]);
    complete_submitted(m, request, target);
    if set_event {
        trace(m, driver, &sites::TIMER_STOP_EVENT, [target.object().handle(), target.stop_event()]);
        target.body(m).sent_event.set();
    }
    target.request_done(m);
}
