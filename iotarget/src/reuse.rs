//! WdfRequestReuse, and formatting without a target.
//!
//! Source: S/core/fxrequest.cpp:2152-2419 (reuse), S/core/fxrequestapi.cpp:2224-2289 (current type).

use vbus_wdf::layer::{Parts, debug_break, release_formatting, replace_irp, request_fatal_error, sites, take_fx};
use vbus_wdf::{Handle, Ownership, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Irp, Machine, NtStatus};

use crate::state::{CompletionParams, parts};

/// WDF_REQUEST_REUSE_PARAMS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReuseParams {
    /// What IoStatus.Status begins with.
    pub status: NtStatus,
    /// WDF_REQUEST_REUSE_SET_NEW_IRP: an IRP that is, and stays, the driver's own.
    pub new_irp: Option<Irp>,
}

pub(crate) fn reuse(m: &mut Machine, request: Request, params: ReuseParams) -> Result<(), NtStatus> {
    let mut fx = take_fx(m);
    let Parts { driver, state, .. } = parts(&mut fx, request);
    let out = state.target.filter(|_| state.references > 0);
    state.routine = None;
    if let Some(target) = out.filter(|_| fx.verifier_on(driver)) {
        // An error that the call reports and then does all the same.
        fx.trace(driver, &sites::REUSE_WHILE_SENT, [request.object().handle(), target.object().handle()]);
        debug_break(m, driver);
    }
    let Parts { irp, ownership, .. } = parts(&mut take_fx(m), request);
    if irp.is_some() {
        release_formatting(m, request);
    }
    match (ownership, params.new_irp) {
        (Ownership::FromIo, Some(_)) => return Err(STATUS_WDF_REQUEST_INVALID_STATE),
        (Ownership::FromIo, None) => {
            if let Some(irp) = irp {
                m[irp].io_status.status = params.status;
                m[irp].cancel = false;
            }
        }
        (Ownership::Internal, Some(new)) => {
            if let Some(old) = replace_irp(m, request, new, Ownership::Driver) {
                old.free(m);
            }
        }
        (Ownership::Driver, Some(new)) => {
            replace_irp(m, request, new, Ownership::Driver);
        }
        (Ownership::Internal, None) => irp.into_iter().for_each(|irp| irp.reuse(m, params.status)),
        (Ownership::Driver, None) => {}
    }
    parts(&mut take_fx(m), request).state.cancelled = false;
    Ok(())
}

/// Copies the request's own location to the next one. No target is looked at: a request that is too small for the one
/// it is sent to slips through.
pub(crate) fn format_using_current_type(m: &mut Machine, request: Request) {
    const DDI: &str = "WdfRequestFormatRequestUsingCurrentType";
    release_formatting(m, request);
    let mut fx = take_fx(m);
    let Parts { irp, driver, state, .. } = parts(&mut fx, request);
    state.formatted = irp.is_some();
    state.params = CompletionParams::default();
    let Some(irp) = irp else {
        request_fatal_error(m, driver, 2, request.object().handle(), DDI);
    };
    if m[irp].current_location() < 2 {
        request_fatal_error(m, driver, 1, irp.address(), DDI);
    }
    m[irp].copy_current_to_next();
}
