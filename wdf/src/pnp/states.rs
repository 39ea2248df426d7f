//! The states that a device's machines travel, by the names that logs print and the numbers that drivers are told.

macro_rules! states {
    ($(#[$doc:meta])* $name:ident $prefix:literal { $($state:ident = $number:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u16)]
        #[allow(missing_docs)] // Each is the framework's enumerator of that name.
        pub enum $name { $($state = $number),+ }

        impl $name {
            /// The full name of the enumerator with this number.
            pub(crate) fn name_of(word: u64) -> Option<&'static str> {
                match word { $($number => Some(concat!($prefix, stringify!($state))),)+ _ => None }
            }
        }
    };
}

states! {
    /// WDF_DEVICE_PNP_STATE.
    ///
    /// Source: S/irphandlers/pnp/pnpstatemachine.cpp:198-800 (the order of its table; the first has number 0x100).
    PnpState "WdfDevStatePnp" {
        ObjectCreated = 0x100, CheckForDevicePresence = 0x101, EjectFailed = 0x102, EjectHardware = 0x103,
        EjectedWaitingForRemove = 0x104, Init = 0x105, InitStarting = 0x106, InitSurpriseRemoved = 0x107,
        HardwareAvailable = 0x108, EnableInterfaces = 0x109, HardwareAvailablePowerPolicyFailed = 0x10A,
        QueryRemoveAskDriver = 0x10B, QueryRemovePending = 0x10C, QueryRemoveStaticCheck = 0x10D,
        QueriedRemoving = 0x10E, QueryStopAskDriver = 0x10F, QueryStopPending = 0x110, QueryStopStaticCheck = 0x111,
        QueryCanceled = 0x112, Removed = 0x113, PdoRemoved = 0x114, RemovedPdoWait = 0x115,
        RemovedPdoSurpriseRemoved = 0x116, RemovingDisableInterfaces = 0x117, Restarting = 0x118, Started = 0x119,
        StartedCancelStop = 0x11A, StartedCancelRemove = 0x11B, StartedRemoving = 0x11C, StartingFromStopped = 0x11D,
        Stopped = 0x11E, StoppedWaitForStartCompletion = 0x11F, StartedStopping = 0x120, SurpriseRemove = 0x121,
        InitQueryRemove = 0x122, InitQueryRemoveCanceled = 0x123, FdoRemoved = 0x124, RemovedWaitForChildren = 0x125,
        QueriedSurpriseRemove = 0x126, SurpriseRemoveIoStarted = 0x127, FailedPowerDown = 0x128,
        FailedIoStarting = 0x129, FailedOwnHardware = 0x12A, Failed = 0x12B, FailedSurpriseRemoved = 0x12C,
        FailedStarted = 0x12D, FailedWaitForRemove = 0x12E, FailedInit = 0x12F, PdoInitFailed = 0x130,
        Restart = 0x131, RestartReleaseHardware = 0x132, RestartHardwareAvailable = 0x133, PdoRestart = 0x134,
        Final = 0x135, RemovedChildrenRemoved = 0x136, QueryRemoveEnsureDeviceAwake = 0x137,
        QueryStopEnsureDeviceAwake = 0x138, FailedPowerPolicyRemoved = 0x139,
    }
}

