//! The PnP manager asks the bus for its children: new ones are created, missing ones are reported so.
//!
//! Source: K/core/fxchildlist.cpp:2251-2370 (create), 2417-2830 (relations), 2832-2890 (missing callback).

use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, Id, Machine, NtStatus};

use super::entry::{Description, Entry};
use super::{ChildList, ListState};
use crate::device::Device;
use crate::device::DeviceInit;
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::{Site, sites};
use crate::verifier::debug_break;

impl ChildList {
    /// ProcessBusRelations: adds the list's children to those of other lists. Returns whether there is anything to say,
    /// which is not the same as having children.
    pub(crate) fn process_bus_relations(self, m: &mut Machine, relations: &mut Option<Vec<DeviceObject>>) -> bool {
        self.body(m).state = ListState::LockedForEnum;
        let (present, missing) = self.count(m);
        let mut again = false;
        let says = present > 0 || missing && relations.is_none();
        let prior = prior_address(relations);
        if says {
            self.add_prior(m, relations);
            again = self.report(m, relations.get_or_insert_default());
        } else if missing {
            self.report_only_missing(m);
        } else {
            let driver = self.driver(m);
            trace(m, driver, &sites::CHILDREN_NOTHING, [self.0.handle()]);
        }
        let mut freed = Vec::new();
        self.body(m).state = ListState::Unlocked;
        self.process(m, &mut freed);
        if again && let Some(pdo) = self.device(m).pdo(m) {
            m.invalidate_device_relations(pdo);
        }
        self.free(m, freed);
        if says && let Some(prior) = prior {
            let driver = self.driver(m);
            trace(m, driver, &sites::CHILDREN_PRIOR_FREED, [prior]);
        }
        says
    }

    /// How many children there are to report, and whether any is missing.
    fn count(self, m: &mut Machine) -> (usize, bool) {
        let (mut present, mut missing) = (0, false);
        let body = self.body(m);
        let mut not_present = Vec::new();
        for entry in body.descriptions.iter().filter_map(|id| body.entry(id)) {
            present += usize::from(entry.is_present());
            if entry.description == Description::NotPresent {
                not_present.push(*entry);
            }
        }
        for entry in not_present {
            self.trace_child(m, &entry, &sites::CHILD_NOT_PRESENT);
            missing = true;
        }
        (present, missing)
    }

    fn trace_child(self, m: &mut Machine, entry: &Entry, site: &'static Site) {
        if let Some(child) = entry.device {
            let driver = self.driver(m);
            let pdo = child.device_object(m).address();
            trace(m, driver, site, [child.object().handle(), pdo]);
        }
    }

    /// The children of the lists before this one stay in the answer.
    fn add_prior(self, m: &mut Machine, relations: &Option<Vec<DeviceObject>>) {
        if let (Some(address), Some(prior)) = (prior_address(relations), relations) {
            let driver = self.driver(m);
            trace(m, driver, &sites::CHILDREN_PRIOR, [self.0.handle(), address, prior.len() as u64]);
        }
    }

    fn report_only_missing(self, m: &mut Machine) {
        for id in self.body(m).descriptions.snapshot() {
            self.report_missing(m, id);
        }
    }

    fn report_missing(self, m: &mut Machine, id: Id) {
        let missing = |entry: &&Entry| entry.description == Description::NotPresent;
        let Some(entry) = self.body(m).entry(id).filter(missing).copied() else { return };
        self.trace_child(m, &entry, &sites::CHILD_GONE);
        if let Some(entry) = self.body(m).entries.get_mut(id) {
            entry.description = Description::ReportedMissing;
            entry.tell_missing = true;
        }
    }

