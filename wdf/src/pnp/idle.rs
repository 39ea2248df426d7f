//! The idle machine of a power policy owner: it counts what keeps the device in D0, and runs the timer when nothing does.
//!
//! It works under a spin lock, so that whom it tells something looks at that in a thread of its own.
//!
//! Source: S/irphandlers/pnp/poweridlestatemachine.cpp.

use vbus_wdm::constants::*;
use vbus_wdm::{Context, DevicePowerState, Irql, Machine, NtStatus, Ticks, Timer};

use super::events::{PnpEvent, PolicyEvent};
use super::machine::post;
use super::pnp_machine::Pnp;
use super::policy_machine::post_policy;
use super::states::IdleState::{self, *};
use crate::device::Device;
use crate::framework::{fx, trace};
use crate::object::Handle;
use crate::trace::sites;
use crate::verifier::debug_break;

/// What happens to the machine, by the names that logs print.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum IdleEvent {
    Start = 1,
    Stop,
    PowerUpComplete,
    PowerUpFailed,
    PowerDown,
    PowerDownFailed,
    Disabled,
    Enabled,
    IoIncrement,
    IoDecrement,
    TimerExpired,
}

impl IdleEvent {
    pub(crate) const NAMES: &'static [&'static str] = &[
        "PowerIdleEventInvalid",
        "PowerIdleEventStart",
        "PowerIdleEventStop",
        "PowerIdleEventPowerUpComplete",
        "PowerIdleEventPowerUpFailed",
        "PowerIdleEventPowerDown",
        "PowerIdleEventPowerDownFailed",
        "PowerIdleEventDisabled",
        "PowerIdleEventEnabled",
        "PowerIdleEventIoIncrement",
        "PowerIdleEventIoDecrement",
        "PowerIdleEventTimerExpired",
    ];
}

/// The machine's state, and the driver's settings.
pub(crate) struct Idle {
    state: IdleState,
    io_count: i64,
    timer: Option<Timer>,
    timer_enabled: bool,
    timer_started: bool,
    in_dx: bool,
    started: bool,
    power_failed: bool,
    /// The policy was told that somebody wants the device, and has not answered yet.
    io_present_sent: bool,
    /// A PnP query waits for D0.
    tell_pnp: bool,
    /// What synchronous waits for D0 look at.
    d0_signalled: bool,
    timeout: Ticks,
    pub(super) enabled: bool,
    pub(super) up_on_system_wake: bool,
    pub(super) dx_state: DevicePowerState,
}

impl Default for Idle {
    fn default() -> Self {
        Idle {
            state: Stopped,
            io_count: 0,
            timer: None,
            timer_enabled: false,
            timer_started: false,
            in_dx: false,
            started: false,
            power_failed: false,
            io_present_sent: false,
            tell_pnp: false,
            d0_signalled: true,
            timeout: Ticks::from_millis(5000),
            enabled: false,
            up_on_system_wake: true,
            dx_state: DevicePowerState::D3,
        }
    }
}

impl Idle {
    /// A PDO is started anew: what its last life counted is forgotten, its driver's settings are not.
    pub(super) fn reset(&mut self) {
        let Idle { timeout, enabled, up_on_system_wake, dx_state, .. } = *self;
        *self = Idle { timeout, enabled, up_on_system_wake, dx_state, ..Idle::default() };
    }

    /// Whether references only count: a device that does not idle rests here, and has them with every request.
    fn only_counts(&self) -> bool {
        self.state == Disabled
    }

    fn in_d0(&self) -> bool {
        self.d0_signalled
    }
}

/// WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS for a device that cannot wake itself (IdleCannotWakeFromS0).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdleSettings {
    /// IdleTimeout, in milliseconds; the framework's default is 5000.
    pub timeout_ms: u32,
    /// DxState.
    pub dx_state: DevicePowerState,
    /// Enabled.
    pub enabled: bool,
    /// PowerUpIdleDeviceOnSystemWake; the default is that an idle device stays down.
    pub up_on_system_wake: Option<bool>,
}

