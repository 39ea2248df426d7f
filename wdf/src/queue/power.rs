//! What the device's power does to a queue.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp:5016-6200, S/inc/private/common/fxioqueue.hpp:130-145.

use vbus_wdm::Machine;

use super::{Queue, QueueBody};
use crate::compliance::{self, Inside};
use crate::framework::{fx, trace};
use crate::object::Handle;
use crate::request::Request;
use crate::trace::sites;

/// Where a queue is on its way down, to its end, or up again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub(super) enum PowerState {
    /// Not power managed, or the device is in D0.
    #[default]
    On = 1,
    Off,
    /// Waits until nobody is presenting any more.
    StartingTransition,
    Stopping,
    StoppingNotifyingDriver,
    StoppingDriverNotified,
    Purge,
    PurgeNotifyingDriver,
    PurgeDriverNotified,
    Restarting,
    RestartingNotifyingDriver,
    RestartingDriverNotified,
}

/// The framework's names of them, by number.
pub(crate) const POWER_STATES: &[&str] = &[
    "FxIoQueuePowerInvalid",
    "FxIoQueuePowerOn",
    "FxIoQueuePowerOff",
    "FxIoQueuePowerStartingTransition",
    "FxIoQueuePowerStopping",
    "FxIoQueuePowerStoppingNotifyingDriver",
    "FxIoQueuePowerStoppingDriverNotified",
    "FxIoQueuePowerPurge",
    "FxIoQueuePowerPurgeNotifyingDriver",
    "FxIoQueuePowerPurgeDriverNotified",
    "FxIoQueuePowerRestarting",
    "FxIoQueuePowerRestartingNotifyingDriver",
    "FxIoQueuePowerRestartingDriverNotified",
];

impl PowerState {
    /// The driver's callbacks for the change run; it is not told of cancelled requests meanwhile.
    pub(super) fn is_notifying(self) -> bool {
        use PowerState::*;
        matches!(self, StoppingNotifyingDriver | PurgeNotifyingDriver | RestartingNotifyingDriver)
    }
}

/// WDF_REQUEST_STOP_ACTION_FLAGS: why EvtIoStop is called, and whether the request is still marked cancelable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StopAction(pub u32);

impl StopAction {
    /// WdfRequestStopActionSuspend: the device leaves D0 and may come back.
    pub const SUSPEND: StopAction = StopAction(1);
    /// WdfRequestStopActionPurge: the device goes.
    pub const PURGE: StopAction = StopAction(2);
    /// WdfRequestStopRequestCancelable: unmark the request before you complete or requeue it.
    pub const REQUEST_CANCELABLE: StopAction = StopAction(0x1000_0000);

    /// Whether all of `flags` are set.
    pub const fn contains(self, flags: StopAction) -> bool {
        self.0 & flags.0 == flags.0
    }
}

/// A driver's answer to EvtIoStop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Acknowledged {
    /// None yet.
    #[default]
    No,
    /// It keeps the request.
    Kept,
    /// The request goes back to the head of its queue.
    Requeued,
}

impl QueueBody {
    /// The driver's requests are to be asked about one by one.
    fn begin_to_notify(&mut self) -> bool {
        self.notify = self.owned.drain(..).collect();
        !self.notify.is_empty()
    }
}

impl Queue {
    /// Whether the queue follows the device's power.
    pub(crate) fn is_power_managed(self, m: &mut Machine) -> bool {
        self.body(m).power_managed
    }

    /// ProcessPowerEvents: one step of a change. Returns whether there is more to do now.
    pub(super) fn process_power(self, m: &mut Machine) -> bool {
        use PowerState::*;
        let (driver, handle) = (self.driver(m), self.0.handle());
        let body = self.body(m);
        match body.power {
            StartingTransition => {
                body.power_idle |= body.depth == 1;
                false
            }
            state @ (Stopping | Purge | Restarting) => {
                let (next, with, without) = match state {
                    Stopping => {
                        (StoppingNotifyingDriver, &sites::POWER_STOP_IN_FLIGHT, &sites::POWER_STOP_NOT_IN_FLIGHT)
                    }
                    Purge => (PurgeNotifyingDriver, &sites::POWER_PURGE_IN_FLIGHT, &sites::POWER_PURGE_NOT_IN_FLIGHT),
                    _ => (RestartingNotifyingDriver, &sites::POWER_RESUME_PAUSED, &sites::POWER_RESUME_NONE),
                };
                body.power = next;
                let site = if body.begin_to_notify() { with } else { without };
                trace(m, driver, site, [handle]);
                true
            }
            StoppingNotifyingDriver | PurgeNotifyingDriver => {
                self.ask_to_stop(m);
                true
            }
            RestartingNotifyingDriver => {
                self.tell_to_resume(m);
                true
            }
            StoppingDriverNotified | PurgeDriverNotified => self.take_answers(m),
            RestartingDriverNotified => {
                trace(m, driver, &sites::POWER_RESUMED, [handle]);
                self.body(m).power = On;
                false
            }
            On | Off => false,
        }
    }

