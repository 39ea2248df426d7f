//! Queueing a request, and the loop that presents what can be presented.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp:2270-2345 (QueueRequest), 2596-2650 (InsertNewRequest), 2758-3132
//! (DispatchEvents), 4693-4855 (the queue's own events).

use vbus_wdm::constants::*;
use vbus_wdm::{Context, Irp, Machine, NtStatus};

use super::{Dispatch, PowerState, Queue, QueueBody, QueueEvent};
use crate::framework::{take_fx, trace};
use crate::request::Request;
use crate::trace::sites;

/// What a queue's loop can find.
enum Event {
    /// Nothing: the loop is over.
    Done,
    /// A new request cannot be presented now, or not before others.
    Keep(Request),
    Cancelled,
    CancelledOnQueue,
    /// The driver holds nothing, and wanted to know.
    Idle(QueueEvent, Context),
    /// Nothing is left, and the driver wanted to know.
    Purged(QueueEvent, Context),
    /// Nothing is left that keeps the device in D0.
    LetPowerGo,
    /// The device's power changes.
    Power,
    NotDispatching,
    Ready(QueueEvent, Context),
    PresentWaiting(Request),
    /// The flag says whether the device has to hear that there is something to do.
    PresentNew(Request, bool),
}

impl QueueBody {
    /// What the queue's loop finds to do at this moment. A new request goes past the waiting ones only if there are
    /// none, and is put among them before anything else is done.
    #[inline]
    fn next_event(&mut self, new: Option<Request>) -> Event {
        if let Some(new) = new.filter(|_| self.can_present_new()) {
            self.own(new);
            self.no_longer_empty = true;
            self.force_no_longer_empty = false;
            return Event::PresentNew(new, self.holds_power && !self.power_referenced);
        }
        match new {
            // Only in these the message comes before the request is kept.
            Some(_) if self.power_changes() && !self.has_events() => Event::Power,
            Some(_) if self.is_on() && !self.dispatching && !self.has_events() => Event::NotDispatching,
            Some(new) => Event::Keep(new),
            None => self.next_own_event(),
        }
    }

    /// Whether a new request is the next thing to do.
    #[inline]
    fn can_present_new(&self) -> bool {
        self.is_on() && self.dispatching && self.waiting.is_empty() && self.can_present() && !self.has_events()
    }

    /// Whether something else comes before any request.
    #[inline]
    fn has_events(&self) -> bool {
        let tell = !self.cancelled.is_empty() || !self.cancelled_on_queue.is_empty();
        tell && !self.power.is_notifying() || self.is_idle_now()
    }

    #[inline]
    fn is_on(&self) -> bool {
        self.power == PowerState::On
    }

    fn power_changes(&self) -> bool {
        !matches!(self.power, PowerState::On | PowerState::Off)
    }

    fn is_idle_now(&self) -> bool {
        self.idle_complete.is_some() && self.depth == 1 && self.driver_count == 0
    }

    /// What there is to do without a new request, in the order in which the framework looks.
    fn next_own_event(&mut self) -> Event {
        let tells = !self.power.is_notifying();
        if tells && !self.cancelled.is_empty() {
            return Event::Cancelled;
        }
        if tells && !self.cancelled_on_queue.is_empty() {
            return Event::CancelledOnQueue;
        }
        if self.is_idle_now()
            && let Some((callback, context)) = self.idle_complete.take()
        {
            self.cancel_dispatched = false;
            return Event::Idle(callback, context);
        }
        if self.depth == 1
            && self.driver_count == 0
            && self.waiting.is_empty()
            && let Some((callback, context)) = self.purge_complete.take()
        {
            self.cancel_dispatched = false;
            return Event::Purged(callback, context);
        }
        if self.power_referenced && self.depth == 1 && self.driver_count == 0 && self.waiting.is_empty() {
            return Event::LetPowerGo;
        }
        if self.power_changes() {
            return Event::Power;
        }
        if !self.is_on() {
            return self.done();
        }
        if !self.dispatching {
            return Event::NotDispatching;
        }
        if let (Dispatch::Manual, true, Some((callback, context))) =
            (self.dispatch, self.no_longer_empty, self.ready_notify)
        {
            self.no_longer_empty = false;
            return Event::Ready(callback, context);
        }
        match if self.can_present() { self.waiting.pop_front() } else { None } {
            Some(oldest) => {
                self.own(oldest);
                Event::PresentWaiting(oldest)
            }
            None => self.done(),
        }
    }

    fn done(&mut self) -> Event {
        self.depth -= 1;
        Event::Done
    }

    /// Whether the driver has a callback for requests of this kind.
    pub(crate) fn handles(&self, major: vbus_wdm::Major) -> bool {
        self.dispatch == Dispatch::Manual || self.callbacks.handles(major)
    }

