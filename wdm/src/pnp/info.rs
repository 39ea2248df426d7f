//! What the PnP manager knows of a device, and who it is.

use super::capabilities::{CapabilityFlags, DeviceCapabilities, PnpDeviceState};
use super::parameters::{BusInformation, Resource};
use super::{DevNode, IdType, NodeState, PnpAnswer, PnpMinor, PnpParameters, TextType, send};
use crate::device::DeviceObject;
use crate::machine::Machine;

/// What a device and its drivers answered to the PnP manager's questions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeviceInfo {
    /// The device instance path: who it is, unique in the system.
    pub instance_path: String,
    /// The device id, as the bus gave it.
    pub device_id: String,
    /// The instance id, as the bus gave it.
    pub instance_id: String,
    /// What drivers are matched with first, most specific first.
    pub hardware_ids: Vec<String>,
    /// What they are matched with next.
    pub compatible_ids: Vec<String>,
    /// The container id, if the device has one.
    pub container_id: Option<String>,
    /// What it can do, as last asked.
    pub capabilities: DeviceCapabilities,
    /// Its description.
    pub description: Option<String>,
    /// Where it is on its bus.
    pub location: Option<String>,
    /// The bus that it is on.
    pub bus: Option<BusInformation>,
    /// What it used before it had drivers.
    pub boot_resources: Vec<Resource>,
    /// What it needs, as filtered by its drivers.
    pub requirements: Vec<Resource>,
    /// PNP_DEVICE_STATE, as last asked.
    pub device_state: PnpDeviceState,
}

/// MAX_DEVICE_ID_LEN.
const MAX_DEVICE_ID_LEN: usize = 200;

/// US English.
const LOCALE: u32 = 0x0409;

impl DevNode {
    /// Asks a PDO that was not there before who and what it is.
    ///
    /// The documentation gives the list and no order; this is ReactOS's.
    ///
    /// Source: Windows driver documentation, "Adding a PnP Device to a Running System"; ReactOS, PiInitializeDevNode.
    pub(super) fn ask_who_it_is(self, m: &mut Machine) {
        let device_id = self.query_id(m, IdType::Device).into_iter().next().unwrap_or_default();
        self.query_capabilities(m);
        let instance_id = self.query_id(m, IdType::Instance).into_iter().next().unwrap_or_default();
        let instance_path = self.make_instance_path(m, &device_id, &instance_id);
        self.refuse_twin(m, &instance_path);
        self.change_info(m, |info| {
            (info.device_id, info.instance_id, info.instance_path) = (device_id, instance_id, instance_path);
        });
        let hardware_ids = self.query_id(m, IdType::Hardware);
        let compatible_ids = self.query_id(m, IdType::Compatible);
        let container_id = self.query_id(m, IdType::Container).into_iter().next();
        let description = self.query_text(m, TextType::Description);
        let location = self.query_text(m, TextType::Location);
        let bus = match self.ask(m, PnpMinor::QueryBusInformation, PnpParameters::None, PnpAnswer::None) {
            Some(PnpAnswer::BusInformation(bus)) => Some(bus),
            _ => None,
        };
        let boot_resources = self.query_resources(m, PnpMinor::QueryResources);
        let requirements = self.query_resources(m, PnpMinor::QueryResourceRequirements);
        self.change_info(m, |info| {
            (info.hardware_ids, info.compatible_ids, info.container_id) = (hardware_ids, compatible_ids, container_id);
            (info.description, info.location, info.bus) = (description, location, bus);
            (info.boot_resources, info.requirements) = (boot_resources, requirements);
        });
        self.ask(m, PnpMinor::DeviceEnumerated, PnpParameters::None, PnpAnswer::None);
    }

    /// Sends a question to the stack. `None` if it was answered with a failure.
    pub(super) fn ask(
        self,
        m: &mut Machine,
        minor: PnpMinor,
        parameters: PnpParameters,
        brought: PnpAnswer,
    ) -> Option<PnpAnswer> {
        let (status, answer) = send(m, self.pdo(m)?, minor, parameters, brought);
        status.status.is_success().then_some(answer)
    }

    pub(super) fn query_capabilities(self, m: &mut Machine) {
        let brought = PnpAnswer::Capabilities(DeviceCapabilities::default());
        let answer = self.ask(m, PnpMinor::QueryCapabilities, PnpParameters::None, brought);
        if let Some(PnpAnswer::Capabilities(capabilities)) = answer {
            self.change_info(m, |info| info.capabilities = capabilities);
        }
    }

