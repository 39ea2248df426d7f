//! Requests that are cancelled while they wait, or while the driver holds them.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp:4280-4690 (cancel), 4859-5010 (telling the driver).

use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, FileObject, IoStatus, Irp, Machine};

use super::Queue;
use crate::framework::trace;
use crate::object::Handle;
use crate::request::Request;
use crate::trace::sites;

impl Queue {
    /// Calls EvtRequestCancel for requests that were cancelled while the driver held them.
    pub(super) fn present_cancelled(self, m: &mut Machine) {
        let driver = self.driver(m);
        while let Some(request) = self.body(m).cancelled.pop_front() {
            trace(m, driver, &sites::QUEUE_CALL_CANCEL, [request.0.handle(), self.0.handle()]);
            self.call_driver(m, |m| request.call_cancel_routine(m));
        }
    }

    /// Calls EvtIoCanceledOnQueue. The driver holds those requests again.
    pub(super) fn present_cancelled_on_queue(self, m: &mut Machine) {
        let driver = self.driver(m);
        let callback = self.body(m).callbacks.cancelled_on_queue;
        while let (Some(request), Some(callback)) = (self.body(m).cancelled_on_queue.pop_front(), callback) {
            trace(m, driver, &sites::QUEUE_CALL_CANCELLED_ON_QUEUE, [request.0.handle(), self.0.handle()]);
            self.call_driver(m, |m| callback(m, self, request));
        }
    }

    /// CancelForDriver: a request that the driver holds and marked cancelable was cancelled.
    pub(crate) fn cancel_for_driver(self, m: &mut Machine, request: Request) {
        let driver = self.driver(m);
        if driver.verifier_on(m) {
            trace(m, driver, &sites::QUEUE_CANCELLED_IN_DRIVER, [request.0.handle(), self.0.handle()]);
        }
        let body = self.body(m);
        body.marked.retain(|&marked| marked != request);
        body.cancelled.push_back(request);
        self.dispatch_internal_events(m);
    }

    /// CancelForQueue: a request was cancelled while it waited. The driver hears of it only if it had the request
    /// before; else the framework completes it.
    pub(super) fn cancel_waiting(self, m: &mut Machine, request: Request) {
        self.body(m).waiting.retain(|&waiting| waiting != request);
        request.leave_waiting(m);
        let driver = self.driver(m);
        if driver.verifier_on(m) {
            trace(m, driver, &sites::QUEUE_CANCELLED_WAITING, [request.0.handle(), self.0.handle()]);
        }
        let known = request.was_presented(m);
        let body = self.body(m);
        if known && body.callbacks.cancelled_on_queue.is_some() {
            body.own(request);
            body.cancelled_on_queue.push_back(request);
            request.back_to_driver(m);
        } else {
            request.complete_by_framework(m, STATUS_CANCELLED);
        }
        self.dispatch_internal_events(m);
    }

    /// FlushByFileObject, at IRP_MJ_CLEANUP: cancels what waits for this file.
    pub(crate) fn cancel_waiting_of_file(self, m: &mut Machine, file: FileObject) {
        self.purge_pended(m, Some(file));
        let waiting: Vec<Request> = self.body(m).waiting.iter().copied().collect();
        for request in waiting {
            if self.body(m).waiting.contains(&request) && request.file_of_irp(m) == Some(file) {
                self.cancel_waiting(m, request);
            }
        }
        self.dispatch_events(m, None);
    }
}

/// The cancel routine of an IRP whose request waits in a queue.
pub(crate) fn cancelled_while_waiting(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    irp.leave_cancel_spin_lock(m);
    m[irp].io_status = IoStatus { status: STATUS_CANCELLED, information: 0 };
    let request = Request::cancelled(m, irp);
    if let Some(queue) = request.queue(m) {
        queue.cancel_waiting(m, request);
    }
}
