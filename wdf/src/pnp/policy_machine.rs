//! The power policy machines' tables: one for the owner of a stack's power policy, one for everybody else.
//!
//! Source: S/irphandlers/pnp/powerpolicystatemachine.cpp:30-3000, notpowerpolicyownerstatemachine.cpp:20-330.

use vbus_wdm::Machine;

use super::events::PolicyEvent;
use super::machine::{EventQueue, Row, StateMachine, post};
use super::policy_steps::*;
use super::states::PowerPolicyState;
use super::{PnpData, not_owner};
use crate::device::Device;
use crate::trace::sites;

/// The machine of a device that owns its stack's power policy.
struct Owner;

/// The machine of a device that only follows.
struct Other;

/// Posts an event to whichever of the two machines the device has.
pub(super) fn post_policy(m: &mut Machine, device: Device, event: PolicyEvent) {
    if device.is_policy_owner(m) {
        post::<Owner>(m, device, event);
    } else {
        post::<Other>(m, device, event);
    }
}

fn state(m: &mut Machine, device: Device) -> PowerPolicyState {
    device.body(m).pnp.policy
}

fn refuse(m: &mut Machine, device: Device, event: PolicyEvent, closed: bool) {
    let state = state(m, device) as u64;
    let site = if closed { &sites::POLICY_CLOSED } else { &sites::POLICY_DOUBLED };
    device.log_drop(m, site, [state, event as u64]);
}

impl StateMachine for Owner {
    type State = PowerPolicyState;
    type Event = PolicyEvent;

    fn queue(data: &mut PnpData) -> &mut EventQueue<PolicyEvent> {
        &mut data.policy_events
    }

    fn state(m: &mut Machine, device: Device) -> PowerPolicyState {
        state(m, device)
    }

    fn row(state: PowerPolicyState) -> Row<PowerPolicyState, PolicyEvent> {
        row(state)
    }

    fn is_priority(event: PolicyEvent) -> bool {
        event.is_priority_of_owner()
    }

    fn is_singular(event: PolicyEvent) -> bool {
        event == PolicyEvent::S0IdlePolicyChanged
    }

    fn set_state(m: &mut Machine, device: Device, state: PowerPolicyState) {
        let from = std::mem::replace(&mut device.body(m).pnp.policy, state);
        device.log_state(m, &sites::POWER_POLICY_STATE, state as u64, from as u64);
    }

    fn drop_event(m: &mut Machine, device: Device, event: PolicyEvent, known: &[PolicyEvent]) {
        let state = state(m, device) as u64;
        device.log_drop(m, &sites::POLICY_DROPPED, [state, event as u64]);
        if !known.contains(&event) {
            let arguments = [state, event as u64, PolicyEvent::mask(known)];
            device.log_unknown_drop(m, &sites::POLICY_DROPPED_UNKNOWN, arguments);
        }
        if event == PolicyEvent::Sx {
            device.complete_system_power_irp(m);
        }
    }

    fn refuse(m: &mut Machine, device: Device, event: PolicyEvent, closed: bool) {
        refuse(m, device, event, closed);
    }

    fn at_rest(_: &mut Machine, _: Device) {}

    fn post_process(_: &mut Machine, _: Device) {}
}

impl StateMachine for Other {
    type State = PowerPolicyState;
    type Event = PolicyEvent;

    fn queue(data: &mut PnpData) -> &mut EventQueue<PolicyEvent> {
        &mut data.policy_events
    }

    fn state(m: &mut Machine, device: Device) -> PowerPolicyState {
        state(m, device)
    }

    fn row(state: PowerPolicyState) -> Row<PowerPolicyState, PolicyEvent> {
        not_owner::row(state)
    }

    fn is_priority(event: PolicyEvent) -> bool {
        event.is_priority_of_others()
    }

    fn is_singular(event: PolicyEvent) -> bool {
        event == PolicyEvent::S0IdlePolicyChanged
    }

    fn set_state(m: &mut Machine, device: Device, state: PowerPolicyState) {
        let from = std::mem::replace(&mut device.body(m).pnp.policy, state);
        device.log_state(m, &sites::NOT_OWNER_STATE, state as u64, from as u64);
    }

