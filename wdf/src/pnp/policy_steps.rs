//! What a power policy owner does on entering its states.
//!
//! What it tells the PnP machine it tells at DISPATCH_LEVEL, so that the PnP machine goes on in a thread of its own.
//!
//! Source: S/irphandlers/pnp/powerpolicystatemachine.cpp:4000-9400.

use vbus_wdm::{DevicePowerState, Irql, Machine};

use super::events::{PnpEvent, PowerEvent};
use super::idle::IdleEvent;
use super::machine::post;
use super::pnp_machine::Pnp;
use super::power_machine::Power;
use super::states::PowerPolicyState::{self, *};
use crate::device::Device;
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::sites;
use crate::verifier::debug_break;

type Next = Option<PowerPolicyState>;

/// Posts an event that is looked at by another thread.
fn tell_pnp(m: &mut Machine, device: Device, event: PnpEvent) {
    let irql = m.irql();
    m.set_irql(Irql::Dispatch);
    post::<Pnp>(m, device, event);
    m.set_irql(irql);
}

pub(super) fn starting(m: &mut Machine, device: Device) -> Next {
    device.idle_event(m, IdleEvent::Start);
    post::<Power>(m, device, PowerEvent::ImplicitD0);
    None
}

pub(super) fn starting_succeeded(m: &mut Machine, device: Device) -> Next {
    post::<Pnp>(m, device, PnpEvent::PwrPolStarted);
    Some(StartingDecideS0Wake)
}

pub(super) fn starting_failed(m: &mut Machine, device: Device) -> Next {
    device.idle_event(m, IdleEvent::Stop);
    tell_pnp(m, device, PnpEvent::PwrPolStartFailed);
    None
}

pub(super) fn restarting_failed(m: &mut Machine, device: Device) -> Next {
    starting_failed(m, device);
    Some(Stopped)
}

pub(super) fn starting_decide_s0_wake(m: &mut Machine, device: Device) -> Next {
    device.let_children_power_up(m);
    Some(if device.body(m).pnp.idle.enabled { StartedIdleCapable } else { Started })
}

pub(super) fn started(m: &mut Machine, device: Device) -> Next {
    device.disable_idle_timer(m);
    None
}

pub(super) fn started_idle_capable(m: &mut Machine, device: Device) -> Next {
    device.idle_event(m, IdleEvent::Enabled);
    None
}

/// Where the timer may be running, its last word is waited for.
pub(super) fn cancel_timer(m: &mut Machine, device: Device, [cancelled, wait]: [PowerPolicyState; 2]) -> Next {
    Some(if device.disable_idle_timer(m) { cancelled } else { wait })
}

/// A device whose children are up does not idle out.
pub(super) fn timer_expired_no_wake(m: &mut Machine, device: Device) -> Next {
    let has_children = device.enumerates(m);
    let data = &mut device.body(m).pnp;
    let (children, dx) = (data.children_powered_on, data.idle.dx_state);
    if has_children && children > 0 {
        let driver = device.driver(m);
        let arguments = [device.object().handle(), device.device_object(m).address(), children.into()];
        trace(m, driver, &sites::POLICY_CHILDREN_UP, arguments);
        return Some(TimerExpiredNoWakeUndoPowerDown);
    }
    device.body(m).pnp.children_can_power_up = false;
    device.request_device_power(m, dx);
    None
}

pub(super) fn complete_power_down(m: &mut Machine, device: Device) -> Next {
    post::<Power>(m, device, PowerEvent::CompleteDx);
    None
}

pub(super) fn powered_down_disable_idle_timer(m: &mut Machine, device: Device) -> Next {
    device.disable_idle_timer(m);
    Some(WaitingUnarmedQueryIdle)
}

pub(super) fn query_idle(m: &mut Machine, device: Device, busy: PowerPolicyState) -> Next {
    Some(if device.returns_to_idle(m) { WaitingUnarmed } else { busy })
}

pub(super) fn power_up(m: &mut Machine, device: Device) -> Next {
    device.request_device_power(m, DevicePowerState::D0);
    None
}

pub(super) fn complete_power_up(m: &mut Machine, device: Device) -> Next {
    post::<Power>(m, device, PowerEvent::CompleteD0);
    None
}

/// The D IRP came back without having been here.
pub(super) fn not_processed(m: &mut Machine, device: Device, next: PowerPolicyState) -> Next {
    device.set_internal_failure(m);
    Some(next)
}

pub(super) fn sleeping(m: &mut Machine, device: Device) -> Next {
    let data = &device.body(m).pnp;
    if data.special_files[1] == 0 && data.children_powered_on > 0 {
        let driver = device.driver(m);
        trace(m, driver, &sites::POLICY_CHILDREN_STILL_UP, [device.object().handle()]);
        debug_break(m, driver);
    }
    Some(SleepingNoWakePowerDown)
}

pub(super) fn sleeping_no_wake_power_down(m: &mut Machine, device: Device) -> Next {
    device.body(m).pnp.children_can_power_up = false;
    device.request_device_power(m, DevicePowerState::D3);
    None
}

pub(super) fn system_asleep_no_wake(m: &mut Machine, device: Device) -> Next {
    device.complete_system_power_irp(m);
    None
}

pub(super) fn system_sleep_power_request_failed(m: &mut Machine, device: Device) -> Next {
    device.complete_system_power_irp(m);
    Some(DevicePowerRequestFailed)
}

/// A device that idled out stays down, unless its driver said otherwise.
pub(super) fn system_wake_device_wake_disabled(m: &mut Machine, device: Device) -> Next {
    let idle = &device.body(m).pnp.idle;
    Some(if idle.enabled && !idle.up_on_system_wake { SystemWakeQueryIdle } else { SystemWakeDeviceToD0 })
}

pub(super) fn device_d0_power_request_failed(m: &mut Machine, device: Device) -> Next {
    device.set_internal_failure(m);
    post::<Pnp>(m, device, PnpEvent::PowerUpFailed);
    Some(DevicePowerRequestFailed)
}

pub(super) fn device_power_request_failed(m: &mut Machine, device: Device) -> Next {
    device.let_children_power_up(m);
    device.body(m).pnp.power_failed = true;
    None
}

pub(super) fn stopping(m: &mut Machine, device: Device) -> Next {
    device.body(m).pnp.children_can_power_up = false;
    post::<Power>(m, device, PowerEvent::ImplicitD3);
    None
}

pub(super) fn stopping_failed(m: &mut Machine, device: Device) -> Next {
    device.body(m).pnp.power_failed = true;
    Some(StoppingSendStatus)
}

pub(super) fn stopping_send_status(m: &mut Machine, device: Device) -> Next {
    device.idle_event(m, IdleEvent::Stop);
    let failed = std::mem::take(&mut device.body(m).pnp.power_failed);
    tell_pnp(m, device, if failed { PnpEvent::PwrPolStopFailed } else { PnpEvent::PwrPolStopped });
    Some(Stopped)
}

/// A removal without a query finds an idle device down: it comes up first.
pub(super) fn stopping_reset_device(m: &mut Machine, device: Device) -> Next {
    device.disable_idle_timer(m);
    device.request_device_power(m, DevicePowerState::D0);
    None
}

pub(super) fn stopping_reset_device_failed(m: &mut Machine, device: Device) -> Next {
    device.body(m).pnp.power_failed = true;
    Some(Stopping)
}

pub(super) fn removed(m: &mut Machine, device: Device) -> Next {
    tell_pnp(m, device, PnpEvent::PwrPolRemoved);
    None
}
