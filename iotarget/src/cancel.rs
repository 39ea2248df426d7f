//! Cancelling what is out.
//!
//! Source: S/core/fxrequestbase.cpp:534-624; S/targets/general/fxiotarget.cpp:480-560, 2180-2220.

use vbus_wdf::layer::{Parts, sites, take_fx, trace};
use vbus_wdf::{Handle, Request};
use vbus_wdm::Machine;

use crate::complete::{complete_submitted, settle};
use crate::state::parts;
use crate::target::IoTarget;

/// `WdfRequestCancelSentRequest`.
pub(crate) fn cancel_sent(m: &mut Machine, request: Request) -> bool {
    let mut fx = take_fx(m);
    let driver = parts(&mut fx, request).driver;
    fx.trace(driver, &sites::CANCEL_SENT_ENTER, [request.object().handle()]);
    cancel(m, request)
}

/// FxRequestBase::Cancel. A request that is not out keeps the mark, and its next send is refused.
pub(crate) fn cancel(m: &mut Machine, request: Request) -> bool {
    // These lines print the object, not its handle.
    let (handle, address) = (request.object().handle(), request.object().address());
    let mut fx = take_fx(m);
    let driver = parts(&mut fx, request).driver;
    fx.trace(driver, &sites::CANCEL_REQUEST, [address]);
    let Parts { irp, state, .. } = parts(&mut fx, request);
    state.cancelled = true;
    let (Some(target), Some(irp), true) = (state.target, irp, state.references > 0) else {
        fx.trace(driver, &sites::CANCEL_TOO_LATE, [address]);
        return false;
    };
    // While this call holds its own reference, a completion inside it is left for this call to finish.
    state.references += 1;
    let cancelled = irp.cancel(m);
    trace(m, driver, &sites::CANCEL_RESULT, [address, irp.address(), cancelled.into()]);
    let mut fx = take_fx(m);
    let Parts { state, .. } = parts(&mut fx, request);
    state.references -= 1;
    if state.references > 0 {
        return cancelled;
    }
    fx.trace(driver, &sites::CANCEL_COMPLETED, [address, irp.address(), target.object().address()]);
    let set_event = settle(m, target, request);
    trace(m, driver, &sites::COMPLETED_FROM_CANCEL, [handle]);
    complete_submitted(m, request, target);
    if set_event {
        trace(m, driver, &sites::CANCEL_STOP_EVENT, [target.object().handle(), target.stop_event()]);
    }
    cancelled
}

/// Cancels requests that are out; those that come back meanwhile are left alone.
pub(crate) fn cancel_all(m: &mut Machine, target: IoTarget, requests: Vec<Request>) {
    for request in requests {
        let body = target.body(m);
        if body.sent.contains(&request) || body.ignored.contains(&request) {
            cancel(m, request);
        }
    }
}