impl Default for IdleSettings {
    /// WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS_INIT.
    fn default() -> Self {
        IdleSettings { timeout_ms: 5000, dx_state: DevicePowerState::D3, enabled: true, up_on_system_wake: None }
    }
}

/// Where an event leads; `None` where it is dropped.
fn target(state: IdleState, event: IdleEvent) -> Option<IdleState> {
    use IdleEvent as E;
    let rows: &[(IdleEvent, IdleState)] = match state {
        Stopped => &[(E::Start, Started)],
        Started => &[(E::PowerUpComplete, StartedPowerUp), (E::PowerUpFailed, StartedPowerFailed), (E::Stop, Stopped)],
        StartedPowerFailed => &[(E::Stop, Stopped)],
        Disabled => &[
            (E::Enabled, CheckIoCount),
            (E::Disabled, Disabled),
            (E::PowerDown, GoingToDx),
            (E::PowerDownFailed, PowerFailed),
            (E::PowerUpFailed, PowerFailed),
            (E::Stop, Stopped),
        ],
        Busy => &[
            (E::IoDecrement, DecrementIo),
            (E::Disabled, Disabled),
            (E::PowerDown, GoingToDx),
            (E::PowerDownFailed, PowerFailed),
        ],
        TimerRunning => &[
            (E::Disabled, Disabling),
            (E::IoIncrement, CancelTimer),
            (E::Enabled, CancelTimer),
            (E::TimerExpired, TimingOut),
        ],
        TimedOut => &[
            (E::PowerDown, TimedOutPowerDown),
            (E::PowerDownFailed, TimedOutPowerDownFailed),
            (E::Disabled, TimedOutDisabled),
            (E::Enabled, TimedOutEnabled),
            (E::IoIncrement, TimedOutIoIncrement),
        ],
        InDx => &[
            (E::PowerUpComplete, PowerUp),
            (E::PowerUpFailed, InDxPowerUpFailure),
            (E::PowerDownFailed, InDxPowerUpFailure),
            (E::Stop, InDxStopped),
            (E::Disabled, InDxDisabled),
            (E::IoIncrement, InDxIoIncrement),
            (E::IoDecrement, InDx),
            (E::PowerDown, InDx),
            (E::Enabled, InDxEnabled),
        ],
        WaitForTimeout => &[
            (E::TimerExpired, TimerExpired),
            (E::PowerDownFailed, PowerFailedWaitForTimeout),
            (E::Disabled, DisablingWaitForTimeout),
        ],
        DisablingWaitForTimeout => &[(E::TimerExpired, DisablingTimerExpired)],
        PowerFailedWaitForTimeout => &[(E::TimerExpired, PowerFailed)],
        // The machine does not rest in any other.
        _ => &[],
    };
    rows.iter().find(|(known, _)| *known == event).map(|&(_, target)| target)
}

impl Device {
    fn idle(self, m: &mut Machine) -> &mut Idle {
        &mut self.body(m).pnp.idle
    }

    /// Sends the machine an event; a device that does not own its power policy has none.
    pub(super) fn idle_event(self, m: &mut Machine, event: IdleEvent) {
        if !self.is_policy_owner(m) {
            return;
        }
        self.idle_process_raised(m, event);
    }

    /// The machine's lock is a spin lock.
    fn idle_process_raised(self, m: &mut Machine, event: IdleEvent) {
        let irql = m.irql();
        m.set_irql(Irql::Dispatch);
        self.idle_process(m, event);
        m.set_irql(irql);
    }

    /// ProcessEventLocked.
    fn idle_process(self, m: &mut Machine, event: IdleEvent) {
        let idle = self.idle(m);
        let (state, enabled) = (idle.state, idle.timer_enabled);
        let mut next = target(state, event);
        if next.is_none() {
            let quiet = matches!(event, IdleEvent::IoIncrement | IdleEvent::IoDecrement)
                || event == IdleEvent::Enabled && enabled;
            if !quiet {
                self.log_drop(m, &sites::IDLE_DROPPED, [state as u64, event as u64]);
            }
        }
        while let Some(state) = next {
            let from = std::mem::replace(&mut self.idle(m).state, state);
            self.log_state(m, &sites::IDLE_STATE, state as u64, from as u64);
            next = self.idle_enter(m, state);
        }
    }

