//! Power IRPs: they arrive, become events, and are let go; the owner of a stack's power policy asks for those that it
//! needs.
//!
//! Source: S/irphandlers/pnp/fxpkgpnp.cpp:700-760, fdopower.cpp, pdopower.cpp; powerpolicystatemachine.cpp:9450-9700.

use vbus_wdm::constants::*;
use vbus_wdm::{
    Context, Control, DeviceObject, DevicePowerState, IoStatus, Irp, Irql, Machine, NtStatus, Parameters, PowerMinor,
    PowerParameters, PowerState, SystemPowerState,
};

use super::events::{PnpEvent, PolicyEvent, PowerEvent};
use super::fire_and_forget;
use super::machine::post;
use super::pnp_machine::Pnp;
use super::policy_machine::post_policy;
use super::power_machine::Power;
use crate::device::{Device, DeviceKind};
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::sites;
use crate::verifier::wdf_violation;

/// WDF_POWER_MULTIPLE_PPO.
const MULTIPLE_OWNERS: u64 = 0xD;

/// Handles a power IRP.
pub(crate) fn dispatch(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let location = m[irp].current();
    let code = location.minor;
    let state = power_state(m, irp);
    let minor = PowerMinor::from_number(code.into());
    log_arrival(m, device, irp, code, state);
    match (minor, state) {
        (Some(PowerMinor::SetPower), Some(PowerState::System(state))) => set_system(m, device, irp, state),
        (Some(PowerMinor::SetPower), Some(PowerState::Device(state))) => set_device(m, device, irp, state),
        (Some(PowerMinor::QueryPower), state) => query(m, device, irp, state),
        (Some(PowerMinor::PowerSequence), _) if is_pdo(m, device) => device.complete_irp(m, irp, STATUS_NOT_SUPPORTED),
        _ => fire_and_forget(m, device, irp),
    }
}

/// The state that a SET_POWER or QUERY_POWER is about.
pub(super) fn power_state(m: &mut Machine, irp: Irp) -> Option<PowerState> {
    match m[irp].current().parameters {
        Parameters::Power(PowerParameters::Power { state, .. }) => Some(state),
        _ => None,
    }
}

fn is_pdo(m: &mut Machine, device: Device) -> bool {
    device.kind(m) == DeviceKind::Pdo
}

fn log_arrival(m: &mut Machine, device: Device, irp: Irp, code: u8, state: Option<PowerState>) {
    let driver = device.driver(m);
    let (handle, device_object) = (device.object().handle(), device.device_object(m).address());
    let (code, irp) = (u64::from(code), irp.address());
    let told = matches!(PowerMinor::from_number(code), Some(PowerMinor::SetPower | PowerMinor::WaitWake));
    match state.filter(|_| told) {
        Some(PowerState::System(state)) => {
            let arguments = [handle, device_object, code, irp, state as u64, state as u64 - 1];
            trace(m, driver, &sites::POWER_DISPATCH_SYSTEM, arguments);
        }
        Some(PowerState::Device(state)) => {
            trace(m, driver, &sites::POWER_DISPATCH_DEVICE, [handle, device_object, code, irp, state as u64]);
        }
        None => trace(m, driver, &sites::POWER_DISPATCH, [handle, device_object, code, irp]),
    }
}

/// A system state: the power policy's business. It goes down before it is acted on, and S0 is not waited for.
fn set_system(m: &mut Machine, device: Device, irp: Irp, state: SystemPowerState) -> NtStatus {
    let wakes = state == SystemPowerState::Working;
    if !device.is_policy_owner(m) {
        if is_pdo(m, device) {
            return device.complete_irp(m, irp, STATUS_SUCCESS);
        }
        return fire_and_forget(m, device, irp);
    }
    let context = Context(device.0.id.to_word());
    match (device.lower_device(m), wakes) {
        (Some(lower), true) => {
            m[irp].copy_current_to_next();
            m[irp].set_completion_routine(system_is_up, context, Control::INVOKE_ALWAYS);
            irp.call_driver(m, lower)
        }
        (Some(lower), false) => {
            pend_system(m, device, irp);
            m[irp].copy_current_to_next();
            m[irp].set_completion_routine(system_goes_down, context, Control::INVOKE_ALWAYS);
            irp.call_driver(m, lower);
            STATUS_PENDING
        }
        (None, true) => {
            tell_policy(m, device, PolicyEvent::S0);
            device.complete_irp(m, irp, STATUS_SUCCESS)
        }
        (None, false) => {
            pend_system(m, device, irp);
            post_policy(m, device, PolicyEvent::Sx);
            STATUS_PENDING
        }
    }
}

