//! A device's way through its states: tables of steps, walked in order.
//!
//! Source: the measured sequences of S/irphandlers/pnp (pnp, power, power policy and idle state machines) for normal
//! starts and removals and for callbacks that fail on the way up.

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus};

use super::states::{IdleState, PnpState, PowerPolicyState, PowerState};
use crate::device::{Device, DeviceKind};
use crate::device_end;
use crate::dispatch::for_each_queue;
use crate::framework::{fx, trace};
use crate::object::Handle;
use crate::queue::Queue;
use crate::trace::sites;

/// One step of a way.
#[derive(Clone, Copy)]
enum Step {
    Pnp(PnpState),
    Power(PowerState),
    Policy(PowerPolicyState),
    Idle(IdleState),
    /// Only for devices of this kind, only for others.
    If(DeviceKind, &'static [Step]),
    Unless(DeviceKind, &'static [Step]),
    /// Asks below for the interfaces that the framework would use.
    QueryInterface,
    MatchResources,
    QueryCapabilities,
    PrepareHardware,
    ReleaseHardware,
    D0Entry,
    D0Exit,
    SurpriseRemoval,
    ResumeQueues,
    HoldQueues,
    PurgeManaged,
    EnableInterfaces,
    DisableInterfaces,
    RemoveChildren,
    Way(&'static [Step]),
}

use DeviceKind::{Filter, Pdo};
use Step::*;

const START: &[Step] = &[
    Pnp(PnpState::HardwareAvailable),
    Unless(Pdo, &[QueryInterface]),
    If(Filter, &[QueryInterface]),
    MatchResources,
    PrepareHardware,
    // What the device can do below D0 concerns only who owns its power policy.
    Unless(Filter, &[QueryCapabilities]),
    Policy(PowerPolicyState::Starting),
    Unless(Filter, &[Idle(IdleState::Started)]),
    Power(PowerState::StartingCheckDeviceType),
    If(Pdo, &[Power(PowerState::StartingChild)]),
    Power(PowerState::D0Starting),
    D0Entry,
    Power(PowerState::D0StartingConnectInterrupt),
    Power(PowerState::D0StartingDmaEnable),
    Power(PowerState::D0StartingPostHardwareEnabled),
    Power(PowerState::D0StartingStartSelfManagedIo),
    ResumeQueues,
    Unless(Filter, &[Idle(IdleState::StartedPowerUp), Idle(IdleState::Disabled)]),
    Power(PowerState::DecideD0State),
    If(
        Filter,
        &[Power(PowerState::D0NP), Policy(PowerPolicyState::Started), Policy(PowerPolicyState::StartingSucceeded)],
    ),
    If(Pdo, &[Power(PowerState::D0BusWakeOwner)]),
    If(DeviceKind::Fdo, &[Power(PowerState::D0)]),
    Unless(
        Filter,
        &[
            Policy(PowerPolicyState::StartingPoweredUp),
            Policy(PowerPolicyState::StartingSucceeded),
            Policy(PowerPolicyState::StartingDecideS0Wake),
            Policy(PowerPolicyState::Started),
            Idle(IdleState::Disabled),
        ],
    ),
    Pnp(PnpState::EnableInterfaces),
    EnableInterfaces,
    Pnp(PnpState::Started),
];

/// Out of D0, from any state in it.
const DOWN: &[Step] = &[
    Policy(PowerPolicyState::Stopping),
    Power(PowerState::GotoD3Stopped),
    HoldQueues,
    D0Exit,
    Unless(Filter, &[Idle(IdleState::GoingToDx), Idle(IdleState::InDx)]),
    Power(PowerState::Stopped),
    If(Filter, &[Policy(PowerPolicyState::StoppingWaitingForImplicitPowerDown)]),
    Policy(PowerPolicyState::StoppingSendStatus),
    Unless(Filter, &[Idle(IdleState::InDxStopped), Idle(IdleState::Stopped)]),
    Policy(PowerPolicyState::Stopped),
];

const POLICY_REMOVED: &[Step] =
    &[Unless(Filter, &[Policy(PowerPolicyState::StoppedRemoving)]), Policy(PowerPolicyState::Removed)];

const QUERY_REMOVE: &[Step] = &[Pnp(PnpState::QueryRemoveStaticCheck), Pnp(PnpState::QueryRemoveAskDriver)];
const QUERY_REMOVE_AGREED: &[Step] = &[Pnp(PnpState::QueryRemoveEnsureDeviceAwake), Pnp(PnpState::QueryRemovePending)];
const CANCEL_REMOVE: &[Step] = &[Pnp(PnpState::QueryCanceled), Pnp(PnpState::Started)];

const SURPRISE: &[Step] = &[
    Pnp(PnpState::SurpriseRemoveIoStarted),
    SurpriseRemoval,
    Pnp(PnpState::FailedIoStarting),
    Way(DOWN),
    Pnp(PnpState::FailedOwnHardware),
    ReleaseHardware,
    Way(FAIL_END),
];

/// What follows ReleaseHardware on every way to the failed state.
const FAIL_END: &[Step] = &[
    Pnp(PnpState::Failed),
    DisableInterfaces,
    PurgeManaged,
    Way(POLICY_REMOVED),
    Pnp(PnpState::FailedPowerPolicyRemoved),
    Pnp(PnpState::FailedWaitForRemove),
];

const ORDERLY_REMOVE: &[Step] = &[
    Way(DOWN),
    Pnp(PnpState::RemovingDisableInterfaces),
    ReleaseHardware,
    DisableInterfaces,
    PurgeManaged,
    Way(POLICY_REMOVED),
    Pnp(PnpState::Removed),
];

const END: &[Step] = &[
    RemoveChildren,
    Pnp(PnpState::RemovedChildrenRemoved),
    If(DeviceKind::Fdo, &[Pnp(PnpState::FdoRemoved)]),
    If(Filter, &[Pnp(PnpState::FdoRemoved)]),
    If(Pdo, &[Pnp(PnpState::CheckForDevicePresence)]),
];

fn for_each_managed_queue(m: &mut Machine, device: Device, act: fn(Queue, &mut Machine)) {
    for_each_queue(m, device, |m, queue| {
        if queue.is_power_managed(m) {
            act(queue, m);
        }
    });
}

impl Device {
    fn walk(self, m: &mut Machine, way: &[Step]) -> Result<(), NtStatus> {
        for &step in way {
            self.take(m, step)?;
        }
        Ok(())
    }

    /// Walks a way on which nothing is asked that could fail.
    fn follow(self, m: &mut Machine, way: &[Step]) {
        let walked = self.walk(m, way);
        debug_assert_eq!(walked, Ok(()), "only PrepareHardware and D0Entry fail a transition");
    }

    fn take(self, m: &mut Machine, step: Step) -> Result<(), NtStatus> {
        let callbacks = self.body(m).callbacks;
        match step {
            Pnp(state) => self.enter_pnp(m, state),
            Power(state) => self.enter_power(m, state),
            Policy(state) => self.enter_policy(m, state),
            Idle(state) => self.enter_idle(m, state),
            If(kind, way) if self.kind(m) == kind => self.walk(m, way)?,
            Unless(kind, way) if self.kind(m) != kind => self.walk(m, way)?,
            If(..) | Unless(..) => {}
            Way(way) => self.walk(m, way)?,
            QueryInterface => super::query_interface_below(m, self),
            MatchResources => self.match_resources(m),
            QueryCapabilities => super::query_capabilities(m, self),
            PrepareHardware => callbacks.prepare_hardware.map_or(Ok(()), |prepare| prepare(m, self))?,
            D0Entry => callbacks.d0_entry.map_or(Ok(()), |enter| enter(m, self))?,
            ReleaseHardware => callbacks.release_hardware.into_iter().for_each(|release| release(m, self)),
            D0Exit => callbacks.d0_exit.into_iter().for_each(|exit| exit(m, self)),
            SurpriseRemoval => callbacks.surprise_removal.into_iter().for_each(|notice| notice(m, self)),
            ResumeQueues => self.resume_queues(m),
            HoldQueues => self.hold_queues(m),
            PurgeManaged => self.purge_queues(m, true),
            EnableInterfaces => self.set_interfaces(m, true),
            DisableInterfaces => self.set_interfaces(m, false),
            RemoveChildren => self.remove_children(m),
        }
        Ok(())
    }

    pub(super) fn enter_pnp(self, m: &mut Machine, state: PnpState) {
        let from = std::mem::replace(&mut self.body(m).pnp.pnp, state);
        self.log_state(m, &sites::PNP_STATE, state as u64, from as u64);
    }

    fn enter_power(self, m: &mut Machine, state: PowerState) {
        let from = std::mem::replace(&mut self.body(m).pnp.power, state);
        self.log_state(m, &sites::POWER_STATE, state as u64, from as u64);
    }

    fn enter_policy(self, m: &mut Machine, state: PowerPolicyState) {
        let from = std::mem::replace(&mut self.body(m).pnp.policy, state);
        // A filter does not own its stack's power policy; its states go to another line.
        let filter = self.kind(m) == Filter;
        let site = if filter { &sites::NOT_OWNER_STATE } else { &sites::POWER_POLICY_STATE };
        self.log_state(m, site, state as u64, from as u64);
    }

    fn enter_idle(self, m: &mut Machine, state: IdleState) {
        let from = std::mem::replace(&mut self.body(m).pnp.idle, state);
        self.log_state(m, &sites::IDLE_STATE, state as u64, from as u64);
    }

    fn log_state(self, m: &mut Machine, site: &'static crate::trace::Site, to: u64, from: u64) {
        let driver = self.driver(m);
        let arguments = [self.object().handle(), self.device_object(m).address(), to, from];
        trace(m, driver, site, arguments);
    }

    /// There are no resources to match.
    fn match_resources(self, m: &mut Machine) {
        let driver = self.driver(m);
        trace(m, driver, &sites::PNP_MATCH_ENTER, []);
        trace(m, driver, &sites::PNP_MATCH_EXIT, [STATUS_SUCCESS.0.into()]);
    }

    /// A PDO that stayed on its bus is started again: its queues accept once more. Returns false for any other device.
    pub(super) fn restart(self, m: &mut Machine) -> bool {
        let again = self.body(m).pnp.pnp == PnpState::RemovedPdoWait;
        if again {
            self.enter_pnp(m, PnpState::PdoRestart);
            let driver = self.driver(m);
            trace(m, driver, &sites::IO_RESTART, [self.object().handle()]);
            for_each_queue(m, self, |m, queue| queue.reset_for_restart(m));
        }
        again
    }

    fn resume_queues(self, m: &mut Machine) {
        let driver = self.driver(m);
        trace(m, driver, &sites::IO_RESUME_FOR_POWER, [self.object().handle()]);
        self.body(m).pnp.in_d0 = true;
        for_each_managed_queue(m, self, Queue::resume);
        for_each_managed_queue(m, self, Queue::start_power_on);
    }

    /// The line of FxPkgIo::StopProcessingForPower; the numbers are the framework's actions.
    fn log_stop(self, m: &mut Machine, action: u64) {
        let driver = self.driver(m);
        trace(m, driver, &sites::IO_STOP_FOR_POWER, [action, self.object().handle()]);
    }

    fn hold_queues(self, m: &mut Machine) {
        self.log_stop(m, 1);
        self.body(m).pnp.in_d0 = false;
        for_each_managed_queue(m, self, Queue::start_power_off);
        for_each_managed_queue(m, self, Queue::hold);
    }

    fn purge_queues(self, m: &mut Machine, managed: bool) {
        self.log_stop(m, if managed { 2 } else { 3 });
        for_each_queue(m, self, |m, queue| {
            if queue.is_power_managed(m) == managed {
                queue.shut_down(m);
            }
        });
    }

    fn set_interfaces(self, m: &mut Machine, enable: bool) {
        let body = self.body(m);
        if std::mem::replace(&mut body.interfaces_enabled, enable) == enable {
            return;
        }
        for link in body.interfaces.clone() {
            // A link that was taken over by another device, or whose device is gone, needs nothing.
            _ = m.set_interface_state(&link, enable);
        }
    }

    fn remove_children(self, m: &mut Machine) {
        let body = self.body(m);
        for list in [body.static_list, body.child_list].into_iter().flatten() {
            let driver = self.driver(m);
            trace(m, driver, &sites::CHILDREN_REMOVED, [list.object().handle()]);
            // What children come and go meanwhile is settled in as many looks at the list.
            for _ in 0..3 {
                list.process_modifications(m);
            }
        }
    }

    /// START, once everything below is started.
    pub(super) fn start(self, m: &mut Machine) -> Result<(), NtStatus> {
        let Err(status) = self.walk(m, START) else { return Ok(()) };
        // A power callback's own status does not leave the power machine.
        let in_power = self.body(m).pnp.power == PowerState::D0Starting;
        if in_power {
            self.enter_power(m, PowerState::InitialPowerUpFailed);
            self.enter_power(m, PowerState::Stopped);
            self.enter_policy(m, PowerPolicyState::StartingFailed);
        }
        self.follow(m, &[Pnp(PnpState::FailedOwnHardware), ReleaseHardware, Way(FAIL_END)]);
        Err(if in_power { STATUS_DEVICE_POWER_FAILURE } else { status })
    }

    pub(super) fn query_remove(self, m: &mut Machine) -> Result<(), NtStatus> {
        self.follow(m, QUERY_REMOVE);
        let callback = self.body(m).callbacks.query_remove;
        if let Err(status) = callback.map_or(Ok(()), |query| query(m, self)) {
            self.enter_pnp(m, PnpState::Started);
            return Err(status);
        }
        self.follow(m, QUERY_REMOVE_AGREED);
        Ok(())
    }

    pub(super) fn cancel_remove(self, m: &mut Machine) {
        if self.body(m).pnp.pnp == PnpState::QueryRemovePending {
            self.follow(m, CANCEL_REMOVE);
        }
    }

    pub(super) fn surprise_removal(self, m: &mut Machine) {
        match self.body(m).pnp.pnp {
            PnpState::Started => self.follow(m, SURPRISE),
            PnpState::QueryRemovePending => {
                self.enter_pnp(m, PnpState::QueriedSurpriseRemove);
                self.follow(m, SURPRISE);
            }
            PnpState::Init => self.follow(m, &[Pnp(PnpState::InitSurpriseRemoved), Pnp(PnpState::Init)]),
            // Failed already: there is nothing left to stop.
            _ => {}
        }
    }

    /// REMOVE, from whatever state the device is in. Returns whether the device is gone for good: a PDO that its bus
    /// still reports is not.
    pub(super) fn finish_removal(self, m: &mut Machine) -> bool {
        match self.body(m).pnp.pnp {
            PnpState::Started => {
                self.enter_pnp(m, PnpState::StartedRemoving);
                self.follow(m, ORDERLY_REMOVE);
            }
            PnpState::QueryRemovePending => {
                self.enter_pnp(m, PnpState::QueriedRemoving);
                self.follow(m, ORDERLY_REMOVE);
            }
            PnpState::RemovedPdoWait => {}
            _ => self.enter_pnp(m, PnpState::Removed),
        }
        self.follow(m, END);
        let is_pdo = self.kind(m) == Pdo;
        if is_pdo && !self.body(m).pnp.reported_missing && self.parent_is_there(m) {
            self.enter_pnp(m, PnpState::RemovedPdoWait);
            return false;
        }
        if is_pdo {
            self.enter_pnp(m, PnpState::PdoRemoved);
        }
        self.purge_queues(m, false);
        device_end::clean_up(m, self);
        self.leave_child_list(m);
        self.enter_pnp(m, PnpState::Final);
        true
    }

    /// A PDO's bus forgets it.
    fn leave_child_list(self, m: &mut Machine) {
        let Some(list) = self.parent(m).and_then(|parent| fx(m).devices.get(parent.0.id)?.child_list) else { return };
        if let Some(entry) = list.entry_address(m, self) {
            let driver = self.driver(m);
            let package = self.object().address() + super::PACKAGE_OFFSET;
            trace(m, driver, &sites::PDO_ENTRY_REMOVED, [entry, package]);
        }
        list.forget(m, self);
    }

    /// A PDO whose bus is itself removed is reported by nobody.
    fn parent_is_there(self, m: &mut Machine) -> bool {
        match self.parent(m).filter(|parent| parent.object().exists(m)) {
            Some(parent) => parent.body(m).pnp.pnp == PnpState::Started,
            None => false,
        }
    }
}