    fn query_text(self, m: &mut Machine, kind: TextType) -> Option<String> {
        let parameters = PnpParameters::Text { kind, locale: LOCALE };
        match self.ask(m, PnpMinor::QueryDeviceText, parameters, PnpAnswer::None) {
            Some(PnpAnswer::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn query_resources(self, m: &mut Machine, minor: PnpMinor) -> Vec<Resource> {
        match self.ask(m, minor, PnpParameters::None, PnpAnswer::None) {
            Some(PnpAnswer::Resources(resources)) => resources,
            _ => Vec::new(),
        }
    }

    /// Asks for ids. One that no id may look like is bug check 0xCA/3. Its third parameter would be the address of the
    /// driver's buffer; ids have none here.
    ///
    /// Source: Windows driver documentation, IRP_MN_QUERY_ID and "Bug Check 0xCA: PNP_DETECTED_FATAL_ERROR".
    fn query_id(self, m: &mut Machine, kind: IdType) -> Vec<String> {
        let ids = match self.ask(m, PnpMinor::QueryId, PnpParameters::Id(kind), PnpAnswer::None) {
            Some(PnpAnswer::Id(id)) => vec![id],
            Some(PnpAnswer::Ids(ids)) => ids,
            _ => Vec::new(),
        };
        let number = match kind {
            IdType::Device => 1,
            IdType::Instance => 2,
            IdType::Hardware => 3,
            IdType::Compatible => 4,
            IdType::SerialNumber | IdType::Container => return ids,
        };
        if !ids.iter().all(|id| is_valid_id(id)) {
            let address = self.pdo(m).map_or(0, DeviceObject::address);
            m.bug_check(0xCA, [3, address, 0, number], "IRP_MN_QUERY_ID");
        }
        ids
    }

    /// An instance id that is unique only on its bus is made unique with what tells the bus from others: its depth and
    /// a checksum of its own path.
    ///
    /// Source: Windows driver documentation, IRP_MN_QUERY_ID (UniqueID) and "Device Instance IDs"; ReactOS,
    /// IopGetParentIdPrefix, and the visible form of paths as `USB\VID_0000&PID_0001\5&1A590E2C&0&2`.
    fn make_instance_path(self, m: &Machine, device_id: &str, instance_id: &str) -> String {
        let unique = self.info(m).is_some_and(|info| info.capabilities.flags.contains(CapabilityFlags::UNIQUE_ID));
        match self.parent(m) {
            Some(parent) if !unique => {
                let checksum = crc32(parent.instance_path(m).to_uppercase().as_bytes());
                format!("{device_id}\\{:X}&{checksum:X}&0&{instance_id}", self.depth(m))
            }
            _ => format!("{device_id}\\{instance_id}"),
        }
    }

    /// Two PDOs of one bus with the same ids are bug check 0xCA/1. One that is gone from the bus and only waits for its
    /// last handle is no twin: the device came back.
    ///
    /// Source: Windows driver documentation, "Bug Check 0xCA: PNP_DETECTED_FATAL_ERROR".
    fn refuse_twin(self, m: &mut Machine, path: &str) {
        let Some(parent) = self.parent(m) else { return };
        let is_twin = |other: &&DevNode| {
            let same_path = other.info(m).is_some_and(|info| info.instance_path == path);
            other.state(m) != Some(NodeState::AwaitingClose) && same_path
        };
        if let Some(twin) = m.pnp.paths.at(parent, path).iter().find(is_twin).copied() {
            let [new, old] = [self, twin].map(|node| node.pdo(m));
            if let (Some(new), Some(old)) = (new, old) {
                m.check_twins(new, old);
            }
            let [new, old] = [new, old].map(|pdo| pdo.map_or(0, DeviceObject::address));
            m.bug_check(0xCA, [1, new, old, 0], "PnP enumeration");
        }
        m.pnp.paths.insert(parent, path, self);
    }
}

/// Ids are made of 0x20 to 0x2B and 0x2D to 0x7F, fewer than MAX_DEVICE_ID_LEN of them.
fn is_valid_id(id: &str) -> bool {
    id.len() < MAX_DEVICE_ID_LEN && id.bytes().all(|byte| matches!(byte, 0x20..=0x2B | 0x2D..=0x7F))
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_crc32() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn an_id_has_no_comma_no_control_character_and_an_end() {
        assert!(is_valid_id("VBUS\\Reader&REV_01"));
        for id in ["A,B", "A\tB", "Gerät", &"x".repeat(200)] {
            assert!(!is_valid_id(id), "{id}");
        }
    }
}