fn pend_system(m: &mut Machine, device: Device, irp: Irp) {
    irp.mark_pending(m);
    device.body(m).pnp.pending_system_power = Some(irp);
}

/// Posts an event that another thread looks at.
fn tell_policy(m: &mut Machine, device: Device, event: PolicyEvent) {
    let irql = m.irql();
    m.set_irql(Irql::Dispatch);
    post_policy(m, device, event);
    m.set_irql(irql);
}

fn system_is_up(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, context: Context) -> NtStatus {
    if let Some(device) = Device::from_word(context.0).filter(|device| device.object().exists(m)) {
        tell_policy(m, device, PolicyEvent::S0);
        device.body(m).pnp.release_remove_lock();
    }
    if m[irp].pending_returned {
        irp.mark_pending(m);
    }
    m[irp].io_status.status
}

fn system_goes_down(m: &mut Machine, _: Option<DeviceObject>, _: Irp, context: Context) -> NtStatus {
    if let Some(device) = Device::from_word(context.0) {
        post_policy(m, device, PolicyEvent::Sx);
    }
    STATUS_MORE_PROCESSING_REQUIRED
}

/// A device state: D0 is acted on when everything below is up, the others before they go down.
fn set_device(m: &mut Machine, device: Device, irp: Irp, state: DevicePowerState) -> NtStatus {
    if device.is_policy_owner(m) {
        refuse_unasked(m, device, irp);
        let data = &mut device.body(m).pnp;
        if !std::mem::take(&mut data.requested_power_up) {
            data.requested_power_down = false;
        }
    }
    irp.mark_pending(m);
    let up = state == DevicePowerState::D0;
    if let Some(lower) = device.lower_device(m).filter(|_| up) {
        m[irp].copy_current_to_next();
        let context = Context(device.0.id.to_word());
        m[irp].set_completion_routine(below_is_up, context, Control::INVOKE_ALWAYS);
        irp.call_driver(m, lower);
        return STATUS_PENDING;
    }
    device.body(m).pnp.pending_device_power = Some(irp);
    post::<Power>(m, device, if up { PowerEvent::D0 } else { PowerEvent::Dx });
    STATUS_PENDING
}

/// Only the owner of the power policy asks for device states: a second one would be bug check 0x10D/D. A PDO is checked
/// by the verifier alone.
fn refuse_unasked(m: &mut Machine, device: Device, irp: Irp) {
    let data = &device.body(m).pnp;
    if data.requested_power_up || data.requested_power_down {
        return;
    }
    let (driver, device_object, pdo) = (device.driver(m), device.device_object(m).address(), is_pdo(m, device));
    let line = if pdo { &sites::PDO_POWER_NOT_REQUESTED } else { &sites::FDO_POWER_NOT_REQUESTED };
    trace(m, driver, line, [irp.address(), device.object().handle(), device_object]);
    if !pdo || driver.verifier_on(m) {
        let parameters = [device_object, irp.address()];
        wdf_violation(m, Some(driver), MULTIPLE_OWNERS, parameters, "DispatchDeviceSetPower");
    }
}

fn below_is_up(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, context: Context) -> NtStatus {
    if let Some(device) = Device::from_word(context.0) {
        device.body(m).pnp.pending_device_power = Some(irp);
        post::<Power>(m, device, PowerEvent::D0);
    }
    STATUS_MORE_PROCESSING_REQUIRED
}

