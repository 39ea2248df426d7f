//! A device and its children, a PDO and its parent: who is there, who may power up, who waits for whom.
//!
//! Source: S/irphandlers/pnp/fxpkgpnp.cpp:880-1060 (bus relations), 4320-4400 (child lists); S/inc/private/common/
//! fxpkgpnp.hpp:4090-4175 (power).

use vbus_wdm::constants::*;
use vbus_wdm::{Id, Irp, Irql, Machine, NtStatus, PnpAnswer, RelationType};

use super::PACKAGE_OFFSET;
use super::events::PowerEvent;
use super::machine::post;
use super::power_machine::Power;
use crate::child_list::ChildList;
use crate::device::Device;
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::sites;

/// HandleQueryBusRelations: asks every child list. If none has anything to say, the IRP stays as it came.
pub(crate) fn bus_relations(m: &mut Machine, device: Device, irp: Irp) {
    let (driver, handle) = (device.driver(m), device.object().handle());
    device.call_relations_query(m, RelationType::Bus);
    let mut children = match std::mem::take(&mut m[irp].pnp_answer) {
        PnpAnswer::Relations(prior) => Some(prior),
        _ => None,
    };
    let mut changed = false;
    for list in device.child_lists(m) {
        changed |= list.process_bus_relations(m, &mut children);
    }
    for list in device.child_lists(m) {
        list.tell_of_missing(m);
    }
    if changed {
        m[irp].io_status.status = STATUS_SUCCESS;
    }
    let status = m[irp].io_status.status;
    trace(m, driver, &sites::PNP_BUS_RELATIONS_STATUS, [handle, status.0.into()]);
    let Some(children) = children else { return };
    trace(m, driver, &sites::PNP_BUS_RELATIONS, [handle, children.len() as u64, irp.address() + 0x1000]);
    for four in children.chunks(4) {
        match *four {
            [a] => trace(m, driver, &sites::PNP_BUS_RELATIONS_1, [a.address()]),
            [a, b] => trace(m, driver, &sites::PNP_BUS_RELATIONS_2, [a.address(), b.address()]),
            [a, b, c] => trace(m, driver, &sites::PNP_BUS_RELATIONS_3, [a.address(), b.address(), c.address()]),
            [a, b, c, d] => {
                let four = [a.address(), b.address(), c.address(), d.address()];
                trace(m, driver, &sites::PNP_BUS_RELATIONS_4, four);
            }
            _ => {}
        }
    }
    m[irp].pnp_answer = PnpAnswer::Relations(children);
}

impl Device {
    /// The lists of the device's children: those it adds one by one, then its default list.
    pub(crate) fn child_lists(self, m: &mut Machine) -> Vec<ChildList> {
        self.body(m).child_lists.clone()
    }

    /// Whether the device has child lists: FDOs and filters have.
    pub(super) fn enumerates(self, m: &mut Machine) -> bool {
        !self.body(m).child_lists.is_empty()
    }

    /// A child wants to power up: its parent is kept in D0 as long as the child is. Returns whether the parent is there
    /// already; if not, the child hears of it.
    ///
    /// # Errors
    /// STATUS_POWER_STATE_INVALID where the parent is not started.
    pub(super) fn ask_parent_for_power(self, m: &mut Machine) -> Result<bool, NtStatus> {
        let Some(parent) = self.parent_to_power(m) else { return Ok(true) };
        let status = parent.power_reference(m, false);
        if !status.is_success() {
            return Err(status);
        }
        let data = &mut parent.body(m).pnp;
        data.children_powered_on += 1;
        Ok(data.children_can_power_up)
    }

    pub(super) fn parent_power_dereference(self, m: &mut Machine) {
        if let Some(parent) = self.parent_to_power(m) {
            let data = &mut parent.body(m).pnp;
            data.children_powered_on = data.children_powered_on.saturating_sub(1);
            parent.power_dereference(m);
        }
    }

