//! What devices say of themselves: DEVICE_CAPABILITIES and PNP_DEVICE_STATE.

use crate::power::{DevicePowerState, SystemPowerState};

bitflags::bitflags! {
    /// The one-bit members of DEVICE_CAPABILITIES, in their order.
    ///
    /// Source: wdm.h and Windows driver documentation, DEVICE_CAPABILITIES.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct CapabilityFlags: u32 {
        /// `DeviceD1`.
        const DEVICE_D1 = 1 << 0;
        /// `DeviceD2`.
        const DEVICE_D2 = 1 << 1;
        /// `LockSupported`: IRP_MN_SET_LOCK locks the device in its slot.
        const LOCK_SUPPORTED = 1 << 2;
        /// `EjectSupported`: IRP_MN_EJECT puts the device out of its slot.
        const EJECT_SUPPORTED = 1 << 3;
        /// `Removable`: it can be taken from its parent while the system runs.
        const REMOVABLE = 1 << 4;
        /// `DockDevice`.
        const DOCK_DEVICE = 1 << 5;
        /// `UniqueID`: the instance id is unique in the system, not only on its bus.
        const UNIQUE_ID = 1 << 6;
        /// `SilentInstall`.
        const SILENT_INSTALL = 1 << 7;
        /// `RawDeviceOK`: the bus driver can drive it without a function driver.
        const RAW_DEVICE_OK = 1 << 8;
        /// `SurpriseRemovalOK`: pulling it out without asking is no offence.
        const SURPRISE_REMOVAL_OK = 1 << 9;
        /// `WakeFromD0`.
        const WAKE_FROM_D0 = 1 << 10;
        /// `WakeFromD1`.
        const WAKE_FROM_D1 = 1 << 11;
        /// `WakeFromD2`.
        const WAKE_FROM_D2 = 1 << 12;
        /// `WakeFromD3`.
        const WAKE_FROM_D3 = 1 << 13;
        /// `HardwareDisabled`: looked at right after the device appeared, and not again.
        const HARDWARE_DISABLED = 1 << 14;
        /// `NonDynamic`.
        const NON_DYNAMIC = 1 << 15;
        /// `WarmEjectSupported`.
        const WARM_EJECT_SUPPORTED = 1 << 16;
        /// `NoDisplayInUI`.
        const NO_DISPLAY_IN_UI = 1 << 17;
        /// `WakeFromInterrupt`.
        const WAKE_FROM_INTERRUPT = 1 << 19;
        /// `SecureDevice`.
        const SECURE_DEVICE = 1 << 20;
        /// `ChildOfVgaEnabledBridge`.
        const CHILD_OF_VGA_ENABLED_BRIDGE = 1 << 21;
        /// `DecodeIoOnBoot`.
        const DECODE_IO_ON_BOOT = 1 << 22;
    }
}

/// A DEVICE_CAPABILITIES.
///
/// Source: Windows driver documentation, DEVICE_CAPABILITIES.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceCapabilities {
    /// The one-bit members.
    pub flags: CapabilityFlags,
    /// `Address` on the bus; [`DeviceCapabilities::UNKNOWN`] for a bus without.
    pub address: u32,
    /// `UINumber`: a number that a person would find at the slot.
    pub ui_number: u32,
    /// `DeviceState`: the most powered state that the device can keep in each system state, by that state's number.
    pub device_state: [DevicePowerState; SystemPowerState::COUNT],
    /// `SystemWake`: the least powered system state that the device can wake the system from.
    pub system_wake: SystemPowerState,
    /// `DeviceWake`: the least powered device state that it can signal a wake event from.
    pub device_wake: DevicePowerState,
    /// `D1Latency`, in units of 100 microseconds.
    pub d1_latency: u32,
    /// `D2Latency`, in units of 100 microseconds.
    pub d2_latency: u32,
    /// `D3Latency`, in units of 100 microseconds.
    pub d3_latency: u32,
}

impl DeviceCapabilities {
    /// What `Address` and `UINumber` are until somebody knows better.
    pub const UNKNOWN: u32 = u32::MAX;
}

/// What a sender initializes the structure to: zeroes, and -1 for the two numbers.
///
/// Source: Windows driver documentation, IRP_MN_QUERY_CAPABILITIES ("Sending This IRP").
impl Default for DeviceCapabilities {
    fn default() -> Self {
        DeviceCapabilities {
            flags: CapabilityFlags::empty(),
            address: DeviceCapabilities::UNKNOWN,
            ui_number: DeviceCapabilities::UNKNOWN,
            device_state: [DevicePowerState::Unspecified; SystemPowerState::COUNT],
            system_wake: SystemPowerState::Unspecified,
            device_wake: DevicePowerState::Unspecified,
            d1_latency: 0,
            d2_latency: 0,
            d3_latency: 0,
        }
    }
}

bitflags::bitflags! {
    /// PNP_DEVICE_STATE: what QUERY_PNP_DEVICE_STATE answers in `IoStatus.Information`.
    ///
    /// Source: wdm.h; Windows driver documentation, "About PNP_DEVICE_STATE".
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct PnpDeviceState: u32 {
        /// The device is there, but disabled in hardware.
        const DISABLED = 0x1;
        /// Not to be shown to users.
        const DONT_DISPLAY_IN_UI = 0x2;
        /// There, but not functioning: its drivers are to go.
        const FAILED = 0x4;
        /// Physically gone: its drivers are to go.
        const REMOVED = 0x8;
        /// It wants other resources.
        const RESOURCE_REQUIREMENTS_CHANGED = 0x10;
        /// It must not be disabled, and nothing above it.
        const NOT_DISABLEABLE = 0x20;
        /// A wireless device that is out of range.
        const DISCONNECTED = 0x40;
    }
}

impl PnpDeviceState {
    /// The flags in an answer's `Information`, with any that have no name here.
    pub fn from_information(information: u64) -> PnpDeviceState {
        PnpDeviceState::from_bits_retain(information as u32)
    }
}
