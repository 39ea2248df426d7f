//! The framework's PnP package: from a PnP or power IRP to the events of a device's machines, to callbacks and log lines.
//!
//! An IRP becomes an event; the tables of the machines say where it leads, and the steps say what is done there.
//!
//! Source: S/irphandlers/pnp/fxpkgpnp.cpp, fxpkgfdo.cpp, fxpkgpdo.cpp.

pub(crate) mod callbacks;
pub(crate) mod capabilities;
mod children;
mod dispatch;
pub(crate) mod events;
mod hardware;
pub(crate) mod identity;
pub(crate) mod idle;
pub(crate) mod interfaces;
mod io;
mod irps;
mod machine;
mod not_owner;
mod pnp_machine;
mod pnp_steps;
mod policy_machine;
mod policy_steps;
mod power_irps;
mod power_machine;
mod power_steps;
mod queries;
mod remove;
mod self_managed_io;
pub(crate) mod states;
mod usage;

pub(crate) use dispatch::dispatch;
pub(crate) use irps::fire_and_forget;
pub(crate) use power_irps::dispatch as dispatch_power;
pub(crate) use remove::{child_never_reported, parent_was_removed, remove_failed_device};

use vbus_wdm::{Irp, Machine, NtStatus, PnpAnswer, PnpMinor, PnpParameters};

use crate::device::{Device, DeviceKind};
use crate::driver::Driver;
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::sites;

use callbacks::{PnpCallbacks, PowerDeviceState};
use events::{PnpEvent, PolicyEvent, PowerEvent};
use idle::Idle;
use machine::{EventQueue, post};
use pnp_machine::Pnp;
use states::{PnpState, PowerPolicyState, PowerState, SelfManagedIoState};

/// Where a device's machines are, the IRPs they hold, and the device's remove lock.
pub(crate) struct PnpData {
    pnp: PnpState,
    power: PowerState,
    policy: PowerPolicyState,
    pnp_events: EventQueue<PnpEvent>,
    power_events: EventQueue<PowerEvent>,
    policy_events: EventQueue<PolicyEvent>,
    idle: Idle,
    /// `None` where the driver has none of its callbacks.
    self_managed_io: Option<SelfManagedIoState>,
    policy_owner: bool,

    /// The PnP IRP that the machine works on.
    pending_pnp: Option<Irp>,
    /// That IRP is passed on, or completed, when the machine is at rest.
    forget_irp: bool,
    forgotten_irp: Option<Irp>,
    pending_device_power: Option<Irp>,
    pending_system_power: Option<Irp>,
    requested_power_up: bool,
    requested_power_down: bool,

    /// A REMOVE waits for the machine, and the machine is done with it.
    waits_for_removal: bool,
    set_removed: bool,
    signal_removed: bool,
    removal_processed: bool,
    delayed_deletion: bool,
    eject_processed: bool,
    /// The PDO's bus let go of it: REMOVE deletes it.
    can_be_deleted: bool,

    internal_failure: bool,
    failed: bool,
    failed_action: Option<FailedAction>,
    /// A callback failed on the way down: the power policy is told when the IRP is done.
    power_failed: bool,
    power_down_failed: bool,
    io_callback_failed: bool,
    capabilities: capabilities::Said,
    capabilities_queried: bool,

    stop_count: i32,
    /// Paging, hibernation, dump and boot files on the device.
    special_files: [i32; 4],
    special_file_support: [bool; 4],
    pageable_capable: bool,
    has_power_thread: bool,
    has_restart_work_item: bool,
    pub(crate) device_state: DeviceState,

    /// What the device's children ask it for, and what it waits for: itself, and every child on its way out.
    children_can_power_up: bool,
    children_powered_on: u32,
    pending_children: i32,
    parent_waits: bool,

    device_power: PowerDeviceState,
    pub(crate) in_d0: bool,
    remove_lock: u32,
    removed: bool,
}

