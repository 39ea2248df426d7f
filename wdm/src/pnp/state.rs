//! How a device is: PNP_DEVICE_STATE, and what follows from it.

use super::manager::{Removal, Work};
use super::{DevNode, NodeState, PnpAnswer, PnpDeviceState, PnpMinor, PnpParameters, PnpRequest, Problem, UsageType};
use crate::device::DeviceObject;
use crate::machine::Machine;
use crate::status::{NtStatus, constants::*};
use crate::stop::Stop;

impl Machine {
    /// `IoInvalidateDeviceState`: asks the PnP manager to ask the stack how the device is. Returns at once; the work is
    /// done on a system thread. IRQL <= DISPATCH_LEVEL.
    ///
    /// Source: Windows driver documentation, IoInvalidateDeviceState.
    pub fn invalidate_device_state(&mut self, pdo: DeviceObject) {
        self.pnp_was_asked(pdo, PnpRequest::InvalidateState);
        if let Some(node) = self.devnode_of_pdo(pdo, "IoInvalidateDeviceState") {
            self.queue_pnp_work(Work::Device(|m, node| node.query_state(m), node));
        }
    }

    /// Puts a file of the system on the device, or takes it away: DEVICE_USAGE_NOTIFICATION. The inner result is what
    /// the stack answered.
    ///
    /// # Errors
    /// What stopped the machine.
    ///
    /// Source: Windows driver documentation, IRP_MN_DEVICE_USAGE_NOTIFICATION.
    pub fn notify_usage(&mut self, node: DevNode, kind: UsageType, in_path: bool) -> Result<NtStatus, Stop> {
        self.tell_device(node, PnpMinor::DeviceUsageNotification, PnpParameters::Usage { kind, in_path })
    }

    /// Locks the device into its slot, or unlocks it: SET_LOCK. The inner result is what the stack answered.
    ///
    /// # Errors
    /// What stopped the machine.
    ///
    /// Source: Windows driver documentation, IRP_MN_SET_LOCK.
    pub fn lock_device(&mut self, node: DevNode, lock: bool) -> Result<NtStatus, Stop> {
        self.tell_device(node, PnpMinor::SetLock, PnpParameters::Lock(lock))
    }

    fn tell_device(&mut self, node: DevNode, minor: PnpMinor, parameters: PnpParameters) -> Result<NtStatus, Stop> {
        self.run(|m| {
            m.run_pnp_work(|m| match node.pdo(m) {
                Some(pdo) => super::send(m, pdo, minor, parameters, PnpAnswer::None).0.status,
                None => STATUS_NO_SUCH_DEVICE,
            })
        })
    }
}

impl DevNode {
    /// Asks a started device how it is, and does what that demands:
    ///
    /// | flag | what follows |
    /// | --- | --- |
    /// | REMOVED | SURPRISE_REMOVAL, REMOVE |
    /// | FAILED | SURPRISE_REMOVAL, REMOVE; the device has problem code 43 |
    /// | RESOURCE_REQUIREMENTS_CHANGED | new requirements, and START on top of the old one |
    /// | FAILED and RESOURCE_REQUIREMENTS_CHANGED | STOP, new requirements, START |
    /// | NOT_DISABLEABLE | neither it nor what is above it can be disabled |
    /// | DISABLED, DONT_DISPLAY_IN_UI, DISCONNECTED | it is remembered |
    ///
    /// Source: Windows driver documentation, "About PNP_DEVICE_STATE", "Handling an IRP_MN_SURPRISE_REMOVAL Request",
    /// IRP_MN_START_DEVICE; ReactOS, IoInvalidateDeviceState.
    pub(super) fn query_state(self, m: &mut Machine) {
        let (Some(NodeState::Started), Some(pdo)) = (self.state(m), self.pdo(m)) else { return };
        let minor = PnpMinor::QueryPnpDeviceState;
        let (status, _) = super::send(m, pdo, minor, PnpParameters::None, PnpAnswer::None);
        if !status.status.is_success() {
            return;
        }
        let state = PnpDeviceState::from_information(status.information);
        self.change_info(m, |info| info.device_state = state);
        let moved = state.contains(PnpDeviceState::RESOURCE_REQUIREMENTS_CHANGED);
        let failed = state.contains(PnpDeviceState::FAILED);
        if state.contains(PnpDeviceState::REMOVED) {
            self.surprise_remove(m, Removal::Keep(NodeState::Removed, None));
        } else if failed && !moved {
            self.surprise_remove(m, Removal::failed(STATUS_UNSUCCESSFUL, Problem::FailedPostStart));
        } else if moved {
            self.reassign_resources(m, failed);
        }
    }
}
