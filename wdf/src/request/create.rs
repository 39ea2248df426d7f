//! Requests of the driver's own.
//!
//! Source: S/core/fxrequest.cpp:168-233 (_Create), S/core/fxrequestapi.cpp:67-215; S/core/fxsyncrequest.cpp.

use vbus_wdm::{Irp, Machine, NtStatus};

use super::{Ownership, Request};
use crate::driver::Driver;
use crate::framework::{fx_mut, trace};
use crate::object::{Allowed, Attributes, Kind, Object, parent_of};
use crate::trace::sites;
use crate::verifier;

impl Request {
    /// `WdfRequestCreate` without a target: a request of the driver's own, without an IRP until it is formatted.
    ///
    /// Its parent is `attributes`' or the driver, and it lives until it is deleted.
    ///
    /// # Errors
    /// STATUS_WDF_EXECUTION_LEVEL_INVALID and STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID for attributes with those,
    /// STATUS_DELETE_PENDING for a parent that is being deleted.
    pub fn create(m: &mut Machine, driver: Driver, attributes: Attributes) -> Result<Request, NtStatus> {
        new(m, driver, None, Ownership::Internal, attributes, |_, _| Ok(()))
    }

    /// `WdfRequestCreateFromIrp`: a request around an IRP that the driver made. With `frees_irp` the framework owns the
    /// IRP from now on: it is freed with the request, or when a target needs a bigger one. No IRP is bug check 0x10D/4.
    ///
    /// # Errors
    /// As [`Request::create`]; the IRP is then the driver's still.
    pub fn create_from_irp(
        m: &mut Machine,
        driver: Driver,
        irp: impl Into<Option<Irp>>,
        frees_irp: bool,
        attributes: Attributes,
    ) -> Result<Request, NtStatus> {
        let irp = verifier::required(m, driver, irp.into(), "WdfRequestCreateFromIrp");
        let ownership = if frees_irp { Ownership::Internal } else { Ownership::Driver };
        new(m, driver, Some(irp), ownership, attributes, |_, _| Ok(()))
    }
}

/// `WdfRequestCreate` with a target, which `prepare` gets the object ready for before it has its handle.
///
/// # Errors
/// As [`Request::create`], and what `prepare` says; the object is gone then, without a callback.
pub fn create_prepared(
    m: &mut Machine,
    driver: Driver,
    attributes: Attributes,
    prepare: impl FnOnce(&mut Machine, Request) -> Result<(), NtStatus>,
) -> Result<Request, NtStatus> {
    new(m, driver, None, Ownership::Internal, attributes, prepare)
}

/// FxSyncRequest: a request on the stack of a call that sends and waits. It has no handle and no parent; whoever made it
/// gives its reference back.
pub fn create_on_stack(m: &mut Machine, driver: Driver) -> Request {
    uncommitted(m, driver, None, Ownership::Internal)
}

/// An object without a handle.
fn uncommitted(m: &mut Machine, driver: Driver, irp: Option<Irp>, ownership: Ownership) -> Request {
    let (id, body) = fx_mut(m).requests.take();
    body.initialize(driver, irp, ownership);
    Request(Object { kind: Kind::Request, id })
}

fn new(
    m: &mut Machine,
    driver: Driver,
    irp: Option<Irp>,
    ownership: Ownership,
    attributes: Attributes,
    prepare: impl FnOnce(&mut Machine, Request) -> Result<(), NtStatus>,
) -> Result<Request, NtStatus> {
    attributes.validate(m, driver, Allowed::Neither)?;
    m.allocation_point("FxRequest::_Create")?;
    let parent = parent_of(m, driver, &attributes, driver.0);
    let request = uncommitted(m, driver, irp, ownership);
    let created = prepare(m, request).and_then(|()| request.0.commit(m, parent, attributes));
    if let Err(status) = created {
        trace(m, driver, &sites::REQUEST_NOT_CREATED, [status.0.into()]);
        request.undo_create(m, irp);
    }
    let address = if created.is_ok() { request.0.address() } else { 0 };
    let owns = u64::from(ownership == Ownership::Internal);
    let arguments = [irp.map_or(0, Irp::address), owns, address, NtStatus::from(created).0.into()];
    trace(m, driver, &sites::REQUEST_CREATE, arguments);
    created.map(|()| request)
}

impl Request {
    /// DeleteFromFailedCreate: what the caller gave stays the caller's.
    fn undo_create(self, m: &mut Machine, given: Option<Irp>) {
        if let Some(prepared) = self.body(m).irp.take()
            && given != Some(prepared)
        {
            prepared.free(m);
        }
        fx_mut(m).requests.release(self.0.id);
    }
}
