//! Requests that the driver hands on to a queue, or back to the one they came from.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp:1379-1815 (forward), 1958-2110 (requeue), 2376-2500 (from forward);
//! S/core/fxrequestapi.cpp:3020-3400.

use vbus_wdm::constants::*;
use vbus_wdm::{Irp, Machine, NtStatus};

use super::{Dispatch, Queue};
use crate::framework::trace;
use crate::object::Handle;
use crate::request::Request;
use crate::trace::sites;
use crate::verifier::debug_break;

impl Request {
    /// `WdfRequestForwardToIoQueue`: the request waits in another queue of the same device.
    ///
    /// # Errors
    /// STATUS_WDF_BUSY for a queue that does not accept: the driver still has the request. Only the verifier looks
    /// whether that is the request's own queue or another device's, and whether the driver owns the request and did not
    /// leave it cancelable: STATUS_INVALID_DEVICE_REQUEST.
    pub fn forward_to(self, m: &mut Machine, destination: Queue) -> Result<(), NtStatus> {
        m.boundary("WdfRequestForwardToIoQueue");
        let Some(source) = self.queue(m) else {
            self.verify_can_be_queued(m, &sites::FORWARD_WITHOUT_QUEUE)?;
            return self.queue_own(m, destination, false);
        };
        self.verify_forward(m, source, destination)?;
        self.forward(m, source, destination)
    }

    /// `WdfRequestForwardToParentDeviceIoQueue`: a PDO hands the request to a queue of its bus, in the next stack
    /// location. The request is the bus's from then on, whose completion ends it.
    ///
    /// # Errors
    /// As [`Request::forward_to`]. Only the verifier looks whether the queue is the parent's and the PDO was created to
    /// forward: STATUS_INVALID_DEVICE_REQUEST.
    pub fn forward_to_parent(self, m: &mut Machine, destination: Queue) -> Result<(), NtStatus> {
        m.boundary("WdfRequestForwardToParentDeviceIoQueue");
        let Some(source) = self.queue(m) else {
            self.verify_can_be_queued(m, &sites::FORWARD_PARENT_WITHOUT_QUEUE)?;
            return self.queue_own(m, destination, true);
        };
        self.verify_forward_to_parent(m, source, destination)?;
        let child = source.device(m);
        let irp = self.enter_parent(m, destination);
        self.forward(m, source, destination).inspect_err(|_| {
            self.belongs_to(m, Some(child));
            m[irp].skip_current_location();
        })
    }

    /// Gives the request its location in the parent's device: a copy of the child's.
    fn enter_parent(self, m: &mut Machine, destination: Queue) -> Irp {
        const DDI: &str = "WdfRequestForwardToParentDeviceIoQueue";
        let parent = destination.device(m);
        let parent_object = parent.device_object(m);
        let Some(irp) = self.current_irp(m) else { m.undefined(DDI, "a request that is forwarded has an IRP") };
        if m[irp].current_location() < 2 {
            m.undefined(
                DDI,
                "an IRP has a stack location left for the parent that it is forwarded to: nothing checks it",
            );
        }
        let data = &mut m[irp];
        data.copy_current_to_next();
        data.set_next_location();
        data.current_mut().device = Some(parent_object);
        self.belongs_to(m, Some(parent));
        irp
    }

    /// QueueDriverCreatedRequest: a request of the driver's own around an IRP that the driver has to complete.
    fn queue_own(self, m: &mut Machine, destination: Queue, to_parent: bool) -> Result<(), NtStatus> {
        let device = self.device(m);
        let Some(mut irp) = self.current_irp(m) else {
            m.undefined("WdfRequestForwardToIoQueue", "a request that is handed to a queue has an IRP")
        };
        if to_parent {
            irp = self.enter_parent(m, destination);
        }
        let owner = destination.device(m);
        self.belongs_to(m, Some(owner));
        destination.accept_forwarded(m, self).inspect_err(|_| {
            self.belongs_to(m, device);
            if to_parent {
                m[irp].skip_current_location();
            }
        })
    }

