//! System power: the whole tree goes to sleep and wakes.
//!
//! Source: Windows driver documentation, "Power IRPs for the System", IRP_MN_QUERY_POWER and IRP_MN_SET_POWER.

use std::collections::BTreeMap;

use super::{PowerAction, PowerMinor, PowerParameters, PowerState, SystemPowerContext, SystemPowerState};
use crate::irp::{Major, Origin, Parameters};
use crate::machine::Machine;
use crate::pnp::{DevNode, NodeState};
use crate::status::{NtStatus, constants::*};
use crate::stop::Stop;

/// Where the system is.
pub(super) struct SystemState {
    current: SystemPowerState,
    /// Why it is on its way somewhere else, while it is.
    action: PowerAction,
}

impl Default for SystemState {
    fn default() -> Self {
        SystemState { current: SystemPowerState::Working, action: PowerAction::None }
    }
}

impl Machine {
    /// The system's power state.
    pub fn system_power(&self) -> SystemPowerState {
        self.power.state.current
    }

    /// Why the system is changing its state; PowerActionNone while it is not.
    pub(super) fn power_action(&self) -> PowerAction {
        self.power.state.action
    }

    /// Asks every device whether the system may go to `state`: QUERY_POWER, children before their parents. After a
    /// refusal, which is the inner error, those that were asked are told with SET_POWER that the state stays as it is.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn query_system_power(
        &mut self,
        state: SystemPowerState,
        action: PowerAction,
    ) -> Result<Result<(), NtStatus>, Stop> {
        self.run(|m| exclusively(m, |m| query(m, state, action)))
    }

    /// Takes the system to `state`, whatever its devices say: SET_POWER, children before their parents on the way down,
    /// parents before their children on the way to S0.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn set_system_power(&mut self, state: SystemPowerState, action: PowerAction) -> Result<(), Stop> {
        self.run(|m| exclusively(m, |m| set(m, state, action)))
    }

    /// Puts the system to sleep, or shuts it down, as a user does: asks first. The inner error is who refused.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn sleep(&mut self, state: SystemPowerState) -> Result<Result<(), NtStatus>, Stop> {
        let action = match state {
            SystemPowerState::Hibernate => PowerAction::Hibernate,
            SystemPowerState::Shutdown => PowerAction::ShutdownOff,
            _ => PowerAction::Sleep,
        };
        self.run(|m| {
            exclusively(m, |m| {
                query(m, state, action)?;
                set(m, state, action);
                Ok(())
            })
        })
    }

    /// Wakes the system: S0. Nobody is asked.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn wake(&mut self) -> Result<(), Stop> {
        self.set_system_power(SystemPowerState::Working, PowerAction::Sleep)
    }
}

/// A change of the system's power, and nothing of the PnP manager's beside it.
fn exclusively<R>(m: &mut Machine, change: impl FnOnce(&mut Machine) -> R) -> R {
    m.synchronize_with_pnp();
    m.run_pnp_work(change)
}

fn query(m: &mut Machine, state: SystemPowerState, action: PowerAction) -> Result<(), NtStatus> {
    let mut asked = Vec::new();
    for node in children_first(m) {
        asked.push(node);
        let answer = send(m, node, PowerMinor::QueryPower, state, action);
        if let Err(status) = answer.ok() {
            asked.reverse();
            let current = m.system_power();
            for node in asked {
                send(m, node, PowerMinor::SetPower, current, action);
            }
            return Err(status);
        }
    }
    Ok(())
}

fn set(m: &mut Machine, state: SystemPowerState, action: PowerAction) {
    let mut nodes = children_first(m);
    if state == SystemPowerState::Working {
        nodes.reverse();
    }
    m.power.state.action = action;
    for node in nodes {
        send(m, node, PowerMinor::SetPower, state, action);
    }
    m.power.state = SystemState { current: state, action: PowerAction::None };
}

/// The started devices, each before its parent and before what it names as a power relation.
///
/// Source: Windows driver documentation, IRP_MN_QUERY_DEVICE_RELATIONS (PowerRelations).
fn children_first(m: &Machine) -> Vec<DevNode> {
    let nodes = m.devnodes();
    let levels = power_levels(m, &nodes);
    let mut started: Vec<DevNode> = nodes.into_iter().filter(|n| n.state(m) == Some(NodeState::Started)).collect();
    started.reverse();
    started.sort_by_key(|node| std::cmp::Reverse(levels.get(node)));
    started
}

/// How many devices stand between each device's power and the root's. Relations that go round in circles have no order;
/// their levels end at the number of devices.
fn power_levels(m: &Machine, nodes: &[DevNode]) -> BTreeMap<DevNode, usize> {
    let mut levels: BTreeMap<DevNode, usize> = nodes.iter().map(|&node| (node, 0)).collect();
    for _ in nodes {
        let mut changed = false;
        for &node in nodes {
            let suppliers = node.power_suppliers(m).filter_map(|supplier| levels.get(&supplier));
            let level = suppliers.max().map_or(0, |level| level + 1);
            changed |= levels.insert(node, level) != Some(level);
        }
        if !changed {
            break;
        }
    }
    levels
}

/// Sends a system power IRP to the top of a stack and waits for it.
fn send(m: &mut Machine, node: DevNode, minor: PowerMinor, state: SystemPowerState, action: PowerAction) -> NtStatus {
    let Some(pdo) = node.pdo(m) else { return STATUS_SUCCESS };
    let top = pdo.top_of_stack(m);
    let irp = match m.allocate_irp_for(m[top].stack_size, Origin::System) {
        Ok(irp) => irp,
        Err(status) => return status,
    };
    let context = SystemPowerContext { current: m.system_power(), target: state, effective: state };
    m[irp].io_status.status = STATUS_NOT_SUPPORTED;
    let location = m[irp].next_mut();
    location.major = Major::Power;
    location.minor = minor as u8;
    location.parameters =
        Parameters::Power(PowerParameters::Power { state: PowerState::System(state), action, context });
    irp.watch(m, pdo);
    let status = irp.send_and_wait(m, top, minor.name()).status;
    irp.stop_watching(m);
    irp.free(m);
    status
}
