//! A request's way to its target: what may refuse it, and whether it goes on or waits.
//!
//! Source: S/targets/general/fxiotarget.cpp:1187-1495 (SubmitLocked), 1656-1700 (pending).

use vbus_wdf::layer::{Parts, request_fatal_error, request_step, sites, take_fx, trace};
use vbus_wdf::{Handle, Request, RequestStep};
use vbus_wdm::constants::*;
use vbus_wdm::{Control, Irp, Machine, NtStatus, Ticks};

use crate::complete::{request_completed, timed_out};
use crate::options::SendOptions;
use crate::pend::pend;
use crate::state::{parts, parts_of};
use crate::target::{IoTarget, Kind, TargetState};

/// What became of a request that was submitted.
#[derive(Clone, Copy)]
pub(crate) enum Submitted {
    /// It is to be sent now: this is its IRP.
    Send(Irp),
    /// It waits for the target to be started.
    Queued,
}

impl IoTarget {
    /// FxIoTarget::Send: the IRP leaves.
    pub(crate) fn send_irp(self, m: &mut Machine, irp: Irp) {
        let exit = m.exit();
        let body = self.body(m);
        if let Kind::ToSelf(to_self) = &body.kind {
            let queue = to_self.queue;
            return self.send_to_self(m, irp, queue);
        }
        match body.device {
            Some(device) => _ = irp.call_driver(m, device),
            None => exit.undefined(
                "IoCallDriver",
                "a request is sent, whatever its target's state is, only to a target that is open: nothing checks it",
            ),
        }
    }
}

/// SubmitLocked: everything that can refuse the request, then its place among the sent or the waiting ones. A refusal
/// stands in the IRP, too.
pub(crate) fn submit(
    m: &mut Machine,
    request: Request,
    target: IoTarget,
    options: SendOptions,
) -> Result<Submitted, NtStatus> {
    let exit = m.exit();
    let mut fx = take_fx(m);
    let body = target.body_in(&mut fx);
    let (driver, stack_size, target_state) = (body.driver, body.stack_size, (body.state, body.removing));
    let Parts { irp, state, .. } = parts(&mut fx, request);
    let cancelled = state.cancelled;
    if state.is_out() {
        let shown = state.shown(request);
        fx.trace(driver, &sites::ALREADY_SENT, [shown]);
        request_fatal_error(m, driver, 3, request.object().handle(), "WdfRequestSend");
    }
    let verified = if fx.verifier_on(driver) { verify(m, request, target, stack_size) } else { Ok(()) };
    let Some(irp) = irp else {
        exit.undefined(
            "WdfRequestSend",
            "a request that is sent has an IRP, from its format call: a refusal stands in it",
        )
    };
    let submitted = verified.and_then(|()| decide(m, request, target, options, target_state)).and_then(|queue| {
        if cancelled { Err(STATUS_CANCELLED) } else { accept(m, request, target, options, irp, queue) }
    });
    if let Err(status) = submitted {
        m[irp].io_status.status = status;
    }
    request_step(m, request, |m| {
        let destination = target.destination(m);
        match submitted {
            Ok(Submitted::Send(_)) => RequestStep::Sent(destination),
            Ok(Submitted::Queued) => RequestStep::Pended(destination),
            Err(status) => RequestStep::NotSent(destination, status),
        }
    });
    submitted
}

/// The target takes the request in.
#[inline]
fn accept(
    m: &mut Machine,
    request: Request,
    target: IoTarget,
    options: SendOptions,
    irp: Irp,
    queue: bool,
) -> Result<Submitted, NtStatus> {
    let mut fx = take_fx(m);
    let body = target.body_in(&mut fx);
    body.io_count += 1;
    match queue {
        true => {}
        false if options.ignores_target_state() => body.ignored.push(request),
        false => body.sent.push(request),
    }
    let Parts { references, moves, sent_to, state, .. } = parts(&mut fx, request);
    (state.target, state.moves, state.references) = (Some(target), moves, 1);
    *sent_to = Some(target.object());
    *references += 1;
    if queue {
        wait_at_target(m, request, target, irp)?;
    } else {
        m[irp].set_completion_routine(request_completed, request.to_context(), Control::INVOKE_ALWAYS);
    }
    if let Some(after) = options.limit(m) {
        start_timer(m, request, after);
    }
    Ok(if queue { Submitted::Queued } else { Submitted::Send(irp) })
}

