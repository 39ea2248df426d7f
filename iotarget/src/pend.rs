//! Requests that wait at a stopped target.
//!
//! Such a request has a stack location of its own while it waits, so that its IRP can be cancelled like any other.
//!
//! Source: S/targets/general/fxiotarget.cpp:340-460 (drain), 1990-2030 (pend), 2533-2570 (cancelled).

use vbus_wdf::layer::{Parts, sites, take_fx, trace};
use vbus_wdf::{Handle, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, DeviceObject, Irp, Machine, NtStatus};

use crate::complete::fail_pended;
use crate::state::parts;
use crate::target::IoTarget;

/// The framework's word in the IRP's DriverContext that leads from a waiting IRP to its request.
const REQUEST_WORD: usize = 2;

/// Puts a request behind the waiting ones.
pub(crate) fn pend(m: &mut Machine, target: IoTarget, request: Request, irp: Irp) -> Result<(), NtStatus> {
    let data = &mut m[irp];
    data.set_next_location();
    data.driver_context[REQUEST_WORD] = request.to_context().0;
    irp.set_cancel_routine(m, Some(cancelled_while_waiting));
    if m[irp].cancel && irp.set_cancel_routine(m, None).is_some() {
        m[irp].skip_current_location();
        return Err(STATUS_CANCELLED);
    }
    parts(&mut take_fx(m), request).state.pended = true;
    target.body(m).pended.push_back(request);
    Ok(())
}

fn cancelled_while_waiting(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    let Some(request) = Request::from_context(Context(m[irp].driver_context[REQUEST_WORD])) else { return };
    let mut fx = take_fx(m);
    let Parts { driver, state, .. } = parts(&mut fx, request);
    state.pended = false;
    let target = state.target;
    fx.trace(driver, &sites::PENDED_CANCELLED, [request.object().handle()]);
    if let Some(target) = target {
        target.body(m).pended.retain(|&waiting| waiting != request);
    }
    m[irp].skip_current_location();
    fail_pended(m, request, STATUS_CANCELLED);
}

/// Takes every waiting request off its target, oldest first. For one that is to be sent its timer is stopped, and
/// never started again.
pub(crate) fn drain(m: &mut Machine, target: IoTarget, to_be_sent: bool) -> Vec<Request> {
    let waiting: Vec<Request> = target.body(m).pended.drain(..).collect();
    for &request in &waiting {
        let mut fx = take_fx(m);
        let Parts { irp, driver, state, .. } = parts(&mut fx, request);
        state.pended = false;
        let timer = if to_be_sent { state.timer.take() } else { None };
        if to_be_sent {
            state.references -= 1;
        }
        if let Some(irp) = irp {
            irp.set_cancel_routine(m, None);
            m[irp].skip_current_location();
        }
        if timer.is_some_and(|timer| m.cancel_timer(timer)) {
            trace(m, driver, &sites::CANCEL_TIMER, [request.object().address()]);
        }
    }
    waiting
}
