//! WdfRequestSend. TRUE means "sent", never "succeeded".
//!
//! Source: S/core/fxrequestapi.cpp:1853-2102; S/targets/general/fxiotarget.cpp:1187-1635, 1656-1876.

use vbus_wdf::layer::{Parts, debug_break, request_fatal_error, sites, take_fx, trace};
use vbus_wdf::{Handle, Ownership, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, Control, DeviceObject, Irp, Machine, NtStatus, Ticks};

use crate::cancel;
use crate::complete::{request_completed, timed_out};
use crate::pend::pend;
use crate::reuse::{self, ReuseParams};
use crate::state::{CompletionRoutine, parts};
use crate::target::{IoTarget, TargetState};
use crate::validate::validate;

/// WDF_REQUEST_SEND_OPTIONS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SendOptions {
    synchronous: bool,
    send_and_forget: bool,
    ignore_target_state: bool,
    timeout: Option<Ticks>,
}

impl SendOptions {
    /// Asynchronous.
    pub const fn none() -> SendOptions {
        SendOptions { synchronous: false, send_and_forget: false, ignore_target_state: false, timeout: None }
    }

    /// SYNCHRONOUS: the call returns when the request is complete. Its completion routine is called all the same.
    pub const fn synchronous() -> SendOptions {
        SendOptions { synchronous: true, ..SendOptions::none() }
    }

    /// SEND_AND_FORGET: the IRP goes on its way and the framework forgets it. The target's state and stack size are
    /// not looked at. Goes with no other option.
    pub const fn send_and_forget() -> SendOptions {
        SendOptions { send_and_forget: true, ..SendOptions::none() }
    }

    /// Adds SYNCHRONOUS.
    pub const fn and_synchronous(mut self) -> SendOptions {
        self.synchronous = true;
        self
    }

    /// Adds SEND_AND_FORGET, which no other option goes with: such a send is refused.
    pub const fn and_send_and_forget(mut self) -> SendOptions {
        self.send_and_forget = true;
        self
    }

    /// Adds IGNORE_TARGET_STATE: sent even if the target is stopped or purged.
    pub const fn ignoring_target_state(mut self) -> SendOptions {
        self.ignore_target_state = true;
        self
    }

    /// Adds TIMEOUT: cancelled when it is not back after this span. Zero is no time-out.
    pub const fn with_timeout(mut self, after: Ticks) -> SendOptions {
        self.timeout = Some(after);
        self
    }

    /// The flags as the DDI's structure has them.
    fn flags(self) -> u64 {
        u64::from(self.timeout.is_some())
            | u64::from(self.synchronous) << 1
            | u64::from(self.ignore_target_state) << 2
            | u64::from(self.send_and_forget) << 3
    }
}

const SEND_AND_FORGET_FLAG: u64 = 8;

/// What a request can do besides being completed: be sent on.
pub trait SendRequest {
    /// `WdfRequestSetCompletionRoutine`. It is cleared by every completion.
    fn set_completion_routine(self, m: &mut Machine, routine: CompletionRoutine, context: impl Into<Context>);

    /// `WdfRequestSend`. Returns whether the request is out of the driver's hands; if not, the driver still has to
    /// complete it, and [`Request::status`] says why.
    fn send(self, m: &mut Machine, target: IoTarget, options: SendOptions) -> bool;

    /// `WdfRequestFormatRequestUsingCurrentType`: what came goes on as it is. Bug check 0x10D/6 for a request without
    /// an IRP (2) or without a location to copy to (1).
    fn format_using_current_type(self, m: &mut Machine);

    /// `WdfRequestReuse`: makes a request that came back ready for its next use. The completion routine is cleared.
    ///
    /// # Errors
    /// STATUS_WDF_REQUEST_INVALID_STATE for a new IRP for a dispatched request.
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
        parts(&mut take_fx(m), self).state.routine = Some((routine, context.into()));
    }

    fn send(self, m: &mut Machine, target: IoTarget, options: SendOptions) -> bool {
        let sent = match validate_options(m, self, options) {
            Err(status) => Err(status),
            Ok(()) if options.synchronous => submit_synchronously(m, self, target, options),
            Ok(()) if options.send_and_forget => send_and_forget(m, self, target),
            Ok(()) => submit(m, self, target, options, true).map(|submitted| {
                if let Submitted::Send(irp, device) = submitted {
                    irp.call_driver(m, device);
                }
            }),
        };
        // Sent, the request may be gone by now; refused, it says why.
        let Err(status) = sent else { return true };
        if let Some(irp) = self.current_irp(m) {
            m[irp].io_status.status = status;
        }
        false
    }

    fn format_using_current_type(self, m: &mut Machine) {
        reuse::format_using_current_type(m, self);
    }

    fn reuse(self, m: &mut Machine, params: ReuseParams) -> Result<(), NtStatus> {
        reuse::reuse(m, self, params)
    }

    fn change_target(self, m: &mut Machine, target: IoTarget) -> Result<(), NtStatus> {
        validate(m, self, target).map(|_| ())
    }

    fn allocate_timer(self, m: &mut Machine) -> Result<(), NtStatus> {
        // Only the handle is looked at.
        parts(&mut take_fx(m), self);
        Ok(())
    }

    fn cancel_sent(self, m: &mut Machine) -> bool {
        cancel::cancel_sent(m, self)
    }
}

