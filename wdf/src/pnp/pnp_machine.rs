//! The PnP machine's table.
//!
//! Source: S/irphandlers/pnp/pnpstatemachine.cpp:60-800.

use vbus_wdm::Machine;

use super::events::PnpEvent;
use super::machine::{EventQueue, Row, StateMachine};
use super::pnp_steps::*;
use super::states::PnpState;
use super::{PnpData, fire_and_forget};
use crate::device::Device;
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::sites;

/// The machine that PnP IRPs move.
pub(super) struct Pnp;

impl StateMachine for Pnp {
    type State = PnpState;
    type Event = PnpEvent;

    fn queue(data: &mut PnpData) -> &mut EventQueue<PnpEvent> {
        &mut data.pnp_events
    }

    fn state(m: &mut Machine, device: Device) -> PnpState {
        device.body(m).pnp.pnp
    }

    fn row(state: PnpState) -> Row<PnpState, PnpEvent> {
        row(state)
    }

    fn is_priority(event: PnpEvent) -> bool {
        event.is_priority()
    }

    fn is_singular(_: PnpEvent) -> bool {
        false
    }

    fn set_state(m: &mut Machine, device: Device, state: PnpState) {
        let from = std::mem::replace(&mut device.body(m).pnp.pnp, state);
        device.log_state(m, &sites::PNP_STATE, state as u64, from as u64);
    }

    fn drop_event(m: &mut Machine, device: Device, event: PnpEvent, known: &[PnpEvent]) {
        let state = Pnp::state(m, device) as u64;
        device.log_drop(m, &sites::PNP_DROPPED, [state, event as u64]);
        if !known.contains(&event) {
            let arguments = [state, event as u64, PnpEvent::mask(known)];
            device.log_unknown_drop(m, &sites::PNP_DROPPED_UNKNOWN, arguments);
        }
        if event.has_irp() {
            device.finish_pnp_irp(m);
        }
    }

    fn refuse(m: &mut Machine, device: Device, event: PnpEvent, _: bool) {
        let state = Pnp::state(m, device) as u64;
        device.log_drop(m, &sites::PNP_CLOSED, [state, event as u64]);
    }

    fn at_rest(m: &mut Machine, device: Device) {
        let data = &mut device.body(m).pnp;
        if std::mem::take(&mut data.forget_irp) {
            data.forgotten_irp = data.pending_pnp.take();
        }
        data.signal_removed = std::mem::take(&mut data.set_removed);
    }

    fn post_process(m: &mut Machine, device: Device) {
        let data = &mut device.body(m).pnp;
        let (irp, removed) = (data.forgotten_irp.take(), std::mem::take(&mut data.signal_removed));
        let delayed = std::mem::take(&mut data.delayed_deletion);
        if let Some(irp) = irp {
            fire_and_forget(m, device, irp);
        }
        if removed && device.object().exists(m) {
            device.body(m).pnp.removal_processed = true;
        }
        if delayed && device.object().exists(m) {
            super::remove::process_delayed_deletion(m, device);
        }
    }
}

