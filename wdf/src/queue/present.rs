//! Queueing a request and presenting it to the driver.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp:2270-2345 (QueueRequest), 2758-3132 (DispatchEvents), 3135-3430
//! (DispatchRequestToDriver).

use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, IoStatus, Irp, Machine, Major, NtStatus, Parameters};

use super::{Dispatch, IoControl, Queue, QueueBody};
use crate::framework::{take_fx, trace};
use crate::object::Handle;
use crate::request::Request;
use crate::trace::sites;
use crate::verifier::CURRENT_THREAD;

/// What a queue's loop can find.
enum Event {
    /// Nothing: the loop is over.
    Done,
    /// A new request cannot be presented now, or not before others.
    Keep(Request),
    Cancelled,
    PresentWaiting(Request),
    PresentNew(Request),
}

impl QueueBody {
    /// The state bits as the framework keeps them: accept 1, dispatch 2, none waiting 4, driver has none 8.
    fn state_bits(&self) -> u64 {
        u64::from(self.accepting)
            // Every queue dispatches: nothing that stops one is modelled.
            | 1 << 1
            | u64::from(self.waiting.is_empty()) << 2
            | u64::from(self.owned.is_empty()) << 3
    }

    /// The bits that a queue's own driver can set, which is what messages print.
    fn state_flags(&self) -> u64 {
        self.state_bits() & 3
    }

    /// The driver does not hold the request any more. Returns whether nobody is presenting at this moment.
    #[inline]
    pub(crate) fn forget_owned(&mut self, request: Request) -> bool {
        // The youngest is the likeliest: look from the end.
        if let Some(at) = self.owned.iter().rposition(|&owned| owned == request) {
            self.owned.remove(at);
        }
        self.depth == 0
    }

    /// What the queue's loop finds to do at this moment. A new request goes past the waiting ones only if there are
    /// none.
    #[inline]
    fn next_event(&mut self, new: Option<Request>) -> Event {
        let can_present = self.powered && self.can_present();
        match new {
            Some(new) if can_present && self.waiting.is_empty() && self.cancelled.is_empty() => {
                self.owned.push(new);
                Event::PresentNew(new)
            }
            Some(new) => Event::Keep(new),
            None if !self.cancelled.is_empty() => Event::Cancelled,
            None => match if can_present { self.waiting.pop_front() } else { None } {
                Some(oldest) => {
                    self.owned.push(oldest);
                    Event::PresentWaiting(oldest)
                }
                None => {
                    self.depth -= 1;
                    Event::Done
                }
            },
        }
    }

    /// Whether the driver has a callback for requests of this kind.
    pub(crate) fn handles(&self, major: Major) -> bool {
        self.dispatch == Dispatch::Manual || self.callbacks.handles(major)
    }

    /// Whether another request may be given to the driver now.
    fn can_present(&self) -> bool {
        match self.dispatch {
            Dispatch::Manual => false,
            Dispatch::Sequential => self.owned.is_empty(),
            Dispatch::Parallel => self.owned.len() < self.presented_limit as usize,
        }
    }
}

impl Queue {
    /// Queues a request that a driver above sent. The answer is what the dispatch routine returns: STATUS_PENDING for
    /// everything that reached the queue, even if it is complete by then.
    pub(crate) fn queue_request(self, m: &mut Machine, request: Request, irp: Irp) -> NtStatus {
        let mut fx = take_fx(m);
        let body = fx.queue(self);
        let (driver, accepting, flags) = (body.header.driver(), body.accepting, body.state_flags());
        if !accepting {
            let status = STATUS_INVALID_DEVICE_STATE;
            let arguments = [self.0.handle(), flags, 0, request.0.handle(), status.0.into()];
            fx.trace(driver, &sites::QUEUE_REFUSES, arguments);
            request.complete_by_framework(m, status);
            return status;
        }
        fx.trace(driver, &sites::QUEUE_REQUEST, [request.0.handle(), self.0.handle()]);
        irp.mark_pending(m);
        self.dispatch_events(m, Some(request));
        STATUS_PENDING
    }

    /// Something changed: presents what can be presented, unless this very queue's handler is on the call stack and
    /// will do it when it returns.
    pub(crate) fn dispatch_internal_events(self, m: &mut Machine) {
        if take_fx(m).live_queue(self).is_some_and(|body| body.depth == 0) {
            self.dispatch_events(m, None);
        }
    }