    /// What a follower has no use for goes without a word.
    fn drop_event(_: &mut Machine, _: Device, _: PolicyEvent, _: &[PolicyEvent]) {}

    fn refuse(m: &mut Machine, device: Device, event: PolicyEvent, closed: bool) {
        refuse(m, device, event, closed);
    }

    fn at_rest(_: &mut Machine, _: Device) {}

    fn post_process(_: &mut Machine, _: Device) {}
}

fn row(state: PowerPolicyState) -> Row<PowerPolicyState, PolicyEvent> {
    use PolicyEvent as E;
    use PowerPolicyState::*;
    match state {
        ObjectCreated => {
            Row::open(&[(E::Start, Starting), (E::Remove, Removed)]).dropping(&[E::S0, E::Sx, E::S0IdlePolicyChanged])
        }
        Starting => Row::locked(starting, &[(E::PowerUp, StartingPoweredUp), (E::PowerUpFailed, StartingFailed)])
            .dropping(&[E::PowerUpFailed]),
        StartingPoweredUp => Row::passing(|_, _| Some(StartingSucceeded)),
        StartingSucceeded => Row::passing(starting_succeeded),
        StartingFailed => Row::open(&[(E::Remove, Removed)]).entering(starting_failed),
        StartingDecideS0Wake => Row::passing(starting_decide_s0_wake),
        Started => Row::open(&[
            (E::Sx, Sleeping),
            (E::Stop, Stopping),
            (E::SurpriseRemove, Stopping),
            (E::S0IdlePolicyChanged, StartingDecideS0Wake),
        ])
        .entering(started)
        .dropping(&[
            E::DeviceDirectedPowerUp,
            E::S0,
            E::WakeArrived,
            E::WakeSuccess,
            E::PowerUp,
            E::UsbSelectiveSuspendCompleted,
            E::IoPresent,
            E::PowerTimeoutExpired,
            E::DevicePowerRequired,
        ]),
        StartedCancelTimer => {
            Row::passing(|m, device| cancel_timer(m, device, [StartingDecideS0Wake, StartedWaitForIdleTimeout]))
        }
        StartedWaitForIdleTimeout => Row { open: true, ..Row::open(&[(E::PowerTimeoutExpired, StartingDecideS0Wake)]) },
        StartedIdleCapable => Row::open(&[
            (E::PowerTimeoutExpired, IdleCapableDeviceIdle),
            (E::Sx, StartedIdleCapableCancelTimerForSleep),
            (E::Stop, StoppingCancelTimer),
            (E::SurpriseRemove, StoppingCancelTimer),
            (E::S0IdlePolicyChanged, StartedCancelTimer),
        ])
        .entering(started_idle_capable)
        .dropping(&[
            E::S0,
            E::WakeArrived,
            E::PowerUp,
            E::IoPresent,
            E::DevicePowerNotRequired,
            E::DevicePowerRequired,
        ]),
        // The framework's own timer decides here, not the power manager's.
        IdleCapableDeviceIdle => Row::open(&[
            (E::DevicePowerNotRequired, TimerExpiredNoWake),
            (E::Sx, DeviceIdleSleeping),
            (E::Stop, DeviceIdleStopping),
            (E::SurpriseRemove, DeviceIdleStopping),
            (E::S0IdlePolicyChanged, DeviceIdleReturnToActive),
            (E::IoPresent, DeviceIdleReturnToActive),
        ])
        .entering(|_, _| Some(TimerExpiredNoWake))
        .dropping(&[E::S0, E::DevicePowerRequired]),
        DeviceIdleReturnToActive => Row::passing(|_, _| Some(StartedCancelTimer)),
        DeviceIdleSleeping => Row::passing(|_, _| Some(StartedIdleCapableCancelTimerForSleep)),
        DeviceIdleStopping => Row::passing(|_, _| Some(StoppingCancelTimer)),
        TimerExpiredNoWake => Row::locked(
            timer_expired_no_wake,
            &[
                (E::PowerDownIoStopped, TimerExpiredNoWakeCompletePowerDown),
                (E::PowerDown, TimerExpiredNoWakePowerDownNotProcessed),
            ],
        ),
        TimerExpiredNoWakeCompletePowerDown => Row::locked(
            complete_power_down,
            &[
                (E::PowerDown, TimerExpiredNoWakePoweredDownDisableIdleTimer),
                (E::PowerDownFailed, DevicePowerRequestFailed),
            ],
        ),
        TimerExpiredNoWakePoweredDownDisableIdleTimer => Row::passing(powered_down_disable_idle_timer),
        TimerExpiredNoWakePowerDownNotProcessed => {
            Row::passing(|m, device| not_processed(m, device, TimerExpiredNoWakeUndoPowerDown))
        }
        TimerExpiredNoWakeUndoPowerDown => Row::passing(|_, _| Some(TimerExpiredNoWakeReturnToActive)),
        TimerExpiredNoWakeReturnToActive => Row::passing(|_, _| Some(StartedIdleCapable)),
        WaitingUnarmed => Row::open(&[
            (E::IoPresent, WaitingUnarmedQueryIdle),
            (E::Sx, SystemSleepFromDeviceWaitingUnarmed),
            (E::Stop, StoppingResetDevice),
            (E::SurpriseRemove, StoppingCancelTimer),
            (E::S0IdlePolicyChanged, S0NoWakePowerUp),
            (E::DevicePowerRequired, S0NoWakePowerUp),
        ])
        .dropping(&[E::S0, E::DevicePowerNotRequired]),
        WaitingUnarmedQueryIdle => Row::passing(|m, device| query_idle(m, device, S0NoWakePowerUp)),
        S0NoWakePowerUp => Row::locked(
            power_up,
            &[
                (E::PowerUpHwStarted, S0NoWakeCompletePowerUp),
                (E::PowerUpFailed, DevicePowerRequestFailed),
                (E::PowerUpNotSeen, DeviceD0PowerRequestFailed),
            ],
        ),
        S0NoWakeCompletePowerUp => Row::locked(
            complete_power_up,
            &[(E::PowerUp, StartingDecideS0Wake), (E::PowerUpFailed, DevicePowerRequestFailed)],
        ),

        Sleeping => Row::passing(sleeping),
        SleepingNoWakePowerDown => Row::locked(
            sleeping_no_wake_power_down,
            &[(E::PowerDownIoStopped, SleepingNoWakeCompletePowerDown), (E::PowerDown, SleepingPowerDownNotProcessed)],
        ),
        SleepingNoWakeCompletePowerDown => Row::locked(
            complete_power_down,
            &[(E::PowerDown, SystemAsleepNoWake), (E::PowerDownFailed, SystemSleepPowerRequestFailed)],
        )
        .dropping(&[E::WakeArrived]),
        SleepingPowerDownNotProcessed => {
            Row::passing(|m, device| not_processed(m, device, SystemSleepPowerRequestFailed))
        }
        SystemAsleepNoWake => {
            Row::open(&[(E::S0, SystemWakeDeviceWakeDisabled)]).entering(system_asleep_no_wake).dropping(&[
                E::S0IdlePolicyChanged,
                E::WakeArrived,
                E::IoPresent,
                E::PowerTimeoutExpired,
                E::DevicePowerNotRequired,
            ])
        }
        SystemSleepPowerRequestFailed => Row::passing(system_sleep_power_request_failed),
        SystemSleepFromDeviceWaitingUnarmed => Row::passing(|_, _| Some(SystemAsleepNoWake)),
        SystemWakeDeviceWakeDisabled => Row::passing(system_wake_device_wake_disabled),
        SystemWakeDeviceToD0 => Row::locked(
            power_up,
            &[
                (E::PowerUpHwStarted, SystemWakeDeviceToD0CompletePowerUp),
                (E::PowerUpFailed, SystemWakeDevicePowerRequestFailed),
                (E::PowerUpNotSeen, SystemWakeDeviceD0PowerRequestFailed),
            ],
        ),
        SystemWakeDeviceToD0CompletePowerUp => Row::locked(
            complete_power_up,
            &[(E::PowerUp, StartingDecideS0Wake), (E::PowerUpFailed, DevicePowerRequestFailed)],
        ),
        SystemWakeDevicePowerRequestFailed => Row::passing(|_, _| Some(DevicePowerRequestFailed)),
        SystemWakeDeviceD0PowerRequestFailed => Row::passing(|_, _| Some(DeviceD0PowerRequestFailed)),
        SystemWakeQueryIdle => Row::passing(|m, device| query_idle(m, device, SystemWakeDeviceToD0)),
        StartedIdleCapableCancelTimerForSleep => Row::passing(|m, device| {
            cancel_timer(m, device, [StartedIdleCapableTimerCanceledForSleep, StartedIdleCapableWaitForIdleTimeout])
        }),
        StartedIdleCapableTimerCanceledForSleep => Row::passing(|_, _| Some(Sleeping)),
        StartedIdleCapableWaitForIdleTimeout => {
            Row::open(&[(E::PowerTimeoutExpired, StartedIdleCapableTimerCanceledForSleep)])
        }

        DeviceD0PowerRequestFailed => Row::passing(device_d0_power_request_failed),
        DevicePowerRequestFailed => Row::open(&[(E::Stop, StoppingCancelTimer), (E::SurpriseRemove, Stopping)])
            .entering(device_power_request_failed)
            .dropping(&[
                E::UsbSelectiveSuspendCompleted,
                E::S0,
                E::Sx,
                E::WakeArrived,
                E::WakeFailed,
                E::DevicePowerRequired,
                E::IoPresent,
                E::DeviceDirectedPowerUp,
            ]),

        Stopping => Row::locked(stopping, &[(E::PowerDown, StoppingSendStatus), (E::PowerDownFailed, StoppingFailed)])
            .dropping(&[E::UsbSelectiveSuspendCompleted]),
        StoppingCancelTimer => {
            Row::passing(|m, device| cancel_timer(m, device, [Stopping, StoppingWaitForIdleTimeout]))
        }
        StoppingWaitForIdleTimeout => Row::open(&[(E::PowerTimeoutExpired, Stopping)]),
        StoppingFailed => Row::passing(stopping_failed),
        StoppingSendStatus => Row::passing(stopping_send_status),
        StoppingResetDevice => Row::locked(
            stopping_reset_device,
            &[
                (E::PowerUpHwStarted, StoppingResetDeviceCompletePowerUp),
                (E::PowerUpFailed, StoppingResetDeviceFailed),
                (E::PowerUpNotSeen, DeviceD0PowerRequestFailed),
            ],
        ),
        StoppingResetDeviceCompletePowerUp => {
            Row::locked(complete_power_up, &[(E::PowerUp, Stopping), (E::PowerUpFailed, StoppingResetDeviceFailed)])
        }
        StoppingResetDeviceFailed => Row::passing(stopping_reset_device_failed),
        Stopped => Row::open(&[(E::Start, Restarting), (E::Remove, StoppedRemoving)]).dropping(&[
            E::PowerTimeoutExpired,
            E::S0,
            E::IoPresent,
            E::DevicePowerRequired,
        ]),
        Restarting => Row::locked(starting, &[(E::PowerUp, StartingSucceeded), (E::PowerUpFailed, RestartingFailed)]),
        RestartingFailed => Row::passing(restarting_failed),
        StoppedRemoving => Row::passing(|_, _| Some(Removed)),
        Removed => Row::open(&[(E::Start, Starting), (E::Remove, Removed)]).entering(removed).dropping(&[
            E::Sx,
            E::S0,
            E::S0IdlePolicyChanged,
        ]),
        // The other machine's.
        GotoDx
        | GotoDxInDx
        | Dx
        | GotoD0
        | GotoD0InD0
        | StoppingWaitingForImplicitPowerDown
        | StoppingPoweringUp
        | StoppingPoweringDown => Row::open(&[]),
    }
}
