//! What a driver can do to a queue as a whole: start, stop, drain, purge, be told of a first request.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp:3480-4250, 6320-6380; S/irphandlers/io/fxioqueueapi.cpp:330-1250.

use vbus_wdm::constants::*;
use vbus_wdm::{Context, Machine, NtStatus};

use super::forward_progress::cancel_irps;
use super::{Dispatch, Queue, QueueEvent};
use crate::compliance::{Act, comply};
use crate::driver::Driver;
use crate::framework::{fx, trace};
use crate::object::Handle;
use crate::request::Request;
use crate::trace::{Site, sites};
use crate::verifier;

/// The lines of the two ways to cancel everything, which have the same texts.
struct CancelSites {
    cancelling: &'static Site,
    waiting_done: &'static Site,
    owned_done: &'static Site,
}

static IDLE: CancelSites = CancelSites {
    cancelling: &sites::QUEUE_STOP_CANCEL,
    waiting_done: &sites::QUEUE_STOP_WAITING,
    owned_done: &sites::QUEUE_STOP_OWNED,
};

static PURGE: CancelSites = CancelSites {
    cancelling: &sites::QUEUE_PURGE_CANCEL,
    waiting_done: &sites::QUEUE_PURGE_WAITING,
    owned_done: &sites::QUEUE_PURGE_OWNED,
};

/// Where a call keeps on its stack, in Windows, what its bug check points to.
const FATAL_ERROR_DATA: u64 = 0xFFFF;

impl Queue {
    /// `WdfIoQueueStart`: the queue accepts and presents. A queue whose device goes accepts nothing any more.
    pub fn start(self, m: &mut Machine) {
        m.boundary("WdfIoQueueStart");
        let body = self.body(m);
        body.dispatching = true;
        body.cancel_dispatched = false;
        if !body.waiting.is_empty() {
            body.no_longer_empty = true;
            body.force_no_longer_empty = false;
        }
        self.accept(m);
        self.dispatch_events(m, None);
    }

    /// The queue accepts requests from now on, unless its device is on its way out.
    ///
    /// Source: S/irphandlers/io/fxioqueue.cpp:866-885.
    fn accept(self, m: &mut Machine) {
        let body = self.body(m);
        body.accepting |= !body.shut_down;
        if body.shut_down {
            let driver = self.driver(m);
            trace(m, driver, &sites::QUEUE_IS_SHUT_DOWN, [self.0.handle()]);
        }
    }

    /// `WdfIoQueueStop`: the queue goes on accepting and presents nothing. `done` is called when the driver holds
    /// nothing of it.
    ///
    /// A second `done` while one is outstanding is bug check 0x10D/A, here and in all that follow.
    pub fn stop(self, m: &mut Machine, done: Option<QueueEvent>, context: impl Into<Context>) {
        self.suspends(m, "WdfIoQueueStop");
        self.idle(m, false, done.map(|done| (done, context.into())));
    }

    /// `WdfIoQueueStopSynchronously`: PASSIVE_LEVEL; under the verifier the call does nothing above it.
    pub fn stop_synchronously(self, m: &mut Machine) {
        self.suspends(m, "WdfIoQueueStopSynchronously");
        self.idle_synchronously(m, false);
    }

    /// `WdfIoQueueStopAndPurge`: as [`Queue::stop`]; what waits now, and what the driver marked cancelable, is
    /// cancelled.
    pub fn stop_and_purge(self, m: &mut Machine, done: Option<QueueEvent>, context: impl Into<Context>) {
        self.suspends(m, "WdfIoQueueStopAndPurge");
        self.idle(m, true, done.map(|done| (done, context.into())));
    }

    /// `WdfIoQueueStopAndPurgeSynchronously`.
    pub fn stop_and_purge_synchronously(self, m: &mut Machine) {
        self.suspends(m, "WdfIoQueueStopAndPurgeSynchronously");
        self.idle_synchronously(m, true);
    }

    /// `WdfIoQueueDrain`: nothing new is accepted; what waits goes on being presented. `done` is called when nothing
    /// is left.
    pub fn drain(self, m: &mut Machine, done: Option<QueueEvent>, context: impl Into<Context>) {
        self.suspends(m, "WdfIoQueueDrain");
        self.empty(m, false, done.map(|done| (done, context.into())));
    }

