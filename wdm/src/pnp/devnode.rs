//! The devnode tree.

use super::{DeviceInfo, PnpDeviceState, manager::Removal};
use crate::device::DeviceObject;
use crate::enumeration::enumeration;
use crate::machine::Machine;
use crate::power::DevicePowerState;
use crate::slab::Id;
use crate::status::NtStatus;

/// One device in the PnP manager's tree: a PDO and, above it, the stack that was built for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DevNode(pub(super) Id);

/// Where a devnode is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NodeState {
    /// Known, no drivers: none is installed for it.
    #[default]
    Present,
    /// Its stack is built and told to start. Nobody can open it yet.
    Starting,
    /// Its stack is built and started.
    Started,
    /// Stopped, so that its resources can be moved.
    Stopped,
    /// AddDevice or START failed with this status, or a driver reported later that the device failed, which carries no
    /// status (STATUS_UNSUCCESSFUL then). The stack was taken down again.
    Failed(NtStatus),
    /// Its stack was taken down while the bus still reports the PDO. The next enumeration of the bus builds it again.
    Removed,
    /// It had SURPRISE_REMOVAL; REMOVE waits for the last open handle, its own or one below it.
    AwaitingClose,
    /// Its user disabled it: its stack was taken down.
    Disabled,
    /// Its bus reported its hardware to be disabled: it never got drivers.
    HardwareDisabled,
    /// It was removed to be ejected.
    HeldForEject,
}

impl NodeState {
    /// Whether its drivers are there, started or stopped.
    pub(super) fn has_drivers(self) -> bool {
        matches!(self, NodeState::Started | NodeState::Stopped)
    }
}

enumeration! {
    /// Why a device does not work, as Device Manager says it ("Code 10").
    ///
    /// Source: Windows driver documentation, "Device Manager Error Messages" (cfg.h).
    Problem {
        /// START failed.
        FailedStart = 10, "CM_PROB_FAILED_START";
        /// Its user disabled it.
        Disabled = 22, "CM_PROB_DISABLED";
        /// No driver is installed for it.
        FailedInstall = 28, "CM_PROB_FAILED_INSTALL";
        /// Its hardware is disabled.
        HardwareDisabled = 29, "CM_PROB_HARDWARE_DISABLED";
        /// AddDevice failed.
        FailedAdd = 31, "CM_PROB_FAILED_ADD";
        /// It reported PNP_DEVICE_FAILED.
        FailedPostStart = 43, "CM_PROB_FAILED_POST_START";
        /// It waits to be taken out.
        HeldForEject = 47, "CM_PROB_HELD_FOR_EJECT";
    }
}

#[derive(Default)]
pub(crate) struct NodeData {
    pub(super) pdo: Option<DeviceObject>,
    pub(super) parent: Option<DevNode>,
    pub(super) children: Vec<DevNode>,
    /// The bus reported it when it was last asked (DNF_ENUMERATED).
    pub(super) enumerated: bool,
    pub(super) state: NodeState,
    pub(super) problem: Option<Problem>,
    pub(super) info: DeviceInfo,
    /// What must have power before this device has: its PowerRelations.
    pub(super) power_dependencies: Vec<DevNode>,
    /// What becomes of it when its removal is through.
    pub(super) removal: Removal,
}

impl Machine {
    /// The root-enumerated devnodes.
    pub fn root_devnodes(&self) -> &[DevNode] {
        &self.pnp.roots
    }

    /// How many devnodes the tree holds.
    pub fn devnode_count(&self) -> usize {
        self.pnp.nodes.len()
    }

    /// Every devnode, parents before their children.
    pub(crate) fn devnodes(&self) -> Vec<DevNode> {
        let mut nodes = self.pnp.roots.clone();
        let mut seen = 0;
        while let Some(&node) = nodes.get(seen) {
            nodes.extend(node.children(self));
            seen += 1;
        }
        nodes
    }
}

impl DevNode {
    /// The devnode of a PDO.
    pub fn of(m: &Machine, pdo: DeviceObject) -> Option<DevNode> {
        m.devices.get(pdo.0)?.devnode
    }

    /// The devnode of the stack that a device belongs to.
    pub fn of_stack(m: &Machine, device: DeviceObject) -> Option<DevNode> {
        DevNode::of(m, device.bottom_of_stack(m))
    }

    /// The PDO; `None` once the devnode is gone.
    pub fn pdo(self, m: &Machine) -> Option<DeviceObject> {
        m.pnp.nodes.get(self.0)?.pdo
    }

    /// Whether the devnode is still in the tree.
    pub fn exists(self, m: &Machine) -> bool {
        m.pnp.nodes.get(self.0).is_some()
    }

    /// Where it is in its life; `None` once it is gone.
    pub fn state(self, m: &Machine) -> Option<NodeState> {
        m.pnp.nodes.get(self.0).map(|node| node.state)
    }

