//! Cancelling what is out.
//!
//! Source: S/core/fxrequestbase.cpp:534-624; S/targets/general/fxiotarget.cpp:2180-2220.

use vbus_wdf::layer::{Parts, peek_body, sites, take_fx, trace};
use vbus_wdf::{Handle, Request};
use vbus_wdm::Machine;

use crate::complete::{complete_submitted, remove_from_sent};
use crate::state::parts;
use crate::target::{IoTarget, TargetBody};

/// `WdfRequestCancelSentRequest`. A request that is not out keeps the mark, and its next send is refused.
pub(crate) fn cancel_sent(m: &mut Machine, request: Request) -> bool {
    let handle = request.object().handle();
    let mut fx = take_fx(m);
    let driver = parts(&mut fx, request).driver;
    fx.trace(driver, &sites::CANCEL_REQUEST, [handle]);
    let Parts { irp, state, .. } = parts(&mut fx, request);
    state.cancelled = true;
    let (Some(target), Some(irp), true) = (state.target, irp, state.references > 0) else {
        fx.trace(driver, &sites::CANCEL_TOO_LATE, [handle]);
        return false;
    };
    // While this call holds its own reference, a completion inside it is left for this call to finish.
    state.references += 1;
    let cancelled = irp.cancel(m);
    trace(m, driver, &sites::CANCEL_RESULT, [handle, irp.address(), cancelled.into()]);
    let mut fx = take_fx(m);
    let Parts { state, .. } = parts(&mut fx, request);
    state.references -= 1;
    if state.references == 0 {
        fx.trace(driver, &sites::CANCEL_COMPLETED, [handle, irp.address(), target.object().handle()]);
        remove_from_sent(m, target, request);
        trace(m, driver, &sites::COMPLETED_FROM_CANCEL, [handle]);
        complete_submitted(m, request, target);
    }
    cancelled
}

/// Cancels everything that is out at a target, oldest first, and waits until it is back.
pub(crate) fn cancel_all_and_wait(m: &mut Machine, target: IoTarget) {
    for request in target.body(m).sent.clone() {
        if target.body(m).sent.contains(&request) {
            cancel_sent(m, request);
        }
    }
    m.wait("the requests that are out at a target that is closed", move |m| {
        peek_body::<TargetBody>(m, target.object()).is_none_or(|body| body.sent.is_empty())
    });
}
