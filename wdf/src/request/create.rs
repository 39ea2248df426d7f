//! Requests of the driver's own.
//!
//! Source: S/core/fxrequest.cpp:168-233 (_Create), S/core/fxrequestapi.cpp:67-215; S/core/fxsyncrequest.cpp.

use vbus_wdm::constants::*;
use vbus_wdm::{Irp, Machine, NtStatus};

use super::{Ownership, Request};
use crate::driver::Driver;
use crate::framework::{fx_mut, trace};
use crate::object::{Attributes, Kind, Object};
use crate::trace::sites;
use crate::verifier;

impl Request {
    /// `WdfRequestCreate` without a target: a request of the driver's own, without an IRP until it is formatted.
    ///
    /// Its parent is `attributes`' or the driver, and it lives until it is deleted.
    pub fn create(m: &mut Machine, driver: Driver, attributes: Attributes) -> Request {
        let request = Request::uncommitted(m, driver, None, Ownership::Internal);
        request.commit(m, attributes);
        request.say_created(m, driver, None, true);
        request
    }

    /// `WdfRequestCreateFromIrp`: a request around an IRP that the driver made. With `frees_irp` the framework owns the
    /// IRP from now on: it is freed with the request, or when a target needs a bigger one. No IRP is bug check 0x10D/4.
    pub fn create_from_irp(
        m: &mut Machine,
        driver: Driver,
        irp: impl Into<Option<Irp>>,
        frees_irp: bool,
        attributes: Attributes,
    ) -> Request {
        let irp = verifier::required(m, driver, irp.into(), "WdfRequestCreateFromIrp");
        let ownership = if frees_irp { Ownership::Internal } else { Ownership::Driver };
        let request = Request::uncommitted(m, driver, Some(irp), ownership);
        request.commit(m, attributes);
        request.say_created(m, driver, Some(irp), frees_irp);
        request
    }

    /// An object without a handle.
    fn uncommitted(m: &mut Machine, driver: Driver, irp: Option<Irp>, ownership: Ownership) -> Request {
        let (id, body) = fx_mut(m).requests.take();
        body.initialize(driver, irp, ownership, Attributes::none());
        Request(Object { kind: Kind::Request, id })
    }

    /// Gives the object its handle: its context, its callbacks, its parent.
    fn commit(self, m: &mut Machine, attributes: Attributes) {
        let body = self.body(m);
        let (driver, irp, ownership) = (body.header.driver(), body.irp, body.ownership);
        let parent = attributes.parent.unwrap_or(driver.0);
        body.initialize(driver, irp, ownership, attributes);
        self.0.set_parent(m, parent);
    }

    fn say_created(self, m: &mut Machine, driver: Driver, irp: Option<Irp>, owns_irp: bool) {
        let arguments = [irp.map_or(0, Irp::address), owns_irp.into(), self.0.address(), STATUS_SUCCESS.0.into()];
        trace(m, driver, &sites::REQUEST_CREATE, arguments);
    }
}

/// `WdfRequestCreate` with a target, which `prepare` gets the object ready for before it has its handle.
///
/// # Errors
/// What `prepare` says; the object is gone then, without a callback.
pub fn create_prepared(
    m: &mut Machine,
    driver: Driver,
    attributes: Attributes,
    prepare: impl FnOnce(&mut Machine, Request) -> Result<(), NtStatus>,
) -> Result<Request, NtStatus> {
    let request = Request::uncommitted(m, driver, None, Ownership::Internal);
    if let Err(status) = prepare(m, request) {
        trace(m, driver, &sites::REQUEST_CREATE_FAILED, [status.0.into()]);
        request.release(m);
        trace(m, driver, &sites::REQUEST_CREATE, [0, 1, 0, status.0.into()]);
        return Err(status);
    }
    request.commit(m, attributes);
    request.say_created(m, driver, None, true);
    Ok(request)
}

/// FxSyncRequest: a request on the stack of a call that sends and waits. It has no handle and no parent; whoever made it
/// gives its reference back.
pub fn create_on_stack(m: &mut Machine, driver: Driver) -> Request {
    Request::uncommitted(m, driver, None, Ownership::Internal)
}
