//! The callbacks of a device's life, and the lines of those that fail.
//!
//! Source: S/irphandlers/pnp/pnpcallbacks.cpp; wdfdevice.h and wdfpdo.h of the public headers for their signatures.

use vbus_wdm::constants::STATUS_UNSUCCESSFUL;
use vbus_wdm::{DevicePowerState, Machine, NtStatus, PowerState, RelationType, Resource, UsageType};

use super::power_irps::power_state;
use crate::compliance::{self, Inside};
use crate::device::Device;
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::{Site, sites};
use crate::verifier;

/// A callback that cannot fail.
pub type Notice = fn(&mut Machine, Device);

/// A callback whose failure fails the transition.
pub type Transition = fn(&mut Machine, Device) -> Result<(), NtStatus>;

/// A power callback: the device comes from this state, or goes to it.
pub type PowerTransition = fn(&mut Machine, Device, PowerDeviceState) -> Result<(), NtStatus>;

/// EvtDeviceSetLock: whether the device is to be locked into its place, or let go.
pub type SetLock = fn(&mut Machine, Device, bool) -> Result<(), NtStatus>;

/// A PDO's callback that lists resources: of a WDFCMRESLIST, or of a WDFIORESREQLIST.
pub type ResourcesQuery = fn(&mut Machine, Device, &mut Vec<Resource>) -> Result<(), NtStatus>;

/// WDF_POWER_DEVICE_STATE: a device power state, with a word for the last one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)] // The names are the enumerators'.
pub enum PowerDeviceState {
    Invalid = 0,
    D0,
    D1,
    D2,
    D3,
    /// The device is stopped or goes: it may never come back from there.
    D3Final,
}

impl PowerDeviceState {
    pub(crate) const NAMES: &'static [&'static str] = &[
        "WdfPowerDeviceInvalid",
        "WdfPowerDeviceD0",
        "WdfPowerDeviceD1",
        "WdfPowerDeviceD2",
        "WdfPowerDeviceD3",
        "WdfPowerDeviceD3Final",
        "WdfPowerDevicePrepareForHibernation",
    ];
}

impl From<DevicePowerState> for PowerDeviceState {
    fn from(state: DevicePowerState) -> Self {
        match state {
            DevicePowerState::Unspecified => PowerDeviceState::Invalid,
            DevicePowerState::D0 => PowerDeviceState::D0,
            DevicePowerState::D1 => PowerDeviceState::D1,
            DevicePowerState::D2 => PowerDeviceState::D2,
            DevicePowerState::D3 => PowerDeviceState::D3,
        }
    }
}

/// DEVICE_USAGE_NOTIFICATION_TYPE: what special file a device holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)] // The names are the enumerators'.
pub enum SpecialFile {
    Paging = 1,
    Hibernation,
    Dump,
    Boot,
}

impl SpecialFile {
    pub(super) fn index(self) -> usize {
        self as usize - 1
    }
}

impl From<UsageType> for SpecialFile {
    fn from(usage: UsageType) -> Self {
        match usage {
            UsageType::Paging => SpecialFile::Paging,
            UsageType::Hibernation => SpecialFile::Hibernation,
            UsageType::DumpFile => SpecialFile::Dump,
            UsageType::Boot => SpecialFile::Boot,
        }
    }
}

