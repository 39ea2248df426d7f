//! The power machine's table.
//!
//! The states of a device that may not be paged (NP) are twins of the others: the framework may not touch paged code on
//! their way.
//!
//! Source: S/irphandlers/pnp/powerstatemachine.cpp:40-1300.

use vbus_wdm::Machine;

use super::PnpData;
use super::events::PowerEvent;
use super::machine::{EventQueue, Row, StateMachine};
use super::power_steps::*;
use super::states::PowerState;
use crate::device::Device;
use crate::trace::sites;

/// The machine that device power moves.
pub(super) struct Power;

impl StateMachine for Power {
    type State = PowerState;
    type Event = PowerEvent;

    fn queue(data: &mut PnpData) -> &mut EventQueue<PowerEvent> {
        &mut data.power_events
    }

    fn state(m: &mut Machine, device: Device) -> PowerState {
        device.body(m).pnp.power
    }

    fn row(state: PowerState) -> Row<PowerState, PowerEvent> {
        row(state)
    }

    fn is_priority(event: PowerEvent) -> bool {
        event.is_priority()
    }

    fn is_singular(event: PowerEvent) -> bool {
        event == PowerEvent::ParentToD0
    }

    fn set_state(m: &mut Machine, device: Device, state: PowerState) {
        let from = std::mem::replace(&mut device.body(m).pnp.power, state);
        device.log_state(m, &sites::POWER_STATE, state as u64, from as u64);
    }

    fn drop_event(m: &mut Machine, device: Device, event: PowerEvent, known: &[PowerEvent]) {
        let state = Power::state(m, device) as u64;
        device.log_drop(m, &sites::POWER_DROPPED, [state, event as u64]);
        if !known.contains(&event) {
            let arguments = [state, event as u64, PowerEvent::mask(known)];
            device.log_unknown_drop(m, &sites::POWER_DROPPED_UNKNOWN, arguments);
        }
        if matches!(event, PowerEvent::D0 | PowerEvent::Dx) {
            device.release_device_power_irp(m);
        }
    }

    fn refuse(m: &mut Machine, device: Device, event: PowerEvent, closed: bool) {
        let state = Power::state(m, device) as u64;
        let site = if closed { &sites::POWER_CLOSED } else { &sites::POWER_DOUBLED };
        device.log_drop(m, site, [state, event as u64]);
    }

    fn at_rest(_: &mut Machine, _: Device) {}

    fn post_process(_: &mut Machine, _: Device) {}
}