states! {
    /// WDF_DEVICE_POWER_STATE, without the states of devices that are armed for wake and
    /// those that class extensions add. The framework marks those of a
    /// device that may not be paged with 0x8000.
    ///
    /// Source: S/irphandlers/pnp/powerstatemachine.cpp:130-1300 (the order of its table).
    PowerState "WdfDevStatePower" {
        ObjectCreated = 0x300, CheckDeviceType = 0x301, CheckDeviceTypeNP = 0x8302, CheckParentState = 0x303,
        CheckParentStateNP = 0x8304, D0 = 0x307, D0NP = 0x8308, D0BusWakeOwner = 0x309, D0BusWakeOwnerNP = 0x830A,
        D0Starting = 0x30F, D0StartingConnectInterrupt = 0x310, D0StartingDmaEnable = 0x311,
        D0StartingStartSelfManagedIo = 0x312, DecideD0State = 0x313, GotoD3Stopped = 0x314, Stopped = 0x315,
        StartingCheckDeviceType = 0x316, StartingChild = 0x317, GotoDx = 0x31A, GotoDxNP = 0x831B,
        GotoDxIoStopped = 0x31C, GotoDxIoStoppedNP = 0x831D, GotoDxNPFailed = 0x31E, Dx = 0x31F, DxNP = 0x8320,
        StartSelfManagedIo = 0x32B, StartSelfManagedIoNP = 0x832C, StartSelfManagedIoFailed = 0x32D,
        StartSelfManagedIoFailedNP = 0x832E, WaitForParent = 0x32F, WaitForParentNP = 0x8330, Waking = 0x333,
        WakingNP = 0x8334, WakingConnectInterrupt = 0x335, WakingConnectInterruptNP = 0x8336,
        WakingConnectInterruptFailed = 0x337, WakingConnectInterruptFailedNP = 0x8338, WakingDmaEnable = 0x339,
        WakingDmaEnableNP = 0x833A, WakingDmaEnableFailed = 0x33B, WakingDmaEnableFailedNP = 0x833C,
        ReportPowerUpFailedDerefParent = 0x33D, ReportPowerUpFailed = 0x33E, PowerFailedPowerDown = 0x33F,
        ReportPowerDownFailed = 0x340, InitialConnectInterruptFailed = 0x341, InitialDmaEnableFailed = 0x342,
        InitialSelfManagedIoFailed = 0x343, InitialPowerUpFailedDerefParent = 0x344, InitialPowerUpFailed = 0x345,
        GotoDxStoppedDisableInterruptNP = 0x8348, GotoDxStopped = 0x349, DxStopped = 0x34A, GotoStopped = 0x34B,
        StoppedCompleteDx = 0x34C, DxStoppedDecideDxState = 0x34D, FinalPowerDownFailed = 0x350, Final = 0x351,
        UpFailed = 0x353, UpFailedDerefParent = 0x354, GotoDxFailed = 0x355, GotoDxStoppedDisableInterrupt = 0x356,
        UpFailedNP = 0x8357, UpFailedDerefParentNP = 0x8358, NotifyingD0ExitToWakeInterrupts = 0x359,
        NotifyingD0EntryToWakeInterrupts = 0x35A, NotifyingD0ExitToWakeInterruptsNP = 0x835B,
        NotifyingD0EntryToWakeInterruptsNP = 0x835C,                         WakingPostHardwareEnabled = 0x363, WakingPostHardwareEnabledNP = 0x8364,
        WakingPostHardwareEnabledFailed = 0x365, WakingPostHardwareEnabledFailedNP = 0x8366,
        D0StartingPostHardwareEnabled = 0x367, InitialPostHardwareEnabledFailed = 0x368,
    }
}