/// QUERY_POWER: nobody here objects, as nothing is armed for wake.
fn query(m: &mut Machine, device: Device, irp: Irp, state: Option<PowerState>) -> NtStatus {
    if is_pdo(m, device) {
        return device.complete_irp(m, irp, STATUS_SUCCESS);
    }
    if matches!(state, Some(PowerState::Device(_))) {
        m[irp].io_status.status = STATUS_SUCCESS;
    }
    fire_and_forget(m, device, irp)
}

impl Device {
    /// PowerReleasePendingDeviceIrp: the machine is done with a device state.
    pub(super) fn release_device_power_irp(self, m: &mut Machine) {
        let Some(irp) = self.body(m).pnp.pending_device_power.take() else { return };
        let up = power_state(m, irp) == Some(PowerState::Device(DevicePowerState::D0));
        m[irp].io_status.status = STATUS_SUCCESS;
        if up || is_pdo(m, self) {
            self.complete_irp(m, irp, STATUS_SUCCESS);
        } else {
            fire_and_forget(m, self, irp);
        }
    }

    /// PowerPolicyCompleteSystemPowerIrp.
    pub(super) fn complete_system_power_irp(self, m: &mut Machine) {
        let Some(irp) = self.body(m).pnp.pending_system_power.take() else { return };
        let state = match power_state(m, irp) {
            Some(PowerState::System(state)) => state as u64 - 1,
            _ => 0,
        };
        let driver = self.driver(m);
        trace(m, driver, &sites::POLICY_COMPLETING_SYSTEM, [irp.address(), state, STATUS_SUCCESS.0.into()]);
        self.complete_irp(m, irp, STATUS_SUCCESS);
    }

    /// PowerPolicySendDevicePowerRequest: asks the power manager for a device state, for the whole stack.
    pub(super) fn request_device_power(self, m: &mut Machine, state: DevicePowerState) {
        let data = &mut self.body(m).pnp;
        let up = state == DevicePowerState::D0;
        if up {
            data.requested_power_up = true;
        } else {
            data.requested_power_down = true;
        }
        let (driver, device_object) = (self.driver(m), self.device_object(m));
        let done = if up { powered_up } else { powered_down };
        let (minor, wanted, context) = (PowerMinor::SetPower, PowerState::Device(state), Context(self.0.id.to_word()));
        let asked = device_object.request_power_irp(m, minor, wanted, Some(done), context);
        let status = asked.map_or_else(|status| status, |_| STATUS_PENDING);
        trace(m, driver, &sites::POLICY_REQUESTING, [state as u64 - 1, status.0.into()]);
    }
}

/// The IRP that took the device down is done.
fn powered_down(m: &mut Machine, _: DeviceObject, _: PowerMinor, _: PowerState, context: Context, _: IoStatus) {
    let Some(device) = Device::from_word(context.0).filter(|device| device.object().exists(m)) else { return };
    if std::mem::take(&mut device.body(m).pnp.power_down_failed) {
        post_policy(m, device, PolicyEvent::PowerDownFailed);
        post::<Pnp>(m, device, PnpEvent::PowerDownFailed);
    } else {
        post_policy(m, device, PolicyEvent::PowerDown);
    }
}

/// The IRP that took the device up is done. If it never came here, somebody above ended it.
fn powered_up(m: &mut Machine, _: DeviceObject, _: PowerMinor, _: PowerState, context: Context, _: IoStatus) {
    let Some(device) = Device::from_word(context.0).filter(|device| device.object().exists(m)) else { return };
    if device.body(m).pnp.requested_power_up {
        let (driver, device_object) = (device.driver(m), device.device_object(m).address());
        trace(m, driver, &sites::POLICY_D0_NOT_SEEN, [device.object().handle(), device_object]);
        post_policy(m, device, PolicyEvent::PowerUpNotSeen);
    }
}
