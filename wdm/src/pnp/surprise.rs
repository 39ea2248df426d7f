//! Devices that go without being asked: pulled out, or failed.

use super::manager::{Removal, Work};
use super::{DevNode, NodeState, PnpMinor, TargetEvent};
use crate::device::DeviceObject;
use crate::machine::Machine;

/// A handle of a device was closed: a removal may have waited for it.
pub(crate) fn file_closed(m: &mut Machine, device: DeviceObject) {
    if let Some(node) = DevNode::of_stack(m, device).filter(|node| node.state(m) == Some(NodeState::AwaitingClose)) {
        m.queue_pnp_work(Work::Device(|m, node| node.remove_when_unused(m), node));
    }
}

impl DevNode {
    /// Whether its bus reported it missing, and its removal is not through.
    pub(super) fn is_gone(self, m: &Machine) -> bool {
        let removal = m.pnp.nodes.get(self.0).map(|data| data.removal);
        self.state(m) == Some(NodeState::AwaitingClose) && removal == Some(Removal::Forget)
    }

    /// Whether it leaves the tree with its removal: nobody reports it any more.
    pub(crate) fn is_to_be_forgotten(self, m: &Machine) -> bool {
        m.pnp.nodes.get(self.0).is_some_and(|data| data.removal == Removal::Forget)
    }

    /// The bus left the PDO out of its relations.
    pub(super) fn missing(self, m: &mut Machine) {
        if self.state(m) == Some(NodeState::AwaitingClose) {
            if let Some(data) = self.data(m) {
                data.removal = Removal::Forget;
            }
        } else {
            self.surprise_remove(m, Removal::Forget);
        }
    }

    /// SURPRISE_REMOVAL to the device and all that goes with it, children first; then whoever is registered hears of it;
    /// REMOVE when no handle is open any more. A device that never started gets only the REMOVE.
    ///
    /// Source: Windows driver documentation, "Handling an IRP_MN_SURPRISE_REMOVAL Request".
    pub(super) fn surprise_remove(self, m: &mut Machine, then: Removal) {
        let nodes = self.affected(m, false);
        self.decide_removals(m, &nodes, then);
        for node in &nodes {
            if node.has_drivers(m) {
                node.tell(m, PnpMinor::SurpriseRemoval);
            }
            node.set_state(m, NodeState::AwaitingClose, None);
        }
        m.notify_all(&nodes, TargetEvent::RemoveComplete);
        for node in nodes {
            node.remove_when_unused(m);
        }
    }

    /// An open handle holds the REMOVE of a surprise-removed device back, and that of the buses above it with it.
    fn remove_when_unused(self, m: &mut Machine) {
        let waits = self.state(m) == Some(NodeState::AwaitingClose);
        if !waits || self.open_handles(m) > 0 || !self.children(m).is_empty() {
            return;
        }
        let parent = self.parent(m);
        self.remove(m);
        if let Some(parent) = parent {
            parent.remove_when_unused(m);
        }
    }
}
