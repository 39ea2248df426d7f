//! The framework's own half of WdfRequestReuse: the IRP, and who has to complete it.
//!
//! Source: S/core/fxrequest.cpp:2152-2419.

use vbus_wdm::constants::*;
use vbus_wdm::{Irp, Machine, NtStatus};

use super::verify::has_location;
use super::{OwnBuffers, Ownership, Request, layer};
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::{Site, sites};
use crate::verifier::debug_break;

/// Makes a request's IRP ready for its next use, or gives it another one.
///
/// # Errors
/// STATUS_WDF_REQUEST_INVALID_STATE for a new IRP for a dispatched request. With `must_complete` STATUS_INVALID_PARAMETER
/// without an IRP, and STATUS_INVALID_DEVICE_REQUEST for one that the framework allocated, for one without a location of
/// the driver's own, and for a request that somebody else holds a reference to.
pub fn reuse_irp(
    m: &mut Machine,
    request: Request,
    status: NtStatus,
    new_irp: Option<Irp>,
    must_complete: bool,
) -> Result<(), NtStatus> {
    let body = request.body(m);
    let (irp, ownership) = (body.irp, body.ownership);
    if let Some(irp) = irp {
        layer::release_formatting(m, request);
        if ownership == Ownership::FromIo {
            if new_irp.is_some() {
                return Err(STATUS_WDF_REQUEST_INVALID_STATE);
            }
            m[irp].io_status.status = status;
            m[irp].cancel = false;
            request.body(m).completed = false;
            return Ok(());
        }
        request.give_up_completion(m);
    }
    if let Some(new) = new_irp
        && let Some(old) = layer::replace_irp(m, request, new, Ownership::Driver)
        && ownership == Ownership::Internal
    {
        old.free(m);
    }
    let body = request.body(m);
    let (irp, ownership) = (body.irp, body.ownership);
    if let Some(irp) = irp.filter(|_| ownership == Ownership::Internal) {
        irp.reuse(m, status);
    }
    if must_complete {
        return request.must_complete(m);
    }
    let body = request.body(m);
    (body.can_complete, body.driver_owned, body.completed) = (false, false, false);
    Ok(())
}

impl Request {
    /// A request that the driver had to complete, and reuses instead.
    fn give_up_completion(self, m: &mut Machine) {
        let body = self.body(m);
        if body.ownership == Ownership::Driver && body.can_complete && !body.completed {
            body.driver_owned = false;
            self.0.release(m);
        }
    }

    /// WDF_REQUEST_REUSE_MUST_COMPLETE: the driver may hand the request to its own queues, and completes its IRP in the
    /// end. The framework keeps a reference until then.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER without an IRP; STATUS_INVALID_DEVICE_REQUEST for one that the framework allocated, for
    /// one without a location of the driver's own, and for a request that somebody else holds a reference to.
    fn must_complete(self, m: &mut Machine) -> Result<(), NtStatus> {
        let body = self.body(m);
        let (irp, ownership, references) = (body.irp, body.ownership, body.header.references);
        let (handle, driver) = (self.0.handle(), self.driver(m));
        let mut refuse = |site: &'static Site, status: NtStatus| {
            trace(m, driver, site, [handle, status.0.into()]);
            debug_break(m, driver);
            Err(status)
        };
        let Some(irp) = irp else { return refuse(&sites::REUSE_WITHOUT_IRP, STATUS_INVALID_PARAMETER) };
        let status = STATUS_INVALID_DEVICE_REQUEST;
        if ownership == Ownership::Internal {
            return refuse(&sites::REUSE_INTERNAL_IRP, status);
        }
        if references != 1 {
            trace(m, driver, &sites::REUSE_REFERENCED, [handle, i64::from(references) as u64, status.0.into()]);
        } else if !has_location(m, irp) {
            trace(m, driver, &sites::REUSE_BAD_LOCATION, [irp.address(), handle, status.0.into()]);
        } else {
            self.0.add_reference(m);
            let body = self.body(m);
            (body.can_complete, body.driver_owned, body.completed) = (true, true, false);
            body.own_buffers = OwnBuffers::default();
            return Ok(());
        }
        debug_break(m, driver);
        Err(status)
    }
}