/// FxValidateRequestOptions: SEND_AND_FORGET stands alone.
fn validate_options(m: &mut Machine, request: Request, options: SendOptions) -> Result<(), NtStatus> {
    let flags = options.flags();
    if options.send_and_forget && flags != SEND_AND_FORGET_FLAG {
        let mut fx = take_fx(m);
        let driver = parts(&mut fx, request).driver;
        // The structure lies on the caller's stack.
        let options_address = request.object().address() ^ 0xFFFF;
        fx.trace(driver, &sites::SEND_OPTIONS, [options_address, SEND_AND_FORGET_FLAG, flags]);
        debug_break(m, driver);
        return Err(STATUS_INVALID_PARAMETER);
    }
    Ok(())
}

fn send_and_forget(m: &mut Machine, request: Request, target: IoTarget) -> Result<(), NtStatus> {
    let handle = request.object().handle();
    let mut fx = take_fx(m);
    let Parts { irp, ownership, driver, state, .. } = parts(&mut fx, request);
    let (formatted_for_target, formatted) = (state.formatting.is_some(), state.formatted);
    if ownership != Ownership::FromIo {
        fx.trace(driver, &sites::SEND_FORGET_NOT_QUEUED, [handle]);
        return Err(STATUS_INVALID_DEVICE_STATE);
    }
    if formatted_for_target {
        let status = STATUS_INVALID_DEVICE_REQUEST;
        fx.trace(driver, &sites::SEND_FORGET_FORMATTED, [handle, status.0.into()]);
        debug_break(m, driver);
        return Err(status);
    }
    let device = target.body_in(&mut fx).device;
    let (Some(device), Some(irp)) = (device, irp) else {
        m.undefined(
            "WdfRequestSend",
            "a request is sent and forgotten only to a target that is open: nothing checks it",
        );
    };
    let queue = request.begin_to_forget(m);
    // What was copied to the next location goes on in it; else the lower driver gets this one.
    if !formatted {
        m[irp].skip_current_location();
    }
    irp.call_driver(m, device);
    request.forgotten(m, queue);
    Ok(())
}

/// What became of a request that was submitted.
pub(crate) enum Submitted {
    /// It is to be sent now: this IRP to this device.
    Send(Irp, DeviceObject),
    /// It waits for the target to be started.
    Queued,
}

/// SubmitLocked, after what is checked before it: everything that can refuse the request, then its place among the
/// sent or the waiting ones. A request that needs a routine is one that nobody waits for.
pub(crate) fn submit(
    m: &mut Machine,
    request: Request,
    target: IoTarget,
    options: SendOptions,
    needs_routine: bool,
) -> Result<Submitted, NtStatus> {
    let exit = m.exit();
    let handle = request.object().handle();
    let mut fx = take_fx(m);
    let body = target.body_in(&mut fx);
    let (driver, target_state, stack_size, device) = (body.driver, body.state, body.stack_size, body.device);
    let removing = body.removing;
    let Parts { irp, ownership, state, .. } = parts(&mut fx, request);
    let out = state.references != 0;
    if needs_routine && ownership == Ownership::FromIo && state.routine.is_none() {
        // Nobody would take the IRP back: it would be completed past its request.
        let status = STATUS_INVALID_DEVICE_REQUEST;
        fx.trace(driver, &sites::SEND_NO_ROUTINE, [handle, status.0.into()]);
        debug_break(m, driver);
        return Err(status);
    }
    if out {
        fx.trace(driver, &sites::ALREADY_SENT, [handle]);
        request_fatal_error(m, driver, 3, handle, "WdfRequestSend");
    }
    if fx.verifier_on(driver) {
        verify(m, request, target, stack_size)?;
    }
    let queue = decide(m, request, target, options, target_state, removing)?;
    let mut fx = take_fx(m);
    let Parts { references, moves, sent_to, state, .. } = parts(&mut fx, request);
    if state.cancelled {
        return Err(STATUS_CANCELLED);
    }
    let (Some(irp), Some(device)) = (irp, device) else {
        exit.undefined("WdfRequestSend", "a request that is sent has an IRP, from its format call, and an open target");
    };
    state.target = Some(target);
    state.moves = moves;
    *sent_to = Some(target.object());
    state.references = 1;
    state.ignores_state = options.ignore_target_state;
    *references += 1;
    if queue {
        let pended = pend(m, target, request, irp);
        let status = NtStatus::from(pended);
        trace(m, driver, &sites::PENDING, [handle, target.object().handle(), status.0.into()]);
        if let Err(status) = pended {
            let mut fx = take_fx(m);
            let Parts { sent_to, state, .. } = parts(&mut fx, request);
            (state.references, *sent_to) = (0, None);
            request.release(m);
            return Err(status);
        }
    } else {
        let body = target.body_in(&mut fx);
        let list = if options.ignore_target_state { &mut body.ignored } else { &mut body.sent };
        list.push(request);
        m[irp].set_completion_routine(request_completed, request.to_context(), Control::INVOKE_ALWAYS);
    }
    if let Some(after) = options.timeout.filter(|&after| after > Ticks(0) && !options.synchronous) {
        start_timer(m, request, after);
    }
    Ok(if queue { Submitted::Queued } else { Submitted::Send(irp, device) })
}

