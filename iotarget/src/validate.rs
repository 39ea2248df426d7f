//! ValidateTarget: may this request go to this target?

use vbus_wdf::layer::{Parts, release_formatting, replace_irp, request_step, sites, take_fx, trace};
use vbus_wdf::{Handle, Ownership, Request, RequestStep};
use vbus_wdm::constants::*;
use vbus_wdm::{Irp, Machine, NtStatus};

use crate::state::{parts, parts_of};
use crate::target::IoTarget;

/// The decision table, with *T* the target's cached stack size. Rows are tried in order.
///
/// | condition | result | IRP afterwards |
/// |---|---|---|
/// | T is 0: never opened, or closed | STATUS_INVALID_DEVICE_STATE | kept |
/// | it has an IRP with CurrentLocation − 1 ≥ T | success | kept |
/// | it has none, or the framework's own | a new one of T locations; STATUS_INSUFFICIENT_RESOURCES if that fails | new |
/// | else: dispatched, or the driver's own | STATUS_REQUEST_NOT_ACCEPTED | kept |
///
/// Whatever comes out, the request's previous formatting is undone first. Returns the IRP to format.
///
/// Source: S/core/fxrequestbase.cpp:299-379, S/inc/private/common/fxiotarget.hpp:396-412.
#[inline]
pub(crate) fn validate(m: &mut Machine, request: Request, target: IoTarget) -> Result<Irp, NtStatus> {
    let decided = decide(m, request, target);
    request_step(m, request, |m| RequestStep::Formatted(target.destination(m), NtStatus::from(decided.map(|_| ()))));
    decided
}

/// What a call was given is refused, whatever the request's IRP is like.
#[cold]
pub(crate) fn arguments_refused(m: &mut Machine, request: Request, target: IoTarget, status: NtStatus) {
    request_step(m, request, |m| RequestStep::NotFormatted(target.destination(m), status));
}

fn decide(m: &mut Machine, request: Request, target: IoTarget) -> Result<Irp, NtStatus> {
    let mut fx = take_fx(m);
    let body = target.body_in(&mut fx);
    let (driver, stack_size) = (body.driver, body.stack_size);
    let Parts { irp, ownership, state, .. } = parts(&mut fx, request);
    let (target_handle, request_handle) = (target.object().handle(), state.shown(request));
    if state.context.is_some() {
        end_formatting(m, request);
    }
    if stack_size == 0 {
        let status = STATUS_INVALID_DEVICE_STATE;
        trace(m, driver, &sites::TARGET_CLOSED, [target_handle, status.0.into()]);
        return Err(status);
    }
    if let Some(irp) = irp.filter(|&irp| m[irp].current_location() > stack_size) {
        return Ok(irp);
    }
    if irp.is_some() && ownership != Ownership::Internal {
        let status = STATUS_REQUEST_NOT_ACCEPTED;
        trace(m, driver, &sites::CANNOT_REALLOCATE, [request_handle, target_handle, status.0.into()]);
        return Err(status);
    }
    let new = m.allocate_irp(stack_size).inspect_err(|status| {
        trace(m, driver, &sites::IRP_NOT_ALLOCATED, [request_handle, target_handle, status.0.into()]);
    })?;
    if let Some(old) = replace_irp(m, request, new, Ownership::Internal) {
        trace(m, driver, &sites::FREEING_IRP, [old.address(), request_handle]);
        old.free(m);
    }
    Ok(new)
}

/// ContextReleaseAndRestore: what a target's format call did to the IRP is undone, and the verifier takes the request for
/// unformatted again. A request that no target formatted stays as it is.
///
/// Source: S/inc/private/common/fxrequestbase.hpp:246-260.
pub(crate) fn end_formatting(m: &mut Machine, request: Request) {
    let Parts { irp, state, .. } = parts_of(m, request);
    if state.context.is_some() && irp.is_some() {
        state.formatted = false;
        release_formatting(m, request);
    }
}