/// WDF_PNPPOWER_EVENT_CALLBACKS and WDF_PDO_EVENT_CALLBACKS: the callbacks of a device's life.
#[derive(Clone, Copy, Default)]
pub struct PnpCallbacks {
    /// EvtDevicePrepareHardware.
    pub prepare_hardware: Option<Transition>,
    /// EvtDeviceReleaseHardware. It is called even where EvtDevicePrepareHardware failed.
    pub release_hardware: Option<Transition>,
    /// EvtDeviceD0Entry, with the state that the device comes from.
    pub d0_entry: Option<PowerTransition>,
    /// EvtDeviceD0EntryPostInterruptsEnabled.
    pub d0_entry_post_interrupts_enabled: Option<PowerTransition>,
    /// EvtDeviceD0ExitPreInterruptsDisabled, with the state that the device goes to.
    pub d0_exit_pre_interrupts_disabled: Option<PowerTransition>,
    /// EvtDeviceD0Exit.
    pub d0_exit: Option<PowerTransition>,
    /// EvtDeviceSelfManagedIoInit: the device is up for the first time.
    pub self_managed_io_init: Option<Transition>,
    /// EvtDeviceSelfManagedIoSuspend.
    pub self_managed_io_suspend: Option<Transition>,
    /// EvtDeviceSelfManagedIoRestart: the device is up again.
    pub self_managed_io_restart: Option<Transition>,
    /// EvtDeviceSelfManagedIoFlush.
    pub self_managed_io_flush: Option<Notice>,
    /// EvtDeviceSelfManagedIoCleanup.
    pub self_managed_io_cleanup: Option<Notice>,
    /// EvtDeviceQueryRemove.
    pub query_remove: Option<Transition>,
    /// EvtDeviceQueryStop.
    pub query_stop: Option<Transition>,
    /// EvtDeviceSurpriseRemoval.
    pub surprise_removal: Option<Notice>,
    /// EvtDeviceUsageNotification: a special file comes to the device, or leaves it.
    pub usage_notification: Option<fn(&mut Machine, Device, SpecialFile, bool)>,
    /// EvtDeviceRelationsQuery.
    pub relations_query: Option<fn(&mut Machine, Device, RelationType)>,
    /// EvtDeviceResourcesQuery (PDO): what the device uses already.
    pub resources_query: Option<ResourcesQuery>,
    /// EvtDeviceResourceRequirementsQuery (PDO): what the device needs.
    pub resource_requirements_query: Option<ResourcesQuery>,
    /// EvtDeviceEject (PDO).
    pub eject: Option<Transition>,
    /// EvtDeviceSetLock (PDO).
    pub set_lock: Option<SetLock>,
    /// EvtDeviceReportedMissing (PDO).
    pub reported_missing: Option<Notice>,
}

impl PnpCallbacks {
    /// Whether the driver has any of the callbacks that the self-managed I/O machine calls.
    pub(super) fn manages_io(&self) -> bool {
        self.self_managed_io_init.is_some()
            || self.self_managed_io_suspend.is_some()
            || self.self_managed_io_restart.is_some()
            || self.self_managed_io_flush.is_some()
            || self.self_managed_io_cleanup.is_some()
    }
}

impl Device {
    fn callbacks(self, m: &mut Machine) -> PnpCallbacks {
        self.body(m).callbacks
    }

    fn call<R>(self, m: &mut Machine, callback: impl FnOnce(&mut Machine) -> R) -> R {
        verifier::at_one_level(m, self, callback)
    }

    /// Calls a callback if there is one. A failure leaves this line.
    fn transition(self, m: &mut Machine, callback: Option<Transition>, line: Option<&'static Site>) -> NtStatus {
        let status = NtStatus::from(callback.map_or(Ok(()), |callback| self.call(m, |m| callback(m, self))));
        if let Some(line) = line.filter(|_| !status.is_success()) {
            let (driver, device_object) = (self.driver(m), self.device_object(m).address());
            trace(m, driver, line, [self.object().handle(), device_object, status.0.into()]);
        }
        status
    }

    /// The line of a power callback that failed.
    pub(super) fn log_power_callback(
        self,
        m: &mut Machine,
        line: &'static Site,
        state: PowerDeviceState,
        status: NtStatus,
    ) {
        self.log_drop(m, line, [state as u64, status.0.into()]);
    }

    fn power_transition(
        self,
        m: &mut Machine,
        callback: Option<PowerTransition>,
        state: PowerDeviceState,
        line: Option<&'static Site>,
    ) -> NtStatus {
        let status = NtStatus::from(callback.map_or(Ok(()), |callback| self.call(m, |m| callback(m, self, state))));
        if let Some(line) = line.filter(|_| !status.is_success()) {
            self.log_power_callback(m, line, state, status);
        }
        status
    }

    pub(super) fn call_prepare_hardware(self, m: &mut Machine) -> NtStatus {
        let callback = self.callbacks(m).prepare_hardware;
        self.transition(m, callback, Some(&sites::PREPARE_HARDWARE_FAILED))
    }

    pub(super) fn call_release_hardware(self, m: &mut Machine) -> NtStatus {
        let callback = self.callbacks(m).release_hardware;
        self.transition(m, callback, Some(&sites::RELEASE_HARDWARE_FAILED))
    }

    pub(super) fn call_d0_entry(self, m: &mut Machine) -> NtStatus {
        let callback = self.callbacks(m).d0_entry;
        let old = self.body(m).pnp.device_power;
        self.power_transition(m, callback, old, Some(&sites::D0_ENTRY_FAILED))
    }

