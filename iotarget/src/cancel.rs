//! Cancelling what is out.
//!
//! Source: S/core/fxrequestbase.cpp:534-624; S/targets/general/fxiotarget.cpp:502-560, 2140-2190.

use vbus_wdf::layer::{Act, Parts, comply, sites, take_fx, trace};
use vbus_wdf::{Handle, Request};
use vbus_wdm::Machine;

use crate::complete::{complete_submitted, settle};
use crate::state::{parts, parts_of};
use crate::target::{IoTarget, TargetBody};

/// `WdfRequestCancelSentRequest`.
pub(crate) fn cancel_sent(m: &mut Machine, request: Request) -> bool {
    let mut fx = take_fx(m);
    let driver = parts(&mut fx, request).driver;
    fx.trace(driver, &sites::CANCEL_SENT_ENTER, [request.object().handle()]);
    comply(m, driver, Act::CancelSent, "WdfRequestCancelSentRequest");
    cancel(m, request)
}

/// FxRequestBase::Cancel. A request that is not out keeps the mark, and its next send is refused.
pub(crate) fn cancel(m: &mut Machine, request: Request) -> bool {
    // These lines print the object, not its handle.
    let address = request.object().address();
    let mut fx = take_fx(m);
    let driver = parts(&mut fx, request).driver;
    fx.trace(driver, &sites::CANCEL_REQUEST, [address]);
    let Parts { irp, state, .. } = parts(&mut fx, request);
    state.cancelled = true;
    let (Some(target), Some(irp), true) = (state.target, irp, state.is_out()) else {
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
    if state.is_out() {
        return cancelled;
    }
    let shown = state.shown(request);
    fx.trace(driver, &sites::CANCEL_COMPLETED, [address, irp.address(), target.object().address()]);
    let set_event = settle(m, target, request);
    trace(m, driver, &sites::COMPLETED_FROM_CANCEL, [shown]);
    complete_submitted(m, request, target);
    if set_event {
        trace(m, driver, &sites::CANCEL_STOP_EVENT, [target.object().handle(), target.stop_event()]);
        target.body(m).sent_event.set();
    }
    target.request_done(m);
    cancelled
}

/// GetSentRequestsListLocked: the requests of one of a target's lists, oldest first, referenced until they are cancelled.
/// The link that holds them together lies where a request keeps whether its next location was formatted without a target.
pub(crate) fn take_sent(m: &mut Machine, target: IoTarget, list: fn(&TargetBody) -> &Vec<Request>) -> Vec<Request> {
    let requests = list(target.body(m)).clone();
    for &request in &requests {
        let Parts { references, state, .. } = parts_of(m, request);
        *references += 1;
        state.next_is_formatted = false;
    }
    requests
}

/// _CancelSentRequests. One that came back meanwhile is cancelled, and marked, all the same.
pub(crate) fn cancel_all(m: &mut Machine, requests: Vec<Request>) {
    for request in requests {
        cancel(m, request);
        request.release(m);
    }
}
