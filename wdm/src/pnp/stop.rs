//! Stopping devices to move their resources, and starting them again.
//!
//! Source: Windows driver documentation, "Stopping a Device to Rebalance Resources".

use super::manager::Removal;
use super::{DevNode, NodeState, PnpMinor, Problem};
use crate::machine::Machine;
use crate::status::{NtStatus, constants::*};
use crate::stop::Stop;

/// How a rebalance goes on once the devices were asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rebalance {
    /// New resources were found: whoever agreed is stopped and restarted.
    Done,
    /// None were found: whoever agreed is told that it goes on.
    GivenUp,
}

impl Machine {
    /// Stops a device and leaves it so: QUERY_STOP, STOP. The inner error is who refused; that device goes on.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn stop_device(&mut self, node: DevNode) -> Result<Result<(), NtStatus>, Stop> {
        self.run(|m| {
            m.run_pnp_work(|m| {
                node.query_stop(m)?;
                node.filter_requirements(m);
                node.stop(m);
                Ok(())
            })
        })
    }

    /// Restarts a device that [`Machine::stop_device`] stopped. The result is its state.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn restart_device(&mut self, node: DevNode) -> Result<Option<NodeState>, Stop> {
        self.run(|m| {
            m.run_pnp_work(|m| node.restart(m));
            node.state(m)
        })
    }

    /// Moves the resources of several devices: all are asked, and those that agree are stopped and restarted, or told
    /// that it comes to nothing. A device that refuses takes no part. Returns those that agreed.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn rebalance(&mut self, nodes: &[DevNode], outcome: Rebalance) -> Result<Vec<DevNode>, Stop> {
        self.run(|m| {
            m.run_pnp_work(|m| {
                let agreed: Vec<DevNode> = nodes.iter().copied().filter(|node| node.query_stop(m).is_ok()).collect();
                if outcome == Rebalance::GivenUp {
                    agreed.iter().for_each(|node| _ = node.tell(m, PnpMinor::CancelStopDevice));
                    return agreed;
                }
                agreed.iter().for_each(|node| node.filter_requirements(m));
                agreed.iter().for_each(|node| node.stop(m));
                agreed.iter().for_each(|node| node.restart(m));
                agreed
            })
        })
    }
}

impl DevNode {
    /// QUERY_STOP. Anything but success is a refusal, which is followed by CANCEL_STOP; with
    /// STATUS_RESOURCE_REQUIREMENTS_CHANGED a bus agrees and wants to be asked anew what the device needs.
    ///
    /// Source: Windows driver documentation, IRP_MN_QUERY_STOP_DEVICE.
    fn query_stop(self, m: &mut Machine) -> Result<(), NtStatus> {
        if self.state(m) != Some(NodeState::Started) {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        match self.tell(m, PnpMinor::QueryStopDevice) {
            STATUS_SUCCESS => Ok(()),
            STATUS_RESOURCE_REQUIREMENTS_CHANGED => {
                self.requery_requirements(m);
                Ok(())
            }
            status => {
                self.tell(m, PnpMinor::CancelStopDevice);
                Err(status)
            }
        }
    }

    fn requery_requirements(self, m: &mut Machine) {
        let requirements = self.query_resources(m, PnpMinor::QueryResourceRequirements);
        self.change_info(m, |info| info.requirements = requirements);
    }

    fn stop(self, m: &mut Machine) {
        self.tell(m, PnpMinor::StopDevice);
        self.set_state(m, NodeState::Stopped, None);
    }

    /// START of a stopped device. Neither its state nor its capabilities are asked for again. If it fails, the device is
    /// removed as by surprise.
    ///
    /// Source: Windows driver documentation, IRP_MN_QUERY_PNP_DEVICE_STATE ("When Sent").
    fn restart(self, m: &mut Machine) {
        if self.state(m) != Some(NodeState::Stopped) {
            return;
        }
        match self.start(m) {
            Ok(()) => self.set_state(m, NodeState::Started, None),
            Err(status) => self.surprise_remove(m, Removal::failed(status, Problem::FailedStart)),
        }
    }

    /// A device said that it needs other resources. Unless it said that it failed as well it is not stopped for that.
    ///
    /// Source: Windows driver documentation, "About PNP_DEVICE_STATE" and IRP_MN_START_DEVICE.
    pub(super) fn reassign_resources(self, m: &mut Machine, stop: bool) {
        if stop && self.query_stop(m).is_err() {
            return;
        }
        self.requery_requirements(m);
        self.filter_requirements(m);
        if stop {
            self.stop(m);
            self.restart(m);
        } else if let Err(status) = self.start(m) {
            self.surprise_remove(m, Removal::failed(status, Problem::FailedStart));
        }
    }
}
