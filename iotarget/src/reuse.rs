//! WdfRequestReuse, formatting without a target, and what both leave behind.
//!
//! Source: S/core/fxrequest.cpp:2152-2419 (reuse), S/core/fxrequestapi.cpp:2224-2375 (formatting); S/core/fxrequestbase.cpp:
//! 251-296 (the fields that a request with an IRP to complete starts again with).

use vbus_wdf::layer::{Parts, UpperState, debug_break, request_fatal_error, required, reuse_irp, sites, take_fx};
use vbus_wdf::{Handle, Request};
use vbus_wdm::{Irp, Machine, NtStatus, StackLocation};

use crate::state::{Routine, SendState, parts, parts_of};

/// WDF_REQUEST_REUSE_PARAMS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReuseParams {
    /// What IoStatus.Status begins with.
    pub status: NtStatus,
    /// WDF_REQUEST_REUSE_SET_NEW_IRP: an IRP that is, and stays, the driver's own.
    pub new_irp: Option<Irp>,
    /// WDF_REQUEST_REUSE_MUST_COMPLETE, which Windows' public headers leave out: the driver will complete the request, whose
    /// IRP is its own, and may hand it to its queues until then.
    pub must_complete: bool,
}

pub(crate) fn reuse(m: &mut Machine, request: Request, params: ReuseParams) -> Result<(), NtStatus> {
    let mut fx = take_fx(m);
    let Parts { driver, state, .. } = parts(&mut fx, request);
    let out = state.target.filter(|_| state.is_out());
    state.routine = Routine::None;
    if let Some(target) = out.filter(|_| fx.verifier_on(driver)) {
        // An error that the call reports and then does all the same.
        fx.trace(driver, &sites::REUSE_WHILE_SENT, [request.object().handle(), target.object().handle()]);
        debug_break(m, driver);
    }
    let ReuseParams { status, new_irp, must_complete } = params;
    reuse_irp(m, request, status, new_irp, must_complete)?;
    let state = parts_of(m, request).state;
    state.cancelled = false;
    if must_complete {
        clear_for_completion(state);
    }
    Ok(())
}

impl UpperState for SendState {
    fn clear_for_reuse(&mut self) {
        self.cancelled = false;
        clear_for_completion(self);
    }
}

/// ClearFieldsForReuse.
fn clear_for_completion(state: &mut SendState) {
    state.formatted = false;
    state.next_is_formatted = false;
    state.timer = None;
    state.target = None;
    state.references = 0;
    (state.completed, state.ignores_state, state.timed_out) = (false, false, false);
}

/// Copies the request's own location to the next one. No target is looked at: a request that is too small for the one
/// it is sent to slips through. What a target's format call left stays as it is.
pub(crate) fn format_using_current_type(m: &mut Machine, request: Request) {
    const DDI: &str = "WdfRequestFormatRequestUsingCurrentType";
    let Parts { irp, driver, .. } = parts_of(m, request);
    let Some(irp) = irp else { request_fatal_error(m, driver, 2, request.object().handle(), DDI) };
    check_next_location(m, request, irp, irp.address(), DDI);
    m[irp].copy_current_to_next();
}

/// Copies this location to the next one, but for the completion routine that may stand there.
pub(crate) fn format_using_stack_location(m: &mut Machine, request: Request, location: Option<StackLocation>) {
    const DDI: &str = "WdfRequestWdmFormatUsingStackLocation";
    let Parts { irp, driver, .. } = parts_of(m, request);
    let location = required(m, driver, location, DDI);
    // What is compared with NULL here is the framework's wrapper of the IRP, a part of the request; and it is the wrapper
    // that a bug check reports.
    let Some(irp) = irp else {
        m.undefined(DDI, "a request that is formatted without a target has an IRP: the check for it never fires")
    };
    check_next_location(m, request, irp, request.object().address() + IRP_WRAPPER, DDI);
    let next = m[irp].next_mut();
    let (completion, context) = (next.completion, next.context);
    *next = StackLocation { completion, context, control: Default::default(), ..location };
}

/// Where FxRequestBase keeps its FxIrp.
const IRP_WRAPPER: u64 = 0x80;

/// Bug check 0x10D/6/1 for a request without a location to copy to.
fn check_next_location(m: &mut Machine, request: Request, irp: Irp, detail: u64, ddi: &'static str) {
    let mut fx = take_fx(m);
    let Parts { driver, state, .. } = parts(&mut fx, request);
    (state.formatted, state.next_is_formatted) = (true, true);
    if m[irp].current_location() < 2 {
        request_fatal_error(m, driver, 1, detail, ddi);
    }
}
