//! A sent request comes back.
//!
//! Source: S/targets/general/fxiotarget.cpp:1921-1960, 2306-2451; S/core/fxrequestbase.cpp:454;
//! S/inc/private/km/fxiotargetkm.hpp:150-195.

use vbus_wdf::layer::{sites, trace};
use vbus_wdf::{Handle, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, DeviceObject, Irp, Machine, NtStatus, Span};

use crate::state::{CompletionParams, state};
use crate::target::{IoTarget, TargetState};

/// The WDM completion routine of every request that is sent to a target. It always keeps the IRP: the request goes on
/// upwards only when its driver completes it.
pub(crate) fn request_completed(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, context: Context) -> NtStatus {
    let Some(request) = Request::from_context(context) else { return STATUS_MORE_PROCESSING_REQUIRED };
    let send = state(m, request);
    let Some(target) = send.target else { return STATUS_MORE_PROCESSING_REQUIRED };
    send.references -= 1;
    let deferred = send.references > 0;
    let driver = target.body(m).driver;
    let handle = request.object().handle();
    trace(m, driver, &sites::COMPLETION, [handle]);
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
    let body = target.body(m);
    let driver = body.driver;
    if let Some(at) = body.sent.iter().position(|&sent| sent == request) {
        body.sent.remove(at);
    }
    let last_of_closed = body.remote && body.sent.is_empty() && body.state != TargetState::Started;
    trace(m, driver, &sites::REMOVE_COMPLETED, [target.object().handle(), request.object().handle()]);
    if last_of_closed {
        target.clear_pointers(m);
    }
}

/// Hands the result to the driver's completion routine.
pub(crate) fn complete_submitted(m: &mut Machine, request: Request, target: IoTarget) {
    let io_status = request.current_irp(m).map(|irp| m[irp].io_status).unwrap_or_default();
    let send = state(m, request);
    let params = CompletionParams { io_status, output_length: io_status.information, ..send.params };
    let routine = send.routine.take();
    let buffered = send.formatting.and_then(|formatting| formatting.buffered);
    send.formatted = false;
    send.target = None;
    if let Some((buffer, Some(output))) = buffered {
        copy_back(m, buffer, output, io_status.information);
    }
    if let Some((routine, context)) = routine {
        routine(m, request, target, &params, context);
    }
    request.object().release(m);
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
