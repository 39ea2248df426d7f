//! What a device does on entering the states of its power machine.
//!
//! Source: S/irphandlers/pnp/powerstatemachine.cpp:1650-5860.

use vbus_wdm::Machine;

use super::callbacks::PowerDeviceState;
use super::events::{PnpEvent, PolicyEvent};
use super::idle::IdleEvent;
use super::machine::post;
use super::pnp_machine::Pnp;
use super::policy_machine::post_policy;
use super::self_managed_io::SelfManagedIoEvent;
use super::states::PowerState::{self, *};
use crate::device::{Device, DeviceKind};
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::{Site, sites};

type Next = Option<PowerState>;

pub(super) fn is_pdo(m: &mut Machine, device: Device) -> bool {
    device.kind(m) == DeviceKind::Pdo
}

pub(super) fn starting_check_device_type(m: &mut Machine, device: Device) -> Next {
    Some(if is_pdo(m, device) { StartingChild } else { D0Starting })
}

/// A child comes up when its parent is up; the parent is kept from idling meanwhile.
pub(super) fn starting_child(m: &mut Machine, device: Device) -> Next {
    match device.ask_parent_for_power(m) {
        Ok(parent_is_up) => parent_is_up.then_some(D0Starting),
        Err(status) => {
            let (driver, handle) = (device.driver(m), device.object().handle());
            let parent = device.parent(m).map_or(0, |parent| parent.object().handle());
            trace(m, driver, &sites::POWER_NO_PARENT, [parent, handle, status.0.into()]);
            Some(InitialPowerUpFailed)
        }
    }
}

pub(super) fn check_parent(m: &mut Machine, device: Device, [up, wait, failed]: [PowerState; 3]) -> Next {
    Some(match device.ask_parent_for_power(m) {
        Ok(true) => up,
        Ok(false) => wait,
        Err(_) => failed,
    })
}

pub(super) fn d0_starting(m: &mut Machine, device: Device) -> Next {
    Some(if enter_d0(m, device) { D0StartingConnectInterrupt } else { InitialPowerUpFailedDerefParent })
}

/// EvtDeviceD0Entry. Returns whether the driver agreed.
pub(super) fn enter_d0(m: &mut Machine, device: Device) -> bool {
    device.call_d0_entry(m).is_success()
}

pub(super) fn d0_starting_connect_interrupt(m: &mut Machine, device: Device) -> Next {
    let agreed = connect_interrupts(m, device, &sites::POST_INTERRUPTS_FAILED);
    Some(if agreed { D0StartingDmaEnable } else { InitialConnectInterruptFailed })
}

/// There are no interrupts; EvtDeviceD0EntryPostInterruptsEnabled comes all the same.
pub(super) fn connect_interrupts(m: &mut Machine, device: Device, line: &'static Site) -> bool {
    let old = device.body(m).pnp.device_power;
    let status = device.call_post_interrupts_enabled(m, old);
    if !status.is_success() {
        device.log_power_callback(m, line, old, status);
    }
    status.is_success()
}

pub(super) fn d0_starting_dma_enable(m: &mut Machine, device: Device) -> Next {
    device.scan_for_children(m);
    Some(D0StartingPostHardwareEnabled)
}

pub(super) fn d0_starting_start_self_managed_io(m: &mut Machine, device: Device) -> Next {
    device.resume_queues(m);
    if !device.self_managed_io(m, SelfManagedIoEvent::Start).is_success() {
        return Some(InitialSelfManagedIoFailed);
    }
    device.set_device_power(m, PowerDeviceState::D0);
    send_power_up_events(m, device);
    Some(DecideD0State)
}

pub(super) fn decide_d0_state(m: &mut Machine, device: Device) -> Next {
    // The bus driver of a stack is who arms it for wake.
    Some(match (is_pageable(m, device), is_pdo(m, device)) {
        (true, true) => D0BusWakeOwner,
        (true, false) => D0,
        (false, true) => D0BusWakeOwnerNP,
        (false, false) => D0NP,
    })
}