/// The request waits for the target to be started, unless its IRP is cancelled by now.
fn wait_at_target(m: &mut Machine, request: Request, target: IoTarget, irp: Irp) -> Result<(), NtStatus> {
    let driver = target.body(m).driver;
    let shown = parts_of(m, request).state.shown(request);
    let pended = pend(m, target, request, irp);
    trace(m, driver, &sites::PENDING, [shown, target.object().handle(), NtStatus::from(pended).0.into()]);
    if pended.is_err() {
        let Parts { sent_to, state, .. } = parts_of(m, request);
        (*sent_to, state.references) = (None, 0);
        request.release(m);
        target.request_done(m);
    }
    pended
}

fn start_timer(m: &mut Machine, request: Request, after: Ticks) {
    let timer = m.set_timer(after, timed_out, request.to_context());
    let mut fx = take_fx(m);
    let Parts { driver, state, .. } = parts(&mut fx, request);
    state.timer = Some(timer);
    let shown = state.shown(request);
    fx.trace(driver, &sites::STARTING_TIMER, [shown]);
}

/// What the target's state says: send now, or wait (true).
#[inline]
fn decide(
    m: &mut Machine,
    request: Request,
    target: IoTarget,
    options: SendOptions,
    (state, removing): (TargetState, bool),
) -> Result<bool, NtStatus> {
    match state {
        _ if options.ignores_target_state() => ignore_state(m, request, target, state.is_closed() && !removing),
        TargetState::Started => Ok(false),
        TargetState::Stopped => Ok(true),
        _ => {
            let driver = target.body(m).driver;
            let shown = parts_of(m, request).state.shown(request);
            trace(m, driver, &sites::NOT_ACCEPTING, [shown, target.object().handle(), state as u64]);
            Err(STATUS_INVALID_DEVICE_STATE)
        }
    }
}

/// The state of a target that let go of its device cannot be ignored.
fn ignore_state(m: &mut Machine, request: Request, target: IoTarget, closed: bool) -> Result<bool, NtStatus> {
    let (handle, status) = (target.object().handle(), STATUS_INVALID_DEVICE_STATE);
    let body = target.body(m);
    let (driver, state) = (body.driver, body.state as u64);
    let request_state = parts_of(m, request).state;
    let shown = request_state.shown(request);
    if closed {
        trace(m, driver, &sites::CANNOT_IGNORE_STATE, [handle, state, shown, status.0.into()]);
        return Err(status);
    }
    // It stays so if the request is refused for another reason.
    request_state.ignores_state = true;
    trace(m, driver, &sites::IGNORING_STATE, [handle, shown, state]);
    Ok(false)
}

/// What only the framework verifier looks at before a send.
///
/// Source: S/targets/general/fxiotarget.cpp:1187-1243.
fn verify(m: &mut Machine, request: Request, target: IoTarget, stack_size: i8) -> Result<(), NtStatus> {
    let mut fx = take_fx(m);
    let Parts { irp, driver, state, .. } = parts(&mut fx, request);
    let (shown, formatted) = (state.shown(request), state.formatted);
    let status = STATUS_REQUEST_NOT_ACCEPTED;
    let Some(irp) = irp.filter(|_| formatted) else {
        fx.trace(driver, &sites::NOT_FORMATTED, [shown, status.0.into()]);
        return Err(status);
    };
    let left = m[irp].current_location().saturating_sub(1);
    if left < stack_size {
        let arguments =
            [shown, irp.address(), left as u64, target.object().handle(), stack_size as u64, status.0.into()];
        trace(m, driver, &sites::TOO_FEW_LOCATIONS, arguments);
        return Err(status);
    }
    Ok(())
}
