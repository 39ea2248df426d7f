//! Removals that ask first: uninstalled, disabled, ejected.

use super::manager::Removal;
use super::{DevNode, NodeState, PnpMinor, Problem, RelationType, TargetEvent};
use crate::enumeration::enumeration;
use crate::machine::Machine;
use crate::status::{NtStatus, constants::*};
use crate::stop::Stop;

enumeration! {
    /// PNP_VETO_TYPE: why a device cannot be removed now.
    ///
    /// Source: Windows driver documentation, PNP_VETO_TYPE (cfg.h).
    VetoType {
        /// It was removed by surprise, and its REMOVE waits for an open handle.
        PendingClose = 2, "PNP_VetoPendingClose";
        /// A handle is open on it.
        OutstandingOpen = 5, "PNP_VetoOutstandingOpen";
        /// Its drivers failed the query.
        Device = 6, "PNP_VetoDevice";
        /// A driver that is registered for the device's changes failed the query.
        Driver = 7, "PNP_VetoDriver";
        /// It, or a device below it, must not be disabled.
        NonDisableable = 10, "PNP_VetoNonDisableable";
    }
}

/// Why a removal did not take place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Veto {
    /// The kind of veto.
    pub kind: VetoType,
    /// Who it came from: the instance path of a device, the one to be removed or one that would go with it, or the
    /// service name of a driver.
    pub name: String,
    /// The status that it was said with.
    pub status: NtStatus,
}

impl Machine {
    /// What "Uninstall device" does: QUERY_REMOVE, then REMOVE if everybody agrees. The inner error is who did not; more
    /// of that is in [`Machine::last_veto`]. What its bus still reports comes back with the bus's next enumeration.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn remove_device(&mut self, node: DevNode) -> Result<Result<(), NtStatus>, Stop> {
        self.run(|m| {
            m.run_pnp_work(|m| {
                // The root bus deletes its PDO; another bus still reports its own.
                let root = m.pnp.roots.contains(&node);
                if root && !node.is_disableable(m) {
                    return Err(m.veto(VetoType::NonDisableable, node, STATUS_PLUGPLAY_QUERY_VETOED));
                }
                node.query_and_remove(m, false, Removal::default())?;
                if let Some(pdo) = node.pdo(m).filter(|_| root) {
                    node.forget(m);
                    pdo.delete(m);
                }
                Ok(())
            })
        })
    }

    /// What "Disable device" does: as [`Machine::remove_device`], and the device stays so until it is enabled. The inner
    /// error is STATUS_PLUGPLAY_QUERY_VETOED for one that must not be disabled.
    ///
    /// # Errors
    /// What stopped the machine.
    ///
    /// Source: Windows driver documentation, "Understanding when Remove IRPs are Issued" and "About PNP_DEVICE_STATE".
    pub fn disable_device(&mut self, node: DevNode) -> Result<Result<(), NtStatus>, Stop> {
        self.run(|m| {
            m.run_pnp_work(|m| {
                if !node.is_disableable(m) {
                    return Err(m.veto(VetoType::NonDisableable, node, STATUS_PLUGPLAY_QUERY_VETOED));
                }
                node.query_and_remove(m, false, Removal::Keep(NodeState::Disabled, Some(Problem::Disabled)))
            })
        })
    }

    /// Why the last removal that was refused did not take place.
    pub fn last_veto(&self) -> Option<&Veto> {
        self.pnp.last_veto.as_ref()
    }

    fn veto(&mut self, kind: VetoType, node: DevNode, status: NtStatus) -> NtStatus {
        let name = node.instance_path(self);
        self.pnp.last_veto = Some(Veto { kind, name, status });
        status
    }

    /// Tells whoever is registered for one of the devices.
    pub(super) fn notify_all(&mut self, nodes: &[DevNode], event: TargetEvent) {
        for node in nodes {
            if let Some(pdo) = node.pdo(self) {
                // Only a query can be refused.
                _ = self.notify_target_device(pdo, event);
            }
        }
    }
}

impl DevNode {
    /// Asks the drivers of a device and of all that goes with it, and whoever is registered for it; removes them if
    /// everybody agrees.
    ///
    /// Source: Windows driver documentation, "Understanding when Remove IRPs are Issued", IoRequestDeviceEject,
    /// "Handling a GUID_TARGET_DEVICE_REMOVE_COMPLETE Event".
    pub(super) fn query_and_remove(self, m: &mut Machine, eject: bool, then: Removal) -> Result<(), NtStatus> {
        let nodes = self.affected(m, eject);
        query_notifications(m, &nodes)?;
        query_drivers(m, &nodes)?;
        m.notify_all(&nodes, TargetEvent::RemoveComplete);
        self.decide_removals(m, &nodes, then);
        for node in nodes {
            node.remove(m);
        }
        Ok(())
    }

    /// Every device that goes when this one does, children before parents: what is below it, what their drivers name as
    /// removal relations, and on an eject what the bus names as ejection relations.
    ///
    /// Source: Windows driver documentation, IRP_MN_QUERY_DEVICE_RELATIONS; IoRequestDeviceEject (1); a log of Windows 10,
    /// which asks for the removal relations before QUERY_REMOVE.
    pub(super) fn affected(self, m: &mut Machine, eject: bool) -> Vec<DevNode> {
        let mut nodes = vec![self];
        let mut asked = 0;
        while let Some(&node) = nodes.get(asked) {
            asked += 1;
            let mut more = node.children(m);
            more.extend(node.removal_relations(m));
            if eject && node == self {
                more.extend(node.related_nodes(m, RelationType::Ejection));
            }
            for node in more {
                if !nodes.contains(&node) {
                    nodes.push(node);
                }
            }
        }
        nodes.sort_by_key(|node| std::cmp::Reverse(node.depth(m)));
        nodes
    }