    /// What is done on entering a state, and the state that follows at once.
    fn idle_enter(self, m: &mut Machine, state: IdleState) -> Option<IdleState> {
        match state {
            Stopped => self.idle(m).started = false,
            Started => {
                let idle = self.idle(m);
                (idle.started, idle.d0_signalled) = (true, false);
            }
            StartedPowerUp => {
                self.send_d0_notification(m);
                return Some(Disabled);
            }
            StartedPowerFailed => {
                self.idle(m).power_failed = true;
                self.send_d0_notification(m);
            }
            Disabled => self.idle(m).timer_enabled = false,
            CheckIoCount | DecrementIo => {
                let idle = self.idle(m);
                idle.timer_enabled |= state == CheckIoCount;
                return Some(if idle.io_count == 0 { StartTimer } else { Busy });
            }
            StartTimer => {
                self.idle_start_timer(m);
                return Some(TimerRunning);
            }
            Busy | TimerRunning | TimedOut | WaitForTimeout | DisablingWaitForTimeout | PowerFailedWaitForTimeout => {}
            TimingOut => {
                post_policy(m, self, PolicyEvent::PowerTimeoutExpired);
                let idle = self.idle(m);
                (idle.timer_started, idle.d0_signalled) = (false, false);
                return Some(TimedOut);
            }
            TimedOutIoIncrement => {
                self.send_io_present(m, &sites::IDLE_PRESENT_SENT_IN_D0);
                return Some(TimedOut);
            }
            TimedOutPowerDown => {
                self.idle(m).io_present_sent = false;
                return Some(GoingToDx);
            }
            TimedOutPowerDownFailed => {
                self.idle(m).io_present_sent = false;
                return Some(PowerFailed);
            }
            GoingToDx => {
                self.idle(m).d0_signalled = false;
                return Some(InDx);
            }
            InDx => self.idle(m).in_dx = true,
            InDxIoIncrement => {
                self.send_io_present(m, &sites::IDLE_PRESENT_SENT_IN_DX);
                return Some(InDx);
            }
            InDxPowerUpFailure => {
                let idle = self.idle(m);
                (idle.in_dx, idle.io_present_sent) = (false, false);
                return Some(PowerFailed);
            }
            InDxStopped => {
                self.send_d0_notification(m);
                let idle = self.idle(m);
                (idle.in_dx, idle.timer_enabled, idle.io_present_sent) = (false, false, false);
                return Some(Stopped);
            }
            InDxDisabled | InDxEnabled => {
                self.idle(m).timer_enabled = state == InDxEnabled;
                return Some(InDx);
            }
            PowerUp => {
                let idle = self.idle(m);
                (idle.in_dx, idle.io_present_sent) = (false, false);
                self.send_d0_notification(m);
                return Some(PowerUpComplete);
            }
            PowerUpComplete => {
                let idle = self.idle(m);
                return Some(match (idle.timer_enabled, idle.timer_started) {
                    (true, true) => TimerRunning,
                    (true, false) => CheckIoCount,
                    (false, _) => Disabled,
                });
            }
            TimedOutDisabled | TimedOutEnabled => {
                self.send_d0_notification(m);
                self.idle(m).io_present_sent = false;
                return Some(if state == TimedOutEnabled { CheckIoCount } else { Disabled });
            }
            CancelTimer => return Some(if self.idle_cancel_timer(m) { CheckIoCount } else { WaitForTimeout }),
            TimerExpired => {
                self.idle(m).timer_started = false;
                return Some(CheckIoCount);
            }
            Disabling => return Some(if self.idle_cancel_timer(m) { Disabled } else { DisablingWaitForTimeout }),
            DisablingTimerExpired => {
                self.idle(m).timer_started = false;
                post_policy(m, self, PolicyEvent::PowerTimeoutExpired);
                return Some(Disabled);
            }
            PowerFailed => {
                let idle = self.idle(m);
                (idle.power_failed, idle.timer_enabled) = (true, false);
                self.send_d0_notification(m);
                return Some(Disabled);
            }
        }
        None
    }

