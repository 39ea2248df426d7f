//! Devices that go: unplugged, ejected, removed by their user.

use super::{DevNode, NodeState, PnpMinor, PnpParameters, PnpRequest, send};
use crate::device::DeviceObject;
use crate::machine::Machine;
use crate::status::{NtStatus, constants::*};
use crate::stop::Stop;

impl Machine {
    /// `IoRequestDeviceEject`: asks the PnP manager to remove and eject this device, later and in order.
    ///
    /// Source: Windows driver documentation, IoRequestDeviceEject.
    pub fn request_device_eject(&mut self, pdo: DeviceObject) {
        self.pnp_was_asked(pdo, PnpRequest::Eject);
        if let Some(node) = DevNode::of(self, pdo) {
            self.queue_pnp_work(eject, node);
        }
    }

    /// What "Uninstall device" does: QUERY_REMOVE, then REMOVE if everybody agrees. The inner result is who did not.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn remove_device(&mut self, node: DevNode) -> Result<Result<(), NtStatus>, Stop> {
        self.run(|m| {
            m.run_pnp_work(|m| {
                node.query_and_remove(m)?;
                // The root bus deletes its PDO; another bus still reports its own.
                let root = m.pnp.roots.contains(&node);
                if let Some(pdo) = node.pdo(m).filter(|_| root) {
                    node.forget(m);
                    pdo.delete(m);
                }
                Ok(())
            })
        })
    }
}

fn eject(m: &mut Machine, node: DevNode) {
    let Some(pdo) = node.pdo(m) else { return };
    if node.query_and_remove(m).is_ok() {
        send(m, pdo, PnpMinor::Eject, PnpParameters::None);
    }
}

/// The last handle of a device was closed: a removal may have waited for it.
pub(crate) fn file_closed(m: &mut Machine, device: DeviceObject) {
    if let Some(node) = DevNode::of(m, device).filter(|node| node.state(m) == Some(NodeState::AwaitingClose)) {
        m.queue_pnp_work(|m, node| node.remove_when_unused(m), node);
    }
}

impl DevNode {
    /// QUERY_REMOVE to the device and everything below it; REMOVE, or CANCEL_REMOVE if someone refuses.
    ///
    /// Source: Windows driver documentation, "Understanding when remove IRPs are issued".
    fn query_and_remove(self, m: &mut Machine) -> Result<(), NtStatus> {
        let subtree = self.subtree(m);
        for (asked, &node) in subtree.iter().enumerate() {
            let Some(pdo) = node.pdo(m) else { continue };
            let mut status = match node.state(m) {
                Some(NodeState::Started) => send(m, pdo, PnpMinor::QueryRemoveDevice, PnpParameters::None).0.status,
                // Its REMOVE waits for its last handle, and that of everything above it with it.
                Some(NodeState::AwaitingClose) => STATUS_DEVICE_BUSY,
                _ => continue,
            };
            if status.is_success() && m[pdo].open_files > 0 {
                status = STATUS_DEVICE_BUSY;
            }
            if !status.is_success() {
                for &node in &subtree[..=asked] {
                    if let Some(pdo) = node.pdo(m).filter(|_| node.state(m) == Some(NodeState::Started)) {
                        send(m, pdo, PnpMinor::CancelRemoveDevice, PnpParameters::None);
                    }
                }
                return Err(status);
            }
        }
        for node in subtree {
            node.remove_stack(m);
            // What is below a removed bus is reported by nobody any more.
            if node != self {
                node.forget(m);
            }
        }
        Ok(())
    }

    /// The bus left the PDO out of its relations: SURPRISE_REMOVAL to what is below first, REMOVE when no handle is
    /// open any more.
    pub(super) fn missing(self, m: &mut Machine) {
        for node in self.subtree(m) {
            let Some(pdo) = node.pdo(m) else { continue };
            match node.state(m) {
                Some(NodeState::Started) => {
                    send(m, pdo, PnpMinor::SurpriseRemoval, PnpParameters::None);
                    node.set_state(m, NodeState::AwaitingClose);
                    node.remove_when_unused(m);
                }
                Some(NodeState::AwaitingClose) | None => {}
                Some(_) => {
                    send(m, pdo, PnpMinor::RemoveDevice, PnpParameters::None);
                    node.forget(m);
                }
            }
        }
    }

    /// An open handle holds the REMOVE of a surprise-removed device back.
    fn remove_when_unused(self, m: &mut Machine) {
        let Some(pdo) = self.pdo(m) else { return };
        if self.state(m) == Some(NodeState::AwaitingClose) && m.devices.get(pdo.0).is_none_or(|d| d.open_files == 0) {
            self.remove_stack(m);
            self.forget(m);
        }
    }

    fn remove_stack(self, m: &mut Machine) {
        if let Some(pdo) = self.pdo(m) {
            send(m, pdo, PnpMinor::RemoveDevice, PnpParameters::None);
            self.set_state(m, NodeState::Removed);
        }
    }

    /// The node and everything below it, children before parents.
    fn subtree(self, m: &Machine) -> Vec<DevNode> {
        let mut nodes: Vec<DevNode> = self.children(m).into_iter().flat_map(|child| child.subtree(m)).collect();
        nodes.push(self);
        nodes
    }
}
