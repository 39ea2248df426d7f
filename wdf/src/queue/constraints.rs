//! Where a queue may call its driver: the execution level, and the presentation lock.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp:2480-2595 (deferred dispatching), 2655-2745 (CanThreadDispatchEventsLocked).

use vbus_wdm::{Context, Id, Irql, Machine};

use super::{Queue, QueueBody};
use crate::framework::{fx, trace};
use crate::object::{Kind, Object, SynchronizationScope};
use crate::sync::presentation;
use crate::trace::sites;
use crate::verifier;
use crate::worker;

/// Who goes on for a thread that could not call the driver.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Deferred {
    /// Nobody has to.
    #[default]
    No,
    /// A DPC or a work item will.
    Queued,
    /// A work item will when the lock is free.
    WaitsForLock,
}

impl QueueBody {
    /// Whether it depends on the thread if the driver can be called.
    #[inline]
    pub(super) fn is_constrained(&self) -> bool {
        self.constraints.is_passive() || self.constraints.scope == SynchronizationScope::Device || self.lock.is_owned()
    }
}

impl Queue {
    /// Calls the driver under the presentation lock, if the synchronization scope asks for that.
    #[inline]
    pub(super) fn call_driver<R>(self, m: &mut Machine, callback: impl FnOnce(&mut Machine) -> R) -> R {
        let locks = self.body(m).constraints.locks_by_itself();
        self.under_lock(m, locks, callback)
    }

    /// As [`Queue::call_driver`], for who knows already whether it takes the lock.
    #[inline]
    pub(super) fn under_lock<R>(self, m: &mut Machine, locks: bool, callback: impl FnOnce(&mut Machine) -> R) -> R {
        m.boundary("a callback of the queue");
        let owner = if locks { presentation::lender(m, self.0) } else { None };
        presentation::hold(m, owner, |m| verifier::at_one_level(m, self, callback))
    }

    /// Whether this thread may call the driver now. If not, a DPC or work item will go on.
    pub(super) fn may_call_driver(self, m: &mut Machine) -> bool {
        let body = self.body(m);
        let (driver, passive) = (body.header.driver(), body.constraints.is_passive());
        let irql = m.irql();
        if passive && irql > Irql::Passive {
            // The name of this level has the number 2.
            let thread = m.current_thread();
            trace(m, driver, &sites::QUEUE_NOT_PASSIVE, [thread, 2, self.0.handle()]);
        } else if presentation::is_held(m, self.0) {
            trace(m, driver, &sites::QUEUE_LOCK_HELD, [self.0.handle()]);
        } else {
            return true;
        }
        let body = self.body(m);
        body.dispatch_again = true;
        if body.deferred == Deferred::No {
            self.defer(m);
        }
        false
    }

    fn defer(self, m: &mut Machine) {
        let body = self.body(m);
        body.deferred = Deferred::Queued;
        let context = Context(self.0.id.to_word());
        if body.constraints.is_passive() {
            m.queue_work_item(dispatch_at_passive_level, context);
        } else {
            m.queue_dpc(dispatch, context);
        }
    }

    /// Somebody gave the presentation lock back that this queue's work item waits for.
    pub(crate) fn lock_is_free(self, m: &mut Machine) {
        let waits = fx(m).queues.get(self.0.id).is_some_and(|body| body.deferred == Deferred::WaitsForLock);
        if waits {
            self.defer(m);
        }
    }
}

fn dispatch(m: &mut Machine, context: Context) {
    let Some(id) = Id::from_word(context.0) else { return };
    let queue = Queue(Object { kind: Kind::Queue, id });
    if !queue.0.exists(m) {
        return;
    }
    if presentation::is_held(m, queue.0) {
        queue.body(m).deferred = Deferred::WaitsForLock;
        return;
    }
    queue.body(m).dispatch_again = false;
    queue.dispatch_events(m, None);
    if !queue.0.exists(m) {
        return;
    }
    let body = queue.body(m);
    if body.dispatch_again && !body.deleted {
        return queue.defer(m);
    }
    (body.dispatch_again, body.deferred) = (false, Deferred::No);
}

fn dispatch_at_passive_level(m: &mut Machine, context: Context) {
    worker::at_passive_level(m, |m| dispatch(m, context));
}
