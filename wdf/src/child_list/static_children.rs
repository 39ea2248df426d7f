//! Children that a bus makes one by one, and what a PDO's driver asks of the list that it is in.
//!
//! Source: K/core/fxdevicefdoapi.cpp, fxdevicepdoapi.cpp; K/core/fxchildlist.cpp:1122-1178 (next), 1230-1330 (missing).

use vbus_wdm::constants::*;
use vbus_wdm::{Id, Machine, NtStatus};

use super::{ChildList, Which};
use crate::device::{Device, DeviceKind};
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::sites;
use crate::verifier::debug_break;

impl Device {
    /// The list of the device's static children.
    fn static_list(self, m: &mut Machine) -> Option<ChildList> {
        self.body(m).child_lists.first().copied()
    }

    /// `WdfFdoAddStaticChild`: the PnP manager is told of a PDO that was made with [`crate::DeviceInit::pdo_of`].
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for anything but an FDO and a PDO, STATUS_OBJECT_NAME_EXISTS (a success code in Windows)
    /// for a child that is listed already.
    pub fn add_static_child(self, m: &mut Machine, child: Device) -> Result<(), NtStatus> {
        let (driver, status) = (self.driver(m), STATUS_INVALID_PARAMETER);
        let Some(list) = self.static_list(m) else {
            trace(m, driver, &sites::STATIC_NOT_FDO, [self.object().handle(), status.0.into()]);
            return Err(status);
        };
        if child.kind(m) != DeviceKind::Pdo {
            trace(m, driver, &sites::STATIC_NOT_PDO, [child.object().handle(), status.0.into()]);
            return Err(status);
        }
        list.add(m, child.0.id.to_word(), None)
    }

    /// What a static child's device is listed by.
    pub(super) fn listed_by(self, m: &mut Machine, entry: Id) {
        self.body(m).entry = Some(entry);
    }

    /// `WdfFdoLockStaticChildListForIteration`: nothing changes in the list until it is unlocked.
    pub fn lock_static_children(self, m: &mut Machine) {
        if let Some(list) = self.static_list(m) {
            list.start_iteration(m, Which::ALL);
        }
    }

    /// `WdfFdoUnlockStaticChildListFromIteration`.
    pub fn unlock_static_children(self, m: &mut Machine) {
        if let Some(list) = self.static_list(m) {
            list.stop_iteration(m);
        }
    }

    /// `WdfFdoRetrieveNextStaticChild`: the child after `previous`, or the first, in the locked list.
    pub fn next_static_child(self, m: &mut Machine, previous: Option<Device>, which: Which) -> Option<Device> {
        let list = self.static_list(m)?;
        if which.0 == 0 || which.0 & !Which::ALL.0 != 0 {
            list.complain(m, &sites::STATIC_BAD_FLAGS, which.0.into());
            return None;
        }
        list.next_static(m, previous, which)
    }

    /// `WdfPdoMarkMissing`. One that PnP never heard of goes at once.
    ///
    /// # Errors
    /// STATUS_NO_SUCH_DEVICE for a PDO that is in no list.
    pub fn mark_missing(self, m: &mut Machine) -> Result<(), NtStatus> {
        let list = self.body(m).owning_list.ok_or(STATUS_INVALID_PARAMETER)?;
        match self.body(m).entry.and_then(|entry| list.child_of(m, entry)) {
            Some(child) => list.mark_missing(m, child),
            None => {
                list.process_modifications(m);
                Err(STATUS_NO_SUCH_DEVICE)
            }
        }
    }

    /// `WdfPdoRequestEject`.
    pub fn request_eject(self, m: &mut Machine) {
        match self.known_pdo(m) {
            Some(pdo) => m.request_device_eject(pdo),
            None => {
                let driver = self.driver(m);
                trace(m, driver, &sites::PDO_EJECT_UNKNOWN, [self.object().handle()]);
                debug_break(m, driver);
            }
        }
    }

    /// `WdfPdoRetrieveAddressDescription`.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for a child of a list without address descriptions, and a static one.
    pub fn address(self, m: &mut Machine) -> Result<u64, NtStatus> {
        let refused = STATUS_INVALID_DEVICE_REQUEST;
        let (Some(list), Some(id)) = (self.body(m).owning_list, self.body(m).entry) else { return Err(refused) };
        list.body(m).entry(id).and_then(|entry| entry.address).ok_or(refused)
    }

    /// `WdfPdoUpdateAddressDescription`.
    ///
    /// # Errors
    /// As [`Device::address`].
    pub fn update_address(self, m: &mut Machine, address: u64) -> Result<(), NtStatus> {
        self.address(m)?;
        if let (Some(list), Some(id)) = (self.body(m).owning_list, self.body(m).entry)
            && let Some(entry) = list.body(m).entries.get_mut(id)
        {
            entry.address = Some(address);
        }
        Ok(())
    }

    /// `WdfPdoRetrieveIdentificationDescription`.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for a static child.
    pub fn identification(self, m: &mut Machine) -> Result<u64, NtStatus> {
        let refused = STATUS_INVALID_DEVICE_REQUEST;
        let (Some(list), Some(id)) = (self.body(m).owning_list, self.body(m).entry) else { return Err(refused) };
        if list.is_static(m) {
            return Err(refused);
        }
        list.child_of(m, id).ok_or(refused)
    }
}

impl ChildList {
    fn next_static(self, m: &mut Machine, previous: Option<Device>, which: Which) -> Option<Device> {
        let body = self.body(m);
        if body.scans <= 0 {
            return None;
        }
        let mut after = previous.is_none();
        let described = body.descriptions.iter().filter(|_| which.contains(Which::PRESENT));
        for id in described {
            let Some(entry) = body.entry(id).filter(|entry| !entry.delete_on_scan_end) else { continue };
            let device = Device::from_word(entry.child);
            if after && which.matches(entry.description) {
                return device;
            }
            after |= device == previous;
        }
        let pending = body.modifications.iter().filter(|_| which.contains(Which::PENDING));
        for id in pending {
            let Some(entry) = body.entry(id).filter(|entry| !entry.delete_on_scan_end) else { continue };
            let device = Device::from_word(entry.child);
            if after && entry.modification == super::Modification::Insert {
                return device;
            }
            after |= device == previous;
        }
        None
    }
}
