//! Requests that wait, that the driver holds, and that somebody cancels meanwhile.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp:2118 (mark), 4353-4560 (cancel).

use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, FileObject, Irp, Machine, Major, NtStatus, Parameters};

use super::{Request, RequestBody};
use crate::device::Device;
use crate::framework::{fx, fx_mut};
use crate::queue::{Acknowledged, Queue, cancelled_while_waiting};
use crate::trace::sites;
use crate::watch::{RequestStep, request_step};

/// EvtRequestCancel: completes the request, normally with STATUS_CANCELLED.
pub type RequestCancel = fn(&mut Machine, Request);

impl RequestBody {
    /// The driver holds the request from now on. Returns its IRP.
    #[inline]
    pub(crate) fn given_to_driver(&mut self, queue: Queue) -> Option<Irp> {
        self.queue = Some(queue);
        self.waiting = false;
        self.moves += 1;
        self.irp
    }

    /// The driver has seen the request.
    #[inline]
    pub(crate) fn presented(&mut self) {
        self.presented = true;
    }
}

impl Request {
    /// The request goes among the waiting ones, cancelable by the framework.
    pub(crate) fn wait_in_queue(self, m: &mut Machine, queue: Queue) -> Result<(), NtStatus> {
        let body = self.body(m);
        body.queue = Some(queue);
        body.waiting = true;
        body.driver_owned = false;
        body.moves += 1;
        let Some(irp) = body.irp else { return Ok(()) };
        // A lower driver that had the IRP meanwhile may have left its own word there.
        self.mark_irp(m, irp);
        irp.exchange_cancel_routine(m, Some(cancelled_while_waiting));
        if m[irp].cancel && irp.exchange_cancel_routine(m, None).is_some() {
            return Err(STATUS_CANCELLED);
        }
        request_step(m, self, |_| RequestStep::Waits(queue));
        Ok(())
    }

    /// The request is taken off the waiting ones.
    pub(crate) fn leave_waiting(self, m: &mut Machine) {
        if let Some(irp) = self.current_irp(m) {
            irp.exchange_cancel_routine(m, None);
        }
    }

    /// The driver holds the request again, which waited until now.
    pub(crate) fn back_to_driver(self, m: &mut Machine) {
        let body = self.body(m);
        body.waiting = false;
        body.found = false;
        body.moves += 1;
        let queue = body.queue;
        request_step(m, self, |_| RequestStep::Driver(queue));
    }

    pub(crate) fn was_presented(self, m: &mut Machine) -> bool {
        self.body(m).presented
    }

    /// WdfIoQueueFindRequest gave its handle to the driver.
    pub(crate) fn mark_found(self, m: &mut Machine) {
        self.body(m).found = true;
    }

    /// Whether it did.
    pub(crate) fn was_found(self, m: &mut Machine) -> bool {
        self.body(m).found
    }

    /// EvtIoInCallerContext has the request; this is where it goes from there.
    pub(crate) fn enter_caller_context(self, m: &mut Machine, destination: Option<Queue>) {
        let body = self.body(m);
        body.in_caller_context = true;
        body.presented = true;
        body.destination = destination;
        request_step(m, self, |_| RequestStep::Driver(None));
    }

    /// The driver gives the request back from EvtIoInCallerContext.
    pub(crate) fn leave_caller_context(self, m: &mut Machine) -> Option<Queue> {
        let body = self.body(m);
        body.in_caller_context = false;
        body.destination
    }

    /// Another device's driver has the request from now on.
    pub(crate) fn belongs_to(self, m: &mut Machine, device: Option<Device>) {
        self.body(m).device = device;
    }

    /// What the sender asked for, without a DDI's checks.
    pub(crate) fn location_parameters(self, m: &mut Machine) -> Option<(Major, Parameters)> {
        let irp = self.current_irp(m)?;
        let location = m[irp].current();
        Some((location.major, location.parameters))
    }

    /// The file object, without a DDI's checks.
    pub(crate) fn file_of_irp(self, m: &mut Machine) -> Option<FileObject> {
        let irp = self.current_irp(m)?;
        irp.file(m)
    }

    /// EvtIoStop is called for it, or has returned; it may be gone then.
    pub(crate) fn in_io_stop(self, m: &mut Machine, now: bool) {
        if let Some(body) = fx_mut(m).requests.get_mut(self.0.id) {
            body.in_io_stop = now;
        }
    }

    /// The driver's answer to EvtIoStop; a request that is gone needs none.
    pub(crate) fn acknowledgement(self, m: &Machine) -> Acknowledged {
        fx(m).requests.get(self.0.id).map_or(Acknowledged::No, |body| body.acknowledged)
    }

    pub(crate) fn clear_acknowledgement(self, m: &mut Machine) {
        if let Some(body) = fx_mut(m).requests.get_mut(self.0.id) {
            body.acknowledged = Acknowledged::No;
        }
    }

    /// Whether it was cancelled while its driver or a queue had it.
    pub(crate) fn was_cancelled(self, m: &Machine) -> bool {
        fx(m).requests.get(self.0.id).is_some_and(|body| body.cancelled)
    }

    /// `WdfRequestMarkCancelable`: `routine` is called if somebody cancels the request before it is unmarked, or has
    /// done so already.
    ///
    /// The line of a request that no queue presented says so, and nothing else happens.
    ///
    /// Source: S/core/fxrequestapi.cpp:3400-3470.
    pub fn mark_cancelable(self, m: &mut Machine, routine: RequestCancel) {
        m.boundary("WdfRequestMarkCancelable");
        let Ok(queue) = self.require_queue(m, &sites::MARK_WITHOUT_QUEUE) else { return };
        if self.verify_owned_and_unmarked(m).is_err() {
            return;
        }
        if self.mark(m, queue, routine).is_err() {
            let body = self.body(m);
            body.cancel = Some(routine);
            body.cancelable = true;
            body.cancelled = true;
            queue.cancel_for_driver(m, self);
        }
        m.boundary("WdfRequestMarkCancelable returns");
    }