    /// EvtIoStop for the next request that the driver holds, in the order in which it got them.
    fn ask_to_stop(self, m: &mut Machine) {
        use PowerState::*;
        let driver = self.driver(m);
        let body = self.body(m);
        let purging = body.power == PurgeNotifyingDriver;
        let Some(request) = body.notify.pop_front() else {
            body.power = if purging { PurgeDriverNotified } else { StoppingDriverNotified };
            return;
        };
        body.notified.push(request);
        let cancelable = body.marked.contains(&request);
        let on_stop = body.callbacks.stop;
        if purging {
            request.clear_acknowledgement(m);
        }
        let Some(on_stop) = on_stop.filter(|_| !request.was_cancelled(m)) else { return };
        let mut flags = if purging { StopAction::PURGE } else { StopAction::SUSPEND };
        if cancelable {
            flags.0 |= StopAction::REQUEST_CANCELABLE.0;
        }
        let site = if purging { &sites::POWER_PURGE_NOTIFYING } else { &sites::POWER_STOP_NOTIFYING };
        trace(m, driver, site, [self.0.handle(), request.0.handle()]);
        request.0.add_reference(m);
        request.in_io_stop(m, true);
        compliance::within(m, driver, Inside::IoStop, |m| self.call_driver(m, |m| on_stop(m, self, request, flags)));
        request.release(m);
    }

    /// EvtIoResume for the next request that the driver kept.
    fn tell_to_resume(self, m: &mut Machine) {
        let driver = self.driver(m);
        let body = self.body(m);
        let Some(request) = body.notify.pop_front() else {
            body.power = PowerState::RestartingDriverNotified;
            return;
        };
        body.owned.push(request);
        let on_resume = body.callbacks.resume;
        match on_resume.filter(|_| !request.was_cancelled(m)) {
            Some(on_resume) => {
                trace(m, driver, &sites::POWER_RESUME_NOTIFYING, [self.0.handle(), request.0.handle()]);
                request.0.add_reference(m);
                compliance::within(m, driver, Inside::IoResume, |m| {
                    self.call_driver(m, |m| on_resume(m, self, request));
                });
                request.release(m);
            }
            None => trace(m, driver, &sites::POWER_RESUME_NO_CALLBACK, [self.0.handle()]),
        }
    }

    /// The driver was told of everything: what it acknowledged is taken in, and with nothing left the queue is off.
    fn take_answers(self, m: &mut Machine) -> bool {
        let (driver, handle) = (self.driver(m), self.0.handle());
        let notified = self.body(m).notified.clone();
        let mut went_on = false;
        for request in notified {
            let answer = request.acknowledgement(m);
            if answer == Acknowledged::No {
                continue;
            }
            went_on = true;
            let word = if answer == Acknowledged::Requeued { WITH } else { WITHOUT };
            trace(m, driver, &sites::POWER_ACKNOWLEDGING, [request.0.handle(), handle, word]);
            request.clear_acknowledgement(m);
            request.in_io_stop(m, false);
            let body = self.body(m);
            body.notified.retain(|&known| known != request);
            body.owned.push(request);
            if answer == Acknowledged::Requeued {
                self.put_back(m, request);
            }
        }
        let body = self.body(m);
        if !body.notified.is_empty() {
            trace(m, driver, &sites::POWER_WAITING_FOR_DRIVER, [handle]);
            return went_on;
        }
        if body.depth != 1 {
            trace(m, driver, &sites::POWER_OUTSTANDING, [handle]);
            return went_on;
        }
        body.power = PowerState::Off;
        body.power_idle = true;
        trace(m, driver, &sites::POWER_OFF, [handle]);
        true
    }

