//! QUERY_CAPABILITIES: what a device can do, as its bus, its drivers and the framework say.
//!
//! Source: S/core/fxdeviceapi.cpp:1590-1830 (the DDIs); S/irphandlers/pnp/fxpkgpnp.cpp:5880-6110 (what is kept),
//! fxpkgfdo.cpp:420-640, fxpkgpdo.cpp:560-790 (what is answered); km/supportkm.cpp:48-130 (asking a stack).

use vbus_wdm::constants::*;
use vbus_wdm::{
    CapabilityFlags, DeviceCapabilities, DevicePowerState, Irp, Machine, NtStatus, PnpAnswer, PnpMinor, PnpParameters,
    SystemPowerState,
};

use crate::device::{Device, DeviceKind};
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::sites;

/// WDF_DEVICE_PNP_CAPABILITIES.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PnpCapabilities {
    /// What the device has: `WdfTrue`. Only what the C structure names is looked at.
    pub has: CapabilityFlags,
    /// What it has not: `WdfFalse`. Everything in neither set is `WdfUseDefault`.
    pub lacks: CapabilityFlags,
    /// `Address` on the bus; `None` leaves what is known.
    pub address: Option<u32>,
    /// `UINumber`; `None` leaves what is known.
    pub ui_number: Option<u32>,
}

/// WDF_DEVICE_POWER_CAPABILITIES. What is `None` is the parent's for a PDO, and stays as those below say for the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PowerCapabilities {
    /// Of `DeviceD1`, `DeviceD2` and the `WakeFromDx`: what the device has.
    pub has: CapabilityFlags,
    /// Of the same: what it has not.
    pub lacks: CapabilityFlags,
    /// The most powered state that the device can keep in each system state, by that state's number.
    pub device_state: [Option<DevicePowerState>; SystemPowerState::COUNT],
    /// The least powered device state that it can signal a wake event from.
    pub device_wake: Option<DevicePowerState>,
    /// The least powered system state that it can wake the system from.
    pub system_wake: Option<SystemPowerState>,
    /// In units of 100 microseconds.
    pub d1_latency: Option<u32>,
    /// In units of 100 microseconds.
    pub d2_latency: Option<u32>,
    /// In units of 100 microseconds.
    pub d3_latency: Option<u32>,
}

/// What the driver said its device can do.
#[derive(Clone, Copy, Default)]
pub(super) struct Said {
    pnp: PnpCapabilities,
    power: PowerCapabilities,
}

/// The members that the framework takes over from a function or filter driver: before the IRP goes down only a yes, and
/// when it is back only a no; of the two that are in both sets, both.
const FDO_BEFORE: CapabilityFlags = CapabilityFlags::LOCK_SUPPORTED
    .union(CapabilityFlags::EJECT_SUPPORTED)
    .union(CapabilityFlags::REMOVABLE)
    .union(CapabilityFlags::DOCK_DEVICE)
    .union(CapabilityFlags::SURPRISE_REMOVAL_OK)
    .union(CapabilityFlags::NO_DISPLAY_IN_UI);
const FDO_AFTER: CapabilityFlags = CapabilityFlags::LOCK_SUPPORTED
    .union(CapabilityFlags::EJECT_SUPPORTED)
    .union(CapabilityFlags::DOCK_DEVICE)
    .union(FDO_LAST_WORD);
const FDO_LAST_WORD: CapabilityFlags = CapabilityFlags::REMOVABLE.union(CapabilityFlags::SURPRISE_REMOVAL_OK);

/// The members that it takes over from a bus driver, for its PDOs.
const PDO_PNP: CapabilityFlags = FDO_BEFORE
    .union(CapabilityFlags::UNIQUE_ID)
    .union(CapabilityFlags::SILENT_INSTALL)
    .union(CapabilityFlags::HARDWARE_DISABLED);
const PDO_POWER: CapabilityFlags = CapabilityFlags::DEVICE_D1
    .union(CapabilityFlags::DEVICE_D2)
    .union(CapabilityFlags::WAKE_FROM_D0)
    .union(CapabilityFlags::WAKE_FROM_D1)
    .union(CapabilityFlags::WAKE_FROM_D2)
    .union(CapabilityFlags::WAKE_FROM_D3);

impl Device {
    /// `WdfDeviceSetPnpCapabilities`. IRQL <= DISPATCH_LEVEL.
    pub fn set_pnp_capabilities(self, m: &mut Machine, capabilities: PnpCapabilities) {
        let known = &mut self.body(m).pnp.capabilities.pnp;
        *known = PnpCapabilities {
            address: capabilities.address.or(known.address),
            ui_number: capabilities.ui_number.or(known.ui_number),
            ..capabilities
        };
    }

    /// `WdfDeviceSetPowerCapabilities`. IRQL <= DISPATCH_LEVEL.
    pub fn set_power_capabilities(self, m: &mut Machine, capabilities: PowerCapabilities) {
        let known = &mut self.body(m).pnp.capabilities.power;
        *known = PowerCapabilities {
            device_wake: capabilities.device_wake.or(known.device_wake),
            system_wake: capabilities.system_wake.or(known.system_wake),
            ..capabilities
        };
    }

