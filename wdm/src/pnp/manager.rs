//! The PnP manager itself: its one thread, and who watches it.

use std::collections::VecDeque;

use super::devnode::{DevNode, NodeData, NodeState};
use super::install::Installation;
use super::notify::{InterfaceChange, Notifications};
use super::paths::Paths;
use super::{Problem, RelationType, Veto};
use crate::device::{DeviceObject, DriverObject};
use crate::machine::Machine;
use crate::power::SystemPowerState;
use crate::schedule::Context;
use crate::slab::Slab;
use crate::status::NtStatus;
use crate::thread::Thread;

#[derive(Default)]
pub(crate) struct PnpManager {
    pub(super) nodes: Slab<NodeData>,
    pub(super) roots: Vec<DevNode>,
    pub(super) paths: Paths,
    pub(super) installations: Vec<Installation>,
    pub(super) notifications: Notifications,
    /// The driver that owns the PDOs of root-enumerated devices.
    pub(super) root_driver: Option<DriverObject>,
    /// How many root-enumerated devices there ever were: instance ids are not used twice.
    pub(super) roots_added: u32,
    pub(super) last_veto: Option<Veto>,
    waiting: VecDeque<Work>,
    /// The thread that does its work.
    lock_owner: Option<Thread>,
    on_request: Option<PnpRequestHook>,
}

/// Work of the PnP manager that waits its turn.
pub(super) enum Work {
    /// Something to do with a device.
    Device(fn(&mut Machine, DevNode), DevNode),
    /// A device interface came or went, which whoever registered for it is told.
    Interface(InterfaceChange),
}

/// What becomes of a devnode when its stack is removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Removal {
    /// It leaves the tree: its bus reports it no more.
    Forget,
    /// It stays in this state.
    Keep(NodeState, Option<Problem>),
}

impl Default for Removal {
    fn default() -> Self {
        Removal::Keep(NodeState::Removed, None)
    }
}

impl Removal {
    /// It stays as a device that failed.
    pub(super) fn failed(status: NtStatus, problem: Problem) -> Removal {
        Removal::Keep(NodeState::Failed(status), Some(problem))
    }
}

/// What a driver can ask of the PnP manager.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PnpRequest {
    /// IoInvalidateDeviceRelations.
    InvalidateRelations(RelationType),
    /// IoInvalidateDeviceState.
    InvalidateState,
    /// IoRequestDeviceEject.
    Eject,
    /// IoRegisterPlugPlayNotification for EventCategoryTargetDeviceChange.
    RegisterNotification,
    /// IoUnregisterPlugPlayNotification of such a registration.
    UnregisterNotification,
    /// IoRegisterDeviceInterface.
    RegisterInterface,
    /// IoSetDeviceInterfaceState.
    SetInterfaceState(bool),
}

/// Called with the PDO that a driver asks something for, at the moment it does.
pub type PnpRequestHook = fn(&mut Machine, DeviceObject, PnpRequest);

impl PnpManager {
    /// The thread that does the PnP manager's work at this moment.
    pub(crate) fn lock_owner(&self) -> Option<Thread> {
        self.lock_owner
    }
}

impl Machine {
    /// Calls `hook` whenever a driver asks the PnP manager for something. Whoever sets it may play the PnP manager for
    /// devices of its own, which are not in the tree: asking something for such a device is bug check 0xCA/2 without it.
    pub fn on_pnp_request(&mut self, hook: PnpRequestHook) {
        self.pnp.on_request = Some(hook);
    }

    /// Whether somebody plays the PnP manager for devices that are not in the tree.
    pub(crate) fn has_other_pnp_manager(&self) -> bool {
        self.pnp.on_request.is_some()
    }

    pub(crate) fn pnp_was_asked(&mut self, pdo: DeviceObject, request: PnpRequest) {
        if let Some(hook) = self.pnp.on_request {
            hook(self, pdo, request);
        }
    }

    /// The devnode of what a driver says is a PDO. Bug check 0xCA/2 for a device object that is none, or was not
    /// reported yet.
    ///
    /// Source: Windows driver documentation, "Bug Check 0xCA: PNP_DETECTED_FATAL_ERROR" and
    /// IRP_MN_QUERY_DEVICE_RELATIONS (warning).
    pub(super) fn devnode_of_pdo(&mut self, pdo: DeviceObject, ddi: &'static str) -> Option<DevNode> {
        let node = DevNode::of(self, pdo);
        if node.is_none() && !self.has_other_pnp_manager() {
            self.check_pdo(pdo, ddi);
            let driver = self[pdo].driver.address();
            self.bug_check(0xCA, [2, pdo.address(), driver, 0], ddi);
        }
        node
    }

    /// Queues work for the PnP manager's one thread. Whoever waits inside a PnP callback lets everything else run, but
    /// no other PnP work: that comes when the running one is done.
    pub(super) fn queue_pnp_work(&mut self, work: Work) {
        self.pnp.waiting.push_back(work);
        self.queue_work_item(run_waiting, Context(0));
    }

    /// Runs `work` as the PnP manager: what is queued meanwhile waits until it is done.
    pub(crate) fn run_pnp_work<R>(&mut self, work: impl FnOnce(&mut Machine) -> R) -> R {
        let thread = self.thread();
        let before = self.pnp.lock_owner.replace(thread);
        let result = work(self);
        self.pnp.lock_owner = before;
        if before.is_none() && !self.pnp.waiting.is_empty() {
            self.queue_work_item(run_waiting, Context(0));
        }
        result
    }
}

/// A system that sleeps enumerates nothing: a change of its power and the PnP manager's work exclude each other, and
/// what drivers asked for meanwhile is done when it works again.
///
/// Source: Windows driver documentation, "Bug Check 0x9F: DRIVER_POWER_STATE_FAILURE" (parameter 1 = 4).
fn run_waiting(m: &mut Machine, _: Context) {
    if m.pnp.lock_owner.is_some() || m.system_power() != SystemPowerState::Working {
        return;
    }
    m.run_pnp_work(|m| {
        while let Some(work) = m.pnp.waiting.pop_front() {
            match work {
                Work::Device(act, node) => act(m, node),
                Work::Interface(change) => change.announce(m),
            }
        }
    });
}
