//! Devices that are put out of their slots.

use super::manager::{Removal, Work};
use super::{CapabilityFlags, DevNode, NodeState, PnpMinor, PnpRequest, Problem};
use crate::device::DeviceObject;
use crate::machine::Machine;
use crate::status::NtStatus;
use crate::stop::Stop;

impl Machine {
    /// `IoRequestDeviceEject`: asks the PnP manager to remove and eject this device, later and in order.
    /// IRQL <= DISPATCH_LEVEL.
    ///
    /// Source: Windows driver documentation, IoRequestDeviceEject.
    pub fn request_device_eject(&mut self, pdo: DeviceObject) {
        self.pnp_was_asked(pdo, PnpRequest::Eject);
        if let Some(node) = self.devnode_of_pdo(pdo, "IoRequestDeviceEject") {
            self.queue_pnp_work(Work::Device(|m, node| _ = node.eject(m), node));
        }
    }

    /// What "Eject" in the notification area does. The inner error is who refused.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn eject_device(&mut self, node: DevNode) -> Result<Result<(), NtStatus>, Stop> {
        self.run(|m| m.run_pnp_work(|m| node.eject(m)))
    }
}

impl DevNode {
    /// Removes the device with all that is ejected with it, and has the bus eject it if the bus can. It is held then
    /// until somebody takes it out.
    ///
    /// Source: Windows driver documentation, IoRequestDeviceEject (remarks).
    fn eject(self, m: &mut Machine) -> Result<(), NtStatus> {
        if self.state(m) == Some(NodeState::HeldForEject) {
            return Ok(());
        }
        let can_eject =
            self.info(m).is_some_and(|info| info.capabilities.flags.contains(CapabilityFlags::EJECT_SUPPORTED));
        let held = Removal::Keep(NodeState::HeldForEject, Some(Problem::HeldForEject));
        self.query_and_remove(m, true, held)?;
        if can_eject {
            self.tell(m, PnpMinor::Eject).ok()?;
        }
        Ok(())
    }
}
