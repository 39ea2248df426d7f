//! Requests that wait at a stopped target.
//!
//! Such a request has a stack location of its own while it waits, so that its IRP can be cancelled like any other.
//!
//! Source: S/targets/general/fxiotarget.cpp:340-500 (drain), 1990-2030 (pend), 2533-2570 (cancelled);
//! S/core/fxirpqueue.cpp:500-640, 850-930.

use vbus_wdf::layer::{Parts, sites, take_fx};
use vbus_wdf::{Handle, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, DeviceObject, Irp, Machine, NtStatus};

use crate::complete::{cancel_timer, fail_pended};
use crate::state::parts;
use crate::target::IoTarget;

/// The framework's word in the IRP's DriverContext that leads from a waiting IRP to its request.
///
/// Source: S/inc/private/common/fxirpqueue.hpp:47.
const REQUEST_WORD: usize = 3;

/// Puts a request behind the waiting ones.
pub(crate) fn pend(m: &mut Machine, target: IoTarget, request: Request, irp: Irp) -> Result<(), NtStatus> {
    if m[irp].current_location() < 2 {
        m.undefined("WdfRequestSend", "a request that waits at its target has a stack location left for that");
    }
    let data = &mut m[irp];
    data.set_next_location();
    data.driver_context[REQUEST_WORD] = request.to_context().0;
    irp.mark_pending(m);
    irp.exchange_cancel_routine(m, Some(cancelled_while_waiting));
    if m[irp].cancel && irp.exchange_cancel_routine(m, None).is_some() {
        leave(m, irp);
        return Err(STATUS_CANCELLED);
    }
    target.body(m).pended.push_back(request);
    Ok(())
}

/// The IRP waits no more.
fn leave(m: &mut Machine, irp: Irp) {
    let data = &mut m[irp];
    data.driver_context[REQUEST_WORD] = 0;
    data.skip_current_location();
}

fn cancelled_while_waiting(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    irp.leave_cancel_spin_lock(m);
    let Some(request) = Request::from_context(Context(m[irp].driver_context[REQUEST_WORD])) else { return };
    let mut fx = take_fx(m);
    let Parts { driver, state, .. } = parts(&mut fx, request);
    let (target, shown) = (state.target, state.shown(request));
    if let Some(target) = target {
        target.body_in(&mut fx).pended.retain(|&waiting| waiting != request);
    }
    fx.trace(driver, &sites::PENDED_CANCELLED, [shown]);
    leave(m, irp);
    fail_pended(m, request, STATUS_CANCELLED);
}

/// DrainPendedRequestsLocked: takes every waiting request off its target, oldest first. One that is to be sent loses its
/// timer for good; if that has fired already, the timer has the request.
pub(crate) fn drain(m: &mut Machine, target: IoTarget, to_be_sent: bool) -> Vec<Request> {
    let waiting: Vec<Request> = target.body(m).pended.drain(..).collect();
    let mut taken = Vec::with_capacity(waiting.len());
    for request in waiting {
        if let Some(irp) = request.current_irp(m) {
            irp.exchange_cancel_routine(m, None);
            leave(m, irp);
        }
        if !to_be_sent || claim(m, target, request) {
            taken.push(request);
        }
    }
    taken
}

/// Whether nobody else completes a request that is to be sent.
fn claim(m: &mut Machine, target: IoTarget, request: Request) -> bool {
    let mut claimed = cancel_timer(m, request);
    let mut fx = take_fx(m);
    let Parts { irp, driver, state, .. } = parts(&mut fx, request);
    let shown = state.shown(request);
    if claimed {
        state.references -= 1;
        claimed = state.references == 0;
    }
    if claimed {
        return true;
    }
    state.completed = true;
    fx.trace(driver, &sites::NOT_RESENT, [target.object().handle(), shown]);
    if let Some(irp) = irp {
        m[irp].io_status.status = STATUS_CANCELLED;
    }
    false
}
