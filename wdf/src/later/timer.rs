//! WDFTIMER.
//!
//! Source: S/core/fxtimer.cpp, S/core/fxtimerapi.cpp.

use vbus_wdm::constants::*;
use vbus_wdm::{Context, Machine, NtStatus, Ticks};

use super::{Base, object_of, parent_of, required_parent, word};
use crate::driver::Driver;
use crate::framework::trace;
use crate::object::{Allowed, Attributes, Class, ExecutionLevel, Handle, Object, general_handle, peek_body};
use crate::sync::presentation;
use crate::trace::sites;
use crate::verifier;
use crate::worker;

static TIMER: Class = Class { passive: true, rundown, bytes: 328, locks: 1, ..Class::new(0x1028) };

general_handle! {
    /// A WDFTIMER. Its callback runs at DISPATCH_LEVEL, or in a work item if the attributes ask for PASSIVE_LEVEL.
    Timer is TIMER as Timer
}

/// EvtTimerFunc.
type OnTimer = fn(&mut Machine, Timer);

struct Body {
    base: Base,
    config: TimerConfig,
    /// The callback runs in a work item.
    passive: bool,
    /// What the system's timer queue has of it.
    set: Option<vbus_wdm::Timer>,
    /// The callback is on the call stack.
    in_callback: bool,
    /// A passive callback waits for its work item, or runs there.
    work_queued: bool,
    work_running: bool,
    /// Somebody stops it and waits: it is not started meanwhile, and who tried is counted as stopped.
    stopping: bool,
    start_aborted: bool,
}

impl Body {
    fn work_is_done(&self) -> bool {
        !self.work_queued && !self.work_running
    }
}

/// WDF_TIMER_CONFIG: begin with [`Timer::config`].
#[derive(Clone, Copy)]
pub struct TimerConfig {
    callback: OnTimer,
    period_ms: u32,
    automatic_serialization: bool,
    tolerable_delay_ms: u32,
    high_resolution: bool,
}

impl Timer {
    /// WDF_TIMER_CONFIG_INIT: calls `callback` once for each start, under the parent's presentation lock if that has a
    /// synchronization scope.
    pub fn config(callback: OnTimer) -> TimerConfig {
        TimerConfig {
            callback,
            period_ms: 0,
            automatic_serialization: true,
            tolerable_delay_ms: 0,
            high_resolution: false,
        }
    }
}

impl TimerConfig {
    /// Period: goes on every so many milliseconds, until it is stopped.
    pub fn periodic(mut self, period_ms: u32) -> TimerConfig {
        self.period_ms = period_ms;
        self
    }

    /// AutomaticSerialization.
    pub fn automatic_serialization(mut self, automatic: bool) -> TimerConfig {
        self.automatic_serialization = automatic;
        self
    }

    /// TolerableDelay: how late the system may be to save power. Virtual time is never late.
    pub fn tolerable_delay(mut self, delay_ms: u32) -> TimerConfig {
        self.tolerable_delay_ms = delay_ms;
        self
    }

    /// UseHighResolutionTimer. Virtual time is always exact; the option excludes a tolerable delay.
    pub fn high_resolution(mut self) -> TimerConfig {
        self.high_resolution = true;
        self
    }

    /// `WdfTimerCreate`. The attributes name the parent, which must be a device or below one.
    ///
    /// # Errors
    /// STATUS_WDF_PARENT_NOT_SPECIFIED; STATUS_INVALID_PARAMETER for a period above the greatest LONG, or for a high
    /// resolution with a tolerable delay; STATUS_NOT_SUPPORTED for a periodic timer at PASSIVE_LEVEL;
    /// STATUS_INVALID_DEVICE_REQUEST for a parent without a device above it; STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL if
    /// it is to be serialized with callbacks that run at another level; STATUS_DELETE_PENDING.
    ///
    /// Source: S/core/fxtimerapi.cpp:45-200, S/core/fxtimer.cpp:95-290.
    pub fn create(self, m: &mut Machine, driver: Driver, attributes: Attributes) -> Result<Timer, NtStatus> {
        let parent = required_parent(m, driver, &attributes)?;
        self.check(m, driver)?;
        attributes.validate(m, driver, Allowed::Level)?;
        let passive = attributes.execution_level == ExecutionLevel::Passive;
        if passive && self.period_ms > 0 {
            let status = STATUS_NOT_SUPPORTED;
            trace(m, driver, &sites::TIMER_PASSIVE_PERIODIC, [status.0.into()]);
            return Err(status);
        }
        let automatic = self.automatic_serialization;
        let base = Base::of(m, driver, parent, automatic, passive, &sites::TIMER_INCOMPATIBLE)?;
        let body = Body {
            base,
            config: self,
            passive,
            set: None,
            in_callback: false,
            work_queued: false,
            work_running: false,
            stopping: false,
            start_aborted: false,
        };
        base.create(m, driver, &TIMER, body, attributes).map(Timer)
    }

    fn check(self, m: &mut Machine, driver: Driver) -> Result<(), NtStatus> {
        let status = STATUS_INVALID_PARAMETER;
        if self.period_ms > i32::MAX as u32 {
            trace(m, driver, &sites::TIMER_PERIOD, [self.period_ms.into(), status.0.into()]);
            return Err(status);
        }
        if self.high_resolution && self.tolerable_delay_ms > 0 {
            trace(m, driver, &sites::TIMER_RESOLUTION, [self.tolerable_delay_ms.into(), status.0.into()]);
            return Err(status);
        }
        Ok(())
    }
}

