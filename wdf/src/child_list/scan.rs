//! Walks over a list: a scan after which whoever was not named is missing, an iteration that changes nothing.
//!
//! Source: K/core/fxchildlist.cpp:540-830 (scans), 832-1120 (iterations).

use vbus_wdm::constants::*;
use vbus_wdm::{Id, Machine, NtStatus};

use super::entry::{Description, Modification};
use super::{Body, ChildList, ChildState, ListState};
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::sites;
use crate::verifier::debug_break;

/// WDF_RETRIEVE_CHILD_FLAGS: which children an iteration is after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Which(pub u32);

impl Which {
    /// WdfRetrievePresentChildren: those that PnP was told of.
    pub const PRESENT: Which = Which(1);
    /// WdfRetrieveMissingChildren.
    pub const MISSING: Which = Which(2);
    /// WdfRetrievePendingChildren: described, not created yet.
    pub const PENDING: Which = Which(4);
    /// WdfRetrieveAllChildren.
    pub const ALL: Which = Which(7);

    pub(super) const fn contains(self, which: Which) -> bool {
        self.0 & which.0 != 0
    }

    pub(super) fn matches(self, description: Description) -> bool {
        match description {
            Description::Instantiated => self.contains(Which::PRESENT),
            Description::ReportedMissing | Description::NotPresent => self.contains(Which::MISSING),
            Description::PresentNeedsInstantiation => self.contains(Which::PENDING),
            Description::Unspecified => false,
        }
    }
}

/// WDF_CHILD_LIST_ITERATOR.
#[derive(Clone, Debug)]
pub struct Iteration {
    which: Which,
    /// The last description that was returned; `None` before the first.
    at: Option<Id>,
    descriptions_done: bool,
    pending_seen: usize,
}

/// A child that an iteration found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retrieved {
    /// Its identification.
    pub child: u64,
    /// Its address description, where the list has them.
    pub address: Option<u64>,
    /// Its device, if there is one yet.
    pub state: ChildState,
}