    /// Why it does not work, if it does not.
    pub fn problem(self, m: &Machine) -> Option<Problem> {
        m.pnp.nodes.get(self.0)?.problem
    }

    /// The bus that reported it.
    pub fn parent(self, m: &Machine) -> Option<DevNode> {
        m.pnp.nodes.get(self.0)?.parent
    }

    /// Its children, in the order in which the bus reported them.
    pub fn children(self, m: &Machine) -> Vec<DevNode> {
        m.pnp.nodes.get(self.0).map(|node| node.children.clone()).unwrap_or_default()
    }

    /// How many buses are above it: 0 for a root-enumerated device.
    pub fn depth(self, m: &Machine) -> usize {
        std::iter::successors(self.parent(m), |node| node.parent(m)).count()
    }

    /// What must have power before it: its bus, and its power relations.
    pub(crate) fn power_suppliers(self, m: &Machine) -> impl Iterator<Item = DevNode> {
        let node = m.pnp.nodes.get(self.0);
        node.into_iter().flat_map(|node| node.power_dependencies.iter().chain(&node.parent)).copied()
    }

    /// What the device and its drivers said of it.
    pub fn info(self, m: &Machine) -> Option<&DeviceInfo> {
        m.pnp.nodes.get(self.0).map(|node| &node.info)
    }

    /// Its device instance path: `VBUS\Reader\1&79F5D87&0&0007`.
    pub fn instance_path(self, m: &Machine) -> String {
        self.info(m).map(|info| info.instance_path.clone()).unwrap_or_default()
    }

    /// The most specific hardware id that drivers are matched with.
    pub fn hardware_id(self, m: &Machine) -> &str {
        self.info(m).and_then(|info| info.hardware_ids.first()).map_or("", String::as_str)
    }

    /// The power state that was last reported for its PDO (`PoSetPowerState`).
    pub fn power_state(self, m: &Machine) -> DevicePowerState {
        self.pdo(m).and_then(|pdo| m.devices.get(pdo.0)).map_or(DevicePowerState::Unspecified, |pdo| pdo.power_state)
    }

    /// Whether it may be disabled: neither it nor a device below it is marked PNP_DEVICE_NOT_DISABLEABLE.
    ///
    /// Source: Windows driver documentation, "About PNP_DEVICE_STATE".
    pub fn is_disableable(self, m: &Machine) -> bool {
        let itself = self.info(m).is_none_or(|info| !info.device_state.contains(PnpDeviceState::NOT_DISABLEABLE));
        itself && self.children(m).into_iter().all(|child| child.is_disableable(m))
    }

    pub(super) fn data(self, m: &mut Machine) -> Option<&mut NodeData> {
        m.pnp.nodes.get_mut(self.0)
    }

    pub(crate) fn has_drivers(self, m: &Machine) -> bool {
        self.state(m).is_some_and(NodeState::has_drivers)
    }

    pub(super) fn set_state(self, m: &mut Machine, state: NodeState, problem: Option<Problem>) {
        if let Some(node) = self.data(m) {
            node.state = state;
            node.problem = problem;
        }
    }

    pub(super) fn set_enumerated(self, m: &mut Machine, enumerated: bool) {
        if let Some(node) = self.data(m) {
            node.enumerated = enumerated;
        }
    }

    pub(super) fn change_info(self, m: &mut Machine, change: impl FnOnce(&mut DeviceInfo)) {
        if let Some(node) = self.data(m) {
            change(&mut node.info);
        }
    }

    /// Adds a node below `parent`, or to the roots. The PDO lives until the node is gone.
    pub(super) fn insert(m: &mut Machine, pdo: DeviceObject, parent: Option<DevNode>) -> DevNode {
        let (id, node) = m.pnp.nodes.take();
        *node = NodeData { pdo: Some(pdo), parent, ..NodeData::default() };
        let siblings = match parent.and_then(|parent| m.pnp.nodes.get_mut(parent.0)) {
            Some(parent) => &mut parent.children,
            None => &mut m.pnp.roots,
        };
        siblings.push(DevNode(id));
        m[pdo].devnode = Some(DevNode(id));
        DevNode(id)
    }

    /// Takes the node out of the tree, and with it the PnP manager's reference of the PDO.
    pub(super) fn forget(self, m: &mut Machine) {
        let Some(node) = m.pnp.nodes.get(self.0) else { return };
        let (parent, pdo) = (node.parent, node.pdo);
        if let Some(parent) = parent {
            m.pnp.paths.remove(parent, &node.info.instance_path, self);
        }
        let siblings = match parent.and_then(|parent| m.pnp.nodes.get_mut(parent.0)) {
            Some(parent) => &mut parent.children,
            None => &mut m.pnp.roots,
        };
        siblings.retain(|&node| node != self);
        m.pnp.nodes.release(self.0);
        if let Some(pdo) = pdo {
            pdo.forget_devnode(m);
        }
    }
}
