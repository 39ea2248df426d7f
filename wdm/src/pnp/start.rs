//! Building a stack and starting it.

use super::{CapabilityFlags, DevNode, NodeState, PnpAnswer, PnpMinor, PnpParameters, Problem, Resource};
use crate::machine::Machine;
use crate::status::{NtStatus, constants::*};
use crate::stop::Stop;

impl Machine {
    /// "Enable device": builds the stack of a disabled device again and starts it. The result is its state.
    ///
    /// # Errors
    /// What stopped the machine.
    ///
    /// Source: Windows driver documentation, "State Transitions for PnP Devices".
    pub fn enable_device(&mut self, node: DevNode) -> Result<Option<NodeState>, Stop> {
        self.run(|m| {
            if node.state(m) == Some(NodeState::Disabled) {
                m.run_pnp_work(|m| node.build_and_start(m));
            }
            node.state(m)
        })
    }
}

impl DevNode {
    /// AddDevice for every driver that is installed for the device, bottom to top; then START. A device whose bus can
    /// drive it alone is started without.
    ///
    /// Between the two, a log of Windows 10 shows two more IRPs that the documentation does not explain: minor code 0x18,
    /// reserved for system use, before FILTER_RESOURCE_REQUIREMENTS, and a QUERY_INTERFACE after it.
    ///
    /// Source: Windows driver documentation, "Adding a PnP Device to a Running System"; DEVICE_CAPABILITIES
    /// (RawDeviceOK, HardwareDisabled).
    pub(super) fn build_and_start(self, m: &mut Machine) {
        let Some(info) = self.info(m) else { return };
        let flags = info.capabilities.flags;
        if flags.contains(CapabilityFlags::HARDWARE_DISABLED) {
            return self.set_state(m, NodeState::HardwareDisabled, Some(Problem::HardwareDisabled));
        }
        let drivers = match self.installed(m) {
            Some(installed) => installed.drivers().collect(),
            None if flags.contains(CapabilityFlags::RAW_DEVICE_OK) => Vec::new(),
            None => return self.set_state(m, NodeState::Present, Some(Problem::FailedInstall)),
        };
        let Some(pdo) = self.pdo(m) else { return };
        self.set_state(m, NodeState::Starting, None);
        for driver in drivers {
            let status = match m[driver].add_device {
                Some(add_device) => add_device(m, driver, pdo),
                None => STATUS_INVALID_DEVICE_REQUEST,
            };
            if !status.is_success() {
                return self.fail(m, Problem::FailedAdd, status);
            }
            pdo.top_of_stack(m).check_added(m);
        }
        self.filter_requirements(m);
        match self.start(m) {
            Ok(()) => self.started(m),
            Err(status) => self.fail(m, Problem::FailedStart, status),
        }
    }

    /// A stack that could not be built or started is taken down; its PDO stays on the bus.
    ///
    /// Source: Windows driver documentation, "Starting a Device".
    fn fail(self, m: &mut Machine, problem: Problem, status: NtStatus) {
        self.remove_stack(m);
        self.set_state(m, NodeState::Failed(status), Some(problem));
    }

    /// Lets the drivers change what the device needs.
    ///
    /// Source: Windows driver documentation, IRP_MN_FILTER_RESOURCE_REQUIREMENTS.
    pub(super) fn filter_requirements(self, m: &mut Machine) {
        let brought = PnpAnswer::Resources(self.requirements(m));
        let answer = self.ask(m, PnpMinor::FilterResourceRequirements, PnpParameters::None, brought);
        if let Some(PnpAnswer::Resources(requirements)) = answer {
            self.change_info(m, |info| info.requirements = requirements);
        }
    }

    fn requirements(self, m: &Machine) -> Vec<Resource> {
        self.info(m).map(|info| info.requirements.clone()).unwrap_or_default()
    }

    /// START, with the resources that the device asked for: nothing else here wants any, so it gets them where it
    /// asked. Raw and translated lists are the same.
    ///
    /// Source: Windows driver documentation, IRP_MN_START_DEVICE.
    pub(super) fn start(self, m: &mut Machine) -> Result<(), NtStatus> {
        let Some(pdo) = self.pdo(m) else { return Err(STATUS_NO_SUCH_DEVICE) };
        let assigned = PnpAnswer::Resources(self.requirements(m));
        let (status, _) = super::send(m, pdo, PnpMinor::StartDevice, PnpParameters::None, assigned);
        status.status.ok()
    }

    /// What follows a first start that succeeded: the interfaces that its drivers enabled are exposed, and it is asked
    /// what it can do, how it is, and for its children.
    ///
    /// Source: Windows driver documentation, "Adding a PnP Device to a Running System"; IoSetDeviceInterfaceState.
    fn started(self, m: &mut Machine) {
        self.set_state(m, NodeState::Started, None);
        if let Some(pdo) = self.pdo(m) {
            m.expose_interfaces(pdo);
        }
        self.query_capabilities(m);
        self.query_state(m);
        if self.state(m) == Some(NodeState::Started) {
            self.enumerate(m);
        }
    }
}