fn row(state: PowerState) -> Row<PowerState, PowerEvent> {
    use PowerEvent as E;
    use PowerState::*;
    match state {
        ObjectCreated => Row::open(&[(E::ImplicitD0, StartingCheckDeviceType)]).dropping(&[
            E::MarkPageable,
            E::MarkNonpageable,
            E::ParentToD0,
            E::Dx,
            E::D0,
        ]),
        StartingCheckDeviceType => Row::passing(starting_check_device_type),
        StartingChild => Row::open(&[(E::ParentToD0, D0Starting)]).entering(starting_child),
        D0Starting => Row::passing(d0_starting),
        D0StartingConnectInterrupt => Row::passing(d0_starting_connect_interrupt),
        D0StartingDmaEnable => Row::passing(d0_starting_dma_enable),
        D0StartingPostHardwareEnabled => Row::passing(|_, _| Some(D0StartingStartSelfManagedIo)),
        D0StartingStartSelfManagedIo => Row::passing(d0_starting_start_self_managed_io),
        DecideD0State => Row::passing(decide_d0_state),
        D0 => Row::open(&[(E::Dx, GotoDx), (E::ImplicitD3, GotoD3Stopped), (E::MarkNonpageable, DecideD0State)])
            .entering(|m, device| resting_in_d0(m, device, true))
            .dropping(&[E::ImplicitD3, E::D0]),
        D0NP => Row::open(&[(E::Dx, GotoDxNP), (E::ImplicitD3, GotoD3Stopped), (E::MarkPageable, DecideD0State)])
            .entering(|m, device| resting_in_d0(m, device, false))
            .dropping(&[E::MarkNonpageable, E::D0]),
        D0BusWakeOwner => {
            Row::open(&[(E::Dx, GotoDx), (E::ImplicitD3, GotoD3Stopped), (E::MarkNonpageable, DecideD0State)])
                .entering(|m, device| resting_in_d0(m, device, true))
                .dropping(&[E::WakeSucceeded, E::WakeCanceled, E::WakeFailed, E::ParentToD0, E::D0])
        }
        D0BusWakeOwnerNP => {
            Row::open(&[(E::Dx, GotoDxNP), (E::ImplicitD3, GotoD3Stopped), (E::MarkPageable, D0BusWakeOwner)])
                .entering(|m, device| resting_in_d0(m, device, false))
                .dropping(&[E::WakeSucceeded, E::WakeCanceled, E::MarkNonpageable, E::ParentToD0, E::D0])
        }
        GotoD3Stopped => Row::passing(goto_d3_stopped),
        Stopped => Row::open(&[(E::ImplicitD0, StartingCheckDeviceType), (E::Dx, StoppedCompleteDx)]).dropping(&[
            E::D0,
            E::WakeFailed,
            E::ParentToD0,
        ]),
        StoppedCompleteDx => Row::passing(stopped_complete_dx),
        DxStopped => Row::open(&[(E::ImplicitD0, DxStoppedDecideDxState), (E::D0, GotoStopped)]),
        DxStoppedDecideDxState => Row::passing(dx_stopped_decide_dx_state),
        GotoStopped => Row::passing(goto_stopped),

        GotoDx => Row::locked(goto_dx, &[(E::CompleteDx, NotifyingD0ExitToWakeInterrupts)])
            .dropping(&[E::WakeArrival, E::ParentToD0]),
        GotoDxNP => Row::locked(goto_dx, &[(E::CompleteDx, NotifyingD0ExitToWakeInterruptsNP)])
            .dropping(&[E::WakeArrival, E::ParentToD0]),
        NotifyingD0ExitToWakeInterrupts => Row::passing(|_, _| Some(GotoDxIoStopped)),
        NotifyingD0ExitToWakeInterruptsNP => Row::passing(|_, _| Some(GotoDxIoStoppedNP)),
        GotoDxIoStopped => Row::passing(|m, device| Some(if go_down(m, device) { Dx } else { GotoDxFailed })),
        GotoDxIoStoppedNP => Row::passing(|m, device| Some(if go_down(m, device) { DxNP } else { GotoDxNPFailed })),
        GotoDxFailed => Row::passing(|_, _| Some(ReportPowerDownFailed)),
        GotoDxNPFailed => Row::passing(|m, device| {
            disconnect(m, device);
            Some(ReportPowerDownFailed)
        }),
        Dx => Row::open(&[(E::D0, CheckDeviceType), (E::ImplicitD3, GotoDxStoppedDisableInterrupt)]).dropping(&[
            E::WakeArrival,
            E::WakeCanceled,
            E::WakeSucceeded,
            E::ImplicitD3,
            E::ParentToD0,
            E::Dx,
        ]),
        DxNP => Row::open(&[(E::D0, CheckDeviceTypeNP), (E::ImplicitD3, GotoDxStoppedDisableInterruptNP)]).dropping(&[
            E::WakeArrival,
            E::WakeCanceled,
            E::WakeSucceeded,
            E::ParentToD0,
            E::Dx,
        ]),
        GotoDxStoppedDisableInterrupt | GotoDxStoppedDisableInterruptNP => Row::passing(|_, _| Some(GotoDxStopped)),
        GotoDxStopped => Row::passing(goto_dx_stopped),

        CheckDeviceType => Row::passing(|m, device| Some(if is_pdo(m, device) { CheckParentState } else { Waking })),
        CheckDeviceTypeNP => {
            Row::passing(|m, device| Some(if is_pdo(m, device) { CheckParentStateNP } else { WakingNP }))
        }
        CheckParentState => Row::passing(|m, device| check_parent(m, device, [Waking, WaitForParent, UpFailed])),
        CheckParentStateNP => {
            Row::passing(|m, device| check_parent(m, device, [WakingNP, WaitForParentNP, UpFailedNP]))
        }
        WaitForParent => Row { open: false, ..Row::open(&[(E::ParentToD0, Waking)]) },
        WaitForParentNP => Row { open: false, ..Row::open(&[(E::ParentToD0, WakingNP)]) },
        Waking => Row::passing(|m, device| {
            Some(if enter_d0(m, device) { NotifyingD0EntryToWakeInterrupts } else { UpFailedDerefParent })
        }),
        WakingNP => Row::passing(|m, device| {
            Some(if enter_d0(m, device) { NotifyingD0EntryToWakeInterruptsNP } else { UpFailedDerefParentNP })
        }),
        NotifyingD0EntryToWakeInterrupts => Row::passing(|_, _| Some(WakingConnectInterrupt)),
        NotifyingD0EntryToWakeInterruptsNP => Row::passing(|_, _| Some(WakingConnectInterruptNP)),
        WakingConnectInterrupt => Row::passing(|m, device| {
            let agreed = connect_interrupts(m, device, &sites::WAKING_POST_INTERRUPTS_FAILED);
            Some(if agreed { WakingDmaEnable } else { WakingConnectInterruptFailed })
        }),
        WakingConnectInterruptNP => Row::passing(|m, device| {
            let agreed = connect_interrupts(m, device, &sites::WAKING_POST_INTERRUPTS_NP_FAILED);
            Some(if agreed { WakingDmaEnableNP } else { WakingConnectInterruptFailedNP })
        }),
        WakingDmaEnable => Row::passing(|m, device| {
            device.scan_for_children(m);
            Some(WakingPostHardwareEnabled)
        }),
        WakingDmaEnableNP => Row::passing(|m, device| {
            device.scan_for_children(m);
            Some(WakingPostHardwareEnabledNP)
        }),
        WakingPostHardwareEnabled => {
            Row::locked(hardware_enabled, &[(E::CompleteD0, StartSelfManagedIo)]).dropping(&[E::ParentToD0])
        }
        WakingPostHardwareEnabledNP => {
            Row::locked(hardware_enabled, &[(E::CompleteD0, StartSelfManagedIoNP)]).dropping(&[E::ParentToD0])
        }
        StartSelfManagedIo => {
            Row::passing(|m, device| start_self_managed_io(m, device, [D0, D0BusWakeOwner, StartSelfManagedIoFailed]))
        }
        StartSelfManagedIoNP => Row::passing(|m, device| {
            start_self_managed_io(m, device, [D0NP, D0BusWakeOwnerNP, StartSelfManagedIoFailedNP])
        }),

        StartSelfManagedIoFailed => Row::passing(|m, device| hold(m, device, WakingPostHardwareEnabledFailed)),
        StartSelfManagedIoFailedNP => Row::passing(|m, device| hold(m, device, WakingPostHardwareEnabledFailedNP)),
        WakingPostHardwareEnabledFailed => Row::passing(|_, _| Some(WakingDmaEnableFailed)),
        WakingPostHardwareEnabledFailedNP => Row::passing(|_, _| Some(WakingDmaEnableFailedNP)),
        WakingDmaEnableFailed => Row::passing(|m, device| {
            disable_interrupts(m, device, &sites::WAKING_DMA_PRE_INTERRUPTS_FAILED);
            Some(WakingConnectInterruptFailed)
        }),
        WakingDmaEnableFailedNP => Row::passing(|m, device| {
            disable_interrupts(m, device, &sites::WAKING_DMA_PRE_INTERRUPTS_NP_FAILED);
            Some(WakingConnectInterruptFailedNP)
        }),
        WakingConnectInterruptFailed => Row::passing(|m, device| {
            connect_failed(m, device);
            Some(ReportPowerUpFailedDerefParent)
        }),
        WakingConnectInterruptFailedNP => Row::passing(waking_connect_interrupt_failed_np),
        UpFailedDerefParent => Row::passing(|_, _| Some(ReportPowerUpFailedDerefParent)),
        UpFailedDerefParentNP => Row::passing(|m, device| {
            disconnect(m, device);
            Some(ReportPowerUpFailedDerefParent)
        }),
        UpFailed => Row::passing(|_, _| Some(ReportPowerUpFailed)),
        UpFailedNP => Row::passing(|m, device| {
            disconnect(m, device);
            Some(ReportPowerUpFailed)
        }),
        ReportPowerUpFailedDerefParent => Row::passing(|m, device| {
            device.parent_power_dereference(m);
            Some(ReportPowerUpFailed)
        }),
        ReportPowerUpFailed => Row::open(&[(E::ImplicitD3, PowerFailedPowerDown)]).entering(report_power_up_failed),
        ReportPowerDownFailed => Row::open(&[(E::ImplicitD3, PowerFailedPowerDown)]).entering(report_power_down_failed),
        PowerFailedPowerDown => Row::passing(power_failed_power_down),
        FinalPowerDownFailed => Row::passing(final_power_down_failed),

        InitialSelfManagedIoFailed => Row::passing(|m, device| hold(m, device, InitialPostHardwareEnabledFailed)),
        InitialPostHardwareEnabledFailed => Row::passing(|_, _| Some(InitialDmaEnableFailed)),
        InitialDmaEnableFailed => Row::passing(|m, device| {
            disable_interrupts(m, device, &sites::INITIAL_DMA_PRE_INTERRUPTS_FAILED);
            Some(InitialConnectInterruptFailed)
        }),
        InitialConnectInterruptFailed => Row::passing(|m, device| {
            connect_failed(m, device);
            Some(InitialPowerUpFailedDerefParent)
        }),
        InitialPowerUpFailedDerefParent => Row::passing(|m, device| {
            device.parent_power_dereference(m);
            Some(InitialPowerUpFailed)
        }),
        InitialPowerUpFailed => Row::passing(initial_power_up_failed),
        Final => Row { open: false, ..Row::open(&[]) },
    }
}