fn start_timer(m: &mut Machine, request: Request, after: Ticks) {
    let timer = m.set_timer(after, timed_out, request.to_context());
    let mut fx = take_fx(m);
    let Parts { driver, state, .. } = parts(&mut fx, request);
    state.timer = Some(timer);
    fx.trace(driver, &sites::STARTING_TIMER, [request.object().handle()]);
}

/// What the target's state says: send now, or wait (true).
fn decide(
    m: &mut Machine,
    request: Request,
    target: IoTarget,
    options: SendOptions,
    state: TargetState,
    removing: bool,
) -> Result<bool, NtStatus> {
    let (handle, target_handle) = (request.object().handle(), target.object().handle());
    let status = STATUS_INVALID_DEVICE_STATE;
    let mut fx = take_fx(m);
    let driver = target.body_in(&mut fx).driver;
    match state {
        _ if options.ignore_target_state && state.is_closed() && !removing => {
            let arguments = [target_handle, state as u64, handle, status.0.into()];
            fx.trace(driver, &sites::CANNOT_IGNORE_STATE, arguments);
            Err(status)
        }
        _ if options.ignore_target_state => {
            fx.trace(driver, &sites::IGNORING_STATE, [target_handle, handle, state as u64]);
            Ok(false)
        }
        TargetState::Started => Ok(false),
        TargetState::Stopped => Ok(true),
        _ => {
            fx.trace(driver, &sites::NOT_ACCEPTING, [handle, target_handle, state as u64]);
            Err(status)
        }
    }
}

/// What only the framework verifier looks at before a send.
///
/// Source: S/targets/general/fxiotarget.cpp:1187-1243.
fn verify(m: &mut Machine, request: Request, target: IoTarget, stack_size: i8) -> Result<(), NtStatus> {
    let mut fx = take_fx(m);
    let Parts { irp, driver, state, .. } = parts(&mut fx, request);
    let handle = request.object().handle();
    let status = STATUS_REQUEST_NOT_ACCEPTED;
    let Some(irp) = irp.filter(|_| state.formatted) else {
        fx.trace(driver, &sites::NOT_FORMATTED, [handle, status.0.into()]);
        return Err(status);
    };
    let left = m[irp].current_location().saturating_sub(1);
    if left < stack_size {
        let arguments =
            [handle, irp.address(), left as u64, target.object().handle(), stack_size as u64, status.0.into()];
        trace(m, driver, &sites::TOO_FEW_LOCATIONS, arguments);
        return Err(status);
    }
    Ok(())
}

fn submit_synchronously(
    m: &mut Machine,
    request: Request,
    target: IoTarget,
    options: SendOptions,
) -> Result<(), NtStatus> {
    let driver = target.body(m).driver;
    let (handle, target_handle) = (request.object().handle(), target.object().handle());
    let timeout = options.timeout.filter(|&after| after > Ticks(0));
    trace(m, driver, &sites::SUBMIT_SYNC, [target_handle, handle]);
    let submitted = submit(m, request, target, options, false);
    // 0x20: the driver's routine is called; 0x10: there is a time-out; 1: it goes out; 2: it waits.
    let outcome = match submitted {
        Ok(Submitted::Send(..)) => 1,
        Ok(Submitted::Queued) => 2,
        Err(_) => 0,
    };
    let action = 0x20 | u64::from(timeout.is_some()) << 4 | outcome;
    trace(m, driver, &sites::SUBMIT_SYNC_ACTION, [handle, action]);
    let submitted = submitted?;
    // Its own reference, so that its completion routine may delete it.
    request.object().add_reference(m);
    if let Submitted::Send(irp, device) = submitted {
        trace(m, driver, &sites::SUBMIT_SYNC_SENDING, [handle, irp.address()]);
        irp.call_driver(m, device);
    }
    if timeout.is_some_and(|after| !m.wait_at_most(after, |m| !is_out(m, request))) {
        parts(&mut take_fx(m), request).state.timed_out = true;
        cancel::cancel(m, request);
    }
    m.wait("a request that was sent synchronously", move |m| !is_out(m, request));
    request.release(m);
    Ok(())
}

fn is_out(m: &Machine, request: Request) -> bool {
    vbus_wdf::layer::peek_state::<crate::state::SendState>(m, request).is_some_and(|state| state.references > 0)
}