states! {
    /// WDF_DEVICE_POWER_POLICY_STATE, for owners of the power policy and others: those that a device travels which
    /// cannot wake the system, itself, or a USB hub.
    ///
    /// Source: S/irphandlers/pnp/powerpolicystatemachine.cpp:600-3000 (the order of its table),
    /// notpowerpolicyownerstatemachine.cpp.
    PowerPolicyState "WdfDevStatePwrPol" {
        ObjectCreated = 0x500, Starting = 0x501, StartingSucceeded = 0x502, StartingFailed = 0x503,
        StartingDecideS0Wake = 0x504, StartedIdleCapable = 0x505, TimerExpiredNoWake = 0x506,
        TimerExpiredNoWakeCompletePowerDown = 0x507, WaitingUnarmed = 0x508, WaitingUnarmedQueryIdle = 0x509,
        S0NoWakePowerUp = 0x50A, S0NoWakeCompletePowerUp = 0x50B, SystemSleepFromDeviceWaitingUnarmed = 0x50C,
        SystemSleepPowerRequestFailed = 0x50F, Sleeping = 0x526, SleepingNoWakePowerDown = 0x527,
        SleepingNoWakeCompletePowerDown = 0x528, SystemAsleepNoWake = 0x52C, SystemWakeDeviceWakeDisabled = 0x52D,
        SystemWakeDeviceToD0 = 0x52E, SystemWakeDeviceToD0CompletePowerUp = 0x52F, SystemWakeQueryIdle = 0x530,
        StoppingResetDevice = 0x553, StoppingResetDeviceCompletePowerUp = 0x554, StoppingResetDeviceFailed = 0x555,
        Stopping = 0x55B, StoppingFailed = 0x55C, StoppingSendStatus = 0x55D, StoppingCancelTimer = 0x55E,
        StoppingWaitForIdleTimeout = 0x55F, Stopped = 0x563, Started = 0x565, StartedCancelTimer = 0x566,
        StartedWaitForIdleTimeout = 0x567, StartedIdleCapableCancelTimerForSleep = 0x56B,
        StartedIdleCapableWaitForIdleTimeout = 0x56C, DeviceD0PowerRequestFailed = 0x56D,
        DevicePowerRequestFailed = 0x56E, GotoDx = 0x56F, GotoDxInDx = 0x570, Dx = 0x571, GotoD0 = 0x572,
        GotoD0InD0 = 0x573, SleepingPowerDownNotProcessed = 0x575, TimerExpiredNoWakePowerDownNotProcessed = 0x577,
        TimerExpiredNoWakePoweredDownDisableIdleTimer = 0x578, StoppingWaitingForImplicitPowerDown = 0x579,
        StoppingPoweringUp = 0x57A, StoppingPoweringDown = 0x57B, StartingPoweredUp = 0x583,
        IdleCapableDeviceIdle = 0x584, DeviceIdleReturnToActive = 0x585, DeviceIdleSleeping = 0x586,
        DeviceIdleStopping = 0x587, TimerExpiredNoWakeUndoPowerDown = 0x588, StoppedRemoving = 0x58D,
        Removed = 0x58E, Restarting = 0x58F, RestartingFailed = 0x590, TimerExpiredNoWakeReturnToActive = 0x592,
        StartedIdleCapableTimerCanceledForSleep = 0x59A, SystemWakeDeviceD0PowerRequestFailed = 0x5BE,
        SystemWakeDevicePowerRequestFailed = 0x5BF,
    }
}

states! {
    /// The idle machine of a power policy owner.
    ///
    /// Source: S/inc/private/common/fxpoweridlestatemachine.hpp.
    IdleState "FxIdle" {
        Stopped = 1, Started = 2, StartedPowerUp = 3, StartedPowerFailed = 4, Disabled = 5, CheckIoCount = 6,
        Busy = 7, DecrementIo = 8, StartTimer = 9, TimerRunning = 10, TimingOut = 11, TimedOut = 12,
        TimedOutIoIncrement = 13, TimedOutPowerDown = 14, TimedOutPowerDownFailed = 15, GoingToDx = 16, InDx = 17,
        InDxIoIncrement = 18, InDxPowerUpFailure = 19, InDxStopped = 20, InDxDisabled = 21, InDxEnabled = 22,
        PowerUp = 23, PowerUpComplete = 24, TimedOutDisabled = 25, TimedOutEnabled = 26, CancelTimer = 27,
        WaitForTimeout = 28, TimerExpired = 29, Disabling = 30, DisablingWaitForTimeout = 31,
        DisablingTimerExpired = 32, PowerFailedWaitForTimeout = 33, PowerFailed = 34,
    }
}

states! {
    /// The machine that calls a driver's self-managed I/O callbacks, without the states that class extensions add.
    ///
    /// Source: S/inc/private/common/fxselfmanagediostatemachine.hpp.
    SelfManagedIoState "FxSelfManagedIo" {
        Created = 1, Init = 2, InitFailed = 3, Started = 5, Suspending = 6, Stopped = 7,
        Restarting = 8, Failed = 10, Flushing = 11, Flushed = 12, Cleanup = 13, Final = 14,
    }
}