    /// Returns whether a child wants to be asked for again.
    fn report(self, m: &mut Machine, relations: &mut Vec<DeviceObject>) -> bool {
        let driver = self.driver(m);
        let mut again = false;
        for id in self.body(m).descriptions.snapshot() {
            let Some(&entry) = self.body(m).entry(id) else { continue };
            let device = match entry.description {
                Description::PresentNeedsInstantiation => {
                    trace(m, driver, &sites::CHILD_CREATING, []);
                    let created = self.create_device(m, id, entry.child, &mut again);
                    if let Some(&entry) = self.body(m).entry(id).filter(|_| created.is_some()) {
                        self.trace_child(m, &entry, &sites::CHILD_CREATED);
                    }
                    created
                }
                Description::Instantiated => entry.device,
                Description::NotPresent => {
                    self.report_missing(m, id);
                    None
                }
                Description::ReportedMissing | Description::Unspecified => None,
            };
            if let Some(device) = device {
                let pdo = device.device_object(m);
                trace(m, driver, &sites::CHILD_REPORTING, [device.object().handle(), pdo.address()]);
                relations.push(pdo);
            }
        }
        again
    }

    /// Calls EvtChildListCreateDevice; a static child has its device already. A child that could not be created is
    /// forgotten, and with it the device that it got; STATUS_RETRY keeps the child and asks the PnP manager to ask again.
    fn create_device(self, m: &mut Machine, id: Id, child: u64, again: &mut bool) -> Option<Device> {
        let device = match self.body(m).config {
            None => Device::from_word(child),
            Some(config) => {
                let (driver, parent) = (self.driver(m), self.device(m));
                let init = DeviceInit::for_child(driver, parent, self, id);
                let status = NtStatus::from((config.create)(m, self, child, init));
                let created = self.body(m).entries.get_mut(id).and_then(|entry| entry.device.take());
                match self.judge(m, status, created) {
                    Ok(device) => Some(device),
                    Err(STATUS_RETRY) => {
                        if let Some(device) = created {
                            crate::device::end::destroy(m, device);
                        }
                        *again = true;
                        return None;
                    }
                    Err(status) => {
                        self.drop_uncreated(m, id, created, status);
                        return None;
                    }
                }
            }
        };
        let entry = self.body(m).entries.get_mut(id)?;
        (entry.device, entry.description) = (device, Description::Instantiated);
        device
    }

    /// A callback that succeeds has made a device.
    fn judge(self, m: &mut Machine, status: NtStatus, created: Option<Device>) -> Result<Device, NtStatus> {
        match created {
            Some(device) if status.is_success() => Ok(device),
            None if status.is_success() => {
                let driver = self.driver(m);
                trace(m, driver, &sites::CHILD_NOT_MADE, [status.0.into()]);
                debug_break(m, driver);
                Err(STATUS_INVALID_DEVICE_OBJECT_PARAMETER)
            }
            _ => Err(status),
        }
    }

    fn drop_uncreated(self, m: &mut Machine, id: Id, created: Option<Device>, status: NtStatus) {
        let Some(device) = created else {
            let body = self.body(m);
            body.mark_description_missing(id);
            return self.process_modifications(m);
        };
        let body = self.body(m);
        body.modifications.remove(id);
        if let Some(entry) = body.entries.get_mut(id) {
            entry.description = Description::ReportedMissing;
        }
        let (driver, pdo) = (self.driver(m), device.device_object(m).address());
        trace(m, driver, &sites::CHILD_CREATE_FAILED, [device.object().handle(), pdo, status.0.into()]);
        crate::device::end::delete_failed(m, device, status);
    }

    /// InvokeReportedMissingCallback: EvtDeviceReportedMissing, once the answer is made.
    pub(crate) fn tell_of_missing(self, m: &mut Machine) {
        self.body(m).state = ListState::LockedForEnum;
        for id in self.body(m).descriptions.snapshot() {
            let Some(entry) = self.body(m).entries.get_mut(id) else { continue };
            if std::mem::take(&mut entry.tell_missing)
                && let Some(device) = entry.device
            {
                device.call_reported_missing(m);
            }
        }
        self.body(m).state = ListState::Unlocked;
        self.process_modifications(m);
    }
}

/// Where the answer of the lists before lies.
fn prior_address(relations: &Option<Vec<DeviceObject>>) -> Option<u64> {
    relations.as_ref()?.first().map(|first| first.address() + 0x1000)
}