fn row(state: PnpState) -> Row<PnpState, PnpEvent> {
    use PnpEvent as E;
    use PnpState::*;
    match state {
        ObjectCreated => Row::open(&[(E::AddDevice, Init)]),
        CheckForDevicePresence => Row::passing(check_for_device_presence),
        EjectFailed => Row::open(&[(E::StartDevice, PdoRestart), (E::SurpriseRemove, SurpriseRemove)]),
        EjectHardware => Row::passing(eject_hardware),
        EjectedWaitingForRemove => Row::open(&[(E::Remove, PdoRemoved)]).dropping(&[E::SurpriseRemove]),
        Init => Row::open(&[
            (E::StartDevice, InitStarting),
            (E::QueryRemove, InitQueryRemove),
            (E::Remove, Removed),
            (E::ParentRemoved, Removed),
            (E::SurpriseRemove, InitSurpriseRemoved),
            (E::Eject, EjectHardware),
        ])
        .dropping(&[E::StartDevice]),
        InitStarting => Row::open(&[(E::StartDeviceComplete, HardwareAvailable), (E::StartDeviceFailed, Init)])
            .entering(init_starting),
        InitSurpriseRemoved => Row::passing(init_surprise_removed),
        HardwareAvailable => Row::locked(
            hardware_available,
            &[(E::PwrPolStarted, EnableInterfaces), (E::PwrPolStartFailed, HardwareAvailablePowerPolicyFailed)],
        )
        .dropping(&[E::PowerUpFailed]),
        EnableInterfaces => Row::passing(enable_interfaces),
        HardwareAvailablePowerPolicyFailed => Row::passing(hardware_available_power_policy_failed),
        QueryRemoveAskDriver => Row::passing(query_remove_ask_driver),
        QueryRemovePending => Row::open(&[
            (E::Remove, QueriedRemoving),
            (E::CancelRemove, QueryCanceled),
            (E::SurpriseRemove, QueriedSurpriseRemove),
        ])
        .entering(query_pending),
        QueryRemoveStaticCheck => Row::passing(query_remove_static_check),
        QueryRemoveEnsureDeviceAwake => {
            Row::locked(query_remove_ensure_device_awake, &[(E::DeviceInD0, QueryRemovePending)])
        }
        QueriedRemoving => Row::locked(
            queried_removing,
            &[(E::PwrPolStopped, RemovingDisableInterfaces), (E::PwrPolStopFailed, RemovingDisableInterfaces)],
        )
        .dropping(&[E::PowerDownFailed, E::PowerUpFailed]),
        QueryStopAskDriver => Row::passing(query_stop_ask_driver),
        QueryStopPending => Row::open(&[
            (E::Stop, StartedStopping),
            (E::CancelStop, QueryCanceled),
            (E::SurpriseRemove, QueriedSurpriseRemove),
        ])
        .entering(query_pending),
        QueryStopStaticCheck => Row::passing(query_stop_static_check),
        QueryStopEnsureDeviceAwake => Row::locked(query_stop_ensure_device_awake, &[(E::DeviceInD0, QueryStopPending)]),
        QueryCanceled => Row::passing(query_canceled),
        Removed => Row::passing(removed),
        PdoRemoved => Row::passing(pdo_removed),
        RemovedPdoWait => Row::open(&[
            (E::Eject, EjectHardware),
            (E::StartDevice, PdoRestart),
            (E::Remove, CheckForDevicePresence),
            (E::ParentRemoved, PdoRemoved),
            (E::SurpriseRemove, RemovedPdoSurpriseRemoved),
        ])
        .entering(removed_pdo_wait)
        .dropping(&[E::CancelRemove, E::QueryRemove, E::PowerDownFailed]),
        RemovedPdoSurpriseRemoved => Row::passing(removed_pdo_surprise_removed),
        RemovingDisableInterfaces => Row::locked(removing_disable_interfaces, &[(E::PwrPolRemoved, Removed)]),
        Restarting => Row::locked(
            restarting,
            &[(E::PwrPolStarted, Started), (E::PwrPolStartFailed, HardwareAvailablePowerPolicyFailed)],
        )
        .dropping(&[E::PowerUpFailed]),
        Started => Row::open(&[
            (E::QueryRemove, QueryRemoveStaticCheck),
            (E::QueryStop, QueryStopStaticCheck),
            (E::CancelStop, StartedCancelStop),
            (E::CancelRemove, StartedCancelRemove),
            (E::Remove, StartedRemoving),
            (E::SurpriseRemove, SurpriseRemoveIoStarted),
            (E::PowerUpFailed, FailedIoStarting),
            (E::PowerDownFailed, FailedPowerDown),
            (E::StartDevice, Restart),
        ])
        .entering(started),
        StartedCancelStop | StartedCancelRemove => Row::passing(|_, _| Some(Started)),
        StartedRemoving => Row::open(&[
            (E::PwrPolStopped, RemovingDisableInterfaces),
            (E::PwrPolStopFailed, RemovingDisableInterfaces),
        ])
        .entering(stop_power_policy)
        .dropping(&[E::PowerUpFailed, E::PowerDownFailed]),
        StartingFromStopped => Row::passing(starting_from_stopped),
        Stopped => Row::open(&[(E::StartDevice, StoppedWaitForStartCompletion), (E::SurpriseRemove, SurpriseRemove)])
            .entering(stopped),
        StoppedWaitForStartCompletion => {
            Row::open(&[(E::StartDeviceComplete, StartingFromStopped), (E::StartDeviceFailed, Failed)])
                .entering(stopped_wait_for_start_completion)
        }
        StartedStopping => Row::open(&[(E::PwrPolStopped, Stopped), (E::PwrPolStopFailed, FailedOwnHardware)])
            .entering(started_stopping)
            .dropping(&[E::PowerUpFailed, E::PowerDownFailed]),
        SurpriseRemove => Row::passing(surprise_removed),
        InitQueryRemove => {
            Row::open(&[(E::Remove, Removed), (E::CancelRemove, InitQueryRemoveCanceled)]).entering(init_query_remove)
        }
        InitQueryRemoveCanceled => Row { open: true, ..Row::passing(init_query_remove_canceled) },
        FdoRemoved => Row::passing(fdo_removed),
        RemovedWaitForChildren => {
            Row::open(&[(E::ChildrenRemovalComplete, RemovedChildrenRemoved)]).dropping(&[E::PowerDownFailed])
        }
        RemovedChildrenRemoved => Row { open: true, ..Row::passing(removed_children_removed) },
        QueriedSurpriseRemove => Row::passing(queried_surprise_remove),
        SurpriseRemoveIoStarted => Row::passing(surprise_remove_io_started),
        FailedPowerDown => Row::locked(
            stop_power_policy,
            &[(E::PwrPolStopped, FailedOwnHardware), (E::PwrPolStopFailed, FailedOwnHardware)],
        )
        .dropping(&[E::PowerDownFailed]),
        FailedIoStarting => Row::locked(
            failed_io_starting,
            &[(E::PwrPolStopped, FailedOwnHardware), (E::PwrPolStopFailed, FailedOwnHardware)],
        )
        .dropping(&[E::PowerDownFailed, E::PowerUpFailed]),
        FailedOwnHardware => Row::passing(failed_own_hardware),
        Failed => Row::locked(failed, &[(E::PwrPolRemoved, FailedPowerPolicyRemoved)]),
        FailedPowerPolicyRemoved => Row::passing(failed_power_policy_removed),
        FailedSurpriseRemoved => Row::passing(failed_surprise_removed),
        FailedStarted => Row::passing(failed_started),
        FailedWaitForRemove => Row::open(&[
            (E::Remove, Removed),
            (E::SurpriseRemove, FailedSurpriseRemoved),
            (E::StartDevice, FailedStarted),
        ])
        .dropping(&[E::PowerUpFailed, E::PowerDownFailed, E::QueryRemove, E::CancelStop, E::CancelRemove]),
        FailedInit => Row::passing(failed_init),
        PdoInitFailed => Row::passing(pdo_init_failed),
        Restart => Row::locked(
            stop_power_policy,
            &[(E::PwrPolStopped, RestartReleaseHardware), (E::PwrPolStopFailed, HardwareAvailablePowerPolicyFailed)],
        )
        .dropping(&[E::PowerUpFailed, E::PowerDownFailed]),
        RestartReleaseHardware => {
            Row::open(&[(E::StartDeviceComplete, RestartHardwareAvailable), (E::StartDeviceFailed, Failed)])
                .entering(restart_release_hardware)
                .dropping(&[E::PowerDownFailed])
        }
        RestartHardwareAvailable => {
            Row::open(&[(E::PwrPolStarted, Started), (E::PwrPolStartFailed, HardwareAvailablePowerPolicyFailed)])
                .entering(restart_hardware_available)
                .dropping(&[E::PowerUpFailed])
        }
        PdoRestart => Row::passing(pdo_restart),
        Final => Row { open: true, ..Row::passing(finale) }.dropping(&[E::PowerDownFailed]),
    }
}

impl Device {
    /// The lines of states all begin with the device; the words are the new state and the old.
    pub(super) fn log_state(self, m: &mut Machine, site: &'static crate::trace::Site, to: u64, from: u64) {
        self.log_drop(m, site, [to, from]);
    }

    pub(super) fn log_drop(self, m: &mut Machine, site: &'static crate::trace::Site, [first, second]: [u64; 2]) {
        let (driver, device_object) = (self.driver(m), self.device_object(m).address());
        trace(m, driver, site, [self.object().handle(), device_object, first, second]);
    }

    pub(super) fn log_unknown_drop(self, m: &mut Machine, site: &'static crate::trace::Site, words: [u64; 3]) {
        let (driver, device_object) = (self.driver(m), self.device_object(m).address());
        let [state, event, known] = words;
        trace(m, driver, site, [self.object().handle(), device_object, state, event, known]);
    }
}