    /// `WdfIoQueueDrainSynchronously`.
    pub fn drain_synchronously(self, m: &mut Machine) {
        self.suspends(m, "WdfIoQueueDrainSynchronously");
        self.empty_synchronously(m, false, &sites::QUEUE_DRAIN_WAIT);
    }

    /// `WdfIoQueuePurge`: nothing new is accepted; what waits, and what the driver marked cancelable, is cancelled.
    /// `done` is called when nothing is left.
    pub fn purge(self, m: &mut Machine, done: Option<QueueEvent>, context: impl Into<Context>) {
        self.suspends(m, "WdfIoQueuePurge");
        self.empty(m, true, done.map(|done| (done, context.into())));
    }

    /// `WdfIoQueuePurgeSynchronously`.
    pub fn purge_synchronously(self, m: &mut Machine) {
        self.suspends(m, "WdfIoQueuePurgeSynchronously");
        self.empty_synchronously(m, true, &sites::QUEUE_PURGE_WAIT);
    }

    /// `WdfIoQueueReadyNotify`: `ready` is called whenever a manual queue gets its first request. `None` ends that, on
    /// a queue that is stopped.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for a queue that is not manual, a second callback, or an end without one or
    /// while the queue presents.
    pub fn ready_notify(
        self,
        m: &mut Machine,
        ready: Option<QueueEvent>,
        context: impl Into<Context>,
    ) -> Result<(), NtStatus> {
        m.boundary("WdfIoQueueReadyNotify");
        let status = STATUS_INVALID_DEVICE_REQUEST;
        let body = self.body(m);
        let (known, dispatching) = (body.ready_notify.is_some(), body.dispatching);
        let driver = body.header.driver();
        let (handle, code) = (self.0.handle(), u64::from(status.0));
        let refused = match (body.dispatch, ready) {
            (Dispatch::Sequential | Dispatch::Parallel, _) => {
                Some((&sites::QUEUE_NOTIFY_NOT_MANUAL, vec![handle, code]))
            }
            // What these two print is where the queue keeps its callback.
            (_, Some(_)) if known => Some((&sites::QUEUE_NOTIFY_TWICE, vec![handle, self.callback_address(), code])),
            (_, None) if !known => Some((&sites::QUEUE_NOTIFY_NONE, vec![handle, code])),
            (_, None) if dispatching => {
                Some((&sites::QUEUE_NOTIFY_DISPATCHING, vec![handle, self.callback_address(), code]))
            }
            _ => None,
        };
        if let Some((site, arguments)) = refused {
            match arguments[..] {
                [a, b, c] => trace(m, driver, site, [a, b, c]),
                _ => trace(m, driver, site, [handle, code]),
            }
            verifier::debug_break(m, driver);
            return Err(status);
        }
        self.body(m).ready_notify = ready.map(|ready| (ready, context.into()));
        self.dispatch_events(m, None);
        Ok(())
    }

    /// Where in the queue its callbacks lie.
    fn callback_address(self) -> u64 {
        self.0.address() + 0x180
    }

    fn suspends(self, m: &mut Machine, ddi: &'static str) {
        m.boundary(ddi);
        let driver = self.driver(m);
        comply(m, driver, Act::SuspendQueue, ddi);
    }

    /// QueueIdle.
    fn idle(self, m: &mut Machine, cancel: bool, done: Option<(QueueEvent, Context)>) {
        self.refuse_deleted(m, &sites::QUEUE_STOP_DELETED);
        let body = self.body(m);
        if done.is_some() && body.idle_complete.is_some() {
            self.fatal_error(m, &sites::QUEUE_STOP_TWICE);
        }
        body.idle_complete = body.idle_complete.take().or(done);
        body.dispatching = false;
        body.cancel_dispatched |= cancel;
        self.accept(m);
        if cancel {
            let now: Vec<Request> = self.body(m).waiting.iter().copied().collect();
            let pended = self.take_all_pended(m, None);
            self.cancel_all(m, &IDLE, Some(&now));
            cancel_irps(m, pended);
        }
        self.dispatch_events(m, None);
    }