    /// A queue that follows its device's power keeps the device in D0, or wakes it, as long as it has requests.
    ///
    /// Source: S/inc/private/common/fxioqueue.hpp:1540-1580; S/irphandlers/io/fxioqueue.cpp:2938-2952.
    pub(super) fn keep_powered(self, m: &mut Machine) {
        let body = self.body(m);
        if let Some(device) = body.device.filter(|_| body.holds_power && !body.power_referenced) {
            let referenced = device.power_reference(m, false).is_success();
            self.body(m).power_referenced = referenced;
        }
    }

    pub(super) fn let_power_go(self, m: &mut Machine) {
        if let Some(device) = self.body(m).device {
            device.power_dereference(m);
        }
        self.body(m).power_referenced = false;
    }

    /// StartPowerTransitionOff: nobody presents from this queue any more.
    pub(crate) fn start_power_off(self, m: &mut Machine) {
        self.change_power(m, PowerState::StartingTransition, &sites::POWER_WAIT_FOR_THREADS);
    }

    /// StopProcessingForPower, Hold: the driver is asked to let go of what it has, and this waits until it did.
    pub(crate) fn hold(self, m: &mut Machine) {
        self.change_power(m, PowerState::Stopping, &sites::POWER_WAIT_FOR_DRIVER);
    }

    /// StopProcessingForPower, Purge: the device goes. What waits is cancelled, nothing is accepted any more, and the
    /// driver is asked for the rest, even for what it acknowledged before.
    pub(crate) fn shut_down(self, m: &mut Machine) {
        let body = self.body(m);
        body.shut_down = true;
        body.accepting = false;
        self.empty(m, true, None);
        self.change_power(m, PowerState::Purge, &sites::POWER_WAIT_FOR_DRIVER);
    }

    fn change_power(self, m: &mut Machine, state: PowerState, line: &'static crate::trace::Site) {
        let driver = self.driver(m);
        let body = self.body(m);
        body.power = state;
        body.power_idle = false;
        self.dispatch_events(m, None);
        trace(m, driver, line, [self.0.handle()]);
        m.wait("the driver to let go of the requests of a queue that loses power", move |m| {
            fx(m).queues.get(self.0.id).is_none_or(|body| body.power_idle)
        });
    }

    /// ResumeProcessingForPower: the device is in D0 again; the driver is told of what it kept.
    pub(crate) fn resume(self, m: &mut Machine) {
        let body = self.body(m);
        if body.power == PowerState::Off {
            body.power = PowerState::Restarting;
            self.dispatch_events(m, None);
        }
    }

    /// StartPowerTransitionOn: what waited is presented.
    pub(crate) fn start_power_on(self, m: &mut Machine) {
        let body = self.body(m);
        if !body.waiting.is_empty() {
            body.no_longer_empty = true;
            body.force_no_longer_empty = false;
        }
        self.dispatch_events(m, None);
    }

    /// The device is started anew after it was removed and its bus still reports it.
    pub(crate) fn reset_for_restart(self, m: &mut Machine) {
        let body = self.body(m);
        if !body.power_managed {
            body.power = PowerState::On;
        }
        body.shut_down = false;
        body.accepting = true;
    }

    /// Puts a request that the driver acknowledged with requeue to the head of the waiting ones.
    fn put_back(self, m: &mut Machine, request: Request) {
        let body = self.body(m);
        body.forget_owned(request);
        if body.cancel_dispatched || request.wait_in_queue(m, self).is_err() {
            self.cancel_waiting(m, request);
        } else {
            self.wait_first(m, request);
        }
    }

    /// The queue is deleted, with its device: everything goes, and this waits for what the driver still has, and for its
    /// callbacks. A driver that deletes a queue in one of that queue's own waits for itself.
    ///
    /// Source: S/irphandlers/io/fxioqueue.cpp:470-590, 2984-3008.
    pub(crate) fn dispose(self, m: &mut Machine) {
        self.empty(m, true, None);
        let device = self.device(m);
        device.body(m).queues.retain(|&queue| queue != self);
        self.dispatch_events(m, None);
        m.wait("the driver to complete the requests of a queue that is deleted", move |m| {
            let queue = fx(m).queues.get(self.0.id);
            queue.is_none_or(|body| body.depth == 0 && body.driver_count == 0 && body.waiting.is_empty())
        });
        self.body(m).deleted = true;
        self.free_reserved(m);
    }
}

/// The words for the two answers, as format arguments.
const WITH: u64 = 2;
const WITHOUT: u64 = 3;
