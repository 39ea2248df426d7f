//! A sent request comes back.
//!
//! Source: S/targets/general/fxiotarget.cpp:1921-1960, 2306-2451; S/core/fxrequestbase.cpp:454;
//! S/inc/private/km/fxiotargetkm.hpp:150-195.

use vbus_wdf::layer::{Parts, sites, take_fx, trace};
use vbus_wdf::{Handle, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, DeviceObject, Irp, Machine, NtStatus, Span};

use crate::state::parts;
use crate::target::{IoTarget, TargetState};

/// The WDM completion routine of every request that is sent to a target. It always keeps the IRP: the request goes on
/// upwards only when its driver completes it.
pub(crate) fn request_completed(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, context: Context) -> NtStatus {
    let Some(request) = Request::from_context(context) else { return STATUS_MORE_PROCESSING_REQUIRED };
    let handle = request.object().handle();
    let mut fx = take_fx(m);
    let Parts { state, .. } = parts(&mut fx, request);
    let Some(target) = state.target else { return STATUS_MORE_PROCESSING_REQUIRED };
    state.references -= 1;
    let deferred = state.references > 0;
    let driver = target.body_in(&mut fx).driver;
    fx.trace(driver, &sites::COMPLETION, [handle]);
    let data = &m[irp];
    if data.pending_returned && data.current_location() <= data.stack_count() {
        irp.mark_pending(m);
    }
    if deferred {
        // Somebody cancels it at this moment, and completes it when that call returns.
        trace(m, driver, &sites::COMPLETION_DEFERRED, [handle]);
        return STATUS_MORE_PROCESSING_REQUIRED;
    }
    remove_from_sent(m, target, request);
    trace(m, driver, &sites::COMPLETION_DONE, [handle]);
    complete_submitted(m, request, target);
    STATUS_MORE_PROCESSING_REQUIRED
}

/// The request is out no more. A target that is being closed lets go of its device with the last one, before that
/// one's completion routine runs.
pub(crate) fn remove_from_sent(m: &mut Machine, target: IoTarget, request: Request) {
    let mut fx = take_fx(m);
    let body = target.body_in(&mut fx);
    let driver = body.driver;
    // The youngest is the likeliest: look from the end.
    if let Some(at) = body.sent.iter().rposition(|&sent| sent == request) {
        body.sent.remove(at);
    }
    let last_of_closed = body.remote && body.sent.is_empty() && body.state != TargetState::Started;
    fx.trace(driver, &sites::REMOVE_COMPLETED, [target.object().handle(), request.object().handle()]);
    if last_of_closed {
        target.clear_pointers(m);
    }
}

/// Hands the result to the driver's completion routine.
pub(crate) fn complete_submitted(m: &mut Machine, request: Request, target: IoTarget) {
    let mut fx = take_fx(m);
    let Parts { irp, state, .. } = parts(&mut fx, request);
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
