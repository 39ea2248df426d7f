//! Requests that wait, that the driver holds, and that somebody cancels meanwhile.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp:2118 (mark), 4353-4560 (cancel).

use vbus_wdm::constants::*;
use vbus_wdm::{CancelRoutine, DeviceObject, Irp, Machine, NtStatus};

use super::{Request, RequestBody};
use crate::framework::{fx, fx_mut};
use crate::queue::Queue;
use crate::trace::sites;

/// EvtRequestCancel: completes the request, normally with STATUS_CANCELLED.
pub type RequestCancel = fn(&mut Machine, Request);

impl RequestBody {
    /// The driver holds the request from now on. Returns its IRP.
    #[inline]
    pub(crate) fn given_to_driver(&mut self, queue: Queue) -> Option<Irp> {
        self.queue = Some(queue);
        self.waiting = false;
        self.irp
    }
}

impl Request {
    /// The request goes behind the waiting ones, cancelable by the framework.
    pub(crate) fn wait_in_queue(self, m: &mut Machine, queue: Queue, routine: CancelRoutine) -> Result<(), NtStatus> {
        let Some(irp) = self.current_irp(m) else { return Ok(()) };
        // A lower driver that had the IRP meanwhile may have left its own word there.
        self.mark_irp(m, irp);
        irp.set_cancel_routine(m, Some(routine));
        if m[irp].cancel && irp.set_cancel_routine(m, None).is_some() {
            return Err(STATUS_CANCELLED);
        }
        let body = self.body(m);
        body.queue = Some(queue);
        body.waiting = true;
        Ok(())
    }

    /// The request is taken off the waiting ones.
    pub(crate) fn leave_waiting(self, m: &mut Machine) {
        if let Some(irp) = self.current_irp(m) {
            irp.set_cancel_routine(m, None);
        }
    }

    /// EvtIoStop is called for it, or has returned; it may be gone then.
    pub(crate) fn in_io_stop(self, m: &mut Machine, now: bool) {
        if let Some(body) = fx_mut(m).requests.get_mut(self.0.id) {
            body.in_io_stop = now;
        }
    }

    pub(crate) fn is_acknowledged(self, m: &Machine) -> bool {
        fx(m).requests.get(self.0.id).is_none_or(|body| body.acknowledged)
    }

    /// `WdfRequestMarkCancelableEx`: `routine` is called if somebody cancels the request before it is unmarked.
    ///
    /// # Errors
    /// STATUS_CANCELLED if it is cancelled already: the routine is not called, the driver completes the request.
    /// STATUS_INVALID_DEVICE_REQUEST for a request that no queue presented.
    ///
    /// Source: S/core/fxrequestapi.cpp:3468-3540.
    pub fn mark_cancelable(self, m: &mut Machine, routine: RequestCancel) -> Result<(), NtStatus> {
        self.require_queue(m, &sites::MARK_WITHOUT_QUEUE)?;
        let Some(irp) = self.current_irp(m) else { return Err(STATUS_INVALID_DEVICE_REQUEST) };
        let body = self.body(m);
        body.cancel = Some(routine);
        body.cancelable = true;
        self.mark_irp(m, irp);
        irp.set_cancel_routine(m, Some(cancelled_in_driver));
        if m[irp].cancel && irp.set_cancel_routine(m, None).is_some() {
            let body = self.body(m);
            (body.cancel, body.cancelable) = (None, false);
            return Err(STATUS_CANCELLED);
        }
        Ok(())
    }

    /// `WdfRequestUnmarkCancelable`.
    ///
    /// # Errors
    /// STATUS_CANCELLED if the cancel routine ran, will run, or was never set: hands off the request.
    /// STATUS_INVALID_DEVICE_REQUEST for a request that no queue presented and, under the verifier, for one that was not
    /// marked.
    pub fn unmark_cancelable(self, m: &mut Machine) -> Result<(), NtStatus> {
        self.require_queue(m, &sites::UNMARK_WITHOUT_QUEUE)?;
        self.verify_cancelable(m)?;
        self.body(m).cancelable = false;
        let Some(irp) = self.current_irp(m) else { return Err(STATUS_INVALID_DEVICE_REQUEST) };
        match irp.set_cancel_routine(m, None) {
            Some(_) => {
                self.body(m).cancel = None;
                Ok(())
            }
            None => Err(STATUS_CANCELLED),
        }
    }

    /// `WdfRequestIsCanceled`.
    pub fn is_cancelled(self, m: &mut Machine) -> bool {
        self.current_irp(m).is_some_and(|irp| m[irp].cancel)
    }

    /// `WdfRequestStopAcknowledge` in EvtIoStop: the driver keeps the request over the loss of power, or gives it
    /// back to the head of its queue. Outside EvtIoStop it does nothing, and the verifier says so.
    pub fn stop_acknowledge(self, m: &mut Machine, requeue: bool) {
        if !self.is_in_io_stop(m) {
            return;
        }
        match self.queue(m).filter(|_| requeue) {
            Some(queue) => queue.put_back(m, self),
            None => self.body(m).acknowledged = true,
        }
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

    /// A purge cancels what its holder marked cancelable.
    pub(crate) fn cancel_if_marked(self, m: &mut Machine) {
        let live = fx(m).requests.get(self.0.id).is_some_and(|body| body.cancel.is_some());
        if let Some(irp) = live.then(|| self.current_irp(m)).flatten() {
            irp.cancel(m);
        }
    }
}

/// The cancel routine of an IRP whose request the driver marked cancelable.
fn cancelled_in_driver(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    let request = Request::cancelled(m, irp);
    if let Some(queue) = request.queue(m) {
        queue.request_cancelled(m, request);
    }
}