    /// The queue's loop. Every kind of event is looked at again after each callback.
    pub(crate) fn dispatch_events(self, m: &mut Machine, mut new: Option<Request>) {
        let mut fx = take_fx(m);
        let body = fx.queue(self);
        body.depth += 1;
        let driver = body.header.driver();
        let mut event = body.next_event(new);
        fx.trace(driver, &sites::QUEUE_DISPATCH_EVENTS, [CURRENT_THREAD, self.0.handle()]);
        loop {
            match event {
                Event::Done => return,
                Event::Keep(request) => {
                    self.keep(m, request);
                    new = None;
                }
                Event::Cancelled => self.present_cancelled(m),
                Event::PresentWaiting(oldest) => {
                    oldest.leave_waiting(m);
                    self.present(m, oldest);
                }
                Event::PresentNew(request) => {
                    new = None;
                    self.present(m, request);
                }
            }
            // A callback may have taken the device, and the queue with it, away.
            let Some(body) = take_fx(m).live_queue(self).map(|body| body.next_event(new)) else { return };
            event = body;
        }
    }

    /// Puts a new request behind the waiting ones.
    fn keep(self, m: &mut Machine, request: Request) {
        match request.wait_in_queue(m, self, cancelled_while_waiting) {
            Ok(()) => self.body(m).waiting.push_back(request),
            Err(status) => request.complete_by_framework(m, status),
        }
    }

    /// Calls the callback for the request's kind. The driver holds the request from here on.
    fn present(self, m: &mut Machine, request: Request) {
        let mut fx = take_fx(m);
        let body = fx.queue(self);
        let (driver, callbacks) = (body.header.driver(), body.callbacks);
        let Some(irp) = fx.request(request).given_to_driver(self) else { return };
        let location = m[irp].current();
        let (major, parameters) = (location.major, location.parameters);
        let handle = request.0.handle();
        match (major, parameters) {
            (Major::Read | Major::Write, Parameters::Transfer { length, .. }) => {
                let (callback, site) = match major {
                    Major::Read => (callbacks.read, &sites::QUEUE_CALL_READ),
                    _ => (callbacks.write, &sites::QUEUE_CALL_WRITE),
                };
                if length == 0 {
                    trace(m, driver, &sites::QUEUE_ZERO_LENGTH, [handle, self.0.handle()]);
                    return request.complete(m, STATUS_SUCCESS);
                }
                if let Some(callback) = callback {
                    trace(m, driver, site, [handle]);
                    return callback(m, self, request, length);
                }
            }
            (_, Parameters::DeviceIoControl { output_length, input_length, code, .. }) => {
                let (callback, site) = match major {
                    Major::DeviceControl => (callbacks.device_control, &sites::QUEUE_CALL_DEVICE_CONTROL),
                    _ => (callbacks.internal_device_control, &sites::QUEUE_CALL_INTERNAL),
                };
                if let Some(callback) = callback {
                    trace(m, driver, site, [handle]);
                    return callback(m, self, request, IoControl { code, input_length, output_length });
                }
            }
            _ => {}
        }
        match callbacks.default {
            Some(callback) => {
                trace(m, driver, &sites::QUEUE_CALL_DEFAULT, [handle]);
                callback(m, self, request);
            }
            None => {
                let status = STATUS_INVALID_DEVICE_REQUEST;
                trace(m, driver, &sites::QUEUE_NO_CALLBACK, [major as u64, handle, status.0.into()]);
                request.complete(m, status);
            }
        }
    }

    /// Calls EvtRequestCancel for requests that were cancelled while the driver held them.
    fn present_cancelled(self, m: &mut Machine) {
        let driver = self.driver(m);
        while let Some(request) = self.body(m).cancelled.pop_front() {
            trace(m, driver, &sites::QUEUE_CALL_CANCEL, [request.0.handle(), self.0.handle()]);
            request.call_cancel_routine(m);
        }
    }

    /// A request that the driver held was marked cancelable, and its IRP was cancelled.
    pub(crate) fn request_cancelled(self, m: &mut Machine, request: Request) {
        self.body(m).cancelled.push_back(request);
        self.dispatch_internal_events(m);
    }

    /// Completes a waiting request with STATUS_CANCELLED.
    pub(super) fn cancel_waiting(self, m: &mut Machine, request: Request) {
        self.body(m).waiting.retain(|&waiting| waiting != request);
        request.leave_waiting(m);
        let driver = self.driver(m);
        if driver.verifier_on(m) {
            trace(m, driver, &sites::QUEUE_CANCELLED_WAITING, [request.0.handle(), self.0.handle()]);
        }
        request.complete_by_framework(m, STATUS_CANCELLED);
        self.dispatch_internal_events(m);
    }
}

/// The cancel routine of an IRP whose request waits in a queue.
pub(super) fn cancelled_while_waiting(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    m[irp].io_status = IoStatus { status: STATUS_CANCELLED, information: 0 };
    let request = Request::cancelled(m, irp);
    if let Some(queue) = request.queue(m) {
        queue.cancel_waiting(m, request);
    }
}
