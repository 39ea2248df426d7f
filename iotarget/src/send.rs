//! WdfRequestSend. TRUE means "sent", never "succeeded".
//!
//! Source: S/core/fxrequestapi.cpp:1853-2102; S/targets/general/fxiotarget.cpp:1187-1635, 1656-1876.

use vbus_wdf::layer::{Parts, request_fatal_error, sites, take_fx, trace};
use vbus_wdf::{Handle, Ownership, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, Control, DeviceObject, Irp, Machine, NtStatus};

use crate::cancel;
use crate::complete::request_completed;
use crate::reuse::{self, ReuseParams};
use crate::state::{CompletionRoutine, parts};
use crate::target::{IoTarget, TargetState};

/// WDF_REQUEST_SEND_OPTIONS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SendOptions {
    synchronous: bool,
    send_and_forget: bool,
}

impl SendOptions {
    /// Asynchronous.
    pub const fn none() -> SendOptions {
        SendOptions { synchronous: false, send_and_forget: false }
    }

    /// SYNCHRONOUS: the call returns when the request is complete. Its completion routine is called all the same.
    pub const fn synchronous() -> SendOptions {
        SendOptions { synchronous: true, send_and_forget: false }
    }

    /// SEND_AND_FORGET: the IRP goes on its way and the framework forgets it. The target's state and stack size are
    /// not looked at.
    pub const fn send_and_forget() -> SendOptions {
        SendOptions { synchronous: false, send_and_forget: true }
    }
}

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

    /// `WdfRequestCancelSentRequest`. Returns whether a lower driver had a cancel routine for it.
    fn cancel_sent(self, m: &mut Machine) -> bool;
}

impl SendRequest for Request {
    #[inline]
    fn set_completion_routine(self, m: &mut Machine, routine: CompletionRoutine, context: impl Into<Context>) {
        parts(&mut take_fx(m), self).state.routine = Some((routine, context.into()));
    }

    fn send(self, m: &mut Machine, target: IoTarget, options: SendOptions) -> bool {
        let sent = if options.send_and_forget {
            send_and_forget(m, self, target)
        } else if options.synchronous {
            submit_synchronously(m, self, target)
        } else {
            send_asynchronously(m, self, target)
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

    fn cancel_sent(self, m: &mut Machine) -> bool {
        cancel::cancel_sent(m, self)
    }
}

fn send_asynchronously(m: &mut Machine, request: Request, target: IoTarget) -> Result<(), NtStatus> {
    let (irp, device) = submit(m, request, target, true)?;
    irp.call_driver(m, device);
    Ok(())
}

fn send_and_forget(m: &mut Machine, request: Request, target: IoTarget) -> Result<(), NtStatus> {
    let driver = target.body(m).driver;
    let handle = request.object().handle();
    if request.ownership(m) != Ownership::FromIo {
        trace(m, driver, &sites::SEND_FORGET_NOT_QUEUED, [handle]);
        return Err(STATUS_INVALID_DEVICE_STATE);
    }
    if parts(&mut take_fx(m), request).state.formatting.is_some() {
        let status = STATUS_INVALID_DEVICE_REQUEST;
        trace(m, driver, &sites::SEND_FORGET_FORMATTED, [handle, status.0.into()]);
        return Err(status);
    }
    let device = target.body(m).device;
    let (Some(device), Some(irp)) = (device, request.current_irp(m)) else {
        m.undefined(
            "WdfRequestSend",
            "a request is sent and forgotten only to a target that is open: nothing checks it",
        );
    };
    request.forget(m);
    m[irp].skip_current_location();
    irp.call_driver(m, device);
    Ok(())
}

/// SubmitLocked, after what is checked before it: everything that can refuse the request, then its entry among the
/// sent ones. Returns what to call.
fn submit(
    m: &mut Machine,
    request: Request,
    target: IoTarget,
    needs_routine: bool,
) -> Result<(Irp, DeviceObject), NtStatus> {
    let exit = m.exit();
    let handle = request.object().handle();
    let mut fx = take_fx(m);
    let body = target.body_in(&mut fx);
    let (driver, target_state, stack_size, device) = (body.driver, body.state, body.stack_size, body.device);
    let Parts { irp, ownership, state, .. } = parts(&mut fx, request);
    let (out, cancelled) = (state.references != 0, state.cancelled);
    if needs_routine && ownership == Ownership::FromIo && state.routine.is_none() {
        // Nobody would take the IRP back: it would be completed past its request.
        let status = STATUS_INVALID_DEVICE_REQUEST;
        fx.trace(driver, &sites::SEND_NO_ROUTINE, [handle, status.0.into()]);
        return Err(status);
    }
    if out {
        fx.trace(driver, &sites::ALREADY_SENT, [handle]);
        request_fatal_error(m, driver, 3, handle, "WdfRequestSend");
    }
    if fx.verifier_on(driver) {
        verify(m, request, target, stack_size)?;
    }
    if target_state != TargetState::Started {
        let arguments = [handle, target.object().handle(), target_state as u64];
        trace(m, driver, &sites::NOT_ACCEPTING, arguments);
        return Err(STATUS_INVALID_DEVICE_STATE);
    }
    if cancelled {
        return Err(STATUS_CANCELLED);
    }
    let (Some(irp), Some(device)) = (irp, device) else {
        exit.undefined("WdfRequestSend", "a request that is sent has an IRP, from its format call, and an open target");
    };
    let mut fx = take_fx(m);
    target.body_in(&mut fx).sent.push(request);
    let Parts { references, state, .. } = parts(&mut fx, request);
    state.target = Some(target);
    state.references = 1;
    *references += 1;
    m[irp].set_completion_routine(request_completed, request.to_context(), Control::INVOKE_ALWAYS);
    Ok((irp, device))
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
    let left = m[irp].current_location() - 1;
    if left < stack_size {
        let arguments =
            [handle, irp.address(), left as u64, target.object().handle(), stack_size as u64, status.0.into()];
        trace(m, driver, &sites::TOO_FEW_LOCATIONS, arguments);
        return Err(status);
    }
    Ok(())
}

fn submit_synchronously(m: &mut Machine, request: Request, target: IoTarget) -> Result<(), NtStatus> {
    let driver = target.body(m).driver;
    let (handle, target_handle) = (request.object().handle(), target.object().handle());
    trace(m, driver, &sites::SUBMIT_SYNC, [target_handle, handle]);
    let submitted = submit(m, request, target, false);
    // 0x20 asked for a wait, 1 the request goes out.
    trace(m, driver, &sites::SUBMIT_SYNC_ACTION, [handle, 0x20 + u64::from(submitted.is_ok())]);
    let (irp, device) = submitted?;
    // Its own reference, so that its completion routine may delete it.
    request.object().add_reference(m);
    trace(m, driver, &sites::SUBMIT_SYNC_SENDING, [handle, irp.address()]);
    irp.call_driver(m, device);
    m.wait("a request that was sent synchronously", move |m| !is_out(m, request));
    request.object().release(m);
    Ok(())
}

fn is_out(m: &Machine, request: Request) -> bool {
    vbus_wdf::layer::peek_state::<crate::state::SendState>(m, request).is_some_and(|state| state.references > 0)
}
