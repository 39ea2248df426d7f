//! What a starting or leaving device has to do with the world outside the framework: interfaces, resources,
//! capabilities.
//!
//! Source: S/irphandlers/pnp/pnpstatemachine.cpp:1330-1480, 2360-2560, 3434, 3850; fxpkgpnp.cpp:1300-1400.

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus, PnpMinor, PnpParameters};

use super::callbacks::PowerDeviceState;
use super::self_managed_io::SelfManagedIoEvent;
use crate::device::Device;
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::{Site, sites};
use crate::verifier::debug_break;

impl Device {
    /// An interface that the framework would use: nobody below has any. A PDO has nobody to ask.
    pub(crate) fn query_interface_below(self, m: &mut Machine) -> NtStatus {
        match self.lower_device(m) {
            Some(lower) => self.ask(m, lower, PnpMinor::QueryInterface, PnpParameters::None),
            None => STATUS_NOT_SUPPORTED,
        }
    }

    /// QueryForReenumerationInterface: what a device can do about its own restart. A PDO needs nobody below for that, but
    /// a work item, which it keeps.
    ///
    /// Source: S/irphandlers/pnp/fxpkgfdo.cpp:1330-1360; S/inc/private/common/fxpkgpdo.hpp:538-570; fxpkgpnp.cpp:263-290.
    pub(super) fn prepare_for_its_restart(self, m: &mut Machine) {
        if self.lower_device(m).is_some() {
            self.query_interface_below(m);
        } else if std::mem::replace(&mut self.body(m).pnp.has_restart_work_item, true) {
            let driver = self.driver(m);
            trace(m, driver, &sites::RESTART_WORK_ITEM_REUSED, []);
        }
    }

    /// CreatePowerThreadIfNeeded: where power IRPs may come while nothing can be paged in, the stack needs a thread that
    /// is never paged. Nobody below has one, so that the device makes its own.
    ///
    /// Source: S/irphandlers/pnp/km/pnpstatemachinekm.cpp:47-69; fxpkgfdo.cpp:1640-1680.
    pub(super) fn create_power_thread_if_needed(self, m: &mut Machine) {
        let top = self.device_object(m).top_of_stack(m);
        if !m[top].power_pageable && !self.body(m).pnp.has_power_thread {
            self.query_interface_below(m);
            self.body(m).pnp.has_power_thread = true;
        }
    }

    /// There are no resources to match; then EvtDevicePrepareHardware.
    pub(super) fn prepare_hardware(self, m: &mut Machine) -> NtStatus {
        let driver = self.driver(m);
        trace(m, driver, &sites::PNP_MATCH_ENTER, []);
        trace(m, driver, &sites::PNP_MATCH_EXIT, [STATUS_SUCCESS.0.into()]);
        let state = &mut self.body(m).pnp.device_state;
        (state.removed, state.failed, state.resources_changed) = (None, None, None);
        let status = self.call_prepare_hardware(m);
        if !status.is_success() {
            self.refuse_not_supported(m, status, &sites::PNP_PREPARE_BAD_STATUS);
            self.set_internal_failure(m);
            self.set_pnp_irp_status(m, status);
        }
        status
    }

    pub(super) fn release_hardware(self, m: &mut Machine) -> NtStatus {
        let status = self.call_release_hardware(m);
        self.refuse_not_supported(m, status, &sites::PNP_RELEASE_BAD_STATUS);
        status
    }

    /// A status that means "I do not know this IRP" is none that a callback may return.
    pub(super) fn refuse_not_supported(self, m: &mut Machine, status: NtStatus, line: &'static Site) {
        if status == STATUS_NOT_SUPPORTED {
            let driver = self.driver(m);
            trace(m, driver, line, []);
            debug_break(m, driver);
        }
    }

    pub(super) fn set_device_power(self, m: &mut Machine, state: PowerDeviceState) {
        self.body(m).pnp.device_power = state;
    }

    pub(super) fn is_in_special_use(self, m: &mut Machine) -> bool {
        self.body(m).pnp.special_files.iter().any(|&count| count > 0)
    }

    /// PnpCleanupForRemove: nothing reaches the device through its interfaces any more, and its managed queues are empty.
    pub(super) fn clean_up_for_remove(self, m: &mut Machine) {
        self.disable_interfaces(m);
        self.purge_queues(m, true);
        self.self_managed_io(m, SelfManagedIoEvent::Flush);
    }

    /// PnpEventRemovedCommonCode: what the device is made of goes, before REMOVE reaches the device below.
    pub(super) fn removed_for_good(self, m: &mut Machine) {
        self.purge_queues(m, false);
        self.self_managed_io(m, SelfManagedIoEvent::Cleanup);
        self.body(m).pnp.device_state.removed = Some(true);
        crate::device::end::clean_up(m, self);
    }
}