    /// Whether another request may be given to the driver now.
    fn can_present(&self) -> bool {
        match self.dispatch {
            Dispatch::Manual => false,
            Dispatch::Sequential => self.driver_count == 0,
            Dispatch::Parallel => self.driver_count < self.presented_limit,
        }
    }
}

impl Queue {
    /// Queues a request that a driver above sent. The answer is what the dispatch routine returns: STATUS_PENDING for
    /// everything that reached the queue, even if it is complete by then.
    pub(crate) fn queue_request(self, m: &mut Machine, request: Request, irp: Irp) -> NtStatus {
        let mut fx = take_fx(m);
        let body = fx.queue(self);
        let driver = body.header.driver();
        if !body.accepting {
            let status = STATUS_INVALID_DEVICE_STATE;
            let (bits, word) = (body.printed_bits(), body.shut_down_word());
            let arguments = [self.0.handle(), bits, word, request.0.handle(), status.0.into()];
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
    #[inline]
    pub(crate) fn dispatch_events(self, m: &mut Machine, new: Option<Request>) {
        self.dispatch(m, new, false);
    }

    /// As [`Queue::dispatch_events`], on a thread that is to be checked first or that may call the driver.
    fn dispatch(self, m: &mut Machine, mut new: Option<Request>, may_call_driver: bool) {
        let thread = m.current_thread();
        let mut fx = take_fx(m);
        let Some(body) = fx.live_queue(self).filter(|body| !body.deleted) else { return };
        if !may_call_driver && body.is_constrained() {
            return self.dispatch_constrained(m, new);
        }
        body.depth += 1;
        let driver = body.header.driver();
        let mut event = body.next_event(new);
        fx.trace(driver, &sites::QUEUE_DISPATCH_EVENTS, [thread, self.0.handle()]);
        loop {
            match event {
                Event::Done => return,
                Event::PresentNew(request, wakes) => {
                    new = None;
                    if wakes {
                        self.keep_powered(m);
                    }
                    self.deliver(m, request);
                }
                Event::PresentWaiting(oldest) => {
                    oldest.leave_waiting(m);
                    self.deliver(m, oldest);
                }
                Event::Keep(request) => {
                    new = None;
                    self.keep(m, request);
                }
                Event::Cancelled => self.present_cancelled(m),
                Event::CancelledOnQueue => self.present_cancelled_on_queue(m),
                Event::Idle(callback, context) => {
                    trace(m, driver, &sites::QUEUE_IDLE, [self.0.handle()]);
                    callback(m, self, context);
                }
                Event::Purged(callback, context) => {
                    trace(m, driver, &sites::QUEUE_PURGED, [self.0.handle()]);
                    self.call_driver(m, |m| callback(m, self, context));
                }
                Event::LetPowerGo => self.let_power_go(m),
                Event::Ready(callback, context) => self.call_driver(m, |m| callback(m, self, context)),
                Event::Power => {
                    let state = self.body(m).power as u64;
                    trace(m, driver, &sites::QUEUE_POWER_TRANSITION, [self.0.handle(), state]);
                    if new.take().is_none_or(|request| self.keep(m, request)) && !self.process_power(m) {
                        return self.stop_dispatching(m);
                    }
                }
                Event::NotDispatching => {
                    let bits = self.body(m).own_bits();
                    trace(m, driver, &sites::QUEUE_NOT_DISPATCHING, [self.0.handle(), bits]);
                    if new.take().is_none_or(|request| self.keep(m, request)) {
                        return self.stop_dispatching(m);
                    }
                }
            }
            // A callback may have taken the device, and the queue with it, away.
            let Some(next) = take_fx(m).live_queue(self).map(|body| body.next_event(new)) else { return };
            event = next;
        }
    }

    /// Whether this thread may call the driver depends on where it is; if it may not, a new request waits.
    #[cold]
    fn dispatch_constrained(self, m: &mut Machine, new: Option<Request>) {
        match (self.may_call_driver(m), new) {
            (true, new) => self.dispatch(m, new, true),
            (false, Some(new)) => _ = self.keep(m, new),
            (false, None) => {}
        }
    }

    /// The loop ends although there may be more to do.
    fn stop_dispatching(self, m: &mut Machine) {
        if let Some(body) = take_fx(m).live_queue(self) {
            body.depth -= 1;
        }
    }

    /// Puts a new request behind the waiting ones. Returns whether it waits: one that is cancelled already is
    /// completed.
    pub(super) fn keep(self, m: &mut Machine, request: Request) -> bool {
        match request.wait_in_queue(m, self) {
            Ok(()) => {
                self.wait_last(m, request);
                true
            }
            Err(status) => {
                request.complete_by_framework(m, status);
                false
            }
        }
    }
}