    /// `WdfRequestMarkCancelableEx`: as [`Request::mark_cancelable`], but of a request that is cancelled already the
    /// caller hears here.
    ///
    /// # Errors
    /// STATUS_CANCELLED if it is cancelled already, or its queue is being purged: the routine is not called, the driver
    /// completes the request. STATUS_INVALID_DEVICE_REQUEST for a request that no queue presented and, under the
    /// verifier, for one that the driver does not own or has marked before.
    ///
    /// Source: S/core/fxrequestapi.cpp:3468-3540.
    pub fn mark_cancelable_ex(self, m: &mut Machine, routine: RequestCancel) -> Result<(), NtStatus> {
        m.boundary("WdfRequestMarkCancelableEx");
        let queue = self.require_queue(m, &sites::MARK_EX_WITHOUT_QUEUE)?;
        self.verify_owned_and_unmarked(m)?;
        let marked = self.mark(m, queue, routine);
        m.boundary("WdfRequestMarkCancelableEx returns");
        marked
    }

    fn mark(self, m: &mut Machine, queue: Queue, routine: RequestCancel) -> Result<(), NtStatus> {
        let Some(irp) = self.current_irp(m) else { return Err(STATUS_INVALID_DEVICE_REQUEST) };
        if queue.cancels_dispatched(m) {
            return Err(STATUS_CANCELLED);
        }
        self.mark_irp(m, irp);
        irp.exchange_cancel_routine(m, Some(cancelled_in_driver));
        if m[irp].cancel && irp.exchange_cancel_routine(m, None).is_some() {
            return Err(STATUS_CANCELLED);
        }
        let body = self.body(m);
        body.cancel = Some(routine);
        body.cancelable = true;
        queue.marked(m, self);
        Ok(())
    }

    /// `WdfRequestUnmarkCancelable`.
    ///
    /// # Errors
    /// STATUS_CANCELLED if the cancel routine ran, will run, or was never set: hands off the request.
    /// STATUS_INVALID_DEVICE_REQUEST for a request that no queue presented and, under the verifier, for one that was not
    /// marked.
    pub fn unmark_cancelable(self, m: &mut Machine) -> Result<(), NtStatus> {
        m.boundary("WdfRequestUnmarkCancelable");
        let queue = self.require_queue(m, &sites::UNMARK_WITHOUT_QUEUE)?;
        self.verify_cancelable(m)?;
        if !queue.unmarked(m, self) {
            return Err(STATUS_CANCELLED);
        }
        self.take_back_mark(m);
        let body = self.body(m);
        body.cancel = None;
        body.cancelable = false;
        body.cancelled = false;
        Ok(())
    }

    /// The IRP's cancel routine is taken back: nobody but the caller cancels it now.
    pub(crate) fn take_back_mark(self, m: &mut Machine) {
        let body = self.body(m);
        body.cancelled = true;
        if let Some(irp) = body.irp {
            irp.exchange_cancel_routine(m, None);
        }
    }

    /// `WdfRequestIsCanceled`. Under the verifier it may be asked only of a request that the driver owns and did not
    /// leave cancelable.
    ///
    /// Source: S/core/fxrequestapi.cpp:3600-3665.
    pub fn is_cancelled(self, m: &mut Machine) -> bool {
        m.boundary("WdfRequestIsCanceled");
        if self.verify_owned_and_unmarked(m).is_err() {
            return false;
        }
        self.body(m).cancelled || self.current_irp(m).is_some_and(|irp| m[irp].cancel)
    }

    /// `WdfRequestStopAcknowledge` in EvtIoStop: the driver keeps the request over the loss of power, or gives it
    /// back to the head of its queue when the callback returns. Under the verifier the call is refused outside
    /// EvtIoStop; to give back a request it must be the driver's, and not marked cancelable.
    ///
    /// Source: S/core/fxrequest.cpp:2606-2700.
    pub fn stop_acknowledge(self, m: &mut Machine, requeue: bool) {
        let gives_back = requeue && !self.body(m).completed;
        if !self.verify_in_io_stop(m) || gives_back && self.verify_owned_and_unmarked(m).is_err() {
            return;
        }
        self.body(m).acknowledged = if requeue { Acknowledged::Requeued } else { Acknowledged::Kept };
    }

    /// The request of an IRP whose cancel routine runs.
    pub(crate) fn cancelled(m: &Machine, irp: Irp) -> Request {
        Request::of_irp(m, irp).unwrap_or_else(|| {
            m.undefined(
                "IoCancelIrp",
                "DriverContext of an IRP belongs to the driver that holds it: somebody overwrote it",
            )
        })
    }

    pub(crate) fn call_cancel_routine(self, m: &mut Machine) {
        if let Some(routine) = self.body(m).cancel.take() {
            routine(m, self);
        }
    }
}

/// The cancel routine of an IRP whose request the driver marked cancelable.
fn cancelled_in_driver(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    irp.leave_cancel_spin_lock(m);
    let request = Request::cancelled(m, irp);
    request.body(m).cancelled = true;
    if let Some(queue) = request.queue(m) {
        queue.cancel_for_driver(m, request);
    }
}