    pub(super) fn call_post_interrupts_enabled(self, m: &mut Machine, old: PowerDeviceState) -> NtStatus {
        let callback = self.callbacks(m).d0_entry_post_interrupts_enabled;
        self.power_transition(m, callback, old, None)
    }

    pub(super) fn call_pre_interrupts_disabled(self, m: &mut Machine, state: PowerDeviceState) -> NtStatus {
        let callback = self.callbacks(m).d0_exit_pre_interrupts_disabled;
        self.power_transition(m, callback, state, None)
    }

    pub(super) fn call_d0_exit(self, m: &mut Machine, state: PowerDeviceState) -> NtStatus {
        let callback = self.callbacks(m).d0_exit;
        self.power_transition(m, callback, state, Some(&sites::D0_EXIT_FAILED))
    }

    pub(super) fn call_self_managed_io_init(self, m: &mut Machine) -> NtStatus {
        let callback = self.callbacks(m).self_managed_io_init;
        self.transition(m, callback, Some(&sites::SELF_MANAGED_IO_INIT_FAILED))
    }

    /// The framework's line of a suspend that fails names another callback.
    pub(super) fn call_self_managed_io_suspend(self, m: &mut Machine) -> NtStatus {
        let callback = self.callbacks(m).self_managed_io_suspend;
        self.transition(m, callback, Some(&sites::SELF_MANAGED_IO_SUSPEND_FAILED))
    }

    pub(super) fn call_self_managed_io_restart(self, m: &mut Machine) -> NtStatus {
        let callback = self.callbacks(m).self_managed_io_restart;
        self.transition(m, callback, Some(&sites::SELF_MANAGED_IO_RESTART_FAILED))
    }

    pub(super) fn call_self_managed_io_flush(self, m: &mut Machine) {
        if let Some(callback) = self.callbacks(m).self_managed_io_flush {
            self.call(m, |m| callback(m, self));
        }
    }

    pub(super) fn call_self_managed_io_cleanup(self, m: &mut Machine) {
        if let Some(callback) = self.callbacks(m).self_managed_io_cleanup {
            self.call(m, |m| callback(m, self));
        }
    }

    pub(super) fn call_query_remove(self, m: &mut Machine) -> NtStatus {
        let callback = self.callbacks(m).query_remove;
        self.transition(m, callback, None)
    }

    pub(super) fn call_query_stop(self, m: &mut Machine) -> NtStatus {
        let callback = self.callbacks(m).query_stop;
        self.transition(m, callback, None)
    }

    pub(super) fn call_surprise_removal(self, m: &mut Machine) {
        if let Some(callback) = self.callbacks(m).surprise_removal {
            let driver = self.driver(m);
            compliance::within(m, driver, Inside::SurpriseRemoval, |m| self.call(m, |m| callback(m, self)));
        }
    }

    pub(super) fn call_eject(self, m: &mut Machine) -> NtStatus {
        let callback = self.callbacks(m).eject;
        self.transition(m, callback, None)
    }

    /// A driver without the callback cannot lock its device.
    ///
    /// Source: S/irphandlers/pnp/pnpcallbacks.cpp:1396.
    pub(super) fn call_set_lock(self, m: &mut Machine, lock: bool) -> NtStatus {
        match self.callbacks(m).set_lock {
            Some(callback) => self.call(m, |m| callback(m, self, lock)).into(),
            None => STATUS_UNSUCCESSFUL,
        }
    }

    pub(super) fn call_usage_notification(self, m: &mut Machine, file: SpecialFile, in_path: bool) {
        if let Some(callback) = self.callbacks(m).usage_notification {
            self.call(m, |m| callback(m, self, file, in_path));
        }
    }

    pub(super) fn call_relations_query(self, m: &mut Machine, kind: RelationType) {
        if let Some(callback) = self.callbacks(m).relations_query {
            self.call(m, |m| callback(m, self, kind));
        }
    }

    /// EvtDeviceReportedMissing, once the bus's answer without the child is on its way.
    pub(crate) fn call_reported_missing(self, m: &mut Machine) {
        if let Some(callback) = self.callbacks(m).reported_missing {
            callback(m, self);
        }
    }

    /// A power callback's state for a device that asked for nothing special.
    pub(super) fn target_of_power_irp(self, m: &mut Machine) -> PowerDeviceState {
        let irp = self.body(m).pnp.pending_device_power;
        match irp.and_then(|irp| power_state(m, irp)) {
            Some(PowerState::Device(state)) => state.into(),
            _ => PowerDeviceState::D3Final,
        }
    }
}