fn is_pageable(m: &mut Machine, device: Device) -> bool {
    let device_object = device.device_object(m);
    m[device_object].power_pageable
}

/// A device whose flags changed belongs into the other state.
pub(super) fn resting_in_d0(m: &mut Machine, device: Device, pageable: bool) -> Next {
    (is_pageable(m, device) != pageable).then_some(DecideD0State)
}

pub(super) fn goto_d3_stopped(m: &mut Machine, device: Device) -> Next {
    let state = PowerDeviceState::D3Final;
    let driver = device.driver(m);
    let suspended = device.self_managed_io(m, SelfManagedIoEvent::Suspend);
    if !suspended.is_success() {
        trace(m, driver, &sites::STOPPED_SUSPEND_FAILED, [suspended.0.into()]);
    }
    device.hold_queues(m);
    let disabled = device.call_pre_interrupts_disabled(m, state);
    if !disabled.is_success() {
        device.log_power_callback(m, &sites::STOPPED_PRE_INTERRUPTS_FAILED, state, disabled);
    }
    let left = device.call_d0_exit(m, state);
    device.set_device_power(m, state);
    device.parent_power_dereference(m);
    if !(suspended.is_success() && disabled.is_success() && left.is_success()) {
        return Some(FinalPowerDownFailed);
    }
    send_implicit_power_down_events(m, device);
    Some(Stopped)
}

pub(super) fn final_power_down_failed(m: &mut Machine, device: Device) -> Next {
    device.set_internal_failure(m);
    if device.is_policy_owner(m) {
        post_policy(m, device, PolicyEvent::PowerDownFailed);
    } else {
        post_policy(m, device, PolicyEvent::ImplicitPowerDownFailed);
        post::<Pnp>(m, device, PnpEvent::PowerDownFailed);
    }
    Some(Stopped)
}

pub(super) fn goto_dx(m: &mut Machine, device: Device) -> Next {
    let driver = device.driver(m);
    let suspended = device.self_managed_io(m, SelfManagedIoEvent::Suspend);
    if !suspended.is_success() {
        trace(m, driver, &sites::DX_SUSPEND_FAILED, [suspended.0.into()]);
        device.body(m).pnp.io_callback_failed = true;
    }
    device.hold_queues(m);
    post_policy(m, device, PolicyEvent::PowerDownIoStopped);
    None
}

/// The driver's callbacks on the way down. Returns whether all agreed.
pub(super) fn go_down(m: &mut Machine, device: Device) -> bool {
    let state = device.target_of_power_irp(m);
    let disabled = device.call_pre_interrupts_disabled(m, state);
    if !disabled.is_success() {
        device.log_power_callback(m, &sites::DX_PRE_INTERRUPTS_FAILED, state, disabled);
    }
    let left = device.call_d0_exit(m, state);
    device.parent_power_dereference(m);
    device.set_device_power(m, state);
    let suspended = !std::mem::take(&mut device.body(m).pnp.io_callback_failed);
    if !(suspended && disabled.is_success() && left.is_success()) {
        device.body(m).pnp.power_down_failed = true;
        return false;
    }
    match device.is_policy_owner(m) {
        true => device.idle_event(m, IdleEvent::PowerDown),
        false => post_policy(m, device, PolicyEvent::PowerDown),
    }
    device.release_device_power_irp(m);
    true
}

pub(super) fn report_power_down_failed(m: &mut Machine, device: Device) -> Next {
    device.release_device_power_irp(m);
    device.set_internal_failure(m);
    if device.is_policy_owner(m) {
        device.idle_event(m, IdleEvent::PowerDownFailed);
    } else {
        post_policy(m, device, PolicyEvent::PowerDownFailed);
        post::<Pnp>(m, device, PnpEvent::PowerDownFailed);
    }
    None
}

pub(super) fn goto_dx_stopped(m: &mut Machine, device: Device) -> Next {
    send_implicit_power_down_events(m, device);
    Some(Stopped)
}

