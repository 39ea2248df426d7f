//! How descriptions change: what the driver said waits as a modification until nobody uses the list.
//!
//! Source: K/core/fxchildlist.cpp:1180-1290 (missing), 1745-1930 (processing), 1932-2060 (workers), 2065-2130 (freeing).

use vbus_wdm::constants::*;
use vbus_wdm::{Id, Machine, NtStatus};

use super::entry::{Description, Modification};
use super::{Body, ChildList, ListState};
use crate::device::Device;
use crate::framework::{fx_mut, trace};
use crate::object::Handle;
use crate::trace::sites;

impl Body {
    /// MarkDescriptionNotPresentWorker: the child goes when the list is free. One whose removal waits already needs no
    /// second.
    pub(super) fn mark_description_missing(&mut self, id: Id) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if !self.modifications.contains(id) {
            entry.modification = Modification::RemoveNotify;
            entry.found_in_last_scan = false;
            self.modifications.push(id, entry.child);
        }
    }

    /// MarkModificationNotPresentWorker: a child that was never described is forgotten. Returns whether it is.
    pub(super) fn mark_modification_missing(&mut self, id: Id) -> bool {
        let is_static = self.config.is_none();
        let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.modification == Modification::Insert) else {
            return false;
        };
        if is_static {
            entry.modification = Modification::NeedsPnpRemoval;
        }
        self.modifications.remove(id);
        true
    }
}

impl ChildList {
    /// UpdateAsMissing.
    pub(super) fn mark_missing(self, m: &mut Machine, child: u64) -> Result<(), NtStatus> {
        let body = self.body(m);
        let mut freed = Vec::new();
        let result = match (body.modification_of(child), body.description_of(child)) {
            (Some(id), _) => {
                if body.mark_modification_missing(id) {
                    freed.push(id);
                }
                Ok(())
            }
            (None, Some(id)) => {
                if body.entry(id).is_some_and(|entry| entry.is_present()) {
                    body.mark_description_missing(id);
                }
                Ok(())
            }
            (None, None) => Err(STATUS_NO_SUCH_DEVICE),
        };
        self.process_and_free(m, freed);
        result
    }

    pub(crate) fn process_modifications(self, m: &mut Machine) {
        self.process_and_free(m, Vec::new());
    }

    /// ProcessModificationsLocked, then DrainFreeListHead.
    pub(super) fn process_and_free(self, m: &mut Machine, mut freed: Vec<Id>) {
        self.process(m, &mut freed);
        self.free(m, freed);
    }

    /// ProcessModificationsLocked: if nobody uses the list, what waits is done.
    pub(super) fn process(self, m: &mut Machine, freed: &mut Vec<Id>) {
        let (driver, handle) = (self.driver(m), self.0.handle());
        let body = self.body(m);
        if body.state != ListState::Unlocked || body.scans != 0 {
            let arguments = [handle, body.state as u64, body.scans as u32 as u64];
            return trace(m, driver, &sites::CHILDREN_NOT_PROCESSED, arguments);
        }
        trace(m, driver, &sites::CHILDREN_MODIFY_BEGIN, [handle]);
        let body = self.body(m);
        for id in body.modifications.iter() {
            if let Some(entry) = body.entries.get_mut(id)
                && entry.modification == Modification::RemoveNotify
            {
                entry.modification = Modification::Remove;
            }
        }
        let mut invalidate = false;
        while let Some(id) = self.body(m).modifications.pop_oldest() {
            invalidate |= self.commit(m, id, freed);
        }
        if invalidate {
            self.invalidate(m);
        }
        trace(m, driver, &sites::CHILDREN_MODIFY_END, [handle]);
    }

    /// One modification becomes a description. Returns whether PnP has to ask the bus again.
    fn commit(self, m: &mut Machine, id: Id, freed: &mut Vec<Id>) -> bool {
        let driver = self.driver(m);
        let Some(&entry) = self.body(m).entry(id) else { return false };
        trace(m, driver, &sites::CHILD_ENTRY, [entry.pool_address(), entry.modification as u64]);
        let mut forgotten = false;
        let description = match entry.modification {
            Modification::Insert => {
                trace(m, driver, &sites::CHILD_TO_INSTANTIATE, [entry.pool_address()]);
                self.body(m).descriptions.push(id, entry.child);
                Description::PresentNeedsInstantiation
            }
            Modification::Remove => {
                trace(m, driver, &sites::CHILD_REMOVE, [entry.pool_address(), entry.description as u64]);
                match entry.device.filter(|_| entry.description == Description::Instantiated) {
                    Some(child) => {
                        let pdo = child.device_object(m).address();
                        trace(m, driver, &sites::CHILD_COMMIT_MISSING, [child.object().handle(), pdo]);
                        Description::NotPresent
                    }
                    None => {
                        trace(m, driver, &sites::CHILD_NEVER_REPORTED, [entry.pool_address()]);
                        self.body(m).descriptions.remove(id);
                        freed.push(id);
                        forgotten = true;
                        entry.description
                    }
                }
            }
            Modification::Unspecified | Modification::RemoveNotify | Modification::NeedsPnpRemoval => return false,
        };
        if let Some(entry) = self.body(m).entries.get_mut(id) {
            (entry.modification, entry.description) = (Modification::Unspecified, description);
        }
        !forgotten
    }

    /// IoInvalidateDeviceRelations for the bus.
    pub(super) fn invalidate(self, m: &mut Machine) {
        let body = self.body(m);
        body.invalidation_needed = true;
        let device = body.device;
        if let Some(pdo) = device.pdo(m) {
            self.body(m).invalidation_needed = false;
            m.invalidate_device_relations(pdo);
        }
    }

    /// DrainFreeListHead: entries that nobody needs are freed. A static child that PnP never heard of has its device
    /// already: it goes now.
    pub(super) fn free(self, m: &mut Machine, freed: Vec<Id>) {
        let is_static = self.is_static(m);
        for id in freed {
            let Some(entry) = self.body(m).entries.get_mut(id) else { continue };
            let unreported = entry.modification == Modification::NeedsPnpRemoval
                || entry.description == Description::PresentNeedsInstantiation;
            if is_static && unreported {
                entry.modification = Modification::Unspecified;
                entry.description = Description::ReportedMissing;
                if let Some(child) = Device::from_word(entry.child) {
                    crate::pnp::child_never_reported(m, child);
                }
            } else {
                let place = entry.place;
                self.body(m).entries.release(id);
                if let Some(place) = place {
                    fx_mut(m).child_entry_places.release(place);
                }
            }
        }
    }
}
