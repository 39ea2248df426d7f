//! Children that appear: relations, ids, AddDevice, start.

use super::{DevNode, IdType, NodeState, PnpAnswer, PnpMinor, PnpParameters, PnpRequest, RelationType, send};
use crate::device::DeviceObject;
use crate::machine::Machine;
use crate::status::{NtStatus, constants::*};

impl Machine {
    /// `IoInvalidateDeviceRelations(pdo, BusRelations)`: asks the PnP manager to ask this bus for its children.
    /// Returns at once; the work is done on a system thread.
    ///
    /// Source: Windows driver documentation, IoInvalidateDeviceRelations.
    pub fn invalidate_device_relations(&mut self, pdo: DeviceObject) {
        self.pnp_was_asked(pdo, PnpRequest::InvalidateRelations(RelationType::Bus));
        if let Some(node) = DevNode::of(self, pdo) {
            self.queue_pnp_work(enumerate, node);
        }
    }
}

impl Machine {
    /// `IoInvalidateDeviceState`: asks the PnP manager to ask a device for its state again.
    pub fn invalidate_device_state(&mut self, pdo: DeviceObject) {
        self.pnp_was_asked(pdo, PnpRequest::InvalidateState);
        if let Some(node) = DevNode::of(self, pdo) {
            self.queue_pnp_work(ask_for_state, node);
        }
    }
}

fn ask_for_state(m: &mut Machine, node: DevNode) {
    if let Some(pdo) = node.pdo(m).filter(|_| node.state(m) == Some(NodeState::Started)) {
        send(m, pdo, PnpMinor::QueryPnpDeviceState, PnpParameters::None);
    }
}

fn enumerate(m: &mut Machine, node: DevNode) {
    if node.state(m) == Some(NodeState::Started) {
        node.enumerate(m);
    }
}

impl DevNode {
    /// Asks the bus for its children, takes in the new ones and lets go of the missing ones.
    ///
    /// Source: Windows driver documentation, "Adding a PnP device to a running system".
    pub(super) fn enumerate(self, m: &mut Machine) {
        let Some(pdo) = self.pdo(m) else { return };
        let parameters = PnpParameters::Relations(RelationType::Bus);
        let (status, answer) = send(m, pdo, PnpMinor::QueryDeviceRelations, parameters);
        let PnpAnswer::Relations(reported) = answer else { return };
        if !status.status.is_success() {
            return;
        }
        let known: Vec<(DevNode, Option<DeviceObject>)> =
            self.children(m).into_iter().map(|child| (child, child.pdo(m))).collect();
        for &(child, pdo) in &known {
            if !pdo.is_some_and(|pdo| reported.contains(&pdo)) {
                child.missing(m);
            }
        }
        for pdo in reported {
            if !known.iter().any(|&(_, known)| known == Some(pdo)) {
                DevNode::insert(m, pdo, Some(self)).appear(m);
            }
        }
    }

    /// A PDO that was not there before: who is it, and which drivers want it?
    fn appear(self, m: &mut Machine) {
        let device_id = self.query_id(m, IdType::Device);
        let instance_id = self.query_id(m, IdType::Instance);
        let hardware_id = self.query_id(m, IdType::Hardware);
        self.refuse_twin(m, &device_id, &instance_id);
        if let Some(node) = m.pnp.nodes.get_mut(self.0) {
            (node.device_id, node.instance_id, node.hardware_id) = (device_id, instance_id, hardware_id);
        }
        if let Some(pdo) = self.pdo(m) {
            send(m, pdo, PnpMinor::QueryCapabilities, PnpParameters::None);
            send(m, pdo, PnpMinor::QueryResourceRequirements, PnpParameters::None);
        }
        self.build_and_start(m);
    }

    /// Two PDOs of one bus with the same ids are bug check 0xCA/1. One that is gone from the bus and only waits for its
    /// last handle is no twin: the device came back.
    ///
    /// Source: Windows driver documentation, "Bug Check 0xCA: PNP_DETECTED_FATAL_ERROR".
    fn refuse_twin(self, m: &Machine, device_id: &str, instance_id: &str) {
        let Some(parent) = m.pnp.nodes.get(self.0).and_then(|node| node.parent) else { return };
        let is_twin = |child: DevNode| {
            m.pnp.nodes.get(child.0).is_some_and(|node| {
                child != self
                    && node.state != NodeState::AwaitingClose
                    && node.device_id == device_id
                    && node.instance_id == instance_id
            })
        };
        if parent.children(m).into_iter().any(is_twin) {
            let address = self.pdo(m).map_or(0, DeviceObject::address);
            m.bug_check(0xCA, [1, address, 0, 0], "PnP enumeration");
        }
    }

    fn query_id(self, m: &mut Machine, kind: IdType) -> String {
        let Some(pdo) = self.pdo(m) else { return String::new() };
        match send(m, pdo, PnpMinor::QueryId, PnpParameters::Id(kind)) {
            (status, PnpAnswer::Id(id)) if status.status.is_success() => id,
            _ => String::new(),
        }
    }

    /// AddDevice for every driver that is installed for the device, bottom to top; then START.
    pub(super) fn build_and_start(self, m: &mut Machine) {
        let hardware_id = self.hardware_id(m).to_owned();
        let Some(installed) = m.pnp.installations.iter().find(|known| known.hardware_id == hardware_id).cloned() else {
            return;
        };
        let Some(pdo) = self.pdo(m) else { return };
        let drivers =
            installed.lower_filters.iter().chain(&installed.function).chain(&installed.upper_filters).copied();
        for driver in drivers {
            let status = match m[driver].add_device {
                Some(add_device) => add_device(m, driver, pdo),
                None => STATUS_INVALID_DEVICE_REQUEST,
            };
            if !status.is_success() {
                return self.fail(m, pdo, status);
            }
        }
        let (status, _) = send(m, pdo, PnpMinor::StartDevice, PnpParameters::None);
        if !status.status.is_success() {
            return self.fail(m, pdo, status.status);
        }
        self.set_state(m, NodeState::Started);
        send(m, pdo, PnpMinor::QueryCapabilities, PnpParameters::None);
        send(m, pdo, PnpMinor::QueryPnpDeviceState, PnpParameters::None);
        self.enumerate(m);
    }

    /// A stack that could not be built or started is taken down; its PDO stays on the bus.
    fn fail(self, m: &mut Machine, pdo: DeviceObject, status: NtStatus) {
        send(m, pdo, PnpMinor::RemoveDevice, PnpParameters::None);
        self.set_state(m, NodeState::Failed(status));
    }
}