    fn send_d0_notification(self, m: &mut Machine) {
        let idle = self.idle(m);
        idle.d0_signalled = true;
        if std::mem::take(&mut idle.tell_pnp) {
            post::<Pnp>(m, self, PnpEvent::DeviceInD0);
        }
    }

    fn send_io_present(self, m: &mut Machine, sent_already: &'static crate::trace::Site) {
        if std::mem::replace(&mut self.idle(m).io_present_sent, true) {
            let driver = self.driver(m);
            trace(m, driver, sent_already, [self.object().handle()]);
        } else {
            post_policy(m, self, PolicyEvent::IoPresent);
        }
    }

    fn idle_start_timer(self, m: &mut Machine) {
        let timeout = self.idle(m).timeout;
        let timer = m.set_timer(timeout, timed_out, Context(self.0.id.to_word()));
        let idle = self.idle(m);
        (idle.timer, idle.timer_started) = (Some(timer), true);
    }

    fn idle_cancel_timer(self, m: &mut Machine) -> bool {
        let timer = self.idle(m).timer.take();
        let cancelled = timer.is_some_and(|timer| m.cancel_timer(timer));
        if cancelled {
            self.idle(m).timer_started = false;
        }
        cancelled
    }

    /// DisableTimer. Returns whether the timer is off, and not just about to fire.
    pub(super) fn disable_idle_timer(self, m: &mut Machine) -> bool {
        self.idle_event(m, IdleEvent::Disabled);
        !self.idle(m).timer_started
    }

    /// QueryReturnToIdle.
    pub(super) fn returns_to_idle(self, m: &mut Machine) -> bool {
        let idle = self.idle(m);
        idle.io_present_sent = false;
        idle.in_dx && !idle.timer_started && idle.io_count == 0
    }

    /// IoIncrement: something keeps the device in D0 from now on. STATUS_PENDING while it is not there yet.
    fn power_increment(self, m: &mut Machine, tell_pnp: bool) -> NtStatus {
        let mut idle = self.idle(m);
        if idle.power_failed || !idle.started {
            return STATUS_POWER_STATE_INVALID;
        }
        idle.io_count += 1;
        if !idle.only_counts() {
            self.idle_process_raised(m, IdleEvent::IoIncrement);
            idle = self.idle(m);
        }
        if idle.in_d0() {
            return STATUS_SUCCESS;
        }
        idle.tell_pnp |= tell_pnp;
        STATUS_PENDING
    }

    /// PowerReference. With `wait` the call comes back in D0, or with the reason why not.
    pub(crate) fn power_reference(self, m: &mut Machine, wait: bool) -> NtStatus {
        let status = self.power_increment(m, false);
        if status != STATUS_PENDING || !wait {
            return status;
        }
        let (driver, handle) = (self.driver(m), self.object().handle());
        let thread = m.current_thread();
        trace(m, driver, &sites::IDLE_WAITING, [handle, thread]);
        m.wait("a device to be powered up", move |m| {
            fx(m).devices.get(self.0.id).is_none_or(|body| body.pnp.idle.d0_signalled)
        });
        let idle = self.idle(m);
        let line = match (idle.power_failed, idle.started) {
            (false, true) => return STATUS_SUCCESS,
            (true, _) => &sites::IDLE_WAIT_POWER_FAILED,
            (false, false) => &sites::IDLE_WAIT_BAD_STATE,
        };
        let status = STATUS_POWER_STATE_INVALID;
        trace(m, driver, line, [handle, thread, status.0.into()]);
        self.idle(m).io_count -= 1;
        self.idle_event(m, IdleEvent::IoDecrement);
        status
    }

