//! The PnP manager: the devnode tree, and the IRPs that move a device through its life.

mod capabilities;
mod codes;
mod devnode;
mod eject;
mod enumerate;
mod info;
mod install;
mod manager;
mod notify;
mod parameters;
mod paths;
mod removal;
mod root;
mod start;
mod state;
mod stop;
mod surprise;

pub use capabilities::{CapabilityFlags, DeviceCapabilities, PnpDeviceState};
pub use codes::{IdType, PnpMinor, RelationType, TextType, UsageType};
pub use devnode::{DevNode, NodeState, Problem};
pub use info::DeviceInfo;
pub use install::Installation;
pub(crate) use manager::PnpManager;
pub use manager::{PnpRequest, PnpRequestHook};
pub(crate) use notify::InterfaceChange;
pub use notify::{NotificationCallback, NotificationEntry, PnpNotification, TargetEvent};
pub use parameters::{
    BusInformation, Interface, InterfaceCount, InterfaceQuery, PnpAnswer, PnpParameters, Resource, ResourceKind,
};
pub use removal::{Veto, VetoType};
pub use stop::Rebalance;
pub(crate) use surprise::file_closed;

use crate::device::DeviceObject;
use crate::file::FileObject;
use crate::irp::{IoStatus, Major, Origin, Parameters};
use crate::machine::Machine;
use crate::status::{NtStatus, constants::*};

impl DeviceObject {
    /// Sends a PnP IRP to this device and waits for it, as a driver does that asks the devices below it. PASSIVE_LEVEL.
    ///
    /// IoStatus is preset to STATUS_NOT_SUPPORTED: a driver that does not handle the minor code leaves it so. `brought`
    /// is what the parameters of the minor code point to.
    ///
    /// Source: Windows driver documentation, "Passing PnP IRPs down the device stack".
    pub fn send_pnp(
        self,
        m: &mut Machine,
        minor: PnpMinor,
        parameters: PnpParameters,
        brought: PnpAnswer,
    ) -> (IoStatus, PnpAnswer) {
        self.send_pnp_about(m, minor, parameters, brought, None)
    }

    /// As [`DeviceObject::send_pnp`], about a file.
    fn send_pnp_about(
        self,
        m: &mut Machine,
        minor: PnpMinor,
        parameters: PnpParameters,
        brought: PnpAnswer,
        file: Option<FileObject>,
    ) -> (IoStatus, PnpAnswer) {
        let failed = |status: NtStatus| (IoStatus { status, information: 0 }, PnpAnswer::None);
        if !self.exists(m) {
            return failed(STATUS_NO_SUCH_DEVICE);
        }
        let irp = match m.allocate_irp_for(m[self].stack_size, Origin::System) {
            Ok(irp) => irp,
            Err(status) => return failed(status),
        };
        m[irp].io_status.status = STATUS_NOT_SUPPORTED;
        m[irp].pnp_answer = brought;
        let location = m[irp].next_mut();
        location.major = Major::Pnp;
        location.minor = minor as u8;
        location.parameters = Parameters::Pnp(parameters);
        location.file = file;
        let status = irp.send_and_wait(m, self, minor.name());
        let answer = std::mem::take(&mut m[irp].pnp_answer);
        irp.free(m);
        (status, answer)
    }
}

/// Sends a PnP IRP to the top of a PDO's stack in a system thread, and waits for it. A PDO that its bus deleted and that
/// nothing is attached to any more has no driver left to hear of it.
fn send(
    m: &mut Machine,
    pdo: DeviceObject,
    minor: PnpMinor,
    parameters: PnpParameters,
    brought: PnpAnswer,
) -> (IoStatus, PnpAnswer) {
    let top = pdo.top_of_stack(m);
    if top == pdo && pdo.is_deleted(m) {
        return (IoStatus { status: STATUS_NO_SUCH_DEVICE, information: 0 }, PnpAnswer::None);
    }
    let answer = top.send_pnp(m, minor, parameters, brought);
    // The PnP manager takes its time: whoever can run has run before it goes on.
    m.run_ready();
    answer
}

impl DevNode {
    /// Tells the stack something that carries nothing with it. Returns its status.
    fn tell(self, m: &mut Machine, minor: PnpMinor) -> NtStatus {
        match self.pdo(m) {
            Some(pdo) => send(m, pdo, minor, PnpParameters::None, PnpAnswer::None).0.status,
            None => STATUS_NO_SUCH_DEVICE,
        }
    }
}

#[cfg(test)]
mod tests;
