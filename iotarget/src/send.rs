//! WdfRequestSend. TRUE means "sent", never "succeeded".
//!
//! Source: S/core/fxrequestapi.cpp:1853-2102; S/core/fxrequest.cpp:1062-1230.

use vbus_wdf::layer::{Act, Parts, answered, checks_rules, comply, debug_break, request_step, sites, trace};
use vbus_wdf::{Handle, Ownership, Request, RequestStep};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, Machine, NtStatus, StackLocation};

use crate::addresses;
use crate::cancel;
use crate::options::SendOptions;
use crate::reuse::{self, ReuseParams};
use crate::state::{CompletionParams, CompletionRoutine, Routine, parts_of};
use crate::submit::{Submitted, submit};
use crate::sync::submit_sync;
use crate::target::IoTarget;
use crate::validate::validate;

/// What a request can do besides being completed: be sent on.
pub trait SendRequest {
    /// `WdfRequestSetCompletionRoutine`. It replaces the one that is set, and is cleared by every completion and reuse.
    fn set_completion_routine(self, m: &mut Machine, routine: CompletionRoutine, context: impl Into<Context>);

    /// `WdfRequestSetCompletionRoutine` with NULL.
    fn clear_completion_routine(self, m: &mut Machine);

    /// `WdfRequestGetCompletionParams`: what the completion routine was given. Only a format call of a target leaves
    /// anything; without one the call says so, and the answer is empty.
    fn completion_params(self, m: &mut Machine) -> CompletionParams;

    /// `WdfRequestSend`. Returns whether the request is out of the driver's hands; if not, the driver still has to
    /// complete it, and [`Request::status`] says why.
    fn send(self, m: &mut Machine, target: IoTarget, options: SendOptions) -> bool;

    /// `WdfRequestFormatRequestUsingCurrentType`: what came goes on as it is. Bug check 0x10D/6 for a request without
    /// an IRP (2) or without a location to copy to (1).
    fn format_using_current_type(self, m: &mut Machine);

    /// `WdfRequestWdmFormatUsingStackLocation`: the next location becomes a copy of this one. Bug check 0x10D/6/1 for a
    /// request without a location to copy to, 0x10D/4 for NULL.
    fn format_using_stack_location(self, m: &mut Machine, location: impl Into<Option<StackLocation>>);

    /// `WdfRequestReuse`: makes a request that came back ready for its next use. The completion routine is cleared.
    ///
    /// # Errors
    /// STATUS_WDF_REQUEST_INVALID_STATE for a new IRP for a dispatched request; for a request that the driver will
    /// complete, STATUS_INVALID_PARAMETER without an IRP and STATUS_INVALID_DEVICE_REQUEST for one that the framework
    /// allocated, for one without a location of the driver's own, and while somebody else references the request.
    fn reuse(self, m: &mut Machine, params: ReuseParams) -> Result<(), NtStatus>;

    /// `WdfRequestChangeTarget`: gets the request ready for another target, with a bigger IRP if it may have one.
    ///
    /// # Errors
    /// As the format calls: STATUS_INVALID_DEVICE_STATE for a target that is not open, STATUS_REQUEST_NOT_ACCEPTED for
    /// an IRP that is too small and cannot be replaced.
    ///
    /// Source: S/core/fxrequestapi.cpp:329-352.
    fn change_target(self, m: &mut Machine, target: IoTarget) -> Result<(), NtStatus>;

    /// `WdfRequestAllocateTimer`: a send with a time-out cannot fail for lack of memory then. Memory is never short
    /// here, so nothing else changes.
    ///
    /// # Errors
    /// None.
    fn allocate_timer(self, m: &mut Machine) -> Result<(), NtStatus>;

    /// `WdfRequestCancelSentRequest`. Returns whether a lower driver had a cancel routine for it.
    fn cancel_sent(self, m: &mut Machine) -> bool;
}

impl SendRequest for Request {
    #[inline]
    fn set_completion_routine(self, m: &mut Machine, routine: CompletionRoutine, context: impl Into<Context>) {
        parts_of(m, self).state.routine = Routine::Driver(routine, context.into());
    }

    fn clear_completion_routine(self, m: &mut Machine) {
        parts_of(m, self).state.routine = Routine::None;
    }

    fn completion_params(self, m: &mut Machine) -> CompletionParams {
        let Parts { driver, state, .. } = parts_of(m, self);
        if let Some(context) = &state.context {
            return context.params();
        }
        trace(m, driver, &sites::COMPLETION_PARAMS_NONE, []);
        debug_break(m, driver);
        CompletionParams::default()
    }