pub(super) fn goto_stopped(m: &mut Machine, device: Device) -> Next {
    device.release_device_power_irp(m);
    Some(Stopped)
}

pub(super) fn stopped_complete_dx(m: &mut Machine, device: Device) -> Next {
    device.release_device_power_irp(m);
    Some(DxStopped)
}

pub(super) fn dx_stopped_decide_dx_state(m: &mut Machine, device: Device) -> Next {
    send_power_up_events(m, device);
    Some(if is_pageable(m, device) { Dx } else { DxNP })
}

/// The hardware is up; the power policy says when I/O goes on.
pub(super) fn hardware_enabled(m: &mut Machine, device: Device) -> Next {
    post_policy(m, device, PolicyEvent::PowerUpHwStarted);
    None
}

pub(super) fn start_self_managed_io(m: &mut Machine, device: Device, [up, bus_up, failed]: [PowerState; 3]) -> Next {
    device.resume_queues(m);
    if !device.self_managed_io(m, SelfManagedIoEvent::Start).is_success() {
        return Some(failed);
    }
    device.set_device_power(m, PowerDeviceState::D0);
    send_power_up_events(m, device);
    device.release_device_power_irp(m);
    Some(if is_pdo(m, device) { bus_up } else { up })
}

pub(super) fn hold(m: &mut Machine, device: Device, next: PowerState) -> Next {
    device.hold_queues(m);
    Some(next)
}

pub(super) fn disable_interrupts(m: &mut Machine, device: Device, line: &'static Site) {
    let state = PowerDeviceState::D3Final;
    let status = device.call_pre_interrupts_disabled(m, state);
    if !status.is_success() {
        device.log_power_callback(m, line, state, status);
    }
}

/// D0 was entered and has to be left again.
pub(super) fn connect_failed(m: &mut Machine, device: Device) {
    device.call_d0_exit(m, PowerDeviceState::D3Final);
    device.set_device_power(m, PowerDeviceState::D3Final);
}

pub(super) fn waking_connect_interrupt_failed_np(m: &mut Machine, device: Device) -> Next {
    let (driver, device_object) = (device.driver(m), device.device_object(m).address());
    trace(m, driver, &sites::WAKING_DISCONNECT_NP, [device_object, device.object().handle()]);
    connect_failed(m, device);
    Some(ReportPowerUpFailedDerefParent)
}

pub(super) fn disconnect(m: &mut Machine, device: Device) {
    let (driver, device_object) = (device.driver(m), device.device_object(m).address());
    trace(m, driver, &sites::DISCONNECT_NP, [device_object, device.object().handle()]);
}

pub(super) fn report_power_up_failed(m: &mut Machine, device: Device) -> Next {
    device.release_device_power_irp(m);
    send_power_up_failure_event(m, device);
    None
}

pub(super) fn initial_power_up_failed(m: &mut Machine, device: Device) -> Next {
    send_power_up_failure_event(m, device);
    Some(Stopped)
}

fn send_power_up_failure_event(m: &mut Machine, device: Device) {
    device.set_internal_failure(m);
    device.idle_event(m, IdleEvent::PowerUpFailed);
    post_policy(m, device, PolicyEvent::PowerUpFailed);
    post::<Pnp>(m, device, PnpEvent::PowerUpFailed);
}

pub(super) fn power_failed_power_down(m: &mut Machine, device: Device) -> Next {
    device.set_device_power(m, PowerDeviceState::D3Final);
    send_implicit_power_down_events(m, device);
    Some(Stopped)
}

fn send_power_up_events(m: &mut Machine, device: Device) {
    device.idle_event(m, IdleEvent::PowerUpComplete);
    post_policy(m, device, PolicyEvent::PowerUp);
}

fn send_implicit_power_down_events(m: &mut Machine, device: Device) {
    device.idle_event(m, IdleEvent::PowerDown);
    let owner = device.is_policy_owner(m);
    post_policy(m, device, if owner { PolicyEvent::PowerDown } else { PolicyEvent::ImplicitPowerDown });
}