    /// GetStackCapabilities: asks the device's own stack, from its top, what it can do.
    pub(super) fn query_capabilities(self, m: &mut Machine) -> Result<DeviceCapabilities, NtStatus> {
        let top = self.device_object(m).top_of_stack(m);
        let brought = PnpAnswer::Capabilities(DeviceCapabilities::default());
        let look = |m: &mut Machine, status: NtStatus, answer| {
            if !status.is_success() {
                let driver = self.driver(m);
                trace(m, driver, &sites::STACK_CAPABILITIES_FAILED, [top.address(), status.0.into()]);
                return Err(status);
            }
            match answer {
                PnpAnswer::Capabilities(capabilities) => Ok(capabilities),
                _ => Ok(DeviceCapabilities::default()),
            }
        };
        self.ask_and_look(m, top, PnpMinor::QueryCapabilities, PnpParameters::None, brought, look)
    }
}

/// QUERY_CAPABILITIES: an FDO changes what goes down and what comes back up; a PDO begins with what its bus can do.
pub(super) fn query(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let driver = device.driver(m);
    let said = device.body(m).pnp.capabilities;
    if device.kind(m) == DeviceKind::Pdo {
        let status = answer_for_pdo(m, device, irp, said);
        return device.complete_irp(m, irp, status);
    }
    trace(m, driver, &sites::FDO_CAPABILITIES_ENTER, []);
    m[irp].capabilities().flags |= said.pnp.has & FDO_BEFORE;
    trace(m, driver, &sites::FDO_CAPABILITIES_EXIT, []);
    let status = device.send_down_and_wait(m, irp);
    if status.is_success() {
        trace(m, driver, &sites::FDO_CAPABILITIES_BACK, []);
        said.refine(m[irp].capabilities());
        trace(m, driver, &sites::FDO_CAPABILITIES_DONE, []);
    }
    device.complete_irp(m, irp, status)
}

fn answer_for_pdo(m: &mut Machine, device: Device, irp: Irp, said: Said) -> NtStatus {
    let Some(parent) = device.parent(m).filter(|parent| parent.object().exists(m)) else {
        return STATUS_UNSUCCESSFUL;
    };
    match parent.query_capabilities(m) {
        Ok(of_parent) => {
            let raw = device.body(m).identity.raw;
            said.answer(m[irp].capabilities(), &of_parent, raw);
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

impl Said {
    /// What a function or filter driver has to say once those below have answered: less than they, but for the two
    /// members with which it has the last word.
    fn refine(&self, answer: &mut DeviceCapabilities) {
        let Said { pnp, power } = self;
        answer.flags.remove(pnp.lacks & FDO_AFTER);
        answer.flags.insert(pnp.has & FDO_LAST_WORD);
        let states = answer.device_state.iter_mut().zip(power.device_state).skip(1);
        states.for_each(|(answer, said)| *answer = (*answer).max(said.unwrap_or_default()));
        answer.system_wake = power.system_wake.map_or(answer.system_wake, |said| said.min(answer.system_wake));
        answer.device_wake = power.device_wake.map_or(answer.device_wake, |said| said.min(answer.device_wake));
        answer.d1_latency = answer.d1_latency.max(power.d1_latency.unwrap_or(0));
        answer.d2_latency = answer.d2_latency.max(power.d2_latency.unwrap_or(0));
        answer.d3_latency = answer.d3_latency.max(power.d3_latency.unwrap_or(0));
        answer.address = pnp.address.unwrap_or(answer.address);
        answer.ui_number = pnp.ui_number.unwrap_or(answer.ui_number);
    }

    /// What a bus driver has to say of a PDO.
    fn answer(&self, answer: &mut DeviceCapabilities, parent: &DeviceCapabilities, raw: bool) {
        let Said { pnp, power } = self;
        for (system, state) in answer.device_state.iter_mut().enumerate().skip(1) {
            *state = power.device_state[system].unwrap_or(parent.device_state[system]);
        }
        answer.flags.insert(pnp.has & PDO_PNP | power.has & PDO_POWER);
        answer.flags.remove(pnp.lacks & PDO_PNP | power.lacks & PDO_POWER);
        if raw {
            let silent = CapabilityFlags::SILENT_INSTALL & !(pnp.has | pnp.lacks);
            answer.flags.insert(CapabilityFlags::RAW_DEVICE_OK | silent);
        }
        answer.ui_number = pnp.ui_number.unwrap_or(DeviceCapabilities::UNKNOWN);
        answer.address = pnp.address.unwrap_or(DeviceCapabilities::UNKNOWN);
        answer.system_wake = power.system_wake.unwrap_or(parent.system_wake);
        answer.device_wake = power.device_wake.unwrap_or(parent.device_wake);
        answer.d1_latency = power.d1_latency.unwrap_or(0);
        answer.d2_latency = power.d2_latency.unwrap_or(0);
        // The real framework leaves this one alone where the driver said nothing.
        answer.d3_latency = power.d3_latency.unwrap_or(answer.d3_latency);
    }
}
