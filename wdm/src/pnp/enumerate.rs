//! Relations: the children of a bus, and what depends on what.

use super::manager::Work;
use super::{DevNode, NodeState, PnpAnswer, PnpMinor, PnpParameters, PnpRequest, RelationType};
use crate::device::DeviceObject;
use crate::machine::Machine;

impl Machine {
    /// `IoInvalidateDeviceRelations(pdo, BusRelations)`: asks the PnP manager to ask this bus for its children.
    /// Returns at once; the work is done on a system thread. IRQL <= DISPATCH_LEVEL.
    ///
    /// Source: Windows driver documentation, IoInvalidateDeviceRelations.
    pub fn invalidate_device_relations(&mut self, pdo: DeviceObject) {
        self.invalidate_relations(pdo, RelationType::Bus);
    }

    /// `IoInvalidateDeviceRelations`. Relations of the other types are asked for when they are needed.
    ///
    /// Source: Windows driver documentation, IoInvalidateDeviceRelations.
    pub fn invalidate_relations(&mut self, pdo: DeviceObject, kind: RelationType) {
        self.pnp_was_asked(pdo, PnpRequest::InvalidateRelations(kind));
        let Some(node) = self.devnode_of_pdo(pdo, "IoInvalidateDeviceRelations") else { return };
        match kind {
            RelationType::Bus => self.queue_pnp_work(Work::Device(enumerate, node)),
            RelationType::Power => self.queue_pnp_work(Work::Device(ask_for_power_relations, node)),
            RelationType::Ejection | RelationType::Removal | RelationType::Target => {}
        }
    }
}

fn enumerate(m: &mut Machine, node: DevNode) {
    if node.state(m) == Some(NodeState::Started) {
        node.enumerate(m);
    }
}

fn ask_for_power_relations(m: &mut Machine, node: DevNode) {
    if node.state(m) == Some(NodeState::Started) {
        let related = node.relations(m, RelationType::Power).unwrap_or_default();
        let nodes = related.into_iter().filter_map(|pdo| DevNode::of(m, pdo)).collect();
        if let Some(data) = node.data(m) {
            data.power_dependencies = nodes;
        }
    }
}

impl DevNode {
    /// Asks the stack for relations. `None` if it has nothing to say.
    pub(super) fn relations(self, m: &mut Machine, kind: RelationType) -> Option<Vec<DeviceObject>> {
        match self.ask(m, PnpMinor::QueryDeviceRelations, PnpParameters::Relations(kind), PnpAnswer::None)? {
            PnpAnswer::Relations(related) => Some(related),
            _ => None,
        }
    }

    /// Asks the bus for its children, takes in the new ones and lets go of the missing ones. One whose stack was taken
    /// down while it stayed on the bus gets its drivers again.
    ///
    /// Source: Windows driver documentation, "Adding a PnP Device to a Running System" and "Understanding when Remove
    /// IRPs are Issued" (3).
    pub(super) fn enumerate(self, m: &mut Machine) {
        let Some(reported) = self.relations(m, RelationType::Bus) else { return };
        for &pdo in &reported {
            self.check_reported(m, pdo);
        }
        let children = self.children(m);
        for child in &children {
            child.set_enumerated(m, false);
        }
        let own = |m: &Machine, pdo| DevNode::of(m, pdo).filter(|child| child.parent(m) == Some(self));
        let known: Vec<Option<DevNode>> = reported.iter().map(|&pdo| own(m, pdo)).collect();
        for child in known.iter().flatten() {
            child.set_enumerated(m, true);
        }
        for child in children {
            if m.pnp.nodes.get(child.0).is_some_and(|node| !node.enumerated) {
                child.missing(m);
            }
        }
        for (pdo, known) in reported.into_iter().zip(known) {
            match known {
                None => DevNode::insert(m, pdo, Some(self)).appear(m),
                Some(child) if child.state(m) == Some(NodeState::Removed) => child.build_and_start(m),
                Some(_) => {}
            }
        }
    }

    /// A bus must not report a PDO that it deleted (bug check 0xCA/4), nor one that it left out before.
    ///
    /// Source: Windows driver documentation, "Bug Check 0xCA: PNP_DETECTED_FATAL_ERROR"; "Removing a Device in a Bus
    /// Driver" (5).
    fn check_reported(self, m: &Machine, pdo: DeviceObject) {
        if pdo.is_deleted(m) {
            m.bug_check(0xCA, [4, pdo.address(), 0, 0], "IRP_MN_QUERY_DEVICE_RELATIONS");
        }
        if DevNode::of(m, pdo).is_some_and(|node| node.is_gone(m)) {
            m.undefined(
                "IRP_MN_QUERY_DEVICE_RELATIONS",
                "a device that was reported missing and comes back is reported with a new PDO",
            );
        }
    }

    /// A PDO that was not there before: who is it, and which drivers want it?
    pub(super) fn appear(self, m: &mut Machine) {
        self.ask_who_it_is(m);
        self.build_and_start(m);
    }
}