impl Default for PnpData {
    fn default() -> Self {
        PnpData {
            pnp: PnpState::ObjectCreated,
            power: PowerState::ObjectCreated,
            policy: PowerPolicyState::ObjectCreated,
            pnp_events: EventQueue::default(),
            power_events: EventQueue::default(),
            policy_events: EventQueue::default(),
            idle: Idle::default(),
            self_managed_io: None,
            policy_owner: false,
            pending_pnp: None,
            forget_irp: false,
            forgotten_irp: None,
            pending_device_power: None,
            pending_system_power: None,
            requested_power_up: false,
            requested_power_down: false,
            waits_for_removal: false,
            set_removed: false,
            signal_removed: false,
            removal_processed: false,
            delayed_deletion: false,
            eject_processed: false,
            can_be_deleted: false,
            internal_failure: false,
            failed: false,
            failed_action: None,
            power_failed: false,
            power_down_failed: false,
            io_callback_failed: false,
            capabilities: capabilities::Said::default(),
            capabilities_queried: false,
            stop_count: 0,
            special_files: [0; 4],
            special_file_support: [false; 4],
            pageable_capable: false,
            has_power_thread: false,
            has_restart_work_item: false,
            device_state: DeviceState::default(),
            children_can_power_up: false,
            children_powered_on: 0,
            pending_children: 1,
            parent_waits: false,
            device_power: PowerDeviceState::D3Final,
            in_d0: false,
            remove_lock: 0,
            removed: false,
        }
    }
}

impl PnpData {
    /// The package of a device with these callbacks.
    pub(crate) fn new(callbacks: &PnpCallbacks, policy_owner: bool) -> PnpData {
        let self_managed_io = callbacks.manages_io().then_some(SelfManagedIoState::Created);
        PnpData { self_managed_io, policy_owner, ..PnpData::default() }
    }

    /// DO_POWER_PAGABLE of the device as it was made.
    pub(crate) fn set_pageable_capable(&mut self, capable: bool) {
        self.pageable_capable = capable;
    }

    /// `IoAcquireRemoveLock`. False once the device is being removed.
    pub(crate) fn acquire_remove_lock(&mut self) -> bool {
        if !self.removed {
            self.remove_lock += 1;
        }
        !self.removed
    }

    /// `IoReleaseRemoveLock`.
    pub(crate) fn release_remove_lock(&mut self) {
        self.remove_lock -= 1;
    }
}

/// WDF_DEVICE_FAILED_ACTION: what a driver wants of a device that it gives up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FailedAction {
    /// WdfDeviceFailedAttemptRestart: PnP takes the device down and builds it again.
    AttemptRestart = 1,
    /// WdfDeviceFailedNoRestart.
    NoRestart = 2,
}

/// WDF_DEVICE_STATE: what the driver says of its device when the PnP manager asks. `None` leaves what others said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DeviceState {
    /// PNP_DEVICE_DISABLED.
    pub disabled: Option<bool>,
    /// PNP_DEVICE_DONT_DISPLAY_IN_UI.
    pub dont_display_in_ui: Option<bool>,
    /// PNP_DEVICE_FAILED.
    pub failed: Option<bool>,
    /// PNP_DEVICE_NOT_DISABLEABLE.
    pub not_disableable: Option<bool>,
    /// PNP_DEVICE_REMOVED.
    pub removed: Option<bool>,
    /// PNP_DEVICE_RESOURCE_REQUIREMENTS_CHANGED.
    pub resources_changed: Option<bool>,
}

/// Where in its device's allocation the PnP package lies.
const PACKAGE_OFFSET: u64 = 0x1F0;

/// FX_TYPE_CM_RES_LIST, of which every PnP package has two, and FX_TYPE_IO_RES_REQ_LIST.
const RESOURCE_LIST: u64 = 0x1036;
const REQUIREMENTS_LIST: u64 = 0x1037;

/// A device's PnP package was made, before the device can be reached. An FDO that owns its stack's power policy asks
/// below for the D3cold interface.
///
/// Source: S/irphandlers/pnp/fxpkgpnp.cpp:500-560, S/irphandlers/pnp/km/fxpkgpnpkm.cpp:566.
pub(crate) fn package_created(m: &mut Machine, device: Device) {
    let driver = device.driver(m);
    let body = device.body(m);
    if body.kind == DeviceKind::Control {
        return;
    }
    let asks = body.pnp.policy_owner;
    if let (Some(pdo), Some(lower), true) = (body.pdo, body.lower, asks) {
        let look = |m: &mut Machine, status: NtStatus, _| {
            if !status.is_success() {
                trace(m, driver, &sites::PNP_NO_D3COLD, [pdo.address()]);
            }
        };
        device.ask_and_look(m, lower, PnpMinor::QueryInterface, PnpParameters::None, PnpAnswer::None, look);
    }
    lock_of_unordered_type(m, driver, RESOURCE_LIST);
    lock_of_unordered_type(m, driver, RESOURCE_LIST);
}

