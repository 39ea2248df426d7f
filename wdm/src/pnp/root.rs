//! Root-enumerated devices: the PnP manager's own bus.
//!
//! Source: Windows driver documentation, "Device Nodes and Device Stacks" (root-enumerated devices).

use super::{DevNode, PnpMinor};
use crate::device::{DeviceObject, DriverObject};
use crate::irp::{Irp, Major};
use crate::machine::Machine;
use crate::status::{NtStatus, constants::*};
use crate::stop::Stop;

impl Machine {
    /// Adds a root-enumerated device, builds its stack from what is installed for `hardware_id`, and starts it.
    ///
    /// The result's state says how that went.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn add_root_device(&mut self, hardware_id: &str) -> Result<DevNode, Stop> {
        self.run(|m| {
            let driver = root_driver(m);
            let pdo = m.create_device(driver);
            m.auto_name_device(pdo);
            m[pdo].initializing = false;
            let instance = m.pnp.roots_added;
            m.pnp.roots_added += 1;
            let node = DevNode::insert(m, pdo, None);
            if let Some(data) = m.pnp.nodes.get_mut(node.0) {
                data.device_id = hardware_id.to_owned();
                data.instance_id = format!("{instance:04}");
                data.hardware_id = hardware_id.to_owned();
            }
            m.run_pnp_work(|m| node.build_and_start(m));
            node
        })
    }
}

fn root_driver(m: &mut Machine) -> DriverObject {
    if let Some(driver) = m.pnp.root_driver {
        return driver;
    }
    let driver = m.create_driver("PnpManager");
    for major in [Major::Create, Major::Cleanup, Major::Close, Major::Power] {
        driver.set_major(m, major, succeed);
    }
    driver.set_major(m, Major::Pnp, pnp);
    m.pnp.root_driver = Some(driver);
    driver
}

fn succeed(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    irp.complete_with(m, STATUS_SUCCESS, 0)
}

/// The root bus agrees to every change of state and has nothing to say to questions.
fn pnp(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    use PnpMinor::*;
    let status = match PnpMinor::from_code(m[irp].current().minor) {
        Some(
            StartDevice | StopDevice | QueryStopDevice | CancelStopDevice | QueryRemoveDevice | RemoveDevice
            | CancelRemoveDevice | SurpriseRemoval | QueryCapabilities,
        ) => STATUS_SUCCESS,
        // Unhandled: the status that came down goes up again.
        _ => m[irp].io_status.status,
    };
    irp.complete_with(m, status, 0)
}
