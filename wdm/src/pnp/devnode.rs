//! The devnode tree and the driver database.

use std::collections::VecDeque;

use super::{RelationType, Work};
use crate::device::{DeviceObject, DriverObject};
use crate::machine::Machine;
use crate::slab::{Id, Slab};
use crate::status::NtStatus;

/// One device in the PnP manager's tree: a PDO and, above it, the stack that was built for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DevNode(pub(super) Id);

/// Where a devnode is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NodeState {
    /// Known, no driver yet: none is installed for its hardware id.
    #[default]
    Present,
    /// Its stack is built and started.
    Started,
    /// AddDevice or START failed with this status; the stack was taken down again.
    Failed(NtStatus),
    /// Its stack was taken down while the bus still reports the PDO.
    Removed,
    /// The bus reported it missing; REMOVE waits for the last open handle.
    AwaitingClose,
}

#[derive(Default)]
pub(crate) struct NodeData {
    pub(super) pdo: Option<DeviceObject>,
    pub(super) parent: Option<DevNode>,
    pub(super) children: Vec<DevNode>,
    pub(super) state: NodeState,
    pub(super) device_id: String,
    pub(super) instance_id: String,
    pub(super) hardware_id: String,
}

/// What is installed for a hardware id: an INF and its class filters.
#[derive(Clone, Debug, Default)]
pub struct Installation {
    /// The id that devices are matched with.
    pub hardware_id: String,
    /// Filters between the PDO and the function driver, lowest first.
    pub lower_filters: Vec<DriverObject>,
    /// The function driver.
    pub function: Option<DriverObject>,
    /// Filters above the function driver, lowest first.
    pub upper_filters: Vec<DriverObject>,
}

#[derive(Default)]
pub(crate) struct PnpManager {
    pub(super) nodes: Slab<NodeData>,
    pub(super) roots: Vec<DevNode>,
    pub(super) installations: Vec<Installation>,
    /// The driver that owns the PDOs of root-enumerated devices.
    pub(super) root_driver: Option<DriverObject>,
    /// How many root-enumerated devices there ever were: instance ids are not used twice.
    pub(super) roots_added: u32,
    pub(super) waiting: VecDeque<(Work, DevNode)>,
    pub(super) busy: bool,
    pub(super) on_request: Option<PnpRequestHook>,
}

/// What a driver can ask of the PnP manager.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PnpRequest {
    /// IoInvalidateDeviceRelations.
    InvalidateRelations(RelationType),
    /// IoInvalidateDeviceState.
    InvalidateState,
    /// IoRequestDeviceEject.
    Eject,
}

/// Called with the PDO that a driver asks something for, at the moment it does.
pub type PnpRequestHook = fn(&mut Machine, DeviceObject, PnpRequest);

impl Machine {
    /// Installs drivers for a hardware id; devices that appear later get them. The last installation wins.
    pub fn install(&mut self, installation: Installation) {
        self.uninstall(&installation.hardware_id);
        self.pnp.installations.push(installation);
    }

    /// Removes an installation; devices that have its drivers keep them.
    pub fn uninstall(&mut self, hardware_id: &str) {
        self.pnp.installations.retain(|known| known.hardware_id != hardware_id);
    }

    /// Calls `hook` whenever a driver asks the PnP manager for something, also for a device that is not in its tree.
    pub fn on_pnp_request(&mut self, hook: PnpRequestHook) {
        self.pnp.on_request = Some(hook);
    }

    pub(super) fn pnp_was_asked(&mut self, pdo: DeviceObject, request: PnpRequest) {
        if let Some(hook) = self.pnp.on_request {
            hook(self, pdo, request);
        }
    }

    /// The root-enumerated devnodes.
    pub fn root_devnodes(&self) -> &[DevNode] {
        &self.pnp.roots
    }

    /// How many devnodes the tree holds.
    pub fn devnode_count(&self) -> usize {
        self.pnp.nodes.len()
    }
}

impl DevNode {
    /// The devnode of a PDO.
    pub fn of(m: &Machine, pdo: DeviceObject) -> Option<DevNode> {
        m.pnp.nodes.iter().find(|(_, node)| node.pdo == Some(pdo)).map(|(id, _)| DevNode(id))
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

    /// Its children, in the order in which the bus reported them.
    pub fn children(self, m: &Machine) -> Vec<DevNode> {
        m.pnp.nodes.get(self.0).map(|node| node.children.clone()).unwrap_or_default()
    }

    /// Its device instance path: `VBUS\Reader\0007`.
    pub fn instance_path(self, m: &Machine) -> String {
        m.pnp.nodes.get(self.0).map(|n| format!("{}\\{}", n.device_id, n.instance_id)).unwrap_or_default()
    }

    /// The hardware id that drivers are matched with.
    pub fn hardware_id(self, m: &Machine) -> &str {
        m.pnp.nodes.get(self.0).map_or("", |node| &node.hardware_id)
    }

    pub(super) fn set_state(self, m: &mut Machine, state: NodeState) {
        if let Some(node) = m.pnp.nodes.get_mut(self.0) {
            node.state = state;
        }
    }

    /// Adds a node below `parent`, or to the roots.
    pub(super) fn insert(m: &mut Machine, pdo: DeviceObject, parent: Option<DevNode>) -> DevNode {
        let (id, node) = m.pnp.nodes.take();
        *node = NodeData { pdo: Some(pdo), parent, ..NodeData::default() };
        let siblings = match parent.and_then(|parent| m.pnp.nodes.get_mut(parent.0)) {
            Some(parent) => &mut parent.children,
            None => &mut m.pnp.roots,
        };
        siblings.push(DevNode(id));
        DevNode(id)
    }

    /// Takes the node out of the tree.
    pub(super) fn forget(self, m: &mut Machine) {
        let parent = m.pnp.nodes.get(self.0).and_then(|node| node.parent);
        let siblings = match parent.and_then(|parent| m.pnp.nodes.get_mut(parent.0)) {
            Some(parent) => &mut parent.children,
            None => &mut m.pnp.roots,
        };
        siblings.retain(|&node| node != self);
        m.pnp.nodes.release(self.0);
    }
}