impl Timer {
    /// `WdfTimerStart`: the callback runs `due` from now. Returns whether the timer was in the system's queue already; it
    /// is set anew then, and fires once.
    ///
    /// Source: S/core/fxtimer.cpp:545-640.
    pub fn start(self, m: &mut Machine, due: Ticks) -> bool {
        m.boundary("WdfTimerStart");
        let driver = self.driver(m);
        let handle = self.0.handle();
        let body = self.body(m);
        if body.base.running_down {
            trace(m, driver, &sites::TIMER_RUNNING_DOWN, [handle]);
            verifier::debug_break(m, driver);
            return false;
        }
        if body.stopping {
            body.start_aborted = true;
            let thread = m.current_thread();
            trace(m, driver, &sites::TIMER_BEING_STOPPED, [handle, thread]);
            return false;
        }
        let was_set = self.take_off_queue(m);
        let set = m.set_timer(due, fired, word(self));
        self.body(m).set = Some(set);
        was_set
    }

    /// `WdfTimerStop`: takes the timer off the system's queue. Returns whether it was there. With `wait`, a callback that
    /// runs is waited for, which needs PASSIVE_LEVEL: under the verifier the call does nothing above it. In the callback
    /// itself that would be a deadlock: the call leaves an error in the log and returns false.
    ///
    /// Source: S/core/fxtimerapi.cpp:250-300, S/core/fxtimer.cpp:642-800.
    pub fn stop(self, m: &mut Machine, wait: bool) -> bool {
        m.boundary("WdfTimerStop");
        if wait && !verifier::passive_level(m, self) {
            return false;
        }
        if wait { self.stop_and_wait(m) } else { self.take_off_queue(m) }
    }

    fn stop_and_wait(self, m: &mut Machine) -> bool {
        let driver = self.driver(m);
        let body = self.body(m);
        if body.in_callback {
            let thread = m.current_thread();
            trace(m, driver, &sites::TIMER_STOP_INSIDE, [self.0.handle(), thread]);
            verifier::debug_break(m, driver);
            return false;
        }
        if body.stopping {
            let thread = m.current_thread();
            let arguments = [self.0.handle(), thread, thread];
            trace(m, driver, &sites::TIMER_STOPPED_TWICE, arguments);
            verifier::debug_break(m, driver);
        }
        let body = self.body(m);
        (body.stopping, body.start_aborted) = (true, false);
        let was_set = self.take_off_queue(m);
        self.wait_for_work(m);
        let body = self.body(m);
        body.stopping = false;
        std::mem::take(&mut body.start_aborted) || was_set
    }

    fn take_off_queue(self, m: &mut Machine) -> bool {
        self.body(m).set.take().is_some_and(|set| m.cancel_timer(set))
    }

    fn wait_for_work(self, m: &mut Machine) {
        m.wait("a timer's callback", move |m| peek_body::<Body>(m, self.0).is_none_or(Body::work_is_done));
    }

    /// `WdfTimerGetParentObject`: `None` once it is disposed of.
    pub fn parent(self, m: &mut Machine) -> Option<Object> {
        parent_of(self.body(m).base)
    }

    fn call(self, m: &mut Machine) {
        let body = self.body(m);
        body.in_callback = true;
        let (callback, lock) = (body.config.callback, body.base.lock);
        presentation::hold(m, lock, |m| callback(m, self));
        self.body(m).in_callback = false;
    }
}

/// The system's timer is due.
fn fired(m: &mut Machine, context: Context) {
    let Some(timer) = object_of(m, context).map(Timer) else { return };
    let body = timer.body(m);
    let (passive, period) = (body.passive, body.config.period_ms);
    body.set = None;
    if period > 0 {
        let next = m.set_timer(Ticks::from_millis(period.into()), fired, context);
        timer.body(m).set = Some(next);
    }
    if !passive {
        return timer.call(m);
    }
    // One that is queued and did not run yet runs once.
    if !std::mem::replace(&mut timer.body(m).work_queued, true) {
        m.queue_work_item(run_passive, context);
    }
}

fn run_passive(m: &mut Machine, context: Context) {
    let Some(timer) = object_of(m, context).map(Timer) else { return };
    worker::at_passive_level(m, |m| {
        let body = timer.body(m);
        (body.work_queued, body.work_running) = (false, true);
        timer.call(m);
        timer.body(m).work_running = false;
    });
}

/// A timer that is set is taken back; a callback that runs is waited for.
///
/// Source: S/core/fxtimer.cpp:470-542.
fn rundown(m: &mut Machine, object: Object) {
    let timer = Timer(object);
    let driver = timer.driver(m);
    let body = timer.body(m);
    body.base.running_down = true;
    if body.in_callback {
        let thread = m.current_thread();
        trace(m, driver, &sites::TIMER_DELETED_INSIDE, [object.handle(), thread]);
        verifier::debug_break(m, driver);
    }
    timer.stop_and_wait(m);
    timer.wait_for_work(m);
    let parent = timer.body(m).base.parent.take();
    Base::let_go(m, object, parent);
}
