//! DEVICE_USAGE_NOTIFICATION: a special file comes to the device, or leaves it.
//!
//! Source: S/irphandlers/pnp/fxpkgpnp.cpp:3560-4080.

use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, Irp, Machine, NtStatus, Parameters, PnpMinor, PnpParameters, UsageType};

use super::callbacks::SpecialFile;
use super::events::PowerEvent;
use super::machine::post;
use super::power_machine::Power;
use crate::device::{Device, DeviceKind};
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::sites;

pub(super) fn notify(m: &mut Machine, device: Device, irp: Irp, parameters: Parameters) -> NtStatus {
    let driver = device.driver(m);
    trace(m, driver, &sites::USAGE_ENTER, []);
    let Parameters::Pnp(PnpParameters::Usage { kind: usage, in_path }) = parameters else {
        return device.complete_irp(m, irp, STATUS_NOT_IMPLEMENTED);
    };
    let support = device.body(m).pnp.special_file_support;
    let [paging, hibernation, dump, boot] = support.map(u64::from);
    let asked = [usage as u64, in_path.into(), paging, dump, hibernation, boot, 0];
    trace(m, driver, &sites::USAGE_ASKED, asked);
    let file = SpecialFile::from(usage);
    // A filter has nothing against it; whoever it filters may.
    let supported = !in_path || device.kind(m) == DeviceKind::Filter || support[file.index()];
    if !supported {
        let status = STATUS_NOT_IMPLEMENTED;
        trace(m, driver, &sites::USAGE_NOT_SUPPORTED, [usage as u64, status.0.into()]);
        return device.complete_irp(m, irp, status);
    }
    let was_pageable = device.count_special_file(m, file, in_path);
    let status = device.pass_on_usage(m, irp, usage, in_path);
    if status.is_success() {
        device.call_usage_notification(m, file, in_path);
        device.commit_usage(m, file, was_pageable);
    } else {
        device.revert_usage(m, file, in_path, was_pageable);
    }
    trace(m, driver, &sites::USAGE_EXIT, [status.0.into()]);
    device.complete_irp(m, irp, status)
}

impl Device {
    /// `WdfDeviceSetSpecialFileSupport`: a device that is not asked for anything else supports no special files.
    pub fn set_special_file_support(self, m: &mut Machine, file: SpecialFile, supported: bool) {
        self.body(m).pnp.special_file_support[file.index()] = supported;
    }

    /// SetUsageNotificationFlags. Returns whether the device could be paged before.
    fn count_special_file(self, m: &mut Machine, file: SpecialFile, in_path: bool) -> bool {
        let (driver, handle, device_object) = (self.driver(m), self.object().handle(), self.device_object(m));
        let (flags, was_pageable) = (flags(m, device_object), m[device_object].power_pageable);
        let kind = self.kind(m);
        let data = &mut self.body(m).pnp;
        let count = &mut data.special_files[file.index()];
        let capable = data.pageable_capable;
        let before =
            [file as u64, in_path.into(), *count as u64, flags, device_object.address(), handle, capable.into()];
        *count += if in_path { 1 } else { -1 };
        trace(m, driver, &sites::USAGE_BEFORE, before);
        match kind {
            DeviceKind::Filter => self.copy_pageable_from_below(m),
            _ if in_path => m[device_object].power_pageable = false,
            _ if capable && !self.is_in_special_use(m) => m[device_object].power_pageable = true,
            _ => {}
        }
        was_pageable
    }

    /// A filter has the power flags of the device below it.
    pub(crate) fn copy_pageable_from_below(self, m: &mut Machine) {
        if let Some(lower) = self.lower_device(m) {
            let (device_object, pageable) = (self.device_object(m), m[lower].power_pageable);
            m[device_object].power_pageable = pageable;
        }
    }

    /// The parent of a PDO, then the device below; meanwhile the device is kept in D0.
    fn pass_on_usage(self, m: &mut Machine, irp: Irp, usage: UsageType, in_path: bool) -> NtStatus {
        if let Some(parent) = self.parent(m).filter(|parent| parent.object().exists(m)) {
            let top = parent.device_object(m).top_of_stack(m);
            let status =
                self.ask(m, top, PnpMinor::DeviceUsageNotification, PnpParameters::Usage { kind: usage, in_path });
            if !status.is_success() {
                return status;
            }
        }
        let owner = self.is_policy_owner(m);
        if owner {
            let status = self.power_reference(m, true);
            if !status.is_success() {
                return status;
            }
        }
        m[irp].io_status.status = STATUS_SUCCESS;
        let status = self.send_down_and_wait(m, irp);
        if owner {
            self.power_dereference(m);
        }
        status
    }

    /// CommitUsageNotification.
    fn commit_usage(self, m: &mut Machine, file: SpecialFile, was_pageable: bool) {
        let device_object = self.device_object(m);
        match (was_pageable, m[device_object].power_pageable) {
            (true, false) => post::<Power>(m, self, PowerEvent::MarkNonpageable),
            (false, true) => post::<Power>(m, self, PowerEvent::MarkPageable),
            _ => {}
        }
        self.invalidate_state(m);
        let (driver, handle, flags) = (self.driver(m), self.object().handle(), flags(m, device_object));
        let count = self.body(m).pnp.special_files[file.index()];
        trace(m, driver, &sites::USAGE_AFTER, [count as u64, flags, device_object.address(), handle]);
    }

    fn revert_usage(self, m: &mut Machine, file: SpecialFile, in_path: bool, was_pageable: bool) {
        let device_object = self.device_object(m);
        m[device_object].power_pageable = was_pageable;
        self.body(m).pnp.special_files[file.index()] -= if in_path { 1 } else { -1 };
    }
}

/// DEVICE_OBJECT.Flags, of those that are modelled.
///
/// Source: wdm.h, DO_BUFFERED_IO, DO_DIRECT_IO, DO_DEVICE_INITIALIZING, DO_POWER_PAGABLE.
fn flags(m: &Machine, device: DeviceObject) -> u64 {
    let data = &m[device];
    let io = match data.io_type {
        vbus_wdm::IoType::Buffered => 0x4,
        vbus_wdm::IoType::Direct => 0x10,
        vbus_wdm::IoType::Neither => 0,
    };
    io | (u64::from(data.initializing) * 0x80) | (u64::from(data.power_pageable) * 0x2000)
}
