//! The PnP manager: the devnode tree, and the IRPs that move a device through its life.

mod codes;
mod devnode;
mod enumerate;
mod remove;
mod root;

pub use codes::{IdType, PnpAnswer, PnpMinor, PnpParameters, RelationType, UsageType};
pub(crate) use devnode::PnpManager;
pub use devnode::{DevNode, Installation, NodeState, PnpRequest, PnpRequestHook};
pub(crate) use remove::file_closed;

use crate::device::DeviceObject;
use crate::irp::{IoStatus, Irp, Major, Origin, Parameters};
use crate::machine::Machine;
use crate::schedule::Context;
use crate::status::{NtStatus, constants::*};

/// Work of the PnP manager that waits its turn.
type Work = fn(&mut Machine, DevNode);

impl Machine {
    /// Queues work for the PnP manager's one thread. Whoever waits inside a PnP callback lets everything else run, but
    /// no other PnP work: that comes when the running one is done.
    fn queue_pnp_work(&mut self, work: Work, node: DevNode) {
        self.pnp.waiting.push_back((work, node));
        self.queue_work_item(run_waiting, Context(0));
    }

    /// Runs `work` as the PnP manager: what is queued meanwhile waits until it is done.
    fn run_pnp_work<R>(&mut self, work: impl FnOnce(&mut Machine) -> R) -> R {
        let was_busy = std::mem::replace(&mut self.pnp.busy, true);
        let result = work(self);
        self.pnp.busy = was_busy;
        if !was_busy && !self.pnp.waiting.is_empty() {
            self.queue_work_item(run_waiting, Context(0));
        }
        result
    }
}

fn run_waiting(m: &mut Machine, _: Context) {
    if m.pnp.busy {
        return;
    }
    m.run_pnp_work(|m| {
        while let Some((work, node)) = m.pnp.waiting.pop_front() {
            work(m, node);
        }
    });
}

/// Sends a PnP IRP to the top of `device`'s stack in a system thread, and waits for it.
///
/// IoStatus is preset to STATUS_NOT_SUPPORTED: a driver that does not handle the minor code leaves it so.
///
/// Source: Windows driver documentation, "Passing PnP IRPs down the device stack".
fn send(m: &mut Machine, device: DeviceObject, minor: PnpMinor, parameters: PnpParameters) -> (IoStatus, PnpAnswer) {
    let failed = |status: NtStatus| (IoStatus { status, information: 0 }, PnpAnswer::None);
    if !device.exists(m) {
        return failed(STATUS_NO_SUCH_DEVICE);
    }
    let top = device.top_of_stack(m);
    let irp: Irp = match m.allocate_irp_for(m[top].stack_size, Origin::System) {
        Ok(irp) => irp,
        Err(status) => return failed(status),
    };
    m[irp].io_status.status = STATUS_NOT_SUPPORTED;
    let location = m[irp].next_mut();
    location.major = Major::Pnp;
    location.minor = minor as u8;
    location.parameters = Parameters::Pnp(parameters);
    let status = irp.send_and_wait(m, top, minor.name());
    // The PnP manager takes its time: whoever can run has run before it goes on.
    m.run_ready();
    let answer = std::mem::take(&mut m[irp].pnp_answer);
    irp.free(m);
    (status, answer)
}

#[cfg(test)]
mod tests;
