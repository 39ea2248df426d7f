//! Power states, actions and minor codes, and what a power IRP carries.

use std::fmt;

use crate::enumeration::enumeration;

enumeration! {
    /// A power minor function code.
    ///
    /// Source: wdm.h, IRP_MN_ codes of IRP_MJ_POWER.
    PowerMinor {
        /// Waits for a signal that wakes the device.
        WaitWake = 0, "IRP_MN_WAIT_WAKE";
        /// Asks how often the device was powered up.
        PowerSequence = 1, "IRP_MN_POWER_SEQUENCE";
        /// Sets a system or device state.
        SetPower = 2, "IRP_MN_SET_POWER";
        /// Asks whether a state can be set.
        QueryPower = 3, "IRP_MN_QUERY_POWER";
    }
}

enumeration! {
    /// SYSTEM_POWER_STATE.
    #[derive(Default)]
    SystemPowerState {
        /// No state.
        #[default]
        Unspecified = 0, "PowerSystemUnspecified";
        /// S0: running.
        Working = 1, "PowerSystemWorking";
        /// S1.
        Sleeping1 = 2, "PowerSystemSleeping1";
        /// S2.
        Sleeping2 = 3, "PowerSystemSleeping2";
        /// S3: all but memory is off.
        Sleeping3 = 4, "PowerSystemSleeping3";
        /// S4: memory is on disk.
        Hibernate = 5, "PowerSystemHibernate";
        /// S5: off.
        Shutdown = 6, "PowerSystemShutdown";
    }
}

impl SystemPowerState {
    /// PowerSystemMaximum: how many states there are.
    pub const COUNT: usize = 7;

    /// The states in which the system sleeps, S1 to S4.
    pub const fn is_sleep(self) -> bool {
        matches!(
            self,
            SystemPowerState::Sleeping1
                | SystemPowerState::Sleeping2
                | SystemPowerState::Sleeping3
                | SystemPowerState::Hibernate
        )
    }
}

enumeration! {
    /// DEVICE_POWER_STATE.
    #[derive(Default)]
    DevicePowerState {
        /// No state.
        #[default]
        Unspecified = 0, "PowerDeviceUnspecified";
        /// D0: on.
        D0 = 1, "PowerDeviceD0";
        /// D1.
        D1 = 2, "PowerDeviceD1";
        /// D2.
        D2 = 3, "PowerDeviceD2";
        /// D3: off.
        D3 = 4, "PowerDeviceD3";
    }
}

enumeration! {
    /// POWER_ACTION: why the system changes its state.
    ///
    /// Source: Windows driver documentation, "System power actions".
    #[derive(Default)]
    PowerAction {
        /// It does not.
        #[default]
        None = 0, "PowerActionNone";
        /// It sleeps, S1 to S3.
        Sleep = 2, "PowerActionSleep";
        /// It hibernates.
        Hibernate = 3, "PowerActionHibernate";
        /// It shuts down and stays powered.
        Shutdown = 4, "PowerActionShutdown";
        /// It shuts down and starts again.
        ShutdownReset = 5, "PowerActionShutdownReset";
        /// It shuts down and goes off.
        ShutdownOff = 6, "PowerActionShutdownOff";
        /// A docking station lets go.
        WarmEject = 7, "PowerActionWarmEject";
    }
}

/// POWER_STATE with its POWER_STATE_TYPE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PowerState {
    /// SystemPowerState.
    System(SystemPowerState),
    /// DevicePowerState.
    Device(DevicePowerState),
}

impl fmt::Display for PowerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PowerState::System(state) => state.name(),
            PowerState::Device(state) => state.name(),
        })
    }
}

/// SYSTEM_POWER_STATE_CONTEXT: where the system comes from and where it goes.
///
/// Source: Windows driver documentation, IRP_MN_SET_POWER ("System power transition context").
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SystemPowerContext {
    /// `CurrentSystemState`: the state that it leaves.
    pub current: SystemPowerState,
    /// `TargetSystemState`: where it goes.
    pub target: SystemPowerState,
    /// `EffectiveSystemState`: where its user sees it go.
    pub effective: SystemPowerState,
}

/// The `Parameters` of a power location.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PowerParameters {
    /// `Power`: of SET_POWER and QUERY_POWER.
    Power {
        /// `Type` and `State`.
        state: PowerState,
        /// `ShutdownType`.
        action: PowerAction,
        /// `SystemPowerStateContext`.
        context: SystemPowerContext,
    },
    /// `WaitWake.PowerState`: the least powered system state that the device may wake the system from.
    WaitWake(SystemPowerState),
}

impl fmt::Display for PowerParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PowerParameters::Power { state, action, .. } => write!(f, "{state}, {}", action.name()),
            PowerParameters::WaitWake(state) => f.write_str(state.name()),
        }
    }
}
