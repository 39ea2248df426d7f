//! WdfRequestComplete.
//!
//! Source: S/core/fxrequest.cpp:522-885, S/inc/private/common/fxrequest.hpp:792.

use vbus_wdm::constants::*;
use vbus_wdm::{IoStatus, Irp, IrpData, Machine, Major, Method, NtStatus, Parameters, RequestorMode, Span};

use super::{Memory, Ownership, Request, Transfer};
use crate::compliance::{Act, comply};
use crate::driver::Driver;
use crate::framework::{take_fx, trace};
use crate::general;
use crate::object::Handle;
use crate::queue::Queue;
use crate::trace::{Site, sites};
use crate::verifier::{self, debug_break};

/// The facility of the framework's own statuses.
const FACILITY_DRIVER_FRAMEWORK: u32 = 0x0020_0000;

impl Request {
    /// `WdfRequestComplete`: with the Information that is in the IRP.
    pub fn complete(self, m: &mut Machine, status: NtStatus) {
        let information = self.current_information(m);
        self.complete_with_information(m, status, information);
    }

    /// `WdfRequestCompleteWithInformation`.
    ///
    /// The request's handle is stale afterwards. A request of the driver's own cannot be completed, only deleted: it is
    /// freed under whoever still uses it, bug check 0x10D/7. One whose memories another formatted request uses cannot be
    /// completed yet: 0x10D/3. Under the verifier a call for a request that the driver does not own says so and does
    /// nothing, and more Information than the sender has room for is 0x10D/6/4.
    pub fn complete_with_information(self, m: &mut Machine, status: NtStatus, information: u64) {
        m.boundary("WdfRequestComplete");
        self.complete_if_allowed(m, status, information, &sites::REQUEST_COMPLETE);
    }

    /// `WdfRequestCompleteWithPriorityBoost`. Threads have no priorities here: only the log tells the difference.
    pub fn complete_with_priority_boost(self, m: &mut Machine, status: NtStatus) {
        let information = self.current_information(m);
        self.complete_if_allowed(m, status, information, &sites::REQUEST_COMPLETE_BOOST);
    }

    #[inline]
    fn complete_if_allowed(self, m: &mut Machine, status: NtStatus, information: u64, line: &'static Site) {
        let mut fx = take_fx(m);
        let driver = fx.request(self).header.driver();
        let verified = fx.verifier_on(driver);
        if fx.checks_rules() {
            comply(m, driver, Act::Complete, "WdfRequestComplete");
        }
        if !verified || self.verify_owned(m).and_then(|()| self.verify_can_be_completed(m)).is_ok() {
            self.complete_internal(m, status, information, line);
        }
    }

    fn complete_internal(self, m: &mut Machine, status: NtStatus, information: u64, line: &'static Site) {
        let mut fx = take_fx(m);
        let body = fx.request(self);
        let (driver, ownership, irp) = (body.header.driver(), body.ownership, body.irp);
        let (release, bare, can_complete) = (body.release.take(), body.header.is_bare(), body.can_complete);
        let reserved = body.is_reserved();
        let address = irp.map_or(0, Irp::address);
        fx.trace(driver, line, [self.0.handle(), address, information, status.0.into()]);
        let verified = fx.verifier_on(driver);
        let Some(irp) = irp else {
            m.undefined("WdfRequestComplete", "a request is completed once, and only while it has an IRP")
        };
        m[irp].io_status.information = information;
        if verified {
            self.verify_completion(m, driver, irp, status);
        }
        if verified || !bare || reserved || ownership != Ownership::FromIo {
            self.body(m).completed = true;
        }
        self.take_back_copy(m, driver, irp);
        let status = translate(m, driver, status);
        if !can_complete {
            debug_break(m, driver);
        }
        if let Some(release) = release {
            release(m, self);
        }
        if !bare && !reserved && ownership == Ownership::FromIo {
            // Cleanup callbacks and the request's children go before its IRP is completed. A reserved one keeps both.
            self.dispose_before_irp(m);
        }
        m[irp].io_status = IoStatus { status, information };
        let body = self.body(m);
        if body.lent != 0 {
            self.completed_while_lent(m, irp);
        }
        if ownership != Ownership::FromIo {
            return self.complete_own(m, irp);
        }
        body.irp = None;
        body.in_caller_context = false;
        let queue = body.queue.take().filter(|_| !body.waiting);
        let device = body.device;
        if m[irp].current().major == Major::Create
            && let Some(device) = device
        {
            general::create_completed(m, device, irp);
        }
        irp.complete(m);
        self.leave_queue(m, queue);
    }