    /// `WdfRequestRequeue`: back to the head of the manual queue that it was taken from.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for a request of another kind of queue, or of none; under the verifier for one
    /// that the driver does not own or left cancelable. One that was cancelled meanwhile is taken, and completed.
    pub fn requeue(self, m: &mut Machine) -> Result<(), NtStatus> {
        m.boundary("WdfRequestRequeue");
        let queue = self.require_queue(m, &sites::REQUEUE_WITHOUT_QUEUE)?;
        self.verify_owned_and_unmarked(m)?;
        let body = queue.body(m);
        let (driver, dispatch) = (body.header.driver(), body.dispatch);
        if dispatch != Dispatch::Manual {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            // This line prints the object, not its handle.
            trace(m, driver, &sites::REQUEUE_NOT_MANUAL, [self.0.address(), status.0.into()]);
            debug_break(m, driver);
            return Err(status);
        }
        let body = queue.body(m);
        body.forget_owned(self);
        let cancelled = body.cancel_dispatched;
        trace(m, driver, &sites::REQUEUE, [self.0.handle()]);
        if cancelled || self.wait_in_queue(m, queue).is_err() {
            queue.cancel_waiting(m, self);
        } else {
            queue.wait_first(m, self);
        }
        queue.dispatch_events(m, None);
        Ok(())
    }

    /// ForwardRequestWorker.
    fn forward(self, m: &mut Machine, source: Queue, destination: Queue) -> Result<(), NtStatus> {
        source.body(m).disown(self);
        if let Err(status) = destination.accept_forwarded(m, self) {
            source.body(m).owned.push(self);
            return Err(status);
        }
        // Until here the driver counts as having it: a sequential queue does not present the next one inside.
        let body = source.body(m);
        body.driver_count = body.driver_count.saturating_sub(1);
        source.dispatch_internal_events(m);
        Ok(())
    }

    fn verify_forward(self, m: &mut Machine, source: Queue, destination: Queue) -> Result<(), NtStatus> {
        let driver = source.driver(m);
        if !driver.verifier_on(m) {
            return Ok(());
        }
        self.verify_owned_and_unmarked(m)?;
        let status = STATUS_INVALID_DEVICE_REQUEST;
        let other = destination.device(m);
        if destination == source {
            trace(m, driver, &sites::FORWARD_TO_ITSELF, [source.0.handle(), status.0.into()]);
        } else if other != source.device(m) {
            trace(m, driver, &sites::FORWARD_TO_OTHER_DEVICE, [other.0.handle()]);
        } else {
            return Ok(());
        }
        debug_break(m, driver);
        Err(status)
    }

    fn verify_forward_to_parent(self, m: &mut Machine, source: Queue, destination: Queue) -> Result<(), NtStatus> {
        let driver = source.driver(m);
        if !driver.verifier_on(m) {
            return Ok(());
        }
        let status = STATUS_INVALID_DEVICE_REQUEST;
        let (device, other) = (source.device(m), destination.device(m));
        let code = u64::from(status.0);
        let Some(parent) = device.parent(m) else {
            trace(m, driver, &sites::FORWARD_NO_PARENT, [other.0.handle(), code]);
            debug_break(m, driver);
            return Err(status);
        };
        self.verify_owned_and_unmarked(m)?;
        if destination == source {
            trace(m, driver, &sites::FORWARD_PARENT_TO_ITSELF, [source.0.handle(), code]);
        } else if other != parent {
            trace(m, driver, &sites::FORWARD_NOT_PARENT, [other.0.handle(), code]);
        } else if self.is_reserved(m) {
            trace(m, driver, &sites::FORWARD_RESERVED, [self.0.handle(), other.0.handle(), code]);
        } else if !device.forwards_to_parent(m) {
            trace(m, driver, &sites::FORWARD_NOT_ALLOWED, [device.0.handle(), code]);
        } else {
            return Ok(());
        }
        debug_break(m, driver);
        Err(status)
    }
}

impl Queue {
    /// QueueRequestFromForward.
    pub(crate) fn accept_forwarded(self, m: &mut Machine, request: Request) -> Result<(), NtStatus> {
        let body = self.body(m);
        if !body.accepting {
            let status = STATUS_WDF_BUSY;
            let (driver, bits, word) = (body.header.driver(), body.printed_bits(), body.shut_down_word());
            let arguments = [self.0.handle(), bits, word, request.0.handle(), status.0.into()];
            trace(m, driver, &sites::QUEUE_REFUSES_FORWARDED, arguments);
            return Err(status);
        }
        if request.wait_in_queue(m, self).is_ok() {
            self.wait_last(m, request);
        } else {
            self.cancel_waiting(m, request);
        }
        self.dispatch_events(m, None);
        Ok(())
    }
}