/// The framework makes an object with a lock of a type for which nobody said in which order it is taken.
fn lock_of_unordered_type(m: &mut Machine, driver: Driver, lock_type: u64) {
    if driver.verifier_on(m) {
        trace(m, driver, &sites::LOCK_WITHOUT_ORDER, [lock_type]);
    }
}

/// A device of the PnP tree was created.
pub(crate) fn device_created(m: &mut Machine, device: Device) {
    post::<Pnp>(m, device, PnpEvent::AddDevice);
}

/// Whether a device's I/O can still be configured. The error says whether it is a control device, whose driver has
/// finished with it, or one that was started.
pub(crate) fn still_initializing(m: &mut Machine, device: Device) -> Result<(), bool> {
    let control = device.kind(m) == DeviceKind::Control;
    let device_object = device.device_object(m);
    let early = if control { m[device_object].initializing } else { device.body(m).pnp.pnp == PnpState::Init };
    if early { Ok(()) } else { Err(control) }
}

impl Device {
    /// Whether the device decides about the power of its stack.
    pub(crate) fn is_policy_owner(self, m: &mut Machine) -> bool {
        self.body(m).pnp.policy_owner
    }

    /// `WdfDeviceGetDevicePnpState`.
    pub fn pnp_state(self, m: &mut Machine) -> PnpState {
        self.body(m).pnp.pnp
    }

    /// `WdfDeviceGetDevicePowerState`.
    pub fn power_state(self, m: &mut Machine) -> PowerState {
        self.body(m).pnp.power
    }

    /// `WdfDeviceGetDevicePowerPolicyState`.
    pub fn power_policy_state(self, m: &mut Machine) -> PowerPolicyState {
        self.body(m).pnp.policy
    }

    /// `WdfDeviceSetStaticStopRemove`: whether the device may be stopped and removed by a query. Each `false` needs its
    /// `true`.
    pub fn set_static_stop_remove(self, m: &mut Machine, stoppable: bool) {
        self.body(m).pnp.stop_count += if stoppable { -1 } else { 1 };
    }

    /// `WdfDeviceSetDeviceState`: the PnP manager is asked to ask for it.
    pub fn set_device_state(self, m: &mut Machine, state: DeviceState) {
        self.body(m).pnp.device_state = state;
        self.ask_to_be_asked(m);
    }

    /// `WdfDeviceSetFailed`: the device does not work any more.
    ///
    /// Source: S/irphandlers/pnp/fxpkgpnp.cpp:2700-2900; S/core/fxdeviceapi.cpp (WdfDeviceSetFailed).
    pub fn set_failed(self, m: &mut Machine, action: FailedAction) {
        let (driver, device_object) = (self.driver(m), self.device_object(m).address());
        trace(m, driver, &sites::SET_FAILED, [self.object().handle(), device_object, action as u64]);
        let data = &mut self.body(m).pnp;
        (data.failed_action, data.failed) = (Some(action), true);
        // Nobody below takes a device off its bus and reports it anew, so that the restart is left to the PnP manager.
        self.ask_to_be_asked(m);
    }

    /// InvalidateDeviceState on behalf of the driver: nothing for a PDO that the PnP manager does not know yet.
    fn ask_to_be_asked(self, m: &mut Machine) {
        if let Some(pdo) = self.known_pdo(m) {
            m.invalidate_device_state(pdo);
        }
    }

    /// `IoInvalidateDeviceState` for the stack.
    pub(crate) fn invalidate_state(self, m: &mut Machine) {
        if let Some(pdo) = self.pdo(m) {
            m.invalidate_device_state(pdo);
        }
    }

    /// A callback or a power IRP failed: the PnP manager is told that the device is of no use.
    pub(crate) fn set_internal_failure(self, m: &mut Machine) {
        self.body(m).pnp.internal_failure = true;
        self.invalidate_state(m);
    }
}