    /// QueuePurge, which is also what drains. IRPs that wait for a reserved request are cancelled in either case; but
    /// whichever gets one before, because a request that is cancelled here frees it, is refused by the queue.
    pub(super) fn empty(self, m: &mut Machine, cancel: bool, done: Option<(QueueEvent, Context)>) {
        self.refuse_deleted(m, &sites::QUEUE_PURGE_DELETED);
        let body = self.body(m);
        if done.is_some() && body.purge_complete.is_some() {
            self.fatal_error(m, &sites::QUEUE_PURGE_TWICE);
        }
        body.purge_complete = body.purge_complete.take().or(done);
        body.accepting = false;
        if cancel {
            body.cancel_dispatched = true;
            self.cancel_all(m, &PURGE, None);
        }
        self.purge_pended(m, None);
        self.dispatch_events(m, None);
    }

    /// Cancels what waits, or of that only what is in `only`, and what the driver marked cancelable.
    fn cancel_all(self, m: &mut Machine, lines: &CancelSites, only: Option<&[Request]>) {
        let driver = self.driver(m);
        loop {
            let Some(&request) = self.body(m).waiting.front() else {
                trace(m, driver, lines.waiting_done, [self.0.handle()]);
                break;
            };
            if only.is_some_and(|only| !only.contains(&request)) {
                break;
            }
            trace(m, driver, lines.cancelling, [request.0.handle(), self.0.handle()]);
            self.cancel_waiting(m, request);
        }
        while let Some(&request) = self.body(m).marked.first() {
            request.take_back_mark(m);
            self.cancel_for_driver(m, request);
        }
        trace(m, driver, lines.owned_done, [self.0.handle()]);
    }

    fn idle_synchronously(self, m: &mut Machine, cancel: bool) {
        if !verifier::passive_level(m, self) {
            return;
        }
        self.body(m).signalled = false;
        self.idle(m, cancel, Some((signal, Context(0))));
        let count = self.body(m).driver_count;
        self.wait_for_signal(m, &sites::QUEUE_STOP_WAIT, count.into());
    }

    fn empty_synchronously(self, m: &mut Machine, cancel: bool, line: &'static Site) {
        if !verifier::passive_level(m, self) {
            return;
        }
        self.body(m).signalled = false;
        self.empty(m, cancel, Some((signal, Context(0))));
        let (waiting, driver_count) = self.counts(m);
        self.wait_for_signal(m, line, (waiting + driver_count) as u64);
    }

    fn wait_for_signal(self, m: &mut Machine, line: &'static Site, count: u64) {
        let driver = self.driver(m);
        trace(m, driver, line, [count, self.0.handle()]);
        m.wait("a queue to let go of its requests", move |m| {
            fx(m).queues.get(self.0.id).is_none_or(|body| body.signalled)
        });
    }

    fn refuse_deleted(self, m: &mut Machine, line: &'static Site) {
        if self.body(m).deleted {
            let driver = self.driver(m);
            trace(m, driver, line, [self.0.handle(), STATUS_DELETE_PENDING.0.into()]);
            self.violation(m, driver)
        }
    }

    /// WDF_QUEUE_FATAL_ERROR: a call that returns nothing has no other way to say so.
    fn fatal_error(self, m: &mut Machine, line: &'static Site) -> ! {
        let driver = self.driver(m);
        let status = STATUS_INVALID_DEVICE_REQUEST;
        trace(m, driver, line, [self.0.handle(), self.callback_address(), status.0.into()]);
        self.violation(m, driver)
    }

    fn violation(self, m: &mut Machine, driver: Driver) -> ! {
        verifier::wdf_violation(m, Some(driver), 0xA, [self.0.address() ^ FATAL_ERROR_DATA, 0], "WdfIoQueueStop")
    }
}

/// _IdleComplete and _PurgeComplete: what a synchronous call waits for.
fn signal(m: &mut Machine, queue: Queue, _: Context) {
    queue.body(m).signalled = true;
}
