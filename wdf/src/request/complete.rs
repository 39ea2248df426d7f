//! WdfRequestComplete.
//!
//! Source: S/core/fxrequest.cpp:522-885, S/inc/private/common/fxrequest.hpp:792.

use vbus_wdm::constants::*;
use vbus_wdm::{IoStatus, Irp, Machine, NtStatus, Span};

use super::{Memory, Ownership, Request, Transfer};
use crate::driver::Driver;
use crate::framework::{Fx, take_fx, trace};
use crate::object::Handle;
use crate::queue::Queue;
use crate::trace::sites;
use crate::verifier;

/// The facility of the framework's own statuses.
const FACILITY_DRIVER_FRAMEWORK: u32 = 0x0020_0000;

impl Request {
    /// `WdfRequestComplete`: with the Information that is in the IRP.
    pub fn complete(self, m: &mut Machine, status: NtStatus) {
        let information = self.information(m);
        self.complete_with_information(m, status, information);
    }

    /// `WdfRequestCompleteWithInformation`.
    ///
    /// The request's handle is stale afterwards. A request of the driver's own cannot be completed, only deleted: bug
    /// check 0x10D/7. One whose memories another formatted request uses cannot be completed yet: 0x10D/3.
    pub fn complete_with_information(self, m: &mut Machine, status: NtStatus, information: u64) {
        let mut fx = take_fx(m);
        let owned = fx.request(self).is_driver_owned();
        if owned || self.refused_by_verifier(m, &sites::REQUEST_NOT_OWNED).is_ok() {
            self.complete_internal(m, status, information);
        }
    }

    fn complete_internal(self, m: &mut Machine, status: NtStatus, information: u64) {
        let mut fx = take_fx(m);
        let body = fx.request(self);
        let (driver, ownership, irp) = (body.header.driver(), body.ownership, body.irp);
        let (release, bare) = (body.release.take(), body.header.is_bare());
        if ownership != Ownership::FromIo {
            // Nobody waits for it: the framework frees an object that others still use.
            let address = irp.map_or(0, |irp| irp.address());
            fx.trace(driver, &sites::REQUEST_COMPLETE, [self.0.handle(), address, information, status.0.into()]);
            trace(m, driver, &sites::REQUEST_FREED, [self.0.handle(), self.0.address()]);
            verifier::wdf_violation(m, Some(driver), 7, [self.0.handle(), self.0.address()], "WdfRequestComplete");
        }
        let Some(irp) = irp else { return };
        let arguments = [self.0.handle(), irp.address(), information, status.0.into()];
        fx.trace(driver, &sites::REQUEST_COMPLETE, arguments);
        let status = translate(fx, driver, status);
        if let Some(release) = release {
            release(m, self);
        }
        if !bare {
            // Cleanup callbacks and the request's children go before its IRP is completed.
            self.0.dispose(m);
            self.0.destroy_children(m);
        }
        let body = self.body(m);
        if body.lent > 0 {
            self.completed_while_lent(m, irp);
        }
        body.irp = None;
        m[irp].io_status = IoStatus { status, information };
        let body = self.body(m);
        let queue = body.queue.take().filter(|_| !body.waiting);
        irp.complete(m);
        self.leave_queue(m, queue);
    }

    /// Somebody still uses memories that end with this request: bug check 0x10D/3 with how many.
    ///
    /// Source: S/core/fxrequest.cpp:775-814.
    #[cold]
    fn completed_while_lent(self, m: &mut Machine, irp: Irp) -> ! {
        let driver = self.driver(m);
        let lent = self.body(m).lent;
        let [input, output] = [Transfer::Input, Transfer::Output]
            .map(|way| self.buffer(m, way).ok().map(|span| (Memory::OfRequest(self, way).handle(), span)));
        let handle = |memory: Option<(u64, Span)>| memory.map_or(0, |(handle, _)| handle);
        let major = m[irp].current().major as u64;
        let arguments = [self.0.handle(), irp.address(), major, handle(input), handle(output)];
        trace(m, driver, &sites::REQUEST_MEMORY_LENT, arguments);
        if let Some((handle, span)) = input {
            trace(m, driver, &sites::REQUEST_INPUT_LENT, [handle, span.address(), 0, span.len().into()]);
        }
        if let Some((handle, span)) = output {
            trace(m, driver, &sites::REQUEST_OUTPUT_LENT, [handle, span.address(), 0, span.len().into()]);
        }
        verifier::wdf_violation(m, Some(driver), 3, [self.0.handle(), lent.into()], "WdfRequestComplete")
    }

    /// The queue that gave the request to the driver may give the next one; then the request itself goes.
    #[inline]
    pub(crate) fn leave_queue(self, m: &mut Machine, queue: Option<Queue>) {
        let mut fx = take_fx(m);
        if let Some(queue) = queue.filter(|&queue| fx.forget_owned(queue, self)) {
            queue.dispatch_events(m, None);
        }
        self.release(m);
    }

    /// Gives a reference back.
    #[inline]
    pub fn release(self, m: &mut Machine) {
        if !take_fx(m).release_request(self) {
            self.0.release(m);
        }
    }

    /// Completion of a request that the driver never saw or has no callback for.
    pub(crate) fn complete_by_framework(self, m: &mut Machine, status: NtStatus) {
        self.complete_internal(m, status, 0);
    }
}

/// The framework's own statuses mean nothing to others.
fn translate(mut fx: Fx<'_>, driver: Driver, status: NtStatus) -> NtStatus {
    if status.0 & 0x0FFF_0000 != FACILITY_DRIVER_FRAMEWORK {
        return status;
    }
    fx.trace(driver, &sites::REQUEST_CONVERT, [status.0.into()]);
    let translated = match status {
        STATUS_WDF_PAUSED | STATUS_WDF_BUSY => STATUS_DEVICE_BUSY,
        STATUS_WDF_INTERNAL_ERROR => STATUS_INTERNAL_ERROR,
        STATUS_WDF_TOO_FRAGMENTED | STATUS_WDF_TOO_MANY_TRANSFERS => STATUS_INVALID_DEVICE_REQUEST,
        STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS => STATUS_INSUFFICIENT_RESOURCES,
        unknown => {
            fx.trace(driver, &sites::REQUEST_CONVERT_UNKNOWN, [unknown.0.into()]);
            STATUS_INVALID_DEVICE_REQUEST
        }
    };
    fx.trace(driver, &sites::REQUEST_CONVERTED, [translated.0.into()]);
    translated
}