    /// A buffered control request of a program that wants nothing back has a driver above it that forgot to say so.
    #[inline]
    fn take_back_copy(self, m: &mut Machine, driver: Driver, irp: Irp) {
        let data = &m[irp];
        let wants = data.flags & IrpData::INPUT_OPERATION != 0 && data.requestor_mode == RequestorMode::User;
        if !wants || data.current().major != Major::DeviceControl {
            return;
        }
        let Parameters::DeviceIoControl { output_length: 0, code, .. } = data.current().parameters else { return };
        if code.method() != Method::Buffered {
            return;
        }
        let information = data.io_status.information;
        trace(m, driver, &sites::REQUEST_COPY_OF_NOTHING, [self.0.handle(), irp.address()]);
        if information != 0 {
            debug_break(m, driver);
        }
        m[irp].flags &= !IrpData::INPUT_OPERATION;
    }

    /// A request of the driver's own. One that was reused to be completed goes on to whoever sent its IRP, and lives on
    /// without it. Nobody waits for any other: the framework gives back a reference that somebody still needs.
    ///
    /// Source: S/core/fxrequest.cpp:985-1060, 3105-3160.
    fn complete_own(self, m: &mut Machine, irp: Irp) {
        let body = self.body(m);
        body.driver_owned = false;
        let queue = body.queue.take().filter(|_| !body.waiting);
        if body.can_complete {
            body.irp = None;
            self.0.release(m);
            irp.complete(m);
        }
        if let Some(queue) = queue
            && take_fx(m).forget_owned(queue, self)
        {
            queue.dispatch_events(m, None);
        }
        if self.0.exists(m) && !self.body(m).can_complete {
            self.0.release(m);
        }
    }

    /// Somebody still uses memories that end with this request: bug check 0x10D/3 with how many.
    ///
    /// Source: S/core/fxrequest.cpp:775-814.
    #[cold]
    fn completed_while_lent(self, m: &mut Machine, irp: Irp) -> ! {
        let body = self.body(m);
        let (driver, lent, own) = (body.header.driver(), body.lent, body.own_buffers);
        let major = m[irp].current().major as u64;
        let [input, output] = [Transfer::Input, Transfer::Output]
            .map(|which| if self.knows_memory(m, which) { Memory::OfRequest(self, which).handle() } else { 0 });
        trace(m, driver, &sites::REQUEST_MEMORY_LENT, [self.0.handle(), irp.address(), major, input, output]);
        for (handle, which, site) in [
            (input, Transfer::Input, &sites::REQUEST_INPUT_LENT),
            (output, Transfer::Output, &sites::REQUEST_OUTPUT_LENT),
        ] {
            if handle != 0 {
                let span = self.memory_span(m, which).unwrap_or(Span::null(0));
                let arguments = [handle, span.address(), own.mdl_address(which), span.len().into()];
                trace(m, driver, site, arguments);
            }
        }
        verifier::wdf_violation(m, Some(driver), 3, [self.0.handle(), lent as u64], "WdfRequestComplete")
    }

    /// Cleanup of the request and the end of its children, while its IRP is still there. What has to wait for
    /// PASSIVE_LEVEL comes too late.
    ///
    /// Source: S/core/fxrequest.cpp:726-757, 1140-1160, 2755-2780.
    #[cold]
    pub(super) fn dispose_before_irp(self, m: &mut Machine) {
        let driver = self.driver(m);
        if !self.0.early_dispose(m) && driver.verifier_on(m) {
            trace(m, driver, &sites::REQUEST_DISPOSE_DEFERRED, [self.0.handle()]);
            verifier::debug_break(m, driver);
        }
        self.0.destroy_children(m);
    }

    /// The queue that gave the request to the driver may give the next one; then the request itself goes, as soon as
    /// nobody holds a reference.
    ///
    /// Source: S/core/fxrequest.cpp:888-930.
    #[inline]
    pub(crate) fn leave_queue(self, m: &mut Machine, queue: Option<Queue>) {
        let mut fx = take_fx(m);
        if let Some(queue) = queue.filter(|&queue| fx.forget_owned(queue, self)) {
            queue.dispatch_events(m, None);
        }
        if !take_fx(m).end_request(self) {
            self.end(m);
        }
    }

    #[cold]
    fn end(self, m: &mut Machine) {
        if self.is_reserved(m) {
            self.0.release(m);
        } else {
            self.0.delete_disposed(m);
        }
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
        self.complete_internal(m, status, 0, &sites::REQUEST_COMPLETE);
    }
}

/// The framework's own statuses mean nothing to others.
fn translate(m: &mut Machine, driver: Driver, status: NtStatus) -> NtStatus {
    if status.0 & 0x0FFF_0000 != FACILITY_DRIVER_FRAMEWORK {
        return status;
    }
    let mut fx = take_fx(m);
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
