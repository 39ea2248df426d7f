//! What the framework verifier makes of a request before a call touches it.
//!
//! Source: S/core/fxrequest.cpp:372-510, 2606-2645, 2784-3110; S/core/fxrequestapi.cpp:355-375, 3020-3060.

use vbus_wdm::constants::*;
use vbus_wdm::{Irp, Machine, Major, NtStatus, Parameters, RequestorMode};

use super::{Ownership, Request, RequestBody};
use crate::driver::Driver;
use crate::framework::trace;
use crate::object::Handle;
use crate::queue::Queue;
use crate::trace::{Site, sites};
use crate::verifier::{self, debug_break};

/// Where the framework keeps, in Windows, what the bug check for too much Information points to.
const MISMATCH_DATA: u64 = 0xFFFF;

impl RequestBody {
    /// A queue, or the framework before any queue, gave it to its driver, and the driver did not give it back.
    #[inline]
    pub(super) fn is_driver_owned(&self) -> bool {
        self.queue.is_some() && !self.waiting || self.in_caller_context || self.driver_owned
    }
}

impl Request {
    /// The error line and the debugger break of a call that may not be made now. `Ok` where the verifier is off: the
    /// framework then goes on without a look.
    #[cold]
    pub(super) fn refused_by_verifier(self, m: &mut Machine, site: &'static Site) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        if driver.verifier_on(m) {
            return self.refused(m, site);
        }
        Ok(())
    }

    /// As [`Request::refused_by_verifier`], whether the verifier is on or not.
    #[cold]
    fn refused(self, m: &mut Machine, site: &'static Site) -> Result<(), NtStatus> {
        let (driver, status) = (self.driver(m), STATUS_INVALID_DEVICE_REQUEST);
        trace(m, driver, site, [self.0.handle(), status.0.into()]);
        debug_break(m, driver);
        Err(status)
    }

    /// Only what a queue presented can be made cancelable, or go back to its queue.
    pub(crate) fn require_queue(self, m: &mut Machine, site: &'static Site) -> Result<Queue, NtStatus> {
        match self.body(m).queue {
            Some(queue) => Ok(queue),
            None => self.refused(m, site).and(Err(STATUS_INVALID_DEVICE_REQUEST)),
        }
    }

    /// The driver's own request goes to a queue only around an IRP that the driver can complete: one with a location
    /// of its own. Only the verifier looks.
    pub(crate) fn verify_can_be_queued(self, m: &mut Machine, site: &'static Site) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        if !driver.verifier_on(m) {
            return Ok(());
        }
        if self.body(m).ownership != Ownership::Driver {
            return self.refused(m, site);
        }
        self.verify_can_be_completed(m)?;
        self.verify_unmarked(m)
    }

    /// VerifyRequestIsDriverOwned and VerifyRequestIsNotCancelable, which many calls begin with.
    pub(crate) fn verify_owned_and_unmarked(self, m: &mut Machine) -> Result<(), NtStatus> {
        self.verify_owned(m)?;
        self.verify_unmarked(m)
    }

    pub(super) fn verify_owned(self, m: &mut Machine) -> Result<(), NtStatus> {
        if self.body(m).is_driver_owned() {
            return Ok(());
        }
        let driver = self.driver(m);
        if !driver.verifier_on(m) {
            return Ok(());
        }
        let status = STATUS_INVALID_DEVICE_REQUEST;
        trace(m, driver, &sites::REQUEST_NOT_OWNED, [self.0.handle(), status.0.into()]);
        if self.body(m).found {
            trace(m, driver, &sites::REQUEST_IS_TAG, [self.0.handle()]);
        }
        debug_break(m, driver);
        Err(status)
    }

    fn verify_unmarked(self, m: &mut Machine) -> Result<(), NtStatus> {
        if self.body(m).cancelable { self.refused_by_verifier(m, &sites::REQUEST_CANCELABLE) } else { Ok(()) }
    }

    pub(super) fn verify_cancelable(self, m: &mut Machine) -> Result<(), NtStatus> {
        self.verify_owned(m)?;
        if self.body(m).cancelable { Ok(()) } else { self.refused_by_verifier(m, &sites::REQUEST_NOT_CANCELABLE) }
    }

    /// Whether the verifier, if it is on, lets an answer to EvtIoStop pass.
    pub(super) fn verify_in_io_stop(self, m: &mut Machine) -> bool {
        self.body(m).in_io_stop || self.refused_by_verifier(m, &sites::REQUEST_NOT_IN_IO_STOP).is_ok()
    }

    /// Whether the verifier, if it is on, lets a call pass that belongs into EvtIoInCallerContext.
    pub(crate) fn verify_in_caller_context(self, m: &mut Machine) -> bool {
        self.body(m).in_caller_context || self.refused_by_verifier(m, &sites::REQUEST_NOT_IN_CALLER_CONTEXT).is_ok()
    }

    /// A search goes on only from a request that WdfIoQueueFindRequest gave away, or that the driver took since.
    pub(crate) fn verify_was_found(self, m: &mut Machine) -> Result<(), NtStatus> {
        let body = self.body(m);
        let known = body.found || body.is_driver_owned() || body.irp.is_none();
        let driver = self.driver(m);
        if known || !driver.verifier_on(m) {
            return Ok(());
        }
        let status = STATUS_INVALID_PARAMETER;
        trace(m, driver, &sites::REQUEST_NOT_FOUND, [self.0.handle(), status.0.into()]);
        debug_break(m, driver);
        Err(status)
    }

    /// VerifyRequestIsNotCompleted. Without the verifier nobody looks.
    #[inline]
    pub(super) fn verify_not_completed(self, m: &mut Machine) -> Result<(), NtStatus> {
        if self.body(m).completed { self.say_completed(m) } else { Ok(()) }
    }

    #[cold]
    fn say_completed(self, m: &mut Machine) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        if !driver.verifier_on(m) {
            return Ok(());
        }
        let status = STATUS_INTERNAL_ERROR;
        trace(m, driver, &sites::REQUEST_IS_COMPLETED, [self.0.handle(), status.0.into()]);
        debug_break(m, driver);
        Err(status)
    }

    /// VerifyRequestIsCurrentStackValid: it has an IRP, in which its driver has a location. Without the verifier nobody
    /// looks.
    pub(crate) fn verify_stack_valid(self, m: &mut Machine) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        if !driver.verifier_on(m) {
            return Ok(());
        }
        let status = STATUS_INVALID_DEVICE_REQUEST;
        let Some(irp) = self.current_irp(m) else {
            return self.refused(m, &sites::REQUEST_WITHOUT_IRP);
        };
        if has_location(m, irp) {
            return Ok(());
        }
        trace(m, driver, &sites::REQUEST_BAD_LOCATION, [irp.address(), self.0.handle(), status.0.into()]);
        debug_break(m, driver);
        Err(status)
    }

    /// VerifyRequestCanBeCompleted.
    pub(super) fn verify_can_be_completed(self, m: &mut Machine) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        if !driver.verifier_on(m) {
            return Ok(());
        }
        self.verify_stack_valid(m)?;
        let body = self.body(m);
        let irp = body.irp;
        if body.can_complete {
            return Ok(());
        }
        let status = STATUS_INVALID_DEVICE_REQUEST;
        let address = irp.map_or(0, Irp::address);
        trace(m, driver, &sites::REQUEST_CANNOT_COMPLETE, [address, self.0.handle(), status.0.into()]);
        debug_break(m, driver);
        Err(status)
    }

    /// VerifyPreProcessSendAndForget: a create whose file the framework keeps an object for has to come back. The call
    /// goes on all the same.
    pub(super) fn verify_may_be_forgotten(self, m: &mut Machine) {
        let driver = self.driver(m);
        if !driver.verifier_on(m) || !matches!(self.location_parameters(m), Some((Major::Create, _))) {
            return;
        }
        if let Some(device) = self.device(m)
            && device.body(m).files.wanted
        {
            trace(m, driver, &sites::FORGET_CREATE, [self.0.handle()]);
            debug_break(m, driver);
        }
    }

    /// VerifyCompleteInternal: what the verifier looks at when a request is completed. None of it stops the call
    /// except too much Information, which is bug check 0x10D/6/4.
    #[cold]
    pub(super) fn verify_completion(self, m: &mut Machine, driver: Driver, irp: Irp, status: NtStatus) {
        _ = self.verify_not_completed(m);
        let body = self.body(m);
        if body.cancelable && body.cancel.is_some() {
            trace(m, driver, &sites::REQUEST_COMPLETED_CANCELABLE, [self.0.handle()]);
            debug_break(m, driver);
        }
        let data = &m[irp];
        if data.current_location() > data.stack_count() {
            return;
        }
        let location = data.current();
        let limit = match (location.major, location.parameters) {
            (Major::Read | Major::Write, Parameters::Transfer { length, .. }) => Some(length),
            (Major::DeviceControl, Parameters::DeviceIoControl { output_length, .. })
                if data.requestor_mode == RequestorMode::User && output_length > 0 =>
            {
                Some(output_length)
            }
            _ => None,
        };
        let information = data.io_status.information;
        if let Some(limit) = limit.filter(|&limit| status.is_success() && information > limit.into()) {
            let arguments = [self.0.handle(), location.major as u64, information, limit.into()];
            trace(m, driver, &sites::REQUEST_TOO_MUCH_INFORMATION, arguments);
            let data = self.0.address() ^ MISMATCH_DATA;
            verifier::request_fatal_error(m, driver, 4, data, "WdfRequestComplete");
        }
        if status == STATUS_PENDING {
            m.bug_check(0xC9, [0x226, irp.address(), 0, 0], "IoCompleteRequest");
        }
    }
}

/// Whether the IRP's current location is one of its own.
pub(super) fn has_location(m: &Machine, irp: Irp) -> bool {
    let data = &m[irp];
    (1..=data.stack_count()).contains(&data.current_location())
}
