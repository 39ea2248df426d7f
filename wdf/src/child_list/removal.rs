//! The bus goes, or a child's device does.
//!
//! Source: K/core/fxchildlist.cpp:100-215 (a child's device), 2960-3150 (the bus).

use vbus_wdm::{Id, Machine};

use super::entry::{Description, Entry};
use super::{ChildList, ListState};
use crate::device::Device;
use crate::framework::trace;
use crate::object::{Handle, peek_body};
use crate::trace::sites;

impl ChildList {
    /// NotifyDeviceSurpriseRemove: the bus was pulled out, and all its children are missing.
    pub(crate) fn parent_is_gone(self, m: &mut Machine) {
        let body = self.body(m);
        let mut freed = Vec::new();
        for id in body.modifications.snapshot() {
            if body.mark_modification_missing(id) {
                freed.push(id);
            }
        }
        for id in body.descriptions.snapshot() {
            if body.entry(id).is_some_and(Entry::is_present) {
                body.mark_description_missing(id);
            }
        }
        self.process(m, &mut freed);
        let body = self.body(m);
        for id in body.descriptions.iter() {
            if let Some(entry) = body.entries.get_mut(id)
                && entry.description == Description::NotPresent
            {
                entry.description = Description::ReportedMissing;
            }
        }
        self.free(m, freed);
    }

    /// NotifyDeviceRemove: the bus is removed. Every child whose REMOVE is not on its way goes with it.
    pub(crate) fn parent_is_removed(self, m: &mut Machine) {
        let (driver, parent) = (self.driver(m), self.device(m));
        trace(m, driver, &sites::CHILDREN_REMOVED, [self.0.handle()]);
        self.parent_is_gone(m);
        let mut freed = Vec::new();
        self.process(m, &mut freed);
        self.set_state(m, ListState::LockedForParentRemove);
        while let Some((id, entry)) = self.next_to_remove(m) {
            self.body(m).descriptions.remove(id);
            let Some(child) = entry.device else { continue };
            let pdo = child.device_object(m).address();
            trace(m, driver, &sites::CHILD_REMOVING, [entry.pool_address(), child.object().handle(), pdo]);
            parent.wait_for_child(m, child);
            crate::pnp::parent_was_removed(m, child);
        }
        self.set_state(m, ListState::Unlocked);
        self.process(m, &mut freed);
        self.free(m, freed);
    }

    fn next_to_remove(self, m: &mut Machine) -> Option<(Id, Entry)> {
        let body = self.body(m);
        let mut described = body.descriptions.iter().filter_map(|id| Some((id, *body.entry(id)?)));
        described.find(|(_, entry)| !entry.surprise_removed)
    }

    /// DeviceSurpriseRemoved: the PnP manager will send the child's REMOVE by itself.
    pub(crate) fn child_is_surprise_removed(self, m: &mut Machine, entry: Id) {
        if let Some(entry) = self.body(m).entries.get_mut(entry) {
            entry.surprise_removed = true;
        }
    }

    /// IsDeviceRemoved: a child's stack was taken down. Returns whether the bus let go of it.
    pub(crate) fn let_go_of_child(self, m: &mut Machine, id: Id) -> bool {
        let walked = self.is_walked(m);
        let body = self.body(m);
        let Some(entry) = body.entries.get_mut(id) else { return true };
        entry.surprise_removed = false;
        if entry.description != Description::ReportedMissing {
            return false;
        }
        entry.description = Description::Unspecified;
        if !walked {
            body.descriptions.remove(id);
            return true;
        }
        entry.delete_on_scan_end = true;
        if let Some(child) = entry.device {
            child.body(m).entry = None;
        }
        true
    }

    /// ProcessDeviceRemoved: a child's device is gone for good.
    pub(crate) fn forget_child(self, m: &mut Machine, id: Id) {
        let walked = self.is_walked(m);
        let body = self.body(m);
        if walked && body.descriptions.contains(id) {
            if let Some(entry) = body.entries.get_mut(id) {
                entry.delete_on_scan_end = true;
            }
            return;
        }
        body.descriptions.remove(id);
        self.free(m, vec![id]);
    }

    /// Waits until nobody walks the list.
    pub(crate) fn wait_for_scan(self, m: &mut Machine) {
        m.wait("the scan of a child list to end", move |m| {
            peek_body::<super::Body>(m, self.object()).is_none_or(|body| body.scans == 0)
        });
    }

    /// Where the framework keeps the entry.
    pub(crate) fn entry_address(self, m: &mut Machine, id: Id) -> u64 {
        self.body(m).entry(id).map_or(0, |entry| entry.pool_address())
    }

    /// The child by which the entry is listed.
    pub(crate) fn child_of(self, m: &mut Machine, id: Id) -> Option<u64> {
        self.body(m).entry(id).map(|entry| entry.child)
    }

    /// The PDO of a child was created inside EvtChildListCreateDevice.
    pub(crate) fn device_created(self, m: &mut Machine, id: Id, device: Device) {
        if let Some(entry) = self.body(m).entries.get_mut(id) {
            entry.device = Some(device);
        }
    }
}