    /// Bug check 0xCA/0xB for a removal relation that is deleted already.
    ///
    /// Source: Windows driver documentation, "Bug Check 0xCA: PNP_DETECTED_FATAL_ERROR".
    fn removal_relations(self, m: &mut Machine) -> Vec<DevNode> {
        if !self.has_drivers(m) {
            return Vec::new();
        }
        let related = self.relations(m, RelationType::Removal).unwrap_or_default();
        if let Some(deleted) = related.iter().find(|pdo| pdo.is_deleted(m)) {
            m.bug_check(0xCA, [0xB, deleted.address(), 0, 0], "IRP_MN_QUERY_DEVICE_RELATIONS");
        }
        related.into_iter().filter_map(|pdo| DevNode::of(m, pdo)).collect()
    }

    fn related_nodes(self, m: &mut Machine, kind: RelationType) -> Vec<DevNode> {
        let related = self.relations(m, kind).unwrap_or_default();
        related.into_iter().filter_map(|pdo| DevNode::of(m, pdo)).collect()
    }

    /// Settles what becomes of each device of a removal: what is below a removed bus is reported by nobody any more.
    pub(super) fn decide_removals(self, m: &mut Machine, nodes: &[DevNode], then: Removal) {
        for &node in nodes {
            let with_its_bus = node.parent(m).is_some_and(|parent| nodes.contains(&parent));
            if let Some(data) = node.data(m) {
                data.removal = match with_its_bus {
                    true => Removal::Forget,
                    false if node == self => then,
                    false => Removal::default(),
                };
            }
        }
    }

    /// Takes the stack down and does with the devnode what was decided.
    pub(super) fn remove(self, m: &mut Machine) {
        self.remove_stack(m);
        match self.data(m).map(|data| data.removal) {
            Some(Removal::Forget) => self.forget(m),
            Some(Removal::Keep(state, problem)) => self.set_state(m, state, problem),
            None => {}
        }
    }

    /// REMOVE. The interfaces that its drivers left enabled are disabled after it.
    ///
    /// Source: Windows driver documentation, IoSetDeviceInterfaceState.
    pub(super) fn remove_stack(self, m: &mut Machine) {
        self.tell(m, PnpMinor::RemoveDevice);
        if let Some(pdo) = self.pdo(m) {
            m.disable_interfaces(pdo);
        }
    }

    /// How many handles are open on devices of the stack.
    pub(super) fn open_handles(self, m: &Machine) -> u32 {
        let stack = self.pdo(m).filter(|pdo| pdo.exists(m)).map_or_else(Vec::new, |pdo| pdo.stack(m));
        stack.into_iter().map(|device| m[device].open_files).sum()
    }

    /// Whether its drivers, or its bus alone where it has none, are asked before it is removed.
    fn is_asked(self, m: &Machine) -> bool {
        self.has_drivers(m) || matches!(self.state(m), Some(NodeState::Disabled | NodeState::HardwareDisabled))
    }

    /// QUERY_REMOVE; afterwards an open handle is a veto.
    ///
    /// Source: Windows driver documentation, "Handling an IRP_MN_QUERY_REMOVE_DEVICE Request".
    fn query_remove(self, m: &mut Machine) -> Result<(), NtStatus> {
        if self.state(m) == Some(NodeState::AwaitingClose) {
            return Err(m.veto(VetoType::PendingClose, self, STATUS_DEVICE_BUSY));
        }
        if self.is_asked(m) {
            let status = self.tell(m, PnpMinor::QueryRemoveDevice);
            status.ok().map_err(|status| m.veto(VetoType::Device, self, status))?;
        }
        match self.open_handles(m) {
            0 => Ok(()),
            _ => Err(m.veto(VetoType::OutstandingOpen, self, STATUS_DEVICE_BUSY)),
        }
    }
}

/// Before the first QUERY_REMOVE, whoever is registered for one of the devices may close its handles, or refuse.
///
/// Source: Windows driver documentation, "Handling a GUID_TARGET_DEVICE_QUERY_REMOVE Event".
fn query_notifications(m: &mut Machine, nodes: &[DevNode]) -> Result<(), NtStatus> {
    for (at, node) in nodes.iter().enumerate() {
        let Some(pdo) = node.pdo(m) else { continue };
        if let Err((driver, status)) = m.notify_target_drivers(pdo, TargetEvent::QueryRemove) {
            m.notify_all(&nodes[..at], TargetEvent::RemoveCancelled);
            m.pnp.last_veto = Some(Veto { kind: VetoType::Driver, name: m[driver].name.clone(), status });
            return Err(status);
        }
    }
    Ok(())
}

/// QUERY_REMOVE to every stack. After a refusal all that were asked get CANCEL_REMOVE, the refusing one with them, and
/// then everybody who was notified hears of it.
///
/// Source: Windows driver documentation, IRP_MN_CANCEL_REMOVE_DEVICE.
fn query_drivers(m: &mut Machine, nodes: &[DevNode]) -> Result<(), NtStatus> {
    for (at, node) in nodes.iter().enumerate() {
        if let Err(status) = node.query_remove(m) {
            for asked in nodes[..=at].iter().filter(|node| node.is_asked(m)).copied().collect::<Vec<_>>() {
                asked.tell(m, PnpMinor::CancelRemoveDevice);
            }
            m.notify_all(nodes, TargetEvent::RemoveCancelled);
            return Err(status);
        }
    }
    Ok(())
}