    fn send(self, m: &mut Machine, target: IoTarget, options: SendOptions) -> bool {
        if !checks_rules(m) {
            return send(m, self, target, options);
        }
        let (driver, handle) = (parts_of(m, self).driver, self.object().handle());
        answered(m, driver, handle, false);
        let sent = send(m, self, target, options);
        answered(m, driver, handle, !sent || options.is_synchronous());
        sent
    }

    fn format_using_current_type(self, m: &mut Machine) {
        reuse::format_using_current_type(m, self);
    }

    fn format_using_stack_location(self, m: &mut Machine, location: impl Into<Option<StackLocation>>) {
        reuse::format_using_stack_location(m, self, location.into());
    }

    fn reuse(self, m: &mut Machine, params: ReuseParams) -> Result<(), NtStatus> {
        reuse::reuse(m, self, params)
    }

    fn change_target(self, m: &mut Machine, target: IoTarget) -> Result<(), NtStatus> {
        validate(m, self, target).map(|_| ())
    }

    fn allocate_timer(self, m: &mut Machine) -> Result<(), NtStatus> {
        // Only the handle is looked at.
        parts_of(m, self);
        Ok(())
    }

    fn cancel_sent(self, m: &mut Machine) -> bool {
        m.boundary("WdfRequestCancelSentRequest");
        cancel::cancel_sent(m, self)
    }
}

/// The refusal stands in the IRP.
fn refuse(m: &mut Machine, request: Request, target: IoTarget, status: NtStatus) {
    request_step(m, request, |m| RequestStep::NotSent(target.destination(m), status));
    match request.current_irp(m) {
        Some(irp) => m[irp].io_status.status = status,
        None => m.undefined("WdfRequestSend", "a request that is sent has an IRP, from its format call"),
    }
}

/// SEND_AND_FORGET: only a dispatched request, and only as it came.
fn send_and_forget(m: &mut Machine, request: Request, target: IoTarget) -> bool {
    let handle = request.object().handle();
    let Parts { irp, ownership, driver, state, .. } = parts_of(m, request);
    let (formatted_for_target, next_is_formatted) = (state.context.is_some(), state.next_is_formatted);
    let has_routine = !matches!(state.routine, Routine::None);
    if ownership != Ownership::FromIo {
        trace(m, driver, &sites::SEND_FORGET_NOT_QUEUED, [handle]);
        refuse(m, request, target, STATUS_INVALID_DEVICE_STATE);
        return false;
    }
    if formatted_for_target {
        let status = STATUS_INVALID_DEVICE_REQUEST;
        trace(m, driver, &sites::SEND_FORGET_FORMATTED, [handle, status.0.into()]);
        refuse(m, request, target, status);
        debug_break(m, driver);
        return false;
    }
    if has_routine && driver.verifier_on(m) {
        trace(m, driver, &sites::FORGET_WITH_ROUTINE, [handle, addresses::callback(driver, 3)]);
        debug_break(m, driver);
    }
    let Some(irp) = irp else {
        m.undefined("WdfRequestSend", "a dispatched request is sent while it has its IRP: until it is completed")
    };
    // What was copied to the next location goes on in it; else the lower driver gets this one.
    let queue = request.begin_to_forget(m, !next_is_formatted);
    target.send_irp(m, irp);
    request.forgotten(m, queue);
    true
}

/// WdfRequestSend.
fn send(m: &mut Machine, request: Request, target: IoTarget, options: SendOptions) -> bool {
    m.boundary("WdfRequestSend");
    let Parts { driver, ownership, state, .. } = parts_of(m, request);
    let has_routine = !matches!(state.routine, Routine::None);
    let act = if options.waits_without_limit() { Act::WaitWithoutLimit } else { Act::Send };
    comply(m, driver, act, "WdfRequestSend");
    if let Err(status) = options.validate(m, driver) {
        refuse(m, request, target, status);
        debug_break(m, driver);
        return false;
    }
    if options.is_synchronous() {
        return submit_sync(m, request, target, options, true).is_ok();
    }
    if options.forgets() {
        return send_and_forget(m, request, target);
    }
    if ownership == Ownership::FromIo && !has_routine {
        // Nobody would take the IRP back: it would be completed past its request.
        let (handle, status) = (request.object().handle(), STATUS_INVALID_DEVICE_REQUEST);
        trace(m, driver, &sites::SEND_NO_ROUTINE, [handle, status.0.into()]);
        refuse(m, request, target, status);
        debug_break(m, driver);
        return false;
    }
    let submitted = submit(m, request, target, options);
    if let Ok(Submitted::Send(irp)) = submitted {
        target.send_irp(m, irp);
    }
    submitted.is_ok()
}