    /// The parent, if it decides about the power of its stack.
    fn parent_to_power(self, m: &mut Machine) -> Option<Device> {
        self.parent(m).filter(|parent| parent.object().exists(m)).filter(|parent| parent.is_policy_owner(m))
    }

    /// PowerPolicyChildrenCanPowerUp: the device is in D0, and its children hear of it.
    pub(super) fn let_children_power_up(self, m: &mut Machine) {
        if !self.enumerates(m) {
            return;
        }
        self.body(m).pnp.children_can_power_up = true;
        // They hear of it under the list's lock, and act on it later.
        let irql = m.irql();
        m.set_irql(Irql::Dispatch);
        for list in self.child_lists(m) {
            for child in list.devices(m) {
                post::<Power>(m, child, PowerEvent::ParentToD0);
            }
        }
        m.set_irql(irql);
    }

    /// EvtChildListScanForChildren of every list.
    pub(super) fn scan_for_children(self, m: &mut Machine) {
        for list in self.child_lists(m) {
            list.scan_for_children(m);
        }
    }

    /// The device is removed: its children go first, and it waits for those that take their time.
    pub(super) fn notify_children_of_removal(self, m: &mut Machine) {
        for list in self.child_lists(m) {
            list.parent_is_removed(m);
        }
    }

    /// The device was pulled out, and its children with it.
    pub(super) fn surprise_remove_pending(self, m: &mut Machine) {
        for list in self.child_lists(m) {
            list.parent_is_gone(m);
        }
    }

    /// A child is on its way out: the device's removal waits for it.
    pub(crate) fn wait_for_child(self, m: &mut Machine, child: Device) {
        self.body(m).pnp.pending_children += 1;
        child.body(m).pnp.parent_waits = true;
    }

    /// Whether the PDO's bus let go of it; nobody keeps one that is in no list.
    pub(super) fn is_reported_missing(self, m: &mut Machine) -> bool {
        self.description(m).is_none_or(|(list, entry)| list.let_go_of_child(m, entry))
    }

    /// SURPRISE_REMOVAL of a PDO arrives: its bus waits for the REMOVE that follows.
    pub(super) fn surprise_removal_begins(self, m: &mut Machine) {
        if let Some((list, entry)) = self.description(m) {
            list.child_is_surprise_removed(m, entry);
        }
    }

    /// A PDO's bus forgets it.
    pub(super) fn leave_child_list(self, m: &mut Machine) {
        let Some((list, entry)) = self.description(m) else { return };
        let (driver, package) = (self.driver(m), self.object().address() + PACKAGE_OFFSET);
        let arguments = [list.entry_address(m, entry), package];
        trace(m, driver, &sites::PDO_ENTRY_REMOVED, arguments);
        list.forget_child(m, entry);
        self.body(m).entry = None;
    }

    /// An eject that succeeded: the child is reported missing.
    ///
    /// Source: S/irphandlers/pnp/fxpkgpdo.cpp:1012-1100.
    pub(super) fn leave_bus_after_eject(self, m: &mut Machine) {
        let Some((list, _)) = self.description(m) else { return };
        let (driver, device_object) = (self.driver(m), self.device_object(m).address());
        let handle = self.object().handle();
        match self.mark_missing(m) {
            Ok(()) => trace(m, driver, &sites::PDO_EJECTED, [handle, device_object]),
            Err(status) => {
                trace(m, driver, &sites::PDO_EJECT_NOT_MISSING, [handle, device_object, status.0.into()]);
            }
        }
        trace(m, driver, &sites::PDO_EJECT_SCANNING, [list.object().address() + SCAN_EVENT_OFFSET]);
        list.wait_for_scan(m);
    }

    /// The list that the PDO is in, and what that knows of it.
    fn description(self, m: &mut Machine) -> Option<(ChildList, Id)> {
        let body = self.body(m);
        Some((body.owning_list?, body.entry?))
    }
}

/// Where in a child list the event of its scans lies.
const SCAN_EVENT_OFFSET: u64 = 0x1A8;