impl ChildList {
    /// `WdfChildListBeginScan`: whoever is not added until the end of the scan will be missing.
    pub fn begin_scan(self, m: &mut Machine) {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILD_SCAN_BEGIN_ENTER, [self.0.handle()]);
        self.count_scan(m, 1, &sites::CHILD_SCAN_BEGIN);
        let body = self.body(m);
        let Body { entries, descriptions, modifications, .. } = body;
        for id in descriptions.iter().chain(modifications.iter()) {
            if let Some(entry) = entries.get_mut(id) {
                entry.found_in_last_scan = false;
            }
        }
    }

    /// `WdfChildListEndScan`.
    pub fn end_scan(self, m: &mut Machine) {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILD_SCAN_END_ENTER, [self.0.handle()]);
        self.finish_scan(m);
    }

    fn count_scan(self, m: &mut Machine, step: i32, line: &'static crate::trace::Site) {
        let driver = self.driver(m);
        let body = self.body(m);
        body.scans = body.scans.wrapping_add(step);
        let scans = body.scans;
        trace(m, driver, line, [self.0.handle(), scans as u32 as u64]);
    }

    /// EndScan. The outermost end sweeps away whoever was not found.
    pub(super) fn finish_scan(self, m: &mut Machine) {
        self.count_scan(m, -1, &sites::CHILD_SCAN_END);
        if self.body(m).scans != 0 {
            return;
        }
        let mut freed = Vec::new();
        self.sweep_modifications(m, &mut freed);
        self.sweep_descriptions(m, &mut freed);
        self.process(m, &mut freed);
        if self.body(m).invalidation_needed {
            self.invalidate(m);
        }
        self.free(m, freed);
    }

    fn sweep_modifications(self, m: &mut Machine, freed: &mut Vec<Id>) {
        let driver = self.driver(m);
        for id in self.body(m).modifications.snapshot() {
            let Some(&entry) = self.body(m).entry(id) else { continue };
            let arguments = [entry.pool_address(), entry.modification as u64, entry.description as u64];
            trace(m, driver, &sites::CHILD_SCAN_MODIFIED, arguments);
            if !entry.found_in_last_scan && self.body(m).mark_modification_missing(id) {
                freed.push(id);
            }
        }
    }

    fn sweep_descriptions(self, m: &mut Machine, freed: &mut Vec<Id>) {
        let driver = self.driver(m);
        for id in self.body(m).descriptions.snapshot() {
            let Some(&entry) = self.body(m).entry(id) else { continue };
            if entry.delete_on_scan_end {
                self.body(m).descriptions.remove(id);
                freed.push(id);
            } else if entry.is_present() && !entry.found_in_last_scan {
                match entry.device {
                    Some(child) => {
                        let pdo = child.device_object(m).address();
                        trace(m, driver, &sites::CHILD_SCAN_MISSING, [child.object().handle(), pdo]);
                    }
                    None => trace(m, driver, &sites::CHILD_SCAN_NEVER_MADE, [entry.pool_address()]),
                }
                self.body(m).mark_description_missing(id);
            }
        }
    }

    /// `WdfChildListBeginIteration`: nothing changes in the list until [`ChildList::end_iteration`].
    pub fn begin_iteration(self, m: &mut Machine, which: Which) -> Iteration {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILD_ITERATION_BEGIN_ENTER, [self.0.handle()]);
        self.start_iteration(m, which)
    }

    pub(super) fn start_iteration(self, m: &mut Machine, which: Which) -> Iteration {
        self.count_scan(m, 1, &sites::CHILD_ITERATION_BEGIN);
        Iteration { which, at: None, descriptions_done: false, pending_seen: 0 }
    }

    /// `WdfChildListEndIteration`.
    pub fn end_iteration(self, m: &mut Machine, _: Iteration) {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILD_ITERATION_END_ENTER, [self.0.handle()]);
        self.stop_iteration(m);
    }

    pub(super) fn stop_iteration(self, m: &mut Machine) {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILD_ITERATION_END, []);
        self.finish_scan(m);
    }

    /// `WdfChildListRetrieveNextDevice`: children in the order in which they were added.
    ///
    /// # Errors
    /// STATUS_NO_MORE_ENTRIES at the end; STATUS_INVALID_DEVICE_STATE if the list is not locked by an iteration.
    pub fn next_device(self, m: &mut Machine, iteration: &mut Iteration) -> Result<Retrieved, NtStatus> {
        let driver = self.driver(m);
        if self.body(m).scans == 0 {
            let status = STATUS_INVALID_DEVICE_STATE;
            trace(m, driver, &sites::CHILD_ITERATION_UNLOCKED, [self.0.handle(), status.0.into()]);
            return Err(status);
        }
        let body = self.body(m);
        if !iteration.descriptions_done {
            let matching = |&id: &Id| body.entry(id).is_some_and(|entry| iteration.which.matches(entry.description));
            let found = match iteration.at {
                Some(at) => body.descriptions.after(at).find(matching),
                None => body.descriptions.iter().find(matching),
            };
            if let Some(entry) = found.and_then(|id| body.entry(id)) {
                iteration.at = found;
                let state = entry.device.map_or(ChildState::NotCreatedYet, ChildState::Created);
                return Ok(Retrieved { child: entry.child, address: entry.address, state });
            }
            iteration.descriptions_done = true;
        }
        if iteration.which.contains(Which::PENDING) {
            let pending = |id: Id| body.entry(id).filter(|entry| entry.modification == Modification::Insert);
            if let Some(entry) = body.modifications.iter().filter_map(pending).nth(iteration.pending_seen) {
                iteration.pending_seen += 1;
                let state = ChildState::NotCreatedYet;
                return Ok(Retrieved { child: entry.child, address: entry.address, state });
            }
        }
        Err(STATUS_NO_MORE_ENTRIES)
    }

    /// Whether somebody walks the list, so that nothing may be taken out of it.
    pub(super) fn is_walked(self, m: &mut Machine) -> bool {
        self.body(m).scans != 0
    }

    /// What an iteration over static children needs of the machine's verifier.
    pub(super) fn complain(self, m: &mut Machine, line: &'static crate::trace::Site, word: u64) {
        let driver = self.driver(m);
        trace(m, driver, line, [word]);
        debug_break(m, driver);
    }

    pub(super) fn set_state(self, m: &mut Machine, state: ListState) {
        self.body(m).state = state;
    }
}