    /// The reference of a PnP query, which hears of D0 by an event.
    pub(super) fn power_reference_for_query(self, m: &mut Machine) -> NtStatus {
        if self.is_policy_owner(m) { self.power_increment(m, true) } else { STATUS_SUCCESS }
    }

    /// IoDecrement.
    pub(crate) fn power_dereference(self, m: &mut Machine) {
        let idle = self.idle(m);
        idle.io_count -= 1;
        if idle.io_count >= 0 && idle.only_counts() {
            return;
        }
        if idle.io_count < 0 {
            let driver = self.driver(m);
            let arguments = [self.object().handle(), self.device_object(m).address()];
            trace(m, driver, &sites::IDLE_NO_REFERENCE, arguments);
            debug_break(m, driver);
        }
        if !self.idle(m).only_counts() {
            self.idle_process_raised(m, IdleEvent::IoDecrement);
        }
    }

    /// What a PnP query took.
    pub(super) fn power_dereference_self(self, m: &mut Machine) {
        if self.is_policy_owner(m) {
            self.power_dereference(m);
        }
    }

    /// `WdfDeviceAssignS0IdleSettings` for a device that cannot wake itself.
    ///
    /// # Errors
    /// What the device's stack answers when it cannot say what it can do;
    /// STATUS_INVALID_DEVICE_REQUEST for a device that does not own its stack's power policy.
    ///
    /// Source: S/irphandlers/pnp/fxpkgpnp.cpp:2990-3530.
    pub fn assign_s0_idle_settings(self, m: &mut Machine, settings: IdleSettings) -> Result<(), NtStatus> {
        if !self.is_policy_owner(m) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        if !self.body(m).pnp.capabilities_queried && m.irql() == Irql::Passive {
            self.query_capabilities(m)?;
        }
        let driver = self.driver(m);
        match settings.up_on_system_wake {
            Some(true) => trace(m, driver, &sites::IDLE_POWER_UP_ON_WAKE, []),
            Some(false) => trace(m, driver, &sites::IDLE_STAY_DOWN_ON_WAKE, []),
            None => {}
        }
        let idle = self.idle(m);
        idle.up_on_system_wake = settings.up_on_system_wake.unwrap_or(false);
        idle.dx_state = settings.dx_state;
        idle.timeout = Ticks::from_millis(settings.timeout_ms.into());
        idle.enabled = settings.enabled;
        post_policy(m, self, PolicyEvent::S0IdlePolicyChanged);
        Ok(())
    }

    /// `WdfDeviceStopIdle`: the device is kept in D0 until [`Device::resume_idle`]. With `wait` the call comes back
    /// when it is there; that needs PASSIVE_LEVEL.
    ///
    /// The answer is STATUS_PENDING for a device that is still on its way, STATUS_POWER_STATE_INVALID for one that is not
    /// started.
    ///
    /// Source: S/core/fxdeviceapi.cpp (StopIdleWorker).
    pub fn stop_idle(self, m: &mut Machine, wait: bool) -> NtStatus {
        let driver = self.driver(m);
        let status = if self.is_policy_owner(m) { self.power_reference(m, wait) } else { STATUS_INVALID_DEVICE_STATE };
        let arguments = [self.object().handle(), wait.into(), status.0.into()];
        trace(m, driver, &sites::STOP_IDLE, arguments);
        status
    }

    /// `WdfDeviceResumeIdle`: gives the reference of [`Device::stop_idle`] back.
    pub fn resume_idle(self, m: &mut Machine) {
        if self.is_policy_owner(m) {
            self.power_dereference(m);
        }
    }
}

/// The timer's DPC.
fn timed_out(m: &mut Machine, context: Context) {
    if let Some(device) = Device::from_word(context.0).filter(|device| device.object().exists(m)) {
        device.idle(m).timer = None;
        device.idle_event(m, IdleEvent::TimerExpired);
    }
}
